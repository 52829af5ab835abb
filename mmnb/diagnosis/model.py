"""A model in any form that users have it as f(a, b, ...) -> scores, and what it is called in the report."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from mmnb.instruments.inputs import array


class Estimator:
    """A fitted estimator of scikit-learn on [features of a, features of b, ...] as a function of its sides: logits.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> a, b = np.eye(4), np.eye(4)
        >>> f = Estimator(LogisticRegression().fit(np.hstack([a, b]), [0, 1, 2, 2]))
        >>> f(a, b).shape
        (4, 3)
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, *sides: Any) -> np.ndarray:
        x = np.hstack([array(side, "diagnose: features").reshape(len(side), -1) for side in sides])
        if hasattr(self.model, "decision_function"):
            return self.model.decision_function(x)
        if hasattr(self.model, "predict_proba"):
            return np.log(np.clip(self.model.predict_proba(x), 1e-12, None))
        return self.model.predict(x)


def scorer(model: Any, names: tuple[str, ...]) -> tuple[Callable, tuple[str, ...]]:
    """The model as a function, and the names of its arguments in order: by name where its signature has them all, else as given."""
    if not callable(model) and hasattr(model, "predict"):
        return Estimator(model), names
    if not callable(model):
        raise TypeError(
            f"diagnose: got model {type(model).__name__}; expected a function of {', '.join(names)}, or a "
            "fitted estimator"
        )
    function = getattr(model, "forward", model) if hasattr(model, "parameters") else model
    try:
        found = [p.name for p in inspect.signature(function).parameters.values()][: len(names)]
    except (TypeError, ValueError):  # no signature: written in C
        found = []
    return model, tuple(found) if sorted(found) == sorted(names) else names


def name_of(model: Any) -> str:
    """What a reader calls it: the class of a module, the name of a function."""
    while isinstance(model, functools.partial):
        model = model.func
    name = getattr(model, "__name__", type(model).__name__)
    return "a function" if name == "<lambda>" else name
