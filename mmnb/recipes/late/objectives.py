"""Ways to train one late-fusion model: what is minimised, and which weights move. `fit(model, batches, way, …)` does the rest.

All losses are means over the batch. With a leading axis of replicates (see `replicates`) they are summed over it, so that the gradient of
each replicate is its own. N is a batch, r replicates, C classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.recipes.late import modulation
from mmnb.recipes.late.model import JOINT, LateModel

Parts = dict[str, Tensor]


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over the batch, sum over replicates: logits (N, C), label (N,), or (r, N, C), (r, N)."""
    replicates = len(logits) if logits.ndim == 3 else 1
    return replicates * functional.cross_entropy(logits.flatten(0, -2), label.flatten())


@dataclass(frozen=True)
class Way:
    """Joint training, and the base of all others: cross-entropy of the fused logits; encoders and head move."""

    def check(self, model: LateModel) -> None:
        """Raise where the model lacks what this way needs."""

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        """What the optimiser moves."""
        yield from model.encoders.parameters()
        yield from model.head.parameters()

    def mode(self, model: LateModel) -> None:
        """Train mode, where it belongs."""
        model.train()

    def units(self, model: LateModel) -> dict[str, nn.Module]:
        """What early stopping stops together, under the name of the loss that decides."""
        return {JOINT: model}

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        """What is minimised, and its parts for the learning curves: "joint", and each modality's part of the logits where the head has parts."""
        features = model.features(inputs)
        task = cross_entropy(model.fuse(features), label)
        return task, {JOINT: task} | _alone(model, features, label)

    def after_backward(self, model: LateModel, epoch: int) -> None:
        """What happens to gradients before the step."""


Joint = Way


@dataclass(frozen=True)
class Alone(Way):
    """Every modality by itself: encoder m and its own head on the cross-entropy of that head. The joint head does not move.

    One pass trains all modalities, yet none touches another: there is no weight that two of them share.
    """

    def check(self, model: LateModel) -> None:
        _need_heads(model, "Alone")

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
class Umt(Way):
    """Uni-modal teachers (UMT): joint loss + sum_m lam_m * mean squared distance of phi_m(x_m) to the teacher's features.

    Args:
        teachers: name -> encoder in eval mode, frozen here: they run without gradient and no optimiser sees them.
        lam: weight of the distance, one number or name -> number; 0 gives joint training, bit for bit.
    Source: Du et al., ICML 2023, our reading of the abstract: features before fusion, teachers frozen, students from scratch. The exact
        distance and its weight are ours.
    """

    teachers: Mapping[str, nn.Module] = field(repr=False)
    lam: float | Mapping[str, float] = 1.0

    def check(self, model: LateModel) -> None:
        if set(self.teachers) != set(model.names):
            raise ValueError(f"Umt: got teachers {sorted(self.teachers)}; expected {sorted(model.names)}")
        if isinstance(self.lam, Mapping) and set(self.lam) != set(model.names):
            raise ValueError(f"Umt: got lam for {sorted(self.lam)}; expected one number, or {sorted(model.names)}")
        own = {id(parameter) for parameter in model.parameters()}
        for name, teacher in self.teachers.items():
            if any(part.training for part in teacher.modules()):
                raise ValueError(f"Umt: the teacher of {name} is in train mode; expected eval mode, call .eval() first")
            if any(id(parameter) in own for parameter in teacher.parameters()):
                raise ValueError(f"Umt: the teacher of {name} shares weights with the model; expected a copy")

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        task = cross_entropy(model.fuse(features), label)
        total, parts = task, {JOINT: task} | _alone(model, features, label)
        for name, student in features.items():
            with torch.no_grad():
                target = self.teachers[name](inputs[name])
            replicates = len(student) if student.ndim == 3 else 1
            distance = replicates * functional.mse_loss(student, target)
            total = total + (self.lam[name] if isinstance(self.lam, Mapping) else self.lam) * distance
            parts[f"distance {name}"] = distance
        return total, parts


@dataclass(frozen=True)
class Frozen(Way):
    """A new multimodal head on encoders that stay as they are, in eval mode and without gradient."""

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        yield from model.head.parameters()

    def mode(self, model: LateModel) -> None:
        model.eval()
        model.head.train()

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        with torch.no_grad():
            features = model.features(inputs)
        task = cross_entropy(model.fuse(features), label)
        return task, {JOINT: task} | _alone(model, features, label)


