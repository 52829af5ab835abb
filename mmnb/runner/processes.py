"""Processes of a run: what they cost, and how they end together on every system."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil

from mmnb import paths

try:
    import resource
except ImportError:  # Windows
    resource = None


@contextlib.contextmanager
def metered() -> Iterator[SimpleNamespace]:
    """`cpu_seconds` and `peak_memory_mb` of the processes that this process starts inside the `with` block, known after it.

    POSIX systems count exactly, children of children included, once a child has ended; the peak is that of the largest
    single process. Windows has no such counter, so there the children are looked at four times a second.
    """
    used, stop = SimpleNamespace(cpu_seconds=0.0, peak_memory_mb=0.0), threading.Event()
    if resource is None:
        thread = threading.Thread(target=_sample, args=(used, stop), daemon=True)
        thread.start()
        try:
            yield used
        finally:
            stop.set()
            thread.join()
        return
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        yield used
    finally:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.cpu_seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
        used.peak_memory_mb = after.ru_maxrss * unit / 2**20


def _sample(used: SimpleNamespace, stop: threading.Event) -> None:
    seen: dict[int, float] = {}
    while not stop.wait(0.25):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                seen[child.pid] = times.user + times.system
                used.peak_memory_mb = max(used.peak_memory_mb, child.memory_info().rss / 2**20)
        used.cpu_seconds = sum(seen.values())


def kill_children(process: psutil.Process | None = None) -> None:
    """Kill all that `process` (default: this one) started, the groups of its kernels included, and wait until they are gone."""
    process = process or psutil.Process()
    with contextlib.suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if hasattr(os, "killpg") and os.getpgid(child.pid) == child.pid:
                    os.killpg(child.pid, signal.SIGKILL)  # a kernel leads its own group
                child.kill()
        deadline = time.monotonic() + 5
        while any(map(_runs, children)) and time.monotonic() < deadline:
            time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    """Whether it can still do something; a zombie, which waits for its halted parent, cannot."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_tree(pid: int) -> None:
    """Kill a worker and all it started. It is halted first, so that it cannot start a kernel while its children are listed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        worker = psutil.Process(pid)
        worker.suspend()
        kill_children(worker)
        worker.kill()


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files and folders that a killed process left in `folder`."""
    for place in (folder, folder / "figures"):
        paths.sweep(place, ".*.part*")


def cores() -> int:
    """Number of cores this process may use, which can be fewer than the computer has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
