"""Replace solutions by stubs."""

_BEGIN, _END = "# BEGIN SOLUTION", "# END SOLUTION"


def strip_solutions(cell_source: str, exercise_id: str) -> str:
    """The student's code: every block from `# BEGIN SOLUTION` to `# END SOLUTION` becomes `raise mmnb.NotAttempted("…")`.

    Raises:
        ValueError: When there is no block, or a marker is missing, doubled or shares its line with code.

    Example:
        >>> print(strip_solutions("def half(x):\\n    # BEGIN SOLUTION\\n    return x / 2\\n    # END SOLUTION", "01a"))
        def half(x):
            raise mmnb.NotAttempted("01a")
    """
    kept: list[str] = []
    inside = False
    for number, line in enumerate(cell_source.splitlines(), start=1):
        marker, where = line.strip(), f"exercise {exercise_id}, line {number}"
        if (_BEGIN in line or _END in line) and marker not in (_BEGIN, _END):
            raise ValueError(f"{where}: got {marker!r}; expected the marker alone on its line")
        if marker == (_BEGIN if inside else _END):
            raise ValueError(f"{where}: got {marker!r}; expected {_END if inside else _BEGIN!r} before it")
        if marker == _BEGIN:
            kept.append(line.replace(_BEGIN, f'raise mmnb.NotAttempted("{exercise_id}")').rstrip())
        elif not inside:
            kept.append(line)
        inside = marker == _BEGIN or (inside and marker != _END)
    if inside or _BEGIN not in cell_source:
        got = "the last solution does not end" if inside else "there is no solution"
        raise ValueError(f"exercise {exercise_id}: {got}; expected {_BEGIN} … {_END}")
    return "\n".join(kept) + ("\n" if cell_source.endswith("\n") else "")
