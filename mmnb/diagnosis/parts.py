"""How sections are put together: rows of numbers, sentences, refusals."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mmnb.instruments.estimate import Estimate


class NotMeasured(Exception):
    """A section that cannot be measured here: `reason` says why and what it would need. Its line in the report."""


def row(name: str, found: Estimate | float) -> dict[str, Any]:
    """A number for the table of a section."""
    found = found if isinstance(found, Estimate) else Estimate(float(found)) if not math.isnan(found) else None
    if found is None:
        return {"name": name, "value": None, "low": None, "high": None, "n": None, "over": None}
    return {
        "name": name,
        "value": float(found.value),
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "over": found.over if found.interval else None,
    }


def section(
    id: str,
    title: str,
    question: str,
    answer: str = "",
    *,
    rows: Mapping[str, Estimate | float] | None = None,
    facts: Iterable[tuple[str, Any]] = (),
    figures: Iterable[dict[str, Any]] = (),
    notes: Iterable[str] = (),
    items: Any = None,
    status: str = "measured",
) -> dict[str, Any]:
    """A section as plain data."""
    found = {"id": id, "title": title, "question": question, "status": status, "answer": answer}
    found |= {"rows": [row(name, e) for name, e in (rows or {}).items()], "facts": [[k, str(v)] for k, v in facts]}
    return found | {"figures": list(figures), "notes": list(notes), "items": items}


def show(found: Estimate | float, spec: str = ".3f") -> str:
    """A number with its interval, for a sentence."""
    return f"{found:{spec}}"


def joined(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
