"""Values between the grader and the process of a submission: lines of JSON, in which an array is its bytes. Decoding runs nothing."""

import base64
import json
from typing import Any, BinaryIO

import numpy as np

LONGEST = 4 * 2**20  # bytes of one line, and of an array that is sent whole
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)
_PLAIN = bool | int | float | str | None


class Unreadable(ValueError):
    """What came is not an encoded value."""


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def receive(stream: BinaryIO, longest: int = LONGEST) -> dict[str, Any]:
    """Read one message of at most `longest` bytes. Raises: EOFError at the end of the stream, Unreadable."""
    line = stream.readline(longest + 1)
    if not line:
        raise EOFError
    if len(line) > longest:
        raise Unreadable(f"more than {LONGEST >> 20} MB in one answer")
    try:
        message = json.loads(line)
    except MALFORMED as error:
        raise Unreadable(type(error).__name__) from error
    if not isinstance(message, dict):
        raise Unreadable(f"got {type(message).__name__}; expected a message")
    return message


def encode(value: Any) -> Any:
    """`value` as something that json can write; an object that is no answer becomes the name of its type."""
    kind, number = type(value).__name__, value
    if hasattr(number, "detach"):  # a tensor, without importing torch to ask
        number = number.detach().cpu()
        number = (number.float() if "bfloat16" in str(number.dtype) else number).numpy()
    if isinstance(number, np.ndarray | np.generic) and number.dtype.kind in "biuf":
        number = np.asarray(
            number, float if number.dtype.itemsize > 8 else None
        )  # long doubles differ between computers
        order = "F" if number.flags.f_contiguous and not number.flags.c_contiguous else "C"
        code = {"dtype": number.dtype.str, "shape": number.shape, "order": order}
        whole = number.nbytes <= LONGEST // 2
        return code | {"bytes": base64.b64encode(number.tobytes(order)).decode()} if whole else code
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [encode(part) for part in value]}
    if isinstance(value, dict):
        return {"items": {str(key): encode(part) for key, part in value.items()}}
    return value if type(value) in (bool, int, float, str, type(None)) else {"type": kind}


def decode(code: Any) -> Any:
    """What `encode` was given, tensors as arrays; an array too large to send has its shape and no numbers (NaN). Raises: Unreadable."""
    try:
        if isinstance(code, _PLAIN):
            return code
        if "dtype" in code:
            dtype, shape = np.dtype(code["dtype"]), tuple(map(int, code["shape"]))
            if dtype.kind not in "biuf" or min(shape, default=0) < 0 or len(shape) > 32:
                raise ValueError(f"got dtype {dtype}, shape {shape}")
            if "bytes" not in code:
                return np.broadcast_to(np.nan, shape)
            flat = np.frombuffer(base64.b64decode(code["bytes"]), dtype)
            return flat.reshape(shape, order="F" if code["order"] == "F" else "C").copy("K")[
                ()
            ]  # a scalar, not an array without axes
        if "list" in code or "tuple" in code:
            parts = [decode(part) for part in code.get("list", code.get("tuple"))]
            return parts if "list" in code else tuple(parts)
        if "items" in code:
            return {key: decode(value) for key, value in code["items"].items()}
        return type(code["type"], (), {})()  # no answer: an object whose type has that name
    except MALFORMED as error:
        raise Unreadable(f"an answer cannot be read: {error}") from error
