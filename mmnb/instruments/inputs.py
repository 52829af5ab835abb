"""What the public calls accept: numbers, masks, labels and counts in any form that users have them, or one clear refusal.

Every instrument reads its arguments through these, so that the same thing means the same everywhere. A list is N examples. What comes
back is on the CPU, contiguous, without a graph: float64, where the computer that gave it (an Apple or a CUDA device) may have none.
"""

import math
import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor


def array(value: Any, name: str) -> np.ndarray:
    """`value` as a NumPy array on the CPU: a tensor on any device, an array or memory map, a DataFrame or Series, or a list of numbers or rows.

    Raises:
        TypeError: Sparse matrices, data loaders, None, objects, complex numbers: what was given is named.
        ValueError: Rows of different lengths, or nothing at all.
    """
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_complex() or value.is_meta:
            got = "complex numbers" if value.is_complex() else f"a {value.layout} tensor on {value.device}"
            raise TypeError(f"{name}: got {got}; expected a dense tensor of real numbers")
        value = value.detach().cpu()
        found = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    elif isinstance(value, np.ndarray | list | np.generic | int | float) or hasattr(value, "to_numpy"):
        if isinstance(value, list) and value and isinstance(value[0], Tensor | np.ndarray):
            value = [array(row, name) for row in value]
        try:
            found = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
        except ValueError as error:
            raise ValueError(f"{name}: got rows of different lengths; expected one length") from error
    else:
        expected = "a tensor, an array, a DataFrame or a list of N examples"
        raise TypeError(f"{name}: got {type(value).__name__}; expected {expected}")
    if found.dtype == object:  # a DataFrame of mixed columns, labels with missing values
        found = _of_objects(found, name)
    if found.dtype.kind not in "fiubU":
        raise TypeError(f"{name}: got {found.dtype}; expected real numbers")
    return found


def numbers(value: Any, name: str, shape: str = "(n, d)") -> Tensor:
    """Finite real numbers as float64.

    Args:
        value: As `array` reads it; half precision is widened, whole numbers and bools are numbers.
        name: How the message calls it, such as "emap: a".
        shape: What is expected, such as "(n,)" or "(n, d, ...)"; as many axes as it has letters, "..." stands for any more.

    Raises:
        TypeError: Text, or what `array` refuses.
        ValueError: Another number of axes, no examples, NaN or infinity (how many rows, and the first of them).

    Example:
        >>> numbers([[1, 2], [3, 4]], "a")
        tensor([[1., 2.],
                [3., 4.]], dtype=torch.float64)
    """
    found = np.ascontiguousarray(_shaped(_no_text(value, name), name, shape).astype(np.float64, copy=False))
    found = torch.from_numpy(found if found.flags.writeable else found.copy())
    if not found.sum().isfinite():  # one fast pass; a sum of finite numbers may overflow, so look again
        bad = ~found.reshape(len(found), -1).isfinite().all(1)
        if bad.any():
            got = f"NaN or infinity in {int(bad.sum())} of {len(bad)} rows, first in row {int(bad.int().argmax())}"
            raise ValueError(f"{name}: got {got}; expected finite numbers")
    return found


def as_given(value: Any, name: str, shape: str = "(n, ...)") -> Tensor:
    """What goes into or comes out of a model: real numbers in the type and on the device of a tensor, finite or not; else as `array`."""
    if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_complex():
        return _shaped(value.detach(), name, shape)
    return torch.from_numpy(_shaped(_no_text(value, name), name, shape).copy())


def scores(value: Any, name: str, shape: str = "(n, classes)") -> Tensor:
    """Scores of classes, float32 or float64 as they were: -inf is a number, an impossible class.

    Args:
        value, name, shape: As in `numbers`.

    Raises:
        TypeError: As `numbers`.
        ValueError: Another number of axes, NaN, positive infinity, or an example for which no class is possible.
    """
    found = _no_text(value, name)
    wide = found.dtype if found.dtype in (np.float32, np.float64) else np.float64
    found = torch.from_numpy(np.ascontiguousarray(_shaped(found, name, shape).astype(wide)))
    bad = ~found.amax(-1).isfinite()  # of NaN, infinity, and -inf alone
    if bad.any():
        raise ValueError(f"{name}: got NaN, infinity or no possible class in {int(bad.sum())} rows; expected numbers")
    return found


