"""The judgement of one exercise: answers that were handed in beside answers worked out here."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnb.course.exercises import Exercise
from mmnb.course.exercises.differences import difference
from mmnb.course.grading.encoding import Unreadable, decode
from mmnb.course.grading.process import Handed, Limits, run
from mmnb.course.handout import Task

_LONGEST = 700  # characters of feedback; a submission may try to hand in more


@dataclass(frozen=True)
class Grade:
    """Points for one exercise and why. `state` is one of: right, wrong, error, stopped, not attempted, missing."""

    exercise: str
    title: str
    points: int
    of: int
    state: str
    feedback: str


def grade(task: Task, entry: Exercise, source: str | None, seed: int, limits: Limits) -> Grade:
    """Grade the submitted cell `source` (None: there is none) on inputs drawn with `seed`."""
    if source is None:
        return _graded(task, "missing", "There is no cell for this exercise: it was deleted, or its tag was.")
    request = {"exercise": task.id, "topic": entry.topic, "seed": seed, "source": source, "function": task.function}
    return judge(task, entry, run(request, limits), seed)


def judge(task: Task, entry: Exercise, handed: Handed, seed: int) -> Grade:
    """Grade what a process handed back; none of it is believed."""
    if handed.stopped:
        return _graded(task, "stopped", f"Stopped: {handed.stopped}.")
    wrong, right, inputs = _compare(entry, handed, seed)
    if wrong is not None:
        return _graded(task, "wrong", f"{right} of {inputs} inputs right. {wrong}")
    if handed.error is not None:
        return _graded(task, *_told(handed.error, task.function))
    if right < inputs:
        return _graded(task, "wrong", f"{right} of {inputs} inputs right; the other answers were not handed in.")
    return _graded(task, "right", f"All {inputs} inputs right.")


def _graded(task: Task, state: str, feedback: str) -> Grade:
    points = task.points if state == "right" else 0
    return Grade(task.id, task.title, points, task.points, state, feedback[:_LONGEST])


def _compare(entry: Exercise, handed: Handed, seed: int) -> tuple[str | None, int, int]:
    """The first difference, the inputs answered rightly, and all inputs."""
    first, right, inputs = None, 0, 0
    for inputs, (name, arguments) in enumerate(entry.cases(np.random.default_rng(seed)), start=1):
        if inputs > len(handed.answers):
            continue
        expected = entry.reference(*copy.deepcopy(arguments))
        told = _difference(handed.answers[inputs - 1], expected, entry)
        right += told is None
        if told is not None and first is None:
            first = f"Input {name!r}: {told}."
    return first, right, inputs


def _difference(handed: Any, expected: Any, entry: Exercise) -> str | None:
    try:
        if not isinstance(handed, dict) or set(handed) != {"answer", "changed"}:
            raise Unreadable("no answer where one was expected")
        if not isinstance(handed["changed"], list):
            raise Unreadable("no list of changed arguments")
        answer = decode(handed["answer"])
    except Unreadable as error:
        return f"the answer cannot be read: {error}"
    told = difference(answer, expected, rtol=entry.rtol, atol=entry.atol)
    if told is None and handed["changed"]:
        return f"your function changed its argument {handed['changed'][0]} in place; expected it untouched"
    return told


def _told(error: dict[str, Any], function: str) -> tuple[str, str]:
    """State and feedback for an error that the submission raised, by its own account."""
    kind, text, line, name = (error.get(key) for key in ("kind", "text", "line", "input"))
    if kind == "NotAttempted":
        return "not attempted", "Not attempted yet."
    if kind == "KeyError" and text == repr(function) and name is None:
        return "error", f"The cell defines no function `{function}`."
    where = f" in line {line} of your cell" if line else ""
    on = f" on the input {name!r}" if name else ""
    return "error", f"{kind}{where}{on}: {text}"
