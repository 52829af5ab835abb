"""Entropies and informations of discrete variables, exactly, from the table of their joint probabilities. Everything in nats."""

from collections.abc import Sequence

import numpy as np

Axes = int | Sequence[int]
_SUM = 1e-9  # how far the probabilities may sum from 1: rounding of a million numbers stays below


def checked(table: np.ndarray, caller: str, axes: int | None = None) -> np.ndarray:
    """`table` as float64 probabilities. Raises: ValueError on NaN, negative entries, another sum than 1, or another number of axes."""
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

    Args:    codes, one (n,) array of whole numbers from 0 for each variable, n >= 1; sizes, how many values each may take (default: the
             largest found + 1).
    Returns: one axis for each variable; sums to 1.
    Raises:  TypeError on numbers that are not whole; ValueError on different lengths, no rows, or a code outside its size.
    Example:
        >>> joint_table(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
        array([[0.25, 0.25],
               [0.  , 0.5 ]])

    Source:  maximum likelihood. Informations computed from it are biased upwards, by about (number of cells) / 2n.
    """
    columns = [np.asarray(code) for code in codes]
    if (
        not columns
        or any(column.ndim != 1 or len(column) != len(columns[0]) for column in columns)
        or not len(columns[0])
    ):
        raise ValueError(f"joint_table: got shapes {[c.shape for c in columns]}; expected arrays of one length n >= 1")
    if any(not (np.issubdtype(c.dtype, np.integer) or c.dtype == bool) for c in columns):
        raise TypeError(f"joint_table: got {[str(c.dtype) for c in columns]}; expected whole numbers, one per value")
    columns = [column.astype(np.int64) for column in columns]
    sizes = [int(column.max()) + 1 for column in columns] if sizes is None else list(sizes)
    if len(sizes) != len(columns) or any(
        c.min() < 0 or c.max() >= size for c, size in zip(columns, sizes, strict=True)
    ):
        spans = [(int(c.min()), int(c.max())) for c in columns]
        raise ValueError(
            f"joint_table: got codes from/to {spans}, sizes {sizes}; expected codes from 0 to below the size"
        )
    counts = np.bincount(np.ravel_multi_index(columns, sizes), minlength=int(np.prod(sizes)))
    return counts.reshape(sizes) / len(columns[0])


def entropy(table: np.ndarray) -> float:
    """Entropy of all variables of a table together: -sum p log p, with 0 log 0 = 0.

    Args:    table, any number of axes, probabilities.
    Returns: nats, from 0 to log of the number of cells.
    Raises:  ValueError when it is no table of probabilities.
    Example:
        >>> round(entropy([0.5, 0.5]), 4), entropy([1.0, 0.0])
        (0.6931, 0.0)

    Source:  Shannon 1948.
    """
    p = checked(table, "entropy").ravel()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum()) + 0.0


def _marginal_entropy(table: np.ndarray, keep: set[int]) -> float:
    if not keep:
        return 0.0
    p = table.sum(axis=tuple(k for k in range(table.ndim) if k not in keep)).ravel()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _axes(table: np.ndarray, groups: Sequence[Axes], caller: str) -> list[set[int]]:
    sets = [{group} if isinstance(group, int | np.integer) else set(group) for group in groups]
    flat = [axis for group in sets for axis in group]
    if len(set(flat)) != len(flat) or not set(flat) <= set(range(table.ndim)):
        raise ValueError(
            f"{caller}: got axes {groups} of a table with {table.ndim}; expected different ones from 0 to {table.ndim - 1}"
        )
    return sets


def mutual_information(table: np.ndarray, x: Axes = 0, y: Axes = 1, given: Axes = ()) -> float:
    """I(X;Y|Z): what knowing Y says about X once Z is known.

    Formula: H(X,Z) + H(Y,Z) - H(X,Y,Z) - H(Z); without Z, H(X) + H(Y) - H(X,Y).

    Args:    table, joint probabilities; x, y, given, an axis or several; axes named nowhere are summed out.
    Returns: nats, 0 or more up to rounding (1e-15).
    Raises:  ValueError when it is no table of probabilities or an axis is named twice.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(mutual_information(xor, 0, 2), 4) + 0.0, round(mutual_information(xor, 0, 2, given=1), 4)
        (0.0, 0.6931)

    Source:  Shannon 1948.
    """
    table = checked(table, "mutual_information")
    x, y, z = _axes(table, (x, y, given), "mutual_information")
    if not x or not y:
        raise ValueError("mutual_information: got no axis for x or y; expected at least one for each")
    return sum(
        sign * _marginal_entropy(table, keep) for sign, keep in ((1, x | z), (1, y | z), (-1, x | y | z), (-1, z))
    )


def co_information(table: np.ndarray) -> float:
    """I(X;Y;Z) = I(X;Y) - I(X;Y|Z) of a table with three axes: what all three share; negative where two are only together informative.

    Args:    table (x, y, z), joint probabilities.
    Returns: nats; equals redundancy less synergy.
    Raises:  ValueError when it is no table of probabilities with three axes.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(co_information(xor), 4)
        -0.6931

    Source:  McGill 1954; the complementarity paper's eq. 1 has it as the last term, with this sign.
    """
    table = checked(table, "co_information", axes=3)
    return mutual_information(table, 0, 1) - mutual_information(table, 0, 1, given=2)
