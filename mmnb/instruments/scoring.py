"""Score several predictors on the same examples, and say how sure the loss from the first to the second is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Scores:
    """Metric of each predictor (`values`, in the order given), the gap first - second, its paired bootstrap interval, and n."""

    values: dict[str, float]
    gap: float
    gap_interval: tuple[float, float]
    n: int

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def accuracy(scores: np.ndarray, y: np.ndarray) -> float:
    """Share of examples whose highest score is their label; with one score per example, whose sign is (y = 1 if positive, else 0).

    Args: scores (n, C) real; y (n,) whole numbers from 0 to C - 1 (0 or 1 where C = 1).
    Example:
        >>> accuracy(np.array([[0.2, 0.9], [0.6, 0.1]]), np.array([1, 1]))
        0.5
    """
    guess = scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
    return float((guess == y).mean())


def win_rate(scores: np.ndarray, y: np.ndarray) -> float:
    """Share of comparisons that come out right, a tie counting half: the metric of ranking tasks.

    Args: scores (n, 1), score of one item minus score of the other; y (n,), 1 where the first should be higher, else 0.
    Example:
        >>> win_rate(np.array([[2.0], [-1.0], [0.0]]), np.array([1, 1, 1]))
        0.5
    """
    if scores.shape[1] != 1:
        raise ValueError(f"win_rate: got scores of shape {scores.shape}; expected (n, 1)")
    return float(((np.sign(scores[:, 0]) * np.where(y == 1, 1, -1)) / 2 + 0.5).mean())


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"accuracy": accuracy, "win_rate": win_rate}


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

    The interval speaks of the examples only: model and projection stay fixed. It does not cover retraining; use several seeds for that.

    Args:
        predictors: name -> scores (n, C), at least two, all of one shape.
        metric: "accuracy", or `metric(scores, y) -> float` on NumPy arrays of shape (n, C) and (n, ...).
        y: labels, first axis n.
        resamples: bootstrap draws, at least 100. level: coverage, between 0 and 1. seed: of the draws.
    Raises: ValueError on an unknown metric, lengths that differ, labels that accuracy cannot use, a metric that gives NaN.
    Example:
        >>> s = score_predictors({"f": torch.eye(2), "g": torch.zeros(2, 2)}, "accuracy", [0, 1])
        >>> s.values, s.gap
        ({'f': 1.0, 'g': 0.5}, 0.5)

    Source: percentile bootstrap, Efron & Tibshirani 1993, chapter 13.
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
    metric, y = metric_and_labels(metric, y, n, c)

    values = {name: float(metric(array, y)) for name, array in arrays.items()}
    if not all(np.isfinite(value) for value in values.values()):
        raise ValueError(f"score: the metric gave {values}; expected finite numbers")
    first, second, *_ = arrays.values()
    rng = np.random.default_rng(seed)
    draws = [_gap(metric, first, second, y, rng.integers(n, size=n)) for _ in range(resamples)]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    one, two, *_ = values.values()
    return Scores(values=values, gap=one - two, gap_interval=(float(low), float(high)), n=n)


def metric_and_labels(metric: str | Callable, y: Any, n: int, c: int) -> tuple[Callable, np.ndarray]:
    """The metric as a function and the labels as an array, for scores (n, c). Raises ValueError where they do not fit."""
    y = np.asarray(y.cpu() if isinstance(y, torch.Tensor) else y)
    if len(y) != n:
        raise ValueError(f"score: got {len(y)} labels for {n} examples; expected one each")
    if not isinstance(metric, str):
        return metric, y
    if metric not in METRICS:
        raise ValueError(f"score: got metric {metric!r}; expected one of {sorted(METRICS)} or a function(scores, y)")
    _refuse_labels(y, max(c, 2))
    return METRICS[metric], y


def _gap(metric: Callable, first: np.ndarray, second: np.ndarray, y: np.ndarray, index: np.ndarray) -> float:
    return metric(first[index], y[index]) - metric(second[index], y[index])


def _refuse_labels(y: np.ndarray, classes: int) -> None:
    whole = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
    if not whole or y.min() < 0 or y.max() >= classes:
        found = f"{y.dtype} of shape {y.shape}" + (f", values {y.min()} to {y.max()}" if y.size else "")
        raise ValueError(f"score: got labels {found}; expected whole numbers from 0 to {classes - 1}, one per example")
