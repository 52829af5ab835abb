"""Late fusion: one encoder for each modality, a head that sees all features and, optionally, a head for each modality."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

JOINT = "joint"  # name of the fused prediction beside the names of the modalities


class Concat(nn.Module):
    """sum_m W_m phi_m + c: one linear layer on the concatenated features.

    `alone(k, features)` is modality k's part of the logits, W_k phi_k + c / M: over all modalities the parts sum to the logits.

    Args:
        widths: Number of features of each modality.
        classes: Number of classes.

    Example:
        >>> head = Concat([3, 5], classes=2)
        >>> a, b = torch.rand(4, 3), torch.rand(4, 5)
        >>> torch.allclose(head(a, b), head.alone(0, a) + head.alone(1, b), rtol=0, atol=1e-6)
        True
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        whole = nn.Linear(sum(widths), classes)  # its initialisation depends on the total width
        self.parts = nn.ModuleList(nn.Linear(width, classes, bias=False) for width in widths)
        for part, weight in zip(self.parts, whole.weight.detach().split(list(widths), dim=1), strict=True):
            part.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(whole.bias.detach().clone())

    def forward(self, *features: Tensor) -> Tensor:
        return sum(part(feature) for part, feature in zip(self.parts, features, strict=True)) + self.bias

    def alone(self, k: int, features: Tensor) -> Tensor:
        """Modality k's part of the logits."""
        return self.parts[k](features) + self.bias / len(self.parts)


class Hidden(nn.Module):
    """V relu(W [phi_1; …; phi_M] + c) + d: one hidden layer on the concatenated features, so that modalities can interact.

    The logits of `Concat` are a sum over modalities: no interaction, and EMAP changes nothing.
    """

    def __init__(self, widths: Sequence[int], classes: int, hidden: int = 64) -> None:
        super().__init__()
        self.first, self.out = Concat(widths, hidden), nn.Linear(hidden, classes)

    def forward(self, *features: Tensor) -> Tensor:
        return self.out(self.first(*features).relu())


class LateModel(nn.Module):
    """head(phi_1(x_1), …, phi_M(x_M)), with the encoders under their modalities' names.

    Args:
        encoders: Name -> module, one or more; x_m -> (N, d_m).
        head: `head(*features) -> (N, classes)`, features in the order of `encoders`. `Concat` also gives each modality's part.
        heads: Name -> module (N, d_m) -> (N, classes), a classifier for every modality; objectives that train them need it.

    Raises:
        ValueError: A name is missing in `heads`, or a modality is called "joint".
        TypeError: A part is no torch module.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], head: nn.Module, heads: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        if not encoders or JOINT in encoders or (heads is not None and set(heads) != set(encoders)):
            raise ValueError(
                f"LateModel: got encoders {sorted(encoders)}, heads {sorted(heads or {})}; expected one encoder or more, none called "
                f"{JOINT!r}, and heads for the same modalities or none"
            )
        for name, module in [*encoders.items(), (JOINT, head), *(heads or {}).items()]:
            if not isinstance(module, nn.Module):
                raise TypeError(f"LateModel: {name} is {type(module).__name__}; expected a torch module")
        self.encoders, self.head = nn.ModuleDict(encoders), head
        self.heads = nn.ModuleDict(heads or {})

    @property
    def names(self) -> list[str]:
        """The modalities, in their order."""
        return list(self.encoders)

    def features(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Name -> (N, d_m)."""
        return {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}

    def fuse(self, features: Mapping[str, Tensor]) -> Tensor:
        """Fused logits of given features."""
        return self.head(*(features[name] for name in self.names))

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """Fused logits (N, classes)."""
        return self.fuse(self.features(inputs))

    def logits(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Fused logits under "joint", and those of every modality that has a head of its own."""
        features = self.features(inputs)
        return {JOINT: self.fuse(features)} | {name: head(features[name]) for name, head in self.heads.items()}


def build(
    encoders: Callable[[], Mapping[str, nn.Module]],
    features: int,
    classes: int,
    *,
    seed: int,
    head: type[nn.Module] = Concat,
) -> LateModel:
    """An untrained model in eval mode; its weights depend on the seed alone, and torch's global generator is left as it was.

    Args:
        encoders: Makes the encoders, name -> module that gives (N, features).
        head: Class of the joint head, `Concat` or `Hidden`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = encoders()
        heads = {name: nn.Linear(features, classes) for name in made}
        return LateModel(made, head([features] * len(made), classes), heads).eval()
