"""Exercises 00a to 00c: the additive part of a table of scores, a verdict from an interval, and a rule that can fail."""

import numpy as np

from mmnb.course.exercises import exercise


def additive(scores: np.ndarray) -> np.ndarray:
    """Row means + column means - grand mean."""
    return scores.mean(1, keepdims=True) + scores.mean(0, keepdims=True) - scores.mean()


def verdict(low: float, high: float) -> str:
    """The rule `sign: positive` on an interval."""
    return "reproduced" if low > 0 else "not reproduced"


def can_fail(bound: float, nulls: np.ndarray) -> bool:
    """Whether the rule "at least bound" rejects every null."""
    return bool((np.asarray(nulls) < bound).all())


# tolerance: means of fewer than 1,000 numbers near 1 in float64
@exercise("00a", "What two modalities add", additive, atol=1e-10).against(
    lambda s: s.mean(1, keepdims=True) + s.mean(0, keepdims=True),  # the grand mean twice
    lambda s: s - s.mean(1, keepdims=True) - s.mean(0, keepdims=True) + s.mean(),  # the interaction instead
    lambda s: s.mean(1, keepdims=True) + 0 * s,  # rows alone
)
def _cases_00a(rng):
    yield "one pair", (np.array([[2.0]]),)
    yield "XOR", (np.array([[0.0, 1.0], [1.0, 0.0]]),)
    for n, m in ((1, 4), (3, 2), (5, 5), (8, 20)):
        yield f"{n} pictures, {m} sentences", (rng.normal(size=(n, m)) + 1,)


@exercise("00b", "A verdict with an interval", verdict, atol=1e-12).against(  # texts are compared as they are
    lambda low, high: "reproduced" if (low + high) / 2 > 0 else "not reproduced",  # the mean decides
    lambda low, high: "reproduced" if low >= 0 else "not reproduced",  # 0 counts as positive
    lambda low, high: "reproduced" if high > 0 else "not reproduced",  # the upper end decides
)
def _cases_00b(rng):
    yield "above 0", (0.1, 0.3)
    yield "around 0, mean above", (-0.1, 0.3)
    yield "from 0", (0.0, 0.2)
    yield "below 0", (-0.4, -0.1)
    for low, width in zip(rng.normal(size=8), rng.uniform(0.1, 2, 8), strict=True):
        yield f"from {low:.2f} to {low + width:.2f}", (float(low), float(low + width))


@exercise("00c", "Would the rule notice?", can_fail, atol=1e-12).against(  # truth values are compared as they are
    lambda bound, nulls: bool((nulls < bound).any()),  # one rejected null is not enough
    lambda bound, nulls: bool((nulls <= bound).all()),  # a null on the bound is accepted
    lambda bound, nulls: bool(nulls.mean() < bound),  # their mean says nothing
)
def _cases_00c(rng):
    yield "a coin", (0.5, np.array([0.5]))
    yield "two nulls, one slips through", (0.4, np.array([0.0, 0.45]))
    yield "both rejected", (0.4, np.array([0.0, 0.25]))
    for bound in rng.uniform(0, 1, 10):
        yield f"bound {bound:.2f}", (float(bound), rng.uniform(0, 1, 2))
