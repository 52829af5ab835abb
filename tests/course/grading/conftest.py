"""Submissions of the notebook 01, made on the spot: each is the student's notebook with some cells filled in."""

import json
from pathlib import Path

import pytest

from mmnb import paths
from mmnb.course import handout
from mmnb.runner import convert

SLUG = "01_emap"


@pytest.fixture(scope="session")
def solutions() -> dict[str, str]:
    """The right code of each exercise, without its check."""
    cells = convert.to_notebook(paths.root() / "notebooks" / f"{SLUG}.py").cells
    found = {handout.exercise_of(cell): cell.source for cell in cells if handout.exercise_of(cell)}
    return {name: handout.split_check(source, name)[0] for name, source in found.items()}


@pytest.fixture
def hand_in(tmp_path, solutions):
    """`hand_in("ann", {"01a": code})`: a submission in tmp_path/work whose other exercises are right; None removes the cell."""
    student = handout.student_notebook(SLUG)

    def write(name: str, cells: dict[str, str | None] | None = None, change=None) -> Path:
        notebook = json.loads(convert.dumps(student))
        kept = []
        for cell in notebook["cells"]:
            exercise = cell["id"].removeprefix("exercise-") if cell["id"].startswith("exercise-") else None
            if exercise is not None:
                code = {**solutions, **(cells or {})}[exercise]
                if code is None:
                    continue
                cell["source"] = code
            kept.append(cell)
        notebook["cells"] = kept
        if change is not None:
            change(notebook)
        file = tmp_path / "work" / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(notebook), encoding="utf-8")
        return file

    return write
