"""Exercises 02a to 02c: which regions show a phrase, bits with one vote a phrase, and a random control of the same size. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def iot(regions: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Share of the gold box that each region covers, one region at a time."""
    shares = []
    for left, top, right, bottom in regions:
        width = max(0.0, min(right, gold[2]) - max(left, gold[0]))
        height = max(0.0, min(bottom, gold[3]) - max(top, gold[1]))
        shares.append(width * height / ((gold[2] - gold[0]) * (gold[3] - gold[1])))
    return np.array(shares)


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


def _iou(regions, gold):
    inside = iot(regions, gold) * (gold[2:] - gold[:2]).prod()
    return inside / ((regions[:, 2:] - regions[:, :2]).prod(1) + (gold[2:] - gold[:2]).prod() - inside)


def _unclipped(regions, gold):
    sides = np.minimum(regions[:, 2:], gold[2:]) - np.maximum(regions[:, :2], gold[:2])
    return np.clip(sides.prod(1), 0, None) / (gold[2:] - gold[:2]).prod()


def _of_region(regions, gold):
    return iot(regions, gold) * (gold[2:] - gold[:2]).prod() / (regions[:, 2:] - regions[:, :2]).prod(1)


def _boxes(rng, n):
    corners = rng.uniform(-1, 1, (n, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1) + 0.1], axis=1)


# tolerance: shares of boxes no smaller than .01, rounding below 1e-13
@exercise("02a", "Which regions show it?", iot, atol=1e-9).against(_iou, _unclipped, _of_region)
def _cases_02a(rng):
    gold = np.array([0.0, 0.0, 2.0, 1.0])
    yield "the box itself", (gold[None], gold)
    yield "half of it", (np.array([[0.0, 0.0, 1.0, 1.0]]), gold)
    yield "far larger", (np.array([[-9.0, -9.0, 9.0, 9.0]]), gold)
    yield "away in both directions", (np.array([[5.0, 5.0, 6.0, 6.0], [-2.0, -2.0, -1.0, -1.0]]), gold)
    yield "touching", (np.array([[2.0, 0.0, 3.0, 1.0]]), gold)
    for n in (1, 7, 40):
        yield f"{n} boxes", (_boxes(rng, n), _boxes(rng, 1)[0])


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
