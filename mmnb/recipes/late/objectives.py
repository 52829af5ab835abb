"""What the training of a late-fusion model minimises, and which weights it moves: `fit(model, batches, objective, …)`.

All losses are means over the batch. With a leading axis of replicas (see `stack_models`) they are summed over it, so that each replica
gets its own gradient. N is the batch size, r the number of replicas, C of classes.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.recipes.late.model import JOINT, LateModel

Parts = dict[str, Tensor]


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over the batch, sum over replicas: logits (N, C), label (N,), or (r, N, C), (r, N); labels whole, from 0 to C - 1."""
    check_labels(logits, label, "cross_entropy")
    replicas = len(logits) if logits.ndim == 3 else 1
    return replicas * functional.cross_entropy(logits.flatten(0, -2), label.flatten())


def check_labels(logits: Tensor, label: Tensor, caller: str) -> None:
    """Raise where labels do not name a column of the logits each: torch leaves out -100 without a word, and refuses the rest in its own."""
    shapes = f"logits {tuple(logits.shape)} and label {tuple(label.shape)} {label.dtype}"
    if logits.ndim < 2 or logits.shape[:-1] != label.shape or label.dtype != torch.int64 or not len(label):
        raise ValueError(f"{caller}: got {shapes}; expected (N, C) and (N,) int64, or (r, N, C) and (r, N), N >= 1")
    low, high = int(label.min()), int(label.max())
    if low < 0 or high >= logits.shape[-1]:
        raise ValueError(f"{caller}: got labels from {low} to {high}; expected 0 to {logits.shape[-1] - 1}")


@dataclass(frozen=True)
class Objective:
    """Joint training, and the base of all others: cross-entropy of the fused logits; encoders and head are trained."""

    def check(self, model: LateModel) -> None:
        """Raise if the model lacks a part that this objective needs."""

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        """The weights that are trained."""
        yield from model.encoders.parameters()
        yield from model.head.parameters()

    def mode(self, model: LateModel) -> None:
        """Put the trained parts in train mode."""
        model.train()

    def units(self, model: LateModel) -> dict[str, nn.Module]:
        """Modules stopped together by early stopping, keyed by the held-out loss that decides."""
        return {JOINT: model}

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        """The loss, and its parts for the learning curves: "joint", and one per modality where the head has `alone`."""
        return _joint_loss(model, model.features(inputs), label)

    def after_backward(self, model: LateModel, epoch: int) -> None:
        """Change the gradients before the optimiser's step."""


Joint = Objective


@dataclass(frozen=True)
class Unimodal(Objective):
    """Every modality by itself: encoder m and its own head minimise the cross-entropy of that head, in one pass. They share no weight."""

    def check(self, model: LateModel) -> None:
        _need_heads(model, "Unimodal")

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        yield from model.encoders.parameters()
        yield from model.heads.parameters()

    def units(self, model: LateModel) -> dict[str, nn.Module]:
        return {name: nn.ModuleList([model.encoders[name], model.heads[name]]) for name in model.names}

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        parts = {name: cross_entropy(model.heads[name](features[name]), label) for name in model.names}
        return sum(parts.values()), parts


@dataclass(frozen=True)
class UnimodalTeachers(Objective):
    """Uni-modal teachers (UMT): joint loss + sum_m lam_m * mean squared distance of phi_m(x_m) to the teacher's features / variance_m.

    `teachers` are encoders in eval mode by name; no gradient reaches them. `lam`, one number or name to number, is the weight of the distance;
    0 gives joint training, bit for bit. `variance`, name to number or to a tensor (r,) with r replicas, is what the distance is measured in
    (see `feature_variance`); None leaves it in the units of the features, which differ from data to data.

    Source:
        Du et al., ICML 2023, our reading of the abstract: features before fusion, frozen teachers, students from scratch. The exact
        distance and its weight are ours.
    """

    teachers: Mapping[str, nn.Module] = field(repr=False)
    lam: float | Mapping[str, float] = 1.0
    variance: Mapping[str, float | Tensor] | None = field(default=None, repr=False)

    def check(self, model: LateModel) -> None:
        if self.variance is not None and set(self.variance) != set(model.names):
            raise ValueError(f"UnimodalTeachers: got variances of {sorted(self.variance)}; expected {model.names}")
        if set(self.teachers) != set(model.names):
            raise ValueError(f"UnimodalTeachers: got teachers {sorted(self.teachers)}; expected {sorted(model.names)}")
        if isinstance(self.lam, Mapping) and set(self.lam) != set(model.names):
            raise ValueError(f"UnimodalTeachers: got lam for {sorted(self.lam)}; expected one number or {model.names}")
        own = {id(parameter) for parameter in model.parameters()}
        for name, teacher in self.teachers.items():
            if any(part.training for part in teacher.modules()):
                raise ValueError(f"UnimodalTeachers: the teacher of {name} is in train mode; expected eval mode")
            if any(id(parameter) in own for parameter in teacher.parameters()):
                raise ValueError(
                    f"UnimodalTeachers: the teacher of {name} shares weights with the model; expected a copy"
                )

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        total, parts = _joint_loss(model, features, label)
        for name, student in features.items():
            with torch.no_grad():
                target = self.teachers[name](inputs[name])
            each = (student - target).square().mean((-2, -1))  # one number, or one for each replica
            distance = (each if self.variance is None else each / self.variance[name]).sum()
            total = total + (self.lam[name] if isinstance(self.lam, Mapping) else self.lam) * distance
            parts[f"distance {name}"] = distance
        return total, parts


