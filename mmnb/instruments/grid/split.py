"""Heads whose first and last layers are linear: neither needs n^2 work, since means commute with linear maps.

A first layer on the concatenation splits, W [a; b] + c = (W_a a + c) + W_b b: both halves are computed n times and crossing them only
adds. A last layer V h + d is applied to n mean activations. What is left for each cell is what stands between. Nothing is approximated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.grid.cells import Cells, LastLayer, cells_in_cache, with_float64


@dataclass(frozen=True)
class SplitHead:
    """The parts of a head: head(a, b) = last(hidden(first_a(a) + first_b(b))).

    A head of one's own offers them through a method `split_head()`.

    Attributes:
        first_a, first_b: Features (n, d) -> (n, H).
        hidden: Modules applied in turn to rows (B, H), in eval mode.
        last: The last linear layer, or None.
    """

    first_a: Callable[[Tensor], Tensor]
    first_b: Callable[[Tensor], Tensor]
    hidden: Sequence[nn.Module] = ()
    last: nn.Linear | None = None


class Concat(nn.Module):
    """body([a; b]): turns a module of one input, such as an `nn.Sequential`, into one of two, joined along the last axis.

    Example:
        >>> Concat(nn.Linear(5, 2))(torch.zeros(4, 2), torch.zeros(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    training = property(lambda self: self.body.training, lambda self, mode: None)  # it has no mode of its own

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.body(torch.cat([a, b], -1))


def split_head_of(head: Any, a: Any, b: Any) -> SplitHead | None:
    """The parts of a head for features a, b (n, d): of one that offers them, or of `Concat` around layers that start with a linear one."""
    if hasattr(head, "split_head"):
        return head.split_head()
    if type(head) is not Concat or not all(isinstance(side, Tensor) and side.ndim == 2 for side in (a, b)):
        return None
    first, *rest = _layers(head.body)
    if type(first) is not nn.Linear or first.in_features != a.shape[1] + b.shape[1]:
        return None
    left, right = first.weight.split([a.shape[1], b.shape[1]], 1)
    last = rest.pop() if rest and type(rest[-1]) is nn.Linear else None
    linear = nn.functional.linear
    return SplitHead(lambda x: linear(x, left, first.bias), lambda x: linear(x, right), rest, last)


class SplitCells(Cells):
    """The grid of hidden activations: first_a(a_i) + first_b(b_j), then the hidden layers."""

    def __init__(self, head: SplitHead, a: Tensor, b: Tensor, batch_size: int | None) -> None:
        self.left, self.right, self.hidden = head.first_a(a), head.first_b(b), _active(head.hidden)
        cells = cells_in_cache(self.left)
        last = None if head.last is None else LastLayer.of(head.last)
        super().__init__(len(self.left), cells if batch_size is None else min(cells, batch_size), last)
        self._buffer = self.left.new_empty(0)

    def _pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        return self._finish(self.left[rows.to(self.left.device)] + self.right[columns.to(self.right.device)])

    def _block(self, rows: range, columns: range) -> Tensor:
        left, right = self.left[rows.start : rows.stop, None], self.right[None, columns.start : columns.stop]
        shape = (len(rows), len(columns), left.shape[2])
        size = shape[0] * shape[1] * shape[2]
        if self._buffer.numel() < size:
            self._buffer = left.new_empty(size)
        cells = torch.add(left, right, out=self._buffer[:size].view(shape))
        return self._finish(cells.view(-1, shape[2])).view(*shape[:2], -1)

    def _finish(self, cells: Tensor) -> Tensor:
        for layer in self.hidden:
            cells = cells.relu_() if type(layer) is nn.ReLU else layer(cells)  # `cells` is ours to overwrite
        return with_float64(cells)


def _layers(body: nn.Module) -> list[nn.Module]:
    """The layers of nested `nn.Sequential`s in order, without those that do nothing in eval mode."""
    return _active([part for layer in body for part in _layers(layer)] if type(body) is nn.Sequential else [body])


def _active(layers: Sequence[nn.Module]) -> list[nn.Module]:
    return [layer for layer in layers if not isinstance(layer, nn.Identity | nn.Dropout)]