def labels(value: Any, name: str, n: int | None = None, *, fewest: int = 1) -> tuple[np.ndarray, list]:
    """Labels as codes (n,) int64 from 0 to C - 1, and the C classes in order: whole numbers of any sign, bools or text.

    Args:
        value: (n,) as `array` reads it.
        name: How the message calls it.
        n: How many there must be; None: any number.
        fewest: Examples that every class needs.

    Raises:
        TypeError: Real numbers that are not whole (a regression target).
        ValueError: Another shape (one-hot rows, a column), another length, NaN, one class only if `fewest` is above 1, rare classes.

    Example:
        >>> labels(["cat", "dog", "cat"], "y")
        (array([0, 1, 0]), ['cat', 'dog'])
        >>> labels([-1, 1, 1], "y")
        (array([0, 1, 1]), [-1, 1])
    """
    found = _shaped(array(value, name), name, "(n,)")
    if n is not None and len(found) != n:
        raise ValueError(f"{name}: got {len(found)} labels for {n} examples; expected one each")
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise ValueError(f"{name}: got NaN or infinity among the labels; expected a class for every example")
        if (found != np.round(found)).any():
            raise TypeError(
                f"{name}: got real numbers, such as {found[found != np.round(found)][0]:g}; expected labels"
            )
        found = found.astype(np.int64)
    classes, codes, counts = np.unique(found, return_inverse=True, return_counts=True)
    if fewest > 1 and len(classes) < 2:
        raise ValueError(f"{name}: all {len(found)} labels are {classes[0]}; expected two classes or more")
    if counts.min() < fewest:
        rare = classes[counts.argmin()]
        raise ValueError(f"{name}: class {rare} has {counts.min()} of {len(found)} examples; expected {fewest} or more")
    return codes.reshape(-1).astype(np.int64), classes.tolist()


def places(value: Any, name: str, shape: str = "(n,)") -> Tensor:
    """Whole numbers that point at something, such as tokens or positions, as int64."""
    found = _shaped(array(value, name), name, shape)
    if found.dtype.kind not in "iu":
        raise TypeError(f"{name}: got {found.dtype}; expected whole numbers")
    return torch.from_numpy(found.astype(np.int64))


def mask(value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    """A bool tensor of exactly this shape, from bools or from zeros and ones of any type, as tokenizers return them."""
    found = array(value, name)
    if found.shape != shape:
        raise ValueError(f"{name}: got shape {found.shape}; expected {shape}")
    if found.dtype.kind == "U" or not np.isin(found, (0, 1)).all():
        raise ValueError(f"{name}: got {found.dtype} with values other than 0 and 1; expected a mask")
    return torch.from_numpy(found.astype(bool))


def whole(value: Any, name: str, least: int = 1) -> int:
    """A whole number of at least `least`, from a Python or NumPy integer; a bool is none."""
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least:
        raise ValueError(f"{name}: got {value!r}; expected a whole number >= {least}")
    return found


def real(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from `least` to `most`, Python's, NumPy's or a tensor of one."""
    try:
        found = math.nan if isinstance(value, str) or np.ndim(value) else float(value)
    except (TypeError, ValueError, RuntimeError):  # objects, ragged lists, sparse and meta tensors
        found = math.nan
    if not (math.isfinite(found) and least <= found <= most):
        raise ValueError(f"{name}: got {value!r:.80}; expected a finite number from {least:g} to {most:g}")
    return found


def _no_text(value: Any, name: str) -> np.ndarray:
    found = array(value, name)
    if found.dtype.kind == "U":
        raise TypeError(f"{name}: got text, such as {str(found.flat[0])!r}; expected real numbers")
    return found


def _of_objects(found: np.ndarray, name: str) -> np.ndarray:
    """An array of Python objects as numbers or as text, where they are all of one kind."""
    if all(isinstance(item, str) for item in found.flat):
        return found.astype(str)
    if all(isinstance(item, int | float | np.number) for item in found.flat):
        return found.astype(np.float64)
    odd = next(item for item in found.flat if not isinstance(item, int | float | np.number | str))
    raise TypeError(f"{name}: got {type(odd).__name__} among its values; expected real numbers, or text alone")


def _shaped(found: Any, name: str, shape: str) -> Any:
    """Refuse another number of axes, and no examples."""
    axes = shape.strip("()").replace(" ", "").strip(",").split(",")
    more = axes[-1] == "..."
    fits = found.ndim >= len(axes) - 1 if more else found.ndim == len(axes)
    if not fits or 0 in found.shape:
        raise ValueError(f"{name}: got shape {tuple(found.shape)}; expected {shape} with n >= 1")
    return found
