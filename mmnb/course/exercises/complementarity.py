"""Exercises 05a to 05f: the metric from a table and from losses, the best ratio, MINE's bound, both denominators, an exact p.

The first three belong to notebook 05, the others to 05b. Arrays are NumPy's.
"""

import itertools

import numpy as np
from scipy.stats import rankdata

from mmnb.course.exercises import exercise


def _h(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def complementarity(p: np.ndarray) -> float:
    """(I(a;y|b) + I(b;y|a)) / I(a,b;y) of a joint table p[a, b, y]."""
    both = _h(p) - _h(p.sum(2))
    given_a, given_b = _h(p.sum(1)) - _h(p.sum((1, 2))), _h(p.sum(0)) - _h(p.sum((0, 2)))
    return (given_a + given_b - 2 * both) / (_h(p.sum((0, 1))) - both)


def _unconditional(p: np.ndarray) -> float:
    h_y, both = _h(p.sum((0, 1))), _h(p) - _h(p.sum(2))
    alone = h_y - (_h(p.sum(1)) - _h(p.sum((1, 2)))) + h_y - (_h(p.sum(0)) - _h(p.sum((0, 2))))
    return alone / (h_y - both)


def estimate(y: np.ndarray, loss_a: np.ndarray, loss_b: np.ndarray, loss_ab: np.ndarray) -> float | None:
    """The metric from held-out losses, None where the information is at most .02 nats."""
    both = loss_ab.mean()
    total = _h(np.unique(y, return_counts=True)[1] / len(y)) - both
    return float((loss_a.mean() + loss_b.mean() - 2 * both) / total) if total > 0.02 else None


def _never_refuses(y, loss_a, loss_b, loss_ab):
    total = _h(np.unique(y, return_counts=True)[1] / len(y)) - loss_ab.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return float((loss_a.mean() + loss_b.mean() - 2 * loss_ab.mean()) / total)


def _refuses_at_zero(y, loss_a, loss_b, loss_ab):
    metric = _never_refuses(y, loss_a, loss_b, loss_ab)
    return metric if _h(np.unique(y, return_counts=True)[1] / len(y)) > loss_ab.mean() else None


def _equal_shares(y, loss_a, loss_b, loss_ab):
    total = np.log(len(np.unique(y))) - loss_ab.mean()
    return float((loss_a.mean() + loss_b.mean() - 2 * loss_ab.mean()) / total) if total > 0.02 else None


def _over_labels(y, loss_a, loss_b, loss_ab):
    total = _h(np.unique(y, return_counts=True)[1] / len(y))
    metric = float((loss_a.mean() + loss_b.mean() - 2 * loss_ab.mean()) / total)
    return metric if total - loss_ab.mean() > 0.02 else None


def mine(true: np.ndarray, shuffled: np.ndarray, log_average: float, rate: float) -> tuple[float, float]:
    """The Donsker-Varadhan bound of a batch, and the log of the moving average of mean exp T after it."""
    log_mean = float(np.logaddexp.reduce(shuffled) - np.log(len(shuffled)))
    return float(true.mean()) - log_mean, float(np.logaddexp(np.log(1 - rate) + log_average, np.log(rate) + log_mean))


def _overflows(true, shuffled, log_average, rate):
    with np.errstate(over="ignore"):
        mean = np.exp(shuffled).mean()
        return float(true.mean() - np.log(mean)), float(np.log((1 - rate) * np.exp(log_average) + rate * mean))


def _sum_for_mean(true, shuffled, log_average, rate):
    total = float(np.logaddexp.reduce(shuffled))
    return float(true.mean()) - total, float(np.logaddexp(np.log(1 - rate) + log_average, np.log(rate) + total))


def _averages_logs(true, shuffled, log_average, rate):
    bound = mine(true, shuffled, log_average, rate)[0]
    return bound, float((1 - rate) * log_average + rate * (true.mean() - bound))


def best_ratio(p: np.ndarray) -> float:
    """Mean of the best accuracies with one modality, divided by the best one with both."""
    alone = [p.sum(hidden).max(1).sum() for hidden in (1, 0)]
    return float(sum(alone) / 2 / p.max(2).sum())


def both_denominators(
    y: np.ndarray, loss_a: np.ndarray, loss_b: np.ndarray, loss_ab: np.ndarray
) -> tuple[float, float]:
    """The sum of both gains, as a share of I(a,b;y) and as a share of H(y)."""
    h = _h(np.unique(y, return_counts=True)[1] / len(y))
    gains = loss_a.mean() + loss_b.mean() - 2 * loss_ab.mean()
    return float(gains / (h - loss_ab.mean())), float(gains / h)


def permutation_p(x: np.ndarray, y: np.ndarray) -> float:
    """Share of all orders of y whose rank correlation with x is at most that of the given order."""
    ranks, others = rankdata(x), rankdata(y)
    sums = [float(ranks @ np.array(order)) for order in itertools.permutations(others)]
    return float(np.mean(np.array(sums) <= ranks @ others + 1e-9))


def _plain_correlation(x, y):
    found = [np.corrcoef(x, order)[0, 1] for order in itertools.permutations(y)]
    return float(np.mean(np.array(found) <= np.corrcoef(x, y)[0, 1] + 1e-9))


def _strictly_below(x, y):
    ranks, others = rankdata(x), rankdata(y)
    sums = [float(ranks @ np.array(order)) for order in itertools.permutations(others)]
    return float(np.mean(np.array(sums) < ranks @ others - 1e-9))


# tolerance: sums of a few dozen float64 terms, divided by at least 0.01
@exercise("05a", "The metric from a table", complementarity, atol=1e-9).against(
    _unconditional,  # I(a; y) instead of I(a; y | b)
    lambda p: complementarity(p) / 2,  # scaled to [0, 1]
    lambda p: 2 - complementarity(p),  # redundancy instead
)
def _cases_05a(rng):
    xor = np.zeros((2, 2, 2))
    xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
    both = np.zeros((2, 2, 2))
    both[0, 0, 0] = both[1, 1, 1] = 1 / 2
    both_and = np.zeros((2, 2, 2))
    both_and[[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]] = 1 / 4
    yield "exclusive or", (xor,)
    yield "two copies", (both,)
    yield "and", (both_and,)
    for shape in ((2, 3, 2), (3, 2, 4), (4, 4, 3), (1, 3, 2), (5, 2, 2)):
        yield f"a random table {shape}", (rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).reshape(shape),)


