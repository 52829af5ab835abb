"""Modality laziness: what the encoders of a multimodal model have learnt of their own modality.

`probe` measures an encoder with a linear classifier, `choose` decides between joint training with teachers (UMT) and an ensemble (UME),
`set_cover` simulates the theory. The training itself is in `mmnb.recipes.late`.

Source: Du et al., "On uni-modal feature learning in supervised multi-modal learning", ICML 2023, and the papers named in each file. What
is known of it here are abstracts: exact losses, weights and the choosing rule are our reading.
"""

from mmnb import aliases
from mmnb.instruments.laziness.choose import Choice, average, choose
from mmnb.instruments.laziness.probe import Diagnosis, Probe, diagnose, encode, probe, probe_features, wilson
from mmnb.instruments.laziness.set_cover import Covers, greedy_cover, simulate

__all__ = [
    "Choice",
    "Covers",
    "Diagnosis",
    "Probe",
    "average",
    "choose",
    "diagnose",
    "encode",
    "greedy_cover",
    "probe",
    "probe_features",
    "simulate",
    "wilson",
]

_TO_RECIPES = (
    "Alone",
    "Batches",
    "Blended",
    "Concat",
    "Curves",
    "Dropout",
    "EarlyStop",
    "Frozen",
    "Hidden",
    "JOINT",
    "Joint",
    "LateModel",
    "Modulated",
    "Sum",
    "Umt",
    "Way",
    "adam",
    "coefficients",
    "confidence",
    "cross_entropy",
    "fit",
    "held_out",
    "one_of",
    "scale_gradients",
    "shuffled",
    "shuffled_side_by_side",
    "side_by_side",
)
__getattr__ = aliases.renamed(__name__, {name: f"mmnb.recipes.late.{name}" for name in _TO_RECIPES})
