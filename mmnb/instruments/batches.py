"""One modality's batch, whatever it is made of: a tensor, an array, a DataFrame, a sparse matrix, a list of items, or a dict or tuple
of those.

A `list` is a sequence of N examples (texts, images of different sizes). A `dict` or `tuple` is a structure whose parts each hold
the N examples, as Hugging Face tokenizers return; it may be nested.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def length(batch: Any, name: str = "batch") -> int:
    """Number of examples in `batch`.

    Raises: TypeError for a type it does not know; ValueError when it is empty or its parts differ in length.
    Example:
        >>> length({"input_ids": torch.zeros(3, 7), "mask": [1, 1, 0]})
        3
    """
    if isinstance(batch, Mapping | tuple):
        parts = dict(batch) if isinstance(batch, Mapping) else dict(enumerate(batch))
        sizes = {key: length(part, f"{name}[{key!r}]") for key, part in parts.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"{name}: its parts have lengths {sizes}; expected one common length")
        return next(iter(sizes.values()))
    if isinstance(batch, torch.Tensor) and (batch.layout != torch.strided or batch.is_meta):
        raise TypeError(f"{name}: got a {batch.layout} tensor on {batch.device}; expected a dense one")
    if isinstance(batch, torch.Tensor | np.ndarray):
        if batch.ndim == 0:
            raise ValueError(f"{name}: got a scalar; expected at least one axis, the first over examples")
    elif not (isinstance(batch, list) or _is_frame(batch) or _is_sparse(batch)):
        raise TypeError(
            f"{name}: got {type(batch).__name__}; expected a tensor, an array, a DataFrame, a list of N examples, or a dict or tuple "
            "of those"
        )
    n = batch.shape[0] if _is_sparse(batch) else len(batch)
    if n == 0:
        raise ValueError(f"{name}: got 0 examples; expected at least 1")
    return n


def take(batch: Any, index: torch.Tensor) -> Any:
    """The examples `index` (int64, any order, repeats allowed), in the structure that `batch` has.

    Any mapping comes back as a plain dict and any tuple as a plain tuple.

    Example:
        >>> take({"x": np.array([10, 20, 30]), "text": ["a", "b", "c"]}, torch.tensor([2, 0]))
        {'x': array([30, 10]), 'text': ['c', 'a']}
    """

    def taken(part: Any) -> Any:
        if isinstance(part, torch.Tensor | np.ndarray):
            return part[index.to(part.device) if isinstance(part, torch.Tensor) else index.numpy()]
        if _is_frame(part):
            return part.iloc[index.numpy()]
        if _is_sparse(part):
            return part.tocsr()[index.numpy()]
        return [part[i] for i in index.tolist()]

    return each_part(batch, taken)


def each_part(batch: Any, what: Callable[[Any], Any]) -> Any:
    """`what` of every tensor, array or list in `batch`, in plain dicts and tuples."""
    if isinstance(batch, Mapping):
        return {key: each_part(part, what) for key, part in batch.items()}
    return tuple(each_part(part, what) for part in batch) if isinstance(batch, tuple) else what(batch)


def for_module(batch: Any, module: torch.nn.Module) -> Any:
    """The batch as a torch module takes it: tables of numbers become tensors on its device, real ones in its precision."""
    like = next((part for part in module.parameters() if part.is_floating_point()), torch.zeros(()))

    def converted(part: Any) -> Any:
        if _is_frame(part):
            part = part.to_numpy()
        elif isinstance(part, list) and isinstance(part[0], int | float | list):
            with contextlib.suppress(ValueError):  # rows of different lengths stay as they are
                part = np.asarray(part)
        if not isinstance(part, np.ndarray) or part.dtype.kind not in "fiub":
            return part
        part = torch.tensor(part)
        return part.to(like) if part.is_floating_point() else part.to(like.device)

    return each_part(batch, converted)


def call(f: Callable, *batches: Any) -> Any:
    """f of these batches, which a torch module gets as it takes them."""
    return f(*(for_module(batch, f) for batch in batches)) if isinstance(f, torch.nn.Module) else f(*batches)


def bytes_per_example(batch: Any) -> int | None:
    """Size of one example in bytes, or None where it cannot be known (lists of arbitrary items)."""
    if isinstance(batch, Mapping | tuple):
        sizes = [bytes_per_example(part) for part in (batch.values() if isinstance(batch, Mapping) else batch)]
        return None if None in sizes else sum(sizes)
    if isinstance(batch, torch.Tensor):
        return batch[0].numel() * batch.element_size()
    if _is_frame(batch):
        return int(np.sum(batch.memory_usage(index=False))) // len(batch)
    if _is_sparse(batch):
        return batch.nnz * (batch.dtype.itemsize + 4) // batch.shape[0]
    return batch[0].nbytes if isinstance(batch, np.ndarray) and batch.dtype != object else None


def _is_frame(batch: Any) -> bool:
    """A pandas DataFrame or Series."""
    return hasattr(batch, "iloc")


def _is_sparse(batch: Any) -> bool:
    """A matrix of scipy.sparse."""
    return hasattr(batch, "tocsr")
