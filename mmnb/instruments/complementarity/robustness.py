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
from mmnb.instruments.batches import length, take
from mmnb.instruments.checks import check_eval_mode
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.information.variables import indices, modality
from mmnb.instruments.inputs import array, labels, mask, numbers, real
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
        f: Differentiable, (a, b) -> (n, classes) logits, or (n,) or (n, 1) logits of class 1 against 0.
        a, b, y: (n, …) real numbers, the two modalities, which stay on their device, and (n,) labels from 0. What is no
            tensor becomes float32. Token ids are no numbers: give their embeddings.
        mean_a, mean_b: Means over training rows, of the shape of one row.
        variance: Of the noise, in squared units of the input.
        epsilon: Step of the attack, in units of the input.
        range_a, range_b: Smallest and largest value allowed; None: any.
        seed, generator: Of the noise; the generator is deprecated.
        progress: Show a bar over the six corruptions; None: on a terminal only.
    Raises: TypeError on whole numbers, dicts, or scores that are no tensor; ValueError on different lengths, a mean of
        another shape, NaN in inputs or scores, negative variance or epsilon, an empty range, labels that the scores lack,
        scores without a gradient, a single column of probabilities, train mode.
    Example:
        >>> a, y, mean = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), torch.zeros(1)
        >>> found = robustness(lambda a, b: torch.cat([-a, a], 1), a, a.clone(), y, mean_a=mean, mean_b=mean)
        >>> found.clean, found.corrupted["missing"], found.ratio("missing")
        (1.0, (0.5, 1.0), 0.75)

    Source: Section 5 of the complementarity paper; N(0, 0.5) is read as a variance, as in its proposition 1.
    """
    a, b = _floats(a, "a"), _floats(b, "b")
    mean_a, mean_b = _mean(mean_a, a, "mean_a"), _mean(mean_b, b, "mean_b")
    y = torch.from_numpy(indices(y, "robustness: y", len(a)))
    if len(a) != len(b):
        raise ValueError(f"robustness: got {len(a)} rows of a, {len(b)} of b; expected one length")
    real(variance, "robustness: variance", 0)
    real(epsilon, "robustness: epsilon", 0)
    if not callable(f):
        raise TypeError(f"robustness: f: got {type(f).__name__}; expected a function (a, b) -> (n, classes)")
    for limits in (range_a, range_b):
        if limits is not None and not limits[0] <= limits[1]:
            raise ValueError(f"robustness: got a range of {limits}; expected (smallest, largest)")
    check_eval_mode(f, "robustness")
    if generator is not None:
        aliases.warn("robustness(generator=…)", "robustness(seed=…)")
    draw = torch.Generator().manual_seed(seed) if generator is None else generator
    clean = _accuracy(f, a, b, y, given=True)
    step_a, step_b = _fgsm(f, a, b, y)

    def noisy(x: Tensor, limits: tuple[float, float] | None) -> Tensor:
        return _clipped(x + variance**0.5 * torch.randn(x.shape, generator=draw, device=draw.device).to(x), limits)

    pairs = [(mean_a.expand_as(a), b), (a, mean_b.expand_as(b)), (noisy(a, range_a), b), (a, noisy(b, range_b))]
    pairs += [(_clipped(a + epsilon * step_a, range_a), b), (a, _clipped(b + epsilon * step_b, range_b))]
    hidden = None if progress is None else not progress
    bar = tqdm(pairs, desc="robustness", unit="pass", disable=hidden, leave=False)
    found = [_accuracy(f, *pair, y) for pair in bar]
    corrupted = dict(zip(KINDS, zip(found[::2], found[1::2], strict=True), strict=True))
    return Robustness(clean, corrupted, len(y))


def retrained(fit: Any, a: Any, b: Any, y: Any, *, test: np.ndarray) -> tuple[float, float]:
    """Accuracy of models retrained without a, and without b: they lose its information, but expect its absence.

    Args:
        fit: fit(x, y) -> predict, predict(x) -> (m, classes) probabilities, such as `information.mlp()`.
        a, b, y: (n, …) arrays, tensors or lists, and (n,) labels.
        test: (n,) bool, the rows to predict; the models are trained on the others.
    Raises: ValueError on different lengths, when either part has no rows, or on predictions that are NaN.
    Example:
        >>> from mmnb.instruments.information import mlp
        >>> a, test = np.repeat([[-1.0], [1.0]], 40, axis=0), np.arange(80) % 2 == 0
        >>> fit = mlp((8,), epochs=40, batch_size=8)
        >>> retrained(fit, a, np.zeros_like(a), (a[:, 0] > 0).astype(int), test=test)
        (0.5, 1.0)

    Source: Ours; the complementarity paper's "missing" fills in a mean and so mixes both losses.
    """
    a, b = modality(a, "retrained: a"), modality(b, "retrained: b")
    y = labels(y, "retrained: y", length((a, b), "retrained: (a, b)"))[0]
    test = mask(test, "retrained: test", y.shape)
    if not callable(fit) or y.max() == 0:
        raise ValueError(f"retrained: got {type(fit).__name__}, {y.max() + 1} classes; expected fit(x, y), two or more")
    if test.all() or not test.any():
        raise ValueError(f"retrained: got {int(test.sum())} of {len(test)} rows to test; expected rows on both sides")

    def accuracy(x: Any) -> float:
        old, new = (rows.nonzero()[:, 0] for rows in (~test, test))
        p = fit(take(x, old), y[old.numpy()])(take(x, new))
        p = numbers(p, "retrained: what the model gave", "(n, classes)").numpy()
        return float((p.argmax(1) == y[new.numpy()]).mean())

    return accuracy(b), accuracy(a)


def _fgsm(f: Scores, a: Tensor, b: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Signs of the loss's gradients; 0 where a modality is not used at all."""
    a, b = (x.detach().clone().requires_grad_(True) for x in (a, b))
    with torch.enable_grad():
        scores = _logits(f, a, b, y)
        if not scores.requires_grad:
            raise ValueError(
                "robustness: f gave scores without a gradient; expected a differentiable f, without no_grad"
            )
        loss = functional.cross_entropy(scores, y.to(scores.device), reduction="sum")
    gradients = torch.autograd.grad(loss, (a, b), allow_unused=True)
    return tuple(g.sign() if g is not None else torch.zeros_like(x) for g, x in zip(gradients, (a, b), strict=True))


