"""Processes of a run: what they cost, and how they end together on every system."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import psutil

try:
    import resource
except ImportError:  # Windows
    resource = None


class Meter:
    """CPU seconds and peak memory of the processes that this process starts inside the `with` block.

    POSIX systems count exactly, children of children included, once a child has ended; the peak is that of the largest
    single process. Windows has no such counter, so there the children are looked at four times a second.
    """

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.peak_memory_mb = 0.0
        self._seen: dict[int, float] = {}
        self._stop = threading.Event()

    def __enter__(self) -> "Meter":
        if resource is None:
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        else:
            self._before = self._used()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if resource is None:
            self._stop.set()
            self._thread.join()
        else:
            self.cpu_seconds = self._used() - self._before
            unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
            self.peak_memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 2**20

    @staticmethod
    def _used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def _sample(self) -> None:
        while not self._stop.wait(0.25):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    times = child.cpu_times()
                    self._seen[child.pid] = times.user + times.system
                    self.peak_memory_mb = max(self.peak_memory_mb, child.memory_info().rss / 2**20)
            self.cpu_seconds = sum(self._seen.values())


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
    """Remove the temporary files of `mmnb.paths.replace` that a killed process left in `folder`."""
    for file in [*folder.glob(".*.part*"), *folder.glob("figures/.*.part*")]:
        file.unlink(missing_ok=True)


def cores() -> int:
    """Number of cores this process may use, which can be fewer than the computer has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
