"""Out of memory in one call: ask for half as many examples and go on."""

import warnings
from collections.abc import Callable
from typing import Any

import torch


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
    """Whether an error says that memory ran out: PyTorch's own on a GPU, the texts of its CPU and Apple allocators, Python's.

    Example:
        >>> out_of_memory(torch.OutOfMemoryError("CUDA out of memory")), out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error).lower() for text in texts)
