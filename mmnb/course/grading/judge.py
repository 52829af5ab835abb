"""Grade one exercise: the notebook's own check, whose function is the submitted one in a process of its own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

import psutil

from mmnb.course import exercises
from mmnb.course.grading import wire
from mmnb.course.handout import Task
from mmnb.runner import processes

_START_UP = 60.0  # seconds that the process may take before the submission's own time begins
_GRACE = 2.0  # seconds for the last message, after the process ended
_LONGEST = 1200  # characters of feedback
_SECTION = "The grader runs the cells of this exercise, from its heading to its check, and the imports of the notebook: move there what the answer needs."  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one exercise may take: seconds from when the submitted code starts, and megabytes of memory."""

    seconds: float = 20.0
    memory_mb: int = 2000


@dataclass(frozen=True)
class Grade:
    """Points for one exercise and why. `state` is one of: right, wrong, error, stopped, not attempted, missing."""

    exercise: str
    title: str
    points: int
    of: int
    state: str
    feedback: str


@dataclass(frozen=True)
class Answer:
    """What is handed in for one exercise: (role, source) of every cell that may matter, see `cells.py`, and a word about the choice."""

    cells: tuple[tuple[str, str], ...]
    note: str = ""


class Stopped(Exception):
    """The process reached a limit or ended without readable answers; the message says which."""


class _Raised(Exception):
    """The submission raised an error, described as `sandbox.py` does."""


def grade(
    task: Task,
    answer: Answer | None,
    seed: int,
    limits: Limits,
    *,
    isolated: bool = False,
    stop: threading.Event | None = None,
) -> Grade:
    """Grade what was handed in, None if there is none, on hidden inputs drawn with `seed`. It raises nothing that a submission could cause.

    Once `stop` is set, the submission's process is ended and the grade says so.
    """
    try:
        state, feedback = "missing", "There is no cell for this exercise: it was deleted, or its tag was."
        if answer is not None:
            state, feedback = run(task, answer, seed, limits, isolated, stop or threading.Event())
    except Stopped as reason:
        state, feedback = "stopped", f"Stopped: {reason}."
    except Exception as error:  # noqa: BLE001  a failure here is this exercise's, never the class's
        state, feedback = "stopped", f"The grader failed on it: {type(error).__name__}: {error}."
    feedback = " ".join(filter(None, (readable(feedback)[:_LONGEST], answer.note if answer else "")))
    return Grade(task.id, task.title, task.points if state == "right" else 0, task.points, state, feedback)


def readable(text: str) -> str:
    """`text` with what cannot be written as UTF-8 escaped, such as a lone surrogate."""
    return text.encode("utf-8", "backslashreplace").decode()


def run(
    task: Task, answer: Answer, seed: int, limits: Limits, isolated: bool, stop: threading.Event
) -> tuple[str, str]:
    """State and feedback, from a process in an empty folder that is watched while the check talks to it. Raises: Stopped."""
    outcome: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="mmnb-grade-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-P", "-m", "mmnb.course.grading.sandbox", *(["isolated"] if isolated else [])]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = psutil.Popen(command, cwd=folder, env=_environment(folder), start_new_session=True, **streams)
        started = threading.Event()
        talk = threading.Thread(target=_talk, args=(process, task, answer, seed, limits, started, outcome), daemon=True)
        try:
            talk.start()
            _watch(process, talk, started, limits, stop)
        finally:
            processes.kill_tree(process.pid)
            with contextlib.suppress(AttributeError, ProcessLookupError, PermissionError):  # Windows; nobody left
                os.killpg(process.pid, 9)  # whom the process left behind
            code = process.wait()
            talk.join(_GRACE)
    if not outcome:
        raise Stopped(f"the process ended without an answer (exit code {code})")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _environment(folder: str) -> dict[str, str]:
    """A few variables only: what else the grader's environment holds may be secret."""
    shared = ("PATH", "SYSTEMROOT", "LANG", "PYTHONPATH", "MMNB_ROOT")
    kept = {name: os.environ[name] for name in shared if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    home = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder)
    return kept | threads | home | {"PYTHONHASHSEED": "0", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}


def _watch(
    process: psutil.Popen, talk: threading.Thread, started: threading.Event, limits: Limits, stop: threading.Event
) -> None:
    """Wait until the check is done or the process ends. Raises: Stopped when it reaches a limit, or the grading stops."""
    running, deadline = False, time.monotonic() + _START_UP
    while talk.is_alive():
        talk.join(0.05)
        if not running and started.is_set():
            running, deadline = True, time.monotonic() + limits.seconds
        if process.poll() is not None:
            talk.join(_GRACE)  # for the last message
            return
        if stop.is_set():
            raise Stopped("the grading was interrupted")
        if time.monotonic() > deadline:
            raise Stopped(f"not finished after {limits.seconds if running else _START_UP:g} seconds")
        with contextlib.suppress(psutil.Error):  # it may end in between
            family = [process, *process.children(recursive=True)]
            if sum(one.memory_info().rss for one in family) > limits.memory_mb * 2**20:
                raise Stopped(f"used more than {limits.memory_mb} MB of memory")


def _talk(
    process: psutil.Popen, task: Task, answer: Answer, seed: int, limits: Limits, started: Any, outcome: list
) -> None:
    """Append state and feedback to `outcome`, or the reason why there are none."""
    request = {"cells": answer.cells, "function": task.function, "memory_mb": limits.memory_mb}
    try:
        wire.send(process.stdin, request)
        wire.receive(process.stdout)
        started.set()
        outcome.append(judge(task, process.stdin, process.stdout, seed))
    except (EOFError, OSError):  # the process has ended; its exit code says how
        return
    except wire.Unreadable as error:
        outcome.append(Stopped(f"its answers cannot be read ({error})"))
    except Exception as error:  # noqa: BLE001  raised again where it is awaited
        outcome.append(error)


def judge(task: Task, requests: Any, answers: Any, seed: int) -> tuple[str, str]:
    """State and feedback: the notebook's check, with inputs sent and answers received one by one. None of what comes is trusted."""

    def receive() -> dict[str, Any]:
        reply = wire.receive(answers)
        if "error" in reply:
            raise _Raised(reply["error"] if isinstance(reply["error"], dict) else {})
        return reply

    def submitted(*given: Any) -> Any:
        wire.send(requests, {"arguments": [wire.encode(one) for one in given]})
        reply = receive()
        changed = reply.get("changed")
        for position in changed if isinstance(changed, list) else []:
            if position in range(len(given)) and hasattr(given[position], "resize"):
                given[position].resize(0, refcheck=False)  # so that the check sees it
        return wire.decode(reply.get("answer"))

    try:
        receive()
        passed = exercises.check(task.id, submitted, seed=seed)
    except exercises.WrongAnswer as wrong:
        return "wrong", str(wrong)
    except _Raised as raised:
        return _explain(raised.args[0], task.function, getattr(raised, "__notes__", [""])[0])
    return "right", f"All {passed.checks} inputs right."


def _explain(error: dict[str, Any], function: str, note: str) -> tuple[str, str]:
    """State and feedback for an error, by the submission's own account; `note` names the input."""
    said = (error.get(key) for key in ("kind", "text", "where"))
    kind, text, where = (value if isinstance(value, str) else "" for value in said)
    if kind == "NotAttempted":
        return "not attempted", "Not attempted yet."
    if kind == "KeyError" and text == repr(function):
        return "error", f"The cell defines no function `{function}`."
    hint = f" {_SECTION}" if kind == "NameError" else ""
    return "error", f"{kind}{where and f' in {where}'}{note and f' ({note})'}: {text}.{hint}"
