"""Mutual information of numbers without training, by nearest neighbours."""

import warnings

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from mmnb.instruments.information.variables import MutualInformation, Variable
from mmnb.instruments.inputs import whole

_SAME = 0.01  # share of rows that may be repeated without a word: rounding repeats a few
_JITTER = 1e-10  # of the standard deviation, as in the references


def ksg(a: Variable, b: Variable, given: Variable | None = None, *, k: int = 3) -> MutualInformation:
    """I(A;B) or I(A;B|Z) of numbers, or I(A;B) of numbers A and labels B, from k-th nearest neighbours.

    Formula: e_i is the distance (largest coordinate) from row i to its k-th neighbour in the joint space; m_a, m_b, m_az, …
    count the rows nearer than e_i in a part of it, row i included.
      I(A;B)   = psi(k) + psi(n) - mean(psi(m_a) + psi(m_b))
      I(A;B|Z) = psi(k) + mean(psi(m_z) - psi(m_az) - psi(m_bz))
      labels   : e_i among rows of the same label, N_b of them: psi(k) + psi(n) - mean(psi(N_b) + psi(m_a))

    The interval covers sampling, but not the bias, which grows with dimension and with information. Seeded noise of
    1e-10 standard deviations parts equal distances, which rounded, 8-bit, ReLU or evenly spaced numbers have and which
    would count as information. Copied rows do so all the same and warn, as does a value near the largest that n rows can
    show.

    Source: Kraskov, Stoegbauer & Grassberger 2004 (algorithm 1); Frenzel & Pompe 2007; Ross 2014 for labels.
    """
    if a.n <= whole(k, "ksg: k"):
        raise ValueError(f"ksg: got n={a.n}, k={k}; expected n > k >= 1")
    parts = [v for v in (a, b, given) if v is not None]
    all_numbers = b.continuous and (given is None or given.continuous)
    if not a.continuous or not (all_numbers or (b.discrete and given is None)):
        wanted = "expected numbers for a, numbers or labels for b, and numbers throughout if something is given"
        raise ValueError(f"ksg: got a mixture of numbers and labels; {wanted}. For labels use 'table' or 'classifier'")
    if b.discrete:
        terms = _labelled(_untied(a.numbers)[0], b.code(), k)
    elif given is None:
        terms = _pair_terms(a.numbers, b.numbers, k)
    else:
        x, y, z = _untied(a.numbers, b.numbers, given.numbers)
        radius = _neighbour_distance(np.concatenate([x, y, z], 1), k)
        inner = [_within(np.concatenate(parts, 1), radius) for parts in ((z,), (x, z), (y, z))]
        terms = digamma(k) + digamma(inner[0]) - digamma(inner[1]) - digamma(inner[2])
    _warn_of_copies(np.concatenate([v.numbers if v.continuous else v.code()[:, None] for v in parts], 1))
    if given is None and terms.mean() > (most := digamma(a.n) - digamma(k)) - 1.5 / k:  # equal variables lose 1 / k
        got = f"{terms.mean():.2f} of at most {most:.2f} nats that {a.n} rows can show"
        warnings.warn(f"ksg: got {got}; expected variables that do not determine each other", stacklevel=3)
    return MutualInformation.of_terms(terms, "ksg")


def _pair_terms(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """(n,) nats whose mean is the estimate of I(X;Y) from columns of numbers."""
    a, b = _untied(x, y)
    radius = _neighbour_distance(np.concatenate([a, b], 1), k)
    return digamma(k) + digamma(len(a)) - digamma(_within(a, radius)) - digamma(_within(b, radius))


def _labelled(a: np.ndarray, code: np.ndarray, k: int) -> np.ndarray:
    count = np.bincount(code)
    if count.min() <= k:
        raise ValueError(f"ksg: a class has {count.min()} rows; expected more than k={k} of each class")
    radius = np.empty(len(a))
    for label in range(len(count)):
        radius[code == label] = _neighbour_distance(a[code == label], k)
    return digamma(k) + digamma(len(a)) - digamma(count[code]) - digamma(_within(a, radius))


def standard(columns: np.ndarray) -> np.ndarray:
    """The columns with mean 0 and deviation 1; a constant one stays at 0."""
    scale = columns.std(0)
    return (columns - columns.mean(0)) / np.where(scale > 0, scale, 1)


def _untied(*variables: np.ndarray) -> list[np.ndarray]:
    """Variables standardised, with a noise that parts equal distances: one draw for all, so that they share none."""
    points = standard(np.concatenate(variables, 1))
    points = points + _JITTER * np.random.default_rng(0).normal(size=points.shape)
    return np.split(points, np.cumsum([v.shape[1] for v in variables])[:-1], axis=1)


def _warn_of_copies(rows: np.ndarray) -> None:
    _, which, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    if (share := (count[which.reshape(-1)] > 1).mean()) > _SAME:
        got = f"{share:.0%} of the rows more than once: copies count as information"
        warnings.warn(f"ksg: got {got}; expected each once, unless rounding alone makes them equal", stacklevel=4)


def _neighbour_distance(points: np.ndarray, k: int) -> np.ndarray:
    """(n,) distance, by the largest coordinate, to the k-th neighbour."""
    return cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1]


def _within(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Rows strictly nearer than the radius, the row itself included."""
    # not the next number below: adding it to a coordinate rounds up to the neighbour itself
    below = radius - 16 * np.spacing(np.abs(points).max())
    if points.shape[1] == 1:  # sorting beats a tree in one dimension
        line, at = np.sort(points[:, 0]), points[:, 0]
        count = np.searchsorted(line, at + below, "right") - np.searchsorted(line, at - below, "left")
    else:
        count = cKDTree(points).query_ball_point(points, below, p=np.inf, return_length=True)
    return np.maximum(count, 1)
