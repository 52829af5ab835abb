"""How a claim is judged: eight kinds of rule, each a plain comparison with one tolerance, on finite numbers.

| kind | accepts | keys |
|---|---|---|
| identity | abs(value - target) <= abs; exact mathematics | target, abs |
| value | abs(value - target) <= abs, or <= rel * abs(target) | target, either rel or abs, use |
| at-least, at-most | value >= bound, value <= bound | bound, use |
| between | low <= value <= high | low, high, use |
| order | each value above the one before by more than margin (or below it) | increasing, margin, names |
| sign | a value above (or below) 0 | sign |
| p-value | a one-sided p of at most the level | level |

`sign`, and `use: ci` in the others, judge an interval: accepted when all of it satisfies the rule, rejected when none of it does, else
undecided. An order is rejected when a step goes the other way by more than the margin, and a p-value from 1 - level; between lies undecided.
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
    "value": ({"target"}, {"abs", "rel", "use"}),
    "at-least": ({"bound"}, {"use"}),
    "at-most": ({"bound"}, {"use"}),
    "between": ({"low", "high"}, {"use"}),
    "order": ({"increasing"}, {"margin", "names"}),
    "sign": ({"sign"}, set()),
    "p-value": ({"level"}, set()),
}


def require(right: bool, where: str, got: Any, expected: str) -> None:
    """Raise ValueError unless `right`: where it happened, what was got, what was expected."""
    if not right:
        raise ValueError(f"{where}: got {got}; expected {expected}")


def is_text(value: Any) -> bool:
    """Whether `value` is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def _inside(low: float, high: float, least: float, most: float) -> bool | None:
    """Whether an interval lies within another: True all of it, False none of it, None a part."""
    return True if least <= low and high <= most else False if high < least or low > most else None


@dataclass(frozen=True)
class Rule:
    """One rule with its numbers; made by `parse`, which checks them."""

    kind: str
    options: Mapping[str, Any]
    where: str

    def check(self, value: Value, ci: Interval | None) -> None:
        """Raise ValueError unless the value is of the form this rule judges and has the interval it needs."""
        names, target = self.options.get("names"), self.options.get("target")
        if names is not None:
            right = isinstance(value, dict) and set(value) == set(names)
            form = f"one number for each of {', '.join(names)}"
        elif self.kind == "order":
            right = isinstance(value, list) and len(value) >= 2
            form = "a list of two or more (values by name need `names` in the rule)"
        elif isinstance(target, list):
            right = isinstance(value, list) and len(value) == len(target)
            form = f"a list of {len(target)} numbers, as in the target"
        else:
            right, form = isinstance(value, float), "a single number"
        require(right, self.where, repr(value), form)
        require(ci is not None or not self.judges_ci, self.where, "no interval", "one, because this rule judges it")
        if self.kind == "p-value":
            require(0 <= value <= 1, self.where, f"p = {value}", "a probability")

    @property
    def judges_ci(self) -> bool:
        """Whether the interval decides, not the value."""
        return self.kind == "sign" or self.options.get("use") == "ci"

    def judge(self, value: Value, ci: Interval | None = None) -> bool | None:
        """True: the evidence is for the rule; False: against it; None: neither. Raises ValueError as `check`."""
        self.check(value, ci)
        options = self.options
        low, high = ci if self.judges_ci and ci is not None else (value, value)
        match self.kind:
            case "identity" | "value" if isinstance(options["target"], list):
                return all(
                    abs(ours - aim) <= self._width(aim) for ours, aim in zip(value, options["target"], strict=True)
                )
            case "identity" | "value":
                aim = options["target"]
                wanted = (aim - self._width(aim), aim + self._width(aim))
                if not self.judges_ci:  # as the reader would compute it: a border that is off by rounding accepts
                    return abs(value - aim) <= self._width(aim)
            case "at-least":
                wanted = (options["bound"], math.inf)
            case "at-most":
                wanted = (-math.inf, options["bound"])
            case "between":
                wanted = (options["low"], options["high"])
            case "order":
                row = [value[name] for name in options["names"]] if "names" in options else value
                steps = [(after - before) * (1 if options["increasing"] else -1) for before, after in pairwise(row)]
                against = min(steps) < -options["margin"]
                return True if min(steps) > options["margin"] else False if against else None
            case "p-value":
                return True if value <= options["level"] else False if value >= 1 - options["level"] else None
            case _:  # sign: 0 itself is neither
                low, high = (low, high) if options["sign"] == "positive" else (-high, -low)
                return True if low > 0 else False if high < 0 or low == high == 0 else None
        return _inside(low, high, *wanted)

    def _width(self, target: float) -> float:
        return self.options["abs"] if "abs" in self.options else self.options["rel"] * abs(target)

    def accepts(self, value: Value, ci: Interval | None = None) -> bool:
        """Whether the value, or its interval where that decides, satisfies the rule. Raises ValueError as `check`."""
        return self.judge(value, ci) is True

    def arrange(self, value: Any) -> Any:
        """Named numbers in the order of the rule's names (stored files sort them); anything else unchanged."""
        names = self.options.get("names")
        named = names and isinstance(value, dict) and set(names) == set(value)
        return {name: value[name] for name in names} if named else value

    def __str__(self) -> str:
        """The rule in words, for the table of verdicts."""
        options = self.options
        what = "whole interval " if options.get("use") == "ci" else ""
        match self.kind:
            case "identity" | "value":
                width = short(options["abs"]) if "abs" in options else f"{100 * options['rel']:g} %"
                name = "equals" if self.kind == "identity" else "whole interval within" if what else "value"
                return f"{name} {short(options['target'])} ± {width}"
            case "at-least" | "at-most":
                return f"{what}{self.kind.replace('-', ' ')} {short(options['bound'])}"
            case "between":
                return f"{what}between {short(options['low'])} and {short(options['high'])}"
            case "order":
                margin = f" by more than {short(options['margin'])}" if options["margin"] else ""
                names = f": {', '.join(options['names'])}" if "names" in options else ""
                return f"{'increasing' if options['increasing'] else 'decreasing'}{margin}{names}"
            case "p-value":
                return f"p at most {short(options['level'])}"
            case _:
                return f"interval {'above' if options['sign'] == 'positive' else 'below'} 0"


