"""Rows and tables of verdicts for notebooks, README and terminal."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mmnb.lab import rules
from mmnb.lab.claims import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED, Claim, ClaimSet
from mmnb.lab.tables import Table

MARKS = {REPRODUCED: "✔", PARTLY: "◐", NOT_REPRODUCED: "✘", NOT_TESTABLE: "○"}  # distinct without colour
HEADER = ("claim", "paper", "ours", "rule", "on the null", "verdict")


class Row(NamedTuple):
    """One claim in plain texts."""

    id: str
    claim: str
    place: str
    published: str
    ours: str
    rule: str
    null: str
    verdict: str
    reason: str | None


def row(claim: Claim, record: Mapping[str, Any] | None) -> Row:
    """The row of one claim; without a record its verdict is "not recorded"."""
    record = record or {"value": None, "verdict": "not recorded", "reason": None}
    printed = "–"
    if claim.published:
        printed = rules.short(claim.published.value) + (f" {claim.published.unit}" if claim.published.unit else "")
    rule = str(claim.rule) + (f"; partly: {claim.partly}" if claim.partly else "")
    null = "; ".join(rules.short(null.value) for null in claim.nulls) + f" → {NOT_REPRODUCED}"
    verdict, reason = record["verdict"], record.get("reason")
    return Row(claim.id, claim.text, claim.place, printed, ours(claim, record), rule, null, verdict, reason)


def ours(claim: Claim, record: Mapping[str, Any]) -> str:
    """Our number as "29.78 [28.9, 30.6], n = 15"; a dash where nothing was measured."""
    text = rules.short(claim.rule.arrange(record["value"]))
    if record.get("ci") is not None:
        text += f" [{rules.short(record['ci'][0])}, {rules.short(record['ci'][1])}]"
    if record.get("n") is not None:
        text += f", n = {record['n']:,}"
    return text


def verdict(entry: Row) -> str:
    """The verdict with its mark; if not testable, the reason below it."""
    text = f"{MARKS.get(entry.verdict, '?')} {entry.verdict}"
    return f"{text}\n{entry.reason}" if entry.verdict == NOT_TESTABLE and entry.reason else text


def table(claims: ClaimSet, records: Mapping[str, Any], caption: str | None = None) -> Table:
    """The table of verdicts of one notebook, in the order of its claims file; records: id -> record."""
    rows = [row(claim, records.get(claim.id)) for claim in claims]
    names = [f"{one.claim}\n`{one.id}` · {one.place}" for one in rows]
    cells = [
        [name, one.published, one.ours, one.rule, one.null, verdict(one)] for name, one in zip(names, rows, strict=True)
    ]
    return Table(HEADER, cells, caption=caption)


def small_print(claims: ClaimSet, records: Mapping[str, Any]) -> list[str]:
    """Per claim, where there is any: what differs from the paper, why the rule is as wide as it is, the note of the run."""
    lines = []
    for claim in claims:
        note = records.get(claim.id, {}).get("note")
        parts = [("Differs", claim.differs), ("Tolerance", claim.tolerance), ("Note", note)]
        remarks = " ".join(f"**{name}:** {_sentence(text)}" for name, text in parts if text)
        if remarks:
            lines.append(f"`{claim.id}` · {remarks}")
    return lines


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def count(verdicts: Iterable[str]) -> str:
    """The verdicts in one line.

    Example:
        >>> count(["reproduced", "partly", "reproduced"])
        '2 reproduced, 1 partly'
    """
    verdicts = list(verdicts)
    names = [*MARKS, *sorted(set(verdicts) - set(MARKS))]
    return ", ".join(f"{verdicts.count(name)} {name}" for name in names if name in verdicts) or "none"
