"""What one pass over the grid leaves behind: O(N H) numbers in float64 that can be saved, loaded and added up."""

from dataclasses import dataclass

import torch
from torch import Tensor

_PARTS = ("diagonal", "pivot", "row", "column", "squares")


@dataclass(frozen=True)
class Tail:
    """The last linear layer, z = W h + c: applied to N mean activations instead of to N^2 cells.

    weight (C, H), bias (C,), float64; narrow: the layer itself, and so the cells before it, are narrower than that.
    """

    weight: Tensor
    bias: Tensor
    narrow: bool = False

    @classmethod
    def of(cls, layer: torch.nn.Linear) -> "Tail":
        """From an `nn.Linear`, kept on its device."""
        weight = layer.weight.detach().double()
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().double()
        return cls(weight, bias, narrow=layer.weight.dtype != torch.float64)

    def __call__(self, hidden: Tensor) -> Tensor:
        """W h + c for float64 (n, H) on any device."""
        return hidden @ self.weight.to(hidden.device).T + self.bias.to(hidden.device)


@dataclass
class Sums:
    """Sums over the cells seen so far of an n x n grid with H numbers a cell. All float64.

    diagonal  (n, H)   the cells of the true pairs, known before the pass starts
    pivot     (H,)     their mean: taken off what is squared, it keeps the squares free of cancellation
    row       (n, H)   sum over columns of cell - pivot; before a tail, of the cell itself. column (n, H), the same over rows
    squares            of what comes out, z - pivot: (C,) sums of squares of the outputs; (H, H) second moments of the cells when a
                       tail follows and that is cheaper; (0,) when nobody asked
    cells              how many cells are in: n^2 when the pass is over

    `merge` adds the sums of other cells of the same grid, `state_dict` and `load_state_dict` carry them over a break. Adding the same
    blocks in the same order gives the same bits.
    """

    diagonal: Tensor
    pivot: Tensor
    row: Tensor
    column: Tensor
    squares: Tensor
    cells: int = 0

    @classmethod
    def start(cls, diagonal: Tensor, *, tail: Tail | None = None, squares: bool = True) -> "Sums":
        """Empty sums for a grid with this diagonal (n, H), on its device.

        With a tail the squares of C outputs cost 2 H C operations a cell, in the cells' own precision; second moments 2 H^2 in
        float64, which is about twice as slow where cells are narrower. The cheaper is kept.
        """
        n, h = diagonal.shape
        diagonal = diagonal.double()
        if not squares:
            empty: tuple[int, ...] = (0,)
        elif tail is None:
            empty = (h,)
        else:
            outputs = len(tail.bias)
            empty = (h, h) if outputs > (2 * h if tail.narrow else h) else (outputs,)
        return cls(
            diagonal=diagonal,
            pivot=diagonal.mean(0),
            row=diagonal.new_zeros(n, h),
            column=diagonal.new_zeros(n, h),
            squares=diagonal.new_zeros(empty),
        )

    def add(self, rows: range, columns: range, block: Tensor, tail: Tail | None = None) -> bool:
        """Add the cells rows x columns, (R, K, H) in the model's dtype. False, and nothing is added, if one is not finite.

        Without a tail every cell becomes float64 first. Before a tail, H numbers a cell, sums along one side of the block are taken in
        the block's own precision (float32 for half precision): R or K terms, then float64.
        """
        if tail is None:
            block = block.double() - self.pivot
        elif block.element_size() < 4:
            block = block.float()
        row = block.sum(1)
        if not row.isfinite().all():  # a NaN anywhere in the block reaches its row sum
            return False
        self.row[rows.start : rows.stop] += row
        self.column[columns.start : columns.stop] += block.sum(0)
        if self.squares.ndim == 2:
            centred = block.flatten(0, 1).double() - self.pivot
            self.squares += centred.T @ centred
        elif len(self.squares) and tail is not None:
            outputs = (
                tail.weight.to(block) @ block.flatten(0, 1).T
            )  # this way round a matrix product with few outputs is twice as fast
            self.squares += (outputs.double() - (tail.weight @ self.pivot)[:, None]).square().sum(1)
        elif len(self.squares):
            self.squares += block.square().sum((0, 1))
        self.cells += len(rows) * len(columns)
        return True

    def merge(self, other: "Sums") -> None:
        """Add the sums over other cells of the same grid. Raises ValueError when it is not the same grid."""
        if self.row.shape != other.row.shape or not torch.equal(self.diagonal.cpu(), other.diagonal.cpu()):
            raise ValueError("Sums.merge: the diagonals differ; expected sums over two parts of one grid")
        for name in ("row", "column", "squares"):
            mine = getattr(self, name)
            mine += getattr(other, name).to(mine.device)
        self.cells += other.cells

    def state_dict(self) -> dict[str, Tensor]:
        """Everything, as tensors on the CPU."""
        return {name: getattr(self, name).cpu() for name in _PARTS} | {"cells": torch.tensor(self.cells)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what `state_dict` gave. Raises ValueError when shapes or the diagonal differ: those of another grid."""
        wrong = {name: tuple(state[name].shape) for name in _PARTS if state[name].shape != getattr(self, name).shape}
        if wrong or not torch.equal(state["diagonal"], self.diagonal.cpu()):
            raise ValueError(
                f"Sums.load_state_dict: got sums of another grid ({wrong or 'other scores on the diagonal'})"
            )
        for name in _PARTS:
            getattr(self, name).copy_(state[name])
        self.cells = int(state["cells"])
