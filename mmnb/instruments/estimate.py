"""One number and how sure it is: what every instrument, claim and table calls an estimate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number, its interval, and what the interval covers.

    Attributes:
        value: The number.
        low, high: Ends of the interval; both None where there is none.
        n: How many independent units are behind it: examples, seeds, splits.
        level: Coverage of the interval, between 0 and 1.
        over: What would vary if the measurement were repeated: "examples", "seeds", "splits", "critics".

    Raises:
        ValueError: For a value that is NaN, one end without the other, low > high, n below 1 or a level outside (0, 1).

    Example:
        >>> accuracy_gap = Estimate(0.12, 0.081, 0.159, n=500)
        >>> f"{accuracy_gap:+.3f}"
        '+0.120 [+0.081, +0.159]'
        >>> float(accuracy_gap), accuracy_gap.interval
        (0.12, (0.081, 0.159))
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    level: float = 0.95
    over: str = "examples"

    def __post_init__(self) -> None:
        given = f"got value={self.value}, low={self.low}, high={self.high}, n={self.n}, level={self.level}"
        if math.isnan(self.value):
            raise ValueError(f"Estimate: {given}; expected a value that is a number")
        if (self.low is None) != (self.high is None) or (self.low is not None and not self.low <= self.high):
            raise ValueError(f"Estimate: {given}; expected both ends of the interval or none, low <= high")
        if (self.n is not None and self.n < 1) or not 0 < self.level < 1:
            raise ValueError(f"Estimate: {given}; expected n >= 1 and a level between 0 and 1")

    @property
    def interval(self) -> tuple[float, float] | None:
        """(low, high), or None where there is no interval."""
        return None if self.low is None else (self.low, self.high)

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        """The value and its interval, each number in the given format: `f"{gap:+.3f}"`."""
        spec = spec or ".3f"
        ends = "" if self.low is None else f" [{self.low:{spec}}, {self.high:{spec}}]"
        return f"{self.value:{spec}}{ends}"

    def __mul__(self, factor: float) -> Estimate:
        """The same estimate in another unit, such as points instead of shares: `100 * gap`."""
        ends = (None, None) if self.low is None else sorted((factor * self.low, factor * self.high))
        return Estimate(factor * self.value, *ends, n=self.n, level=self.level, over=self.over)

    __rmul__ = __mul__

    def __sub__(self, reference: float) -> Estimate:
        """The distance from a number known exactly, such as chance: `accuracy - chance`."""
        ends = (None, None) if self.low is None else (self.low - reference, self.high - reference)
        return Estimate(self.value - reference, *ends, n=self.n, level=self.level, over=self.over)


def mean_interval(values: Sequence[float], level: float = 0.95, over: str = "seeds") -> Estimate:
    """Mean of independent runs with its Student-t interval.

    Formula: mean ± t(n - 1, (1 + level) / 2) · s / √n, with n - 1 in the denominator of s². Equal values give width 0.

    Args:
        values: (n,) real numbers, n >= 2. For a comparison give the paired differences.
        level: Coverage, between 0 and 1.
        over: What the runs differ in: "seeds", "splits", "draws".

    Raises:
        ValueError: On fewer than two values, NaN or infinity, or a level outside (0, 1).

    Example:
        >>> f"{mean_interval([1.0, 2.0, 3.0]):.3f}"
        '2.000 [-0.484, 4.484]'

    Source:
        Student 1908. The runs are taken as independent draws from a roughly normal distribution.
    """
    from scipy import stats  # here, so that tables and reports import fast

    from mmnb.instruments.inputs import numbers

    if isinstance(values, Iterable) and not hasattr(values, "shape"):
        values = list(values)  # a tuple, the values of a dict
    values = numbers(values, "mean_interval: values", "(n,)").numpy()
    if len(values) < 2:
        raise ValueError(f"mean_interval: got {values.tolist()}; expected at least two finite numbers")
    if not 0 < level < 1:
        raise ValueError(f"mean_interval: got level={level}; expected a number between 0 and 1")
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return Estimate(mean, mean - half, mean + half, n=len(values), level=level, over=over)


def proportion(hits: int, n: int, level: float = 0.95, over: str = "examples") -> Estimate:
    """The share of successes, hits / n, with its Wilson score interval.

    Args:
        hits: Successes, from 0 to n.
        n: Independent trials, at least 1.
        level: Coverage, between 0 and 1.
        over: What the trials are.

    Raises:
        ValueError: Unless 0 <= hits <= n, n >= 1 and 0 < level < 1.

    Example:
        >>> f"{proportion(8, 10):.3f}"
        '0.800 [0.490, 0.943]'

    Source:
        Wilson 1927.
    """
    from scipy import stats

    from mmnb.instruments.inputs import whole

    hits, n = whole(hits, "proportion: hits", 0), whole(n, "proportion: n")
    if not hits <= n or not 0 < level < 1:
        raise ValueError(f"proportion: got hits={hits}, n={n}, level={level}; expected 0 <= hits <= n, 0 < level < 1")
    ends = stats.binomtest(hits, n).proportion_ci(level, method="wilson")
    return Estimate(hits / n, float(ends.low), float(ends.high), n=n, level=level, over=over)
