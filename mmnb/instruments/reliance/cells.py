"""Ratios over the cells of a grid, with intervals for examples: every cell belongs to the example of its row and to that of its column."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.emap.result import Emap
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.resampling import influence_estimate

_CELLS = 2 * 10**7  # numbers of a block of the additive scores


class Ratio(NamedTuple):
    """Sum of u over sum of w, and how much it moves with each example: influence (n,) as `influence_estimate` takes it."""

    value: float
    influence: np.ndarray

    def estimate(self, group: Any = None) -> Estimate:
        """With its interval over examples."""
        return influence_estimate(self.value, self.influence, group)

    def __sub__(self, other: "Ratio") -> "Ratio":
        return Ratio(self.value - other.value, self.influence - other.influence)


def ratio_of_cells(u: Tensor, w: Tensor) -> Ratio | None:
    """Σ u / Σ w over the cells (n, n), bools or numbers; None where no cell counts.

    Formula: with e = (u - r w) / Σ w, the influence of example i is n · (Σ_j e_ij + Σ_j e_ji): the first term of the U-statistic's
    expansion. Where cells vary independently of their examples it counts each twice, and the interval is √2 too wide, never too narrow.
    """
    total = w.sum().item()
    if total == 0:
        return None
    value = u.sum().item() / total
    up, weight = (sides.sum(1).double() + sides.sum(0).double() for sides in (u, w))
    return Ratio(value, ((up - value * weight) / total * len(u)).numpy())


def additive_predictions(result: Emap) -> Tensor:
    """Class that the projection predicts in every cell, (n, n) int64: the argmax of row mean + column mean - grand mean."""
    a, b = result.marginal_a - result.grand_mean, result.marginal_b
    n, c = a.shape
    found = torch.empty(n, n, dtype=torch.int64)
    for some in torch.arange(n).split(max(1, _CELLS // (n * c))):
        scores = a[some, None] + b
        found[some] = scores.argmax(-1) if c > 1 else (scores[..., 0] > 0).long()
    return found


def predicted(scores: Tensor) -> Tensor:
    """Class of scores (n, C); of a single one 1 where it is above 0."""
    return scores.argmax(-1) if scores.shape[1] > 1 else (scores[:, 0] > 0).long()