def parse(raw: Any, where: str, published: Value | None = None) -> Rule:
    """The rule that a claim file describes; `where` names it in errors, `published` is what `target: published` means.

    Raises:
        ValueError: An unknown kind or key, a missing key, both or none of rel and abs, or a number out of range.

    Example:
        >>> rule = parse({"kind": "value", "target": 29.78, "abs": 0.01}, "here")
        >>> str(rule), rule.accepts(29.775), rule.accepts(0.0)
        ('value 29.78 ± 0.01', True, False)
    """
    known = isinstance(raw, Mapping) and raw.get("kind") in _KEYS
    require(known, where, repr(raw), f"a mapping with a `kind` among {', '.join(_KEYS)}")
    kind, given = raw["kind"], set(raw) - {"kind"}
    required, optional = _KEYS[kind]
    choices = f" and perhaps {', '.join(sorted(optional))}" if optional else ""
    got, expected = ", ".join(sorted(given)) or "nothing", f"{', '.join(sorted(required))}{choices}"
    if not required <= given <= required | optional:
        raise ValueError(f"{where}: rule {kind} got {got}; expected {expected}")
    options = {key: _option(kind, key, raw[key], where, published) for key in raw if key != "kind"}
    if kind == "value":
        got = "both rel and abs" if "rel" in options else "neither rel nor abs"
        require(("rel" in options) != ("abs" in options), where, got, "exactly one of them")
        zero = 0.0 in options["target"] if isinstance(options["target"], list) else options["target"] == 0
        require(not ("rel" in options and zero), where, "rel with the target 0, which has no relative width", "abs")
        single = "use" not in options or isinstance(options["target"], float)
        require(single, where, "`use: ci` with several targets", "one target, as only a single number has an interval")
    if kind == "between":
        low, high = options["low"], options["high"]
        require(low < high, where, f"low {low} and high {high}", "low < high")
    if kind == "order":
        options.setdefault("margin", 0.0)
    return Rule(kind, options, where)


def _option(kind: str, key: str, value: Any, where: str, published: Value | None) -> Any:
    """One checked entry of a rule."""
    where, got = f"{where}, {key}", repr(value)
    words = {"use": ("ci",), "sign": ("positive", "negative"), "increasing": (True, False)}
    if key in words:
        right = any(value is word or (isinstance(value, str) and value == word) for word in words[key])
        require(right, where, got, " or ".join(str(word).lower() for word in words[key]))
        return value
    if key == "names":
        right = isinstance(value, list) and len(set(map(str, value))) == len(value) >= 2
        require(right, where, got, "a list of two or more different names")
        return [str(name) for name in value]
    if value == "published":
        right = key in ("target", "bound") and published is not None
        require(right, where, "`published`", "a number, or a claim with a `published` key and a target or bound")
        value = published
    number = plain(value, where)
    right = isinstance(number, float) or (key == "target" and isinstance(number, list))
    require(right, where, repr(value), f"a single number{' or a list of numbers' if key == 'target' else ''}")
    if key in ("abs", "margin"):
        zero_is_fine = (kind, key) != ("value", "abs")
        require(number > 0 or (number == 0 and zero_is_fine), where, number, "a number above 0")
    if key == "level":
        require(0 < number < 0.5, where, number, "a number between 0 and 0.5")
    if key == "rel":
        require(0 < number < 1, where, number, "a number between 0 and 1, as a width of 1 would accept 0")
    return number


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
        named = bool(value) and all(isinstance(name, str) for name in value)
        require(named, where, repr(dict(value)), "at least one number under a name")
        return {name: finite(part, f"{where}, {name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        require(bool(value), where, "an empty list", "numbers")
        return [finite(part, f"{where}, entry {index}") for index, part in enumerate(value)]
    return finite(value, where)


def interval(ci: Any, value: Value, where: str) -> Interval:
    """`ci` as (low, high).

    The ends may miss the value by a relative 1e-9, as means of equal numbers differ in the last digits.

    Raises:
        ValueError: Not a pair of finite numbers with low <= value <= high, or the value is not a single number.
    """
    pair = isinstance(ci, list | tuple) and len(ci) == 2
    require(pair, where, f"the interval {ci!r}", "a pair (low, high)")
    single = isinstance(value, float)
    require(single, where, f"an interval for {value!r}", "a single number, as only that has one")
    low, high = (finite(end, f"{where}, interval") for end in ci)
    slack = 1e-9 * max(abs(low), abs(high), abs(value))
    inside = low <= high and low - slack <= value <= high + slack
    require(inside, where, f"{value} with the interval ({low}, {high})", "low <= value <= high")
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
