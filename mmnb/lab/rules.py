"""How a claim is judged: seven kinds of rule, each a plain comparison with one tolerance, on finite numbers.

| kind | accepts | keys |
|---|---|---|
| identity | abs(value - target) <= abs; exact mathematics | target, abs |
| value | abs(value - target) <= abs, or <= rel * abs(target) | target, and either rel or abs |
| at-least, at-most | value >= bound, value <= bound; with `use: ci` the whole interval | bound, use |
| between | low <= value <= high; with `use: ci` the whole interval | low, high, use |
| order | each value above the one before by more than margin (or below it) | increasing, margin, names |
| sign | the interval lies strictly on one side of 0 | sign |
"""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Value = float | list[float] | dict[str, float]
Interval = tuple[float, float]

_KEYS = {  # kind -> (required keys, optional keys)
    "identity": ({"target", "abs"}, set()),
    "value": ({"target"}, {"abs", "rel"}),
    "at-least": ({"bound"}, {"use"}),
    "at-most": ({"bound"}, {"use"}),
    "between": ({"low", "high"}, {"use"}),
    "order": ({"increasing"}, {"margin", "names"}),
    "sign": ({"sign"}, set()),
}
KINDS = tuple(_KEYS)


@dataclass(frozen=True)
class Rule:
    """One rule with its numbers; made by `parse`, which checks them."""

    kind: str
    options: Mapping[str, Any]
    where: str

    @property
    def needs_ci(self) -> bool:
        """Whether the rule judges an interval, not only a number."""
        return self.kind == "sign" or self.options.get("use") == "ci"

    def check(self, value: Value, ci: Interval | None) -> None:
        """Raise ValueError unless the value is of the form this rule judges and has the interval it needs."""
        names, target = self.options.get("names"), self.options.get("target")
        if self.kind == "order":
            if names is None and (not isinstance(value, list) or len(value) < 2):
                raise ValueError(
                    f"{self.where}: got {value!r}; expected a list of two or more (values by name need `names` in the rule)"
                )
            if names is not None and (not isinstance(value, dict) or set(value) != set(names)):
                raise ValueError(f"{self.where}: got {value!r}; expected one number for each of {', '.join(names)}")
        elif isinstance(target, list):
            if not isinstance(value, list) or len(value) != len(target):
                raise ValueError(
                    f"{self.where}: got {value!r}; expected a list of {len(target)} numbers, as in the target"
                )
        elif not isinstance(value, float):
            raise ValueError(f"{self.where}: got {value!r}; expected a single number")
        if self.needs_ci and ci is None:
            raise ValueError(f"{self.where}: got no interval; expected one, because this rule judges it")

    def accepts(self, value: Value, ci: Interval | None = None) -> bool:
        """Whether the value, or its interval with `use: ci`, satisfies the rule. Raises ValueError as `check`."""
        self.check(value, ci)
        low, high = ci if self.options.get("use") == "ci" and ci is not None else (value, value)
        match self.kind:
            case "identity" | "value":
                return all(abs(ours - target) <= self._width(target) for ours, target in self._pairs(value))
            case "at-least":
                return low >= self.options["bound"]
            case "at-most":
                return high <= self.options["bound"]
            case "between":
                return self.options["low"] <= low and high <= self.options["high"]
            case "order":
                direction = 1 if self.options["increasing"] else -1
                return all(
                    direction * (after - before) > self.options["margin"]
                    for before, after in pairwise(self._sequence(value))
                )
            case _:  # sign: the value lies inside its interval, so the interval decides
                low, high = ci
                return low > 0 if self.options["sign"] == "positive" else high < 0

    def arrange(self, value: Any) -> Any:
        """Named numbers in the order of the rule's names (stored files sort them); anything else unchanged."""
        names = self.options.get("names")
        named = names and isinstance(value, dict) and set(names) == set(value)
        return {name: value[name] for name in names} if named else value

    def _pairs(self, value: Value) -> list[tuple[float, float]]:
        target = self.options["target"]
        return list(zip(value, target, strict=True)) if isinstance(target, list) else [(value, target)]

    def _width(self, target: float) -> float:
        return self.options["abs"] if "abs" in self.options else self.options["rel"] * abs(target)

    def _sequence(self, value: Value) -> list[float]:
        names = self.options.get("names")
        return value if names is None else [value[name] for name in names]

    def __str__(self) -> str:
        """The rule in words, for the table of verdicts."""
        what = "whole interval" if self.options.get("use") == "ci" else ""
        match self.kind:
            case "identity" | "value":
                tolerance = (
                    f"± {short(self.options['abs'])}" if "abs" in self.options else f"± {100 * self.options['rel']:g} %"
                )
                return f"{'equals' if self.kind == 'identity' else 'value'} {short(self.options['target'])} {tolerance}"
            case "at-least" | "at-most":
                return f"{what} {self.kind.replace('-', ' ')} {short(self.options['bound'])}".strip()
            case "between":
                return f"{what} between {short(self.options['low'])} and {short(self.options['high'])}".strip()
            case "order":
                word = "increasing" if self.options["increasing"] else "decreasing"
                margin = f" by more than {short(self.options['margin'])}" if self.options["margin"] else ""
                names = f": {', '.join(self.options['names'])}" if "names" in self.options else ""
                return f"{word}{margin}{names}"
            case _:
                return f"interval {'above' if self.options['sign'] == 'positive' else 'below'} 0"


