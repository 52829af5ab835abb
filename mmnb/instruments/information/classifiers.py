"""Conditional entropies of a label: losses of cross-fitted classifiers on rows that they were not trained on.

Classifiers are those of scikit-learn, or functions `fit(a, y) -> predict`, such as `trained` and `mlp` of torch.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from mmnb.instruments.batches import length, take
from mmnb.instruments.information.variables import indices, modality
from mmnb.instruments.inputs import array, labels, numbers, whole

Predict = Callable[[Any], np.ndarray]
Fit = Callable[[Any, np.ndarray], Predict]
_SUM = 1e-3  # how far a row of probabilities may sum from 1: half precision
_LEAST = 1e-7  # smaller probabilities count as this: float32 classifiers return exact zeros, whose loss is infinite


def held_out_losses(
    a: Any,
    y: Any,
    classifier: BaseEstimator | Fit,
    *,
    folds: int | np.ndarray = 5,
    seed: int = 0,
    calibrate: bool = True,
    progress: bool | None = None,
) -> np.ndarray:
    """Loss of each row, -log p(y|a), (n,) nats, under a classifier that was not trained on it.

    The mean is an upper bound of H(Y|A), up to sampling. With `calibrate` the probabilities p are shrunk towards the class
    shares pi, p' ~ pi (p / pi)^beta, with the beta >= 0 that is best on the *other* folds, so that an overconfident
    classifier is not mistaken for an uninformative one; at beta = 0 the loss is H(Y).

    Args:
        a: (n, …) array or tensor, or a tuple of such for several modalities; a list is n examples.
        y: (n,) labels: whole numbers or text.
        classifier: A scikit-learn classifier (cloned; inputs are flattened, tuples concatenated) or a function
            fit(a, y) -> predict with predict(a) -> (m, classes) probabilities; y numbered from 0 in the order of its values.
        folds: Number of folds, or (n,) with the fold of each row.
        seed, calibrate: Of the folds; whether to shrink the probabilities.
        progress: Show a bar over folds; None: on a terminal only.
    Raises: TypeError on real-valued labels; ValueError on constant labels, a class with fewer examples than folds (or
        missing from a training part), lengths that differ, or anything from the classifier that is not probabilities.
    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> a = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> bool(held_out_losses(a, (a[:, 0] > 0).astype(int), LogisticRegression(C=1e4)).mean() < 0.01)
        True

    Source: Cross-fitting as in double machine learning; the calibration is ours, see `calibrated_losses`.
    """
    if not (isinstance(classifier, BaseEstimator) or callable(classifier)):
        raise TypeError(f"held_out_losses: got {type(classifier).__name__}; expected a classifier, or fit(a, y)")
    a = modality(a, "held_out_losses: a")
    n, dealt = length(a, "held_out_losses: a"), not hasattr(folds, "__len__")
    folds = whole(folds, "held_out_losses: folds", 2) if dealt else labels(folds, "held_out_losses: folds", n)[0]
    y = labels(y, "held_out_losses: y", n, fewest=folds if dealt else 2)[0]
    fold = _deal(y, folds, seed) if dealt else folds
    shares = np.bincount(y) / len(y)
    log_p = np.empty((len(y), len(shares)))
    hidden = None if progress is None else not progress
    for k in tqdm(np.unique(fold), desc="held_out_losses", unit="fold", disable=hidden, leave=False):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len(np.unique(y[train])) < len(shares):
            raise ValueError(f"held_out_losses: without fold {k} a class is missing; expected all {len(shares)}")
        predict = _fit(classifier, take(a, torch.from_numpy(train)), y[train])
        p = predict(take(a, torch.from_numpy(test)))
        p = numbers(p, "held_out_losses: what the classifier gave", "(n, classes)").numpy()
        off = np.abs(p.sum(1) - 1).max()
        if p.shape != (shape := (len(test), len(shares))) or p.min() < 0 or off > _SUM:
            got = f"{p.shape} from {p.min():.3g}, sums of rows off 1 by {off:.3g}"
            raise ValueError(
                f"held_out_losses: the classifier gave {got}; expected probabilities {shape}, no logarithms"
            )
        log_p[test] = np.log(np.maximum(p, _LEAST))
    if not calibrate:
        log_p -= np.logaddexp.reduce(log_p, axis=1, keepdims=True)
        return -log_p[np.arange(len(y)), y]
    losses = np.empty(len(y))
    for k in np.unique(fold):
        others = fold != k
        losses[~others] = calibrated_losses(log_p[~others], y[~others], shares, on=(log_p[others], y[others]))
    return losses


def calibrated_losses(
    log_p: np.ndarray, y: np.ndarray, shares: np.ndarray, *, on: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Losses -log p'(y), (n,) nats, after shrinking probabilities towards the class shares, as is best on other rows.

    Formula: p' ~ shares (p / shares)^beta, beta from 0 to 3 with the least mean loss on the rows `on`.
    Args:
        log_p, y: (n, classes) log-probabilities, and (n,) labels from 0.
        shares: (classes,), all above 0.
        on: (log_p, y) of other rows, such as a validation split.
    Raises: ValueError on shapes that differ, or shares that are not above 0.
    Example:
        >>> sure, half = np.log([[0.999, 0.001]] * 4), np.array([0.5, 0.5])  # correct every second time:
        >>> calibrated_losses(sure, np.array([0, 1, 0, 1]), half, on=(sure, np.array([0, 0, 1, 1]))).round(2)
        array([0.69, 0.69, 0.69, 0.69])

    Source: Temperature scaling (Guo et al. 2017), which shrinks towards equal shares instead.
    """
    name = "calibrated_losses"
    if not (isinstance(on, tuple | list) and len(on) == 2):
        raise TypeError(f"{name}: on: got {type(on).__name__}; expected (log_p, y) of other rows")
    shares = numbers(shares, f"{name}: shares", "(classes,)").numpy()
    (log_p, y), on = (
        (numbers(p, f"{name}: log_p", "(n, classes)").numpy(), indices(label, f"{name}: y", len(p)))
        for p, label in ((log_p, y), on)
    )
    most = max(y.max(), on[1].max())
    if not log_p.shape[1] == on[0].shape[1] == len(shares) > most or shares.min() <= 0:
        got = f"log_p {log_p.shape}, on {on[0].shape}, labels up to {most}, shares {shares}"
        raise ValueError(f"{name}: got {got}; expected (n, classes) twice, labels below classes, and shares above 0")
    beta = minimize_scalar(lambda b: _shrunk(*on, shares, b).mean(), bounds=(0, 3), method="bounded").x
    return _shrunk(log_p, y, shares, float(beta))


