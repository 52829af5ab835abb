"""Intervals over examples where some belong together: resampling by clusters, and the sandwich of summed influences.

Several questions about one picture are not independent examples. Where `group` says which belong together, whole groups are drawn or summed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import labels, numbers, real, whole

_CHUNK = 4 * 10**6  # draws held at once


def clusters(group: Any, n: int) -> np.ndarray:
    """Codes (n,) of the groups; every example its own where `group` is None."""
    return np.arange(n) if group is None else labels(group, "group", n)[0]


def bootstrap_means(values: Any, group: Any = None, *, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Means of all columns in bootstrap draws of the examples, the same draws for every column: differences are paired.

    Args:
        values: (n, k), such as hits of k predictors.
        group: (n,) labels of examples that are drawn together, or None.
        resamples: How many draws.
        seed: Of the draws.

    Returns:
        (resamples, k).

    Raises:
        TypeError, ValueError: For values that are no finite numbers, a group of another length.

    Example:
        >>> bootstrap_means([[1.0, 3.0], [1.0, 3.0]], resamples=2).tolist()
        [[1.0, 3.0], [1.0, 3.0]]

    Source:
        Cluster bootstrap: Cameron, Gelbach & Miller 2008; a ratio of sums, as clusters differ in size.
    """
    values = numbers(values, "bootstrap_means: values", "(n, k)").numpy()
    resamples = whole(resamples, "bootstrap_means: resamples")
    codes = clusters(group, len(values))
    count = int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=count)
    sums = np.stack([np.bincount(codes, column, minlength=count) for column in values.T], 1)
    rng, found = np.random.default_rng(seed), []
    for start in range(0, resamples, step := max(1, _CHUNK // count)):
        rows = min(step, resamples - start)
        drawn = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        found.append((weights @ sums) / (weights @ sizes)[:, None])
    return np.concatenate(found)


def bootstrap(
    statistic: Callable[[np.ndarray], Any], n: int, group: Any = None, *, resamples: int = 500, seed: int = 0
) -> np.ndarray:
    """`statistic(index)` of bootstrap draws of n examples: for metrics that are no means.

    Args:
        statistic: From the indices of the examples drawn to k numbers; NaN where it is not defined.
        n: How many examples there are.
        group, resamples, seed: As in `bootstrap_means`.

    Returns:
        (resamples, k).

    Example:
        >>> bootstrap(lambda index: [len(index)], 3, resamples=2).tolist()
        [[3.0], [3.0]]
    """
    n, resamples = whole(n, "bootstrap: n"), whole(resamples, "bootstrap: resamples")
    codes = clusters(group, n)
    members = np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1])
    rng, count = np.random.default_rng(seed), len(members)
    drawn = (np.concatenate([members[k] for k in rng.integers(count, size=count)]) for _ in range(resamples))
    return np.array([statistic(index) for index in drawn], dtype=np.float64)


def estimate_of(value: float, draws: Any, n: int, level: float = 0.95) -> Estimate:
    """A number with the percentile interval of its bootstrap draws (r,); draws that are NaN are left out.

    Example:
        >>> f"{estimate_of(20.0, np.arange(41), n=10):.3f}"
        '20.000 [1.000, 39.000]'
    """
    draws = np.asarray(draws, dtype=np.float64)
    draws = draws[np.isfinite(draws)]
    tail = 100 * (1 - real(level, "estimate_of: level", 0, 1)) / 2
    low, high = map(float, np.percentile(draws, [tail, 100 - tail])) if len(draws) else (None, None)
    return Estimate(float(value), low, high, n=n, level=level)


def influence_estimate(value: float, influence: Any, group: Any = None, level: float = 0.95) -> Estimate:
    """A number with the interval that the influences of its examples give.

    Formula: value ± t(G - 1) · √(G / (G - 1) · Σ_g (Σ_{i in g} ψ_i / n)²), G groups. For a mean, ψ_i = x_i - mean: then it is Student's.

    Args:
        value: The estimate.
        influence: (n,): how much the estimate moves, times n, with example i; they sum to 0.
        group: As in `bootstrap_means`.
        level: Coverage.

    Example:
        >>> f"{influence_estimate(2.0, [-1.0, 0.0, 1.0]):.3f}"
        '2.000 [-0.484, 4.484]'

    Source:
        Sandwich variance of an M-estimator, clustered: Liang & Zeger 1986.
    """
    influence = numbers(influence, "influence_estimate: influence", "(n,)").numpy()
    n = len(influence)
    sums = np.bincount(clusters(group, n), influence)
    if len(sums) < 2:
        return Estimate(float(value), n=n, level=level)
    error = float(np.sqrt(len(sums) / (len(sums) - 1) * np.square(sums).sum())) / n
    half = float(stats.t.ppf((1 + level) / 2, len(sums) - 1)) * error
    return Estimate(float(value), float(value) - half, float(value) + half, n=n, level=level)
