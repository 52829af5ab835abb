"""How sure a mean over few runs is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean and the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of independent runs (seeds, splits) with its Student-t interval.

    Formula: mean +- t(n - 1, (1 + level) / 2) * s / sqrt(n), s with n - 1 in the denominator. Equal values give width 0.

    Args: values, (n,) real, n >= 2; level between 0 and 1. For a comparison give the paired differences.
    Raises: ValueError on fewer than two values, NaN or infinity, a level outside (0, 1).
    Example:
        >>> mean, low, high = mean_interval([1.0, 2.0, 3.0])
        >>> round(mean, 3), round(low, 3), round(high, 3)
        (2.0, -0.484, 4.484)

    Source: Student 1908; the runs are taken as independent draws from a roughly normal distribution.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"mean_interval: got {values.tolist()}; expected at least two finite numbers")
    if not 0 < level < 1:
        raise ValueError(f"mean_interval: got level={level}; expected a number between 0 and 1")
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return Interval(mean, mean - half, mean + half)
