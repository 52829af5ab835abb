"""Accuracy of a classifier of two modalities when one of them is missing, noisy or attacked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from mmnb import aliases
from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.result import Result

Scores = Callable[[Tensor, Tensor], Tensor]
KINDS = ("missing", "noisy", "adversarial")


@dataclass(frozen=True)
class Robustness(Result):
    """Accuracy as it is, and with one modality corrupted.

    Attributes:
        clean: Accuracy without corruption.
        corrupted: Kind of corruption -> accuracies with a and with b corrupted.
        n: Number of examples.
    """

    clean: float
    corrupted: dict[str, tuple[float, float]]
    n: int

    def estimates(self) -> dict[str, Estimate]:
        """Clean accuracy, then each corrupted one, with Wilson intervals over examples."""
        pairs = self.corrupted.items()
        shares = {f"{kind} {side}": share[k] for kind, share in pairs for k, side in enumerate("ab")}
        return {k: proportion(round(s * self.n), self.n) for k, s in {"clean": self.clean, **shares}.items()}

    def ratio(self, kind: str) -> float:
        """Mean accuracy over the two corrupted modalities, divided by the clean one. ValueError if that is 0."""
        if kind not in self.corrupted or self.clean == 0:
            kinds = ", ".join(self.corrupted)
            raise ValueError(f"ratio: got kind {kind!r}, clean accuracy {self.clean}; expected one of {kinds}, above 0")
        return sum(self.corrupted[kind]) / 2 / self.clean


def robustness(
    f: Scores,
    a: Tensor,
    b: Tensor,
    y: Tensor,
    *,
    mean_a: Tensor,
    mean_b: Tensor,
    variance: float = 0.5,
    epsilon: float = 0.03,
    range_a: tuple[float, float] | None = None,
    range_b: tuple[float, float] | None = None,
    seed: int = 0,
    progress: bool | None = None,
    generator: torch.Generator | None = None,
) -> Robustness:
    """Accuracy of `f` as it is, and with one modality replaced by its mean, with noise added, or attacked by one step.

    Formula: missing, x -> mean over training rows; noisy, x -> x + N(0, variance) in every dimension; adversarial (FGSM),
    x -> x + epsilon * sign(gradient of the cross-entropy in x), clipped to the range if there is one.
    Args:
        f: Differentiable, (a, b) -> (n, classes) logits.
        a, b, y: (n, …) float, the two modalities, and (n,) int64 labels.
        mean_a, mean_b: Means over training rows, of the shape of one row.
        variance: Of the noise, in squared units of the input.
        epsilon: Step of the attack, in units of the input.
        range_a, range_b: Smallest and largest value allowed; None: any.
        seed, generator: Of the noise; the generator is deprecated.
        progress: Show a bar over the seven evaluations; None: on a terminal only.
    Raises: ValueError on different lengths, a mean of another shape, NaN, negative variance or epsilon, train mode.
    Example:
        >>> a, y, mean = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), torch.zeros(1)
        >>> found = robustness(lambda a, b: torch.cat([-a, a], 1), a, a.clone(), y, mean_a=mean, mean_b=mean)
        >>> found.clean, found.corrupted["missing"], found.ratio("missing")
        (1.0, (0.5, 1.0), 0.75)

    Source: Section 5 of the complementarity paper; N(0, 0.5) is read as a variance, as in its proposition 1.
    """
    if not len(a) == len(b) == len(y) or mean_a.shape != a.shape[1:] or mean_b.shape != b.shape[1:] or not len(y):
        shapes = ", ".join(str(tuple(x.shape)) for x in (a, b, y, mean_a, mean_b))
        raise ValueError(f"robustness: got {shapes}; expected one length n >= 1, means of the shape of one row")
    if not (a.isfinite().all() and b.isfinite().all()) or variance < 0 or epsilon < 0:
        raise ValueError(f"robustness: got variance={variance}, epsilon={epsilon}; expected both from 0, finite inputs")
    refuse_train_mode(f, "robustness")
    if generator is not None:
        aliases.warn("robustness(generator=…)", "robustness(seed=…)")
    draw = torch.Generator().manual_seed(seed) if generator is None else generator
    step_a, step_b = _fgsm(f, a, b, y)

    def noisy(x: Tensor, limits: tuple[float, float] | None) -> Tensor:
        return _clipped(x + variance**0.5 * torch.randn(x.shape, generator=draw), limits)

    pairs = [(a, b), (mean_a.expand_as(a), b), (a, mean_b.expand_as(b)), (noisy(a, range_a), b), (a, noisy(b, range_b))]
    pairs += [(_clipped(a + epsilon * step_a, range_a), b), (a, _clipped(b + epsilon * step_b, range_b))]
    hidden = None if progress is None else not progress
    with torch.no_grad():
        bar = tqdm(pairs, desc="robustness", unit="pass", disable=hidden, leave=False)
        clean, *found = [(f(*pair).argmax(1) == y).double().mean().item() for pair in bar]
    corrupted = dict(zip(KINDS, zip(found[::2], found[1::2], strict=True), strict=True))
    return Robustness(clean, corrupted, len(y))


def retrained(fit: Any, a: Any, b: Any, y: Any, *, test: np.ndarray) -> tuple[float, float]:
    """Accuracy of models retrained without a, and without b: they lose its information, but expect its absence.

    Args:
        fit: fit(x, y) -> predict, predict(x) -> (m, classes) probabilities, such as `information.mlp()`.
        a, b, y: (n, …) arrays or tensors, and (n,) labels from 0.
        test: (n,) bool, the rows to predict; the models are trained on the others.
    Raises: ValueError on different lengths, or when either part has no rows; TypeError when `test` is not bool.
    Example:
        >>> from mmnb.instruments.information import mlp
        >>> a, test = np.repeat([[-1.0], [1.0]], 40, axis=0), np.arange(80) % 2 == 0
        >>> fit = mlp((8,), epochs=40, batch_size=8)
        >>> retrained(fit, a, np.zeros_like(a), (a[:, 0] > 0).astype(int), test=test)
        (0.5, 1.0)

    Source: Ours; the complementarity paper's "missing" fills in a mean and so mixes both losses.
    """
    test, y = np.asarray(test), np.asarray(y)
    if test.dtype != bool:
        raise TypeError(f"retrained: got test of {test.dtype}; expected bool, one for each row")
    if not len(a) == len(b) == len(y) == len(test) or test.all() or not test.any():
        got = f"{len(a)}, {len(b)}, {len(y)} rows, {int(test.sum())} of {len(test)} to test"
        raise ValueError(f"retrained: got {got}; expected one length and rows on both sides")
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
