"""Claims: what a paper says, the rule that judges our number, and the nulls: what a meaningless run would give.

`parse` rejects a claim whose rule accepts one of its own nulls, so every claim could have come out the other way.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmnb import paths
from mmnb.lab import published, rules
from mmnb.lab.published import Published, read_yaml
from mmnb.lab.rules import Interval, Rule, Value, is_text, require
from mmnb.lab.sizes import PROFILES, check_profile

_ID = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_REQUIRED = {"id", "claim", "place", "rule"}
_TEXTS = ("id", "claim", "place", "published", "tolerance", "differs")
_KEYS = _REQUIRED | set(_TEXTS) | {"partly", "null", "nulls", "profiles", "random"}
_MEASURED = ("value", "at-least", "at-most", "between")  # kinds whose numbers can be random: their width needs a reason
VERDICTS = ("reproduced", "partly", "not reproduced", "not testable here")
REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = VERDICTS


class Null(NamedTuple):
    """What a broken or meaningless run would record. A number without an interval gets one of width 0, the hardest to reject."""

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
        """The value and interval as plain Python numbers. Raises ValueError where this claim's rules cannot judge them."""
        value = rules.plain(value, self.id)
        ci = None if ci is None else rules.interval(ci, value, self.id)
        for rule in filter(None, (self.rule, self.partly)):
            rule.check(value, ci)
        return self.rule.arrange(value), ci


@dataclass(frozen=True)
class ClaimSet:
    """The claims of one notebook in the order of their file; `files`: where they were read from, relative to the root."""

    notebook: str
    claims: Mapping[str, Claim]
    files: tuple[str, ...]

    def __getitem__(self, claim_id: str) -> Claim:
        if claim_id not in self.claims:
            raise ValueError(f"unknown claim {claim_id!r}; {self.files[0]} has {', '.join(self.claims) or 'none'}")
        return self.claims[claim_id]

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims.values())

    def __len__(self) -> int:
        return len(self.claims)


class Change(NamedTuple):
    """A verdict that differs from the committed one; None stands for a claim that one side does not have."""

    id: str
    old: str | None
    new: str | None
    reason: str | None

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.id}: {self.old or 'no such claim'} → {self.new or 'not recorded'}{reason}"


def slugs(root: Path | None = None) -> list[str]:
    """The notebooks that have a claims file, sorted."""
    return sorted(path.stem for path in ((root or paths.root()) / "data" / "claims").glob("*.yaml"))


def load(slug: str, root: Path | None = None) -> ClaimSet:
    """The claims of a notebook such as "01_emap", checked; `root` is the checkout, by default the one in use.

    Raises:
        ValueError: There is no such file, its form is wrong, or as `parse`.
    """
    root = root or paths.root()
    path = root / "data" / "claims" / f"{slug}.yaml"
    if not path.is_file() or path.parent != root / "data" / "claims":
        known = ", ".join(slugs(root)) or "no notebook"
        raise ValueError(f"unknown notebook {slug!r}: no file {path}; there are claims for {known}")
    where = f"data/claims/{path.name}"
    content = read_yaml(path, where)
    right = set(content) == {"notebook", "claims"} and isinstance(content["claims"], list)
    require(right, where, f"the keys {', '.join(map(str, content))}", "`notebook` and `claims`, a list")
    name = content["notebook"]
    require(name == slug, where, f"notebook {name!r}", f"{slug!r}, the name of the file")
    claims: dict[str, Claim] = {}
    for index, raw in enumerate(content["claims"], start=1):
        claim = parse(raw, f"{where}, claim {index}", root)
        require(claim.id not in claims, where, f"the id {claim.id!r} twice", "once")
        claims[claim.id] = claim
    sources = {claim.published.file for claim in claims.values() if claim.published}
    return ClaimSet(slug, claims, (where, *sorted(sources)))


def parse(raw: Any, where: str, root: Path | None = None) -> Claim:
    """The claim that one entry of a file describes; `where` names it in errors, `root` is the checkout as in `load`.

    Raises:
        ValueError: An unknown or missing key, a number that is unverified or missing in data/published, a random
            quantity without `tolerance`, or a rule that accepts one of its own nulls.
    """
    named = isinstance(raw, dict) and isinstance(raw.get("id"), str) and bool(_ID.fullmatch(raw["id"]))
    require(named, where, repr(raw), "a mapping with an `id` of a-z, 0-9, dot and hyphen")
    where = f"{where.split(',')[0]}, {raw['id']}"
    unknown, missing = (", ".join(sorted(map(str, keys))) for keys in (set(raw) - _KEYS, _REQUIRED - set(raw)))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys: {unknown or 'none'}; missing keys: {missing or 'none'}")
    for key in (key for key in _TEXTS if key in raw):
        require(is_text(raw[key]), f"{where}, {key}", repr(raw[key]), "a text")
    source = published.look_up(raw["published"], where, root) if "published" in raw else None
    number = source.value if source else None
    rule = rules.parse(raw["rule"], f"{where}, rule", number)
    partly = rules.parse(raw["partly"], f"{where}, partly", number) if "partly" in raw else None
    nulls = _nulls(raw, where)
    judged = {"rule": rule, "partly": partly, "nulls": nulls, "random": _random(raw, rule, where)}
    judged["profiles"] = _profiles(raw.get("profiles", {}), where)
    for name, judging in (("rule", rule), ("partly", partly)):
        for null in nulls:
            if judging is not None and judging.accepts(null.value, null.ci):
                problem = f"the {name} ({judging}) accepts its own null, {null.value!r}"
                raise ValueError(f"{where}: {problem}; expected a rule that rejects it")
    said = {"text": raw["claim"].strip(), "place": raw["place"].strip()}
    said |= {key: raw.get(key) for key in ("tolerance", "differs")}
    return Claim(raw["id"], published=source, **said, **judged)


