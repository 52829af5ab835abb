"""Several small networks of one shape, trained side by side in one pass: seeds at the price of a larger matrix product.

Replicate k of a stacked module sees x[k] and nothing else, so its loss has a gradient in its own weights only, and optimisers that treat
every weight for itself (SGD with momentum, Adam) move it as if it were alone. What differs from training one by one is rounding.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmnb.recipes.late.model import Concat, Hidden, LateModel

_STATELESS = (nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid, nn.Identity)


class StackedLinear(nn.Module):
    """r linear layers at once: (r, b, in) -> (r, b, out)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]).contiguous())
        given = layers[0].bias is not None
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers])) if given else None

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight if self.bias is None else torch.baddbmm(self.bias, x, self.weight)


def side_by_side(modules: Sequence[nn.Module]) -> nn.Module:
    """One module for r modules of the same build: `side_by_side(m)(x)[k]` equals `m[k](x[k])`.

    Args:    modules, of one build from Linear, `Concat`, `Hidden`, `LateModel`, Sequential, ModuleList, ModuleDict and activations; copies are taken.
    Returns: a module whose inputs and outputs have a leading axis r.
    Raises:  ValueError on no modules or different builds; TypeError on another kind of layer (dropout and batch norm among them).
    Example:
        >>> one, two = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> x = torch.rand(2, 5, 3)
        >>> torch.allclose(side_by_side([one, two])(x)[1], two(x[1]), rtol=0, atol=1e-6)
        True
    """
    modules = list(modules)
    if not modules or len({_build(module) for module in modules}) != 1:
        raise ValueError(f"side_by_side: got {len(modules)} modules; expected one or more, all of one build")
    first = modules[0]
    if isinstance(first, nn.Linear):
        return StackedLinear(modules)
    if isinstance(first, _STATELESS):
        return copy.deepcopy(first)
    if not isinstance(first, nn.Sequential | nn.ModuleList | nn.ModuleDict | Concat | Hidden | LateModel):
        raise TypeError(
            f"side_by_side: got {type(first).__name__}; expected linear layers, activations and containers of them"
        )
    stacked = copy.copy(first)
    stacked._modules = {
        name: side_by_side([module.get_submodule(name) for module in modules]) for name, _ in first.named_children()
    }
    stacked._parameters = {  # the bias of Concat
        name: nn.Parameter(torch.stack([getattr(module, name).detach()[None] for module in modules]))
        for name in first._parameters
    }
    return stacked


def one_of(stacked: nn.Module, like: nn.Module, k: int) -> nn.Module:
    """Replicate k as a plain module: a copy of `like`, one of the modules that were stacked, with the weights of replicate k."""
    plain = copy.deepcopy(like)
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            found = stacked.get_parameter(name)[k]
            linear = isinstance(plain.get_submodule(name.rpartition(".")[0]), nn.Linear)
            parameter.copy_(found.T if linear and parameter.ndim == 2 else found.reshape(parameter.shape))
    return plain


def _build(module: nn.Module) -> str:
    """Names, kinds and sizes of everything inside; the values of the weights do not count."""
    shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    return f"{module} {shapes}"
