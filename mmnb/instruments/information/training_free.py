"""Mutual information of numbers without training: nearest neighbours, neighbours of a linear residual, Gaussian copula."""

import warnings

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from scipy.stats import norm, rankdata

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.information.variables import MutualInformation, Variable
from mmnb.instruments.inputs import whole

_SAME = 0.01  # share of rows that may be repeated without a word: rounding repeats a few
_JITTER = 1e-10  # of the standard deviation, as in the references
_NOISE = 0.1  # nats that independent columns may give without a word
_EMPTY = 1e-13  # a direction with this share of the variance it is compared with counts as empty


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


def residual(a: Variable, b: Variable, given: Variable | None = None, *, k: int = 3) -> MutualInformation:
    """I(A;B) or I(A;B|Z) of numbers: the linear part of the dependence in closed form, the rest by neighbours.

    Formula: with the least-squares residual R = B - W A - c, h(B|A) = h(R|A) = h(R) - I(A;R), so
    I(A;B) = h(B) - h(R) + I(A;R), whatever W is. The entropies are those of k-th neighbours,
    h = psi(n) - psi(k) + d log 2 + d mean log e_i with e_i the distance (largest coordinate) to the k-th neighbour, B and R
    each whitened first, which adds its log determinant; I(A;R) is `ksg`. Given Z: I(A,Z;B) - I(Z;B).

    The interval covers sampling, not bias. The biases of h(B) and h(R) are alike where B and R have similar shapes, so the
    bias of `ksg` for large information and many dimensions largely cancels, as far as the dependence is linear.

    Example:
        >>> from mmnb.instruments.information.variables import variable
        >>> a, noise = np.random.default_rng(0).normal(size=(2, 2000, 1))
        >>> found = residual(variable(a, "a"), variable(a + 0.001 * noise, "b"))
        >>> round(found.value, 1)  # the truth is log(1 + 10^6) / 2 = 6.9
        6.9

    Source: Chain rule; entropies by Kozachenko & Leonenko 1987; differences of entropies: McAllester & Stratos 2020.
    """
    widths = _widths(a, b, given, "residual")
    if a.n <= sum(widths) + 1 or a.n <= whole(k, "residual: k"):
        raise ValueError(f"residual: got {a.n} rows, k={k}; expected n > k >= 1, and more rows than columns")
    if given is None:
        terms = _residual_terms(a.numbers, b.numbers, k)
    else:
        terms = _residual_terms(np.concatenate([a.numbers, given.numbers], 1), b.numbers, k)
        terms -= _residual_terms(given.numbers, b.numbers, k)
    _warn_of_noise(widths, a.n, "residual")
    return MutualInformation.of_terms(terms, "residual")


def copula(a: Variable, b: Variable, given: Variable | None = None) -> MutualInformation:
    """I(A;B) or I(A;B|Z) of numbers under the assumption of a Gaussian copula; otherwise too low.

    Formula: every column is replaced by the normal quantiles of its ranks; with C the correlation matrix of a set of columns,
    I = 1/2 (log|C_az| + log|C_bz| - log|C_abz| - log|C_z|).
    Warns where independent columns would give more than .1 nats, about (columns of A)(columns of B) / 2n.
    Source: Ince et al. 2017 (GCMI), without their bias correction.
    """
    widths = _widths(a, b, given, "copula")
    if a.n <= sum(widths) + 1:
        raise ValueError(f"copula: got {a.n} rows of {sum(widths)} columns; expected more rows than columns")
    ranks = rankdata(np.concatenate([v.numbers for v in (a, b, given) if v is not None], 1), axis=0)
    with np.errstate(invalid="ignore"):  # of a constant column, refused below
        correlations = np.corrcoef(norm.ppf(ranks / (a.n + 1)), rowvar=False).reshape(sum(widths), -1)
    of = np.repeat(np.arange(len(widths)), widths)

    def log_det(*keep: int) -> float:
        sign, value = np.linalg.slogdet(correlations[np.ix_(np.isin(of, keep), np.isin(of, keep))])
        if not (sign > 0 and value >= -500):  # a constant column makes both NaN
            raise ValueError("copula: some columns are constant or determine others; expected finite information")
        return float(value)

    z = () if given is None else (2,)
    _warn_of_noise(widths, a.n, "copula")
    nats = 0.5 * (log_det(0, *z) + log_det(1, *z) - log_det(0, 1, *z) - (log_det(*z) if z else 0.0))
    return MutualInformation(Estimate(nats, n=a.n), "copula", a.n, np.array([nats]))


def _widths(a: Variable, b: Variable, given: Variable | None, caller: str) -> list[int]:
    parts = [v for v in (a, b, given) if v is not None]
    if not all(v.continuous for v in parts):
        raise ValueError(f"{caller}: got labels; expected numbers. For labels use 'table', 'classifier' or 'ksg'")
    return [v.numbers.shape[1] for v in parts]


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


def _residual_terms(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    x, y = standard(x), _white(standard(y))[0]  # h(Y) and h(R) change alike, so Y may start white: the variance
    # left of it is then a share of 1, and an exact copy leaves a share of 0, whatever the units
    rest, log_rest = _white(y - x @ np.linalg.lstsq(x, y, rcond=None)[0], largest=1.0)
    return y.shape[1] * (_log_distance(y, k) - _log_distance(rest, k)) - log_rest + _pair_terms(x, rest, k)


def _white(columns: np.ndarray, largest: float | None = None) -> tuple[np.ndarray, float]:
    """The columns whitened, and the log volume that this removes. Refuses variances far below `largest`, by default the largest."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(columns, rowvar=False)))
    if values.min() <= _EMPTY * (values.max() if largest is None else largest):
        raise ValueError("residual: some columns determine others; expected finite information")
    return columns @ vectors / np.sqrt(values), float(0.5 * np.log(values).sum())


def _log_distance(points: np.ndarray, k: int) -> np.ndarray:
    distance = _neighbour_distance(points, k)
    if (share := (distance == 0).mean()) > _SAME:
        raise ValueError(
            f"residual: {share:.0%} of the rows have {k} copies in b; expected continuous numbers, or 'ksg'"
        )
    return np.log(np.maximum(distance, distance[distance > 0].min()))  # rounding repeats a few rows


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


def _warn_of_noise(widths: list[int], n: int, caller: str) -> None:
    """By the mean log determinant of the correlations of independent normal columns."""
    a, b, z = (*widths, 0)[:3]
    a_z, b_z, all_, of_z = (digamma((n - 1 - np.arange(d)) / 2).sum() for d in (a + z, b + z, a + b + z, z))
    if (noise := 0.5 * (a_z + b_z - all_ - of_z)) > _NOISE:
        got = f"{sum(widths)} columns in {n} rows, where independent ones give {noise:.2f} nats"
        warnings.warn(f"{caller}: got {got}; expected fewer columns, or more rows", stacklevel=4)


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
