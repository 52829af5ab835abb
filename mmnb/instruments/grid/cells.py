"""Where the cells of the grid come from: the model on every pair, or a head that crosses features of both sides.

Where a call runs out of memory, half as many examples are asked for, and the pass goes on.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmnb.instruments.batches import bytes_per_example, call, take
from mmnb.instruments.inputs import array

_CACHE_BYTES = 4 * 2**20  # what one block reads or writes: measured, it stays in the cache and hides Python's overhead
_MEMORY_BYTES = 64 * 2**20  # inputs of one batch that any computer has room for
_BATCH_LIMITS = (16, 64, 8192)


@dataclass(frozen=True)
class LastLayer:
    """The last linear layer, z = W h + c, applied to n mean activations instead of n^2 cells.

    Attributes:
        weight, bias: (C, H) and (C,), float64.
        narrow: The layer itself, and so the cells before it, have fewer bits than float64.
    """

    weight: Tensor
    bias: Tensor
    narrow: bool = False

    @classmethod
    def of(cls, layer: nn.Linear) -> "LastLayer":
        """From an `nn.Linear`, kept on its device where that has float64."""
        weight = with_float64(layer.weight.detach()).double()
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().to(weight)
        return cls(weight, bias, narrow=layer.weight.dtype != torch.float64)

    def __call__(self, hidden: Tensor) -> Tensor:
        """W h + c for (..., H) on any device, in float64."""
        return hidden.double() @ self.weight.to(hidden.device).T + self.bias.to(hidden.device)


class Limit:
    """How many examples fit into one call of a model; `most` is halved, with a warning, whenever memory runs out.

    Example:
        >>> def small(part):
        ...     if part.stop - part.start > 2:
        ...         raise torch.OutOfMemoryError("too much")
        ...     return part.stop - part.start
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     Limit(4).parts(small, 5, "pairs")
        [2, 2, 1]
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)

    def attempt(self, call: Callable[[], Any], size: int, unit: str) -> Any:
        """What `call` gives for `size` examples; None, and a lower limit, if memory ran out. One example alone may not fail."""
        try:
            return call()
        except (MemoryError, RuntimeError) as error:
            if size == 1 or not out_of_memory(error):
                raise
        # the error is gone here, and with it the frames that held the failed call's tensors
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.most = size // 2
        text = f"grid: out of memory with {size} {unit} in one call; going on with at most {self.most}"
        warnings.warn(text, UserWarning, stacklevel=3)
        return None

    def parts(self, call: Callable[[slice], Any], size: int, unit: str) -> list[Any]:
        """`call(slice)` for consecutive slices of `size` examples, each as long as memory allows."""
        results, start = [], 0
        while start < size:
            part = slice(start, min(size, start + self.most))
            result = self.attempt(lambda part=part: call(part), part.stop - start, unit)
            if result is not None:
                results.append(result)
                start = part.stop
        return results


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: PyTorch's own on a GPU, the texts of its CPU and Apple allocators, Python's."""
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error).lower() for text in texts)


class Cells:
    """An n x n grid of cells of H numbers. A subclass defines `_pairs`, and `_block` where it has a shorter way to a rectangle.

    No call asks for more than `batch_size` cells. After a call ran out of memory, fewer are asked for and put together: neither the
    blocks nor the order of the sums depends on it.
    """

    def __init__(self, n: int, batch_size: int, last: LastLayer | None = None) -> None:
        self.n, self.batch_size, self.last = n, batch_size, last
        self.limit, self._first = Limit(batch_size), None

    def _block(self, rows: range, columns: range) -> Tensor:
        return self._pairs(*pairs_of(rows, columns)).view(len(rows), len(columns), -1)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The cells (rows[k], columns[k]): (B, H), in the model's dtype. rows and columns are int64 on the CPU."""
        parts = self.limit.parts(lambda part: self._checked(self._pairs(rows[part], columns[part])), len(rows), "pairs")
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def block(self, rows: range, columns: range) -> Tensor:
        """The cells rows x columns: (R, K, H); good until the next call, which may use the same memory."""
        size, cells = len(rows) * len(columns), None
        if size <= self.limit.most:
            cells = self.limit.attempt(lambda: self._checked(self._block(rows, columns)), size, "pairs")
        return self.pairs(*pairs_of(rows, columns)).view(len(rows), len(columns), -1) if cells is None else cells

    def outputs(self, cells: Tensor) -> Tensor:
        """What the model says where the cells are these: (B, C) float64."""
        return cells.double() if self.last is None else self.last(cells)

    def column_blocks(self) -> Iterator[range]:
        """All columns at once where they fit, else in parts, so that rows x columns stay within `batch_size`."""
        step = min(self.n, self.batch_size // self.rows_at_once)
        return (range(i, min(i + step, self.n)) for i in range(0, self.n, step))

    @property
    def rows_at_once(self) -> int:
        """Rows of a block: whole rows where they fit, else up to 32 parts of rows, of 128 columns or more."""
        return max(1, self.batch_size // self.n, min(32, self.n, self.batch_size // 128))

    def _checked(self, cells: Tensor) -> Tensor:
        found = cells.numel() // cells.shape[-1], cells.shape[-1]
        self._first = self._first or found
        if found[1] != self._first[1]:
            square = all(pairs == width for pairs, width in (found, self._first))
            every = ": every a with every b of the batch; take its diagonal, as in `.logits_per_image.diagonal()`"
            raise ValueError(
                f"grid: f returned {self._first} scores for {self._first[0]} pairs and {found} for {found[0]}; expected one number of "
                f"scores per pair{every if square else ''}"
            )
        return cells


class ModelCells(Cells):
    """The grid of any f(a, b): one call of f per block, its inputs gathered pair by pair."""

    def __init__(
        self, f: Callable, a: Any, b: Any, n: int, batch_size: int | None, last: LastLayer | None = None
    ) -> None:
        super().__init__(n, batch_size or automatic_batch_size(a, b), last)
        self.f, self.a, self.b = f, a, b

    def _pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        return as_scores(call(self.f, take(self.a, rows), take(self.b, columns)), len(rows))


class CrossCells(ModelCells):
    """The grid of a head with `head.cross(a, b)`: (P, d), (Q, d) -> (P, Q, C), such as one matrix product for a dot product.

    A head that is affine in each side would not even need the grid: its mean over all b is its score of the mean b. That costs n
    evaluations, but gives no single cell, and up to some thousand examples the matrix product is faster.
    """

    def __init__(
        self, head: Any, a: Tensor, b: Tensor, n: int, batch_size: int | None, last: LastLayer | None = None
    ) -> None:
        first = as_scores(head.cross(a[:1], b[:1]).flatten(0, 1), 1)
        cells = cells_in_cache(first)
        super().__init__(head, a, b, n, cells if batch_size is None else min(cells, batch_size), last)

    def _block(self, rows: range, columns: range) -> Tensor:
        cells = self.f.cross(self.a[rows.start : rows.stop], self.b[columns.start : columns.stop])
        return as_scores(cells.flatten(0, 1), len(rows) * len(columns)).view(len(rows), len(columns), -1)


def cells_in_cache(one: Tensor) -> int:
    """How many cells such as `one`, (1, H), a block may have so that it is still in the cache when it is summed."""
    return max(16, _CACHE_BYTES // (one.shape[1] * one.element_size()))


def automatic_batch_size(a: Any, b: Any) -> int:
    """Pairs per call, from the size of their inputs alone, so that a run and its continuation agree.

    About 4 MiB of inputs, but 64 pairs where these take less than 64 MiB; 64 where the size is unknown (texts, pictures).
    """
    sizes = bytes_per_example(a), bytes_per_example(b)
    least, few, most = _BATCH_LIMITS
    if None in sizes:
        return few
    one = max(1, sum(sizes))
    return min(most, max(least, min(few, _MEMORY_BYTES // one), _CACHE_BYTES // one))


def pairs_of(rows: range, columns: range) -> tuple[Tensor, Tensor]:
    """The block rows x columns as two lists of indices, row by row."""
    i, j = torch.arange(rows.start, rows.stop), torch.arange(columns.start, columns.stop)
    return i.repeat_interleave(len(columns)), j.repeat(len(rows))


def as_scores(output: Any, pairs: int) -> Tensor:
    """What a model returned for so many pairs, as (B, H) real numbers; TypeError or ValueError if it is anything else."""
    if not isinstance(output, Tensor | np.ndarray) and not hasattr(output, "to_numpy"):
        raise TypeError(
            f"grid: f returned {type(output).__name__}; expected a tensor or an array of scores (for a Hugging Face model "
            "return its `.logits`)"
        )
    if not isinstance(output, Tensor):
        output = array(output, "grid: what f returned")
        if output.dtype.kind != "f":
            raise TypeError(f"grid: f returned {output.dtype}; expected real-valued scores, not class labels")
        output = output.astype(np.float64) if output.dtype == np.longdouble else output
        output = torch.as_tensor(np.require(output, requirements=["C", "W"]))
    if output.layout != torch.strided:
        raise TypeError(f"grid: f returned a {output.layout} tensor; expected a dense one")
    if not output.is_floating_point():
        raise TypeError(f"grid: f returned {output.dtype}; expected real-valued scores, not class labels")
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != 2 or len(output) != pairs or output.shape[1] == 0:
        raise ValueError(
            f"grid: f returned shape {tuple(output.shape)} for {pairs} pairs; expected ({pairs}, C) or ({pairs},)"
        )
    return with_float64(output.detach())


def with_float64(tensor: Tensor) -> Tensor:
    """The tensor where float64 exists: on its device, but for Apple's (mps) on the CPU."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def check_finite(cells: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Raise ValueError if a cell holds NaN or infinity, naming the first pair."""
    bad = (~cells.isfinite()).any(1).nonzero().flatten()
    if len(bad):
        i, j = rows[bad[0]], columns[bad[0]]
        impossible = (cells == -torch.inf).any(0).nonzero().flatten().tolist()
        hint = (
            f" (-inf in outputs {impossible[:5]}: what is impossible has no mean, leave it out)" if impossible else ""
        )
        raise ValueError(
            f"grid: f gave NaN or infinity for {len(bad)} of {len(cells)} pairs, first for a[{i}] with b[{j}]; "
            f"expected finite scores{hint}"
        )
