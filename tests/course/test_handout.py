"""The student's version: stubs that stop in their own cells, no solutions, marks that nbgrader knows."""

import ast
import re

import nbformat
import pytest

from mmnb import paths
from mmnb.course import exercises, expected, handout
from mmnb.lab import report
from mmnb.runner import convert, selection

SLUGS = selection.available()
SHORTEST = "02_vision_for_language"


@pytest.mark.parametrize("slug", SLUGS)
def test_every_exercise_is_a_task_with_points(slug):
    found = handout.tasks(slug)
    assert len(found) >= 2
    for task in found:
        assert task.id in exercises.registered()
        assert 1 <= task.points <= 3
        assert task.title
        assert task.function.isidentifier()


@pytest.mark.parametrize("slug", SLUGS)
def test_the_students_version_has_stubs_and_no_solution(slug, tmp_path):
    file = handout.write_student(slug, tmp_path / "a b")
    text = file.read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    tasks = handout.tasks(slug)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    marks = [cell.metadata["nbgrader"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert sum(mark.get("points", 0) for mark in marks) == sum(task.points for task in tasks)
    assert len({mark["grade_id"] for mark in marks}) == len(marks) == 2 * len(tasks)
    for task in tasks:
        stub, check = (
            next(cell for cell in notebook.cells if cell.id == f"{kind}-{task.id}") for kind in ("exercise", "check")
        )
        assert f'raise mmnb.NotAttempted("{task.id}")' in stub.source
        shown = next(cell for cell in notebook.cells if cell.id == f"expected-{task.id}")
        assert notebook.cells.index(stub) < notebook.cells.index(shown) < notebook.cells.index(check)
        assert shown.attachments and len(re.search(r"!\[(.*)\]\(attachment:", shown.source)[1]) > 40
        assert "mmnb.exercises.check" not in stub.source
        assert (stub.metadata["nbgrader"]["solution"], stub.metadata["nbgrader"]["locked"]) == (True, False)
        assert (check.metadata["nbgrader"]["grade"], check.metadata["nbgrader"]["locked"]) == (True, True)
        assert ast.unparse(ast.parse(check.source)) == f"mmnb.exercises.check('{task.id}', {task.function})"


@pytest.mark.parametrize("slug", SLUGS)
def test_the_answer_is_folded_below_a_request_for_ones_own(slug):
    text = "\n\n".join(cell.source for cell in handout.student_notebook(slug).cells if cell.cell_type == "markdown")
    answer = report.answer(slug)
    folded = re.findall(
        r"<details><summary>The answer of this notebook</summary>\n\n(.+?)\n\n</details>", text, re.DOTALL
    )
    assert [" ".join(found.split()) for found in folded] == [f"**Answer.** {answer}"]
    outside = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert "**Answer.**" not in outside and answer[:60] not in " ".join(outside.split())
    assert handout.YOURS in outside.split("\n## ")[0]


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_after_an_exercise_needs_it(slug):
    """So that a stub stops its own check and nothing else. Cells before it may use the name for something of their own."""
    wanted = {task.id: task.function for task in handout.tasks(slug)}
    seen: set[str] = set()
    for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells:
        if cell.cell_type == "code":
            used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
            assert not used & seen
            seen |= {wanted[found] for found in [handout.exercise_of(cell)] if found}


@pytest.mark.parametrize("slug", SLUGS)
def test_hints_are_folded(slug):
    for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells:
        if cell.cell_type == "markdown":
            outside = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"^(\*\*)?Hint", outside, re.MULTILINE)
            assert cell.source.count("<details>") == cell.source.count("</details>")


@pytest.mark.nightly
def test_the_students_version_runs_and_only_its_checks_stop(tmp_path):
    """The shortest notebook, really executed: each exercise stops in the cell of its own check, as not attempted."""
    pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")
    from nbclient import NotebookClient

    notebook = nbformat.read(handout.write_student(SHORTEST, tmp_path), as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert '"laptop"' in cell.source
    cell.source = cell.source.replace('"laptop"', '"smoke"', 1)
    NotebookClient(notebook, timeout=250, kernel_name="python3", allow_errors=True).execute()
    stopped = {cell.id: [found.ename for found in cell.outputs if found.output_type == "error"] for cell in notebook.cells if cell.cell_type == "code"}  # fmt: skip
    wanted = {f"check-{task.id}": ["NotAttempted"] for task in handout.tasks(SHORTEST)}
    assert {name: errors for name, errors in stopped.items() if errors} == wanted


def test_the_expected_figure_shows_the_visible_answers():
    drawn = expected.picture("05b")
    assert drawn.png.startswith(b"\x89PNG") and drawn.png == expected.picture.__wrapped__("05b").png
    assert "nothing is known: None; " in drawn.alt and "exclusive or: 2; " in drawn.alt
    assert "shape (8, 4)" in expected.picture("01a").alt
    with pytest.raises(KeyError):
        expected.picture("99z")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", "ends with `x = 1`"),
        ('mmnb.exercises.check("01b", f)', "ends with"),
        ('mmnb.exercises.check("01a", lambda x: x)', "ends with"),
        ('mmnb.exercises.check("01a")', "ends with"),
    ],
)
def test_a_cell_without_its_check_is_refused(source, words):
    with pytest.raises(ValueError, match=words):
        handout.split_check(source, "01a")
