"""Score several predictors on the same examples, with an interval for the difference of the first two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmnb.aliases import renamed_field
from mmnb.instruments.estimate import Estimate
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


def accuracy(scores: np.ndarray, y: np.ndarray) -> float:
    """Share of examples whose highest score is their label; with one score per example, whose sign is (y = 1 if positive, else 0).

    Args:
        scores: (n, C) real.
        y: (n,) whole numbers from 0 to C - 1 (0 or 1 where C = 1).

    Example:
        >>> accuracy(np.array([[0.2, 0.9], [0.6, 0.1]]), np.array([1, 1]))
        0.5
    """
    guess = scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
    return float((guess == y).mean())


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"accuracy": accuracy}


def score_predictors(
    predictors: Mapping[str, torch.Tensor],
    metric: str | Callable[[np.ndarray, np.ndarray], float],
    y: Any,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Metric of every predictor, and a percentile bootstrap interval of (first - second), resampling examples in pairs.

    The interval covers other examples only: model and projection stay fixed. It does not cover retraining; use several seeds for that.

    Args:
        predictors: Name -> scores (n, C), at least two, all of one shape.
        metric: "accuracy", or `metric(scores, y) -> float` on NumPy arrays of shape (n, C) and (n, ...).
        y: Labels, first axis n.
        resamples: Bootstrap draws, at least 100.
        level: Coverage, between 0 and 1.
        seed: Of the draws.

    Raises:
        ValueError: For an unknown metric, lengths that differ, labels that accuracy cannot use, a metric that gives NaN.

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
    arrays = {name: torch.as_tensor(scores).cpu().numpy() for name, scores in predictors.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1:
        raise ValueError(f"score: predictors have shapes {shapes}; expected one")
    n, c = next(iter(shapes))
    metric, y = _metric_and_labels(metric, y, n, c)

    values = {name: float(metric(array, y)) for name, array in arrays.items()}
    if not all(np.isfinite(value) for value in values.values()):
        raise ValueError(f"score: the metric gave {values}; expected finite numbers")
    first, second, *_ = arrays.values()
    rng = np.random.default_rng(seed)
    indices = (rng.integers(n, size=n) for _ in range(resamples))
    draws = [metric(first[index], y[index]) - metric(second[index], y[index]) for index in indices]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    one, two, *_ = values.values()
    return Scores(values, Estimate(one - two, float(low), float(high), n=n, level=level), n)


def _metric_and_labels(metric: str | Callable, y: Any, n: int, c: int) -> tuple[Callable, np.ndarray]:
    y = np.asarray(y.cpu() if isinstance(y, torch.Tensor) else y)
    if len(y) != n:
        raise ValueError(f"score: got {len(y)} labels for {n} examples; expected one each")
    if not isinstance(metric, str):
        return metric, y
    if metric not in METRICS:
        raise ValueError(f"score: got metric {metric!r}; expected one of {sorted(METRICS)} or a function(scores, y)")
    classes, whole = max(c, 2), y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
    if not whole or y.min() < 0 or y.max() >= classes:
        found = f"{y.dtype} of shape {y.shape}" + (f", values {y.min()} to {y.max()}" if y.size else "")
        raise ValueError(f"score: got labels {found}; expected whole numbers from 0 to {classes - 1}, one per example")
    return METRICS[metric], y
