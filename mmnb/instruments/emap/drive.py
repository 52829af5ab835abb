"""One whole pass over a grid, however long it takes: it shows how far it is, survives being killed, and may be shared among processes."""

from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from mmnb.instruments.emap.checkpoint import Checkpoint, file_of_rank
from mmnb.instruments.emap.grid import Grid, accumulate, rows_at_once
from mmnb.instruments.emap.halving import Halving
from mmnb.instruments.emap.identity import digest, model_digest
from mmnb.instruments.emap.ranks import Ranks
from mmnb.instruments.emap.sums import Sums

_MEETINGS = 8  # in a pass: how often ranks ask each other whether one has failed; at each of them the faster wait for the slower
_ROUNDING = 100  # times the precision of the scores: what another computer may change in them, and another model hardly leaves unchanged


def drive(
    grid: Grid,
    sums: Sums,
    *,
    progress: bool | None = None,
    checkpoint: Any = None,
    every: float = 30.0,
    ranks: Ranks | None = None,
    of: Any = None,
) -> Sums:
    """Sum the whole grid.

    Args:
        grid: see `Grid`; when a block runs out of memory it is put together from smaller calls. sums: from `Sums.start`, changed in place.
        progress: True shows a bar with the time left, False never does, None does on a terminal; only rank 0 ever does.
        checkpoint: path of a file for the sums so far. It is resumed when it is there, and stays when the pass is over.
        every: seconds between two writes of it, at least.
        ranks: the processes that share the pass; every one of them must call this, and gets the whole sums.
        of: (f, a, b, ...), whatever the grid is of: its fingerprint guards the checkpoint and the sharing.
    Returns: `sums`.
    Raises: ValueError for a checkpoint of another run, ranks that differ, cells that are not finite; the error of any rank that fails.
    """
    ranks = ranks or Ranks()
    grid = grid if isinstance(grid, Halving) else Halving(grid)
    plan = [rows for rows in ranks.rounds(grid.n, rows_at_once(grid.n, grid.batch_size)) if len(rows)]
    rounds = sum(1 for _ in ranks.rounds(grid.n, rows_at_once(grid.n, grid.batch_size)))
    identity, done, file = {}, 0, None
    with ranks:
        if checkpoint is not None or ranks.world > 1:
            identity, rounding = _identity(grid, sums, of)
    ranks.refuse_differences(identity)
    ranks.make_same(sums.diagonal, sums.pivot)
    with ranks:
        if checkpoint is not None:
            path = file_of_rank(checkpoint, ranks.rank, ranks.world)
            file = Checkpoint(path, identity | {"rank": f"{ranks.rank} of {ranks.world}"}, every=every)
            done = _resume(file, grid, sums, rounding)

    bar = tqdm(
        total=sum(map(len, plan)) * grid.n,
        initial=sums.cells,
        unit="pair",
        unit_scale=True,
        desc="emap" if ranks.world == 1 else f"emap (rank 0 of {ranks.world})",
        disable=True if ranks.rank else None if progress is None else not progress,
        leave=False,
    )

    def after(rows: range) -> None:
        nonlocal done
        done += 1
        bar.update(len(rows) * grid.n)
        if file is not None and (done == len(plan) or file.due()):
            file.save(sums.state_dict(), {"blocks": done, "limit": grid.limit})

    between = 1 + rounds // _MEETINGS
    with bar:
        for start in range(0, rounds, between):
            with ranks:
                accumulate(grid, sums, plan[max(start, done) : start + between], after=after)
    return ranks.merge(sums)


def _identity(grid: Halving, sums: Sums, of: Any) -> tuple[dict[str, Any], float]:
    """What must agree before sums may be mixed, and the size of rounding errors in the scores."""
    first = torch.zeros(1, dtype=torch.int64)
    dtype = grid.pairs(first, first).dtype
    f, *data = of or (None,)
    return {
        "examples": grid.n,
        "numbers per pair": sums.diagonal.shape[1],
        "squares": list(sums.squares.shape),
        "dtype": str(dtype).removeprefix("torch."),
        "batch size": grid.batch_size,
        "path": type(grid.grid).__name__,
        "model": model_digest(f),
        "data": digest(data),
    }, _ROUNDING * torch.finfo(dtype).eps


def _resume(file: Checkpoint, grid: Halving, sums: Sums, rounding: float) -> int:
    """Put what was saved into `sums`; returns the number of blocks that are in."""
    saved = file.load()
    if saved is None:
        return 0
    state, progress = saved
    _refuse_other_scores(state["diagonal"], sums.diagonal.cpu(), rounding, file.path)
    sums.diagonal.copy_(state["diagonal"])
    sums.load_state_dict(state)
    grid.limit = progress["limit"]
    return progress["blocks"]


def _refuse_other_scores(before: Tensor, now: Tensor, rounding: float, path: Any) -> None:
    """A function may change where no module shows it: then the scores of the true pairs, made anew at every start, do."""
    change, scale = (now - before).abs().max().item(), before.abs().max().item()
    if change > rounding * scale:
        raise ValueError(
            f"emap: the checkpoint {path} belongs to another model: the scores of the true pairs differ by up to {change:.3g} (largest "
            f"score {scale:.3g}). Expected the same function; give another path, or delete the file to start anew"
        )
