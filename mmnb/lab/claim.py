"""One claim as its file describes it: the text, the rules, the nulls; refused when a rule accepts its own null."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmnb.lab import published, rules, values
from mmnb.lab.published import Published
from mmnb.lab.rules import Rule
from mmnb.lab.sizes import PROFILES, check_profile
from mmnb.lab.values import Interval, Value

_ID = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_REQUIRED = {"id", "claim", "place", "rule"}
_TEXTS = ("id", "claim", "place", "published", "tolerance", "differs")
_KEYS = _REQUIRED | set(_TEXTS) | {"partly", "null", "nulls", "profiles", "random"}
_MEASURED = ("value", "at-least", "at-most", "between")  # kinds whose numbers can be random: their width needs a reason


class Null(NamedTuple):
    """What a broken or meaningless run would record. A number alone stands for the interval of width 0 around it: the null
    that is hardest to reject, since every interval rule that rejects it rejects all wider ones, too."""

    value: Value
    ci: Interval | None


@dataclass(frozen=True)
class Claim:
    """One claim of a paper, ready to be judged."""

    id: str
    text: str
    place: str
    published: Published | None
    rule: Rule
    partly: Rule | None
    nulls: tuple[Null, ...]
    profiles: Mapping[str, str] = field(default_factory=dict)  # profile -> why it is recorded but not judged there
    random: bool = False
    tolerance: str | None = None
    differs: str | None = None

    def check(self, value: Any, ci: Any = None) -> tuple[Value, Interval | None]:
        """The value and interval in plain form. Raises: ValueError when this claim's rules cannot judge them."""
        value = values.plain(value, self.id)
        ci = None if ci is None else values.interval(ci, value, self.id)
        for rule in filter(None, (self.rule, self.partly)):
            rule.check(value, ci)
        return self.rule.arrange(value), ci


def parse(raw: Any, where: str, root: Path | None = None) -> Claim:
    """The claim that one entry of a file describes.

    Args:    raw, the mapping of the file; where, its name for error messages; root, the checkout that holds data/published.
    Raises:  ValueError on an unknown or missing key, a number that is unverified or missing in data/published, a width
             without a reason, and a rule that accepts one of its own nulls.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not _ID.fullmatch(raw["id"]):
        raise ValueError(f"{where}: got {raw!r}; expected a mapping with an `id` of a-z, 0-9, dot and hyphen")
    where = f"{where.split(',')[0]}, {raw['id']}"
    if set(raw) - _KEYS or _REQUIRED - set(raw):
        unknown, missing = sorted(set(raw) - _KEYS), sorted(_REQUIRED - set(raw))
        raise ValueError(
            f"{where}: unknown keys: {', '.join(unknown) or 'none'}; missing keys: {', '.join(missing) or 'none'}"
        )
    for key in _TEXTS:
        if key in raw and (not isinstance(raw[key], str) or not raw[key].strip()):
            raise ValueError(f"{where}, {key}: got {raw[key]!r}; expected a text")
    source = published.look_up(raw["published"], where, root) if "published" in raw else None
    number = source.value if source else None
    rule = rules.parse(raw["rule"], f"{where}, rule", number)
    partly = rules.parse(raw["partly"], f"{where}, partly", number) if "partly" in raw else None
    claim = Claim(
        id=raw["id"],
        text=raw["claim"].strip(),
        place=raw["place"].strip(),
        published=source,
        rule=rule,
        partly=partly,
        nulls=_nulls(raw, where),
        profiles=_profiles(raw.get("profiles", {}), where),
        random=_random(raw, rule, where),
        tolerance=raw.get("tolerance"),
        differs=raw.get("differs"),
    )
    _reject_nulls(claim, where)
    return claim


def _nulls(raw: Mapping[str, Any], where: str) -> tuple[Null, ...]:
    if ("null" in raw) == ("nulls" in raw):
        raise ValueError(f"{where}: expected exactly one of `null` and `nulls`: what would a broken run give?")
    entries = raw["nulls"] if "nulls" in raw else [raw["null"]]
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{where}, nulls: got {entries!r}; expected a list")
    nulls = []
    for entry in entries:
        inside = f"{where}, null"
        if isinstance(entry, dict) and "value" in entry and set(entry) <= {"value", "ci"}:
            value = values.plain(entry["value"], inside)
            ci = values.interval(entry["ci"], value, inside) if "ci" in entry else None
        else:
            value, ci = values.plain(entry, inside), None
        nulls.append(Null(value, (value, value) if ci is None and isinstance(value, float) else ci))
    return tuple(nulls)


def _profiles(raw: Any, where: str) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(reason, str) and reason.strip() for reason in raw.values()):
        raise ValueError(
            f"{where}, profiles: got {raw!r}; expected the reason under the name of each profile that is not judged"
        )
    for profile in raw:
        check_profile(profile)
    if set(raw) == set(PROFILES):
        raise ValueError(f"{where}, profiles: every profile is excused; expected one in which the claim is judged")
    return raw


def _random(raw: Mapping[str, Any], rule: Rule, where: str) -> bool:
    random = raw.get("random", None if rule.kind in _MEASURED else False)
    if not isinstance(random, bool):
        raise ValueError(
            f"{where}, random: got {random!r}; expected true or false, required for {', '.join(_MEASURED)}"
        )
    if random and rule.kind in _MEASURED and "tolerance" not in raw:
        raise ValueError(
            f"{where}: a random quantity without `tolerance`; expected the reason for the width (seeds, mean, sd)"
        )
    return random


def _reject_nulls(claim: Claim, where: str) -> None:
    for name, rule in (("rule", claim.rule), ("partly", claim.partly)):
        for null in claim.nulls:
            if rule is not None and rule.accepts(null.value, null.ci):
                raise ValueError(
                    f"{where}: the {name} ({rule}) accepts its own null, {null.value!r}; expected a rule that rejects it"
                )
