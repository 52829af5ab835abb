"""What `emap` returns, and how sums become it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmnb.instruments.emap.sampled import Gap, Sampled, gap_interval
from mmnb.instruments.emap.sums import Sums, Tail
from mmnb.instruments.scoring import Scores, score_predictors


@dataclass(frozen=True, eq=False)
class Emap:
    """What `emap` returns. All tensors are float64 on the CPU; C = 1 where the model gives one score.

    original, projected    (N, C)  f and f~ on the true pairs
    marginal_a, marginal_b (N, C)  mean over all b of f(a_i, b); mean over all a of f(a, b_i); uncentred
    grand_mean             (C,)    mu
    sums_of_squares                of "a", "b", "interaction", each (C,): they add up to the squared deviations from mu of the whole grid
    passes                         pairs that were scored, of the model or of the head that was crossed
    sampled                        how sure the numbers are, after `pairs=K`; None where they are exact
    """

    original: torch.Tensor
    projected: torch.Tensor
    marginal_a: torch.Tensor
    marginal_b: torch.Tensor
    grand_mean: torch.Tensor
    sums_of_squares: dict[str, torch.Tensor] = field(repr=False)
    passes: int | None = None
    sampled: Sampled | None = field(default=None, repr=False)

    @property
    def residual(self) -> torch.Tensor:
        """f - f~ on the true pairs, (N, C): how far each example depends on *this* a meeting *this* b. Its mean need not be 0."""
        return self.original - self.projected

    @property
    def shares(self) -> dict[str, float]:
        """Share of the grid's variance by source: keys "a", "b", "interaction", summing to 1; outputs pooled.

        With several classes a shift that all outputs of a pair share counts, too, though it changes no prediction: log-probabilities of an additive model
        differ from its logits by such shifts and have a share of interaction.

        Raises ValueError for a model whose output never changes: there is no variance to share out; and after `shares=False`.
        """
        if "interaction" not in self.sums_of_squares:
            raise ValueError("Emap.shares: the squares were not summed; expected a run with shares=True")
        total = sum(part.sum().item() for part in self.sums_of_squares.values())
        if total == 0:
            raise ValueError("Emap.shares: the output is the same in every cell of the grid; expected some variation")
        return {name: part.sum().item() / total for name, part in self.sums_of_squares.items()}

    @property
    def interaction_score(self) -> torch.Tensor:
        """How much of each true pair's scores is interaction, (N,): squared residual over the grid's mean squared deviation. No labels.

        Formula: sum_c r_ic^2 / (sum_c SS_total,c / N^2). Averaged over all N^2 cells instead of the N true pairs this is
        `shares["interaction"]`; a pair far above that is one the model reads jointly. From 0 up, without a bound. Raises as `shares`.
        """
        _ = self.shares  # refuses what has no variance
        total = sum(part.sum() for part in self.sums_of_squares.values())
        return self.residual.square().sum(1) * len(self.original) ** 2 / total

    def gap(self, metric: str | Callable, y: Any, *, level: float = 0.95, seed: int = 0) -> Gap:
        """Metric of the model minus metric of its projection on these N examples, with an interval for what sampling left open.

        Exact runs have an interval of width 0. How the gap would vary over other examples is another question: `score` answers it.
        """
        return gap_interval(self.original, self.projected, self.sampled, metric, y, level=level, seed=seed)

    def rank(self, pairs: Any, y: Any = None, *, resamples: int = 2000, level: float = 0.95, seed: int = 0) -> Scores:
        """Ranking tasks: share of comparisons that come out right, by the model's scores and by those of its additive part.

        Each example has one score (C = 1); what is compared are differences of two, and the projection of a difference is the difference of
        the projections. A tie counts half, so the constant has .5. The interval resamples comparisons.

        Args:    pairs (P, 2), positions of two examples; y (P,), 1 where the first should score higher, else 0 (None: always the first).
        Raises:  ValueError unless C = 1 and pairs are whole numbers from 0 to N - 1.
        """
        n, c = self.original.shape
        pairs = torch.as_tensor(pairs)
        if c != 1 or pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.is_floating_point():
            raise ValueError(
                f"Emap.rank: got {c} scores each, pairs {pairs.dtype} {tuple(pairs.shape)}; expected 1, and whole (P, 2)"
            )
        if not len(pairs) or pairs.min() < 0 or pairs.max() >= n:
            raise ValueError(f"Emap.rank: expected at least one pair, positions from 0 to {n - 1}")
        first, second = pairs.long().T
        differences = {name: scores[first] - scores[second] for name, scores in self._predictors().items()}
        y = torch.ones(len(pairs), dtype=torch.int64) if y is None else y
        return score_predictors(differences, "win_rate", y, resamples=resamples, level=level, seed=seed)

    def score(
        self, metric: str | Callable, y: Any, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
    ) -> Scores:
        """Score model, projection, both marginals and the constant on the true pairs; see `mmnb.instruments.scoring`."""
        return score_predictors(self._predictors(), metric, y, resamples=resamples, level=level, seed=seed)

    def _predictors(self) -> dict[str, torch.Tensor]:
        return {
            "original": self.original,
            "projected": self.projected,
            "marginal_a": self.marginal_a,
            "marginal_b": self.marginal_b,
            "constant": self.grand_mean.expand_as(self.original),
        }

    def to_frame(self):
        """A pandas DataFrame with one row per example and output, for sorting and plotting."""
        import pandas as pd  # only here: the measuring itself needs numerical libraries alone

        n, c = self.original.shape
        columns = ("original", "projected", "residual", "marginal_a", "marginal_b")
        index = {"example": np.repeat(np.arange(n), c), "output": np.tile(np.arange(c), n)}
        return pd.DataFrame(index | {name: getattr(self, name).reshape(-1).numpy() for name in columns})


def finish(sums: Sums, tail: Tail | None = None) -> Emap:
    """Marginals, projection and sums of squares from the sums over a whole grid. Raises ValueError when cells are missing."""
    n = len(sums.row)
    if sums.cells != n * n:
        raise ValueError(f"emap: {sums.cells} of {n * n} cells were summed; expected all")
    # the sums are of F - pivot; only the grand mean and the marginals need the pivot back
    diagonal, pivot = sums.diagonal.cpu(), sums.pivot.cpu()
    mean_a, mean_b, squares = sums.row.cpu() / n, sums.column.cpu() / n, sums.squares.cpu()
    if tail is not None:  # means commute with linear maps
        weight = tail.weight.cpu()
        mean_a, mean_b = (mean_a - pivot) @ weight.T, (mean_b - pivot) @ weight.T
        diagonal, pivot = tail(diagonal), tail(pivot[None])[0]
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
        original=diagonal,
        projected=mean_a + mean_b - mean + pivot,
        marginal_a=mean_a + pivot,
        marginal_b=mean_b + pivot,
        grand_mean=mean + pivot,
        sums_of_squares=parts,
        passes=sums.cells,
    )
