"""Read the exercises from the notebooks, and write the student's version without solutions.

Its cells carry the metadata of nbgrader, so that a course may collect and grade there instead of with `mmnb grade`.
"""

import ast
import base64
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mmnb import paths
from mmnb.course import expected
from mmnb.course.exercises.solutions import strip_solutions
from mmnb.runner import convert

TAG = "exercise-"
GRADED = (
    "**What is graded:** the cells from the heading of an exercise to its check, and the imports of the whole notebook. "
    "A helper function that an answer needs belongs there, too; it is not found elsewhere."
)

ANSWER = re.compile(r"^\*\*Answer\.\*\*.*(?:\n(?!\s*$).+)*", re.MULTILINE)  # the paragraph that begins so
YOURS = (
    "**Your answer first.** Read the question and the card, write down what you expect and why, then work through the notebook. "
    "At its end compare."
)


@dataclass(frozen=True)
class Task:
    """One exercise of one notebook: its id, title, the function to write, and its points: the difficulty, 1 to 3."""

    id: str
    slug: str
    title: str
    function: str
    points: int


def tasks(slug: str) -> list[Task]:
    """The exercises of a notebook, in its order.

    Raises:
        ValueError: For a cell without a check, or a prompt without a title or difficulty.
    """
    found, prompt = [], ""
    for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells:
        exercise_id = exercise_of(cell)
        if cell.cell_type == "markdown":
            prompt = cell.source
        elif exercise_id is not None:
            title = re.search(rf"^### {exercise_id} · (.+)$", prompt, re.MULTILINE)
            difficulty = re.search(r"\*\*Difficulty\*\* ([1-3]) of 3", prompt)
            if title is None or difficulty is None:
                wanted = f"`### {exercise_id} · title` and `**Difficulty** 1 of 3`"
                raise ValueError(f"{slug}, exercise {exercise_id}: expected a cell above it with {wanted}")
            _, _, function = split_check(cell.source, exercise_id)
            found.append(Task(exercise_id, slug, title[1].strip(), function, int(difficulty[1])))
    return found


def exercise_of(cell: nbformat.NotebookNode) -> str | None:
    """The id of the exercise that a cell holds, by its tag; None for any other cell."""
    tags = [tag for tag in cell.get("metadata", {}).get("tags", []) if tag.startswith(TAG)]
    return tags[0].removeprefix(TAG) if tags else None


def split_check(source: str, exercise_id: str) -> tuple[str, str, str]:
    """Split an author's cell: the function, the call of its check, and the name of the function.

    Raises:
        ValueError: Unless the last statement is `mmnb.exercises.check("id", function)`.
    """
    last = ast.parse(source).body[-1]
    match last:
        case ast.Expr(ast.Call(call, [ast.Constant(name), ast.Name(function)])):
            right = ast.unparse(call) == "mmnb.exercises.check" and name == exercise_id
        case _:
            right = False
    if not right:
        wanted = f'mmnb.exercises.check("{exercise_id}", function)'
        raise ValueError(f"exercise {exercise_id}: the cell ends with `{ast.unparse(last)}`; expected `{wanted}`")
    lines = source.splitlines()
    return "\n".join(lines[: last.lineno - 1]).rstrip(), "\n".join(lines[last.lineno - 1 :]), function


def student_notebook(slug: str, *, exercises: bool = False) -> nbformat.NotebookNode:
    """The notebook without solutions and outputs, its answer folded: an exercise is a stub that raises `NotAttempted`, the expected figure,
    and a locked check.

    With `exercises`, only those and their prompts: what an autograder that executes whole notebooks needs.
    """
    notebook = convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py")
    points = {task.id: task.points for task in tasks(slug)}
    cells = [nbformat.v4.new_code_cell("import numpy as np\n\nimport mmnb", id="imports")] if exercises else []
    for prompt, cell in itertools.pairwise([None, *notebook.cells]):
        exercise_id = exercise_of(cell)
        if exercise_id is None:
            cells += [] if exercises else [fold_answer(cell)]
            continue
        cells += [prompt] if exercises else []
        if not any(one.id == "graded" for one in cells):
            cells.append(nbformat.v4.new_markdown_cell(GRADED, id="graded"))
        function, check, _ = split_check(cell.source, exercise_id)
        cells.append(_cell(strip_solutions(function, exercise_id), f"{TAG}{exercise_id}", solution=True))
        cells.append(_expected(exercise_id))
        cells.append(_cell(check, f"check-{exercise_id}", solution=False, points=points[exercise_id]))
    notebook.cells = cells
    notebook.metadata["mmnb"] = {"notebook": slug, "for": "students"}
    return notebook


def fold_answer(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same cell; where it tells the notebook's answer, that paragraph is folded below a request for one's own."""
    if cell.cell_type == "markdown" and (found := ANSWER.search(cell.source)):
        folded = f"{YOURS}\n\n<details><summary>The answer of this notebook</summary>\n\n{found[0]}\n\n</details>"
        cell.source = cell.source[: found.start()] + folded + cell.source[found.end() :]
    return cell


def _cell(source: str, name: str, solution: bool, **marks: int) -> nbformat.NotebookNode:
    """A cell with nbgrader's metadata: a solution to be filled in, or a locked check with points."""
    marks |= {"schema_version": 3, "cell_type": "code", "grade_id": name, "task": False}
    marks |= {"solution": solution, "grade": not solution, "locked": not solution}
    return nbformat.v4.new_code_cell(source, id=name, metadata={"tags": [name], "nbgrader": marks})


def _expected(exercise_id: str) -> nbformat.NotebookNode:
    """A cell that shows what a right answer returns."""
    drawn = expected.picture(exercise_id)
    alt = drawn.alt.replace("[", "(").replace("]", ")")
    text = f"**What you should get:**\n\n![{alt}](attachment:expected.png)"
    note = nbformat.v4.new_markdown_cell(text, id=f"expected-{exercise_id}")
    note["attachments"] = {"expected.png": {"image/png": base64.b64encode(drawn.png).decode() + "\n"}}
    return note


def write_student(slug: str, folder: Path, *, exercises: bool = False) -> Path:
    """Write the student's version of a notebook, or its exercises alone, into `folder` and return its path."""
    file = folder / f"{slug}.ipynb"
    paths.write_text(file, convert.dumps(student_notebook(slug, exercises=exercises)))
    return file
