"""Fingerprints of models and data: they tell two runs apart, so that a checkpoint is never continued by another."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from mmnb.instruments.checks import modules_behind


def fingerprint(value: Any) -> str:
    """Fingerprint of anything a batch can be made of: values, shapes, dtypes, keys and order all count.

    Args:
        value: Tensors (any device), arrays, numbers, texts, pictures (anything with `tobytes`), and lists, tuples and mappings of
            those, DataFrames, sparse matrices. Of other objects only the type counts.

    Returns:
        16 hexadecimal digits of a SHA-256.

    Example:
        >>> fingerprint([1, 2]) == fingerprint([1, 2]), fingerprint([1, 2]) == fingerprint([2, 1])
        (True, False)
        >>> fingerprint(torch.zeros(2)) == fingerprint(torch.zeros(2).double())
        False
    """
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()[:16]


def fingerprint_of_model(f: Callable) -> str:
    """Fingerprint of the parameters and buffers of all torch modules behind `f` (see `modules_behind`); "none" where there is none.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> before = fingerprint_of_model(layer)
        >>> _ = torch.nn.init.zeros_(layer.weight)
        >>> fingerprint_of_model(layer) == before
        False
    """
    found = sorted(fingerprint([type(module).__name__, dict(module.state_dict())]) for module in modules_behind(f))
    return fingerprint(found) if found else "none"


def _feed(sha: Any, value: Any) -> None:
    """Kind and size come before the content, so that no two structures run into the same bytes."""
    if isinstance(value, torch.Tensor):
        sha.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        sha.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"array {value.dtype.str} {value.shape};".encode())
        sha.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data if value.size else b"")
    elif isinstance(value, str | bytes | int | float | complex | np.generic | None):
        text = repr(value).encode()
        sha.update(f"{type(value).__name__} {len(text)};".encode() + text)
    elif isinstance(value, Mapping):
        sha.update(f"mapping {len(value)};".encode())
        for key, part in value.items():
            _feed(sha, key)
            _feed(sha, part)
    elif hasattr(value, "tocsr"):  # a sparse matrix
        rows = value.tocsr()
        _feed(sha, ["sparse", rows.shape, rows.data, rows.indices, rows.indptr])
    elif hasattr(value, "iloc"):  # a DataFrame or Series
        columns = dict(value.items()) if hasattr(value, "columns") else {value.name: value}
        _feed(sha, {str(name): column.to_numpy() for name, column in columns.items()})
    elif isinstance(value, list | tuple | np.ndarray):
        sha.update(f"sequence {len(value)};".encode())
        for part in value:
            _feed(sha, part)
    else:
        content = value.tobytes() if callable(getattr(value, "tobytes", None)) else b""
        size = getattr(value, "size", None)  # of a picture: its bytes alone do not say width and height
        sha.update(f"{type(value).__qualname__} {size if isinstance(size, tuple) else ''} {len(content)};".encode())
        sha.update(content)
