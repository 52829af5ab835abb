"""Scores of several predictors, against scikit-learn and against the known spread of a mean."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics
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
        ({"y": [1, 2, 2]}, "values 1 to 2"),
        ({"y": [-1, 0, 1]}, "values -1 to 1"),
        ({"y": [0, 1, -100]}, "values -100 to 1"),
        ({"y": ["a", "b", "c"]}, "3 labels .* for 2 outputs; expected 2"),
        ({"y": [[0, 1], [1, 1], [1, 0]]}, "several labels"),
        ({"y": np.zeros((3, 5))}, r"shape \(3, 5\)"),
        ({"metric": "f7"}, "metric 'f7'"),
        ({"resamples": 10}, "resamples=10"),
        ({"level": 95}, "level=95"),
    ],
)
def test_refuses_what_it_cannot_score(change, message):
    given = {"predictors": {"one": torch.zeros(3, 2), "two": torch.ones(3, 2)}, "metric": "accuracy", "y": [0, 1, 1]}
    with pytest.raises(ValueError, match=message):
        score_predictors(**(given | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": None}, "got NoneType"),
        ({"y": [0.5, 1.0, 0.0]}, "such as 0.5; expected labels"),
        ({"metric": metrics.get_scorer("f1")}, "not a scorer"),
        ({"metric": metrics.auc}, "not a scorer or a curve"),
        ({"metric": lambda y_true, y_pred: 0.0}, "its first argument is y_true"),
        ({"metric": 3}, "got metric 3"),
        ({"predictors": {"one": torch.full((3, 2), torch.nan), "two": torch.ones(3, 2)}}, "NaN"),
    ],
)
def test_refuses_what_is_no_label_and_no_metric(change, message):
    given = {"predictors": {"one": torch.zeros(3, 2), "two": torch.ones(3, 2)}, "metric": "accuracy", "y": [0, 1, 1]}
    with pytest.raises((TypeError, ValueError), match=message):
        score_predictors(**(given | change))


Y = np.array([0, 1, 1, 0, 1])


@pytest.mark.parametrize("c", [1, 2])
@pytest.mark.parametrize(
    "y",
    [
        Y.tolist(),
        tuple(Y),
        torch.tensor(Y, dtype=torch.int32),
        Y.astype(bool),
        Y.astype(float),
        Y * 2 - 1,
        Y[:, None],
        np.eye(2)[Y],
        np.array(["no", "yes"])[Y],
        [["cat", "dog"][k] for k in Y],
        pd.Series(Y),
        pd.Series(np.array(["no", "yes"])[Y], dtype="category"),
        torch.tensor(Y, dtype=torch.float32, requires_grad=True),
    ],
)
def test_labels_in_any_form(c, y):
    scores = np.array([[-1.0], [2.0], [-3.0], [-4.0], [5.0]])
    scores = scores if c == 1 else np.concatenate([-scores, scores], 1)
    assert accuracy(scores, y) == 0.8
    seen = score_predictors({"one": scores, "two": -scores}, "f1", y, resamples=100)
    assert (seen["one"], seen["two"]) == (pytest.approx(0.8, abs=1e-12, rel=0), pytest.approx(1 / 3, abs=1e-12, rel=0))


def softmax(scores):
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


RNG = np.random.default_rng(0)
LOGITS, TARGETS = RNG.normal(size=(60, 3)), RNG.integers(3, size=60)
MANY, MULTI = RNG.normal(size=(60, 3)), RNG.integers(2, size=(60, 3))
CUT = (MANY > 0).astype(int)


@pytest.mark.parametrize(
    ("metric", "scores", "y", "expected"),
    [
        ("f1", LOGITS, TARGETS, metrics.f1_score(TARGETS, LOGITS.argmax(1), average="macro")),
        (metrics.f1_score, LOGITS, TARGETS, metrics.f1_score(TARGETS, LOGITS.argmax(1), average="macro")),
        (
            partial(metrics.f1_score, average="micro"),
            LOGITS,
            TARGETS,
            metrics.f1_score(TARGETS, LOGITS.argmax(1), average="micro"),
        ),
        (metrics.accuracy_score, LOGITS, TARGETS, metrics.accuracy_score(TARGETS, LOGITS.argmax(1))),
        ("balanced_accuracy", LOGITS, TARGETS, metrics.balanced_accuracy_score(TARGETS, LOGITS.argmax(1))),
        ("auc", LOGITS, TARGETS, metrics.roc_auc_score(TARGETS, softmax(LOGITS), multi_class="ovr")),
        ("roc_auc", LOGITS[:, :2], TARGETS % 2, metrics.roc_auc_score(TARGETS % 2, LOGITS[:, 1] - LOGITS[:, 0])),
        (metrics.roc_auc_score, LOGITS[:, :1], TARGETS % 2, metrics.roc_auc_score(TARGETS % 2, LOGITS[:, 0])),
        ("average_precision", LOGITS[:, :1], TARGETS % 2, metrics.average_precision_score(TARGETS % 2, LOGITS[:, 0])),
        ("log_loss", LOGITS, TARGETS, metrics.log_loss(TARGETS, softmax(LOGITS))),
        ("log_loss", LOGITS[:, :1], TARGETS % 2, metrics.log_loss(TARGETS % 2, 1 / (1 + np.exp(-LOGITS[:, 0])))),
        ("r2", LOGITS[:, :1], MANY[:, 0], metrics.r2_score(MANY[:, 0], LOGITS[:, 0])),
        (metrics.r2_score, LOGITS, MANY, metrics.r2_score(MANY, LOGITS)),
        ("f1", MANY, MULTI, metrics.f1_score(MULTI, CUT, average="macro")),
        (metrics.accuracy_score, MANY, MULTI, metrics.accuracy_score(MULTI, CUT)),
        ("average_precision", MANY, MULTI, metrics.average_precision_score(MULTI, MANY)),
        ("roc_auc", MANY, MULTI, metrics.roc_auc_score(MULTI, MANY)),
    ],
)
def test_scikit_learns_metrics_by_name_and_by_object(metric, scores, y, expected):
    seen = score_predictors({"one": scores, "two": scores + 1}, metric, y, resamples=100)
    assert seen["one"] == pytest.approx(expected, rel=1e-12, abs=0) and seen.gap.interval


@pytest.mark.parametrize(("metric", "y"), [("accuracy", TARGETS % 2), ("f1", TARGETS % 2), ("f1", MULTI)])
def test_probabilities_are_not_cut_at_zero(metric, y):
    logits = MANY if y.ndim == 2 else MANY[:, :1]
    given = {"one": 1 / (1 + np.exp(-logits)), "two": np.zeros_like(logits)}
    with pytest.raises(ValueError, match=r"between 0 and 1.* or threshold=0\.5"):
        score_predictors(given, metric, y)
    expected = score_predictors({"one": logits, "two": given["two"]}, metric, y, resamples=100)
    assert score_predictors(given, metric, y, threshold=0.5, resamples=100)["one"] == expected["one"]
    with pytest.raises(ValueError, match="expected logits"):
        score_predictors({"one": softmax(LOGITS), "two": LOGITS}, "log_loss", TARGETS)


def test_draws_in_which_a_metric_is_not_defined_are_left_out_and_counted():
    scores, y = np.arange(8.0)[:, None], np.arange(8) == 7  # one draw in three has no example of class 1
    with pytest.warns(UserWarning, match=r"not defined in \d+ of 200 draws"):
        seen = score_predictors({"one": scores, "two": -scores}, "roc_auc", y, resamples=200)
    assert seen.gap.interval == pytest.approx((1.0, 1.0), rel=0, abs=1e-12)
