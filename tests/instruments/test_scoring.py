"""Scores of several predictors, against scikit-learn and against the known spread of a mean."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, roc_auc_score

from mmnb.instruments.scoring import accuracy, score_predictors


def test_accuracy_equals_scikit_learn():
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(50, 4)), rng.integers(4, size=50)
    assert accuracy(scores, y) == accuracy_score(y, scores.argmax(1))
    assert accuracy(scores[:, :1], y % 2) == accuracy_score(y % 2, scores[:, 0] > 0)


def test_any_metric_will_do():
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=40)
    predictors = {"one": torch.from_numpy(rng.normal(size=(40, 1)) + y[:, None]), "two": torch.zeros(40, 1)}
    seen = score_predictors(predictors, lambda s, t: roc_auc_score(t, s[:, 0]), y, resamples=100)
    assert seen["one"] == roc_auc_score(y, predictors["one"][:, 0])
    assert seen["two"] == 0.5
    assert seen.gap.value == seen["one"] - 0.5


def test_interval_is_that_of_paired_differences():
    """Two predictors right at random: the gap is a mean of n differences in {-1, 0, 1}, so its interval is known."""
    rng = np.random.default_rng(2)
    n = 4000
    y = np.zeros(n, dtype=int)
    one, two = (torch.from_numpy(np.where(rng.random((n, 1)) < p, -1.0, 1.0)) for p in (0.8, 0.6))
    seen = score_predictors({"one": one, "two": two}, "accuracy", y)
    difference = ((one < 0).double() - (two < 0).double())[:, 0]
    half = 1.96 * difference.std().item() / n**0.5
    expected = (seen.gap.value - half, seen.gap.value + half)
    # 2,000 draws place a 2.5 % quantile with a standard error of about 0.06 half-widths; four of them
    assert seen.gap.interval == pytest.approx(expected, rel=0, abs=0.25 * half)


def test_the_same_seed_gives_the_same_interval():
    generator = torch.Generator().manual_seed(0)
    predictors = {name: torch.randn(30, 3, generator=generator) for name in ("one", "two")}

    def mean_score(scores, y):  # continuous, unlike accuracy: other draws give another interval
        return scores[:, 0].mean()

    first, again, other = (
        score_predictors(predictors, mean_score, range(30), seed=seed).gap.interval for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictors": {"one": torch.zeros(3, 2)}}, "at least 2"),
        ({"predictors": {"one": torch.zeros(3, 2), "two": torch.zeros(3, 4)}}, "expected one"),
        ({"y": [0, 1]}, "2 labels for 3"),
        ({"y": [0, 1, 2]}, "from 0 to 1"),
        ({"y": [0.0, 1.0, 1.0]}, "float64"),
        ({"y": [[0], [1], [1]]}, "shape"),
        ({"metric": "f1"}, "metric 'f1'"),
        ({"resamples": 10}, "resamples=10"),
        ({"level": 95}, "level=95"),
    ],
)
def test_refuses_what_it_cannot_score(change, message):
    given = {"predictors": {"one": torch.zeros(3, 2), "two": torch.ones(3, 2)}, "metric": "accuracy", "y": [0, 1, 1]}
    with pytest.raises(ValueError, match=message):
        score_predictors(**(given | change))
