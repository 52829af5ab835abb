"""Answers as JSON: numbers, texts, arrays and containers of them. Whoever reads them need not trust who wrote them."""

import base64
import binascii
from typing import Any

import numpy as np

_KINDS = "biuf"  # bool, integers, floats: no objects, no texts inside arrays


class Unreadable(ValueError):
    """What was handed in is not an encoded answer."""


def encode(answer: Any) -> Any:
    """`answer` as something json can write; what has no place in an answer becomes its type's name."""
    if answer is None or isinstance(answer, bool | str):
        return answer
    if type(answer) in (int, float):
        return answer
    if isinstance(answer, list | tuple):
        return {"sequence": [encode(part) for part in answer]}
    if isinstance(answer, dict):
        return {"mapping": [[encode(key), encode(value)] for key, value in answer.items()]}
    if hasattr(answer, "detach"):  # a tensor, without importing torch to ask
        answer = answer.detach().cpu()
        answer = (answer.double() if answer.is_floating_point() else answer).numpy()
    if isinstance(answer, np.ndarray | np.generic):
        array = np.asarray(answer)
        if array.dtype.kind in _KINDS and array.dtype.itemsize <= 8:
            raw = np.ascontiguousarray(array).tobytes()
            return {"array": base64.b64encode(raw).decode(), "dtype": array.dtype.str, "shape": list(array.shape)}
    return {"other": type(answer).__name__[:100]}


def _other(name: str) -> Any:
    """An answer that is none (a function, a figure, an array of objects): an object whose type has that name."""
    return type(name if name.isidentifier() else "unknown", (), {})()


def decode(code: Any, depth: int = 0) -> Any:
    """What `encode` was given, tensors as arrays. Raises: Unreadable for anything that `encode` does not write."""
    if depth > 20:
        raise Unreadable("nested deeper than 20 levels")
    if isinstance(code, int) and abs(code) >= 2**63:
        raise Unreadable("a whole number of more than 64 bits")
    if code is None or isinstance(code, bool | str | int | float):
        return code
    if isinstance(code, dict):
        if set(code) == {"sequence"} and isinstance(code["sequence"], list):
            return tuple(decode(part, depth + 1) for part in code["sequence"])
        if set(code) == {"mapping"} and isinstance(code["mapping"], list):
            return _mapping(code["mapping"], depth)
        if set(code) == {"array", "dtype", "shape"}:
            return _array(**code)
        if set(code) == {"other"} and isinstance(code["other"], str):
            return _other(code["other"][:100])
    raise Unreadable(f"{type(code).__name__} where an encoded answer was expected")


def _mapping(pairs: list, depth: int) -> dict:
    try:
        return {decode(key, depth + 1): decode(value, depth + 1) for key, value in pairs}
    except (TypeError, ValueError) as error:
        raise Unreadable(f"a mapping with unusable keys: {error}") from error


def _array(array: Any, dtype: Any, shape: Any) -> np.ndarray:
    try:
        kind = np.dtype(dtype)
        if kind.kind not in _KINDS or kind.itemsize > 8:
            raise Unreadable(f"an array of {kind}")
        return np.frombuffer(base64.b64decode(array, validate=True), dtype=kind).reshape(tuple(shape))
    except (TypeError, ValueError, binascii.Error) as error:  # reshape refuses a shape that the bytes do not fill
        raise Unreadable(f"a broken array: {error}") from error
