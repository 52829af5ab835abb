"""Seconds and peak memory of one way to compute EMAP, in a process of its own: `python emap_measure.py ours concat-mlp 1000`.

Memory is that of the process at its highest, minus what it had after the model, the data and one call: what the method itself adds.
One thread; CPU seconds, because wall time on a shared computer measures the neighbours.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from emap_baselines import bare_passes, full_index_list, one_pair_at_a_time
from emap_worlds import World, world

from mmnb.instruments.emap import emap


def ours(f: Callable, a: torch.Tensor, b: torch.Tensor, batch_size: int) -> torch.Tensor:
    """`mmnb.emap` with its defaults, checks included."""
    return emap(f, a, b, batch_size=batch_size, progress=False).projected


METHODS = {"one-pair": one_pair_at_a_time, "index-list": full_index_list, "ours": ours, "bare": bare_passes}


class PeakMemory:
    """Highest resident memory of this process while the block runs, above what it was at the start, in MB (10^6 bytes)."""

    def __enter__(self) -> "PeakMemory":
        self._process, self._done = psutil.Process(), threading.Event()
        self._start = self._peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._peak = max(self._peak, self._process.memory_info().rss)

    @property
    def mb(self) -> float:
        return (self._peak - self._start) / 1e6


def measure(method: Callable, w: World) -> dict[str, float]:
    """CPU seconds, wall seconds and MB added at the peak."""
    torch.set_num_threads(1)
    with torch.no_grad():
        w.f(w.a[:1].expand(w.batch_size, *w.a.shape[1:]), w.b[:1].expand(w.batch_size, *w.b.shape[1:]))
    with PeakMemory() as memory:
        wall, cpu = time.perf_counter(), time.process_time()
        method(*w)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu_seconds": cpu, "wall_seconds": wall, "peak_mb": memory.mb}


def in_own_process(method: str, name: str, n: int) -> dict[str, float]:
    """`measure` in a fresh Python, so that no other method's memory is counted."""
    command = [sys.executable, str(Path(__file__)), method, name, str(n)]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    method, name, n = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(METHODS[method], world(name, int(n)))) + "\n")
