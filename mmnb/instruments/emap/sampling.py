"""EMAP from a sample of the grid: N (K + 1) pairs instead of N^2, unbiased, with standard errors.

K cyclic shifts drawn without replacement give every row its true pair and K different partners, and use every column equally often. The
mean over all N - 1 shifts is the exact mean over false pairs; so, whatever the grid looks like, the shifts are a simple random sample,
sample means are unbiased and the textbook variance holds, s^2 / K * (1 - K / (N - 1)), even though rows and columns share cells. The
true pairs enter with their exact weight, 1 / N.
"""

import torch
from torch import Tensor

from mmnb.instruments.emap.result import Emap
from mmnb.instruments.grid.accumulators import Accumulator, Block, TruePairs


class ShiftMoments(Accumulator):
    """First and second moments, over shifts, of what a shift says of projection, row effects and column effects.

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
