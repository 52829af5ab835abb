"""EMAP from a sample of the grid: N (K + 1) pairs instead of N^2, unbiased, with error bars.

Put the examples in random order on a circle. A shift s pairs each with the one s places on: N false pairs in which every row and every
column occurs once. K shifts drawn without replacement from the N - 1 there are give every row its true pair and K different partners,
and use every column equally often. The mean over all shifts is the exact mean over false pairs; so, whatever the grid looks like, the
shifts are a simple random sample, sample means are unbiased and the textbook variance holds, s^2 / K * (1 - K / (N - 1)), even though
rows and columns share cells. The true pairs enter with their exact weight, 1 / N.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from mmnb.instruments.emap.grid import Grid, refuse_non_finite
from mmnb.instruments.emap.result import Emap
from mmnb.instruments.emap.sampled import Sampled
from mmnb.instruments.emap.ways import outputs
from mmnb.instruments.scoring import metric_and_labels

_START = 12  # shifts, before the interval is looked at for the first time; from then on half as many again each time
_GROUPS = 40  # of shifts, kept apart for the interval of the gap: 40 numbers estimate a variance to within 23 %


@dataclass
class _Moments:
    """Mean and squared deviations of what arrives one by one (Welford)."""

    count: int
    mean: Tensor
    deviations: Tensor

    def add(self, value: Tensor) -> None:
        self.count += 1
        step = value - self.mean
        self.mean = self.mean + step / self.count
        self.deviations = self.deviations + step * (value - self.mean)


class Sampler:
    """Draws shifts and keeps their means: `draw(k)` takes k more of them, `result()` is the estimate so far. O(N C) numbers."""

    def __init__(self, grid: Grid, true_pairs: Tensor, generator: torch.Generator | None = None) -> None:
        """true_pairs: the cells of the diagonal (N, H); generator: of the order and the shifts (None: seed 0). N is at least 2."""
        generator = generator or torch.Generator().manual_seed(0)
        self.grid, self.n = grid, grid.n
        self.order = torch.randperm(self.n, generator=generator)
        self.shifts = 1 + torch.randperm(self.n - 1, generator=generator)
        self.true = outputs(grid, true_pairs).cpu()
        self.pivot = self.true.mean(0)  # taken off, so that squares do not cancel
        zero = torch.zeros_like(self.true)
        self.both, self.row, self.column = (_Moments(0, zero, zero) for _ in range(3))
        self.level = _Moments(0, zero[0], zero[0])
        self.squares = zero[0]
        self.groups = torch.zeros(_GROUPS, *zero.shape)

    @property
    def drawn(self) -> int:
        """Shifts drawn so far."""
        return self.both.count

    @property
    def left(self) -> int:
        """Shifts not drawn yet."""
        return self.n - 1 - self.both.count

    def draw(self, shifts: int) -> None:
        """Score the pairs of that many more shifts, or of all that are left."""
        at_once = max(1, self.grid.batch_size // self.n)
        first = self.both.count
        for chosen in self.shifts[first : first + min(shifts, self.left)].split(at_once):
            partners = [self.order.roll(-s) for s in chosen.tolist()]
            pairs = torch.stack([self.order.repeat(len(chosen)), torch.cat(partners)])
            cells = torch.cat([self._score(*batch) for batch in pairs.split(self.grid.batch_size, dim=1)])
            for scores, columns in zip(cells.split(self.n), partners, strict=True):
                self._add(scores - self.pivot, columns)

    def _score(self, rows: Tensor, columns: Tensor) -> Tensor:
        cells = self.grid.pairs(rows, columns)
        refuse_non_finite(cells, rows, columns)
        return outputs(self.grid, cells).cpu()

    def _add(self, scores: Tensor, partners: Tensor) -> None:
        row, column, level = torch.empty_like(scores), torch.empty_like(scores), scores.mean(0)
        row[self.order], column[partners] = scores, scores
        self.groups[self.both.count % _GROUPS] += row + column - level
        self.both.add(row + column - level)
        self.row.add(row - level)
        self.column.add(column - level)
        self.level.add(level)
        self.squares = self.squares + scores.square().sum(0)

    def result(self) -> Emap:
        """Estimates of everything in an `Emap`, with `sampled`. Needs at least 2 shifts."""
        n, k = self.n, self.both.count
        true = self.true - self.pivot
        rest = (n - 1) / n  # the weight of the false pairs
        mean = true.mean(0) / n + rest * self.level.mean
        centred_a = (true - true.mean(0)) / n + rest * self.row.mean
        centred_b = (true - true.mean(0)) / n + rest * self.column.mean
        projected = (2 * true - true.mean(0)) / n + rest * self.both.mean
        total = true.square().sum(0) + (n - 1) / k * self.squares - n**2 * (mean.square() - self._variance(self.level))
        # the squared error of an estimate is part of its square: taken off, the parts are unbiased, except where they are cut off at 0
        part_a = n * (centred_a.square() - self._variance(self.row)).sum(0).clamp(min=0)
        part_b = n * (centred_b.square() - self._variance(self.column)).sum(0).clamp(min=0)
        counts = torch.bincount(torch.arange(k) % _GROUPS, minlength=_GROUPS)[: min(k, _GROUPS)]
        return Emap(
            original=self.true,
            projected=projected + self.pivot,
            marginal_a=centred_a + mean + self.pivot,
            marginal_b=centred_b + mean + self.pivot,
            grand_mean=mean + self.pivot,
            sums_of_squares={"a": part_a, "b": part_b, "interaction": (total - part_a - part_b).clamp(min=0)},
            passes=n * (k + 1),
            sampled=Sampled(
                partners=k,
                standard_error=self._variance(self.both).sqrt(),
                groups=(rest * (self.groups[: len(counts)] / counts[:, None, None] - self.both.mean)).float(),
                counts=counts,
                fraction=k / (n - 1),
            ),
        )

    def _variance(self, moments: _Moments) -> Tensor:
        """Of the estimate that the mean of these gives, times its weight: sampling shifts without replacement."""
        n, k = self.n, moments.count
        return ((n - 1) / n) ** 2 * moments.deviations / (k - 1) / k * (1 - k / (n - 1))


def sample(
    grid: Grid,
    true_pairs: Tensor,
    pairs: int | None,
    gap_precision: float | None,
    metric: str | Callable,
    y: Any,
    generator: torch.Generator | None = None,
    progress: bool | None = None,
) -> Emap:
    """`pairs` shifts, or with `gap_precision` as many as it takes (at most `pairs`); see `emap`. All N - 1 of them are exact."""
    sampler = Sampler(grid, true_pairs, generator)
    if (
        gap_precision is not None
    ):  # what is wrong with the labels should be said before the first pair, not after the last
        metric_and_labels(metric, y, *sampler.true.shape)
    limit = min(sampler.left, pairs or sampler.left)
    bar = tqdm(
        total=limit * grid.n,
        unit="pair",
        unit_scale=True,
        desc="emap (sample)",
        disable=None if progress is None else not progress,
        leave=False,
    )
    at_once = max(1, grid.batch_size // grid.n)
    with bar:
        while True:
            drawn = sampler.drawn
            target = limit if gap_precision is None else min(limit, max(_START, drawn + drawn // 2))
            while sampler.drawn < target:
                before = sampler.drawn
                sampler.draw(min(at_once, target - before))
                bar.update((sampler.drawn - before) * grid.n)
            result = sampler.result()
            if target == limit or result.gap(metric, y).half_width <= gap_precision:
                return result


def refuse_sampling(pairs: Any, gap_precision: Any, y: Any, n: int, *, unusable: bool) -> None:
    """Raise ValueError on arguments of `emap` that do not describe a sample."""
    if pairs is not None and (not isinstance(pairs, int) or isinstance(pairs, bool) or pairs < 2):
        raise ValueError(f"emap: got pairs={pairs!r}; expected a whole number of partners per row, at least 2, or None")
    if gap_precision is not None and not (isinstance(gap_precision, int | float) and gap_precision > 0):
        raise ValueError(f"emap: got gap_precision={gap_precision!r}; expected a positive number or None")
    if gap_precision is not None and (y is None or n < 4):
        raise ValueError(
            f"emap: gap_precision={gap_precision} with y={y!r} and {n} examples; expected labels y and N >= 4"
        )
    if gap_precision is None and y is not None:
        raise ValueError(
            "emap: got y without gap_precision; expected both: give labels to `Emap.score` or `Emap.gap` afterwards"
        )
    if unusable and (pairs is not None or gap_precision is not None):
        raise ValueError(
            "emap: a sample is neither kept in a checkpoint nor shared among processes; expected one or the other"
        )
