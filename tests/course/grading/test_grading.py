"""Whatever is handed in, it gets the points that its answers deserve, and the grader lives on."""

import io
import json
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmnb.course import exercises, handout
from mmnb.course.grading import judge, wire
from mmnb.course.grading.folder import grade_folder
from mmnb.course.grading.judge import Limits
from mmnb.course.grading.wire import Unreadable, decode, encode

POINTS = {task.id: task.points for task in handout.tasks("01_emap")}
ALL = sum(POINTS.values())
OTHERS_GONE = dict.fromkeys(POINTS.keys() - {"01a"})
RIGHT_ALL = dict.fromkeys(POINTS, "right")
QUICK = Limits(seconds=15, memory_mb=600)
HEAD = "def surface_of(F):\n    "
RIGHT = "return F.mean(1, keepdims=True) + F.mean(0, keepdims=True) - F.mean()"


def states(folder, **options):
    graded, *_ = grade_folder(folder, limits=options.pop("limits", QUICK), seed=5, **options)
    return {one.student: {grade.exercise: grade for grade in one.grades} for one in graded}


def test_right_wrong_half_right_and_untouched(hand_in, tmp_path):
    hand_in("right")
    hand_in(
        "half", {"01a": HEAD + RIGHT.replace("- F.mean()", "+ F.mean()"), "01c": "def additive_part(F):\n    return F"}
    )
    stubs = {
        task.id: f'def {task.function}(*_):\n    raise mmnb.NotAttempted("{task.id}")'
        for task in handout.tasks("01_emap")
    }
    hand_in("stub", stubs)
    hand_in("gone", {"01a": None, "01b": "shares = 1"})
    found = states(tmp_path / "work")
    assert {name: {key: grade.state for key, grade in grades.items()} for name, grades in found.items()} == {
        "right": RIGHT_ALL,
        "half": RIGHT_ALL | {"01a": "wrong", "01c": "wrong"},
        "stub": dict.fromkeys(POINTS, "not attempted"),
        "gone": RIGHT_ALL | {"01a": "missing", "01b": "error"},
    }
    assert {key: grade.points for key, grade in found["right"].items()} == POINTS
    assert [found["half"][key].points for key in ("01a", "01b", "01c")] == [0, POINTS["01b"], 0]
    assert "input 'one pair': the answer: the value differs" in found["half"]["01a"].feedback
    assert "defines no function `shares_of`" in found["gone"]["01b"].feedback


HOSTILE = {
    "loop": ("while True:\n        pass", "stopped", "not finished after"),
    "leaves": ("import os\n    os._exit(0)", "stopped", "without an answer"),
    "quits": ("raise SystemExit(0)", "error", "SystemExit"),
    "crashes": ("import ctypes\n    ctypes.string_at(0)", "stopped", "without an answer"),
    "eats": ("keep = []\n    while True:\n        keep.append(np.ones(10**6))", None, "emory"),
    "network": ("import socket\n    socket.create_connection(('127.0.0.1', 9))", "error", "not allowed"),
    "programs": ("import subprocess\n    subprocess.run(['true'])", "error", "not allowed"),
    "writes": ("import pathlib\n    (pathlib.Path.cwd().parent / 'mmnb-planted').write_text('x')", "error", "not allowed"),
    "mumbles": ("class E(Exception):\n        def __str__(self):\n            raise ValueError\n    raise E", "error", "E in line"),
    "in-place": ("G = " + RIGHT.removeprefix("return ") + "\n    F[:] = 0\n    return G", "wrong", "changed its argument 1"),
    "answers-other": ("return surface_of", "wrong", "got function; expected numbers"),
    "forges": (
        "import os\n    for n in range(3, 64):\n        try:\n            os.write(n, b'{\"answer\": 1.0, \"changed\": []}\\n' * 99)\n        except OSError:\n            pass\n    return 1.0",
        "wrong", "",
    ),
    "forges-badly": (
        "import os\n    for n in range(3, 64):\n        try:\n            os.write(n, b'[' * 100000 + b'\\n')\n        except OSError:\n            pass\n    return 1.0",
        "stopped", "cannot be read",
    ),
    "bomb": (
        "import os\n    for n in range(3, 64):\n        try:\n            os.write(n, b'[],' * 2 * 10**7 + b'\\n')\n        except OSError:\n            pass\n    return 1.0",
        "stopped", "cannot be read",
    ),
    "surrogate": ("raise ValueError('\\ud800')", "error", "\\ud800"),
    "frames": (
        "import sys\n    f = sys._getframe()\n    while f:\n        if 'entry' in f.f_locals:\n            return f.f_locals['entry'].reference(F)\n        f = f.f_back\n    return F",
        "wrong", "the value differs",
    ),
    "collects": (
        "import gc\n    for found in gc.get_objects():\n        if callable(getattr(found, 'reference', None)):\n            return found.reference(F)\n    return F",
        "wrong", "got",
    ),
    "tampers": (
        "import mmnb\n    import numpy.testing\n    mmnb.course.exercises.check = mmnb.course.exercises.WrongAnswer = print\n    np.array_equal = np.allclose = lambda *_: True\n    return F",
        "wrong", "the value differs",
    ),
    "looks-up": ("import mmnb.course.exercises.emap\n    return mmnb.course.exercises.emap.additive_part(F)", "error", "ModuleNotFoundError"),
}  # fmt: skip


