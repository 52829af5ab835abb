"""Say how an answer differs from the expected one: shape, sign, scale, offset, transposed, or single values."""

import math
import numbers
import re
from collections.abc import Mapping
from typing import Any

import numpy as np


def difference(
    yours: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, part: str = "the answer"
) -> str | None:
    """The most telling difference between an answer and the expected one, or None if there is none.

    Args:
        yours: A number, text, array or tensor, or a dict, tuple or list of those.
        expected: As `yours`.
        rtol: Tolerance of every number, relative to the expected one; give either this or `atol`.
        atol: Absolute tolerance of every number.
        part: What is being compared, for the message.

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
    numeric = _array(expected)
    if isinstance(expected, Mapping):
        if not isinstance(yours, Mapping) or set(yours) != set(expected):
            got = f"the keys {sorted(map(str, yours))}" if isinstance(yours, Mapping) else _kind(yours)
            return f"{part}: got {got}; expected a dict with the keys {sorted(map(str, expected))}"
        parts = [(repr(key), yours[key], expected[key]) for key in expected]
    elif numeric is None and isinstance(expected, list | tuple):
        if not isinstance(yours, list | tuple) or len(yours) != len(expected):
            got = f"{len(yours)} parts" if isinstance(yours, list | tuple) else _kind(yours)
            return f"{part}: got {got}; expected {len(expected)} parts"
        parts = [(f"part {n}", *pair) for n, pair in enumerate(zip(yours, expected, strict=True), start=1)]
    elif numeric is None:
        yours = str(yours) if type(yours) is np.str_ else yours  # what indexing an array of words gives
        same = type(yours) is type(expected) and yours == expected
        return None if same else f"{part}: got {yours!r}; expected {expected!r}"
    elif (found := _array(yours)) is None:
        return f"{part}: got {_kind(yours)}; expected {_kind(expected)}"
    else:
        return _arrays(found, numeric, rtol, atol, part)
    below = (difference(a, b, rtol=rtol, atol=atol, part=f"{part}, {name}") for name, a, b in parts)
    return next(filter(None, below), None)


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
    error = np.where(right, -1.0, np.nan_to_num(np.abs(yours - expected), nan=np.inf))
    worst = np.unravel_index(np.argmax(error), yours.shape)
    place = f" at {tuple(int(index) for index in worst)}" if yours.ndim else ""
    count = f" in {int((~right).sum())} of {yours.size} numbers, most" if yours.size > 1 else ""
    pairs = ((f"{yours[worst]:.{digits}g}", f"{expected[worst]:.{digits}g}") for digits in (6, 9, 17))
    got, wanted = next(pair for pair in pairs if pair[0] != pair[1])  # a float32 answer differs late
    return f"{part}: the value differs{count}{place}: got {got}, expected {wanted}"


def shown(arguments: tuple, longest: int = 400) -> str:
    """The arguments of a call in at most `longest` characters, large arrays with their first and last numbers."""
    with np.printoptions(precision=4, threshold=24, edgeitems=2, suppress=True):
        texts = [f"{one!r} of shape {one.shape}" if np.ndim(one) and one.size > 24 else repr(one) for one in arguments]
    text = re.sub(r"\s+", " ", ", ".join(texts))
    return text if len(text) <= longest else f"{text[:longest]}…"


def _factor(yours: np.ndarray, expected: np.ndarray) -> float | None:
    """The factor between two arrays of several numbers, judged at the largest expected one; None where it says nothing."""
    if yours.size < 2 or not np.isfinite([yours, expected]).all():
        return None
    largest = np.argmax(np.abs(expected))
    factor = yours.flat[largest] / (expected.flat[largest] or np.inf)
    return float(factor) or None


def _array(value: Any) -> np.ndarray | None:
    """`value` as a float array, or None where it is not made of real numbers."""
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    if isinstance(value, list | tuple):
        rows = [_array(part) if getattr(part, "ndim", 0) == 0 else None for part in value]  # numbers, or lists of them
        if not rows or any(row is None or row.shape != rows[0].shape for row in rows):
            return None
        value = np.stack(rows)
    elif not isinstance(value, numbers.Real | np.generic | np.ndarray):
        return None
    array = np.asarray(value)
    return array.astype(float, copy=False) if array.dtype.kind in "biuf" else None


def _kind(value: Any) -> str:
    array = _array(value)
    if array is None:
        return type(value).__name__
    return f"numbers of shape {array.shape}" if array.ndim else "a number"
