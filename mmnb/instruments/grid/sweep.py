"""Run one pass over the grid, with a progress bar, checkpoints, and optional distribution over processes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from mmnb.instruments.batches import length
from mmnb.instruments.checkpoint import Checkpoint, path_of_process
from mmnb.instruments.checks import check_deterministic, warn_about_scores
from mmnb.instruments.grid.accumulators import Accumulator, Block, Shift, TruePairs
from mmnb.instruments.grid.cells import Cells, ModelCells, check_finite, pairs_of
from mmnb.instruments.grid.processes import ProcessGroup
from mmnb.instruments.grid.strategy import allowed_change_of, check_same_scores, check_stable, pick
from mmnb.instruments.identity import fingerprint, fingerprint_of_model
from mmnb.instruments.inputs import whole

# in a pass: how often processes ask each other whether one has failed; at each the faster wait for the slower
_MEETINGS = 8
# times the precision of the scores: what another computer may change in them, and another model hardly leaves
_ROUNDING = 100


def sweep(
    f: Callable[[Any, Any], Any],
    a: Any,
    b: Any,
    accumulators: Mapping[str, Accumulator],
    *,
    batch_size: int | None = None,
    check: bool = True,
    strategy: str = "auto",
    last: nn.Linear | None = None,
    shifts: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
    checkpoint: Any = None,
    save_every: float = 30.0,
    distributed: Any = None,
) -> TruePairs:
    """Score every a_i with every b_j once, and let all accumulators see each block of scores.

    Args:
        f: `f(batch_a, batch_b)` gives one row of raw scores per pair, (B, C) or (B,).
        a: n examples: tensor, array, list, or a dict or tuple of those.
        b: n examples, b[i] belonging to a[i].
        accumulators: What to keep, under names of your choice; changed in place.
        shifts: Score this many false pairs per row and column, at least 2, and of the true pairs nothing but their outputs: the
            examples stand on a circle in random order, and a shift s pairs each with the one s places on. None or n - 1: the whole grid.
        batch_size, check, strategy, last, seed, progress, checkpoint, save_every, distributed: As in `mmnb.emap`.

    Returns:
        The true pairs: cells, outputs and `n_evaluations`.

    Raises:
        TypeError, ValueError, RuntimeError: As `mmnb.emap`.

    Example:
        >>> from mmnb.instruments.grid import Votes
        >>> votes = Votes()
        >>> F = torch.tensor([[2.0, -1.0], [1.0, 3.0]])
        >>> true = sweep(lambda i, j: F[i, j], torch.arange(2), torch.arange(2), {"votes": votes})
        >>> votes.row.tolist(), true.prediction.tolist()
        ([[1, 1], [0, 2]], [1, 1])
    """
    group = ProcessGroup(distributed)
    with torch.no_grad():
        with group:  # what one process refuses stops all
            n, n_b = length(a, "grid: a"), length(b, "grid: b")
            if n != n_b:
                raise ValueError(f"grid: a has {n} examples and b has {n_b}; expected equal numbers, a[i] with b[i]")
            batch_size = None if batch_size is None else whole(batch_size, "grid: batch_size")
            shifts = None if shifts is None else whole(shifts, "grid: shifts", 2)
            if shifts is not None and (checkpoint is not None or group.world > 1):
                raise ValueError("grid: shifts are neither kept in a checkpoint nor shared; expected one or the other")
            reference, cells = pick(f, a, b, batch_size, strategy=strategy, last=last, check=check)
            check_same_scores(reference, cells)
            index = torch.arange(n)
            scores = cells.pairs(index, index)
            check_finite(scores, index, index)
            rounding, dtype = _ROUNDING * torch.finfo(scores.dtype).eps, str(scores.dtype).removeprefix("torch.")
            diagonal = scores.double()
            outputs = cells.outputs(diagonal)
            allowed = allowed_change_of(reference, cells, scores) if check else float("inf")
            if check:
                check_stable(reference, outputs, allowed)
            warn_about_scores(outputs, "grid")
        group.broadcast(diagonal)
        sampled = shifts is not None and shifts < n - 1
        true = TruePairs(diagonal, cells.last, n * (shifts + 1) if sampled else n * n)
        for one in accumulators.values():
            one.start(true)
        if sampled:
            with _bar(n * shifts, 0, progress, group) as bar:
                for block in _shifts(cells, true, shifts, seed):
                    for one in accumulators.values():
                        one.add(block)
                    bar.update(n)
            return true
        file, done, identity = None, 0, {}
        with group:
            if checkpoint is not None or group.world > 1:
                kept = {name: list(tensor.shape) for name, tensor in _state(accumulators).items()}
                kept |= {name: repr(one) for name, one in accumulators.items()}
                identity = {"pass": "grid", "examples": n, "dtype": dtype, "batch size": cells.batch_size}
                identity |= {"cells": type(cells).__name__, "accumulators": kept, "model": fingerprint_of_model(f)}
                identity |= {"data": fingerprint([a, b, *(last.parameters() if last else ())])}
        group.check_same(identity)
        with group:
            if checkpoint is not None:
                path = path_of_process(checkpoint, group.rank, group.world)
                identity |= {"rank": f"{group.rank} of {group.world}"}
                file = Checkpoint(path, identity, save_every=save_every, caller="grid")
                true, done = _resume(file, cells, true, accumulators, rounding)
        rounds = list(group.rounds(n, cells.rows_at_once))
        plan = [rows for rows in rounds if len(rows)]
        between = 1 + len(rounds) // _MEETINGS
        with _bar(sum(map(len, plan)) * n, sum(map(len, plan[:done])) * n, progress, group) as bar:
            for start in range(0, len(rounds), between):
                with group:
                    for number, rows in enumerate(plan[max(start, done) : start + between], max(start, done) + 1):
                        _add_rows(cells, rows, true, accumulators, allowed)
                        bar.update(len(rows) * n)
                        if file is not None and (number == len(plan) or file.due()):
                            tensors = {"true": true.cells.cpu(), **_state(accumulators)}
                            file.save(tensors, {"blocks": number, "limit": cells.limit.most})
        group.add_up(*_state(accumulators).values())
    return true


def _bar(total: int, initial: int, progress: bool | None, group: ProcessGroup) -> tqdm:
    label = "grid" if group.world == 1 else f"grid (rank 0 of {group.world})"
    hidden = True if group.rank else None if progress is None else not progress
    return tqdm(total=total, initial=initial, unit="pair", unit_scale=True, desc=label, disable=hidden, leave=False)


def _add_rows(
    cells: Cells, rows: range, true: TruePairs, accumulators: Mapping[str, Accumulator], allowed: float
) -> None:
    """Add all cells of some rows. A true pair among them is met a second time, in other company: it may change by `allowed`."""
    for columns in cells.column_blocks():
        place = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        block = Block(cells.block(rows, columns), *place, true)
        if not block.row_sums.isfinite().all():
            check_finite(block.cells.flatten(0, 1), *pairs_of(rows, columns))
        start, stop = max(rows.start, columns.start), min(rows.stop, columns.stop)
        if start < stop and type(cells) is ModelCells:
            met = torch.arange(start, stop, device=block.cells.device)
            again = cells.outputs(block.cells[met - rows.start, met - columns.start])
            check_deterministic(true.outputs[met], again, allowed, "in two different batches", "grid")
        for one in accumulators.values():
            one.add(block)


def _state(accumulators: Mapping[str, Accumulator]) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for name, one in accumulators.items() for key, tensor in one.state().items()}


def _resume(
    file: Checkpoint, cells: Cells, true: TruePairs, accumulators: Mapping[str, Accumulator], rounding: float
) -> tuple[TruePairs, int]:
    """The true pairs, and how many blocks of rows are in the accumulators: those of the file, if there is one."""
    saved = file.load()
    if saved is None:
        return true, 0
    tensors, progress = saved
    before = tensors["true"].to(true.cells.device)
    # a function may change where no module shows it: then the scores of the true pairs, made anew at every start, do
    change, scale = (true.cells - before).abs().max().item(), before.abs().max().item()
    if change > rounding * scale:
        raise ValueError(
            f"grid: the checkpoint {file.path} belongs to another model: the scores of the true pairs differ by up to {change:.3g} "
            f"(largest score {scale:.3g}). Expected the same function; give another path, or delete the file to start anew"
        )
    true = TruePairs(before, true.last, true.n_evaluations)
    for one in accumulators.values():
        one.start(true)
    for name, tensor in _state(accumulators).items():
        tensor.copy_(tensors[name])
    cells.limit.most = progress["limit"]
    return true, progress["blocks"]


def _shifts(cells: Cells, true: TruePairs, shifts: int, seed: int) -> Iterator[Shift]:
    """The cells of that many cyclic shifts of a random order, drawn without replacement."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(cells.n, generator=generator)
    drawn = 1 + torch.randperm(cells.n - 1, generator=generator)[:shifts]
    place = order.to(true.cells.device)
    for some in drawn.split(max(1, cells.batch_size // cells.n)):
        partners = [order.roll(-shift) for shift in some.tolist()]
        rows, columns = order.repeat(len(some)), torch.cat(partners)
        scores = cells.pairs(rows, columns)
        check_finite(scores, rows, columns)
        for part, partner in zip(scores.split(cells.n), partners, strict=True):
            yield Shift(part, place, partner.to(place.device), true)
