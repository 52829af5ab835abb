"""Linear ends: means commute with linear maps, so neither the first nor the last linear layer of a head needs N^2 work.

A first layer on the concatenation splits, W [a; b] + c = (W_a a + c) + W_b b: both halves are computed N times and crossing them only
adds. A last layer V h + d is applied to the N mean activations, not to N^2 rows. What is left for each of the N^2 cells is what stands
between: an addition and the non-linearity. Nothing is approximated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.emap.sums import Tail

_BLOCK_BYTES = 4 * 2**20  # of activations: written once and read four times, so they should stay in the cache


@dataclass(frozen=True)
class LinearEnds:
    """A head taken apart: head(a, b) = tail(middle(left(a) + right(b))).

    left, right: features (n, d) -> (n, H); middle: modules applied in turn to rows (B, H), in eval mode; tail: the last linear layer, or
    None. A head of one's own offers its parts through a method `linear_ends()` that returns this.
    """

    left: Callable[[Tensor], Tensor]
    right: Callable[[Tensor], Tensor]
    middle: Sequence[nn.Module] = ()
    tail: nn.Linear | None = None


class Concat(nn.Module):
    """body([a; b]): gives a module of one input, such as an `nn.Sequential`, two; features are joined along the last axis.

    Example:
        >>> Concat(nn.Linear(5, 2))(torch.zeros(4, 2), torch.zeros(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.training = body.training  # it has no mode of its own

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.body(torch.cat([a, b], -1))


class Additive:
    """A head whose linear ends meet without a non-linearity between them: tail(left(a) + right(b)), all of it affine."""

    multi_affine = True

    def __init__(self, ends: LinearEnds) -> None:
        last = (lambda hidden: hidden) if ends.tail is None else ends.tail
        self.left, self.right, self.last = ends.left, ends.right, last

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return self.last(self.left(a) + self.right(b))

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Scores of all pairs."""
        return self.last(self.left(a)[:, None] + self.right(b)[None])


def linear_ends_of(head: Any, a: Any, b: Any) -> LinearEnds | None:
    """The linear ends of a head for features a, b (n, d); None where it has no first linear layer on both sides to split.

    Knows heads with a method `linear_ends()`, and `Concat` around an `nn.Linear` or an `nn.Sequential` that starts with one.
    """
    if hasattr(head, "linear_ends"):
        return head.linear_ends()
    if type(head) is not Concat or not all(isinstance(side, Tensor) and side.ndim == 2 for side in (a, b)):
        return None
    first, *rest = _layers(head.body)
    if type(first) is not nn.Linear or first.in_features != a.shape[1] + b.shape[1]:
        return None
    left, right = first.weight.split([a.shape[1], b.shape[1]], 1)
    tail = rest.pop() if rest and type(rest[-1]) is nn.Linear else None
    return LinearEnds(
        lambda x: nn.functional.linear(x, left, first.bias), lambda x: nn.functional.linear(x, right), rest, tail
    )


class SplitGrid:
    """The grid of activations between the two linear ends: left(a_i) + right(b_j), then the middle."""

    def __init__(self, ends: LinearEnds, a: Tensor, b: Tensor, batch_size: int | None) -> None:
        self.left, self.right = ends.left(a), ends.right(b)
        self.n = len(self.left)
        self.middle = _plain(ends.middle)
        self.tail = None if ends.tail is None else Tail.of(ends.tail)
        cells = max(16, _BLOCK_BYTES // (self.left.shape[1] * self.left.element_size()))
        self.batch_size = cells if batch_size is None else min(cells, batch_size)
        self._buffer = self.left.new_empty(0)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        left, right = self.left[rows.to(self.left.device)], self.right[columns.to(self.right.device)]
        return self._finish(left + right)

    def block(self, rows: range, columns: range) -> Tensor:
        """As the protocol says. The next block of more than half a batch is written into the same memory."""
        left, right = self.left[rows.start : rows.stop, None], self.right[None, columns.start : columns.stop]
        shape = (len(rows), len(columns), left.shape[2])
        size = shape[0] * shape[1] * shape[2]
        if (
            shape[0] * shape[1] <= self.batch_size // 2
        ):  # a part of a block that was cut for want of memory: the parts must live together
            cells = left + right
        else:
            if self._buffer.numel() < size:
                self._buffer = left.new_empty(size)
            cells = torch.add(left, right, out=self._buffer[:size].view(shape))
        return self._finish(cells.view(-1, shape[2])).view(*shape[:2], -1)

    def _finish(self, cells: Tensor) -> Tensor:
        for layer in self.middle:
            cells = cells.relu_() if type(layer) is nn.ReLU else layer(cells)  # `cells` is ours to overwrite
        return cells


def _layers(body: nn.Module) -> list[nn.Module]:
    """The layers of nested `nn.Sequential`s in order, without those that do nothing in eval mode."""
    return _plain([part for layer in body for part in _layers(layer)] if type(body) is nn.Sequential else [body])


def _plain(layers: Sequence[nn.Module]) -> list[nn.Module]:
    return [layer for layer in layers if not isinstance(layer, nn.Identity | nn.Dropout)]