def parse(raw: Any, where: str, published: Value | None = None) -> Rule:
    """The rule that a claim file describes.

    Args:
        raw: The mapping of the file.
        where: Its name for error messages.
        published: The number that `target: published` means.

    Raises:
        ValueError: An unknown kind or key, a missing key, both or none of rel and abs, or a number out of range.

    Example:
        >>> rule = parse({"kind": "value", "target": 29.78, "abs": 0.01}, "here")
        >>> str(rule), rule.accepts(29.775), rule.accepts(0.0)
        ('value 29.78 ± 0.01', True, False)
    """
    if not isinstance(raw, Mapping) or raw.get("kind") not in _KEYS:
        raise ValueError(f"{where}: got {raw!r}; expected a mapping with a `kind` among {', '.join(KINDS)}")
    kind = raw["kind"]
    required, optional = _KEYS[kind]
    given = set(raw) - {"kind"}
    if not required <= given or given - required - optional:
        choices = f" and perhaps {', '.join(sorted(optional))}" if optional else ""
        raise ValueError(
            f"{where}: rule {kind} got {', '.join(sorted(given)) or 'nothing'}; expected {', '.join(sorted(required))}{choices}"
        )
    options = {key: _option(kind, key, raw[key], where, published) for key in raw if key != "kind"}
    if kind == "value":
        _check_value(options, where)
    if kind == "between" and options["low"] >= options["high"]:
        raise ValueError(f"{where}: got low {options['low']} and high {options['high']}; expected low < high")
    if kind == "order":
        options.setdefault("margin", 0.0)
    return Rule(kind, options, where)


def _option(kind: str, key: str, value: Any, where: str, published: Value | None) -> Any:
    """One checked entry of a rule."""
    where = f"{where}, {key}"
    words = {"use": ("ci",), "sign": ("positive", "negative"), "increasing": (True, False)}
    if key in words:
        if not any(value is word or (isinstance(value, str) and value == word) for word in words[key]):
            raise ValueError(
                f"{where}: got {value!r}; expected {' or '.join(str(word).lower() for word in words[key])}"
            )
        return value
    if key == "names":
        if not isinstance(value, list) or len(value) < 2 or len(set(map(str, value))) < len(value):
            raise ValueError(f"{where}: got {value!r}; expected a list of two or more different names")
        return [str(name) for name in value]
    if value == "published":
        if key not in ("target", "bound") or published is None:
            raise ValueError(
                f"{where}: got `published`; expected a number, or a claim with a `published` key and a target or bound"
            )
        value = published
    number = plain(value, where)
    if isinstance(number, dict) or (key != "target" and not isinstance(number, float)):
        raise ValueError(
            f"{where}: got {value!r}; expected a single number{' or a list of numbers' if key == 'target' else ''}"
        )
    if (key in ("abs", "margin") and number < 0) or (key == "abs" and kind == "value" and number == 0):
        raise ValueError(f"{where}: got {number}; expected a number above 0")
    if key == "rel" and not 0 < number < 1:
        raise ValueError(f"{where}: got {number}; expected a number between 0 and 1, as a width of 1 would accept 0")
    return number


def _check_value(options: Mapping[str, Any], where: str) -> None:
    if ("rel" in options) == ("abs" in options):
        got = "both rel and abs" if "rel" in options else "neither rel nor abs"
        raise ValueError(f"{where}: got {got}; expected exactly one of them")
    targets = options["target"] if isinstance(options["target"], list) else [options["target"]]
    if "rel" in options and 0.0 in targets:
        raise ValueError(f"{where}: got rel with the target 0, which has no relative width; expected abs")


def unwrap(value: Any) -> Any:
    """NumPy and torch numbers, and sequences or dicts of them, as plain Python; anything else unchanged."""
    if isinstance(value, Mapping):
        return {name: unwrap(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [unwrap(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def finite(value: Any, where: str) -> float:
    """`value` as a float. Raises ValueError unless it is a finite number; a boolean or a text is not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{where}: got {value!r} ({type(value).__name__}); expected a finite number")
    return float(value)


def plain(value: Any, where: str) -> Value:
    """A number, list or dict of numbers as Python floats. Raises ValueError on anything else, and on an empty one."""
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
    """`ci` as (low, high).

    The ends may miss the value by a relative 1e-9, as means of equal numbers differ in the last digits.

    Raises:
        ValueError: Not a pair of finite numbers with low <= value <= high, or the value is not a single number.
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
    """A value with four significant digits, for the tables of verdicts.

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