@pytest.mark.skipif(
    sys.platform == "win32", reason="crashes and exit codes are POSIX's; the limits themselves are the same"
)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_submissions(name, hand_in, tmp_path):
    code, state, words = HOSTILE[name]
    hand_in(name, {"01a": HEAD + code, **OTHERS_GONE})
    grade = states(tmp_path / "work", limits=Limits(seconds=3 if name == "loop" else 15, memory_mb=600))[name]["01a"]
    assert grade.points == 0
    assert grade.state == state if state else grade.state in ("error", "stopped")
    assert words in grade.feedback


def test_a_gigabyte_of_prints_costs_no_points(hand_in, tmp_path):
    hand_in("talks", {"01a": f"{HEAD}print('x' * 10**8)\n    {RIGHT}", **OTHERS_GONE})  # 16 inputs: 1.6 GB
    assert states(tmp_path / "work", limits=Limits(seconds=120, memory_mb=1500))["talks"]["01a"].state == "right"


def test_answers_learnt_by_heart_fail_on_hidden_inputs(hand_in, tmp_path):
    """The visible check always draws the same inputs; a table of its answers passes there, and nowhere else."""
    entry = exercises.registered()["01a"]
    table = {
        str(grid.shape) + str(grid.sum().round(6)): entry.reference(grid).tolist()
        for _, (grid,) in entry.cases(np.random.default_rng(0))
    }
    code = f"TABLE = {table!r}\n{HEAD}return np.array(TABLE[str(F.shape) + str(F.sum().round(6))])"
    names: dict = {"np": np}
    exec(code, names)
    assert exercises.check("01a", names["surface_of"]).checks == 16
    hand_in("parrot", {"01a": code})
    assert states(tmp_path / "work")["parrot"]["01a"].points == 0


def test_a_cell_is_found_by_tag_id_or_mark_and_a_solved_cell_may_keep_its_check(hand_in, tmp_path, solutions):
    def untag(notebook):
        for cell in notebook["cells"]:
            cell["metadata"].pop("tags", None)

    def only_marks(notebook):
        untag(notebook)
        for number, cell in enumerate(notebook["cells"]):
            cell["id"] = f"cell-{number}"

    hand_in("tags")
    hand_in("ids", change=untag)
    hand_in("marks", change=only_marks)
    hand_in("checks", {"01a": solutions["01a"] + '\n\n\nmmnb.exercises.check("01a", surface_of)'})
    assert all(grade.state == "right" for grades in states(tmp_path / "work").values() for grade in grades.values())


def test_what_is_no_notebook_is_said_and_graded_with_nothing(hand_in, tmp_path):
    hand_in("ann/01_emap")
    (tmp_path / "work" / "bob.ipynb").write_text("{not json", encoding="utf-8")
    (tmp_path / "work" / "eve-01_emap.ipynb").write_text('{"cells": 3}', encoding="utf-8")
    (tmp_path / "work" / "big.ipynb").write_bytes(b"0" * (21 * 2**20))
    graded, *_ = grade_folder(tmp_path / "work", limits=QUICK)
    found = {one.student: one for one in graded}
    assert (found["ann"].points, found["ann"].of, found["ann"].problem) == (ALL, ALL, None)
    assert "cannot be read" in found["bob"].problem
    assert (found["eve-01_emap"].points, found["eve-01_emap"].of) == (0, ALL)
    assert "20 MB" in found["big"].problem


def test_nothing_to_grade_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no \.ipynb"):
        grade_folder(tmp_path)


ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.tuples(inner, inner) | st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(ANSWERS)
def test_answers_survive_the_way(answer):
    np.testing.assert_equal(decode(json.loads(json.dumps(encode(answer)))), answer)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", ">f8"])