@torch.no_grad()
def _accuracy(f: Scores, a: Tensor, b: Tensor, y: Tensor, given: bool = False) -> float:
    return (_logits(f, a, b, y, given).argmax(1).cpu() == y).double().mean().item()


def _logits(f: Scores, a: Tensor, b: Tensor, y: Tensor, given: bool = False) -> Tensor:
    """Scores (n, classes) of f, a single one against a 0 for class 0; of the pairs as they are `given`, no probabilities."""
    scores = f(a, b)
    if not isinstance(scores, Tensor):
        raise TypeError(f"robustness: f gave {type(scores).__name__}; expected a tensor (n, classes) of logits")
    if scores.shape in ((len(y),), (len(y), 1)):
        if given and 0 <= scores.min() < scores.max() <= 1:
            raise ValueError(
                "robustness: f gave one score from 0 to 1, which looks like a probability; expected a logit"
            )
        scores = torch.stack([torch.zeros_like(scores).flatten(), scores.flatten()], 1)
    if scores.ndim != 2 or len(scores) != len(y) or scores.shape[1] <= y.max() or not scores.isfinite().all():
        got = f"{tuple(scores.shape)} for {len(y)} labels up to {int(y.max())}, {int((~scores.isfinite()).sum())} not finite"
        raise ValueError(f"robustness: f gave scores {got}; expected finite ones (n, classes)")
    return scores


def _floats(x: Any, name: str) -> Tensor:
    """Real numbers as a tensor: one that is given stays as it is, on its device."""
    found = numbers(x, f"robustness: {name}", "(n, ...)")
    if array(x, name).dtype.kind != "f":
        raise TypeError(f"robustness: {name}: got whole numbers; expected real ones, which noise may be added to")
    return x.detach() if isinstance(x, Tensor) else found.float()


def _mean(mean: Any, x: Tensor, name: str) -> Tensor:
    found = numbers(array(mean, f"robustness: {name}")[None], f"robustness: {name}", "(n, ...)")[0]
    if found.shape != x.shape[1:]:
        raise ValueError(
            f"robustness: {name}: got shape {tuple(found.shape)}; expected the shape of one row, {tuple(x.shape[1:])}"
        )
    return found.to(dtype=x.dtype).to(x.device)


def _clipped(x: Tensor, limits: tuple[float, float] | None) -> Tensor:
    return x if limits is None else x.clamp(*limits)
