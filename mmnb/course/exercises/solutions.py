"""Replace solutions by stubs."""

_BEGIN, _END = "# BEGIN SOLUTION", "# END SOLUTION"


def strip_solutions(cell_source: str, exercise_id: str) -> str:
    """The cell with every block between `# BEGIN SOLUTION` and `# END SOLUTION` replaced by `raise mmnb.NotAttempted("…")`.

    Args:
        cell_source: The author's code.
        exercise_id: Named in the error that the stub raises.

    Returns:
        The student's code; the stub has the indentation of the first marker.

    Raises:
        ValueError: When there is no block, or a marker is missing, doubled or shares its line with code.

    Example:
        >>> print(strip_solutions("def half(x):\\n    # BEGIN SOLUTION\\n    return x / 2\\n    # END SOLUTION", "01a"))
        def half(x):
            raise mmnb.NotAttempted("01a")
    """
    kept: list[str] = []
    inside = False
    blocks = 0
    for number, line in enumerate(cell_source.splitlines(), start=1):
        marker = line.strip()
        if (_BEGIN in line or _END in line) and marker not in (_BEGIN, _END):
            raise ValueError(
                f"exercise {exercise_id}, line {number}: got {marker!r}; expected the marker alone on its line"
            )
        if marker == (_BEGIN if inside else _END):
            raise ValueError(
                f"exercise {exercise_id}, line {number}: got {marker!r}; expected {_END if inside else _BEGIN!r} before it"
            )
        if marker == _BEGIN:
            kept.append(f'{line[: len(line) - len(line.lstrip())]}raise mmnb.NotAttempted("{exercise_id}")')
            inside, blocks = True, blocks + 1
        elif marker == _END:
            inside = False
        elif not inside:
            kept.append(line)
    if inside or not blocks:
        raise ValueError(
            f"exercise {exercise_id}: {'the last solution does not end' if inside else 'there is no solution'}; expected {_BEGIN} … {_END}"
        )
    return "\n".join(kept) + ("\n" if cell_source.endswith("\n") else "")
