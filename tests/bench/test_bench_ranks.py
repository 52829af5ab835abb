"""Two processes on two cores, one thread each, against one: wall time, so the computer must have nothing else to do.

Two cores are seldom twice one core: they share caches, memory and, in rented computers, the silicon itself. So the same run also measures
the limit: two processes that know nothing of each other, each with the whole task.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

WORKER = Path(__file__).with_name("emap_ranks.py")
QUIET = 15.0  # per cent of all cores that others may use
PATIENCE = 60.0  # seconds to wait for that
ROUNDS = 5  # of one, two and two strangers; the fastest of each are compared: whatever interrupts makes a run slower, never faster


def quiet() -> float:
    """Wait until others leave the cores alone; returns the per cent that they use now."""
    deadline = time.monotonic() + PATIENCE
    while (busy := psutil.cpu_percent(interval=3)) > QUIET and time.monotonic() < deadline:
        pass
    return busy


def run(processes: int, how: str, folder: Path) -> float:
    """Wall seconds of the slowest of so many processes, which share the task or are strangers to each other."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
    }
    command += ["--local-addr", "127.0.0.1", str(WORKER), str(folder), how]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "seconds.json").read_text(encoding="utf-8"))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_two_processes_against_one(tmp_path, ratio):
    busy, answers = [], {}
    seconds = {(1, "shared"): [], (2, "shared"): [], (2, "strangers"): []}
    for _ in range(ROUNDS):
        busy.append(quiet())
        for processes, how in seconds:
            seconds[processes, how].append(run(processes, how, tmp_path))
            answers[processes, how] = torch.load(tmp_path / "projected.pt", weights_only=True)
    one, two, strangers = (min(times) for times in seconds.values())
    speed, limit = one / two, 2 * one / strangers
    change = (answers[1, "shared"] - answers[2, "shared"]).abs().max().item()
    ratio("two processes against one: largest difference", change, at_most=1e-9)
    ratio("two processes that share nothing, speed: this computer's limit", limit)
    ratio("per cent of the cores that others used meanwhile, at most", max(busy))
    ratio("two processes against one, speed", speed, at_least=1.7)
