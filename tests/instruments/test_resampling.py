"""Bootstrap and sandwich intervals against the textbook and against plain loops."""

import numpy as np
import pytest

from mmnb.instruments.estimate import mean_interval
from mmnb.instruments.resampling import bootstrap, bootstrap_means, clusters, estimate_of, influence_estimate


def test_the_spread_of_the_draws_is_the_standard_error():
    x = np.random.default_rng(0).normal(size=(200, 2))
    draws = bootstrap_means(x, resamples=4000)
    assert draws.std(0) == pytest.approx(x.std(0) / 200**0.5, rel=0.05)
    both = bootstrap(lambda index: x[index].mean(0), 200, resamples=4000)
    assert both.std(0) == pytest.approx(draws.std(0), rel=0.08)


def test_examples_that_belong_together_are_drawn_together():
    x = np.repeat(np.random.default_rng(0).normal(size=50), 4)[:, None]
    group = np.repeat(np.arange(50), 4)
    alone, together = (bootstrap_means(x, g, resamples=4000).std() for g in (None, group))
    assert together == pytest.approx(2 * alone, rel=0.1)
    assert bootstrap(lambda i: [x[i].mean()], 200, group, resamples=2000).std() == pytest.approx(together, rel=0.1)
    one, four = (influence_estimate(0, x[:, 0] - x.mean(), g) for g in (None, group))
    assert (four.high - four.low) == pytest.approx(2 * (one.high - one.low), rel=0.05)


def test_the_influence_of_a_mean_gives_students_interval():
    x = np.random.default_rng(1).normal(size=12)
    ours, students = influence_estimate(x.mean(), x - x.mean()), mean_interval(x)
    assert (ours.low, ours.high) == pytest.approx((students.low, students.high))


def test_groups_may_have_names_and_one_group_has_no_interval():
    assert clusters(["x", "y", "x"], 3).tolist() == [0, 1, 0]
    assert influence_estimate(1.0, [0.5, -0.5], ["x", "x"]).interval is None
    with pytest.raises(ValueError, match="got 2 labels for 3 examples; expected one each"):
        clusters(["x", "y"], 3)


def test_draws_without_a_number_are_left_out():
    assert estimate_of(0.0, [1.0, np.nan, 1.0], 3).interval == (1.0, 1.0)
    assert estimate_of(0.0, [np.nan], 3).interval is None