@dataclass(frozen=True)
class Dropout(Way):
    """Modality dropout: in every example each modality's features become 0 with probability p; where all would, one random one stays."""

    p: float = 0.3

    def check(self, model: LateModel) -> None:
        if not 0 <= self.p < 1:
            raise ValueError(f"Dropout: got p={self.p}; expected from 0 to below 1")

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        features = model.features(inputs)
        parts = _alone(model, features, label)
        kept = self.draw(len(features), label.shape).to(label.device)
        task = cross_entropy(
            model.fuse({name: feature * kept[k][..., None] for k, (name, feature) in enumerate(features.items())}),
            label,
        )
        return task, {JOINT: task} | parts

    def draw(self, modalities: int, shape: torch.Size) -> Tensor:
        """1 where a modality stays: (modalities, *shape), never all 0 along the first axis; from torch's global generator."""
        kept = torch.rand(modalities, *shape) >= self.p
        spared = functional.one_hot(torch.randint(modalities, shape), modalities).movedim(-1, 0).bool()
        return torch.where(kept.any(0), kept, spared).float()


@dataclass(frozen=True)
class Modulated(Way):
    """OGM-GE: joint loss, then every encoder's gradient scaled by k_u and, with `noise`, shaken (see `modulation`).

    Args: alpha; noise (the "GE"); epochs, first and one past the last that are modulated (published: 0 to 50 of 100).
    """

    alpha: float = 0.3
    noise: bool = True
    epochs: tuple[int, int] = (0, 50)
    found: dict = field(default_factory=dict, repr=False, compare=False)  # k_u and tensors touched, of the last step

    def check(self, model: LateModel) -> None:
        if not hasattr(model.head, "alone"):
            raise TypeError(
                f"Modulated: {type(model.head).__name__} has no method `alone`; expected a head that gives each modality's part of the "
                "logits, such as Concat or Sum"
            )

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        if label.ndim != 1:
            raise ValueError(
                "Modulated: got replicates side by side; expected one model at a time, as k_u is one number"
            )
        features = model.features(inputs)
        task = cross_entropy(model.fuse(features), label)
        with torch.no_grad():
            alone = {name: model.head.alone(k, features[name]) for k, name in enumerate(model.names)}
        scores = {name: modulation.confidence(logits, label) for name, logits in alone.items()}
        self.found["k"] = modulation.coefficients(scores, self.alpha)
        return task, {JOINT: task} | {name: cross_entropy(logits, label) for name, logits in alone.items()}

    def after_backward(self, model: LateModel, epoch: int) -> None:
        if self.epochs[0] <= epoch < self.epochs[1]:
            self.found["tensors"] = {
                name: modulation.scale_gradients(model.encoders[name].parameters(), k, noise=self.noise)
                for name, k in self.found["k"].items()
            }


@dataclass(frozen=True)
class Blended(Way):
    """Weighted losses of the joint head and of every modality's own head: L = sum_i w_i L_i. Everything moves.

    Args: weights, "joint" and the modalities -> w_i, not negative, sum above 0 (see `mmnb.blending.weights`).
    Source: Wang, Tran & Feiszli, CVPR 2020, section 3.3.
    """

    weights: Mapping[str, float]

    def check(self, model: LateModel) -> None:
        _need_heads(model, "Blended")
        if (
            set(self.weights) != {JOINT, *model.names}
            or min(self.weights.values()) < 0
            or sum(self.weights.values()) <= 0
        ):
            raise ValueError(
                f"Blended: got weights {dict(self.weights)}; expected {[JOINT, *model.names]}, none below 0, sum above 0"
            )

    def parameters(self, model: LateModel) -> Iterator[nn.Parameter]:
        yield from model.parameters()

    def loss(self, model: LateModel, inputs: Mapping, label: Tensor, epoch: int) -> tuple[Tensor, Parts]:
        parts = {name: cross_entropy(logits, label) for name, logits in model.logits(inputs).items()}
        return sum(self.weights[name] * part for name, part in parts.items()), parts


def _alone(model: LateModel, features: Mapping[str, Tensor], label: Tensor) -> Parts:
    """Cross-entropy of each modality's part of the fused logits, for the curves: costs one small product, no gradient."""
    if not hasattr(model.head, "alone"):
        return {}
    with torch.no_grad():
        return {name: cross_entropy(model.head.alone(k, features[name]), label) for k, name in enumerate(model.names)}


def _need_heads(model: LateModel, way: str) -> None:
    if not model.heads:
        raise ValueError(
            f"{way}: the model has no heads for single modalities; expected LateModel(encoders, head, heads)"
        )