# tolerance: means of at most 200 numbers, divided by at least 0.02
@exercise("05b", "The metric from losses, with a refusal", estimate, atol=1e-9).against(
    _never_refuses, _refuses_at_zero, _equal_shares, _over_labels
)
def _cases_05b(rng):
    y = np.array([0, 1] * 20)
    yield "nothing is known", (y, np.full(40, np.log(2)), np.full(40, np.log(2)), np.full(40, np.log(2)))
    yield "slightly worse than nothing", (y, np.full(40, 0.7), np.full(40, 0.7), np.full(40, 0.71))
    for known, word in ((0.01, "too little"), (0.03, "just enough")):
        losses = (np.full(40, np.log(2) - part) for part in (0, known / 2, known))
        yield f"{known} nats are known: {word}", (y, *losses)
    yield "exclusive or", (y, np.full(40, np.log(2)), np.full(40, np.log(2)), np.zeros(40))
    for n, classes in ((50, 2), (120, 3), (200, 7)):
        y = np.minimum(rng.geometric(0.4, size=n), classes)
        yield f"{classes} classes, unequal", (y, *(rng.exponential(scale, size=n) for scale in (0.3, 0.25, 0.1)))


# tolerance: sums of at most 64 float64 numbers up to 1,000, rounding below 1e-11
@exercise("05d", "MINE's bound, and its average", mine, atol=1e-9).against(_overflows, _sum_for_mean, _averages_logs)
def _cases_05d(rng):
    yield "all scores equal", (np.full(4, 2.0), np.full(4, 2.0), 2.5, 0.5)
    yield "one pair", (np.array([1.0]), np.array([0.5]), 0.1, 0.01)
    yield "huge scores", (rng.normal(1000, 5, size=16), rng.normal(990, 5, size=16), 985.0, 0.01)
    yield "very negative scores", (rng.normal(-900, 5, size=16), rng.normal(-950, 5, size=16), -940.0, 0.1)
    for m, rate in ((5, 0.01), (64, 0.1), (13, 0.9)):
        true, shuffled = rng.normal(1, 1, size=m), rng.normal(-1, 1, size=m)
        yield f"{m} pairs, rate {rate}", (true, shuffled, float(rng.normal()), rate)


# tolerance: sums of at most 80 probabilities, divided by at least 0.1
@exercise("05c", "The robustness ratio of the best possible model", best_ratio, atol=1e-9).against(
    lambda p: float(
        (p.max(2).max(1).sum() + p.max(2).max(0).sum()) / 2 / p.max(2).sum()
    ),  # maximum over the hidden one
    lambda p: float(sum(p.sum(hidden).max(1).sum() for hidden in (1, 0)) / 2),  # not divided
    lambda p: 1 - best_ratio(p),  # the loss
)
def _cases_05c(rng):
    xor = np.zeros((2, 2, 2))
    xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
    yield "exclusive or", (xor,)
    for shape in ((2, 3, 2), (3, 2, 4), (4, 4, 3), (1, 3, 2), (5, 2, 2)):
        yield f"a random table {shape}", (rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).reshape(shape),)


# tolerance: means of at most 200 numbers, divided by at least 0.1
@exercise("05e", "Two denominators", both_denominators, atol=1e-9).against(
    lambda *losses: both_denominators(*losses)[::-1],  # exchanged
    lambda *losses: (both_denominators(*losses)[1],) * 2,  # H(y) in both
    lambda y, *losses: both_denominators(np.arange(len(np.unique(y))), *losses),  # equal shares
)
def _cases_05e(rng):
    y = np.array([0, 1] * 20)
    yield "exclusive or, read perfectly", (y, np.full(40, np.log(2)), np.full(40, np.log(2)), np.zeros(40))
    yield "exclusive or, half of it read", (y, np.full(40, np.log(2)), np.full(40, np.log(2)), np.full(40, 0.35))
    for n, classes in ((50, 3), (120, 4), (200, 7)):
        y = np.minimum(rng.geometric(0.4, size=n), classes)
        yield f"{classes} classes, unequal", (y, *(rng.exponential(scale, size=n) for scale in (0.5, 0.4, 0.1)))


# tolerance: a share of at most 720 orders
@exercise("05f", "The exact p of a few ranks", permutation_p, atol=1e-9).against(
    _plain_correlation,  # of the numbers, not of their ranks
    _strictly_below,  # forgets the given order itself
    lambda x, y: 1 - permutation_p(x, y),  # the other side
)
def _cases_05f(rng):
    x = np.array([0.9, 0.2, 0.05, 0.04, 0.01])
    yield "a perfect falling order", (x, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    yield "one exchange, one number far away", (x, np.array([1.0, 2.0, 3.0, 50.0, 5.0]))
    yield "a tie", (x, np.array([1.0, 2.0, 2.0, 4.0, 3.0]))
    for n in (3, 4, 5, 6):
        yield f"{n} random rows", (rng.exponential(size=n), rng.exponential(size=n))
