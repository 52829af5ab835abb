"""The one pass that most sections read: one sweep over the mixed pairs with all readers."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mmnb.instruments.emap import emap_of_many
from mmnb.instruments.emap.result import Emap, ShiftMoments, from_shifts, from_sums
from mmnb.instruments.grid import Accumulator, Sums, TruePairs, sweep
from mmnb.instruments.reliance import Others, Predictions


class Picked(Accumulator):
    """The outputs of one chosen false cell of each row, (n, C): row i with column partner[i]."""

    names = ("outputs",)

    def __init__(self, partner: Tensor) -> None:
        self.partner = partner

    def start(self, true: TruePairs) -> None:
        self.outputs = torch.zeros_like(true.outputs)
        self.partner = self.partner.to(true.cells.device)

    def add(self, block: Any) -> None:
        rows, columns = (block.j == self.partner[block.i]).nonzero(as_tuple=True)
        self.outputs[block.i.flatten()[rows]] += block.outputs[rows, columns].double()


@dataclass
class Pass:
    """What one sweep kept: a's examples against b's."""

    true: TruePairs
    emap: Emap
    others: Others
    predictions: Predictions | None = None
    picked: Picked | None = None
    sampled: bool = False
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)


def run_pass(
    f: Callable, a: Any, b: Any, n: int, *, partner: Tensor | None = None, shifts: int | None = None, **options: Any
) -> Pass:
    """One sweep with all readers. Raises what `sweep` raises."""
    sampled = shifts is not None and shifts < n - 1
    readers: dict[str, Accumulator] = {"sums": ShiftMoments() if sampled else Sums(), "others": Others()}
    if n * n * 4 <= Predictions().most_bytes:
        readers["predictions"] = Predictions()
    if partner is not None and not sampled:
        readers["picked"] = Picked(partner)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        true = sweep(f, a, b, readers, shifts=shifts, **options)
    sums = readers["sums"]
    made = from_shifts(sums, true) if sampled else from_sums(sums, true)
    texts = [str(one.message) for one in said if issubclass(one.category, UserWarning)]
    rest = readers.get("predictions"), readers.get("picked")
    return Pass(true, made, readers["others"], *rest, sampled, time.perf_counter() - start, texts)


def views_of_many(
    f: Callable, batches: dict[str, Any], n: int, **options: Any
) -> tuple[dict[str, tuple[Pass, str]], Any]:
    """Three modalities or more: each against all others together, and the additive part over all tuples."""
    names = list(batches)

    def against_the_rest(name: str) -> Callable:
        def scored(one: Any, rest: tuple) -> Any:
            parts = dict(zip([n for n in names if n != name], rest, strict=True)) | {name: one}
            return f(*(parts[n] for n in names))

        return scored

    views = {}
    for name in names:
        rest = tuple(batches[n] for n in names if n != name)
        views[name] = run_pass(against_the_rest(name), batches[name], rest, n, **options), "a"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said in the passes before
        many = emap_of_many(
            f, batches, batch_size=options.get("batch_size") or 1024, check=False, progress=options.get("progress")
        )
    return views, many
