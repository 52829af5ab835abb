"""Partial information decomposition: redundant, unique and synergistic information of two modalities about a label (BROJA)."""

from dataclasses import dataclass

import numpy as np

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.information.exact import checked, co_information, mutual_information
from mmnb.instruments.result import Result

_ZERO = 1e-12  # smaller cells are fixed at 0


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
        """The complementarity metric, (U_a + U_b + 2 S) / (R + U_a + U_b + S).

        Raises: ValueError when the total is below 1e-9 nats.
        """
        if self.total < 1e-9:
            raise ValueError(f"Atoms.metric: the total information is {self.total:.3g} nats; expected at least 1e-9")
        return (self.unique_a + self.unique_b + 2 * self.synergy) / self.total


def pid(table: np.ndarray) -> Atoms:
    """Split I(a,b; y) into redundant, unique and synergistic information.

    Formula: among all q with q(a,y) = p(a,y) and q(b,y) = p(b,y) let q* have the largest H(y|a,b). Then redundancy is the
    co-information of q*, the unique parts are I(a;y|b) and I(b;y|a) under q*, and synergy is I_p(a,b;y) - I_q*(a,b;y).
    Args:
        table: (n_a, n_b, n_y), joint probabilities.
    Returns: The atoms; each 0 or more up to the solver's accuracy of about 1e-6.
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
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-8, tol_gap_rel=1e-8)
    if problem.status != cp.OPTIMAL:
        raise RuntimeError(f"pid: the solver says {problem.status!r} for a table {p.shape}; expected 'optimal'")
    found = np.zeros_like(p)
    found[a, b, y] = np.maximum(q.value, 0)
    off = max(np.abs(found.sum(1) - p_ay).max(), np.abs(found.sum(0) - p_by).max())
    if off > 1e-6:
        raise RuntimeError(f"pid: the solution misses a margin by {off:.2g}; expected at most 1e-6")
    return found / found.sum()
