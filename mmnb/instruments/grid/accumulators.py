"""What one pass over the grid keeps: additive sums of the cells and of what the model says there.

An accumulator holds tensors that only ever grow by addition. So a pass can be saved, continued, and shared among processes without
knowing what is accumulated.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from mmnb.instruments.grid.cells import LastLayer


class Outputs:
    """Scores (..., C) as predictions and probabilities; a single score is the logit of class 1 against class 0."""

    outputs: Tensor

    @cached_property
    def classes(self) -> int:
        """How many classes are told apart: C, but 2 for a single score."""
        return max(2, self.outputs.shape[-1])

    @cached_property
    def prediction(self) -> Tensor:
        """The predicted class, (...) int64."""
        return self.outputs.argmax(-1) if self.outputs.shape[-1] > 1 else (self.outputs[..., 0] > 0).long()

    @cached_property
    def log_probabilities(self) -> Tensor:
        """(..., classes) float64, in nats."""
        scores = self.outputs.double()
        return (scores if scores.shape[-1] > 1 else torch.nn.functional.pad(scores, (1, 0))).log_softmax(-1)

    @cached_property
    def probabilities(self) -> Tensor:
        """(..., classes) float64."""
        return self.log_probabilities.exp()


@dataclass(frozen=True, eq=False)
class TruePairs(Outputs):
    """The diagonal of the grid, known before the pass.

    Attributes:
        cells: (n, H) float64.
        last: The last linear layer, or None.
        n_evaluations: How many pairs the pass scores.
    """

    cells: Tensor
    last: LastLayer | None = None
    n_evaluations: int = 0

    @cached_property
    def outputs(self) -> Tensor:
        """What the model says of the true pairs, (n, C) float64."""
        return self.cells if self.last is None else self.last(self.cells)

    @cached_property
    def pivot(self) -> Tensor:
        """Mean cell, (H,): subtracted before squaring, it keeps sums of squares free of cancellation."""
        return self.cells.mean(0)


@dataclass(frozen=True, eq=False)
class Block(Outputs):
    """The cells rows x columns, (R, K, H). What several accumulators need is computed once, and only if one asks.

    An accumulator must not keep `cells`: the next block may use the same memory.
    """

    cells: Tensor
    rows: slice | Tensor
    columns: slice | Tensor
    true: TruePairs

    @cached_property
    def i(self) -> Tensor:
        """Row of each cell, (R, 1)."""
        return torch.arange(self.rows.start, self.rows.stop, device=self.cells.device)[:, None]

    @cached_property
    def j(self) -> Tensor:
        """Column of each cell, (1, K)."""
        return torch.arange(self.columns.start, self.columns.stop, device=self.cells.device)[None]

    def by_row(self, values: Tensor) -> Tensor:
        """Sums of `values` (R, K, ...) over the columns, to be added at `rows`."""
        return values.sum(1)

    def by_column(self, values: Tensor) -> Tensor:
        """Sums of `values` (R, K, ...) over the rows, to be added at `columns`."""
        return values.sum(0)

    @cached_property
    def terms(self) -> Tensor:
        """What is summed: float64 cells less the pivot; before a last layer, the cells in their own precision, at least float32."""
        if self.true.last is None:
            return self.cells.double() - self.true.pivot
        return self.cells.float() if self.cells.element_size() < 4 else self.cells

    @cached_property
    def row_sums(self) -> Tensor:
        """Sums of the terms over the columns; a NaN anywhere in the block reaches them."""
        return self.by_row(self.terms)

    @cached_property
    def outputs(self) -> Tensor:
        """What the model says, (R, K, C), in the cells' precision."""
        last, flat = self.true.last, self.cells.flatten(0, -2)
        if last is None:
            return self.cells
        return torch.addmm(last.bias.to(flat), flat, last.weight.to(flat).T).view(*self.cells.shape[:-1], -1)


class Shift(Block):
    """n cells (n, H) in which every row and every column occurs once: `rows` and `columns` are their indices."""

    i = property(lambda self: self.rows)
    j = property(lambda self: self.columns)

    def by_row(self, values: Tensor) -> Tensor:
        return values

    by_column = by_row


