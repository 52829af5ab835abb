"""`emap(f, a, b)`: from a model and its inputs to its projection; `project`, the dense definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmnb.aliases import renamed_keywords
from mmnb.instruments.batches import length
from mmnb.instruments.emap.result import Emap, ShiftMoments, check_outputs, from_shifts, from_sums
from mmnb.instruments.grid import Sums, sweep
from mmnb.instruments.inputs import numbers, whole


@renamed_keywords(method="strategy", tail="last", pairs="shifts", checkpoint_every="save_every")
def emap(
    f: Callable[[Any, Any], torch.Tensor | np.ndarray],
    a: Any,
    b: Any,
    *,
    batch_size: int | None = None,
    check: bool = True,
    strategy: str = "auto",
    last: torch.nn.Linear | None = None,
    shares: bool = True,
    outputs: str = "classes",
    shifts: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
    checkpoint: Any = None,
    save_every: float = 30.0,
    distributed: Any = None,
) -> Emap:
    """Project a two-modality model onto the additive functions of its own inputs (exact, at most N^2 forward passes, O(N C) memory).

    Formula: f~_ij = mean_j' F_ij' + mean_i' F_i'j - mu over the grid F_ij = f(a_i, b_j).

    Args:
        f: `f(batch_a, batch_b)` gives one row of raw scores per pair: (B, C) or (B,), real numbers. Logits, not probabilities: the
            softmax of an additive model is not additive. A torch module must be in eval mode; no gradient is kept.
        a: N examples: tensor, array, DataFrame, sparse matrix, list, or a dict or tuple of those. `f` gets batches of the same kind; a
            torch module gets arrays as tensors.
        b: N examples, b[i] belonging to a[i].
        batch_size: Pairs per call; None for about 4 MiB of inputs, which stay in the cache.
        check: Score a first batch twice, three small batches alone (4 extra calls) and every true pair in two batches, and refuse a
            model whose answer depends on that.
        strategy: "auto" takes the cheapest that f offers and compares it with f itself on some pairs: a `TwoTower`, an open_clip model
            or a dual encoder from transformers encodes each example once (a class of your own with such encoders only where it cannot be
            called as f(a, b)); a head with linear layers at its ends is "split", one with
            a method `cross` crosses features; "pairs" calls f N^2 times. The results are the same to within rounding.
        last: The last linear layer, where f gives the features (B, H) that go into it: it is then applied to means, not to N^2 rows.
        shares: False leaves the squares out, and with them `Emap.shares`: with a last layer they are most of the work that is left.
        outputs: "classes": several scores are logits of the classes of one softmax, and `Emap.shares` takes off the mean over the classes
            of each pair, which no prediction sees. "separate": each counts for itself (several labels, regression).
        shifts: Score each true pair and this many false pairs per row, at least 2, instead of all: unbiased, with standard errors.
        seed: Of the pairs that are drawn for `shifts`.
        progress: True shows a bar with the time left, False never does, None does on a terminal.
        checkpoint: Path of a file for the sums so far. A run that was killed and is started again with the same call continues from
            there and ends with the same bits; the file stays.
        save_every: Seconds between two writes, at least; never more than 5 % of the time is spent on them.
        distributed: True shares the rows among all processes of `torch.distributed` (a process group: among those in it). Each of them
            calls this with the same model and all examples, and gets the whole result.

    Returns:
        An `Emap`; its `n_evaluations` says how many pairs were scored.

    Raises:
        TypeError: For inputs or outputs of an unknown kind (class labels instead of scores, for instance).
        ValueError: For lengths that differ, a module in train mode, outputs that are not finite or change from call to call, a wrong
            shape; a checkpoint of another run; processes that differ in model, data or options.
        RuntimeError: If another process failed (its message is given; ValueError and TypeError keep their type).

    Warns:
        UserWarning: When the scores look like probabilities or hold masks, or when memory ran out and batches were halved.

    Example:
        The worked example of the original README; mu = 0.6.

        >>> F = torch.tensor([[-1.3, 0.3, -0.2], [0.8, 3.0, 1.1], [1.1, -0.1, 0.7]], dtype=torch.float64)
        >>> result = emap(lambda i, j: F[i, j], torch.arange(3), torch.arange(3))
        >>> [round(x, 6) for x in result.projected.flatten().tolist()], round(result.grand_mean.item(), 6)
        ([-0.8, 2.1, 0.5], 0.6)

    Source:
        Hessel & Lee 2020, section 3 and released code; the shares are two-way ANOVA sums of squares, which the paper does not use.
    """
    shifts = None if shifts is None else whole(shifts, "emap: shifts", 2)
    outputs = check_outputs(outputs, "emap")
    sampled = shifts is not None and shifts < length(a, "emap: a") - 1
    sums = ShiftMoments() if sampled else Sums(squares=shares)
    how = dict(batch_size=batch_size, check=check, strategy=strategy, last=last, shifts=shifts, seed=seed)
    how |= dict(progress=progress, checkpoint=checkpoint, save_every=save_every, distributed=distributed)
    true = sweep(f, a, b, {"sums": sums}, **how)
    return (from_shifts if sampled else from_sums)(sums, true, outputs)


def project(grid: torch.Tensor | np.ndarray) -> torch.Tensor:
    """The whole projected surface of a grid that is at hand: the dense definition.

    Args:
        grid: (N, M) or (N, M, C): row = a, column = b.

    Returns:
        Mean over columns + mean over rows - mean over both, float64, in the shape of `grid`.

    Example:
        >>> project(torch.tensor([[0.0, 1.0], [1.0, 2.0]]))  # additive already
        tensor([[0., 1.],
                [1., 2.]], dtype=torch.float64)
    """
    grid = numbers(grid, "project: grid", "(N, M, ...)")
    if grid.ndim > 3:
        raise ValueError(f"project: got a grid of shape {tuple(grid.shape)}; expected (N, M) or (N, M, C)")
    return grid.mean(1, keepdim=True) + grid.mean(0, keepdim=True) - grid.mean((0, 1), keepdim=True)
