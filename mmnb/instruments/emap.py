"""EMAP, the empirical multimodally-additive function projection: what is left of a model without its cross-modal interactions.

Score every example's `a` with every example's `b`: an N x N grid F with F_ij = f(a_i, b_j). The additive function closest to F in
squared error over *all* N^2 cells is the sum of two marginals minus the grand mean,

    f~_ij = mean_j' F_ij' + mean_i' F_i'j - mu,        mu = mean of all cells.

Compare the model with f~ on the N true pairs (the diagonal). If nothing is lost, no interaction was needed for these predictions.
Three things to keep apart: mu is only a level, not an amount of interaction; the interaction is the residual f - f~; and marginals as
written here are *not* centred, so mu is subtracted (with centred parts, row mean - mu and column mean - mu, it is added instead).

The same grid is a two-way analysis of variance without replication: the squared deviations from mu split exactly into a part of `a`,
a part of `b` and the interaction. Those three shares need no labels.

Source: Hessel & Lee, "Does my multimodal model learn cross-modal interactions? It's harder to tell than you might think!", EMNLP 2020.
Ours streams: it keeps row sums, column sums, the diagonal and one sum of squares, O(N C) numbers in float64, never the grid.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from mmnb.instruments import nested
from mmnb.instruments.refusals import refuse_changed, refuse_train_mode, warn_about_probabilities
from mmnb.instruments.scoring import Scores, score_predictors

_AUTO_BATCH_BYTES = (
    64 * 2**20
)  # inputs of one batch; small enough for any laptop, large enough to hide Python's overhead
_AUTO_BATCH_LIMITS = (16, 8192)
_REPEAT_TOLERANCE = (
    1e-3  # of the largest output: rounding differs by about 1e-6 of it between batch shapes, dropout by 1e-1
)


@dataclass(frozen=True, eq=False)
class Emap:
    """What `emap` returns. All tensors are float64 on the CPU; C = 1 where the model gives one score.

    original, projected    (N, C)  f and f~ on the true pairs
    marginal_a, marginal_b (N, C)  mean over all b of f(a_i, b); mean over all a of f(a, b_i); uncentred
    grand_mean             (C,)    mu
    sums_of_squares                of "a", "b", "interaction", each (C,): they add up to the squared deviations from mu of the whole grid
    """

    original: torch.Tensor
    projected: torch.Tensor
    marginal_a: torch.Tensor
    marginal_b: torch.Tensor
    grand_mean: torch.Tensor
    sums_of_squares: dict[str, torch.Tensor] = field(repr=False)

    @property
    def residual(self) -> torch.Tensor:
        """f - f~ on the true pairs, (N, C): how far each example depends on *this* a meeting *this* b. Its mean need not be 0."""
        return self.original - self.projected

    @property
    def shares(self) -> dict[str, float]:
        """Share of the grid's variance by source: keys "a", "b", "interaction", summing to 1; outputs pooled.

        Raises ValueError for a model whose output never changes: there is no variance to share out.
        """
        total = sum(part.sum().item() for part in self.sums_of_squares.values())
        if total == 0:
            raise ValueError("Emap.shares: the output is the same in every cell of the grid; expected some variation")
        return {name: part.sum().item() / total for name, part in self.sums_of_squares.items()}

    def score(
        self, metric: str | Callable, y: Any, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
    ) -> Scores:
        """Score model, projection, both marginals and the constant on the true pairs; see `mmnb.instruments.scoring`."""
        n, c = self.original.shape
        predictors = {
            "original": self.original,
            "projected": self.projected,
            "marginal_a": self.marginal_a,
            "marginal_b": self.marginal_b,
            "constant": self.grand_mean.expand(n, c),
        }
        return score_predictors(predictors, metric, y, resamples=resamples, level=level, seed=seed)

    def to_frame(self):
        """A pandas DataFrame with one row per example and output, for sorting and plotting."""
        import pandas as pd  # only here: the measuring itself needs numerical libraries alone

        n, c = self.original.shape
        columns = ("original", "projected", "residual", "marginal_a", "marginal_b")
        index = {"example": np.repeat(np.arange(n), c), "output": np.tile(np.arange(c), n)}
        return pd.DataFrame(index | {name: getattr(self, name).reshape(-1).numpy() for name in columns})


def emap(
    f: Callable[[Any, Any], torch.Tensor | np.ndarray],
    a: Any,
    b: Any,
    *,
    batch_size: int | None = None,
    check: bool = True,
    progress: bool | None = None,
) -> Emap:
    """Project a two-modality model onto the additive functions of its own inputs (exact, N^2 forward passes, O(N C) memory).

    Formula: f~_ij = mean_j' F_ij' + mean_i' F_i'j - mu over the grid F_ij = f(a_i, b_j); see the head of this file.

    Args:
        f: `f(batch_a, batch_b)` gives one row of raw scores per pair: (B, C) or (B,), real numbers. Logits, not probabilities: the softmax
            of an additive model is not additive. A torch module must be in eval mode; no gradient is kept.
        a, b: N examples each, a[i] belonging to b[i]: tensor, array, list, or a dict or tuple of those. `f` gets batches of the same kind.
        batch_size: pairs per call; None aims at 64 MiB of inputs per call.
        check: score a first batch twice and a first pair alone (2 extra calls), and refuse a model whose answer depends on that.
        progress: True shows a bar, False never does, None does on a terminal.

    Returns: an `Emap`.

    Raises:
        TypeError: inputs or outputs of an unknown kind (class labels instead of scores, for instance).
        ValueError: lengths differ, a module in train mode, outputs that are not finite or change from call to call, a wrong shape.
    Warns: UserWarning when the scores look like probabilities.

    Example (worked in the original README; mu = 0.6):
        >>> F = torch.tensor([[-1.3, 0.3, -0.2], [0.8, 3.0, 1.1], [1.1, -0.1, 0.7]], dtype=torch.float64)
        >>> result = emap(lambda i, j: F[i, j], torch.arange(3), torch.arange(3))
        >>> [round(x, 6) for x in result.projected.flatten().tolist()], round(result.grand_mean.item(), 6)
        ([-0.8, 2.1, 0.5], 0.6)

    Source: Hessel & Lee 2020, section 3 and released code; the shares are two-way ANOVA sums of squares, which the paper does not use.
    """
    n, n_b = nested.length(a, "emap: a"), nested.length(b, "emap: b")
    if n != n_b:
        raise ValueError(f"emap: a has {n} examples and b has {n_b}; expected equal numbers, a[i] paired with b[i]")
    if batch_size is None:
        batch_size = _automatic_batch_size(a, b)
    elif not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"emap: got batch_size={batch_size!r}; expected a whole number >= 1, or None")
    refuse_train_mode(f, "emap")

    with torch.no_grad():
        original = _diagonal(f, a, b, n, batch_size)
        if check:
            index = torch.arange(min(n, batch_size))
            for probe, how in ((index, "twice in the same batch"), (index[:1], "in a batch and alone")):
                refuse_changed(original[probe], _scores(f, a, b, probe, probe).cpu(), how, "emap")
        warn_about_probabilities(original, "emap")
        row, column, squares, pivot = _stream(f, a, b, original, batch_size, progress)

    # the sums are of F - pivot; only the grand mean and the marginals need the pivot back
    mean_a, mean_b, mean = row / n, column / n, row.sum(0) / n**2
    part_a = n * (mean_a - mean).square().sum(0)
    part_b = n * (mean_b - mean).square().sum(0)
    total = squares - n**2 * mean.square()
    # a difference of large numbers: where it comes out below 0 the true value is 0 to within rounding
    interaction = (total - part_a - part_b).clamp(min=0)
    return Emap(
        original=original,
        projected=mean_a + mean_b - mean + pivot,
        marginal_a=mean_a + pivot,
        marginal_b=mean_b + pivot,
        grand_mean=mean + pivot,
        sums_of_squares={"a": part_a, "b": part_b, "interaction": interaction},
    )


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


def _automatic_batch_size(a: Any, b: Any) -> int:
    sizes = nested.bytes_per_example(a), nested.bytes_per_example(b)
    low, high = _AUTO_BATCH_LIMITS
    if None in sizes:
        return 64  # a list of anything: texts or pictures for a processor, as a rule
    return max(low, min(high, _AUTO_BATCH_BYTES // max(1, sum(sizes))))


def _blocks(n: int, batch_size: int) -> Iterator[tuple[range, range]]:
    """Cut the n x n grid into blocks of at most `batch_size` cells: whole rows where they fit, else parts of one row."""
    rows, columns = max(1, batch_size // n), min(n, batch_size)
    for i in range(0, n, rows):
        for j in range(0, n, columns):
            yield range(i, min(i + rows, n)), range(j, min(j + columns, n))


def _scores(f: Callable, a: Any, b: Any, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Scores of the pairs (rows[k], columns[k]) as float64 (B, C), on the model's device where that has float64."""
    output = f(nested.take(a, rows), nested.take(b, columns))
    if not isinstance(output, torch.Tensor | np.ndarray):
        raise TypeError(
            f"emap: f returned {type(output).__name__}; expected a tensor or an array of scores (for a Hugging Face model "
            "return its `.logits`)"
        )
    output = torch.as_tensor(output)
    if not output.is_floating_point():
        raise TypeError(f"emap: f returned {output.dtype}; expected real-valued scores, not class labels")
    if output.ndim == 1:
        output = output[:, None]
    if output.ndim != 2 or len(output) != len(rows) or output.shape[1] == 0:
        raise ValueError(
            f"emap: f returned shape {tuple(output.shape)} for {len(rows)} pairs; expected ({len(rows)}, C) or ({len(rows)},)"
        )
    return (output.cpu() if output.device.type == "mps" else output).detach().double()


