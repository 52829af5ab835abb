"""Rows and tables of verdicts for notebooks, README and terminal: claims and checks apart."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mmnb.lab import rules
from mmnb.lab.claims import CHECK, KINDS, MARKS, NOT_TESTABLE, OWN, PAPER, UNDECIDED, Claim, ClaimSet
from mmnb.lab.tables import Table, Tables

NOT_RECORDED = "not recorded"
HEADER = ("claim", "paper", "ours", "rule", "must fail", "verdict")
COLUMNS = ("✔ reproduced", "◐ partly", "✘ not reproduced", "? undecided", "○ not testable here", "our claims", "checks")


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

    @property
    def marked(self) -> str:
        """The verdict behind its mark, with the reason where nothing was decided."""
        why = f"\n{self.reason}" if self.verdict in (NOT_TESTABLE, UNDECIDED) and self.reason else ""
        return f"{MARKS.get(self.verdict, '·')} {self.verdict}{why}"


def row(claim: Claim, record: Mapping[str, Any] | None) -> Row:
    """The row of one claim, our number as "29.78 [28.9, 30.6], n = 15"; without a record its verdict is "not recorded"."""
    record = record or {"value": None, "verdict": NOT_RECORDED}
    printed = claim.published and f"{rules.short(claim.published.value)} {claim.published.unit or ''}".strip()
    ours = rules.short(claim.rule.arrange(record["value"]))
    ours += f" [{rules.short(record['ci'])}]" if record.get("ci") is not None else ""
    ours += f", n = {record['n']:,}" if record.get("n") is not None else ""
    rule = str(claim.rule) + (f"; partly: {claim.partly}" if claim.partly else "")
    null = "; ".join(rules.short(null.value) for null in claim.nulls)
    verdict, reason = record["verdict"], record.get("reason")
    return Row(claim.id, claim.text, claim.place, printed or "–", ours, rule, null, verdict, reason)


def table(claims: Iterable[Claim], records: Mapping[str, Any], caption: str | None = None) -> Table:
    """The table of verdicts of some claims, in their order; records: id -> record."""
    rows = [row(claim, records.get(claim.id)) for claim in claims]
    cells = [[one.name, one.published, one.ours, one.rule, one.null, one.marked] for one in rows]
    return Table(HEADER, cells, caption=caption)


def tables(claims: ClaimSet, records: Mapping[str, Any]) -> Tables:
    """One table of the claims, with what differs from the paper in its small print, and one of the checks, folded."""
    made = Tables()
    for name, kinds in (("Paper versus ours", (PAPER, OWN)), ("Checks", (CHECK,))):
        chosen = [claim for claim in claims if claim.kind in kinds]
        if chosen:
            one = table(chosen, records, f"{name}: {said(chosen, records)}")
            one.notes, one.folded = small_print(chosen, records), kinds == (CHECK,)
            made.append(one)
    return made


def small_print(claims: Iterable[Claim], records: Mapping[str, Any]) -> list[str]:
    """Per claim, where there is any: what differs from the paper, what an ideal model gives, why the rule is so wide, the run's note."""
    lines = []
    for claim in claims:
        note = records.get(claim.id, {}).get("note")
        ideal = claim.ideal and f"{rules.short(claim.ideal.value)}, {claim.ideal.why}"
        named = {"Differs": claim.differs, "Ideal": ideal, "Tolerance": claim.tolerance, "Note": note}
        texts = [(name, text.strip()) for name, text in named.items() if text]
        remarks = (f"**{name}:** {text}{'' if text.endswith(('.', '!', '?')) else '.'}" for name, text in texts)
        if texts:
            lines.append(f"`{claim.id}` · {' '.join(remarks)}")
    return lines


def count(claims: Iterable[Claim], records: Mapping[str, Any]) -> dict[str, Counter]:
    """Kind -> verdict -> how many."""
    found: dict[str, Counter] = {kind: Counter() for kind in KINDS}
    for claim in claims:
        found[claim.kind][records.get(claim.id, {}).get("verdict", NOT_RECORDED)] += 1
    return found


def columns(counted: Mapping[str, Counter]) -> list[int | str]:
    """The entries below `COLUMNS`: the papers' claims by verdict; of ours and of the checks how many came out right."""
    paper = [counted[PAPER][name.split(" ", 1)[1]] for name in COLUMNS[:5]]
    of = (f"{counted[kind][word]} of {counted[kind].total()} {verb}" for kind, word, verb in _SHORT)
    return [*paper, *of]


_SHORT = ((OWN, "holds", "hold"), (CHECK, "passed", "passed"))


def said(claims: Iterable[Claim], records: Mapping[str, Any]) -> str:
    """The verdicts in one line, such as "2 reproduced, 1 undecided"."""
    total = sum(count(claims, records).values(), Counter())
    names = [*MARKS, *sorted(set(total) - set(MARKS))]
    return ", ".join(f"{total[name]} {name}" for name in names if name in total) or "none"
