"""Exercises 07a to 07c: mean losses from uneven batches, Gradient-Blending weights, and what they minimise. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def mean_loss(means: np.ndarray, sizes: np.ndarray) -> float:
    """Mean over examples of batches' means."""
    return float((means * sizes).sum() / sizes.sum())


def _parts(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    overfitting = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    return before[:, 1] - after[:, 1], np.maximum(np.abs(overfitting), 1e-3)


def blend(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Weights G / dO^2, sum 1, 0 for G <= 0."""
    gain, overfitting = _parts(before, after)
    raw = np.maximum(gain, 0) / overfitting**2
    return raw / raw.sum()


def _absolute(before, after):
    gain, overfitting = _parts(before, after)
    raw = np.abs(gain) / overfitting**2
    return raw / raw.sum()


def _not_squared(before, after):
    gain, overfitting = _parts(before, after)
    raw = np.maximum(gain, 0) / overfitting
    return raw / raw.sum()


def _final_only(before, after):
    return blend(np.full_like(before, [0.0, 10.0]), after)  # values at the end instead of changes


def expected_ratio(w: np.ndarray, g: np.ndarray, s: np.ndarray) -> float:
    """sum w^2 s^2 / (sum w g)^2."""
    return float((w**2 * s**2).sum() / (w * g).sum() ** 2)


# tolerance: a handful of sums in float64
@exercise("07a", "Losses that do not depend on the batches", mean_loss, rtol=1e-12).against(
    lambda means, sizes: means.mean(),  # every batch alike
    lambda means, sizes: (means * sizes).sum() / len(sizes),  # by the number of batches
    lambda means, sizes: (means * sizes).sum(),  # a sum
)
def _cases_07a(rng):
    yield "one batch", (np.array([1.5]), np.array([7]))
    yield "equal batches", (np.array([1.0, 2.0]), np.array([50, 50]))
    yield "a last batch of one", (np.array([1.0, 5.0]), np.array([50, 1]))
    for k in (3, 10):
        yield f"{k} batches", (rng.uniform(0.1, 3, k), rng.integers(1, 60, k))


# tolerance: quotients of differences of numbers near 1 in float64
@exercise("07b", "The weights", blend, rtol=1e-9).against(_absolute, _not_squared, _final_only)
def _cases_07b(rng):
    start = np.array([[2.0, 2.1]] * 3)
    yield "the notebook's curves", (start, np.array([[1.0, 1.5], [0.2, 1.8], [0.5, 1.4]]))
    yield "one got worse", (start, np.array([[1.0, 1.5], [0.2, 2.3], [0.5, 1.4]]))
    yield "one did not overfit", (start, np.array([[1.0, 1.1], [0.2, 1.8], [0.5, 1.4]]))
    for k in (2, 4):
        before = np.sort(rng.uniform(1.5, 2.5, (k, 2)), axis=1)
        yield f"{k} models", (before, before * rng.uniform(0.2, 0.9, (k, 2)))


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
