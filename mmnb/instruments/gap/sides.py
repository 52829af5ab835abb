"""The two sides of a gap: checks that every measurement shares, all in float64."""

import warnings

import numpy as np
import torch
from torch import Tensor

Rows = Tensor | np.ndarray
_UNIT = 1e-5  # float32 rows that were normalised are off by about 1e-7, half-precision rows by about 5e-4


def normalize(x: Rows) -> Tensor:
    """Rows scaled to length 1, in float64.

    Args:    x, (n, d), n >= 1, any floating dtype; half precision is welcome here and nowhere else in this package.
    Returns: (n, d) float64 with the same directions.
    Raises:  TypeError on whole numbers; ValueError on another shape, NaN, infinity or a row of zeros.
    Example:
        >>> normalize(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]], dtype=torch.float64)

    Source:  every paper on the gap normalises first; stored features are often off (the authors' CLIP file by up to 0.06 %).
    """
    x, length = _rows_and_lengths(x, "normalize: x")
    if (length == 0).any():
        raise ValueError(
            f"normalize: {int((length == 0).sum())} of {len(x)} rows are 0; expected rows that have a direction"
        )
    return x / length[:, None]


def finite_rows(x: Rows, name: str) -> Tensor:
    """`x` as float64 (n, d). Raises TypeError or ValueError when it is no such thing."""
    return _rows_and_lengths(x, name)[0]


def _rows_and_lengths(x: Rows, name: str) -> tuple[Tensor, Tensor]:
    """`x` as float64 (n, d) and the lengths of its rows, which also tell whether all numbers are finite: one pass over the data."""
    if not isinstance(x, Tensor | np.ndarray):
        raise TypeError(f"{name}: got {type(x).__name__}; expected a tensor or an array of shape (n, d)")
    x = torch.as_tensor(x)
    if not x.is_floating_point():
        raise TypeError(f"{name}: got {x.dtype}; expected real numbers")
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected (n, d) with n >= 1 and d >= 1")
    x = x.detach().to(torch.float64)
    length = torch.linalg.vector_norm(x, dim=1)
    bad = ~length.isfinite()
    if bad.any():
        raise ValueError(f"{name}: {int(bad.sum())} of {len(x)} rows hold NaN or infinity; expected finite numbers")
    return x, length


def unit_rows(x: Rows, name: str) -> Tensor:
    """`x` as float64 (n, d) with rows of length 1. Raises TypeError on half precision, ValueError on rows of another length."""
    dtype = getattr(torch.as_tensor(x), "dtype", None) if isinstance(x, Tensor | np.ndarray) else None
    if dtype in (torch.float16, torch.bfloat16):
        raise TypeError(
            f"{name}: got {dtype}; half precision rounds lengths and means away from 1 and 0. Expected float32 or float64: "
            "pass it through `gap.normalize` first"
        )
    x, length = _rows_and_lengths(x, name)
    off = (length - 1).abs()
    if off.max() > _UNIT:
        raise ValueError(
            f"{name}: {int((off > _UNIT).sum())} of {len(x)} rows are not of length 1 (worst {1 + off.max().item():.5g} or its mirror); "
            "expected unit rows: pass it through `gap.normalize` first"
        )
    return x


def two_sides(x: Rows, y: Rows, caller: str, paired: bool = True) -> tuple[Tensor, Tensor]:
    """Both sides as float64 unit rows of one width; where `paired`, of one length."""
    a, b = unit_rows(x, f"{caller}: x"), unit_rows(y, f"{caller}: y")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{caller}: x has {a.shape[1]} dimensions and y {b.shape[1]}; expected one common space")
    if paired and len(a) != len(b):
        raise ValueError(
            f"{caller}: x has {len(a)} rows and y {len(b)}; expected pairs, row i of both belonging together"
        )
    return a, b


def warn_about_repeats(x: Tensor, y: Tensor, caller: str) -> None:
    """Warn where a row occurs twice on one side: its other partners are then counted as wrong, although they are right."""
    for name, side in (("x", x), ("y", y)):
        different = len({row.tobytes() for row in side.cpu().numpy()})
        if different < len(side):
            warnings.warn(
                f"{caller}: {len(side) - different} of {len(side)} rows of {name} repeat another row (a caption given twice?); pairs "
                "that are not on the diagonal are taken for wrong ones, some of these are right",
                UserWarning,
                stacklevel=3,
            )
