"""Rows and tables of verdicts for notebooks, README and terminal."""

from collections import Counter
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

    @property
    def name(self) -> str:
        """The claim, below it its id and place."""
        return f"{self.claim}\n`{self.id}` · {self.place}"


def row(claim: Claim, record: Mapping[str, Any] | None) -> Row:
    """The row of one claim, our number as "29.78 [28.9, 30.6], n = 15"; without a record its verdict is "not recorded"."""
    record = record or {"value": None, "verdict": "not recorded"}
    printed = claim.published and f"{rules.short(claim.published.value)} {claim.published.unit or ''}".strip()
    ours = rules.short(claim.rule.arrange(record["value"]))
    ours += f" [{rules.short(record['ci'])}]" if record.get("ci") is not None else ""
    ours += f", n = {record['n']:,}" if record.get("n") is not None else ""
    rule = str(claim.rule) + (f"; partly: {claim.partly}" if claim.partly else "")
    null = "; ".join(rules.short(null.value) for null in claim.nulls) + f" → {NOT_REPRODUCED}"
    verdict, reason = record["verdict"], record.get("reason")
    return Row(claim.id, claim.text, claim.place, printed or "–", ours, rule, null, verdict, reason)


def table(claims: ClaimSet, records: Mapping[str, Any], caption: str | None = None) -> Table:
    """The table of verdicts of one notebook, in the order of its claims file; records: id -> record."""
    cells = []
    for one in (row(claim, records.get(claim.id)) for claim in claims):
        why = f"\n{one.reason}" if one.verdict == NOT_TESTABLE and one.reason else ""
        verdict = f"{MARKS.get(one.verdict, '?')} {one.verdict}{why}"
        cells.append([one.name, one.published, one.ours, one.rule, one.null, verdict])
    return Table(HEADER, cells, caption=caption)


def small_print(claims: ClaimSet, records: Mapping[str, Any]) -> list[str]:
    """Per claim, where there is any: what differs from the paper, why the rule is as wide as it is, the note of the run."""
    lines = []
    for claim in claims:
        note = records.get(claim.id, {}).get("note")
        parts = (("Differs", claim.differs), ("Tolerance", claim.tolerance), ("Note", note))
        texts = [(name, text.strip()) for name, text in parts if text]
        remarks = (f"**{name}:** {text}{'' if text.endswith(('.', '!', '?')) else '.'}" for name, text in texts)
        if texts:
            lines.append(f"`{claim.id}` · {' '.join(remarks)}")
    return lines


def count(verdicts: Iterable[str]) -> str:
    """The verdicts in one line, such as "2 reproduced, 1 partly"."""
    found = Counter(verdicts)
    names = [*MARKS, *sorted(set(found) - set(MARKS))]
    return ", ".join(f"{found[name]} {name}" for name in names if name in found) or "none"