@torch.no_grad()
def feature_variance(encoders: Mapping[str, nn.Module], inputs: Mapping) -> dict[str, Tensor]:
    """Variance of each encoder's features over the examples, mean over features: name -> (), or (r,) with r replicas."""
    return {name: encoder(inputs[name]).var(-2).mean(-1) for name, encoder in encoders.items()}


@dataclass(frozen=True)
class LinearHead(Objective):
    """A new multimodal head on frozen encoders, which stay in eval mode."""

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        yield from model.head.parameters()

    def mode(self, model: LateModel) -> None:
        model.eval()
        model.head.train()

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        with torch.no_grad():
            features = model.features(inputs)
        return _joint_loss(model, features, label)


@dataclass(frozen=True)
class ModalityDropout(Objective):
    """In every example each modality's features become 0 with probability p; where all would, one random modality stays."""

    p: float = 0.3

    def check(self, model: LateModel) -> None:
        if not 0 <= self.p < 1:
            raise ValueError(f"ModalityDropout: got p={self.p}; expected from 0 to below 1")

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        kept = self.draw(len(features), label.shape).to(label.device)
        masked = {name: feature * kept[k][..., None] for k, (name, feature) in enumerate(features.items())}
        return _joint_loss(model, features, label, masked)

    def draw(self, modalities: int, shape: torch.Size) -> Tensor:
        """1 where a modality stays: (modalities, *shape), never all 0 along the first axis; from torch's global generator."""
        kept = torch.rand(modalities, *shape) >= self.p
        spared = functional.one_hot(torch.randint(modalities, shape), modalities).movedim(-1, 0).bool()
        return torch.where(kept.any(0), kept, spared).float()


@dataclass(frozen=True)
class OgmGe(Objective):
    """OGM-GE: joint loss, but the gradient of the modality that is ahead is scaled down, and every encoder's gets noise.

        s_u = sum over the batch of softmax(out_u)[label],   rho_u = mean over v != u of s_u / s_v,
        k_u = 1 - tanh(alpha rho_u) where rho_u > 1, else 1;   gradient of encoder u: g -> k_u g + N(0, std(g)^2)

    With two modalities rho_u is the plain ratio of the paper. k_u jumps at rho = 1, from 1 to 1 - tanh(alpha). Every parameter of an
    encoder is modulated; the published code changes 4-D tensors only, so that an MLP stays as it is.

    Args:
        alpha: Strength of the modulation, 0 or above.
        noise: Whether to add the noise (the "GE"), with the standard deviation of each tensor's unscaled gradient.
        epochs: First epoch that is modulated, and one past the last (published: 0 to 50 of 100).

    Source:
        Peng et al., CVPR 2022, equation 10 and the description of the released code; written anew from the formulas. More than two
        modalities: the mean of the pairwise ratios, as the authors advise.
    """

    alpha: float = 0.3
    noise: bool = True
    epochs: tuple[int, int] = (0, 50)
    found: dict = field(default_factory=dict, repr=False, compare=False)  # of the last step: "k", "tensors" changed

    def check(self, model: LateModel) -> None:
        if not hasattr(model.head, "alone"):
            raise TypeError(
                f"OgmGe: {type(model.head).__name__} has no method `alone`; expected the head of a single model that gives each "
                "modality's part of the logits, such as Concat"
            )

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        scores = {name: confidence(logits, label) for name, logits in _alone(model, features).items()}
        self.found["k"] = coefficients(scores, self.alpha)
        return _joint_loss(model, features, label)

    def after_backward(self, model: LateModel, epoch: int) -> None:
        if self.epochs[0] <= epoch < self.epochs[1]:
            for name, k in self.found["k"].items():
                changed = scale_gradients(model.encoders[name].parameters(), k, noise=self.noise)
                self.found.setdefault("tensors", {})[name] = changed


