"""Exercises 07a to 07c: a paired test, the mistake behind given weights, and what the weights minimise. Arrays are NumPy's."""

import numpy as np
from scipy import stats

from mmnb.course.exercises import exercise


def decide(differences: np.ndarray) -> int:
    """1 where the 95 % t interval of paired differences lies above 0, -1 below, else 0."""
    return _decide(differences, stats.t.ppf(0.975, len(differences) - 1))


def _decide(differences: np.ndarray, quantile: float, ddof: int = 1) -> int:
    half = quantile * differences.std(ddof=ddof) / np.sqrt(len(differences))
    return int(differences.mean() > half) - int(differences.mean() < -half)


def _weights(before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
    """Right weights, then those of the three mistakes."""
    gain = before[:, 1] - after[:, 1]
    growth = np.maximum(np.abs((after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])), 1e-3)
    gap = np.maximum(np.abs(after[:, 1] - after[:, 0]), 1e-3)
    raw = [
        np.maximum(gain, 0) / growth**2,
        np.abs(gain) / growth**2,
        after[:, 1] / gap**2,
        np.maximum(gain, 0) / growth,
    ]
    return [each / each.sum() for each in raw]


def mistake(before: np.ndarray, after: np.ndarray, reported: np.ndarray) -> int:
    """0 where the reported weights are right, else the smallest number of a mistake that gives them."""
    return next(k for k, w in enumerate(_weights(before, after)) if np.abs(w - reported).max() < 1e-6)


def expected_ratio(w: np.ndarray, g: np.ndarray, s: np.ndarray) -> float:
    """sum w^2 s^2 / (sum w g)^2."""
    return float((w**2 * s**2).sum() / (w * g).sum() ** 2)


@exercise("07a", "The test that decides", decide, atol=0.5).against(  # whole numbers
    lambda d: int(np.sign(d.mean())),  # the mean alone
    lambda d: _decide(d, 1.96),  # the normal quantile: too narrow for few seeds
    lambda d: _decide(d, stats.t.ppf(0.975, len(d) - 1) * np.sqrt(len(d))),  # sd instead of the standard error
    lambda d: _decide(d, stats.t.ppf(0.95, len(d) - 1)),  # a 90 % interval
)
def _cases_07a(rng):
    yield "three seeds, mean 1 standard error times 3", (np.array([1.0, 2.0, 4.0]),)
    yield "all above 0 but wide", (np.array([0.1, 0.2, 3.0]),)
    yield "ten seeds, below 0", (np.array([-1.0, -2.0, -0.5, -1.5, -1.0, -0.2, -2.2, -1.1, -0.9, -1.3]),)
    yield "between the quantiles", (np.array([1.0, -1.0, 1.0, 1.0, 1.0, -0.2]) + 0.16,)
    for n in (2, 5, 30):
        yield f"{n} seeds", (rng.normal(0.3, 1, n),)


@exercise("07b", "What is wrong with these weights?", mistake, atol=0.5).against(  # whole numbers
    lambda before, after, reported: int(np.abs(_weights(before, after)[0] - reported).max() > 1e-6),  # right or not
    lambda before, after, reported: (
        3
        - next(  # from the other end
            k for k, w in enumerate(_weights(before, after)[::-1]) if np.abs(w - reported).max() < 1e-6
        )
    ),
    lambda before, after, reported: 0,
)
def _cases_07b(rng):
    start = np.array([[2.0, 2.1]] * 3)
    after = np.array([[1.0, 1.5], [0.2, 2.3], [0.5, 1.4]])
    for k, reported in enumerate(_weights(start, after)):
        yield f"one got worse, report {k + 1}", (start, after, reported)
    fine = np.array([[1.0, 1.5], [0.2, 1.8], [0.5, 1.4]])
    yield "nobody got worse: |G| makes no difference", (start, fine, _weights(start, fine)[1])
    for number in (2, 4):
        before = np.sort(rng.uniform(1.5, 2.5, (number, 2)), axis=1)
        end = before * rng.uniform(0.2, 0.9, (number, 2))
        yield f"{number} models", (before, end, _weights(before, end)[int(rng.choice([0, 2, 3]))])


# tolerance: a handful of sums in float64
@exercise("07c", "Why the square?", expected_ratio, rtol=1e-10).against(
    lambda w, g, s: (w * s).sum() ** 2 / (w * g).sum() ** 2,  # as if all overfitting were one
    lambda w, g, s: (w * s**2).sum() / (w * g).sum() ** 2,  # weights not squared
    lambda w, g, s: (w**2 * s**2 / (w * g) ** 2).sum(),  # a sum of ratios
)
def _cases_07c(rng):
    g, s = np.array([0.6, 0.3, 0.7]), np.array([0.4, 1.5, 0.8])
    yield "equal weights", (np.ones(3) / 3, g, s)
    yield "the best weights", ((g / s**2) / (g / s**2).sum(), g, s)
    yield "all on one", (np.array([0.0, 1.0]), np.array([0.5, 0.4]), np.array([1.0, 2.0]))
    for k in (2, 5):
        yield f"{k} models", (rng.dirichlet(np.ones(k)), rng.uniform(0.1, 1, k), rng.uniform(0.1, 2, k))
