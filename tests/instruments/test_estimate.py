"""The t interval of a mean against statistics done elsewhere, and its coverage."""

import numpy as np
import pytest
from scipy import stats

from mmnb.instruments.estimate import mean_interval, proportion


@pytest.mark.parametrize("n", [2, 3, 15])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_equals_scipy(n, level):
    values = np.random.default_rng(n).normal(3, 2, n)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    ours = mean_interval(values, level)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=0, abs=1e-12)
    assert ours.interval == (ours.low, ours.high)
    assert ours.value == pytest.approx(values.mean(), rel=0, abs=1e-15)


def test_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        seen = mean_interval(rng.normal(size=4))
        hits += seen.low <= 0 <= seen.high
    assert abs(hits / 2000 - 0.95) < 4 * (0.95 * 0.05 / 2000) ** 0.5


def test_equal_values_have_no_width():
    found = mean_interval([0.5, 0.5])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]], [1.0, float("inf")]])
def test_refuses_what_has_no_interval(values):
    with pytest.raises(ValueError, match=r"expected (at least two )?finite numbers|expected .n,. with n >= 1"):
        mean_interval(values)


def test_refuses_a_level_that_is_none():
    with pytest.raises(ValueError, match="level=95"):
        mean_interval([1.0, 2.0], level=95)


@pytest.mark.parametrize(
    ("hits", "n"), [(float("nan"), 10), (1, float("nan")), (0.5, 10), (-1, 10), (True, 10), (11, 10), (0, 0)]
)
def test_a_share_is_of_whole_numbers(hits, n):
    with pytest.raises(ValueError, match=r"proportion: .*expected"):
        proportion(hits, n)