def _shrunk(log_p: np.ndarray, y: np.ndarray, shares: np.ndarray, beta: float) -> np.ndarray:
    scores = np.log(shares) + beta * (log_p - np.log(shares))
    return np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), y]


def _deal(y: np.ndarray, k: int, seed: int) -> np.ndarray:
    fold = np.empty(len(y), dtype=np.int64)
    for number, (_, test) in enumerate(StratifiedKFold(k, shuffle=True, random_state=seed).split(np.zeros(len(y)), y)):
        fold[test] = number
    return fold


def _fit(classifier: BaseEstimator | Fit, a: Any, y: np.ndarray) -> Predict:
    if not isinstance(classifier, BaseEstimator):
        return classifier(a, y)
    try:
        model = clone(classifier).fit(_flat(a), y)
    except ValueError as error:  # NaN or text: some classifiers take them, others say that they do not
        got = f"{type(classifier).__name__} refused its inputs ({str(error).splitlines()[0]})"
        raise ValueError(f"held_out_losses: {got}; expected finite numbers, or a classifier for such data") from error
    return lambda new: model.predict_proba(_flat(new))


def _flat(a: Any) -> np.ndarray:
    """One (n, d) array of everything in a."""
    if isinstance(a, tuple):
        return np.concatenate([_flat(part) for part in a], axis=1)
    found = array(a, "held_out_losses: a")
    return found.reshape(len(found), -1)