def test_arrays_survive_the_way(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = decode(json.loads(json.dumps(encode(array[:, ::-1]))))
    np.testing.assert_array_equal(back, array[:, ::-1])


def over_the_wire(value):
    stream = io.BytesIO()
    wire.send(stream, {"value": encode(value)})
    stream.seek(0)
    return decode(wire.receive(stream)["value"])


def of(kind, answer):
    """The same answer in another form; parts of a tuple each by itself."""
    if isinstance(answer, tuple):
        return tuple(of(kind, part) for part in answer)
    if answer is None or isinstance(answer, str):
        return np.array([answer])[0] if kind == "scalar" else answer
    return {
        "list": lambda: np.asarray(answer).tolist(),
        "tuple": lambda: tuple(answer) if np.ndim(answer) == 1 else answer,
        "scalar": lambda: np.asarray(answer)[()],
        "float32": lambda: np.asarray(answer, np.float32),
        "half": lambda: np.asarray(answer, np.float16),
        "longdouble": lambda: np.asarray(answer, np.longdouble),
        "torch": lambda: torch.tensor(np.asarray(answer).copy()),
        "torch32": lambda: torch.tensor(np.asarray(answer, np.float32), requires_grad=True),
        "bfloat16": lambda: torch.tensor(np.asarray(answer, float)).bfloat16(),
        "complex": lambda: torch.tensor(np.asarray(answer, complex)),
        "object": lambda: np.asarray(answer, object),
        "text": lambda: str(answer),
        "nothing": lambda: None,
        "axis": lambda: np.asarray(answer)[None],
    }[kind]()


KINDS = ["list", "tuple", "scalar", "float32", "half", "longdouble", "torch", "torch32", "bfloat16", "complex", "object", "text", "nothing", "axis"]  # fmt: skip
EXACT = ("list", "tuple", "scalar", "longdouble", "torch")


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_in_the_notebook_and_the_grader_say_the_same(kind):
    for exercise_id, entry in exercises.registered().items():
        agree(exercise_id, entry.reference, kind)


def agree(exercise_id, reference, kind):
    def said(function):
        try:
            return repr(exercises.check(exercise_id, function, seed=1))
        except exercises.WrongAnswer as wrong:
            return str(wrong)

    def submitted(*given):
        received = [over_the_wire(one) for one in given]
        for now, then in zip(received, given, strict=True):
            np.testing.assert_array_equal(now, then)
            assert getattr(now, "dtype", None) == getattr(then, "dtype", None)
            assert getattr(now, "strides", None) == getattr(then, "strides", None)
        return over_the_wire(of(kind, reference(*received)))

    here = said(lambda *given: of(kind, reference(*given)))
    assert here == said(submitted)
    assert "checks passed" in here or kind not in EXACT, here
    assert "got -0.611188, expected -0.611188" not in here


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "order", "bytes", "list", "items", "type"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
REPLY = st.fixed_dictionaries(
    {},
    optional={
        "answer": JSON,
        "changed": JSON,
        "error": JSON | st.dictionaries(st.sampled_from(["kind", "text", "where"]), JSON),
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(REPLY | JSON, max_size=20))
def test_no_answer_can_break_the_judgement_or_earn_points(replies):
    task = next(task for task in handout.tasks("01_emap") if task.id == "01a")
    answers = io.BytesIO(b"{}\n" + b"".join(json.dumps(reply).encode() + b"\n" for reply in replies))
    try:
        state, _ = judge.judge(task, io.BytesIO(), answers, seed=3)
    except (EOFError, Unreadable):
        return
    assert state != "right"


@pytest.mark.parametrize(
    "code",
    [
        {"dtype": "<f8", "shape": [10**12], "order": "C", "bytes": "AAAA"},
        {"dtype": "O", "shape": [1], "order": "C", "bytes": ""},
        {"dtype": "<f8", "shape": [-1, -1], "order": "C"},
        {"dtype": "<f8", "shape": "x"},
        {"list": 3},
        {"items": [[1]]},
        {"type": 3},
        {"other": "key"},
        [1.0],
    ],
)
def test_forged_answers_are_refused(code):
    with pytest.raises(Unreadable):
        decode(code)


def test_an_array_too_large_to_send_has_its_shape_and_costs_no_memory():
    code = encode(np.zeros((2000, 2000)))
    assert "bytes" not in code
    back = decode(code | {"shape": [10**6, 10**6]})
    assert back.shape == (10**6, 10**6) and back.strides == (0, 0)
    assert "shape differs" in exercises.differences.difference(back, np.zeros(3), atol=0.1)


BROKEN = (
    "return None",
    "return 'x'",
    "1 / 0",
    "raise SystemExit",
    "import nowhere",
    "return F[:, :0]",
    "syntax error here",
)


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform == "win32", reason="crashes and exit codes are POSIX's")
def test_thirty_submissions_in_five_minutes(hand_in, tmp_path):
    """Right, half-right, broken and hostile ones side by side, on two cores; each gets the points of what it got right."""
    wanted = {}
    for number in range(8):
        wanted[f"right-{number}"] = ALL
        hand_in(f"right-{number}")
    for number in range(6):
        wanted[f"half-{number}"] = ALL - POINTS["01a"] - POINTS["01b"]
        hand_in(f"half-{number}", {"01a": HEAD + "return F", "01b": None})
    for number, code in enumerate(BROKEN):
        wanted[f"broken-{number}"] = ALL - POINTS["01a"]
        hand_in(f"broken-{number}", {"01a": HEAD + code})
    for name in ("loop", "leaves", "crashes", "eats", "network", "writes", "forges", "tampers"):
        wanted[f"hostile-{name}"] = ALL - POINTS["01a"]
        hand_in(f"hostile-{name}", {"01a": HEAD + HOSTILE[name][0]})
    wanted["talks"] = ALL
    hand_in("talks", {"01a": f"{HEAD}print('x' * 10**8)\n    {RIGHT}"})  # 16 inputs: 1.6 GB
    assert len(wanted) == 30
    began = time.monotonic()
    graded, *_ = grade_folder(tmp_path / "work", limits=Limits(seconds=20, memory_mb=1500), jobs=2)
    assert time.monotonic() - began < 300
    assert {one.student: one.points for one in graded} == wanted
