"""Embeddings of two modalities: the checks that all measures share, and normalisation. Everything is float64."""

import hashlib
import warnings

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments import inputs

Embeddings = Tensor | np.ndarray
_UNIT = 1e-5  # float32 rows that were normalised are off by about 1e-7, half-precision rows by about 5e-4
EPS = torch.finfo(torch.float64).eps


def normalize(a: Embeddings) -> Tensor:
    """Rows (n, d) scaled to length 1, float64 on the CPU, from numbers of any kind; half precision is accepted here only.

    Raises: TypeError on text and complex numbers; ValueError on another shape, NaN, infinity or a row of zeros.
    Example:
        >>> normalize(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]], dtype=torch.float64)
    """
    return scaled(inputs.numbers(a, "normalize: a"), "normalize")


def scaled(rows: Tensor, caller: str, least: float = 0.0) -> Tensor:
    """Float64 rows scaled to length 1. Raises ValueError where a row is 0: not above `least`, by how much rounding can lengthen it."""
    length = torch.linalg.vector_norm(rows, dim=1)
    if not length.isfinite().all():
        raise ValueError(f"{caller}: got rows with a length beyond float64; expected smaller numbers")
    if (length <= least).any():
        zeros = f"{int((length <= least).sum())} of {len(rows)} rows are 0{' up to rounding' if least else ''}"
        raise ValueError(f"{caller}: {zeros}; expected none")
    return rows / length[:, None]


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
    a = inputs.numbers(a, f"embeddings: {name}")
    off = off_unit(a)
    if off.max() > _UNIT:
        bad, most = int((off > _UNIT).sum()), off.max().item()
        got = f"{bad} of {len(a)} rows of {name} are not of length 1 (off by up to {most:.2g})"
        raise ValueError(f"embeddings: {got}; expected unit rows: pass it through `gap.normalize` first")
    return a


def off_unit(rows: Tensor) -> Tensor:
    """How far each row's length is from 1."""
    return (torch.linalg.vector_norm(rows, dim=1) - 1).abs()


def mean_rounding(*sides: Tensor) -> float:
    """Bound on the rounding of a difference of means of unit rows: n - 1 sums and one division, each off by eps/2 of at most 1, twice."""
    return max(len(rows) for rows in sides) * EPS


def warn_about_repeats(a: Tensor, b: Tensor) -> None:
    """Warn where a row occurs twice in one modality: some of its correct partners are then counted as wrong."""
    for name, rows in (("a", a), ("b", b)):
        repeats = len(rows) - len({hashlib.blake2b(row, digest_size=16).digest() for row in rows.numpy()})
        if repeats:
            which = f"{repeats} of {len(rows)} rows of {name} repeat another row (one caption used twice?)"
            text = f"{which}; pairs off the diagonal count as wrong, although some of these are right"
            warnings.warn(text, UserWarning, stacklevel=3)
