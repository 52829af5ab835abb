"""Late fusion: one encoder for each modality, a head that sees all features and, optionally, a head for each modality."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

JOINT = "joint"  # name of the fused prediction beside the names of the modalities


class Concat(nn.Module):
    """sum_m W_m phi_m + c: one linear layer on the concatenated features, for modalities of `widths` features.

    `alone(k, features)` is modality k's part of the logits, W_k phi_k + c / M: over all modalities the parts sum to the logits.

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
    """head(phi_1(x_1), …, phi_M(x_M)), with the encoders under their modalities' names, none of them "joint".

    Args:
        encoders: Name -> module, one or more; x_m -> (N, d_m).
        head: `head(*features) -> (N, classes)`, features in the order of `encoders`. `Concat` also gives each modality's part.
        heads: Name -> module (N, d_m) -> (N, classes), a classifier for every modality; objectives that train them need it.
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
        self.encoders, self.head, self.heads = nn.ModuleDict(encoders), head, nn.ModuleDict(heads or {})

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
    encoders: Callable[[], Mapping[str, nn.Module]], features: int, classes: int, *, seed: int, head: type = Concat
) -> LateModel:
    """An untrained model in eval mode; its weights depend on the seed alone, and torch's global generator is left as it was.

    `encoders` makes the encoders, name -> module that gives (N, features); `head` is the class of the joint head, `Concat` or `Hidden`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = encoders()
        heads = {name: nn.Linear(features, classes) for name in made}
        return LateModel(made, head([features] * len(made), classes), heads).eval()


class Stacked(nn.Module):
    """r modules of one architecture as one: inputs and outputs (r, …). Layers that draw or count (dropout, batch norm) are refused by `vmap`."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        weights, _ = torch.func.stack_module_state(modules)
        self.names = list(weights)
        for name, value in weights.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(value.detach()))
        self.one = (copy.deepcopy(modules[0]).to("meta").train(),)  # in a tuple, so that its weights are not ours

    def forward(self, *inputs: Tensor) -> Tensor:
        def single(weights: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
            return torch.func.functional_call(self.one[0], weights, inputs, tie_weights=False)

        return torch.func.vmap(single)(dict(zip(self.names, self.parameters(), strict=True)), inputs)


def stack_models(models: Sequence[nn.Module]) -> nn.Module:
    """One module for r models, with copies of their weights: `stack_models(m)(x)[k]` equals `m[k](x[k])`. All train in one pass.

    Model k sees x[k] and nothing else, so a summed loss gives each model its own gradient, and optimisers that treat every weight by itself
    (SGD with momentum, Adam) move it as if it were trained alone, up to rounding. Of a `LateModel` every encoder and head is stacked by
    itself, so that it works with every objective but `OgmGe`.

    >>> one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    >>> x = torch.rand(2, 5, 3)
    >>> torch.allclose(stack_models([one, two])(x)[1], two(x[1]), rtol=0, atol=1e-6)
    True
    """
    models = list(models)
    if len({str([(name, p.shape) for name, p in model.named_parameters()]) for model in models}) != 1:
        raise ValueError(f"stack_models: got {len(models)} models; expected one or more, all of one architecture")
    first = models[0]
    if not isinstance(first, LateModel):
        return Stacked(models)
    encoders = {name: Stacked([model.encoders[name] for model in models]) for name in first.names}
    heads = {name: Stacked([model.heads[name] for model in models]) for name in first.heads}
    return LateModel(encoders, Stacked([model.head for model in models]), heads).train(first.training)


def unstack(stacked: nn.Module, like: nn.Module, k: int) -> nn.Module:
    """Model k of a stacked one: a copy of `like`, one of the models that were stacked, with the weights of model k."""
    single = copy.deepcopy(like)
    with torch.no_grad():
        for own, many in zip(single.parameters(), stacked.parameters(), strict=True):
            own.copy_(many[k])
    return single
