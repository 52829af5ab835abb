"""Write the grades: grades.json for machines, grades.csv for spreadsheets, and grades.html, a single page without other files."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from mmnb import paths
from mmnb.course.grading.folder import Submission

_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 1.5rem; max-width: 70rem; color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #8886; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } summary { cursor: pointer; }
.scroll { overflow-x: auto; } dt { font-weight: 600; margin-top: .5rem; } dd { margin-left: 1.2rem; overflow-wrap: anywhere; }
"""
PROMISE = {
    True: "Each exercise ran alone, without network, other processes and files of the grader.",
    False: "This computer allows no isolation: the submissions ran with all rights of the user who graded.",
}
_MARKS = {"right": "✔", "wrong": "✘", "error": "⚠", "stopped": "⏱", "not attempted": "–", "missing": "∅"}


def document(submissions: Sequence[Submission], seed: int, isolated: bool) -> dict:
    """Everything as plain dictionaries."""
    rows = [asdict(one) | {"points": one.points, "of": one.of} for one in submissions]
    return {"schema": 1, "seed": seed, "isolated": isolated, "students": totals(submissions), "submissions": rows}


def totals(submissions: Sequence[Submission]) -> list[dict]:
    """For each student the points in all and by notebook; of several files for one notebook, one counts."""
    found: dict[str, dict] = {}
    for one in submissions:
        row = found.setdefault(
            one.student, {"student": one.student, "points": 0, "of": 0, "notebooks": {}, "remarks": []}
        )
        if one.counts and one.of:
            row["points"] += one.points
            row["of"] += one.of
            row["notebooks"][one.notebook] = one.points
        row["remarks"] += [f"{one.file}: {one.problem}"] if one.problem else []
    return list(found.values())


def table(submissions: Sequence[Submission]) -> str:
    """The totals as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    slugs = sorted({one.notebook for one in submissions if one.of})
    rows = [["student", "points", "of", *slugs, "remarks"]]
    for row in totals(submissions):
        points = [row["notebooks"].get(slug, "") for slug in slugs]
        rows.append([row["student"], row["points"], row["of"], *points, " ".join(row["remarks"])])
    buffer = io.StringIO()
    safe = [[f"'{cell}" if str(cell)[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in row] for row in rows]
    csv.writer(buffer, lineterminator="\n").writerows(safe)
    return buffer.getvalue()


def page(submissions: Sequence[Submission], seed: int, isolated: bool) -> str:
    """One HTML page: a row for each submission, its feedback folded below. All that students wrote is escaped."""
    rows = "\n".join(map(_row, submissions))
    sums = "\n".join(
        f'<tr><td>{escape(row["student"])}</td><td class="number">{row["points"]} / {row["of"]}</td></tr>'
        for row in totals(submissions)
    )
    legend = " · ".join(f"{mark} {state}" for state, mark in _MARKS.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Grades</title>
<style>{_STYLE}</style></head><body><main>
<h1>Grades</h1>
<p>{len(submissions)} submissions; hidden inputs drawn with seed {seed}. {PROMISE[isolated]} {legend}</p>
<div class="scroll"><table><thead><tr><th scope="col">Student</th><th scope="col">Notebook</th><th scope="col" class="number">Points</th>
<th scope="col">Exercises</th></tr></thead><tbody>
{rows}
</tbody></table></div>
<h2>Students</h2>
<div class="scroll"><table><thead><tr><th scope="col">Student</th><th scope="col" class="number">Points in all</th></tr></thead><tbody>
{sums}
</tbody></table></div></main></body></html>
"""


def _row(one: Submission) -> str:
    marks = " ".join(f"{escape(grade.exercise)} {_MARKS[grade.state]}" for grade in one.grades)
    details = ""
    for grade in one.grades:
        head = f"{grade.exercise} · {grade.title}: {grade.points} of {grade.of}, {grade.state}"
        details += f"<dt>{escape(head)}</dt><dd>{escape(grade.feedback)}</dd>"
    problem = f"<p>{escape(one.problem)}</p>" if one.problem else ""
    folded = f"<details><summary>{marks or 'nothing to grade'}</summary>{problem}<dl>{details}</dl></details>"
    return f'<tr><td>{escape(one.student)}</td><td>{escape(one.notebook)}</td><td class="number">{one.points} / {one.of}</td><td>{folded}</td></tr>'


def write(submissions: Sequence[Submission], seed: int, folder: Path, isolated: bool = False) -> list[Path]:
    """Write grades.json, grades.csv and grades.html into `folder`; returns their paths."""
    content = json.dumps(document(submissions, seed, isolated), indent=1, ensure_ascii=False) + "\n"
    texts = {folder / "grades.json": content, folder / "grades.csv": table(submissions)}
    texts[folder / "grades.html"] = page(submissions, seed, isolated)
    for file, text in texts.items():
        paths.write_text(file, text)
    return list(texts)
