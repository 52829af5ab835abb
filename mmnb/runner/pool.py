"""Where notebooks run, and side by side: one worker process (`mmnb.runner.execute`) for each."""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from click import UsageError

from mmnb import paths
from mmnb.lab import claims
from mmnb.lab.sizes import cpu_budget
from mmnb.runner import fingerprint, processes

_CHATTER = ("[IPKernelApp]", "Error occurred while starting new kernel client", "Kernel died while waiting")
_GRACE = 60.0  # seconds a worker gets beyond the time limit to stop its kernel and save the notebook


@dataclass(frozen=True)
class Plan:
    """What to run. `out` is an absolute folder; each notebook writes into its own folder in it."""

    slugs: tuple[str, ...]
    out: Path
    profile: str = "laptop"
    seed: int = 0
    jobs: int = 1
    resume: bool = False
    timeout: float | None = None


Listener = Callable[[str, dict[str, Any]], None]
"""Told of (slug, event), with event one of {"state": "start" | "progress" | "end" | "skip", ...}; slug is empty for a tick."""


def environment(folder: Path, jobs: int) -> dict[str, str]:
    """Environment of a worker: its share of the cores, its output folder, no display, a fixed hash seed, absolute paths.

    A smaller OMP_NUM_THREADS of the user's is respected.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, processes.cores() // jobs)
    threads = min(threads, int(given)) if given.isdecimal() and int(given) else threads
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    fixed = {"MMNB_OUT": str(folder), "MMNB_ROOT": str(paths.root()), "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}
    for name in ("MMNB_DATA", "MMNB_CACHE"):  # the kernel's working directory is another one
        if os.environ.get(name):
            fixed[name] = str(Path(os.environ[name]).expanduser().resolve())
    return os.environ | counts | fixed


def reusable(slug: str, folder: Path, plan: Plan) -> dict[str, Any] | None:
    """The result of an earlier run in `folder`, if it succeeded with the same source, package, data, profile and seed."""
    result = read_json(folder / "result.json")
    records = read_json(folder / "records.json")
    whole = result.get("files_sha256") == fingerprint.products(slug, folder)  # of the run itself, not edited since
    same = whole and (result.get("status"), result.get("profile"), result.get("seed")) == (
        "ok",
        plan.profile,
        plan.seed,
    )
    if not same or not (folder / f"{slug}.ipynb").is_file() or not records:
        return None
    if claims.unavailable(records) and result.get("cache_sha256") != fingerprint.cache_listing():
        return None  # the data that was missing may be here now
    return None if fingerprint.changes(slug, result.get("fingerprint")) else result


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it is missing, unreadable or anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_log(folder: Path) -> list[str]:
    """The lines that a worker and its kernel wrote to their standard error, without what Jupyter says of every failure."""
    try:
        lines = (folder / "worker.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return []
    return [line for line in lines if not any(words in line for words in _CHATTER)]


def keep(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write `result` to `folder/result.json` and return it: failed, where that cannot be done."""
    try:
        paths.write_text(folder / "result.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        reason = f"result.json cannot be written to {folder}: {error.strerror or error}"
        return result | {"status": "failed", "reason": result["reason"] or reason}
    return result


@contextlib.contextmanager
def _claimed(plan: Plan) -> Iterator[None]:
    """Hold the lock of every run folder; refuse when a folder cannot be written or another run holds it."""
    with contextlib.ExitStack() as stack:
        for slug in plan.slugs:
            folder = plan.out / slug
            lock = filelock.FileLock(folder / ".lock")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
                stack.enter_context(lock.acquire(blocking=False))
            except filelock.Timeout as error:
                text = f"another run is working in this folder and holds {lock.lock_file}; wait for it"
                raise UsageError(f"{text}, or choose another --out") from error
            except OSError as error:
                text = f"cannot write to the output folder {folder}: {error.strerror or error}"
                raise UsageError(f"{text}; choose another --out") from error
        yield


def run(plan: Plan, listener: Listener) -> list[dict[str, Any]]:
    """Run the plan and return one result for each notebook, in the plan's order. A failure does not stop the others.

    Raises UsageError before anything starts; KeyboardInterrupt after every worker and kernel was killed.
    """
    try:
        cpu_budget(plan.profile)
        for name in ("MMNB_DATA", "MMNB_CACHE"):
            paths.local(os.environ.get(name) or ".", name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with _claimed(plan):
        results, waiting = {}, []
        for slug in plan.slugs:
            result = reusable(slug, plan.out / slug, plan) if plan.resume else None
            if result:
                results[slug] = result | {"skipped": True}
                listener(slug, {"state": "skip", "result": results[slug]})
            else:
                waiting.append(slug)
        results |= _Pool(plan, listener).run(waiting)
    return [results[slug] for slug in plan.slugs]


class _Pool:
    """Up to `plan.jobs` workers at a time; a thread for each reads its lines into one queue."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self.plan, self.listener = plan, listener
        self.jobs = max(1, min(plan.jobs, len(plan.slugs)))
        self.active: dict[str, tuple[subprocess.Popen, float]] = {}
        self.told: dict[str, dict[str, Any]] = {}  # what workers reported: a full disk cannot keep it from us
        self.events: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()

    def run(self, waiting: list[str]) -> dict[str, dict[str, Any]]:
        results = {}
        try:
            while waiting or self.active:
                while waiting and len(self.active) < self.jobs:
                    slug = waiting.pop(0)
                    try:
                        self._start(slug)
                    except OSError as error:
                        reason = f"cannot start: {error.strerror or error}: {error.filename or self.plan.out / slug}"
                        results[slug] = self._failed(slug, reason, 0.0)
                        self.listener(slug, {"state": "end", "result": results[slug]})
                with contextlib.suppress(queue.Empty):
                    slug, event = self.events.get(timeout=0.25)
                    if event["state"] == "exit":
                        results[slug] = self._finish(slug)
                        event = {"state": "end", "result": results[slug]}
                    self.listener(slug, event)
                for worker, began in self.active.values():
                    if self._overdue(began):
                        processes.kill_tree(worker.pid)
                self.listener("", {"state": "tick"})
        finally:
            for slug, (worker, _) in self.active.items():
                processes.kill_tree(worker.pid)
                worker.wait()
                processes.remove_temporary(self.plan.out / slug)
        return results

    def _start(self, slug: str) -> None:
        folder = self.plan.out / slug
        clear(slug, folder)
        parameters = {"PROFILE": self.plan.profile, "SEED": self.plan.seed}
        task = json.dumps({"slug": slug, "parameters": parameters, "timeout": self.plan.timeout})
        # in a group of its own, Ctrl-C reaches the runner only, which then ends its workers in order
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "mmnb.runner.execute", task],
                stdin=subprocess.PIPE,  # never written to: its end tells the worker that the runner is gone
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=environment(folder, self.jobs),
                start_new_session=True,  # POSIX, and on Windows:
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self.active[slug] = worker, time.monotonic()
        self.listener(slug, {"state": "start"})
        threading.Thread(target=self._read, args=(slug, worker), daemon=True).start()

    def _read(self, slug: str, worker: subprocess.Popen) -> None:
        for line in worker.stdout:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if "result" in told:
                    self.told[slug] = told["result"]
                else:
                    self.events.put((slug, {"state": "progress", **told}))
        worker.wait()
        self.events.put((slug, {"state": "exit"}))

    def _finish(self, slug: str) -> dict[str, Any]:
        worker, began = self.active.pop(slug)
        worker.stdin.close()
        worker.stdout.close()
        folder = self.plan.out / slug
        result = self.told.pop(slug, None)
        if not result or worker.returncode:  # the worker ended before it could judge, or not as it should
            processes.remove_temporary(folder)
            log = read_log(folder)
            reason = f"the worker process ended with code {worker.returncode}" + (f": {log[-1]}" if log else "")
            if self._overdue(began):
                reason = f"not finished after the time limit of {self.plan.timeout:g} s, and had to be killed"
            result = self._failed(slug, reason, round(time.monotonic() - began, 1), log[-30:])
        return result

    def _failed(self, slug: str, reason: str, seconds: float, log: Sequence[str] = ()) -> dict[str, Any]:
        result = {"schema": 1, "notebook": slug, "profile": self.plan.profile, "seed": self.plan.seed, "claims": {}}
        result |= {"status": "failed", "reason": reason, "wall_seconds": seconds, "log": list(log)}
        return keep(result, self.plan.out / slug)

    def _overdue(self, began: float) -> bool:
        return self.plan.timeout is not None and time.monotonic() - began > self.plan.timeout + _GRACE


def clear(slug: str, folder: Path) -> None:
    """Remove what an earlier run left in its folder, so that nothing old can pass for new; the lock and foreign files stay."""
    for name in ("result.json", "records.json", "worker.log", f"{slug}.ipynb"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "figures", ignore_errors=True)
    processes.remove_temporary(folder)
