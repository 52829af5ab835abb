"""Choose how to evaluate the grid: every pair with the model, two encoders and a head, a head that crosses features, or a head with its
first and last linear layer factored out. The results are identical; only the cost differs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.batches import length
from mmnb.instruments.checks import allowed_change, check_deterministic, check_eval_mode, precision
from mmnb.instruments.grid.cells import Cells, CrossCells, LastLayer, ModelCells, pairs_of
from mmnb.instruments.grid.split import SplitCells, split_head_of
from mmnb.instruments.grid.two_tower import check_encoder, encode_all, probes, two_tower_of

STRATEGIES = ("auto", "pairs", "cross", "split")
_PROBES = 32
# of rounding of the largest score, that two orders of the same operations may differ by; half precision: 5 %
_UNITS = 1e3


def pick(
    f: Callable,
    a: Any,
    b: Any,
    batch_size: int | None,
    *,
    strategy: str = "auto",
    last: nn.Linear | None = None,
    check: bool = False,
) -> tuple[ModelCells, Cells]:
    """The grid through f itself, for comparison, and the one to sum: the cheapest that f offers, or the one that is asked for.

    Raises ValueError for another strategy, one that f does not offer, a module in train mode, or, with `check`, an encoder whose answer
    depends on its batch; TypeError if `last` is no `nn.Linear`.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"grid: got strategy={strategy!r}; expected one of {STRATEGIES}")
    if last is not None and not isinstance(last, nn.Linear):
        raise TypeError(f"grid: got last={type(last).__name__}; expected an nn.Linear")
    check_eval_mode(f, "grid")
    n, layer = length(a), None if last is None else LastLayer.of(last)
    towers = two_tower_of(f, a, b)
    for part in (towers.encode_a, towers.encode_b, towers.head) if towers else ():
        check_eval_mode(part, "grid")
    whole = towers if towers is not None and not hasattr(f, "two_tower") else f
    reference = ModelCells(whole, a, b, n, batch_size, layer)
    if strategy == "pairs":
        return reference, reference
    head, cells = f, reference
    if towers is not None:
        sides = ((towers.encode_a, a, "a"), (towers.encode_b, b, "b"))
        a, b = features = [encode_all(encode, side, reference.batch_size, name) for encode, side, name in sides]
        for (encode, side, name), encoded in zip(sides, features if check else (), strict=check):
            check_encoder(encode, side, encoded, reference.batch_size, name)
        head, cells = towers.head, ModelCells(towers.head, a, b, n, batch_size, layer)
    split = split_head_of(head, a, b) if last is None and strategy != "cross" else None
    if split is not None:
        return reference, SplitCells(split, a, b, batch_size)
    if strategy != "split" and hasattr(head, "cross") and isinstance(a, Tensor) and isinstance(b, Tensor):
        return reference, CrossCells(head, a, b, n, batch_size, layer)
    if strategy != "auto":
        raise ValueError(
            f"grid: strategy={strategy!r}, but {type(head).__name__} does not offer it; expected for 'split' "
            "Concat(nn.Sequential(nn.Linear, ...)) or a method split_head(), for 'cross' a method cross(a, b) and tensors"
        )
    return reference, cells


def check_same_scores(reference: ModelCells, cells: Cells) -> None:
    """Raise ValueError unless the cheaper strategy scores some pairs, true and false ones, as f does: a subclass may do more."""
    if cells is reference:
        return
    index = torch.arange(min(reference.n, _PROBES, reference.batch_size, cells.batch_size))
    others = torch.randint(reference.n, index.shape, generator=torch.Generator().manual_seed(0))
    probes = [(index, index, cells.pairs(index, index)), (index, others, cells.pairs(index, others))]
    if type(cells) is not ModelCells:  # it has a way of its own to a rectangle
        few = range(min(reference.n, 5))
        probes.append((*pairs_of(few, few), cells.block(few, few).flatten(0, 1)))
    for rows, columns, found in probes:
        scores = reference.pairs(rows, columns)
        expected, shorter = reference.outputs(scores).cpu(), cells.outputs(found).cpu()
        off, scale = (expected - shorter).abs().max().item(), expected.abs().max().item()
        if cells.last is not None:  # where the terms of the last sum cancel, rounding is still theirs
            scale = max(scale, (found.double().abs() @ cells.last.weight.abs().T).max().item())
        if off > min(_UNITS * precision(reference.f, scores), 0.05) * scale:
            raise ValueError(
                f"grid: {type(cells).__name__} and the model itself differ by {off:.3g} on the same pairs (largest score "
                f"{scale:.3g}); expected rounding only: the model does more than its parts, or they depend on the batch; use strategy='pairs'"
            )


def allowed_change_of(reference: ModelCells, cells: Cells, diagonal: Tensor) -> float:
    """How far the outputs of a true pair may differ from call to call; `diagonal` (n, H) are its cells, in the model's precision."""
    largest = cells.outputs(diagonal).abs().max().item()
    if cells.last is not None:  # where the terms of the last sum cancel, rounding is still theirs
        terms = diagonal.double().abs() @ cells.last.weight.to(diagonal.device).abs().T
        largest = max(largest, terms.max().item())
    return allowed_change(cells.outputs(diagonal), precision(reference.f, diagonal), largest)


def check_stable(cells: Cells, scores: Tensor, allowed: float, columns: Tensor | None = None) -> None:
    """Score a first batch again, and the first pair, the last and a few in the middle alone; raise ValueError if that changes `scores`.

    scores (n, C) are those of the true pairs. In data sorted by length the first pair is the one that padding never changes.
    """
    index = torch.arange(min(cells.n, cells.batch_size))
    columns = torch.arange(cells.n) if columns is None else columns
    for probe, how in (
        (index, "twice in the same batch"),
        *((few, "in a batch and alone") for few in probes(cells.n, cells.batch_size)),
    ):
        again = cells.outputs(cells.pairs(probe, columns[probe]))
        check_deterministic(scores[probe].cpu(), again.cpu(), allowed, how, "grid")
