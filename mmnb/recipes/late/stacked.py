"""Several models of one architecture as one module: all seeds train in one pass of `torch.func.vmap`.

Model k sees x[k] and nothing else, so a summed loss gives each model its own gradient, and optimisers that treat every weight by itself (SGD with
momentum, Adam) move it as if it were trained alone, up to rounding.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmnb.recipes.late.model import LateModel


class Stacked(nn.Module):
    """r modules of one architecture: inputs and outputs (r, …). Layers that draw or count (dropout, batch norm) are refused by `vmap`."""

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
    """One module for r models, with copies of their weights: `stack_models(m)(x)[k]` equals `m[k](x[k])`.

    Of a `LateModel` every encoder and head is stacked by itself, so that it works with every objective but `OgmGe`.

    Raises:
        ValueError: No models, or weights of different shapes.

    Example:
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
