"""Modality laziness: how much the encoders of a multimodal model have learnt of their own modality.

`probe` measures an encoder with a linear classifier, `choose` decides between joint training with uni-modal teachers
(UMT) and an ensemble of uni-modal models (UME), `simulate` shows the theory. Training is in `mmnb.recipes.late`.

Source: Du et al., "On uni-modal feature learning in supervised multi-modal learning", ICML 2023, and the papers named in
each file. We know the abstract and second-hand descriptions: exact losses, weights and the decision rule are our reading.
"""

from mmnb import aliases
from mmnb.instruments.estimate import proportion
from mmnb.instruments.laziness.probe import Choice, Probe, average, choose, encode, probe, probe_features
from mmnb.instruments.laziness.set_cover import Covers, greedy_cover, simulate

__all__ = [
    "Choice", "Covers", "Probe", "average", "choose", "encode", "greedy_cover", "probe", "probe_features",
    "simulate",
]  # fmt: skip


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Deprecated: `mmnb.instruments.estimate.proportion(hits, n)`."""
    aliases.warn("laziness.wilson(share, n)", "mmnb.instruments.estimate.proportion(hits, n).interval")
    return proportion(round(share * n), n, level).interval


_TO_RECIPES = (
    "Alone Batches Blended Concat Curves Dropout EarlyStop Frozen Hidden JOINT Joint LateModel Modulated Umt Way adam "
    "coefficients confidence cross_entropy fit held_out one_of scale_gradients shuffled shuffled_side_by_side side_by_side"
)
__getattr__ = aliases.renamed(__name__, {name: f"mmnb.recipes.late.{name}" for name in _TO_RECIPES.split()})
