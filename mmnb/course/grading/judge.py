"""Grade one exercise: run the submission in a process of its own, then check its answers as a notebook would."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from mmnb.course import exercises
from mmnb.course.grading.sandbox import ANSWERS, FILE_LIMIT, READY, REQUEST
from mmnb.course.handout import Task
from mmnb.runner import processes

_START_UP = 60.0  # seconds that the process may take before the submission's own time begins
_LONGEST = 700  # characters of feedback
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


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


class Stopped(Exception):
    """The process reached a limit or ended without readable answers; the message says which."""


class _Early(Exception):
    """The answers end before the inputs do."""


class Unreadable(ValueError):
    """What was handed in is not an encoded answer."""


def grade(task: Task, source: str | None, seed: int, limits: Limits) -> Grade:
    """Grade `source`, the submitted cell, None if there is none, on hidden inputs drawn with `seed`."""
    try:
        state, feedback = "missing", "There is no cell for this exercise: it was deleted, or its tag was."
        if source is not None:
            state, feedback = judge(task, run(task, source, seed, limits), seed)
    except Stopped as reason:
        state, feedback = "stopped", f"Stopped: {reason}."
    points = task.points if state == "right" else 0
    return Grade(task.id, task.title, points, task.points, state, feedback[:_LONGEST])


def run(task: Task, source: str, seed: int, limits: Limits) -> dict[str, Any]:
    """Run `sandbox.py` in an empty folder and return what it wrote. Raises: Stopped."""
    request = {"exercise": task.id, "function": task.function, "source": source, "seed": seed}
    request["memory_mb"] = limits.memory_mb
    with tempfile.TemporaryDirectory(prefix="mmnb-grade-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)  # it may print as much as it likes
        command = [sys.executable, "-m", "mmnb.course.grading.sandbox"]
        process = psutil.Popen(command, cwd=folder, env=_environment(name), start_new_session=True, **streams)
        try:
            _wait(process, folder / READY, limits)
        finally:
            processes.kill_tree(process.pid)
            process.wait()
        file = folder / ANSWERS
        if not file.is_file():
            raise Stopped(f"the process ended without an answer (exit code {process.returncode})")
        if file.stat().st_size > FILE_LIMIT:
            raise Stopped(f"its answers take more than {FILE_LIMIT >> 20} MB")
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except MALFORMED as error:
            raise Stopped(f"its answers cannot be read ({type(error).__name__})") from error


def _environment(folder: str) -> dict[str, str]:
    """A few variables only: what else the grader's environment holds may be secret."""
    shared = ("PATH", "SYSTEMROOT", "LANG", "PYTHONPATH", "MMNB_ROOT")
    kept = {name: os.environ[name] for name in shared if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    home = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder)
    return kept | threads | home | {"PYTHONHASHSEED": "0", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}


def _wait(process: psutil.Popen, ready: Path, limits: Limits) -> None:
    """Wait until the process ends. Raises: Stopped when it reaches a limit."""
    running, deadline = False, time.monotonic() + _START_UP
    while process.poll() is None:
        if not running and ready.exists():
            running, deadline = True, time.monotonic() + limits.seconds
        if time.monotonic() > deadline:
            raise Stopped(f"not finished after {limits.seconds if running else _START_UP:g} seconds")
        with contextlib.suppress(psutil.Error):  # it may end in between
            if process.memory_info().rss > limits.memory_mb * 2**20:
                raise Stopped(f"used more than {limits.memory_mb} MB of memory")
        time.sleep(0.05)


def judge(task: Task, handed: Any, seed: int) -> tuple[str, str]:
    """State and feedback for what a sandbox returned, none of it trusted: the notebook's own check on replayed answers."""
    if not isinstance(handed, dict) or not isinstance(handed.get("answers"), list):
        raise Stopped("its answers cannot be read (wrong structure)")
    answers, error = iter(handed["answers"]), handed.get("error")

    def replay(*_: Any) -> Any:
        for answer in answers:
            return decode(answer)
        raise _Early

    try:
        passed = exercises.check(task.id, replay, seed=seed)
    except (exercises.WrongAnswer, Unreadable) as wrong:
        return "wrong", str(wrong)
    except _Early as early:
        return _explain(error if isinstance(error, dict) else {}, task.function, early.__notes__[0])
    return "right", f"All {passed.checks} inputs right."


def decode(code: Any) -> Any:
    """What `sandbox.encode` was given, lists as tuples and tensors as arrays. Raises: Unreadable."""
    try:
        if isinstance(code, list):
            return tuple(map(decode, code))
        if not isinstance(code, dict):
            return code
        if "shape" in code:
            return np.array(code["numbers"], dtype=float).reshape(code["shape"])
        if "items" in code:
            return {key: decode(value) for key, value in code["items"].items()}
        return type(code["type"], (), {})()  # no answer: an object whose type has that name
    except MALFORMED as error:
        raise Unreadable(f"an answer cannot be read: {error}") from error


def _explain(error: dict[str, Any], function: str, note: str) -> tuple[str, str]:
    """State and feedback when the answers end early, by the submission's own account; `note` names the input."""
    kind, text, line = (error.get(key) for key in ("kind", "text", "line"))
    if kind is None:
        return "wrong", "Not all answers were handed in."
    if kind == "NotAttempted":
        return "not attempted", "Not attempted yet."
    if kind == "ChangedInPlace":
        return "wrong", f"{text} ({note})"
    if kind == "KeyError" and text == repr(function):
        return "error", f"The cell defines no function `{function}`."
    where = f" in line {line} of your cell" if line else ""
    return "error", f"{kind}{where}{f' ({note})' if error.get('called') else ''}: {text}"
