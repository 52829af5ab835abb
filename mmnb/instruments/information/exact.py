"""Entropies and informations of discrete variables, exactly, from the table of their joint probabilities, in nats."""

from collections.abc import Sequence

import numpy as np

Axes = int | Sequence[int]
_SUM = 1e-9  # how far the probabilities may sum from 1: rounding of a million numbers stays below


def checked(table: np.ndarray, caller: str, axes: int | None = None) -> np.ndarray:
    """`table` as float64; raises ValueError unless finite, from 0, summing to 1, with that number of axes."""
    table = np.asarray(table, dtype=np.float64)
    if axes is not None and table.ndim != axes:
        raise ValueError(f"{caller}: got a table of shape {table.shape}; expected {axes} axes")
    if not table.size or not np.isfinite(table).all() or table.min() < 0 or abs(table.sum() - 1) > _SUM:
        total, low = (float(table.sum()), float(table.min())) if table.size else (0.0, 0.0)
        raise ValueError(
            f"{caller}: got a table of shape {table.shape} with sum {total:.6g} and smallest entry {low:.3g}; "
            "expected probabilities: finite, from 0, summing to 1"
        )
    return table


def joint_table(*codes: np.ndarray, sizes: Sequence[int] | None = None) -> np.ndarray:
    """Relative frequencies of tuples of whole numbers: the plug-in estimate of a joint table.

    Args:
        codes: One (n,) array of whole numbers from 0 for each variable, n >= 1.
        sizes: How many values each may take (default: the largest found + 1).
    Returns: One axis for each variable; sums to 1.
    Raises: TypeError on numbers that are not whole; ValueError on different lengths, no rows, or a code outside its
        size.
    Example:
        >>> joint_table(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
        array([[0.25, 0.25],
               [0.  , 0.5 ]])

    Source: Maximum likelihood. Informations computed from it are biased upwards, by about (number of cells) / 2n.
    """
    columns = [np.asarray(code) for code in codes]
    shapes = {column.shape for column in columns}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 1 or not shape[0]:
        raise ValueError(f"joint_table: got shapes {[c.shape for c in columns]}; expected arrays of one length n >= 1")
    if any(not (np.issubdtype(c.dtype, np.integer) or c.dtype == bool) for c in columns):
        raise TypeError(f"joint_table: got {[str(c.dtype) for c in columns]}; expected whole numbers, one per value")
    columns = [column.astype(np.int64) for column in columns]
    spans = [(int(c.min()), int(c.max())) for c in columns]
    sizes = [high + 1 for _, high in spans] if sizes is None else list(sizes)
    if len(sizes) != len(columns) or any(low < 0 or high >= m for (low, high), m in zip(spans, sizes, strict=True)):
        raise ValueError(f"joint_table: got codes {spans}, sizes {sizes}; expected codes from 0 to below the size")
    counts = np.bincount(np.ravel_multi_index(columns, sizes), minlength=int(np.prod(sizes)))
    return counts.reshape(sizes) / len(columns[0])


def entropy(table: np.ndarray) -> float:
    """Joint entropy of all variables of a table, in nats: -sum p log p, with 0 log 0 = 0.

    Args:
        table: Probabilities, any number of axes.
    Raises: ValueError when it is not a table of probabilities.
    Example:
        >>> round(entropy([0.5, 0.5]), 4), entropy([1.0, 0.0])
        (0.6931, 0.0)
    """
    return _entropy(checked(table, "entropy"))


def _entropy(p: np.ndarray) -> float:
    p = p.ravel()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum()) + 0.0


def _axes(table: np.ndarray, groups: Sequence[Axes], caller: str) -> list[set[int]]:
    sets = [{group} if isinstance(group, int | np.integer) else set(group) for group in groups]
    flat = [axis for group in sets for axis in group]
    if len(set(flat)) != len(flat) or not set(flat) <= set(range(table.ndim)):
        last = table.ndim - 1
        raise ValueError(f"{caller}: got axes {groups}; expected different ones from 0 to {last}")
    return sets


def mutual_information(table: np.ndarray, a: Axes = 0, b: Axes = 1, given: Axes = ()) -> float:
    """I(A;B|Z) in nats: what B tells about A when Z is known.

    Formula: H(A,Z) + H(B,Z) - H(A,B,Z) - H(Z); without Z, H(A) + H(B) - H(A,B).
    Args:
        table: Joint probabilities.
        a, b, given: Axis or axes of A, B and Z. Axes that are not named are summed out.
    Returns: 0 or more, up to rounding (1e-15).
    Raises: ValueError when it is not a table of probabilities, or an axis is named twice.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(mutual_information(xor, 0, 2), 4) + 0.0, round(mutual_information(xor, 0, 2, given=1), 4)
        (0.0, 0.6931)
    """
    table = checked(table, "mutual_information")
    a, b, z = _axes(table, (a, b, given), "mutual_information")
    if not a or not b:
        raise ValueError("mutual_information: got no axis for a or b; expected at least one for each")

    def h(keep: set[int]) -> float:
        return _entropy(table.sum(axis=tuple(k for k in range(table.ndim) if k not in keep))) if keep else 0.0

    return h(a | z) + h(b | z) - h(a | b | z) - h(z)


def co_information(table: np.ndarray) -> float:
    """I(A;B;C) = I(A;B) - I(A;B|C) in nats: redundancy minus synergy, so negative where two inform only together.

    Args:
        table: (a, b, c), joint probabilities.
    Raises: ValueError when it is not a table of probabilities with three axes.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(co_information(xor), 4)
        -0.6931

    Source: McGill 1954; the complementarity paper's eq. 1 has it as the last term, with this sign.
    """
    table = checked(table, "co_information", axes=3)
    return mutual_information(table, 0, 1) - mutual_information(table, 0, 1, given=2)