def _nulls(raw: Mapping[str, Any], where: str) -> tuple[Null, ...]:
    if ("null" in raw) == ("nulls" in raw):
        raise ValueError(f"{where}: expected exactly one of `null` and `nulls`: the value of a meaningless run")
    entries = raw["nulls"] if "nulls" in raw else [raw["null"]]
    require(isinstance(entries, list) and bool(entries), f"{where}, nulls", repr(entries), "a list")
    nulls, where = [], f"{where}, null"
    for entry in entries:
        with_ci = isinstance(entry, dict) and "value" in entry and set(entry) <= {"value", "ci"}
        value = rules.plain(entry["value"] if with_ci else entry, where)
        ci = rules.interval(entry["ci"], value, where) if with_ci and "ci" in entry else None
        nulls.append(Null(value, (value, value) if ci is None and isinstance(value, float) else ci))
    return tuple(nulls)


def _profiles(raw: Any, where: str) -> dict[str, str]:
    right = isinstance(raw, dict) and all(map(is_text, raw.values()))
    require(right, f"{where}, profiles", repr(raw), "the reason under the name of each profile that is not judged")
    for profile in raw:
        check_profile(profile)
    if set(raw) == set(PROFILES):
        raise ValueError(f"{where}, profiles: every profile is excused; expected one in which the claim is judged")
    return raw


def _random(raw: Mapping[str, Any], rule: Rule, where: str) -> bool:
    random = raw.get("random", None if rule.kind in _MEASURED else False)
    expected = f"true or false, required for {', '.join(_MEASURED)}"
    require(isinstance(random, bool), f"{where}, random", repr(random), expected)
    if rule.kind == "identity" and "tolerance" not in raw:
        raise ValueError(f"{where}: an identity without `tolerance`; expected how its bound follows from rounding")
    if random and rule.kind in _MEASURED and "tolerance" not in raw:
        raise ValueError(f"{where}: a random quantity without `tolerance`; expected a reason (seeds, mean, sd)")
    return random


def judge(claim: Claim, record: Mapping[str, Any], profile: str) -> tuple[str, str | None]:
    """The verdict on one recorded number, one of `VERDICTS`, and its reason (None for "reproduced").

    The record holds `value` and perhaps `ci`, or `unavailable`, the reason why nothing could be measured.

    Raises:
        ValueError: The value is not finite, not of the form that the rule judges, or lacks its interval.
    """
    check_profile(profile)
    unavailable = record.get("unavailable")
    if unavailable is not None:
        right = record.get("value") is None and is_text(unavailable)
        require(right, claim.id, repr(dict(record)), "either a value or a reason why there is none")
        return NOT_TESTABLE, unavailable
    value, ci = claim.check(record.get("value"), record.get("ci"))
    if profile in claim.profiles:
        return NOT_TESTABLE, claim.profiles[profile]
    if claim.rule.accepts(value, ci):
        return REPRODUCED, None
    found = f"found {rules.short(value)}" + (f" [{rules.short(ci)}]" if ci else "")
    if claim.partly is not None and claim.partly.accepts(value, ci):
        return PARTLY, f"{found}: {claim.partly}, but not {claim.rule}"
    return NOT_REPRODUCED, f"{found}; expected: {claim.rule}"


def compare(old_results: Mapping[str, Any], new_records: Mapping[str, Any]) -> list[Change]:
    """The verdicts that changed from data/results/<slug>.json to a run's records.json.

    A claim that only one side has is a change; a claim whose data is missing now (see `unavailable`) is none.

    Raises:
        ValueError: The two come from different notebooks or profiles.
    """
    for key in ("notebook", "profile"):
        old, new = old_results[key], new_records[key]
        require(old == new, "compare", f"{key} {old!r} and {new!r}", "the same in both")
    old, new = old_results["records"], new_records["records"]
    changes = []
    for claim_id in {**old, **new}:
        before, after = old.get(claim_id), new.get(claim_id)
        if before and after and (before["verdict"] == after["verdict"] or after["unavailable"] is not None):
            continue
        verdicts = (record["verdict"] if record else None for record in (before, after))
        changes.append(Change(claim_id, *verdicts, after["reason"] if after else None))
    return changes


def unavailable(records: Mapping[str, Any]) -> dict[str, str]:
    """The claims of a run that lacked their data: id -> reason."""
    reasons = {name: record["unavailable"] for name, record in records["records"].items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}
