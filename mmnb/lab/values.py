"""Numbers as claims know them: finite, plain, with an interval around a single one; anything else is an error."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

Value = float | list[float] | dict[str, float]
Interval = tuple[float, float]


def unwrap(value: Any) -> Any:
    """NumPy and torch numbers, and sequences or dicts of them, as plain Python; anything else as it is."""
    if isinstance(value, Mapping):
        return {name: unwrap(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [unwrap(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def finite(value: Any, where: str) -> float:
    """`value` as a float. Raises: ValueError unless it is a finite number; a boolean or a number in quotes is none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{where}: got {value!r} ({type(value).__name__}); expected a finite number")
    return float(value)


def plain(value: Any, where: str) -> Value:
    """A number, list of numbers or dict of numbers as plain Python floats. Raises: ValueError on anything else, and on emptiness."""
    if isinstance(value, Mapping):
        if not value or not all(isinstance(name, str) for name in value):
            raise ValueError(f"{where}: got {dict(value)!r}; expected at least one number under a name")
        return {name: finite(part, f"{where}, {name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError(f"{where}: got an empty list; expected numbers")
        return [finite(part, f"{where}, entry {index}") for index, part in enumerate(value)]
    return finite(value, where)


def interval(ci: Any, value: Value, where: str) -> Interval:
    """`ci` as (low, high). Raises: ValueError unless it is a pair of finite numbers in order that contains the value.

    The ends may miss the value by a relative 1e-9: means of equal numbers differ in the last digits.
    """
    if not isinstance(ci, list | tuple) or len(ci) != 2:
        raise ValueError(f"{where}: got the interval {ci!r}; expected a pair (low, high)")
    if not isinstance(value, float):
        raise ValueError(f"{where}: got an interval for {value!r}; expected a single number, as only that has one")
    low, high = (finite(end, f"{where}, interval") for end in ci)
    slack = 1e-9 * max(abs(low), abs(high), abs(value))
    if not low <= high or not low - slack <= value <= high + slack:
        raise ValueError(f"{where}: got {value} with the interval ({low}, {high}); expected low <= value <= high")
    return low, high


def short(value: Value | None) -> str:
    """A value with four significant digits: the tables of verdicts show numbers of every size side by side.

    Example:
        >>> short(29.7834), short(48248.0), short(2e-12), short([0.5, 1.0]), short({"linear": 0.5}), short(None)
        ('29.78', '48,248', '2.0e-12', '0.5, 1', 'linear 0.5', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{name} {short(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(short, value))
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e9:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:.1e}"
