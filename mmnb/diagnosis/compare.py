"""The differences of two reports, paired where both saw the same examples."""

from typing import Any

import numpy as np

from mmnb.diagnosis.parts import row, section
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.resampling import bootstrap_means, estimate_of


def compare(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A report as plain data: every number that both have, one less the other."""
    same = bool(one["items"]) and bool(other["items"]) and one["items"]["hash"] == other["items"]["hash"] is not None
    theirs = {part["id"]: part for part in other["sections"]}
    found = []
    for part in one["sections"]:
        rows = {r["name"]: r for r in theirs.get(part["id"], {"rows": []})["rows"]}
        changes = {r["name"]: _unpaired(r, rows[r["name"]]) for r in part["rows"] if r["name"] in rows}
        changes = {name: change for name, change in changes.items() if change is not None}
        notes = []
        if same and part["id"] == "answer":
            paired = _paired(one["items"], other["items"])
            changes |= {name: change for name, change in paired.items() if name in changes}
            notes = ["Accuracies and the gain from interaction: paired by example."]
        if changes:
            lines = [row(name, change) for name, change in changes.items()]
            figure = {
                "kind": "dots",
                "rows": lines[:8],
                "lines": [{"name": "no change", "value": 0.0}],
                "label": "this report less the other",
            }
            figure["alt"] = "Differences: " + ", ".join(f"{line['name']} {line['value']:+.3f}" for line in lines[:8])
            head = {"title": part["title"], "question": f"What changed? {part['question']}"}
            found.append(section(part["id"], "", "", "", figures=[figure], notes=notes) | head | {"rows": lines})
    ids = [{w["id"] for w in data["warnings"]} for data in (one, other)]
    facts = [
        ("warnings in this one alone", ", ".join(sorted(ids[0] - ids[1])) or "none"),
        ("warnings in the other alone", ", ".join(sorted(ids[1] - ids[0])) or "none"),
    ]
    pairing = (
        "the same examples: paired" if same else "other examples, or numbers alone: not paired, so intervals are wide"
    )
    found.insert(
        0,
        section(
            "card",
            "What is compared",
            "",
            "",
            facts=[("this report", one["title"]), ("the other", other["title"]), ("examples", pairing), *facts],
        ),
    )
    title = f"Differences: {one['title']} and {other['title']}"
    return {
        "schema": one["schema"],
        "title": title,
        "lead": ["This report less the other, number by number."],
        "names": one["names"],
        "warnings": [],
        "sections": found,
        "items": {},
    }


def _unpaired(mine: dict[str, Any], theirs: dict[str, Any]) -> Estimate | None:
    if mine["value"] is None or theirs["value"] is None:
        return None
    change = mine["value"] - theirs["value"]
    if mine["low"] is None or theirs["low"] is None:
        return Estimate(change)
    below = np.hypot(mine["value"] - mine["low"], theirs["high"] - theirs["value"])
    above = np.hypot(mine["high"] - mine["value"], theirs["value"] - theirs["low"])
    return Estimate(change, change - float(below), change + float(above), n=mine["n"])


def _paired(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Estimate]:
    """Differences in accuracy of every predictor, and of the gain from interaction, over the same examples."""
    names = [name for name in one["hits"] if name in other["hits"]]
    change = np.array(
        [[int(a) - int(b) for a, b in zip(one["hits"][n], other["hits"][n], strict=True)] for n in names], dtype=float
    ).T
    columns = {name: change[:, k] for k, name in enumerate(names)}
    if {"model", "without interaction"} <= set(columns):
        columns["gain from interaction"] = columns["model"] - columns["without interaction"]
    table = np.stack(list(columns.values()), 1)
    draws = bootstrap_means(table, one["group"])
    return {name: estimate_of(table[:, k].mean(), draws[:, k], len(table)) for k, name in enumerate(columns)}
