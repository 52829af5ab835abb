"""What `emap` returns, and how sums over the grid, or over a sample of it, become it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.aliases import renamed_field
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid.accumulators import Accumulator, Block, Sums, TruePairs
from mmnb.instruments.result import Result
from mmnb.instruments.scoring import Scores, score_predictors


@dataclass(frozen=True, eq=False)
class Emap(Result):
    """What `emap` returns. All tensors are float64 on the CPU; C = 1 where the model gives one score.

    Attributes:
        original, projected: (N, C), f and f~ on the true pairs.
        marginal_a, marginal_b: (N, C), mean over all b of f(a_i, b), and over all a of f(a, b_i); uncentred.
        grand_mean: (C,), mu.
        sums_of_squares: Of "a", "b", "interaction", each (C,): they add up to the squared deviations from mu of the whole grid.
        n_evaluations: Pairs that were scored, by the model or by the head that was crossed.
        standard_error: (N, C), of `projected`, after `shifts=K`; None where all pairs were scored.
    """

    original: Tensor
    projected: Tensor
    marginal_a: Tensor
    marginal_b: Tensor
    grand_mean: Tensor
    sums_of_squares: dict[str, Tensor] = field(repr=False)
    n_evaluations: int | None = None
    standard_error: Tensor | None = field(default=None, repr=False)
    passes = renamed_field("passes", "n_evaluations")

    def __post_init__(self) -> None:
        if not self.projected.isfinite().all():
            raise ValueError("emap: sums of the scores overflow; expected scores below 1e150: divide them by a number")

    @property
    def residual(self) -> Tensor:
        """f - f~ on the true pairs, (N, C): how far each example depends on *this* a meeting *this* b. Its mean need not be 0."""
        return self.original - self.projected

    @property
    def shares(self) -> dict[str, float]:
        """Share of the grid's variance by source: keys "a", "b", "interaction", summing to 1; outputs pooled.

        With several classes a shift that all outputs of a pair share counts, too, though it changes no prediction: log-probabilities of
        an additive model differ from its logits by such shifts and have a share of interaction.

        Raises:
            ValueError: For a model whose output never changes: there is no variance to share out; and after `shares=False`.
        """
        if "interaction" not in self.sums_of_squares:
            raise ValueError("Emap.shares: the squares were not summed; expected a run with shares=True")
        return shares_of(self.sums_of_squares)

    @property
    def interaction_score(self) -> Tensor:
        """How much of each true pair's scores is interaction, (N,): squared residual over the grid's mean squared deviation. No labels.

        Formula: sum_c r_ic^2 / (sum_c SS_total,c / N^2). Averaged over all N^2 cells instead of the N true pairs this is
        `shares["interaction"]`; a pair far above that is one the model reads jointly. From 0 up, without a bound. Raises as `shares`.
        """
        _ = self.shares  # refuses what has no variance
        total = sum(part.sum() for part in self.sums_of_squares.values())
        return self.residual.square().sum(1) * len(self.original) ** 2 / total

    def estimates(self) -> dict[str, Estimate]:
        """What is known without labels: the shares of interaction, a and b. Raises as `shares`."""
        names = {"interaction": "interaction share", "a": "share of a", "b": "share of b"}
        return {name: Estimate(self.shares[key], n=len(self.original)) for key, name in names.items()}

    def gap(self, metric: str | Callable, y: Any, **options: Any) -> Estimate:
        """Metric of the model minus metric of its projection, with the interval over examples; options as of `score`."""
        return self.score(metric, y, **options).gap

    def score(self, metric: str | Callable, y: Any, **options: Any) -> Scores:
        """Score model, projection, both marginals and the constant on the true pairs.

        Args:
            metric: "accuracy", "f1", "roc_auc", "average_precision", "r2" or another name or function of scikit-learn; or a function
                (scores, y) -> float on arrays. See `mmnb.instruments.scoring.score_predictors`.
            y: Labels of any kind, or targets.
            **options: threshold, resamples, level and seed of `score_predictors`.
        """
        names = ("original", "projected", "marginal_a", "marginal_b")
        predictors = {name: getattr(self, name) for name in names}
        predictors["constant"] = self.grand_mean.expand_as(self.original)
        return score_predictors(predictors, metric, y, **options)

    def per_example(self):
        """A pandas DataFrame with one row per example and output, for sorting and plotting."""
        import pandas as pd  # only here: the measuring itself needs numerical libraries alone

        n, c = self.original.shape
        columns = ("original", "projected", "residual", "marginal_a", "marginal_b")
        index = {"example": np.repeat(np.arange(n), c), "output": np.tile(np.arange(c), n)}
        return pd.DataFrame(index | {name: getattr(self, name).reshape(-1).numpy() for name in columns})


def shares_of(sums_of_squares: dict[Any, Tensor]) -> dict[Any, float]:
    """Each part over the sum of all, outputs pooled. Raises ValueError where there is no variance to share out."""
    total = sum(part.sum().item() for part in sums_of_squares.values())
    if not math.isfinite(total):
        raise ValueError(
            f"emap: the squares of the scores overflow ({total}); expected scores below 1e150: divide them by a number"
        )
    if total == 0:
        raise ValueError("emap: the output is the same in every cell of the grid; expected some variation")
    return {name: part.sum().item() / total for name, part in sums_of_squares.items()}


def from_sums(sums: Sums, true: TruePairs) -> Emap:
    """Marginals, projection and sums of squares from the sums over a whole grid."""
    n, last = len(sums.row), true.last
    # the sums are of F - pivot; only the grand mean and the marginals need the pivot back
    pivot, squares = true.pivot.cpu(), sums.squares.cpu()
    mean_a, mean_b = sums.row.cpu() / n, sums.column.cpu() / n
    if last is not None:  # means commute with linear maps
        weight = last.weight.cpu()
        mean_a, mean_b = (mean_a - pivot) @ weight.T, (mean_b - pivot) @ weight.T
        pivot = last(pivot[None])[0]
        if squares.ndim == 2:
            squares = ((weight @ squares) * weight).sum(1)
    mean = mean_a.mean(0)
    part_a = n * (mean_a - mean).square().sum(0)
    part_b = n * (mean_b - mean).square().sum(0)
    parts = {"a": part_a, "b": part_b}
    if len(squares):
        total = squares - n**2 * mean.square()
        # a difference of large numbers: where it comes out below 0 the true value is 0 to within rounding
        parts["interaction"] = (total - part_a - part_b).clamp(min=0)
    return Emap(
        original=true.outputs.cpu(),
        projected=mean_a + mean_b - mean + pivot,
        marginal_a=mean_a + pivot,
        marginal_b=mean_b + pivot,
        grand_mean=mean + pivot,
        sums_of_squares=parts,
        n_evaluations=true.n_evaluations,
    )


class ShiftMoments(Accumulator):
    """First and second moments, over shifts, of what a shift says of projection, row effects and column effects.

    K cyclic shifts drawn without replacement give every row its true pair and K different partners, and use every column equally
    often. The mean over all N - 1 shifts is the exact mean over false pairs; so, whatever the grid looks like, the shifts are a simple
    random sample, sample means are unbiased and the textbook variance holds, s^2 / K * (1 - K / (N - 1)), even though rows and columns
    share cells. The true pairs enter with their exact weight, 1 / N.

    Attributes:
        first, second: (3, n, C): of row + column - level, row - level and column - level, less the pivot.
        level: (2, C): of the mean over a shift. squares: (C,), over all cells.
        count: How many shifts are in.
    """

    names = ("first", "second", "level", "squares", "count")

    def start(self, true: TruePairs) -> None:
        n, c = true.outputs.shape
        self.pivot = true.outputs.mean(0)
        self.first, self.second = (true.outputs.new_zeros(3, n, c) for _ in range(2))
        self.level, self.squares = true.outputs.new_zeros(2, c), true.outputs.new_zeros(c)
        self.count = torch.zeros((), dtype=torch.int64)

    def add(self, block: Block) -> None:
        scores = block.outputs.double() - self.pivot
        row, column, level = torch.empty_like(scores), torch.empty_like(scores), scores.mean(0)
        row[block.rows], column[block.columns] = scores, scores
        effects = torch.stack([row + column - level, row - level, column - level])
        self.first += effects
        self.second += effects.square()
        self.level += torch.stack([level, level.square()])
        self.squares += scores.square().sum(0)
        self.count += 1


def from_shifts(moments: ShiftMoments, true: TruePairs) -> Emap:
    """Estimates of everything in an `Emap`, from at least 2 shifts."""
    n, k = len(true.outputs), int(moments.count)
    first, level, rest = moments.first.cpu() / k, moments.level.cpu() / k, (n - 1) / n  # the weight of the false pairs
    outputs, pivot = true.outputs.cpu(), moments.pivot.cpu()

    def variance(mean: Tensor, mean_of_squares: Tensor) -> Tensor:
        """Of the mean over the shifts drawn, times its weight."""
        deviations = (mean_of_squares - mean.square()).clamp(min=0)
        return rest**2 * deviations / (k - 1) * (1 - k / (n - 1))

    both, of_a, of_b = variance(first, moments.second.cpu() / k)
    diagonal = outputs - pivot
    mean = diagonal.mean(0) / n + rest * level[0]
    centred = (diagonal - diagonal.mean(0)) / n
    centred_a, centred_b = centred + rest * first[1], centred + rest * first[2]
    squares = diagonal.square().sum(0) + (n - 1) / k * moments.squares.cpu()
    total = squares - n**2 * (mean.square() - variance(*level))
    # the squared error of an estimate is part of its square: taken off, the parts are unbiased, except where they are cut off at 0
    part_a = n * (centred_a.square() - of_a).sum(0).clamp(min=0)
    part_b = n * (centred_b.square() - of_b).sum(0).clamp(min=0)
    return Emap(
        original=outputs,
        projected=centred + diagonal / n + rest * first[0] + pivot,
        marginal_a=centred_a + mean + pivot,
        marginal_b=centred_b + mean + pivot,
        grand_mean=mean + pivot,
        sums_of_squares={"a": part_a, "b": part_b, "interaction": (total - part_a - part_b).clamp(min=0)},
        n_evaluations=true.n_evaluations,
        standard_error=both.sqrt(),
    )
