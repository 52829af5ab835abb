"""What a classifier of two modalities can still do when one of them is missing, noisy or attacked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mmnb.instruments.checks import refuse_train_mode

Scores = Callable[[Tensor, Tensor], Tensor]
KINDS = ("missing", "noisy", "adversarial")


@dataclass(frozen=True)
class Robustness:
    """Accuracies: `clean`, and for each kind of corruption those with a and with b corrupted."""

    clean: float
    corrupted: dict[str, tuple[float, float]]

    def ratio(self, kind: str) -> float:
        """Mean accuracy over the two corrupted modalities, divided by the clean accuracy. Raises: ValueError on an unknown kind, or clean accuracy 0."""
        if kind not in self.corrupted or self.clean == 0:
            raise ValueError(
                f"Robustness.ratio: got kind {kind!r}, clean accuracy {self.clean}; expected one of {', '.join(self.corrupted)}, above 0"
            )
        return sum(self.corrupted[kind]) / 2 / self.clean


def robustness(
    f: Scores,
    a: Tensor,
    b: Tensor,
    y: Tensor,
    *,
    mean_a: Tensor,
    mean_b: Tensor,
    generator: torch.Generator,
    variance: float = 0.5,
    epsilon: float = 0.03,
    range_a: tuple[float, float] | None = None,
    range_b: tuple[float, float] | None = None,
) -> Robustness:
    """Accuracy of `f` as it is, and with one modality replaced by its mean, with noise added, or moved by one adversarial step.

    Formula: missing, x -> mean over training rows; noisy, x -> x + N(0, variance) in every dimension; adversarial (FGSM),
    x -> x + epsilon * sign(gradient of the cross-entropy in x), clipped to the range if there is one.

    Args:    f, differentiable, (a, b) -> (n, classes) logits; a, b, float tensors (n, …); y, (n,) int64; mean_a, mean_b, of the shape of one row;
             generator, for the noise; variance, per dimension, in squared units of the input; epsilon, in units of the input; ranges of allowed values.
    Returns: `Robustness`.
    Raises:  ValueError on different lengths, a mean of another shape, NaN, a negative variance or epsilon, or a model in train mode.
    Example:
        >>> a, y = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1])
        >>> found = robustness(lambda a, b: torch.cat([-a, a], 1), a, a.clone(), y, mean_a=torch.zeros(1), mean_b=torch.zeros(1),
        ...     generator=torch.Generator().manual_seed(0))
        >>> found.clean, found.corrupted["missing"], found.ratio("missing")
        (1.0, (0.5, 1.0), 0.75)

    Source:  section 5 of the complementarity paper; N(0, 0.5) is read as a variance, as in its proposition 1. Text needs its own corruptions.
    """
    if not len(a) == len(b) == len(y) or mean_a.shape != a.shape[1:] or mean_b.shape != b.shape[1:] or not len(y):
        raise ValueError(
            f"robustness: got a {tuple(a.shape)}, b {tuple(b.shape)}, y {tuple(y.shape)}, means {tuple(mean_a.shape)}, {tuple(mean_b.shape)}; "
            "expected one length n >= 1, and means of the shape of one row"
        )
    if not (a.isfinite().all() and b.isfinite().all()) or variance < 0 or epsilon < 0:
        raise ValueError(
            f"robustness: got variance={variance}, epsilon={epsilon}; expected both from 0, and finite inputs"
        )
    refuse_train_mode(f, "robustness")

    def right(a: Tensor, b: Tensor) -> float:
        with torch.no_grad():
            return (f(a, b).argmax(1) == y).double().mean().item()

    def noisy(x: Tensor, limits: tuple[float, float] | None) -> Tensor:
        return _clipped(x + variance**0.5 * torch.randn(x.shape, generator=generator), limits)

    step_a, step_b = _fgsm(f, a, b, y)
    corrupted = {
        "missing": (right(mean_a.expand_as(a), b), right(a, mean_b.expand_as(b))),
        "noisy": (right(noisy(a, range_a), b), right(a, noisy(b, range_b))),
        "adversarial": (
            right(_clipped(a + epsilon * step_a, range_a), b),
            right(a, _clipped(b + epsilon * step_b, range_b)),
        ),
    }
    return Robustness(right(a, b), corrupted)


def retrained(fit: Any, a: Any, b: Any, y: Any, *, test: np.ndarray) -> tuple[float, float]:
    """Accuracy of models trained anew without one modality: what is lost with its information, and nothing of what is lost by a model not prepared for it.

    Args:    fit(x, y) -> predict, predict(x) -> (m, classes) probabilities, such as `information.mlp()`; a, b, (n, …) arrays or tensors; y, (n,) labels from
             0; test, (n,) bool, the rows that are asked; the models are trained on the others.
    Returns: accuracy without a, accuracy without b: the order of `Robustness.corrupted`, into which they fit as one more kind.
    Raises:  ValueError on different lengths, or when either part has no rows; TypeError when test is not bool.
    Example:
        >>> from mmnb.instruments.information import mlp
        >>> a = np.repeat([[-1.0], [1.0]], 40, axis=0)
        >>> retrained(mlp((8,), epochs=40, batch_size=8), a, np.zeros_like(a), (a[:, 0] > 0).astype(int), test=np.arange(80) % 2 == 0)
        (0.5, 1.0)

    Source:  ours; the complementarity paper's "missing" fills in a mean and so mixes both losses.
    """
    test, y = np.asarray(test), np.asarray(y)
    if test.dtype != bool:
        raise TypeError(f"retrained: got test of {test.dtype}; expected bool, one for each row")
    if not len(a) == len(b) == len(y) == len(test) or test.all() or not test.any():
        raise ValueError(
            f"retrained: got {len(a)}, {len(b)}, {len(y)} rows, {int(test.sum())} of {len(test)} to test; expected one length and rows on both sides"
        )
    parts = [[x[np.flatnonzero(rows)] for rows in (~test, test)] for x in (b, a)]
    without_a, without_b = (float((fit(old, y[~test])(new).argmax(1) == y[test]).mean()) for old, new in parts)
    return without_a, without_b


def _fgsm(f: Scores, a: Tensor, b: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Signs of the loss's gradients; 0 where a modality is not used at all."""
    a, b = (x.detach().clone().requires_grad_(True) for x in (a, b))
    with torch.enable_grad():
        loss = functional.cross_entropy(f(a, b), y, reduction="sum")
    gradients = torch.autograd.grad(loss, (a, b), allow_unused=True)
    return tuple(g.sign() if g is not None else torch.zeros_like(x) for g, x in zip(gradients, (a, b), strict=True))


def _clipped(x: Tensor, limits: tuple[float, float] | None) -> Tensor:
    return x if limits is None else x.clamp(*limits)