def trained(
    make: Callable[[Any, int], nn.Module],
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
) -> Fit:
    """A classifier that trains a fresh network by cross-entropy with AdamW and a one-cycle learning rate.

    Args:
        make: (a, classes) -> network; network(a) -> (m, classes) logits, or network(*a) where a is a tuple.
        epochs: All are used; nothing is stopped early.
        batch_size, weight_decay: Of AdamW.
        learning_rate: Its peak.
        seed: Of weights and batches; torch's global generator stays as it was.
    Returns: fit(a, y) -> predict, for `held_out_losses`; `predict.model` is the network.
    Raises: ValueError on counts below 1; FloatingPointError when fitting, if the loss is not finite.
    """
    epochs, batch_size = whole(epochs, "trained: epochs"), whole(batch_size, "trained: batch_size")

    def fit(a: Any, y: np.ndarray) -> Predict:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            a, label = _tensors(a), torch.from_numpy(indices(y, "trained: y", length(a)))
            parts = a if isinstance(a, tuple) else (a,)
            model = make(a, int(label.max()) + 1).train()
            n = length(a)
            steps = epochs * -(-n // batch_size)
            optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=max(steps, 2))
            for _ in range(epochs):
                for index in torch.randperm(n).split(batch_size):
                    loss = functional.cross_entropy(model(*(part[index] for part in parts)), label[index])
                    if not loss.isfinite():
                        raise FloatingPointError(
                            f"trained: the loss is {loss.item()}; expected finite inputs, or a smaller learning_rate"
                        )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
        model.eval()

        def predict(new: Any) -> np.ndarray:
            new = _tensors(new)
            with torch.no_grad():
                logits = model(*new) if isinstance(new, tuple) else model(new)
            return logits.double().softmax(1).numpy()

        predict.model = model
        return predict

    return fit


def mlp(hidden: Sequence[int] = (128,), **options: Any) -> Fit:
    """`trained` with a perceptron on the flattened and concatenated modalities, standardised on the training rows.

    Args:
        hidden: Widths of the hidden layers.
        options: As for `trained`.
    Example:
        >>> a = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> predict = mlp((8,), epochs=100, batch_size=5)(a, (a[:, 0] > 0).astype(int))
        >>> bool(predict(np.array([[1.0]]))[0, 1] > 0.9)
        True
    """
    return trained(lambda a, classes: Perceptron(a, hidden, classes), **options)


class Perceptron(nn.Module):
    """Standardised inputs, hidden layers with ReLU, logits. Takes one modality, or several and concatenates them."""

    def __init__(self, a: Any, hidden: Sequence[int], classes: int) -> None:
        super().__init__()
        inputs = self._join(*a) if isinstance(a, tuple) else self._join(a)
        self.register_buffer("mean", inputs.mean(0))
        scale = inputs.std(0, correction=0)
        self.register_buffer("scale", torch.where(scale > 0, scale, 1.0))
        widths = [inputs.shape[1], *hidden]
        layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    @staticmethod
    def _join(*modalities: Tensor) -> Tensor:
        return torch.cat([part.flatten(1).float() for part in modalities], 1)

    def forward(self, *modalities: Tensor) -> Tensor:
        return self.body((self._join(*modalities) - self.mean) / self.scale)


def _tensors(a: Any) -> Any:
    if isinstance(a, tuple):
        return tuple(_tensors(part) for part in a)
    found = array(a, "trained: a")
    if found.dtype.kind == "U":
        raise TypeError("trained: a: got text; expected numbers")
    tensor = torch.from_numpy(np.require(found, requirements="CW"))  # memory maps are read-only
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    return tensor[:, None] if tensor.ndim == 1 else tensor
