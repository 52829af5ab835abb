"""One exercise of one submission in a process of its own, watched from outside."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mmnb.course.grading.answer import ANSWERS, FILE_LIMIT, READY
from mmnb.runner import processes

_START_UP = 60.0  # seconds that the process may take before the submission's own time begins
_LOOK = 0.05  # seconds between two looks


@dataclass(frozen=True)
class Limits:
    """What one exercise may take: seconds from when the submitted code starts, megabytes of memory."""

    seconds: float = 20.0
    memory_mb: int = 2000


@dataclass(frozen=True)
class Handed:
    """What came back: `answers`, the process's own account of an error, or the limit at which it was stopped."""

    answers: list[dict[str, Any]]
    error: dict[str, Any] | None = None
    stopped: str | None = None


def run(request: dict[str, Any], limits: Limits) -> Handed:
    """Run `mmnb.course.grading.answer` on a request in an empty folder and wait for it, for as long as the limits allow."""
    with tempfile.TemporaryDirectory(prefix="mmnb-grade-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        process = subprocess.Popen(
            [sys.executable, "-m", "mmnb.course.grading.answer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # a submission may print as much as it likes
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        try:
            stopped = _watch(process, folder, request | {"memory_mb": limits.memory_mb}, limits)
        finally:
            processes.kill_tree(process.pid)
            process.wait()
        return Handed([], stopped=stopped) if stopped else _read(folder / ANSWERS, process.returncode)


def _environment(folder: Path) -> dict[str, str]:
    """A few variables only: what else the grader's environment holds is none of a submission's business."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "SYSTEMROOT", "LANG", "PYTHONPATH", "MMNB_ROOT")
        if name in os.environ
    }
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    home = {name: str(folder) for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")}
    return kept | threads | home | {"PYTHONHASHSEED": "0", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}


def _watch(process: subprocess.Popen, folder: Path, request: dict[str, Any], limits: Limits) -> str | None:
    """Wait; returns why the process had to be stopped, or None if it ended by itself."""
    try:
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
    except BrokenPipeError:  # it died before it could listen
        return None
    deadline, running = time.monotonic() + _START_UP, False
    while process.poll() is None:
        if not running and (folder / READY).exists():
            deadline, running = time.monotonic() + limits.seconds, True
        if time.monotonic() > deadline:
            return (
                f"not finished after {limits.seconds:g} seconds"
                if running
                else f"did not start within {_START_UP:g} seconds"
            )
        if _memory_mb(process.pid) > limits.memory_mb:
            return f"used more than {limits.memory_mb} MB of memory"
        time.sleep(_LOOK)
    return None


def _memory_mb(pid: int) -> float:
    try:
        found = psutil.Process(pid)
        return sum(one.memory_info().rss for one in [found, *found.children(recursive=True)]) / 2**20
    except psutil.Error:  # it ended in between
        return 0.0


def _read(file: Path, code: int) -> Handed:
    if not file.is_file():
        return Handed([], stopped=f"the process ended without an answer (exit code {code})")
    if file.stat().st_size > FILE_LIMIT:
        return Handed([], stopped=f"its answers take more than {FILE_LIMIT >> 20} MB")
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        answers, error = told["answers"], told["error"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        return Handed([], stopped=f"its answers cannot be read ({type(problem).__name__})")
    if not isinstance(answers, list) or not isinstance(error, dict | None):
        return Handed([], stopped="its answers cannot be read (wrong structure)")
    return Handed(answers, error)