def _refuse_non_finite(output: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> None:
    bad = (~output.isfinite()).any(1).nonzero().flatten()
    if len(bad):
        first = bad[0].item()
        raise ValueError(
            f"emap: f gave NaN or infinity for {len(bad)} of {len(output)} pairs, first for a[{rows[first]}] with b[{columns[first]}]; "
            "expected finite scores"
        )


def _diagonal(f: Callable, a: Any, b: Any, n: int, batch_size: int) -> torch.Tensor:
    """The scores of the true pairs, (N, C) on the CPU."""
    parts = []
    for index in torch.arange(n).split(batch_size):
        output = _scores(f, a, b, index, index)
        _refuse_non_finite(output, index, index)
        parts.append(output.cpu())
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"emap: f returned {sorted(widths)} outputs per pair in different calls; expected one number")
    return torch.cat(parts)


def _stream(
    f: Callable, a: Any, b: Any, original: torch.Tensor, batch_size: int, progress: bool | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Row sums, column sums and squares of F - pivot over the grid. The pivot keeps the sum of squares free of cancellation."""
    n, c = original.shape
    pivot_cpu = original.mean(0)
    row = column = squares = pivot = None
    bar = tqdm(
        total=n * n,
        unit="pair",
        unit_scale=True,
        desc="emap",
        disable=None if progress is None else not progress,
        leave=False,
    )
    with bar:
        for i, j in _blocks(n, batch_size):
            rows = torch.arange(i.start, i.stop).repeat_interleave(len(j))
            columns = torch.arange(j.start, j.stop).repeat(len(i))
            output = _scores(f, a, b, rows, columns)
            if output.shape[1] != c:
                raise ValueError(
                    f"emap: f returned {output.shape[1]} outputs for one batch and {c} for another; expected one number"
                )
            if row is None:  # sums live where the model's outputs live, so that a GPU need not wait for each batch
                row, column = output.new_zeros(n, c), output.new_zeros(n, c)
                squares, pivot = output.new_zeros(c), pivot_cpu.to(output.device)
            block = (output - pivot).view(len(i), len(j), c)
            part = block.sum(1)
            if not part.isfinite().all():  # a NaN anywhere in the block reaches its row sum
                _refuse_non_finite(output, rows, columns)
            row[i.start : i.stop] += part
            column[j.start : j.stop] += block.sum(0)
            squares += block.square().sum((0, 1))
            bar.update(len(rows))
    return row.cpu(), column.cpu(), squares.cpu(), pivot_cpu
