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

_NOTHING = 1e-12  # of the sums of squares: what rounding leaves of a difference that should be 0


@dataclass(frozen=True, eq=False)
class Emap(Result):
    """What `emap` returns. All tensors are float64 on the CPU; C = 1 where the model gives one score.

    Attributes:
        original, projected: (N, C), f and f~ on the true pairs.
        marginal_a, marginal_b: (N, C), mean over all b of f(a_i, b), and over all a of f(a, b_i); uncentred.
        grand_mean: (C,), mu.
        sums_of_squares: Of "a", "b", "interaction", each (C,): they add up to the squared deviations from mu of the whole grid.
        shared: How much of them, outputs pooled, is of the mean over the outputs of a pair: "a", "b", "interaction", each ().
        outputs: "classes" or "separate", as given to `emap`: whether the shares leave `shared` out.
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
    shared: dict[str, Tensor] = field(default_factory=dict, repr=False)
    outputs: str = "classes"
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

        Several classes are centred first: from the scores of each pair their mean over the classes is taken off. Softmax does not see
        that mean, so logits and log-probabilities of one model have the same shares. With `outputs="separate"` it counts.

        Raises:
            ValueError: For a model whose output never changes: there is no variance to share out; and after `shares=False`.
        """
        parts = self._parts
        total = sum(parts.values())
        return {name: part / total for name, part in parts.items()}

    @property
    def _parts(self) -> dict[str, float]:
        """What `shares` divides by its sum."""
        if "interaction" not in self.sums_of_squares:
            raise ValueError("Emap.shares: the squares were not summed; expected a run with shares=True")
        return pooled(self.sums_of_squares, self.shared if self.outputs == "classes" else {})

    @property
    def interaction_score(self) -> Tensor:
        """How much of each true pair's scores is interaction, (N,): squared residual over the grid's mean squared deviation. No labels.

        Formula: sum_c r_ic^2 / (sum_c SS_total,c / N^2), classes centred as in `shares`. Averaged over all N^2 cells instead of the N
        true pairs this is `shares["interaction"]`; a pair far above that is one the model reads jointly. From 0 up, without a bound.
        Raises as `shares`.
        """
        total, residual = sum(self._parts.values()), self.residual
        if self.outputs == "classes" and residual.shape[1] > 1:
            residual = residual - residual.mean(1, keepdim=True)
        return residual.square().sum(1) * len(self.original) ** 2 / total

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


def check_outputs(outputs: str, caller: str) -> str:
    """`outputs` if it is one of the two words; ValueError otherwise."""
    if outputs not in ("classes", "separate"):
        raise ValueError(f"{caller}: got outputs={outputs!r}; expected 'classes' or 'separate'")
    return outputs


def pooled(sums_of_squares: dict[Any, Tensor], shared: dict[Any, Tensor]) -> dict[Any, float]:
    """Each part summed over the outputs, less what they share. Raises ValueError where there is no variance to share out."""
    parts = {name: part.sum().item() for name, part in sums_of_squares.items()}
    whole = sum(parts.values())
    if not math.isfinite(whole):
        raise ValueError(
            f"emap: the squares of the scores overflow ({whole}); expected scores below 1e150: divide them by a number"
        )
    # a difference: below 0 only by rounding
    parts = {name: max(0.0, part - shared[name].item()) if shared else part for name, part in parts.items()}
    if sum(parts.values()) <= _NOTHING * whole:
        what = "all classes have the same score" if whole else "the output is the same"
        raise ValueError(f"emap: {what} in every cell of the grid; expected some variation")
    return parts


def _of_mean(part_a: Tensor, part_b: Tensor, total: Tensor, outputs: int) -> dict[str, Tensor]:
    """`Emap.shared` from the sums of squares of the mean over the outputs: it stands in for each of them."""
    parts = {"a": part_a, "b": part_b, "interaction": (total - part_a - part_b).clamp(min=0)}
    return {name: outputs * part.reshape(()) for name, part in parts.items()}


def from_sums(sums: Sums, true: TruePairs, outputs: str = "classes") -> Emap:
    """Marginals, projection and sums of squares from the sums over a whole grid."""
    n, last = len(sums.row), true.last
    # the sums are of F - pivot; only the grand mean and the marginals need the pivot back
    pivot, squares, of_mean = true.pivot.cpu(), sums.squares.cpu(), sums.shared.cpu()
    mean_a, mean_b = sums.row.cpu() / n, sums.column.cpu() / n
    if last is not None:  # means commute with linear maps
        weight = last.weight.cpu()
        mean_a, mean_b = (mean_a - pivot) @ weight.T, (mean_b - pivot) @ weight.T
        pivot = last(pivot[None])[0]
        if squares.ndim == 2:
            of_mean = weight.mean(0, keepdim=True)
            of_mean = (of_mean @ squares * of_mean).sum(1) if len(weight) > 1 else squares.new_zeros(0)
            squares = ((weight @ squares) * weight).sum(1)
    mean = mean_a.mean(0)
    part_a = n * (mean_a - mean).square().sum(0)
    part_b = n * (mean_b - mean).square().sum(0)
    parts, shared = {"a": part_a, "b": part_b}, {}
    if len(of_mean):
        effect_a, effect_b, level = mean_a.mean(1) - mean.mean(), mean_b.mean(1) - mean.mean(), mean.mean()
        squares_of_mean = (n * effect_a.square().sum(), n * effect_b.square().sum(), of_mean - n**2 * level.square())
        shared = _of_mean(*squares_of_mean, len(mean))
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
        shared=shared,
        outputs=outputs,
    )


