"""`emap(f, a, b)`: from a model and its inputs to its projection; `project`, the dense definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmnb.instruments.batches import length
from mmnb.instruments.checks import warn_about_probabilities
from mmnb.instruments.emap.closed_form import closed_form
from mmnb.instruments.emap.drive import drive
from mmnb.instruments.emap.grid import diagonal
from mmnb.instruments.emap.halving import Halving
from mmnb.instruments.emap.ranks import Ranks
from mmnb.instruments.emap.result import Emap, finish
from mmnb.instruments.emap.sampling import refuse_sampling, sample
from mmnb.instruments.emap.sums import Sums
from mmnb.instruments.emap.ways import choose, outputs, refuse_other_scores, refuse_unsteady


def emap(
    f: Callable[[Any, Any], torch.Tensor | np.ndarray],
    a: Any,
    b: Any,
    *,
    batch_size: int | None = None,
    check: bool = True,
    progress: bool | None = None,
    method: str = "auto",
    tail: torch.nn.Linear | None = None,
    shares: bool = True,
    pairs: int | None = None,
    gap_precision: float | None = None,
    y: Any = None,
    metric: str | Callable = "accuracy",
    generator: torch.Generator | None = None,
    checkpoint: Any = None,
    checkpoint_every: float = 30.0,
    distributed: Any = None,
) -> Emap:
    """Project a two-modality model onto the additive functions of its own inputs (exact, at most N^2 forward passes, O(N C) memory).

    Formula: f~_ij = mean_j' F_ij' + mean_i' F_i'j - mu over the grid F_ij = f(a_i, b_j); see the head of this package.

    Args:
        f: `f(batch_a, batch_b)` gives one row of raw scores per pair: (B, C) or (B,), real numbers. Logits, not probabilities: the softmax
            of an additive model is not additive. A torch module must be in eval mode; no gradient is kept.
        a, b: N examples each, a[i] belonging to b[i]: tensor, array, list, or a dict or tuple of those. `f` gets batches of the same kind.
        batch_size: pairs per call; None aims at 64 MiB of inputs per call.
        check: score a first batch twice and a first pair alone (2 extra calls), and refuse a model whose answer depends on that.
        progress: True shows a bar with the time left, False never does, None does on a terminal.
        method: "auto" takes the cheapest way to the same numbers that is known to hold for f, and compares it with f itself on some pairs:
            a `TwoTower`, an open_clip model or a dual encoder from transformers encodes each example once; a head that is affine in each
            side has a closed form; linear layers at the ends of a head stay outside the grid. "pairs" calls f N^2 times; "ends" and
            "closed" insist on linear ends or on the closed form, and refuse a head that turns out not to be affine.
        tail: the last linear layer, where f gives the features (B, H) that go into it: it is then applied to means, not to N^2 rows.
        shares: False leaves the squares out, and with them `Emap.shares`: before a tail they are most of the work that is left (C
            outputs or H x H moments for every cell, whichever is cheaper).
        pairs: score each true pair and this many false pairs per row, at least 2, instead of all: unbiased, `Emap.sampled` has the errors.
        gap_precision: draw pairs until the 95 % interval of `Emap.gap(metric, y)` is at most this far from its middle; needs y.
        y, metric: labels and metric, for gap_precision alone. generator: of the pairs that are drawn (None: the same ones every time).
        checkpoint: name of a file for the sums so far. A run that was killed and is started again with the same call goes on from there and
            ends with the same bits; the file stays, so starting a finished run again costs 2 N passes.
        checkpoint_every: seconds between two writes, at least; never more than 5 % of the time is spent on them.
        distributed: True shares the rows among all processes of `torch.distributed` (a process group: among those in it). Each of them calls
            this with the same model and all examples, and gets the whole result.

    Returns: an `Emap`; its `passes` says how many pairs were scored.

    Raises:
        TypeError: inputs or outputs of an unknown kind (class labels instead of scores, for instance).
        ValueError: lengths differ, a module in train mode, outputs that are not finite or change from call to call, a wrong shape; a
            checkpoint of another model, other data, another dtype, batch size or number of processes; ranks that differ in these.
        RuntimeError: another rank failed (its message is given; ValueError and TypeError keep their type).
    Warns: UserWarning when the scores look like probabilities, or when memory ran out and batches were halved.

    Example (worked in the original README; mu = 0.6):
        >>> F = torch.tensor([[-1.3, 0.3, -0.2], [0.8, 3.0, 1.1], [1.1, -0.1, 0.7]], dtype=torch.float64)
        >>> result = emap(lambda i, j: F[i, j], torch.arange(3), torch.arange(3))
        >>> [round(x, 6) for x in result.projected.flatten().tolist()], round(result.grand_mean.item(), 6)
        ([-0.8, 2.1, 0.5], 0.6)

    Source: Hessel & Lee 2020, section 3 and released code; the shares are two-way ANOVA sums of squares, which the paper does not use.
    """
    ranks = Ranks(distributed)
    with ranks, torch.no_grad():  # what one rank refuses stops all
        n, n_b = length(a, "emap: a"), length(b, "emap: b")
        if n != n_b:
            raise ValueError(f"emap: a has {n} examples and b has {n_b}; expected equal numbers, a[i] paired with b[i]")
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise ValueError(f"emap: got batch_size={batch_size!r}; expected a whole number >= 1, or None")
        refuse_sampling(pairs, gap_precision, y, n, unusable=checkpoint is not None or bool(distributed))
        way = choose(f, a, b, batch_size, method=method, tail=tail)
        refuse_other_scores(way)
        if way.affine is not None:
            result = closed_form(*way.affine, way.grid.batch_size, shares=shares)
            if check:
                refuse_unsteady(Halving(way.every), result.original)
            warn_about_probabilities(result.original, "emap")
            return result
        grid = Halving(way.grid)
        true_pairs = diagonal(grid)
        if check:
            refuse_unsteady(grid if way.grid is way.every else Halving(way.every), outputs(grid, true_pairs))
        warn_about_probabilities(outputs(grid, true_pairs), "emap")
        if gap_precision is not None or (pairs is not None and pairs < n - 1):
            return sample(grid, true_pairs, pairs, gap_precision, metric, y, generator, progress)
        sums = Sums.start(true_pairs, tail=grid.tail, squares=shares)
    with torch.no_grad():
        drive(
            grid,
            sums,
            progress=progress,
            checkpoint=checkpoint,
            every=checkpoint_every,
            ranks=ranks,
            of=(f, a, b, *(tail.parameters() if tail else ())),
        )
    return finish(sums, grid.tail)


def project(grid: torch.Tensor | np.ndarray) -> torch.Tensor:
    """The whole projected surface of a grid that is at hand: the dense definition.

    Args: grid, (N, M) or (N, M, C): row = a, column = b.
    Returns: float64 tensor of the same shape: mean over columns + mean over rows - mean over both.
    Example:
        >>> project(torch.tensor([[0.0, 1.0], [1.0, 2.0]]))  # additive already
        tensor([[0., 1.],
                [1., 2.]], dtype=torch.float64)
    """
    grid = torch.as_tensor(grid, dtype=torch.float64)
    if grid.ndim not in (2, 3) or grid.numel() == 0 or not grid.isfinite().all():
        raise ValueError(f"project: got a grid of shape {tuple(grid.shape)}; expected finite (N, M) or (N, M, C)")
    return grid.mean(1, keepdim=True) + grid.mean(0, keepdim=True) - grid.mean((0, 1), keepdim=True)
