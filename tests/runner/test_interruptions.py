"""Ctrl-C and kill -9 at every level: nobody computes on, nothing half-written stays, and the next run goes on."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")

BODY = """\
# %%
import os, pathlib, time
pathlib.Path("kernel").write_text(str(os.getpid()))
if not (pathlib.Path(os.environ["MMNB_ROOT"]) / "go").exists():
    time.sleep(100)
"""


def wait_for(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def begin(project, *arguments: str, slugs: tuple[str, ...] = ("01_one",)) -> tuple[subprocess.Popen, list[int]]:
    """Start a run whose notebooks hang; returns it and the ids of its kernels and workers."""
    for slug in slugs:
        project.add(slug, BODY)
    process = project.start("run", *arguments)
    notes = [project.folder(slug) / "kernel" for slug in slugs]
    wait_for(lambda: all(note.exists() and note.read_text(encoding="utf-8") for note in notes))
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert {int(note.read_text(encoding="utf-8")) for note in notes} <= set(family)
    return process, family


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def products(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file()} - {".lock", "kernel", "worker.log"}


def test_ctrl_c_stops_workers_and_kernels_and_leaves_nothing_half_written(project):
    process, family = begin(project, "--jobs", "2", slugs=("01_one", "02_two"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted" in err and "Traceback" not in err
    wait_for(lambda: gone(family), 5)
    assert products(project.folder("01_one")) == products(project.folder("02_two")) == set()


def test_kill_9_of_the_runner_half_way_then_resume(project):
    project.add("00_done")
    process, family = begin(project)
    finished = project.result("00_done")
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: gone(family), 10)
    assert products(project.folder("01_one")) == set(), "the worker cleaned up after the runner's death"
    (project.root / "go").write_text("", encoding="utf-8")
    again = project.mmnb("run", "--resume")
    assert again.returncode == 0, again.stderr
    assert "00_done: done before" in again.stderr and "01_one: ok" in again.stderr
    assert project.result("00_done") == finished
    assert project.result("01_one")["status"] == "ok"


def test_kill_9_of_a_worker_is_a_failure_and_its_kernel_ends(project):
    process, family = begin(project)
    kernel = int((project.folder("01_one") / "kernel").read_text(encoding="utf-8"))
    (worker,) = [pid for pid in family if pid != kernel]
    os.kill(worker, signal.SIGKILL)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and "the worker process ended with code -9" in out
    wait_for(lambda: gone(family), 10)
    assert products(project.folder("01_one")) == {"result.json"}


def test_a_hung_worker_is_killed_after_the_grace_period(project, monkeypatch):
    from mmnb.runner import pool

    project.add("01_one", BODY)
    monkeypatch.setattr(pool, "_GRACE", -0.5)  # at once: before the worker itself can act
    plan = pool.Plan(("01_one",), project.folder("01_one").parent, timeout=1.5)
    (result,) = pool.run(plan, lambda slug, event: None)
    assert (result["status"], result["reason"]) == (
        "failed",
        "not finished after the time limit of 1.5 s, and had to be killed",
    )
