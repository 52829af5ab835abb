"""Work that passes its check in Jupyter gets its points, or a word that says why not."""

import copy

import pytest

from mmnb.course import handout
from mmnb.course.grading.folder import grade_folder

OTHERS_GONE = {task.id: None for task in handout.tasks("01_emap") if task.id != "01a"}
RIGHT = "def surface_of(F):\n    return F.mean(1, keepdims=True) + F.mean(0, keepdims=True) - F.mean()"
STUB = 'def surface_of(F):\n    raise mmnb.NotAttempted("01a")'
USES = "def surface_of(F):\n    return mean_of(F, 1) + mean_of(F, 0) - F.mean()"
HELPER = (
    "print(1 / 0)\nshown = scores_of_the_notebook\ndef mean_of(F, axis):\n    return mean(F, axis=axis, keepdims=True)"
)


def code(source, name):
    return {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def insert(*added):
    """A change of a notebook: (where, source) relative to the cell of the exercise; where=None is the top."""

    def change(notebook):
        cells = notebook["cells"]
        for number, (where, source) in enumerate(added):
            at = next(at for at, cell in enumerate(cells) if cell["id"] == "exercise-01a")
            cells.insert(2 if where is None else at + where, code(source, f"new-{number}"))

    return change


def copied(first, second):
    def change(notebook):
        at = next(at for at, cell in enumerate(notebook["cells"]) if cell["id"] == "exercise-01a")
        notebook["cells"][at : at + 1] = [
            dict(copy.deepcopy(notebook["cells"][at]), source=text) for text in (first, second)
        ]

    return change


def lost(notebook):
    for cell in notebook["cells"]:
        if cell["id"] == "exercise-01a":
            cell["metadata"], cell["id"] = {}, "other"


def in_the_check(notebook):
    for cell in notebook["cells"]:
        if cell["id"] == "check-01a":
            cell["source"] = f"{RIGHT}\n\n{cell['source']}"


IMPORT = "from numpy import mean\nimport no_such_package"
WORK = {  # the answer's cell, a change of the notebook
    "time": (f"%%time\n{RIGHT}", None),
    "inline": (f"%matplotlib inline\n{RIGHT}", None),
    "shell": (f"!pip install nothing\nfiles = !ls\n{RIGHT}", None),
    "question": (f"{RIGHT}\nsurface_of?", None),
    "await": (f"import asyncio\nawait asyncio.sleep(0.01)\n{RIGHT}", None),
    "display": (f"{RIGHT}\ndisplay(surface_of)", None),
    "prompts": (">>> " + RIGHT.replace("\n", "\n... "), None),
    "copied-after": (STUB, copied(STUB, RIGHT)),
    "copied-before": (STUB, copied(RIGHT, STUB)),
    "helper-above": (USES, insert((0, IMPORT), (0, HELPER))),
    "helper-below": (USES, insert((None, IMPORT), (1, HELPER))),
    "new-cell": (STUB, insert((1, RIGHT))),
    "in-the-check": (STUB, in_the_check),
    "unmarked": (RIGHT, lost),
    "plots": (f"import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('x.png')\n{RIGHT}", None),
    "environment": (f"import os\nos.environ['X'] = '1'\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\n{RIGHT}", None),
}  # fmt: skip


def test_what_passes_in_jupyter_gets_its_points(hand_in, tmp_path):
    for name, (answer, change) in WORK.items():
        hand_in(name, {"01a": answer, **OTHERS_GONE}, change)
    graded, *_ = grade_folder(tmp_path / "work", seed=5, jobs=2)
    found = {one.student: (one.grades[0].state, one.grades[0].feedback) for one in graded}
    assert {name: feedback for name, (state, feedback) in found.items() if state != "right"} == {}
    assert found["copied-after"][1].endswith("(There are 2 cells of this exercise; the attempted one counts.)")
    assert found.keys() == WORK.keys()


def test_what_lies_elsewhere_and_where_an_error_is_are_said(hand_in, tmp_path):
    hand_in("far", {"01a": USES, **OTHERS_GONE}, insert((None, HELPER)))
    hand_in("line", {"01a": "%%time\n\n\ndef surface_of(F):\n    return 1 / 0", **OTHERS_GONE})
    graded, *_ = grade_folder(tmp_path / "work", seed=5)
    feedback = {one.student: one.grades[0].feedback for one in graded}
    assert "name 'mean_of' is not defined" in feedback["far"] and "from its heading to its check" in feedback["far"]
    assert "ZeroDivisionError in line 5 of your cell" in feedback["line"]


def test_the_students_notebook_says_what_is_graded():
    text = "\n".join(cell.source for cell in handout.student_notebook("01_emap").cells if cell.cell_type == "markdown")
    assert text.count(handout.GRADED) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_a_notebook_in_another_encoding_is_read(hand_in, tmp_path, encoding):
    file = hand_in("ann", {"01a": RIGHT, **OTHERS_GONE})
    file.write_text(file.read_text(encoding="utf-8"), encoding=encoding)
    graded, *_ = grade_folder(tmp_path / "work", seed=5)
    assert (graded[0].points, graded[0].problem) == (1, None)
