"""Score several predictors on the same examples, with an interval for the difference of the first two."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmnb.aliases import renamed_field
from mmnb.instruments.checks import look_like_probabilities
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import numbers
from mmnb.instruments.metrics import read_metric
from mmnb.instruments.result import Result


@dataclass(frozen=True)
class Scores(Result):
    """What `score_predictors` returns.

    Attributes:
        values: Metric of each predictor, in the order given.
        gap: First minus second, with its paired bootstrap interval over examples.
        n: How many examples.
    """

    values: dict[str, float]
    gap: Estimate
    n: int

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    gap_interval = renamed_field("gap_interval", "gap.interval")

    def estimates(self) -> dict[str, Estimate]:
        """The gap, then each predictor's metric."""
        return {"gap": self.gap} | {name: Estimate(value, n=self.n) for name, value in self.values.items()}


def accuracy(scores: Any, y: Any, *, threshold: float = 0.0) -> float:
    """Share of examples whose highest score is their label; with one score per example, 1 if it is above the threshold, else 0.

    Args:
        scores: (n, C) real.
        y: (n,) labels, as in `score_predictors`.
        threshold: For a single score: 0 for logits, 0.5 for probabilities.

    Example:
        >>> accuracy(np.array([[0.2, 0.9], [0.6, 0.1]]), np.array([1, 1]))
        0.5
    """
    scores = numbers(scores, "accuracy: scores", "(n, c)").numpy()
    metric = read_metric("accuracy", y, *scores.shape, threshold)
    return metric.measure(scores, metric.y)


def score_predictors(
    predictors: Mapping[str, torch.Tensor],
    metric: str | Callable[[np.ndarray, np.ndarray], float],
    y: Any,
    *,
    threshold: float | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Metric of every predictor, and a percentile bootstrap interval of (first - second), resampling examples in pairs.

    The interval covers other examples only: model and projection stay fixed. It does not cover retraining; use several seeds for that.

    Args:
        predictors: Name -> scores (n, C), at least two, all of one shape.
        metric: "accuracy"; a function of scikit-learn or its name ("f1", "roc_auc", "average_precision", "r2", "balanced_accuracy", ...),
            which is given classes, scores or probabilities as it needs them, and averages several classes with "macro" unless a `partial`
            says otherwise; or any `metric(scores, y) -> float` on arrays (n, C) and (n, ...). Mind the order: scikit-learn's is the reverse.
        y: Labels: whole numbers from 0 to C - 1, bools, -1 and 1, (n, 1), one-hot rows, texts whose order by name is that of the outputs;
            (n, C) zeros and ones where an example has several; targets for regression; for a metric of your own, anything with first axis n.
        threshold: Where a single score, or one of several labels, says yes; None is 0, for logits.
        resamples: Bootstrap draws, at least 100.
        level: Coverage, between 0 and 1.
        seed: Of the draws.

    Raises:
        TypeError, ValueError: For an unknown metric, lengths that differ, labels that it cannot use, a metric that gives NaN; scores that
            are probabilities where logits are cut at 0 or turned into probabilities.

    Warns:
        UserWarning: For draws in which the metric is not defined (of one class only): the interval leaves them out.

    Example:
        >>> s = score_predictors({"f": torch.eye(2), "g": torch.zeros(2, 2)}, "accuracy", [0, 1])
        >>> s.values, s.gap.value
        ({'f': 1.0, 'g': 0.5}, 0.5)

    Source:
        Percentile bootstrap, Efron & Tibshirani 1993, chapter 13.
    """
    if len(predictors) < 2:
        raise ValueError(f"score: got {len(predictors)} predictors; expected at least 2")
    if resamples < 100 or not 0 < level < 1:
        raise ValueError(f"score: got resamples={resamples}, level={level}; expected resamples >= 100, 0 < level < 1")
    arrays = {name: numbers(scores, f"score: {name}", "(n, c)").numpy() for name, scores in predictors.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1:
        raise ValueError(f"score: predictors have shapes {shapes}; expected one")
    n, c = next(iter(shapes))
    measure, y, reads = read_metric(metric, y, n, c, threshold)
    first, second, *_ = arrays.values()
    cut = reads == "classes" and threshold is None and (c == 1 or y.ndim == 2)
    if (cut or reads == "probabilities") and look_like_probabilities(torch.from_numpy(first)):
        raise ValueError(
            "score: all scores lie between 0 and 1, as probabilities do; expected logits, which are cut at 0 or become probabilities here"
            + (", or threshold=0.5" if cut else "")
        )

    values = {name: float(measure(array, y)) for name, array in arrays.items()}
    if not all(np.isfinite(value) for value in values.values()):
        raise ValueError(f"score: the metric gave {values}; expected finite numbers")
    rng = np.random.default_rng(seed)
    indices = (rng.integers(n, size=n) for _ in range(resamples))
    draws = np.array([measure(first[index], y[index]) - measure(second[index], y[index]) for index in indices])
    defined = np.isfinite(draws)
    if not defined.all():
        text = (
            f"score: the metric is not defined in {(~defined).sum()} of {resamples} draws; the interval leaves them out"
        )
        warnings.warn(text if defined.any() else f"{text}: there is none", UserWarning, stacklevel=2)
    tail = 100 * (1 - level) / 2
    low, high = map(float, np.percentile(draws[defined], [tail, 100 - tail])) if defined.any() else (None, None)
    one, two, *_ = values.values()
    return Scores(values, Estimate(one - two, low, high, n=n, level=level), n)
