"""Claims: what a paper says, the rule that judges our number, what an ideal model would give, and what a meaningless run would.

`parse` rejects a claim whose rule accepts one of its own nulls or not its ideal, so every claim could have come out either way.
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
_REQUIRED = {"id", "kind", "claim", "place", "rule"}
_TEXTS = ("id", "claim", "place", "published", "tolerance", "differs")
_KEYS = _REQUIRED | set(_TEXTS) | {"partly", "ideal", "null", "nulls", "needs", "profiles", "random"}
_MEASURED = ("value", "at-least", "at-most", "between")  # kinds whose numbers can be random: their width needs a reason
PAPER, OWN, CHECK = KINDS = ("paper", "own", "check")  # a paper's sentence; ours, that data could refute; a self-test
UNDECIDED, NOT_TESTABLE = "undecided", "not testable here"
_WORDS = {  # kind -> what it is called when its rule accepts, when only `partly` does, when the evidence is against it
    PAPER: ("reproduced", "partly", "not reproduced"),
    OWN: ("holds", "partly", "does not hold"),
    CHECK: ("passed", "partly", "failed"),
}
MARKS = {
    word: mark for words in _WORDS.values() for word, mark in zip(words, "✔◐✘", strict=True)
}  # distinct without colour
MARKS |= {UNDECIDED: "?", NOT_TESTABLE: "○"}


class Expected(NamedTuple):
    """What an ideal model or a meaningless run would record. A number without an interval gets one of width 0, the clearest evidence."""

    value: Value
    ci: Interval | None
    why: str | None


@dataclass(frozen=True)
class Claim:
    """One claim or check, ready to be judged."""

    id: str
    kind: str
    text: str
    place: str
    published: Published | None
    rule: Rule
    partly: Rule | None
    nulls: tuple[Expected, ...]
    ideal: Expected | None = None
    needs: int = 1  # seeds, models or splits without which nothing is decided
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

    def word(self, answer: bool | None, partly: bool = False) -> str:
        """The verdict in words: what this kind of claim is called when the evidence is for it, against it, or neither."""
        yes, half, no = _WORDS[self.kind]
        return yes if answer else half if partly else UNDECIDED if answer is None else no


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
            quantity without `tolerance` or judged without its interval, a rule that accepts one of its own nulls or not its ideal.
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
    kind = raw["kind"]
    require(kind in KINDS, f"{where}, kind", repr(kind), f"one of {', '.join(KINDS)}")
    nulls, ideal = _nulls(raw, where), _ideal(raw, rule, where)
    needs = raw.get("needs", 1)
    right = isinstance(needs, int) and not isinstance(needs, bool) and ("needs" not in raw or needs > 1)
    require(right, f"{where}, needs", repr(needs), "a whole number above 1")
    judged = {"rule": rule, "partly": partly, "nulls": nulls, "ideal": ideal, "needs": needs}
    judged["random"] = _random(raw, rule, where)
    judged["profiles"] = _profiles(raw.get("profiles", {}), where)
    for name, judging in (("rule", rule), ("partly", partly)):
        for null in nulls:
            if judging is not None and judging.accepts(null.value, null.ci):
                problem = f"the {name} ({judging}) accepts its own null, {null.value!r}"
                raise ValueError(f"{where}: {problem}; expected a rule that rejects it")
    said = {"text": raw["claim"].strip(), "place": raw["place"].strip()}
    said |= {key: raw.get(key) for key in ("tolerance", "differs")}
    return Claim(raw["id"], kind, published=source, **said, **judged)


def _expected(entry: Any, where: str) -> Expected:
    """A number, or a mapping with `value` and perhaps `ci` and `why`."""
    full = isinstance(entry, dict) and "value" in entry and set(entry) <= {"value", "ci", "why"}
    given = entry if full else {"value": entry}
    value = rules.plain(given["value"], where)
    ci = rules.interval(given["ci"], value, where) if "ci" in given else None
    require("why" not in given or is_text(given["why"]), f"{where}, why", repr(given.get("why")), "a text")
    return Expected(value, (value, value) if ci is None and isinstance(value, float) else ci, given.get("why"))


def _nulls(raw: Mapping[str, Any], where: str) -> tuple[Expected, ...]:
    if ("null" in raw) == ("nulls" in raw):
        raise ValueError(f"{where}: expected exactly one of `null` and `nulls`: the value of a meaningless run")
    entries = raw["nulls"] if "nulls" in raw else [raw["null"]]
    require(isinstance(entries, list) and bool(entries), f"{where}, nulls", repr(entries), "a list")
    return tuple(_expected(entry, f"{where}, null") for entry in entries)


def _ideal(raw: Mapping[str, Any], rule: Rule, where: str) -> Expected | None:
    """What a perfect model, or perfect data, gives: needed for claims, and accepted by their rule."""
    if "ideal" not in raw:
        require(raw["kind"] == CHECK, where, "a claim without `ideal`", "what an ideal model would give, and why")
        return None
    ideal = _expected(raw["ideal"], f"{where}, ideal")
    require(ideal.why is not None, f"{where}, ideal", repr(raw["ideal"]), "a mapping with `value` and `why`")
    accepted = rule.accepts(ideal.value, ideal.ci)
    require(
        accepted, where, f"a rule ({rule}) that refuses its ideal, {ideal.value!r}", "one that an ideal model passes"
    )
    return ideal


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
    if random and raw["kind"] != CHECK and rule.kind in _MEASURED and not rule.judges_ci:
        raise ValueError(
            f"{where}: a random quantity judged by its mean alone; expected `use: ci` or a rule of kind sign"
        )
    return random


def judge(claim: Claim, record: Mapping[str, Any], profile: str) -> tuple[str, str | None]:
    """The verdict on one recorded number in the words of its kind, and its reason (None where the rule accepts it).

    The record holds `value` and perhaps `ci` and `n`, or `unavailable`, the reason why nothing could be measured.

    Raises:
        ValueError: The value is not finite, not of the form that the rule judges, or lacks its interval or the n that it needs.
    """
    check_profile(profile)
    unavailable = record.get("unavailable")
    if unavailable is not None:
        right = record.get("value") is None and is_text(unavailable)
        require(right, claim.id, repr(dict(record)), "either a value or a reason why there is none")
        return NOT_TESTABLE, unavailable
    value, ci = claim.check(record.get("value"), record.get("ci"))
    n = record.get("n")
    require(claim.needs == 1 or n is not None, claim.id, "no n", f"one, as this claim needs {claim.needs}")
    if profile in claim.profiles:
        return NOT_TESTABLE, claim.profiles[profile]
    if n is not None and n < claim.needs:
        return UNDECIDED, f"n = {n}; it takes {claim.needs} to decide"
    answer = claim.rule.judge(value, ci)
    if answer:
        return claim.word(True), None
    found = f"found {rules.short(value)}" + (f" [{rules.short(ci)}]" if ci else "")
    if claim.partly is not None and claim.partly.accepts(value, ci):
        return claim.word(False, partly=True), f"{found}: {claim.partly}, but not {claim.rule}"
    if answer is None:
        return UNDECIDED, f"{found}: this allows {claim.rule}, and its contrary"
    return claim.word(False), f"{found}; expected: {claim.rule}"


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
