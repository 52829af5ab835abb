"""Exercises 02a to 02d: what a grammar gives away, bits with one vote a phrase, a random control of the same size, and the share lost. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def grammar_bits(options: np.ndarray) -> float:
    """Mean over phrases of the mean of log2 of the number of words possible at each place."""
    return float(np.mean([np.log2(row[row > 0]).mean() for row in options]))


def macro_bits(logp: np.ndarray, where: np.ndarray) -> float:
    """Mean over phrases of the mean bits of their masked pieces."""
    return float(np.mean([-row[hidden].mean() / np.log(2) for row, hidden in zip(logp, where, strict=True)]))


def size_matched(aligned: np.ndarray, present: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Row by row: the free regions sorted by score, as many as are aligned."""
    chosen = np.zeros_like(present)
    for i in range(len(present)):
        free = np.flatnonzero(present[i] & ~aligned[i])
        chosen[i, free[np.argsort(scores[i, free])][: (aligned[i] & present[i]).sum()]] = True
    return chosen


def measured_share(before: np.ndarray, after: np.ndarray, cost: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """One model at a time: what lies between the two losses and below the cost, in units."""
    four = zip(before, after, cost, unit, strict=True)
    return np.array([(min(b1, c) - min(b0, c)) / u for b0, b1, c, u in four])


# tolerance: means of fewer than a hundred numbers below 10
@exercise("02a", "What the grammar gives away", grammar_bits, atol=1e-9).against(
    lambda options: float(np.log2(np.maximum(options, 1)).mean()),  # places behind the end count
    lambda options: float(np.log2(options[options > 0]).mean()),  # every wordpiece one vote
    lambda options: float((np.log(np.maximum(options, 1)).sum(1) / (options > 0).sum(1)).mean()),  # nats
    lambda options: float(np.log2(np.where(options > 0, options, 1).prod(1)).mean()),  # bits of a phrase
)
def _cases_02a(rng):
    yield "a large red circle", (np.array([[1, 2, 4, 4]]),)
    yield "with and without a size", (np.array([[1, 2, 4, 4], [1, 4, 4, 0]]),)
    yield "nothing to guess", (np.array([[1, 1], [1, 0]]),)
    for n, length in ((4, 3), (20, 6)):
        options = rng.integers(1, 30, (n, length))
        yield f"{n} phrases of up to {length}", (np.where(np.arange(length) < rng.integers(1, length + 1, (n, 1)), options, 0),)  # fmt: skip


# tolerance: means of fewer than a hundred numbers below 20
@exercise("02b", "Bits, every phrase with one vote", macro_bits, atol=1e-9).against(
    lambda logp, where: float(-logp[where].mean() / np.log(2)),  # micro: every piece one vote
    lambda logp, where: float((-(logp * where).sum(1) / where.sum(1)).mean()),  # nats
    lambda logp, where: float((-(logp * where).sum(1) / where.shape[1]).mean() / np.log(2)),  # all places counted
    lambda logp, where: float(((logp * where).sum(1) / where.sum(1)).mean() / np.log(2)),  # sign
)
def _cases_02b(rng):
    yield "one piece, one bit", (np.array([[-np.log(2)]]), np.array([[True]]))
    yield "pieces 1 and 4", (np.array([[-3.0, -9, -9, -9], [-1.0, -1, -1, -2]]), np.array([[True, False, False, False], [True] * 4]))  # fmt: skip
    for n, length in ((3, 5), (20, 4), (1, 9)):
        where = rng.random((n, length)) < 0.5
        where[:, 0] = True
        yield f"{n} phrases in captions of {length}", (-rng.exponential(2, (n, length)), where)


@exercise("02c", "The control that was missing", size_matched, atol=0.0).against(  # masks
    lambda aligned, present, scores: present & (np.where(present, scores, np.inf).argsort(1).argsort(1) < (aligned & present).sum(1, keepdims=True)),  # among all
    lambda aligned, present, scores: present & ~aligned & (np.where(present & ~aligned, -scores, np.inf).argsort(1).argsort(1) < (aligned & present).sum(1, keepdims=True)),  # highest score
    lambda aligned, present, scores: np.where(present & ~aligned, scores, np.inf).argsort(1).argsort(1) < (aligned & present).sum(1, keepdims=True),  # beyond the free ones
    lambda aligned, present, scores: present & ~aligned,  # all others
)  # fmt: skip
def _cases_02c(rng):
    yield "one of three", (np.array([[True, False, False]]), np.ones((1, 3), bool), np.array([[0.1, 0.9, 0.5]]))
    yield "nothing aligned", (np.zeros((2, 3), bool), np.ones((2, 3), bool), rng.random((2, 3)))
    yield "too few others", (np.array([[True, True, False, False]]), np.array([[True, True, True, False]]), np.array([[0.3, 0.1, 0.9, 0.2]]))  # fmt: skip
    for n, r in ((5, 4), (30, 9)):
        yield f"{n} pictures of {r} regions", (rng.random((n, r)) < 0.4, rng.random((n, r)) < 0.8, rng.random((n, r)))


# tolerance: differences of two numbers below 10, divided by one above 0.1
@exercise("02d", "The share that is lost", measured_share, atol=1e-9).against(
    lambda before, after, cost, unit: (after - before) / unit,  # nothing is cut off
    lambda before, after, cost, unit: (np.minimum(after, cost) - before) / unit,  # only the loss after
    lambda before, after, cost, unit: np.minimum(after - before, cost) / unit,  # the rise is cut off
    lambda before, after, cost, unit: (np.minimum(after, cost) - np.minimum(before, cost)) / before,  # relative rise
)
def _cases_02d(rng):
    one = np.ones(1)
    yield "a nearly perfect model", (0.01 * one, one, one, one)
    yield "misled: more than the cost", (0.2 * one, 3.0 * one, one, one)
    yield "bad throughout", (1.5 * one, 2.5 * one, one, one)
    yield "better without", (0.8 * one, 0.5 * one, one, one)
    yield "little to lose, another unit", (0.1 * one, 0.4 * one, 0.4 * one, 2.0 * one)
    for n in (5, 40):
        yield f"{n} models", (*rng.exponential(1, (2, n)), rng.uniform(0.2, 2, n), rng.uniform(0.2, 3, n))
