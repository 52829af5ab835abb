"""The exercises as the notebooks hold them, and the collection without its solutions.

The student's notebooks carry the marks that nbgrader knows (a solution cell, then a locked cell with the points), so that a course may
collect and grade them there instead of with `mmnb grade`.
"""

import ast
import base64
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mmnb import paths
from mmnb.course import exercises, expected
from mmnb.course.exercises.solutions import strip_solutions
from mmnb.runner import convert

_TAG = "exercise-"


@dataclass(frozen=True)
class Task:
    """One exercise of one notebook: its id, title, the function that is asked for, and its points (1 to 3, as hard as it is)."""

    id: str
    slug: str
    title: str
    function: str
    points: int


def tasks(slug: str) -> list[Task]:
    """The exercises of a notebook, in its order. Raises: ValueError for a cell without a check, or a prompt without a difficulty."""
    found, prompt = [], ""
    for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells:
        exercise_id = exercise_of(cell)
        if cell.cell_type == "markdown":
            prompt = cell.source
        elif exercise_id is not None:
            title = re.search(rf"^### {exercise_id} · (.+)$", prompt, re.MULTILINE)
            difficulty = re.search(r"\*\*Difficulty\*\* ([1-3]) of 3", prompt)
            if title is None or difficulty is None:
                raise ValueError(
                    f"{slug}, exercise {exercise_id}: expected a cell above it with `### {exercise_id} · title` and `**Difficulty** 1 of 3`"
                )
            _, _, function = split_check(cell.source, exercise_id)
            found.append(Task(exercise_id, slug, title[1].strip(), function, int(difficulty[1])))
    return found


def exercise_of(cell: nbformat.NotebookNode) -> str | None:
    """The id of the exercise that a cell holds, by its tag; None for any other cell."""
    tags = [tag for tag in cell.get("metadata", {}).get("tags", []) if tag.startswith(_TAG)]
    return tags[0].removeprefix(_TAG) if tags else None


def split_check(source: str, exercise_id: str) -> tuple[str, str, str]:
    """An author's cell in two: the function, the call of its check, and the name of the function.

    Raises: ValueError unless the last statement is `mmnb.exercises.check("id", function)`.
    """
    last = ast.parse(source).body[-1]
    call = last.value if isinstance(last, ast.Expr) else None
    expected = f'mmnb.exercises.check("{exercise_id}", function)'
    if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "mmnb.exercises.check" and len(call.args) == 2):
        raise ValueError(f"exercise {exercise_id}: the cell ends with `{ast.unparse(last)}`; expected `{expected}`")
    name, function = call.args
    if not (isinstance(name, ast.Constant) and name.value == exercise_id and isinstance(function, ast.Name)):
        raise ValueError(f"exercise {exercise_id}: the cell checks `{ast.unparse(call)}`; expected `{expected}`")
    lines = source.splitlines()
    return "\n".join(lines[: last.lineno - 1]).rstrip(), "\n".join(lines[last.lineno - 1 :]), function.id


def student_notebook(slug: str) -> nbformat.NotebookNode:
    """The notebook without solutions and outputs: each exercise is a stub that raises `NotAttempted` when the cell below it checks it."""
    notebook = convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py")
    points = {task.id: task.points for task in tasks(slug)}
    figures = _shown(slug, list(points))
    cells = []
    for cell in notebook.cells:
        exercise_id = exercise_of(cell)
        if exercise_id is None:
            cells.append(cell)
            continue
        function, check, _ = split_check(cell.source, exercise_id)
        stub = strip_solutions(function, exercise_id)
        cells.append(_cell(stub, exercise_id, f"{_TAG}{exercise_id}", solution=True))
        if exercise_id in figures:
            cells.append(figures[exercise_id])
        cells.append(_cell(check, exercise_id, f"check-{exercise_id}", points=points[exercise_id]))
    notebook.cells = cells
    notebook.metadata["mmnb"] = {"notebook": slug, "for": "students"}
    return notebook


def _cell(
    source: str, exercise_id: str, name: str, *, solution: bool = False, points: int | None = None
) -> nbformat.NotebookNode:
    marks = {
        "cell_type": "code",
        "grade": points is not None,
        "grade_id": name,
        "locked": points is not None,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        marks["points"] = points
    return nbformat.v4.new_code_cell(source, id=name, metadata={"tags": [name], "nbgrader": marks})


def _shown(slug: str, wanted: list[str]) -> dict[str, nbformat.NotebookNode]:
    """Per exercise a cell with its expected figure: what the solution drew in the executed notebook, else what a right answer returns."""
    found: dict[str, nbformat.NotebookNode] = {}
    built = paths.root() / "notebooks" / f"{slug}.ipynb"
    cells = nbformat.reads(built.read_text(encoding="utf-8"), as_version=4).cells if built.is_file() else []
    for cell in cells:
        exercise_id = exercise_of(cell)
        pictures = [
            output.data["image/png"] for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
        ]
        if exercise_id is not None and pictures:
            found[exercise_id] = _expected(exercise_id, pictures, f"what the solution of {exercise_id} draws")
    known = exercises.registered()
    for exercise_id in wanted:
        if exercise_id not in found and exercise_id in known:
            drawn = expected.picture(exercise_id)
            png = base64.b64encode(drawn.png).decode() + "\n"
            found[exercise_id] = _expected(exercise_id, [png], drawn.alt)
    return found


def _expected(exercise_id: str, pictures: list[str], alt: str) -> nbformat.NotebookNode:
    names = [f"expected-{number}.png" for number in range(1, len(pictures) + 1)]
    alt = alt.replace("[", "(").replace("]", ")")
    shown = "\n\n".join(f"![{alt}](attachment:{name})" for name in names)
    note = nbformat.v4.new_markdown_cell(f"**What you should get:**\n\n{shown}", id=f"expected-{exercise_id}")
    note["attachments"] = {name: {"image/png": picture} for name, picture in zip(names, pictures, strict=True)}
    return note


def write_student(slug: str, folder: Path) -> Path:
    """Write the student's version of a notebook into `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{slug}.ipynb"
    paths.write_text(file, convert.dumps(student_notebook(slug)))
    return file
