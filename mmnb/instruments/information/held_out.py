"""Entropies of a label from classifiers: what cross-fitted classifiers, asked about rows they were not trained on, still do not know."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold

from mmnb.instruments.information.variables import labels

Predict = Callable[[Any], np.ndarray]
Fit = Callable[[Any, np.ndarray], Predict]
_SURE = 1e-7  # probabilities below this count as this: float32 classifiers return exact zeros, which would cost infinitely much


def held_out_losses(
    x: Any, y: Any, classifier: BaseEstimator | Fit, *, folds: int | np.ndarray = 5, seed: int = 0, temper: bool = True
) -> np.ndarray:
    """Loss of each row, -log p(y|x), under a classifier that has not seen it. Its mean is an upper bound of H(Y|X), up to sampling.

    Formula: the rows are dealt into folds; for each, a fresh classifier is fitted on the other folds. With `temper` its probabilities p are
    drawn towards the class shares pi: p' ~ pi (p / pi)^beta, beta >= 0 being the one that serves the *other* folds best. beta < 1 mends a
    classifier that is too sure of itself; beta = 0 knows nothing and costs H(Y).

    Args:    x, (n, …) array or tensor, or a tuple of such for several modalities; y, (n,) whole numbers; classifier, a scikit-learn
             classifier (cloned; x is flattened, tuples are joined) or a function fit(x, y) -> predict with predict(x) -> (m, classes)
             probabilities, labels numbered from 0 in the order of their values; folds, their number, or (n,) with the fold of each row;
             seed, for dealing folds.
    Returns: (n,) nats.
    Raises:  TypeError on real-valued labels; ValueError on constant labels, a class with fewer examples than folds (or missing from a
             training part), lengths that differ, or probabilities of another shape.
    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> x = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> bool(held_out_losses(x, (x[:, 0] > 0).astype(int), LogisticRegression(C=1e4)).mean() < 0.01)
        True

    Source:  cross-fitting as in double machine learning; the tempering is ours (temperature scaling, Guo et al. 2017, draws towards equal
             shares instead).
    """
    if isinstance(folds, int | np.integer) and folds < 2:
        raise ValueError(f"held_out_losses: got folds={folds}; expected at least 2")
    given = None if isinstance(folds, int | np.integer) else np.asarray(folds)
    y = labels(y, "held_out_losses", fewest=2 if given is not None else int(folds))
    if not (isinstance(classifier, BaseEstimator) or callable(classifier)):
        raise TypeError(
            f"held_out_losses: got {type(classifier).__name__}; expected a scikit-learn classifier or a function fit(x, y)"
        )
    if rows(x) != len(y) or (given is not None and given.shape != y.shape):
        raise ValueError(
            f"held_out_losses: got {rows(x)} rows of x, {len(y)} labels, folds {folds}; expected one length"
        )
    fold = given if given is not None else _deal(y, int(folds), seed)
    shares = np.bincount(y) / len(y)
    log_p = np.empty((len(y), len(shares)))
    for k in np.unique(fold):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len(np.unique(y[train])) < len(shares):
            raise ValueError(
                f"held_out_losses: without fold {k} a class is missing from training; expected all {len(shares)} classes there"
            )
        p = np.asarray(_fit(classifier, take(x, train), y[train])(take(x, test)), dtype=np.float64)
        if p.shape != (len(test), len(shares)) or not np.isfinite(p).all():
            raise ValueError(
                f"held_out_losses: the classifier gave probabilities {p.shape}; expected finite {(len(test), len(shares))}"
            )
        log_p[test] = np.log(np.maximum(p, _SURE))
    if not temper:
        log_p -= np.logaddexp.reduce(log_p, axis=1, keepdims=True)
        return -log_p[np.arange(len(y)), y]
    losses = np.empty(len(y))
    for k in np.unique(fold):
        others = fold != k
        losses[~others] = tempered_losses(log_p[~others], y[~others], shares, on=(log_p[others], y[others]))
    return losses


def tempered_losses(
    log_p: np.ndarray, y: np.ndarray, shares: np.ndarray, *, on: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Losses -log p'(y) after drawing probabilities towards the class shares, by as much as serves other rows best.

    Formula: p' ~ shares (p / shares)^beta, beta from 0 to 3 with the least mean loss on the rows `on`.

    Args:    log_p (n, classes); y (n,) labels from 0; shares (classes,), all above 0; on, the same two of other rows, such as validation.
    Returns: (n,) nats.
    Raises:  ValueError on shapes that differ, or shares that are not above 0.
    Example:
        >>> sure, half = np.log([[0.999, 0.001]] * 4), np.array([0.5, 0.5])
        >>> tempered_losses(sure, np.array([0, 1, 0, 1]), half, on=(sure, np.array([0, 0, 1, 1]))).round(2)  # right every second time
        array([0.69, 0.69, 0.69, 0.69])

    Source:  temperature scaling (Guo et al. 2017), which draws towards equal shares instead.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if any(len(p) != len(label) or p.shape[1:] != shares.shape for p, label in ((log_p, y), on)) or shares.min() <= 0:
        raise ValueError(
            f"tempered_losses: got log_p {log_p.shape}, {len(y)} labels, on {on[0].shape}, {len(on[1])} labels, shares {shares}; "
            "expected (n, classes), (n,) twice, and shares above 0"
        )
    beta = minimize_scalar(lambda b: _tempered(*on, shares, b).mean(), bounds=(0, 3), method="bounded").x
    return _tempered(log_p, y, shares, float(beta))


def _tempered(log_p: np.ndarray, y: np.ndarray, shares: np.ndarray, beta: float) -> np.ndarray:
    scores = np.log(shares) + beta * (log_p - np.log(shares))
    return np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), y]


def _deal(y: np.ndarray, k: int, seed: int) -> np.ndarray:
    fold = np.empty(len(y), dtype=np.int64)
    for number, (_, test) in enumerate(StratifiedKFold(k, shuffle=True, random_state=seed).split(np.zeros(len(y)), y)):
        fold[test] = number
    return fold


def _fit(classifier: BaseEstimator | Fit, x: Any, y: np.ndarray) -> Predict:
    if not isinstance(classifier, BaseEstimator):
        return classifier(x, y)
    model = clone(classifier).fit(flat(x), y)
    return lambda new: model.predict_proba(flat(new))


def rows(x: Any) -> int:
    """Number of rows of an array, or of a tuple of them. Raises: ValueError when the parts differ."""
    lengths = {len(part) for part in x} if isinstance(x, tuple) else {len(x)}
    if len(lengths) != 1:
        raise ValueError(f"the modalities have {sorted(lengths)} rows; expected one length")
    return lengths.pop()


def take(x: Any, index: np.ndarray) -> Any:
    """The rows `index` of an array or tensor, or of each of a tuple."""
    if isinstance(x, tuple):
        return tuple(take(part, index) for part in x)
    return x[torch.from_numpy(index)] if isinstance(x, torch.Tensor) else np.asarray(x)[index]


def flat(x: Any) -> np.ndarray:
    """One (n, d) array of everything in x."""
    if isinstance(x, tuple):
        return np.concatenate([flat(part) for part in x], axis=1)
    array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    return array.reshape(len(array), -1)
