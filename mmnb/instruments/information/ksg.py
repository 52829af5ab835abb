"""Mutual information from distances to nearest neighbours: no training, few parameters, numbers of few dimensions."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from mmnb.instruments.information.variables import Estimate, Variable

_SAME = 0.01  # share of rows whose neighbour may be at distance 0: rounding repeats a few


def ksg(x: Variable, y: Variable, z: Variable | None = None, *, k: int = 3) -> Estimate:
    """I(X;Y), I(X;Y|Z), all continuous, or I(X;Y) of numbers X and labels Y, from k-th nearest neighbours.

    Formula: e_i is the distance (largest coordinate) from row i to its k-th neighbour in the joint space; m_x, m_y, m_xz, … count the rows
    nearer than e_i in a part of it, row i included.
      I(X;Y)   = psi(k) + psi(n) - mean(psi(m_x) + psi(m_y))
      I(X;Y|Z) = psi(k) + mean(psi(m_z) - psi(m_xz) - psi(m_yz))
      labels   : e_i among rows of the same label, N_y of them: psi(k) + psi(n) - mean(psi(N_y) + psi(m_x))

    Args:    x, y, z, variables of (n, d) numbers, each column standardised here; y may be labels when there is no z; k, neighbours, >= 1.
    Returns: `Estimate`; the interval is value +- 1.96 standard errors of the terms, so it covers sampling but not the bias that grows with
             dimension and with information.
    Raises:  ValueError on mixtures it cannot treat, n <= k, a class of at most k rows, or many repeated rows (which mean labels).
    Source:  Kraskov, Stoegbauer & Grassberger 2004 (algorithm 1); Frenzel & Pompe 2007; Ross 2014 for labels.
    """
    if x.n <= k or k < 1:
        raise ValueError(f"ksg: got n={x.n}, k={k}; expected n > k >= 1")
    if not x.continuous or not (y.continuous or y.discrete) or (z is not None and not (y.continuous and z.continuous)):
        raise ValueError(
            "ksg: got a mixture of numbers and labels; expected numbers for x and numbers or labels for y, with z numbers throughout; "
            "for labels use method 'table' or 'classifier'"
        )
    a = standard(x.numbers)
    if y.discrete:
        terms = _labelled(a, y.code(), k)
    elif z is None:
        terms = pair_terms(x.numbers, y.numbers, k)
    else:
        b, c = standard(y.numbers), standard(z.numbers)
        radius = neighbour_distance(np.concatenate([a, b, c], 1), k)
        inner = [_within(np.concatenate(parts, 1), radius) for parts in ((c,), (a, c), (b, c))]
        terms = digamma(k) + digamma(inner[0]) - digamma(inner[1]) - digamma(inner[2])
    value, half = float(terms.mean()), float(1.96 * terms.std(ddof=1) / len(terms) ** 0.5)
    return Estimate(value, (value - half, value + half), np.array([value]), "ksg", x.n)


def pair_terms(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """(n,) nats whose mean is the estimate of I(X;Y) from columns of numbers. Raises: ValueError on many repeated rows."""
    a, b = standard(x), standard(y)
    radius = neighbour_distance(np.concatenate([a, b], 1), k)
    return digamma(k) + digamma(len(a)) - digamma(_within(a, radius)) - digamma(_within(b, radius))


def _labelled(a: np.ndarray, code: np.ndarray, k: int) -> np.ndarray:
    count = np.bincount(code)
    if count.min() <= k:
        raise ValueError(f"ksg: a class has {count.min()} rows; expected more than k={k} of each class")
    radius = np.empty(len(a))
    for label in range(len(count)):
        radius[code == label] = neighbour_distance(a[code == label], k)
    return digamma(k) + digamma(len(a)) - digamma(count[code]) - digamma(_within(a, radius))


def standard(columns: np.ndarray) -> np.ndarray:
    """The columns with mean 0 and deviation 1; a constant one stays at 0."""
    scale = columns.std(0)
    return (columns - columns.mean(0)) / np.where(scale > 0, scale, 1)


def neighbour_distance(points: np.ndarray, k: int) -> np.ndarray:
    """(n,) distance, by the largest coordinate, to the k-th neighbour. Raises: ValueError where many rows are repeated."""
    radius = cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1]
    if (radius == 0).mean() > _SAME:
        raise ValueError(
            f"ksg: {(radius == 0).mean():.0%} of the rows have {k} copies; expected continuous numbers (whole numbers count as labels)"
        )
    return radius


def _within(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Rows strictly nearer than the radius, the row itself included."""
    below = radius * (
        1 - 1e-10
    )  # not the next number below: adding it to a coordinate rounds up to the neighbour itself
    if points.shape[1] == 1:  # sorting beats a tree in one dimension
        line = np.sort(points[:, 0])
        return np.maximum(
            np.searchsorted(line, points[:, 0] + below, "right") - np.searchsorted(line, points[:, 0] - below, "left"),
            1,
        )
    return np.maximum(cKDTree(points).query_ball_point(points, below, p=np.inf, return_length=True), 1)
