"""Exercises 06a to 06c: average two predictions, OGM-GE's coefficients, and the greedy learner of the set-cover toy. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise
from mmnb.instruments.laziness import greedy_cover


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def ensemble(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean of two softmax predictions."""
    return (_softmax(first) + _softmax(second)) / 2


def _truth(probabilities: np.ndarray, label: np.ndarray) -> float:
    return probabilities[np.arange(len(label)), label].sum()


def slow_down(first: np.ndarray, second: np.ndarray, label: np.ndarray, alpha: float) -> np.ndarray:
    """(k_u, k_v) of one batch."""
    ratio = _truth(first, label) / _truth(second, label)
    return np.array([1 - np.tanh(alpha * rho) if rho > 1 else 1.0 for rho in (ratio, 1 / ratio)])


@exercise("06a", "Average two opinions", ensemble, atol=1e-12).against(  # sums of a few numbers below 1 in float64
    lambda a, b: _softmax((a + b) / 2),  # averaged too early: a product of opinions
    lambda a, b: (_softmax(a.T).T + _softmax(b.T).T) / 2,  # over examples instead of classes
    lambda a, b: _softmax(a) + _softmax(b),  # a sum
)
def _cases_06a(rng):
    yield "two that agree", (np.array([[3.0, 0.0]]), np.array([[3.0, 0.0]]))
    yield "two that contradict each other", (np.array([[5.0, 0.0]]), np.array([[0.0, 2.0]]))
    yield "logits of a thousand", (np.array([[1000.0, 0.0], [0.0, -1000.0]]), np.array([[0.0, 1.0], [2.0, 0.0]]))
    for n, classes in ((1, 3), (4, 4), (9, 2), (30, 10)):
        yield f"{n} examples, {classes} classes", (3 * rng.normal(size=(n, classes)), 3 * rng.normal(size=(n, classes)))


@exercise("06b", "Who is slowed down?", slow_down, atol=1e-12).against(
    lambda u, v, y, alpha: slow_down(u, v, y, alpha)[::-1].copy(),  # the one behind is slowed down
    lambda u, v, y, alpha: np.array(
        [1 - np.tanh(alpha * r) for r in (_truth(u, y) / _truth(v, y), _truth(v, y) / _truth(u, y))]
    ),  # both
    lambda u, v, y, alpha: slow_down(u.max(1)[:, None], v.max(1)[:, None], 0 * y, alpha),  # the most probable class
)
def _cases_06b(rng):
    even = np.array([[0.5, 0.5], [0.5, 0.5]])
    yield "balance", (even, even, np.array([0, 1]), 0.8)
    yield "alpha 0", (np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]]), np.array([0]), 0.0)
    yield "sure of the wrong class", (np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]]), np.array([1]), 0.3)
    for n, classes in ((1, 2), (5, 3), (40, 10)):
        for alpha in (0.1, 0.8):
            u, v = (_softmax(2 * rng.normal(size=(n, classes))) for _ in range(2))
            yield f"{n} examples, alpha {alpha}", (u, v, rng.integers(classes, size=n), alpha)


@exercise("06c", "Learn until the training set is covered", greedy_cover, atol=0.5).against(  # whole numbers
    lambda e: np.argsort(-e.sum(1), kind="stable")[: len(greedy_cover(e))],  # counted once, not on what is open
    lambda e: greedy_cover(e)[:-1] if len(greedy_cover(e)) > 1 else greedy_cover(e),  # stops one too early
    lambda e: np.sort(greedy_cover(e)),  # not in the order learnt
)
def _cases_06c(rng):
    yield "one feature explains all", (np.array([[True, False], [True, True]]),)
    strong = np.array([[1, 0, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0]], dtype=bool)
    yield "a strong feature and what it leaves open", (strong,)
    for features, examples in ((3, 4), (8, 15), (20, 60), (40, 200)):
        explains = rng.random((features, examples)) < 0.3
        explains[rng.integers(features, size=examples), np.arange(examples)] = True
        yield f"{features} features, {examples} examples", (explains,)
