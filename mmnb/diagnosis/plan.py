"""What a report would cost: two timed batches, no pass."""

import re
import time
from dataclasses import dataclass
from typing import Any

import torch

from mmnb.diagnosis.measured import Measured
from mmnb.instruments.batches import length, take
from mmnb.instruments.grid.cells import ModelCells, automatic_batch_size
from mmnb.instruments.grid.strategy import pick
from mmnb.instruments.grid.two_tower import two_tower_of
from mmnb.instruments.inputs import real

_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


@dataclass(frozen=True)
class Plan:
    """What `diagnose(..., plan=True)` returns; nothing was run but two batches.

    Attributes:
        sections: (id, "runs" or what it needs).
        passes: Forward passes: pairs, or encodings of a model with two towers.
        seconds: For them, from two timed batches.
        memory_mb: Of what is kept beside model and data.
        shifts: False partners of each example; None for all.
    """

    sections: tuple[tuple[str, str], ...]
    passes: int
    seconds: float
    memory_mb: float
    shifts: int | None

    def __str__(self) -> str:
        partners = (
            "every other example as partner" if self.shifts is None else f"{self.shifts} partners for each example"
        )
        lines = [f"{self.passes:,} forward passes, about {self.seconds:.3g} s, {self.memory_mb:.3g} MB; {partners}"]
        return "\n".join(lines + [f"  {name}: {state}" for name, state in self.sections])

    __repr__ = __str__


def seconds_of(budget: Any) -> float:
    """Seconds of "20 min", "1.5 h", "90 s" or a number of seconds.

    Example:
        >>> seconds_of("20 min"), seconds_of(90)
        (1200.0, 90.0)
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]+?)s?\s*", budget) if isinstance(budget, str) else None
    if isinstance(budget, str) and (found is None or found[2] not in _SECONDS):
        raise ValueError(f"diagnose: got budget={budget!r}; expected such as '20 min', '1.5 h' or a number of seconds")
    return real(float(found[1]) * _SECONDS[found[2]] if found else budget, "diagnose: budget", 0)


def planned(m: Measured, shifts: int | None, budget: Any, how: dict[str, Any]) -> Plan:
    """Time two batches; draw fewer partners where all would not fit into the budget."""
    n, count = m.n, len(m.names)
    batches = list(m.batches.values())
    size = min(how["batch_size"] or automatic_batch_size(batches[0], batches[-1]), n)
    passes_once, per_pass, encodes = _timed(m, batches, size, how["strategy"])
    pairs = n * n if count == 2 else count * n * n + n**count
    if budget is not None:
        if count > 2:
            raise ValueError(
                f"diagnose: got a budget for {count} modalities; expected two: give fewer examples instead"
            )
        affordable = int(seconds_of(budget) / max(per_pass, 1e-12)) // n - 1
        if not encodes and affordable < n - 1 and shifts is None:
            shifts = max(2, affordable)
    if shifts is not None and count == 2:
        pairs = n * (min(shifts, n - 1) + 1)
    passes = passes_once if encodes else pairs
    outputs = m.options.get("outputs", 10)
    memory = (n * n + 8 * n * outputs * 8) / 1e6
    return Plan(_states(m, encodes), passes, passes * per_pass, memory, shifts)


def _timed(m: Measured, batches: list[Any], size: int, strategy: str) -> tuple[int, float, bool]:
    """(encodings of both sides, seconds a pass, whether passes are encodings)."""
    index = torch.arange(size)
    with torch.no_grad():
        towers = two_tower_of(m.f, *batches) if len(batches) == 2 and strategy != "pairs" else None
        if towers is not None:
            parts = [take(batch, index) for batch in batches]
            seconds = sum(
                _twice(lambda e=e, p=p: e(p)) for e, p in zip((towers.encode_a, towers.encode_b), parts, strict=True)
            )
            return 2 * length(batches[0]), seconds / (2 * size), True
        if len(batches) == 2:
            _, cells = pick(m.f, *batches, size, strategy=strategy)
            m.options["outputs"] = cells.outputs(cells.pairs(index[:1], index[:1])).shape[1]
            if type(cells) is ModelCells:
                return 0, _twice(lambda: cells.pairs(index, index)) / size, False
            rows = range(min(m.n, 32))
            return 0, _twice(lambda: cells.block(rows, range(min(m.n, 128)))) / (len(rows) * min(m.n, 128)), False
        parts = [take(batch, index) for batch in batches]
        return 0, _twice(lambda: m.f(*parts)) / size, False


def _twice(call: Any) -> float:
    """Seconds of the second of two calls: the first warms up."""
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _states(m: Measured, encodes: bool) -> tuple[tuple[str, str], ...]:
    from mmnb.diagnosis.sections import OPT_IN, REGISTRY

    labelled = {"answer", "blind", "reliance", "data", "encoders", "words", "robustness"}
    needs = {
        "pairs": getattr(m.data, "pair", None) is not None or "needs pair=",
        "geometry": encodes or "needs embeddings",
        "encoders": bool(m.extras.get("encoders")) or "needs encoders= and train=",
    }
    found = []
    for entry in REGISTRY:
        state = needs.get(entry.id, True)
        if entry.id in OPT_IN and entry.id not in m.extras["also"]:
            state = f"needs also=('{entry.id}',)"
        if state is True and entry.id in labelled and m.y is None:
            state = "needs y="
        found.append((entry.id, "runs" if state is True else state))
    return tuple(found)
