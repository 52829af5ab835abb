"""Out of memory on a batch: halve it and go on."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmnb.instruments.emap.grid import Grid
from mmnb.instruments.emap.sums import Tail


def in_parts(call: Callable[[Tensor], Any], index: Tensor) -> list[Any]:
    """What `call` gives for the examples `index`, in as few parts as memory allows: it is halved, with a warning, where it runs out.

    Example:
        >>> in_parts(lambda index: index.tolist(), torch.arange(3))
        [[0, 1, 2]]
    """
    found = _unless_out_of_memory(lambda: call(index), len(index), "examples")
    if found is not None:
        return [found]
    half = len(index) // 2
    return in_parts(call, index[:half]) + in_parts(call, index[half:])


class Halving:
    """A grid whose model is asked for fewer pairs at a time as soon as it runs out of memory, and says so in a warning.

    The blocks that are summed stay as they are: a block is put together from smaller calls. So neither the order of the sums nor a
    checkpoint depends on when memory ran out. At one pair per call the model's own error is raised.

    Example:
        >>> class Small:
        ...     n, batch_size, tail = 4, 16, None
        ...     def block(self, rows, columns):
        ...         if len(rows) * len(columns) > 5:
        ...             raise torch.OutOfMemoryError("too much")
        ...         return torch.ones(len(rows), len(columns), 1)
        >>> grid = Halving(Small())
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     tuple(grid.block(range(4), range(4)).shape), grid.limit
        ((4, 4, 1), 4)
    """

    def __init__(self, grid: Grid) -> None:
        self.grid, self.limit = grid, max(1, grid.batch_size)

    @property
    def n(self) -> int:
        return self.grid.n

    @property
    def batch_size(self) -> int:
        return self.grid.batch_size

    @property
    def tail(self) -> Tail | None:
        return self.grid.tail

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """As the grid's own, in calls of at most `limit` pairs."""
        if len(rows) <= self.limit:
            cells = self._attempt(lambda: self.grid.pairs(rows, columns), len(rows))
            if cells is not None:
                return cells
        half = (len(rows) + 1) // 2
        return torch.cat([self.pairs(rows[:half], columns[:half]), self.pairs(rows[half:], columns[half:])])

    def block(self, rows: range, columns: range) -> Tensor:
        """As the grid's own, in calls of at most `limit` pairs."""
        cells = len(rows) * len(columns)
        if cells <= self.limit:
            block = self._attempt(lambda: self.grid.block(rows, columns), cells)
            if block is not None:
                return block
        if len(rows) > 1:
            half = (len(rows) + 1) // 2
            return torch.cat([self.block(rows[:half], columns), self.block(rows[half:], columns)])
        half = (len(columns) + 1) // 2
        return torch.cat([self.block(rows, columns[:half]), self.block(rows, columns[half:])], 1)

    def _attempt(self, call: Callable[[], Tensor], pairs: int) -> Tensor | None:
        """The cells, or None when there was no memory for so many: then `limit` is lower than before."""
        cells = _unless_out_of_memory(call, pairs, "pairs")
        if cells is None:
            self.limit = pairs // 2
        return cells


def _unless_out_of_memory(call: Callable[[], Any], size: int, of: str) -> Any:
    """What `call` gives, or None, with a warning, when memory ran out for more than one example."""
    try:
        return call()
    except (MemoryError, RuntimeError) as error:
        if size == 1 or not out_of_memory(error):
            raise
    # the error is gone here, and with it the frames that held the failed call's tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    warnings.warn(
        f"emap: out of memory with {size} {of} in one call; going on with at most {size // 2}",
        UserWarning,
        stacklevel=2,
    )
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: PyTorch's own on a GPU, the texts of its CPU and Apple allocators, Python's.

    Example:
        >>> out_of_memory(torch.OutOfMemoryError("CUDA out of memory")), out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error).lower() for text in texts)
