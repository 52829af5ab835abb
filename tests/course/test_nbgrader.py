"""What docs/teaching.md says about nbgrader, with nbgrader itself from release to grades. It is no dependency: named as skipped where absent."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmnb import paths
from mmnb.course import handout
from mmnb.runner import convert

SLUG = "03_visualbert_grounding"
TASKS = handout.tasks(SLUG)
PAGE = (paths.root() / "docs" / "teaching.md").read_text(encoding="utf-8")


def test_the_exercises_alone_are_stubs_and_checks():
    cells = handout.student_notebook(SLUG, exercises=True).cells
    assert [cell.id for cell in cells if cell.cell_type == "code"] == ["imports"] + [
        f"{kind}-{task.id}" for task in TASKS for kind in ("exercise", "check")
    ]
    prompts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert all(f"### {task.id} · {task.title}" in prompts for task in TASKS)


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("nbgrader") is None, reason="nbgrader is not installed")
def test_from_release_to_grades(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"  # nbgrader may live in another environment
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}), encoding="utf-8")
    where = {"JUPYTER_PATH": str(kernel.parents[2]), "PYTHONPATH": str(paths.root())}
    course = tmp_path / "course"
    course.mkdir()

    def nbgrader(*arguments):
        assert f"nbgrader {arguments[0]}" in PAGE
        done = subprocess.run(
            ["nbgrader", *arguments], cwd=course, env=os.environ | where, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]

    setting = "c.ClearSolutions.enabled = False"
    assert setting in PAGE
    (course / "nbgrader_config.py").write_text(f"c = get_config()\n{setting}\n", encoding="utf-8")
    handout.write_student(SLUG, course / "source" / "ps1", exercises=True)
    nbgrader("generate_assignment", "ps1")
    released = course / "release" / "ps1" / f"{SLUG}.ipynb"
    assert all(f'raise mmnb.NotAttempted("{task.id}")' in json_text(released) for task in TASKS)
    assert all(f"def {task.function}(" in json_text(released) for task in TASKS)

    solutions = {
        handout.exercise_of(cell): handout.split_check(cell.source, handout.exercise_of(cell))[0]
        for cell in convert.to_notebook(paths.root() / "notebooks" / f"{SLUG}.py").cells
        if handout.exercise_of(cell)
    }
    wanted = {"ann": {task.id for task in TASKS}, "bob": {TASKS[1].id}, "eve": set()}
    for student, right in wanted.items():
        notebook = json.loads(released.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["id"].removeprefix("exercise-") in right and cell["id"].startswith("exercise-"):
                cell["source"] = solutions[cell["id"].removeprefix("exercise-")]
        file = course / "submitted" / student / "ps1" / released.name
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(notebook), encoding="utf-8")
    nbgrader("autograde", "ps1", "--create")
    nbgrader("export")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(stream)}
    points = {task.id: task.points for task in TASKS}
    assert rows == {name: (sum(points[one] for one in right), sum(points.values())) for name, right in wanted.items()}


def json_text(file: Path) -> str:
    """The sources of a notebook as one text."""
    return "\n".join("".join(cell["source"]) for cell in json.loads(file.read_text(encoding="utf-8"))["cells"])
