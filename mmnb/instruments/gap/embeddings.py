"""Embeddings of two modalities: the checks that all measures share, and normalisation. Everything is float64."""

import warnings

import numpy as np
import torch
from torch import Tensor

Embeddings = Tensor | np.ndarray
_UNIT = 1e-5  # float32 rows that were normalised are off by about 1e-7, half-precision rows by about 5e-4


def normalize(a: Embeddings) -> Tensor:
    """Rows (n, d) scaled to length 1, float64, from any floating dtype; half precision is accepted here only.

    Raises: TypeError on integers; ValueError on another shape, NaN, infinity or a row of zeros.
    Example:
        >>> normalize(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]], dtype=torch.float64)
    """
    a, length = _rows_and_lengths(a, "normalize")
    if (length == 0).any():
        raise ValueError(f"normalize: {int((length == 0).sum())} of {len(a)} rows are 0; expected none")
    return a / length[:, None]


def check_embeddings(a: Embeddings, b: Embeddings, *, paired: bool = True) -> tuple[Tensor, Tensor]:
    """Both modalities as float64 unit rows of one space; TypeError or ValueError on anything else."""
    a, b = unit_rows(a, "a"), unit_rows(b, "b")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"embeddings: a has {a.shape[1]} dimensions and b {b.shape[1]}; expected one common space")
    if paired and len(a) != len(b):
        raise ValueError(f"embeddings: a has {len(a)} rows and b {len(b)}; expected pairs, one row of each")
    return a, b


def unit_rows(a: Embeddings, name: str) -> Tensor:
    """`a` as float64 (n, d) if its rows have length 1 and are not in half precision."""
    if getattr(a, "dtype", None) in (torch.float16, torch.bfloat16, np.float16):
        got = f"{name} is {a.dtype}: half precision rounds lengths"
        raise TypeError(f"embeddings: {got}; expected float32 or float64: pass it through `gap.normalize` first")
    a, length = _rows_and_lengths(a, name)
    off = (length - 1).abs()
    if off.max() > _UNIT:
        bad, most = int((off > _UNIT).sum()), off.max().item()
        got = f"{bad} of {len(a)} rows of {name} are not of length 1 (off by up to {most:.2g})"
        raise ValueError(f"embeddings: {got}; expected unit rows: pass it through `gap.normalize` first")
    return a


def _rows_and_lengths(a: Embeddings, name: str) -> tuple[Tensor, Tensor]:
    """`a` as float64 (n, d) and the lengths of its rows, which also show whether all numbers are finite."""
    if not isinstance(a, Tensor | np.ndarray):
        raise TypeError(f"embeddings: {name} is {type(a).__name__}; expected a tensor or an array of shape (n, d)")
    a = torch.as_tensor(a)
    if not a.is_floating_point():
        raise TypeError(f"embeddings: {name} is {a.dtype}; expected real numbers")
    if a.ndim != 2 or 0 in a.shape:
        raise ValueError(f"embeddings: {name} has shape {tuple(a.shape)}; expected (n, d) with n >= 1 and d >= 1")
    a = a.detach().to(torch.float64)
    length = torch.linalg.vector_norm(a, dim=1)
    bad = int((~length.isfinite()).sum())
    if bad:
        raise ValueError(f"embeddings: {bad} of {len(a)} rows of {name} hold NaN or infinity; expected finite numbers")
    return a, length


def warn_about_repeats(a: Tensor, b: Tensor) -> None:
    """Warn where a row occurs twice in one modality: some of its correct partners are then counted as wrong."""
    for name, rows in (("a", a), ("b", b)):
        repeats = len(rows) - len({row.tobytes() for row in rows.cpu().numpy()})
        if repeats:
            which = f"{repeats} of {len(rows)} rows of {name} repeat another row (one caption used twice?)"
            text = f"{which}; pairs off the diagonal count as wrong, although some of these are right"
            warnings.warn(text, UserWarning, stacklevel=3)
