"""EMAP, the empirical multimodally-additive function projection: what is left of a model without its cross-modal interactions.

Score every example's `a` with every example's `b`: an N x N grid F with F_ij = f(a_i, b_j). The additive function closest to F in
squared error over *all* N^2 cells is the sum of two marginals minus the grand mean,

    f~_ij = mean_j' F_ij' + mean_i' F_i'j - mu,        mu = mean of all cells.

Compare the model with f~ on the N true pairs (the diagonal). If nothing is lost, no interaction was needed for these predictions.
Three things to keep apart: mu is only a level, not an amount of interaction; the interaction is the residual f - f~; and marginals as
written here are *not* centred, so mu is subtracted (with centred parts, row mean - mu and column mean - mu, it is added instead).

The same grid is a two-way analysis of variance without replication: the squared deviations from mu split exactly into a part of `a`,
a part of `b` and the interaction. Those three shares need no labels. Scores of classes are defined up to one number per pair, which
softmax does not see: they are centred over the classes first, so that logits and log-probabilities of a model have the same shares.

Source: Hessel & Lee, "Does my multimodal model learn cross-modal interactions? It's harder to tell than you might think!", EMNLP 2020.
Ours keeps row sums, column sums, the diagonal and one sum of squares, O(N C) numbers in float64, never the grid.
"""

from mmnb.aliases import renamed
from mmnb.instruments.emap.modalities import EmapOfMany, emap_of_many
from mmnb.instruments.emap.projection import emap, project
from mmnb.instruments.emap.result import Emap
from mmnb.instruments.grid.split import Concat, SplitHead
from mmnb.instruments.grid.two_tower import TwoTower

__all__ = ["Concat", "Emap", "EmapOfMany", "SplitHead", "TwoTower", "emap", "emap_of_many", "project"]

__getattr__ = renamed(__name__, {"LinearEnds": f"{__name__}.SplitHead"})
