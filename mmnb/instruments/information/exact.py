"""Entropies, informations and their decomposition (BROJA), exactly, from tables of joint probabilities, in nats."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.information.variables import indices
from mmnb.instruments.inputs import array, numbers, whole
from mmnb.instruments.result import Result

Axes = int | Sequence[int]
_SUM = 1e-9  # how far the probabilities may sum from 1: rounding of a million numbers stays below
_ZERO = 1e-12  # smaller cells are fixed at 0 in the decomposition


def checked(table: np.ndarray, caller: str, axes: int | None = None) -> np.ndarray:
    """`table` as float64; raises ValueError unless finite, from 0, summing to 1, with that number of axes."""
    given = array(table, caller)
    table = numbers(given, caller, "(n, ...)").numpy()
    if axes is not None and table.ndim != axes:
        raise ValueError(f"{caller}: got a table of shape {table.shape}; expected {axes} axes")
    coarse = given.dtype in (np.float16, np.float32)  # their rounding is taken out, float64 stays as it is
    if table.min() < 0 or abs(table.sum() - 1) > (16 * np.finfo(given.dtype).eps if coarse else _SUM):
        got = f"a table of shape {table.shape} with sum {table.sum():.9g} and smallest entry {table.min():.3g}"
        raise ValueError(f"{caller}: got {got}; expected probabilities: from 0, summing to 1")
    return table / table.sum() if coarse else table


def joint_table(*codes: np.ndarray, sizes: Sequence[int] | None = None) -> np.ndarray:
    """Relative frequencies of tuples of whole numbers, an axis for each variable: the plug-in estimate of a table.

    Args:
        codes: One (n,) array of whole numbers from 0 for each variable, n >= 1.
        sizes: How many values each may take (default: the largest found + 1).
    Raises: TypeError on numbers that are not whole; ValueError on different lengths, no rows, or a code below 0 or
        outside its size.
    Example:
        >>> joint_table(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
        array([[0.25, 0.25],
               [0.  , 0.5 ]])

    Source: Maximum likelihood. Informations computed from it are biased upwards, by about (number of cells) / 2n.
    """
    columns = [indices(code, "joint_table") for code in codes]
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"joint_table: got {[len(c) for c in columns]} rows; expected arrays of one length n >= 1")
    most = [int(c.max()) for c in columns]
    sizes = (
        [high + 1 for high in most] if sizes is None else [whole(m, "joint_table: sizes") for m in np.atleast_1d(sizes)]
    )
    if len(sizes) != len(columns) or any(high >= m for high, m in zip(most, sizes, strict=True)):
        raise ValueError(f"joint_table: got codes up to {most}, sizes {sizes}; expected codes below the size")
    return frequencies(columns, sizes)


def frequencies(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """`joint_table` of codes that are known to be good."""
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
    flat = [axis for group in groups for axis in (group if isinstance(group, Sequence) else [group])]
    if not all(isinstance(axis, int | np.integer) for axis in flat):
        raise TypeError(f"{caller}: got axes {groups}; expected a number or several for each")
    sets = [{group} if isinstance(group, int | np.integer) else set(group) for group in groups]
    if len(set(flat)) != len(flat) or not set(flat) <= set(range(table.ndim)):
        raise ValueError(f"{caller}: got axes {groups}; expected different ones from 0 to {table.ndim - 1}")
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


@dataclass(frozen=True)
class Atoms(Result):
    """The four atoms in nats: redundancy, what only a and only b have (unique), and synergy. Their sum is I(a,b; y)."""

    redundancy: float
    unique_a: float
    unique_b: float
    synergy: float

    def estimates(self) -> dict[str, Estimate]:
        """Synergy, then the other atoms and their total, in nats."""
        names = ("synergy", "redundancy", "unique_a", "unique_b", "total")
        return {name: Estimate(getattr(self, name)) for name in names}

    @property
    def total(self) -> float:
        """I(a,b; y), nats."""
        return self.redundancy + self.unique_a + self.unique_b + self.synergy

    @property
    def metric(self) -> float:
        """The complementarity metric, (U_a + U_b + 2 S) / (R + U_a + U_b + S); ValueError below 1e-9 nats in all."""
        if self.total < 1e-9:
            raise ValueError(f"Atoms.metric: the total information is {self.total:.3g} nats; expected at least 1e-9")
        return (self.unique_a + self.unique_b + 2 * self.synergy) / self.total


def pid(table: np.ndarray) -> Atoms:
    """Split I(a,b; y) into redundant, unique and synergistic information, each up to the solver's accuracy of 1e-6.

    Formula: among all q with q(a,y) = p(a,y) and q(b,y) = p(b,y) let q* have the largest H(y|a,b). Then redundancy is the
    co-information of q*, the unique parts are I(a;y|b) and I(b;y|a) under q*, and synergy is I_p(a,b;y) - I_q*(a,b;y).
    Args:
        table: (n_a, n_b, n_y), joint probabilities.
    Raises: ValueError when it is not a table of probabilities with three axes; RuntimeError when the solver does not
        reach the optimum.
    Example:
        >>> both = np.zeros((2, 2, 2)); both[[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]] = 1 / 4  # y = a and b
        >>> atoms = pid(both)
        >>> round(atoms.redundancy, 3), round(atoms.unique_a, 3) + 0.0, round(atoms.synergy, 3)
        (0.216, 0.0, 0.347)

    Source: Bertschinger, Rauh, Olbrich, Jost & Ay 2014; as a convex program with exponential cones in Liang et al.
        2023. Ours drops empty slices and cells that the constraints force to 0, and solves with CLARABEL.
    """
    p = checked(table, "pid", axes=3)
    q = _least_synergistic(p)
    synergy = mutual_information(p, (0, 1), 2) - mutual_information(q, (0, 1), 2)
    atoms = (co_information(q), mutual_information(q, 0, 2, given=1), mutual_information(q, 1, 2, given=0), synergy)
    return Atoms(*(float(atom) for atom in atoms))


def _least_synergistic(p: np.ndarray) -> np.ndarray:
    """q*: the table with the same (a, y) and (b, y) margins as `p` and the largest H(y | a, b)."""
    import cvxpy as cp  # takes a second to import, and only this function needs it
    from scipy import sparse

    p = np.where(p > _ZERO, p, 0.0)
    p_ay, p_by = p.sum(1), p.sum(0)
    allowed = (p_ay[:, None, :] > 0) & (p_by[None, :, :] > 0)
    a, b, y = np.nonzero(allowed)
    m = len(a)
    q = cp.Variable(m, nonneg=True)
    margins = []
    for code, values in ((a * p.shape[2] + y, p_ay[a, y]), (b * p.shape[2] + y, p_by[b, y])):
        _, first, row = np.unique(code, return_index=True, return_inverse=True)
        margins.append(sparse.csr_matrix((np.ones(m), (row, np.arange(m)))) @ q == values[first])
    pair = np.unique(a * p.shape[1] + b, return_inverse=True)[1]
    several = np.bincount(pair)[pair] > 1  # a pair that allows one label only has no entropy and needs no cone
    of_pair = sparse.csr_matrix((np.ones(m), (pair, np.arange(m))))
    aims = cp.sum(cp.rel_entr(q[several], (of_pair[pair[several]] @ q))) if several.any() else cp.Constant(0)
    problem = cp.Problem(cp.Minimize(aims), margins)
    close = dict.fromkeys(("reduced_tol_gap_abs", "reduced_tol_gap_rel", "reduced_tol_feas"), 1e-6)
    with warnings.catch_warnings():  # that it stops at those is said by the solver, and is our accuracy
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-8, tol_gap_rel=1e-8, **close)
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise RuntimeError(f"pid: the solver says {problem.status!r} for a table {p.shape}; expected 'optimal'")
    found = np.zeros_like(p)
    found[a, b, y] = np.maximum(q.value, 0)
    off = max(np.abs(found.sum(1) - p_ay).max(), np.abs(found.sum(0) - p_by).max())
    if off > 1e-6:
        raise RuntimeError(f"pid: the solution misses a margin by {off:.2g}; expected at most 1e-6")
    return found / found.sum()