@dataclass(frozen=True)
class GradientBlending(Objective):
    """Weighted losses of the joint head and of every modality's own head: L = sum_i w_i L_i.

    `weights` maps "joint" and the modalities to w_i, not negative, sum above 0 (see `mmnb.blending.weights`); with r replicas each w_i may be
    a tensor (r,). Only what has a loss is trained: a head whose weight is 0 (for every replica) is left out, so that no weight decay wears
    it down, and so is an encoder when neither its own loss nor the joint one counts.
    Source: Wang, Tran & Feiszli, CVPR 2020, section 3.3.
    """

    weights: Mapping[str, float | Tensor]

    def check(self, model: LateModel) -> None:
        _need_heads(model, "GradientBlending")
        names, values = [JOINT, *model.names], [torch.as_tensor(w, dtype=torch.float64) for w in self.weights.values()]
        total = sum(values)
        if set(self.weights) != set(names) or any((w < 0).any() for w in values) or not (total > 0).all():
            raise ValueError(
                f"GradientBlending: got weights {dict(self.weights)}; expected {names}, none below 0, sum above 0"
            )

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        counts = {name: bool((torch.as_tensor(w) > 0).any()) for name, w in self.weights.items()}
        for name in model.names:
            if counts[JOINT] or counts[name]:
                yield from model.encoders[name].parameters()
        for name, head in [(JOINT, model.head), *model.heads.items()]:
            if counts[name]:
                yield from head.parameters()

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        found = model.logits(inputs)
        parts = {name: cross_entropy(logits, label) for name, logits in found.items()}
        if not any(isinstance(w, Tensor) for w in self.weights.values()):
            return sum(self.weights[name] * part for name, part in parts.items()), parts
        total = 0.0
        for name, logits in found.items():
            each = functional.cross_entropy(logits.flatten(0, -2), label.flatten(), reduction="none")
            total = total + (torch.as_tensor(self.weights[name]).to(each) * each.view(label.shape).mean(-1)).sum()
        return total, parts


def _alone(model: LateModel, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each modality's part of the fused logits, without gradient; nothing where the head has no parts."""
    if not hasattr(model.head, "alone"):
        return {}
    with torch.no_grad():
        return {name: model.head.alone(k, features[name]) for k, name in enumerate(model.names)}


def _joint_loss(model: LateModel, features: Parts, label: Tensor, masked: Parts | None = None) -> tuple[Tensor, Parts]:
    task = cross_entropy(model.fuse(features if masked is None else masked), label)
    parts = {name: cross_entropy(logits, label) for name, logits in _alone(model, features).items()}
    return task, {JOINT: task} | parts


def _need_heads(model: LateModel, objective: str) -> None:
    if not model.heads:
        raise ValueError(f"{objective}: the model has no heads for single modalities; expected LateModel(…, heads=…)")


def coefficients(scores: Mapping[str, float], alpha: float) -> dict[str, float]:
    """k_u of `OgmGe` for every modality, from 0 (where tanh rounds to 1) to 1, from s_u above 0 of two or more.

    The strength alpha is 0 or above (published: 0.1 for VGGSound, 0.8 for CREMA-D).

    >>> {name: round(k, 3) for name, k in coefficients({"audio": 3.0, "video": 2.0}, alpha=0.8).items()}
    {'audio': 0.166, 'video': 1}
    """
    if len(scores) < 2 or not all(math.isfinite(s) and s > 0 for s in scores.values()):
        raise ValueError(f"coefficients: got scores {dict(scores)}; expected two or more, all above 0")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"coefficients: got alpha={alpha}; expected 0 or above")
    found = {}
    for name, score in scores.items():
        rho = sum(score / other for v, other in scores.items() if v != name) / (len(scores) - 1)
        found[name] = 1 - math.tanh(alpha * rho) if rho > 1 else 1
    return found


def confidence(logits: Tensor, label: Tensor) -> float:
    """s_u, the batch's sum of the probability of the true class; logits (b, classes), label (b,) int64, from 0."""
    check_labels(logits, label, "confidence")
    return logits.detach().softmax(-1).gather(-1, label[:, None]).sum().item()


def scale_gradients(
    parameters: Iterable[nn.Parameter], k: float, *, noise: bool, generator: torch.Generator | None = None
) -> int:
    """Replace every gradient g by k g, plus N(0, std(g)^2) with `noise`, from `generator` or torch's global one.

    Returns the number of tensors changed: those without a gradient are left out, but if none has one, that is an error.

    >>> layer = nn.Linear(2, 1)
    >>> layer(torch.ones(1, 2)).sum().backward()
    >>> scale_gradients(layer.parameters(), 0.5, noise=False), layer.weight.grad.tolist()
    (2, [[0.5, 0.5]])
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        raise ValueError("scale_gradients: no parameter has a gradient; expected at least one, after backward()")
    for gradient in gradients:
        spread = gradient.std().item() if noise and gradient.numel() > 1 else 0.0
        gradient.mul_(k)
        if spread > 0:
            gradient.add_(torch.randn(gradient.shape, generator=generator).to(gradient), alpha=spread)
    return len(gradients)
