"""What the bench shares: one thread, ratios of CPU seconds measured in turns, a table at the end, and `--record`."""

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from mmnb import paths

RESULTS = Path("data") / "results" / "bench_emap.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help=f"write the measured numbers to {RESULTS.as_posix()}")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cpu_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@pytest.fixture
def fastest():
    """`fastest(rounds, name=call, ...)`: fewest CPU seconds of each call, measured in turns so that a busy minute hits all alike."""

    def measured(rounds: int, **calls: Callable[[], object]) -> dict[str, float]:
        seconds = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                seconds[name].append(cpu_seconds(call))
        return {name: min(values) for name, values in seconds.items()}

    return measured


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest):
    """`report["ratios"][name] = ...` and `report["rows"].append(...)`; printed at the end, and written with --record."""
    numbers: dict = {"schema": 1, "ratios": {}, "rows": []}
    yield numbers
    request.config.stash[_NUMBERS] = numbers


@pytest.fixture
def ratio(report):
    """`ratio(name, value, at_most=..., at_least=...)`: note it for the table, then fail if it is not so. Without a bound, noted only."""

    def judged(name: str, value: float, **bound: float) -> None:
        report["ratios"][name] = {"value": value, **bound}
        assert value <= bound.get("at_most", float("inf")), f"{name}: {value:.4g}, must be at most {bound['at_most']:g}"
        assert value >= bound.get("at_least", -float("inf")), (
            f"{name}: {value:.4g}, must be at least {bound['at_least']:g}"
        )

    return judged


_NUMBERS = pytest.StashKey[dict]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    numbers = config.stash.get(_NUMBERS, None)
    if numbers is None:
        return
    write = terminalreporter.write_line
    terminalreporter.section("EMAP: what it costs")
    if numbers["rows"]:
        write(f"{'model':<12}{'method':<14}{'N':>7}{'CPU s':>10}{'peak MB':>10}{'s, per doubling of N':>23}")
    before: dict = {}
    for row in numbers["rows"]:
        key = row["world"], row["method"]
        grown = ""
        if key in before and row["n"] == 2 * before[key]["n"]:
            grown = f"x {row['cpu_seconds'] / before[key]['cpu_seconds']:.1f}"
        before[key] = row
        write(f"{key[0]:<12}{key[1]:<14}{row['n']:>7}{row['cpu_seconds']:>10.3f}{row['peak_mb']:>10.1f}{grown:>23}")
    for name, ratio in numbers["ratios"].items():
        wanted = " ".join(f"{key.replace('_', ' ')} {ratio[key]:g}" for key in ("at_most", "at_least") if key in ratio)
        write(f"{name:<66}{ratio['value']:>10.4g}   {'must be ' + wanted if wanted else ''}".rstrip())
    if config.getoption("--record"):
        numbers["computer"] = {
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9),
            "system": platform.system(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "threads": 1,
        }
        paths.write_text(paths.root() / RESULTS, json.dumps(numbers, indent=1, sort_keys=True) + "\n")
        write(f"recorded in {RESULTS.as_posix()}")
