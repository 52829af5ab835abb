"""Reliance: how much a model leans on each of its sides, and whom it follows where they disagree; all from one pass over the grid.

Everything here asks what happens when one side of a pair is exchanged for another example's, as EMAP does, so one pass answers it all:
`reliance` in accuracy (perceptual score, Shapley values, synergy) and in bits per example, `conflict` in the mixed pairs whose sides
disagree, `surprise` in the certainty that mixed pairs cost, `inter_shap` for comparison with papers. `minimal_pairs` needs four scores
a group. Add `Predictions` and `Others` to a `sweep` of your own and call `from_pass`, or let `reliance(f, a, b, y)` run one.
"""

from mmnb.instruments.reliance.accumulators import Others, Predictions
from mmnb.instruments.reliance.conflict import Conflict, Surprise, conflict, surprise
from mmnb.instruments.reliance.inter_shap import inter_shap
from mmnb.instruments.reliance.measures import Reliance, from_pass, reliance
from mmnb.instruments.reliance.pairs import MinimalPairs, minimal_pairs

__all__ = [
    "Conflict", "MinimalPairs", "Others", "Predictions", "Reliance", "Surprise",
    "conflict", "from_pass", "inter_shap", "minimal_pairs", "reliance", "surprise",
]  # fmt: skip