class ShiftMoments(Accumulator):
    """First and second moments, over shifts, of what a shift says of projection, row effects and column effects.

    K cyclic shifts drawn without replacement give every row its true pair and K different partners, and use every column equally
    often. The mean over all N - 1 shifts is the exact mean over false pairs; so, whatever the grid looks like, the shifts are a simple
    random sample, sample means are unbiased and the textbook variance holds, s^2 / K * (1 - K / (N - 1)), even though rows and columns
    share cells. The true pairs enter with their exact weight, 1 / N.

    Attributes:
        first, second: (3, n, C): of row + column - level, row - level and column - level, less the pivot. Where there are several
            outputs, their mean stands behind them as one more, in everything.
        level: (2, C): of the mean over a shift. squares: (C,), over all cells.
        count: How many shifts are in.
    """

    names = ("first", "second", "level", "squares", "count")

    def start(self, true: TruePairs) -> None:
        n, c = true.outputs.shape
        self.pivot, c = true.outputs.mean(0), c + (c > 1)
        self.first, self.second = (true.outputs.new_zeros(3, n, c) for _ in range(2))
        self.level, self.squares = true.outputs.new_zeros(2, c), true.outputs.new_zeros(c)
        self.count = torch.zeros((), dtype=torch.int64)

    def add(self, block: Block) -> None:
        scores = with_mean(block.outputs.double() - self.pivot)
        row, column, level = torch.empty_like(scores), torch.empty_like(scores), scores.mean(0)
        row[block.rows], column[block.columns] = scores, scores
        effects = torch.stack([row + column - level, row - level, column - level])
        self.first += effects
        self.second += effects.square()
        self.level += torch.stack([level, level.square()])
        self.squares += scores.square().sum(0)
        self.count += 1


def with_mean(scores: Tensor) -> Tensor:
    """Scores (n, C) and behind them their mean over the outputs, (n, C + 1); one output stays alone."""
    return torch.cat([scores, scores.mean(1, keepdim=True)], 1) if scores.shape[1] > 1 else scores


def from_shifts(moments: ShiftMoments, true: TruePairs, outputs_are: str = "classes") -> Emap:
    """Estimates of everything in an `Emap`, from at least 2 shifts."""
    n, k = len(true.outputs), int(moments.count)
    first, level, rest = moments.first.cpu() / k, moments.level.cpu() / k, (n - 1) / n  # the weight of the false pairs
    outputs, pivot = true.outputs.cpu(), moments.pivot.cpu()

    def variance(mean: Tensor, mean_of_squares: Tensor) -> Tensor:
        """Of the mean over the shifts drawn, times its weight."""
        deviations = (mean_of_squares - mean.square()).clamp(min=0)
        return rest**2 * deviations / (k - 1) * (1 - k / (n - 1))

    both, of_a, of_b = variance(first, moments.second.cpu() / k)
    diagonal, c = with_mean(outputs - pivot), outputs.shape[1]
    mean = diagonal.mean(0) / n + rest * level[0]
    centred = (diagonal - diagonal.mean(0)) / n
    centred_a, centred_b = centred + rest * first[1], centred + rest * first[2]
    squares = diagonal.square().sum(0) + (n - 1) / k * moments.squares.cpu()
    total = squares - n**2 * (mean.square() - variance(*level))
    # the squared error of an estimate is part of its square: taken off, the parts are unbiased, except where they are cut off at 0
    part_a = n * (centred_a.square() - of_a).sum(0).clamp(min=0)
    part_b = n * (centred_b.square() - of_b).sum(0).clamp(min=0)
    parts = {"a": part_a, "b": part_b, "interaction": (total - part_a - part_b).clamp(min=0)}
    return Emap(
        original=outputs,
        projected=(centred + diagonal / n + rest * first[0])[:, :c] + pivot,
        marginal_a=(centred_a + mean)[:, :c] + pivot,
        marginal_b=(centred_b + mean)[:, :c] + pivot,
        grand_mean=mean[:c] + pivot,
        sums_of_squares={name: part[:c] for name, part in parts.items()},
        n_evaluations=true.n_evaluations,
        standard_error=both.sqrt()[:, :c],
        shared=_of_mean(part_a[c:], part_b[c:], total[c:], c) if c > 1 else {},
        outputs=outputs_are,
    )
