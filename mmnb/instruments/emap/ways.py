"""Which way through the grid: all pairs, two towers, linear ends or the closed form. All give the same numbers, at very different cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.batches import length
from mmnb.instruments.checks import refuse_changed, refuse_train_mode
from mmnb.instruments.emap.grid import Grid, PairGrid
from mmnb.instruments.emap.halving import Halving
from mmnb.instruments.emap.linear_ends import Additive, SplitGrid, linear_ends_of
from mmnb.instruments.emap.sums import Tail
from mmnb.instruments.emap.two_tower import encode_all, two_tower_of

METHODS = ("auto", "pairs", "ends", "closed")
_PROBES = 32
_UNITS = 1e3  # of rounding of the largest score, that two orders of the same additions and products may differ by; half precision: 5 %


@dataclass(frozen=True)
class Way:
    """`every` scores any pair through f itself; `grid` is the one to sum; with `affine`, head and features replace it altogether."""

    every: PairGrid
    grid: Grid
    affine: tuple[Callable, Tensor, Tensor] | None = None


def choose(
    f: Callable, a: Any, b: Any, batch_size: int | None, *, method: str = "auto", tail: nn.Linear | None = None
) -> Way:
    """The cheapest way that is known to hold for f, or the one that `method` names.

    "auto": encode once where f has two towers; then the closed form where the head says it is affine in each side (`multi_affine = True`)
    or is seen to be, linear ends where it has them, else all pairs. "pairs": f on every pair. "ends" and "closed" insist on these two.
    Raises: ValueError for another method, or where f does not offer what is insisted on, or a module is in train mode.
    """
    if method not in METHODS:
        raise ValueError(f"emap: got method={method!r}; expected one of {METHODS}")
    if tail is not None and (not isinstance(tail, nn.Linear) or method == "closed"):
        raise TypeError(
            f"emap: got tail={type(tail).__name__}, method={method!r}; expected an nn.Linear, not with 'closed'"
        )
    refuse_train_mode(f, "emap")
    n, last = length(a), None if tail is None else Tail.of(tail)
    towers = two_tower_of(f)
    for part in (towers.encode_a, towers.encode_b, towers.head) if towers else ():
        refuse_train_mode(part, "emap")
    every = PairGrid(towers if towers is not None and not hasattr(f, "two_tower") else f, a, b, n, batch_size, last)
    if method == "pairs":
        return Way(every, every)
    grid, head = every, f
    if towers is not None:
        a = encode_all(towers.encode_a, a, every.batch_size, "a")
        b = encode_all(towers.encode_b, b, every.batch_size, "b")
        head, grid = towers.head, PairGrid(towers.head, a, b, n, batch_size, last)
    ends = linear_ends_of(head, a, b) if tail is None else None
    if ends is not None and not ends.middle and method in ("auto", "closed"):
        head = Additive(ends)
        grid = PairGrid(head, a, b, n, batch_size)
    affine = getattr(head, "multi_affine", False) is True
    if method == "closed" or (method == "auto" and affine and tail is None and _floats(a, b)):
        return Way(every, grid, (head, a, b))
    if ends is not None:
        return Way(every, SplitGrid(ends, a, b, batch_size))
    if method == "ends" and tail is None:
        raise ValueError(
            f"emap: method='ends', but no linear ends are known of {type(head).__name__}; expected Concat(nn.Sequential(nn.Linear, ...)), "
            "a method linear_ends(), or tail=last_linear with f giving the features before it"
        )
    return Way(every, grid)


def refuse_other_scores(way: Way) -> None:
    """Raise ValueError unless the short way scores some pairs, true and false ones, as f does: a hook or a subclass may do more."""
    if way.grid is way.every:
        return
    every, short = Halving(way.every), Halving(way.grid)
    generator = torch.Generator().manual_seed(0)
    probes = min(way.every.n, _PROBES, way.every.batch_size, way.grid.batch_size)
    index = torch.arange(probes)
    for columns in (index, torch.randint(way.every.n, (probes,), generator=generator)):
        raw = every.pairs(index, columns)
        cells = short.pairs(index, columns)
        expected, found = outputs(way.every, raw).cpu(), outputs(way.grid, cells).cpu()
        off, scale = (expected - found).abs().max().item(), expected.abs().max().item()
        if way.grid.tail is not None:  # where the terms of the last sum cancel, rounding is still theirs
            scale = max(scale, (cells.double().abs() @ way.grid.tail.weight.abs().T).max().item())
        if off > min(_UNITS * torch.finfo(raw.dtype).eps, 0.05) * scale:
            raise ValueError(
                f"emap: the short way ({type(way.grid).__name__}) and the model itself differ by {off:.3g} on the same pairs (largest score "
                f"{scale:.3g}); expected rounding only: the model does more than its parts say, use method='pairs'"
            )


def refuse_unsteady(every: Grid, true_pairs: Tensor) -> None:
    """Score a first batch again and a first pair alone; raise ValueError if that changes what f says of them."""
    index = torch.arange(min(every.n, every.batch_size))
    for probe, how in ((index, "twice in the same batch"), (index[:1], "in a batch and alone")):
        refuse_changed(true_pairs[probe].cpu(), outputs(every, every.pairs(probe, probe)).cpu(), how, "emap")


def outputs(grid: Grid, cells: Tensor) -> Tensor:
    """What comes out of cells (B, H): (B, C) float64."""
    return cells.double() if grid.tail is None else grid.tail(cells.double())


def _floats(*sides: Any) -> bool:
    known = (torch.float32, torch.float64)
    return all(isinstance(side, Tensor) and side.dtype in known and side.ndim > 1 for side in sides)
