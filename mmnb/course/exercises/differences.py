"""Say how an answer differs from the expected one: shape, sign, scale, offset, transposed, or single values."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np


def difference(
    yours: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, part: str = "the answer"
) -> str | None:
    """The most telling difference between an answer and the expected one, or None if there is none.

    Args:
        yours: The answer: a number, text, array or tensor, or a dict, tuple or list of those.
        expected: The expected answer.
        rtol: Tolerance of every number, relative to the expected one; give either this or `atol`.
        atol: Absolute tolerance of every number.
        part: What is being compared, for the message.

    Raises:
        ValueError: When both tolerances are given, or none.

    Example:
        >>> difference([2.0, 4.0], [1.0, 2.0], rtol=1e-6)
        'the answer: the scale differs: every number is 2 times the expected one'
        >>> difference([1.0, 2.0], [1.0, 2.0], atol=1e-6) is None
        True
    """
    if (rtol is None) == (atol is None):
        raise ValueError(f"difference: got rtol={rtol}, atol={atol}; expected exactly one of them")
    if yours is None and expected is not None:
        return f"{part}: got None; expected {_kind(expected)}. Is a `return` missing?"
    if isinstance(expected, Mapping):
        return _mappings(yours, expected, rtol, atol, part)
    numeric = _array(expected)
    if numeric is None and isinstance(expected, list | tuple):
        return _sequences(yours, expected, rtol, atol, part)
    if numeric is None:
        same = type(yours) is type(expected) and yours == expected
        return None if same else f"{part}: got {yours!r}; expected {expected!r}"
    found = _array(yours)
    if found is None:
        return f"{part}: got {_kind(yours)}; expected {_kind(expected)}"
    return _arrays(found, numeric, rtol, atol, part)


def _mappings(yours: Any, expected: Mapping, rtol: float | None, atol: float | None, part: str) -> str | None:
    if not isinstance(yours, Mapping) or set(yours) != set(expected):
        got = f"the keys {sorted(map(str, yours))}" if isinstance(yours, Mapping) else _kind(yours)
        return f"{part}: got {got}; expected a dict with the keys {sorted(map(str, expected))}"
    found = (difference(yours[key], expected[key], rtol=rtol, atol=atol, part=f"{part}, {key!r}") for key in expected)
    return next(filter(None, found), None)


def _sequences(yours: Any, expected: Any, rtol: float | None, atol: float | None, part: str) -> str | None:
    if not isinstance(yours, list | tuple) or len(yours) != len(expected):
        got = f"{len(yours)} parts" if isinstance(yours, list | tuple) else _kind(yours)
        return f"{part}: got {got}; expected {len(expected)} parts"
    pairs = enumerate(zip(yours, expected, strict=True), start=1)
    found = (
        difference(mine, theirs, rtol=rtol, atol=atol, part=f"{part}, part {index}") for index, (mine, theirs) in pairs
    )
    return next(filter(None, found), None)


def _arrays(yours: np.ndarray, expected: np.ndarray, rtol: float | None, atol: float | None, part: str) -> str | None:
    def close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # inf - inf; equal infinities are settled by a == b
            allowed = atol if atol is not None else rtol * np.abs(b)
            return (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= np.where(np.isfinite(b), allowed, 0.0))

    if yours.shape != expected.shape:
        turned = yours.T.shape == expected.shape and close(yours.T, expected).all()
        hint = ": it is the expected one transposed" if turned else ""
        return f"{part}: the shape differs: got {yours.shape}, expected {expected.shape}{hint}"
    right = close(yours, expected)
    if right.all():
        return None
    broken = ~np.isfinite(yours) & np.isfinite(expected)
    if broken.any():
        return f"{part}: the value differs: {int(broken.sum())} of {yours.size} numbers are NaN or infinite; expected finite ones"
    if close(-yours, expected).all():
        return f"{part}: the sign differs: every number has the opposite sign"
    factor = _factor(yours, expected)
    if factor is not None and close(yours / factor, expected).all():
        return f"{part}: the scale differs: every number is {factor:.4g} times the expected one"
    if yours.ndim == 2 and yours.shape[0] == yours.shape[1] and close(yours.T, expected).all():
        return f"{part}: the axes differ: it is the expected one transposed"
    offset = float(np.median(yours - expected))
    if yours.size > 1 and math.isfinite(offset) and close(yours - offset, expected).all():
        return f"{part}: the value differs: every number is {abs(offset):.4g} too {'large' if offset > 0 else 'small'}"
    worst = np.unravel_index(
        np.argmax(np.where(right, -1.0, np.nan_to_num(np.abs(yours - expected), nan=np.inf))), yours.shape
    )
    place = f" at {tuple(int(index) for index in worst)}" if yours.ndim else ""
    count = f" in {int((~right).sum())} of {yours.size} numbers, most" if yours.size > 1 else ""
    return f"{part}: the value differs{count}{place}: got {yours[worst]:.6g}, expected {expected[worst]:.6g}"


def _factor(yours: np.ndarray, expected: np.ndarray) -> float | None:
    """The one factor between two arrays of more than one number, judged at the largest expected entry; none if it says nothing."""
    if yours.size < 2 or not np.isfinite(yours).all() or not np.isfinite(expected).all():
        return None
    largest = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    if not expected[largest] or not yours[largest]:
        return None
    return float(yours[largest] / expected[largest])


def _array(value: Any) -> np.ndarray | None:
    """`value` as a float array, or None where it is not made of real numbers."""
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
        value = value.numpy()
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(part, numbers.Real | np.generic) for part in value):
            return None
    elif not isinstance(value, numbers.Real | np.generic | np.ndarray):
        return None
    array = np.asarray(value)
    return array.astype(float) if array.dtype.kind in "biuf" else None


def _kind(value: Any) -> str:
    array = _array(value)
    if array is None:
        return type(value).__name__
    return f"numbers of shape {array.shape}" if array.ndim else "a number"