class Accumulator:
    """Base of what a pass keeps: additive tensors, called as in `names`.

    A subclass defines `start(true)`, which makes them empty on the device of the true pairs, and `add(block)`.
    """

    names: ClassVar[tuple[str, ...]] = ("row", "column")

    def state(self) -> dict[str, Tensor]:
        """The tensors, under their names."""
        return {name: getattr(self, name) for name in self.names}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Sums(Accumulator):
    """Sums of the cells: all that EMAP needs, O(n H) numbers in float64.

    Attributes:
        row, column: (n, H), sums over columns and over rows of cell - pivot; before a last layer, of the cell itself.
        squares: Sums of squares of outputs - pivot, (C,); (H, H) second moments of the cells where a last layer follows and that is
            cheaper; (0,) without `squares`.
        shared: (1,), sum of squares of what the outputs of a cell have in common, the mean of outputs - pivot; (0,) where there is one
            output, or where it follows from the second moments.
    """

    names = ("row", "column", "squares", "shared")

    def __init__(self, squares: bool = True) -> None:
        self.wanted = squares

    def start(self, true: TruePairs) -> None:
        # squares of C outputs cost 2 H C operations a cell in the cells' precision; second moments 2 H^2 in float64, half as fast
        h, last = true.cells.shape[1], true.last
        outputs = h if last is None else len(last.bias)
        moments = last is not None and outputs > (2 * h if last.narrow else h)
        self.row, self.column = torch.zeros_like(true.cells), torch.zeros_like(true.cells)
        self.squares = true.cells.new_zeros((0,) if not self.wanted else (h, h) if moments else (outputs,))
        self.shared = true.cells.new_zeros(int(self.wanted and not moments and outputs > 1))

    def add(self, block: Block) -> None:
        terms, last, pivot = block.terms, block.true.last, block.true.pivot
        self.row[block.rows] += block.row_sums
        self.column[block.columns] += block.by_column(terms)
        if self.squares.ndim == 2:
            centred = terms.flatten(0, -2).double() - pivot
            self.squares += centred.T @ centred
        elif len(self.squares) and last is not None:
            outputs = last.weight.to(terms) @ terms.flatten(0, -2).T  # with few outputs this way round is twice as fast
            outputs = outputs.double() - (last.weight @ pivot)[:, None]
            self.squares += outputs.square().sum(1)
            if len(self.shared):
                self.shared += outputs.mean(0).square().sum()
        elif len(self.squares):
            self.squares += terms.square().sum(tuple(range(terms.ndim - 1)))
            if len(self.shared):  # a product with equal weights: four times as fast as means over a short last axis
                of_mean = (terms @ terms.new_full(terms.shape[-1:], 1 / terms.shape[-1])).flatten()
                self.shared += of_mean @ of_mean


class SumsOf(Accumulator):
    """The same sums of the model's "log_probabilities" or "probabilities": row, column (n, C), squares (C,), of value - pivot."""

    names = ("row", "column", "squares")

    def __init__(self, what: str) -> None:
        if what not in ("log_probabilities", "probabilities"):
            raise ValueError(f"SumsOf: got {what!r}; expected 'log_probabilities' or 'probabilities'")
        self.what = what

    def __repr__(self) -> str:
        return f"SumsOf({self.what!r})"

    def start(self, true: TruePairs) -> None:
        self.pivot = getattr(true, self.what).mean(0)
        self.row, self.column = (torch.zeros_like(getattr(true, self.what)) for _ in range(2))
        self.squares = torch.zeros_like(self.pivot)

    def add(self, block: Block) -> None:
        terms = getattr(block, self.what) - self.pivot
        self.row[block.rows] += block.by_row(terms)
        self.column[block.columns] += block.by_column(terms)
        self.squares += terms.flatten(0, -2).square().sum(0)


class Votes(Accumulator):
    """How often each class is predicted in each row and column: row, column (n, classes) int64. No labels.

    `row[i, y[i]]` are the correct predictions in row i for any labels y, whatever b is; `row[i, true.prediction[i]]` how often the
    prediction stays that of the true pair; the entropy of a row is that of the prediction given a.
    """

    def start(self, true: TruePairs) -> None:
        shape = len(true.cells), true.classes
        self.row, self.column = (torch.zeros(shape, dtype=torch.int64, device=true.cells.device) for _ in range(2))

    def add(self, block: Block) -> None:
        for votes, index in ((self.row, block.i), (self.column, block.j)):
            place = (index * block.classes + block.prediction).flatten()
            votes.view(-1).scatter_add_(0, place, torch.ones_like(place))


class TrueRank(Accumulator):
    """For models with one score: how many other cells of row i (column i) score at least as high as the true pair (i, i).

    row, column (n,) int64; 0 means that the true pair is ranked first, so recall@k is the share of entries below k.
    """

    def start(self, true: TruePairs) -> None:
        if true.outputs.shape[1] != 1:
            raise ValueError(f"TrueRank: got {true.outputs.shape[1]} scores per pair; expected 1")
        self.row, self.column = (torch.zeros_like(true.outputs[:, 0], dtype=torch.int64) for _ in range(2))

    def add(self, block: Block) -> None:
        scores, true, other = block.outputs[..., 0].double(), block.true.outputs[:, 0], block.i != block.j
        self.row[block.rows] += block.by_row((scores >= true[block.i]) & other)
        self.column[block.columns] += block.by_column((scores >= true[block.j]) & other)
