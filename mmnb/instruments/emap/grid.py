"""The grid to be summed: where cells come from. `accumulate` walks over it in blocks and needs to know no more than this."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.batches import bytes_per_example, take
from mmnb.instruments.emap.sums import Sums, Tail

_AUTO_BATCH_BYTES = (
    64 * 2**20
)  # inputs of one batch; small enough for any laptop, large enough to hide Python's overhead
_AUTO_BATCH_LIMITS = (16, 8192)


class Grid(Protocol):
    """n x n cells of H numbers. `tail`, where not None, is the linear layer that turns a cell into outputs."""

    n: int
    batch_size: int
    tail: Tail | None

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The cells (rows[k], columns[k]): (B, H), the model's dtype and device. rows and columns are int64 on the CPU."""

    def block(self, rows: range, columns: range) -> Tensor:
        """The cells rows x columns: (R, K, H). At most `batch_size` cells are asked for."""


class PairGrid:
    """The grid of any f(a, b): one call of f per block, its inputs gathered pair by pair."""

    def __init__(self, f: Callable, a: Any, b: Any, n: int, batch_size: int | None, tail: Tail | None = None) -> None:
        self.f, self.a, self.b, self.n, self.tail = f, a, b, n, tail
        self.batch_size = batch_size or automatic_batch_size(a, b)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        return as_scores(self.f(take(self.a, rows), take(self.b, columns)), len(rows))

    def block(self, rows: range, columns: range) -> Tensor:
        cells = self.pairs(*pairs_of(rows, columns))
        return cells.reshape(len(rows), len(columns), cells.shape[1])


def pairs_of(rows: range, columns: range) -> tuple[Tensor, Tensor]:
    """The block rows x columns as two lists of indices, row by row."""
    i, j = torch.arange(rows.start, rows.stop), torch.arange(columns.start, columns.stop)
    return i.repeat_interleave(len(columns)), j.repeat(len(rows))


def row_blocks(n: int, batch_size: int) -> Iterator[range]:
    """The rows in steps: as many whole rows as fit into `batch_size` cells; or parts of up to 32 rows where 128 columns of them fit."""
    step = rows_at_once(n, batch_size)
    return (range(i, min(i + step, n)) for i in range(0, n, step))


def column_blocks(n: int, batch_size: int) -> Iterator[range]:
    """All columns at once where they fit, else in parts, so that rows x columns stay within `batch_size`."""
    step = min(n, batch_size // rows_at_once(n, batch_size))
    return (range(j, min(j + step, n)) for j in range(0, n, step))


def rows_at_once(n: int, batch_size: int) -> int:
    """Rows in a block. One row alone would cost an update of its columns' sums per cell; 32 rows cost a 32nd, if 128 columns remain."""
    return max(1, batch_size // n, min(32, n, batch_size // 128))


def diagonal(grid: Grid) -> Tensor:
    """The cells of the true pairs, (n, H) float64 on the model's device. Raises as `accumulate`."""
    parts = []
    for index in torch.arange(grid.n).split(grid.batch_size):
        cells = grid.pairs(index, index)
        refuse_non_finite(cells, index, index)
        parts.append(cells.double())
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"emap: f returned {sorted(widths)} outputs per pair in different calls; expected one number")
    return torch.cat(parts)


def accumulate(
    grid: Grid,
    sums: Sums,
    rows: Iterable[range] | None = None,
    *,
    after: Callable[[range], None] | None = None,
) -> Sums:
    """Add blocks of rows, each with all columns, to `sums`, in the order given.

    Args:    grid; sums, started from its diagonal, changed in place; rows, blocks such as `row_blocks(n, batch_size)` or some of them
             (None: all); after, called with each block of rows once it is in: the moment to save, show progress or stop.
    Returns: `sums`. Raises: ValueError on cells that are not finite (naming the first pair) or of another width than the diagonal's.
    """
    width = sums.pivot.shape[0]
    for i in row_blocks(grid.n, grid.batch_size) if rows is None else rows:
        for j in column_blocks(grid.n, grid.batch_size):
            block = grid.block(i, j)
            if block.shape[2] != width:
                raise ValueError(
                    f"emap: f returned {block.shape[2]} outputs for one batch and {width} for another; expected one number"
                )
            if not sums.add(i, j, block, grid.tail):
                refuse_non_finite(block.flatten(0, 1), *pairs_of(i, j))
        if after is not None:
            after(i)
    return sums


def as_scores(output: Any, pairs: int) -> Tensor:
    """What a model returned for so many pairs, as (B, H) real numbers; TypeError or ValueError if it is anything else."""
    if not isinstance(output, torch.Tensor | np.ndarray):
        raise TypeError(
            f"emap: f returned {type(output).__name__}; expected a tensor or an array of scores (for a Hugging Face model "
            "return its `.logits`)"
        )
    output = torch.as_tensor(output)
    if not output.is_floating_point():
        raise TypeError(f"emap: f returned {output.dtype}; expected real-valued scores, not class labels")
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != 2 or len(output) != pairs or output.shape[1] == 0:
        raise ValueError(
            f"emap: f returned shape {tuple(output.shape)} for {pairs} pairs; expected ({pairs}, C) or ({pairs},)"
        )
    return (output.cpu() if output.device.type == "mps" else output).detach()  # mps has no float64


def refuse_non_finite(cells: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Raise ValueError if a cell holds NaN or infinity, naming the first pair."""
    bad = (~cells.isfinite()).any(1).nonzero().flatten()
    if len(bad):
        first = bad[0].item()
        raise ValueError(
            f"emap: f gave NaN or infinity for {len(bad)} of {len(cells)} pairs, first for a[{rows[first]}] with b[{columns[first]}]; "
            "expected finite scores"
        )


def automatic_batch_size(a: Any, b: Any) -> int:
    """Pairs per call so that inputs take about 64 MiB; 64 where the size of an example cannot be known (texts, pictures)."""
    sizes = bytes_per_example(a), bytes_per_example(b)
    low, high = _AUTO_BATCH_LIMITS
    if None in sizes:
        return 64
    return max(low, min(high, _AUTO_BATCH_BYTES // max(1, sum(sizes))))
