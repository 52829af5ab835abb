"""A metric and its labels, in any form that users have them, as `measure(scores, y) -> float` on arrays: read before anything long runs."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from mmnb.instruments.inputs import array, labels, numbers


class Metric(NamedTuple):
    """What `read_metric` returns.

    Attributes:
        measure: From scores (n, C) and y to a number; any rows may be picked from both.
        y: The labels as it takes them.
        reads: What it makes of the scores: "classes" (cut at the threshold where C = 1 or there are several labels), "probabilities"
            (softmax or sigmoid of them), or "scores" as they are.
    """

    measure: Callable[[np.ndarray, np.ndarray], float]
    y: np.ndarray
    reads: str


def read_metric(metric: str | Callable, y: Any, n: int, c: int, threshold: float | None = None) -> Metric:
    """The metric of scores (n, c) against y, as `score_predictors` describes both.

    Raises:
        TypeError, ValueError: For an unknown metric; labels that it cannot use, or of another number.

    Example:
        >>> metric = read_metric("f1", ["no", "yes", "yes"], n=3, c=1)
        >>> metric.y.tolist(), metric.measure(np.array([[-1.0], [2.0], [-3.0]]), metric.y)
        ([0, 1, 1], 0.6666666666666666)
    """
    y = array(list(y) if isinstance(y, tuple | range) else y, "score: y")
    if len(y) != n:
        raise ValueError(f"score: got {len(y)} labels for {n} examples; expected one each")
    cut = 0.0 if threshold is None else float(threshold)
    if metric == "accuracy":
        y, several = _classes(y, n, c)
        if several:
            raise ValueError(
                "score: accuracy: got several labels per example; expected one (else 'f1', 'average_precision')"
            )
        return Metric(lambda scores, y: float((_predicted(scores, cut, False) == y).mean()), y, "classes")
    function = _by_name(metric) if isinstance(metric, str) else metric
    if not callable(function):
        raise TypeError(f"score: got metric {metric!r}; expected a name or a function(scores, y)")
    bare = function.func if isinstance(function, partial) else function
    if not str(getattr(bare, "__module__", "")).startswith("sklearn.metrics"):
        if _parameters(function)[:1] == ["y_true"]:
            raise TypeError(
                f"score: metric {bare.__name__}: its first argument is y_true; expected a function(scores, y)"
            )
        return Metric(function, y, "scores")
    return _of_scikit_learn(function, bare, y, n, c, cut)


def _of_scikit_learn(function: Callable, bare: Callable, y: np.ndarray, n: int, c: int, cut: float) -> Metric:
    """scikit-learn's order is (y_true, y_pred), and the name of the second argument says what it is."""
    names = _parameters(bare)
    if names[:1] != ["y_true"]:
        raise TypeError(f"score: got metric {bare!r}; expected a function of (y_true, y_pred), not a scorer or a curve")
    if bare.__module__.endswith("_regression"):
        y = numbers(y, "score: y", "(n, ...)").numpy().reshape(n, -1)
        if y.shape[1] != c:
            raise ValueError(f"score: got targets of shape {y.shape} for {c} outputs; expected ({n}, {c})")
        return Metric(lambda scores, y: float(function(y, scores)), y, "scores")
    y, several = _classes(y, n, c)
    probabilities = names[1] in ("y_proba", "y_prob") or "log_loss" in bare.__name__
    ranks = names[1] in ("y_score", "pred_decision")
    options: dict[str, Any] = {}
    if (ranks or probabilities) and c > 2 and not several:
        options = {"labels": list(range(c)), "multi_class": "ovr"}
    elif several or c > 2:
        options = {"average": "macro"}
    fixed = function.keywords if isinstance(function, partial) else {}
    options = {name: value for name, value in options.items() if name in names and name not in fixed}

    def second(scores: np.ndarray) -> np.ndarray:
        if not (ranks or probabilities):
            return _predicted(scores, cut, several)
        if several or c == 1:
            scores = scores if several else scores[:, 0]
            return expit(scores) if probabilities else scores
        if c == 2 and ranks:
            return scores[:, 1] - scores[:, 0]
        return softmax(scores, 1) if c > 2 or "log_loss" in bare.__name__ else softmax(scores, 1)[:, 1]

    reads = "probabilities" if probabilities or (ranks and c > 2 and not several) else "scores" if ranks else "classes"
    return Metric(lambda scores, y: float(function(y, second(scores), **options)), y, reads)


def _predicted(scores: np.ndarray, cut: float, several: bool) -> np.ndarray:
    if several:
        return (scores > cut).astype(int)
    return scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > cut).astype(int)


def _classes(y: np.ndarray, n: int, c: int) -> tuple[np.ndarray, bool]:
    """Labels as outputs from 0 to C - 1, (n,); or (n, C) zeros and ones and True where there are several per example."""
    classes = max(c, 2)
    if y.shape == (n, 1):
        y = y[:, 0]
    if y.shape == (n, classes) and y.dtype.kind != "U" and np.isin(y, (0, 1)).all():
        if (y.sum(1) != 1).any() and c > 1:
            return y.astype(np.int64), True
        y = y.argmax(1) if (y.sum(1) == 1).all() else y
    codes, found = labels(y, "score: y", n)
    if isinstance(found[0], str):
        if len(found) != classes:
            raise ValueError(
                f"score: got {len(found)} labels {found[:5]} for {c} outputs; expected {classes}, which in order of their names are the "
                f"outputs, or whole numbers from 0 to {classes - 1}"
            )
        return codes, False
    if found == [-1, 1] and classes == 2:
        return codes, False
    if found[0] < 0 or found[-1] >= classes:
        given = f"values {found[0]} to {found[-1]}"
        raise ValueError(
            f"score: got labels of {given}; expected whole numbers from 0 to {classes - 1}, one per example"
        )
    return np.asarray(found, dtype=np.int64)[codes], False


def _by_name(name: str) -> Callable:
    from sklearn import metrics  # here: a second to import

    full = {"auc": "roc_auc_score"}.get(name, name)
    function = getattr(metrics, f"{full}_score", getattr(metrics, full, None))
    if _parameters(function)[:1] != ["y_true"]:
        raise ValueError(
            f"score: got metric {name!r}; expected 'accuracy', a name of scikit-learn's ('f1', 'roc_auc', 'average_precision', 'r2'), one of "
            "its functions, or a function(scores, y)"
        )
    return function


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # no function, or one written in C
        return []
