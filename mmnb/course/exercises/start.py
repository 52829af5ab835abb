"""Exercises 00a to 00c: bits lost without one input, one card face down, and the accuracy lost by EMAP. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def _entropy_given(p: np.ndarray) -> float:
    """H(last axis | all others) in bits, of a table without zeros."""
    return float(-(p * np.log2(p / p.sum(-1, keepdims=True))).sum())


def bits_without_b(p: np.ndarray) -> float:
    """H(y | a) - H(y | a, b) of a table p[a, b, y], in bits."""
    return _entropy_given(p.sum(1)) - _entropy_given(p)


def named_face_down(cards: np.ndarray, named: np.ndarray) -> np.ndarray:
    """A copy of cards (n, 4, d) with the named card of each picture set to 0."""
    return np.where((np.arange(cards.shape[1]) == named[:, None])[..., None], 0, cards)


def accuracy_lost(scores: np.ndarray, y: np.ndarray) -> float:
    """Accuracy of scores (N, N) on the diagonal minus that of their additive part; a score above 0 says 1."""
    sums = scores.mean(0) + scores.mean(1, keepdims=True) - scores.mean()
    before, after = (((table.diagonal() > 0) == y).mean() for table in (scores, sums))
    return float(before - after)


# tolerance: sums of fewer than 100 terms near 1 in float64
@exercise("00a", "Two more data sets", bits_without_b, atol=1e-10).against(
    lambda p: _entropy_given(p.sum(0)) - _entropy_given(p),  # a instead of b
    lambda p: bits_without_b(p) * np.log(2),  # nats
    lambda p: _entropy_given(p.sum((0, 1))) - _entropy_given(p),  # both inputs taken away
)
def _cases_00a(rng):
    yield "XOR, 1 in 20 flipped", (np.array([[[0.95, 0.05], [0.05, 0.95]], [[0.05, 0.95], [0.95, 0.05]]]) / 4,)
    yield "a alone decides", (np.array([[[0.9, 0.1]] * 3, [[0.2, 0.8]] * 3]) / 6,)
    for shape in ((2, 2, 2), (3, 5, 2), (4, 2, 3)):
        p = rng.uniform(0.1, 1, shape)
        yield f"shape {shape}", (p / p.sum(),)


@exercise("00b", "Only the named card", named_face_down, atol=1e-12).against(  # copies: no arithmetic
    lambda cards, named: cards * 0,  # all cards
    lambda cards, named: np.where((np.arange(4) == named[:, None])[..., None], cards, 0),  # all but the named one
    lambda cards, named: np.where((np.arange(4) == named[0])[None, :, None], 0, cards),  # one place for all pictures
)
def _cases_00b(rng):
    yield "one picture", (rng.normal(size=(1, 4, 3)), np.array([2]))
    for n, d in ((2, 1), (3, 4), (7, 13), (30, 5)):
        yield f"{n} pictures", (rng.normal(size=(n, 4, d)), np.r_[0, 3, rng.integers(4, size=n)][:n])


# tolerance: a difference of two counts over at most 50 pairs
@exercise("00c", "What is at stake", accuracy_lost, atol=1e-10).against(
    lambda F, y: -accuracy_lost(F, y),  # the sign
    lambda F, y: accuracy_lost(F - F.mean(), y),  # centred first
    lambda F, y: float(((F > 0) == y[:, None]).mean() - ((F.mean(1) > 0) == y).mean()),  # all cells; rows alone
)
def _cases_00c(rng):
    yield "a product of signs", (np.outer([1.0, -1, 1, -1], [1.0, 1, -1, -1]), np.array([1, 0, 0, 1]))
    yield "additive", (np.add.outer([0.2, -3.0, 1.0], [0.5, 0.1, -2.0]), np.array([1, 0, 0]))
    for n in (2, 5, 20, 50):
        yield f"{n} pairs", (rng.normal(0.8, 1, size=(n, n)), rng.integers(2, size=n))
