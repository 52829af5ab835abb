"""Late-fusion models and their training: `late.fit(model, batches, objective, …)`.

`model` holds the model, `objectives` what is minimised (joint, alone, with teachers, frozen, blended, modulated, with modality dropout),
`training` the one loop, `stopping` early stopping on held-out data, `stacked` several seeds in one pass, `blending` Gradient-Blending.
"""

from mmnb.recipes.late.blending import estimate, fit_online, mean_losses
from mmnb.recipes.late.model import JOINT, Concat, Hidden, LateModel, Sum
from mmnb.recipes.late.modulation import coefficients, confidence, scale_gradients
from mmnb.recipes.late.objectives import Alone, Blended, Dropout, Frozen, Joint, Modulated, Umt, Way, cross_entropy
from mmnb.recipes.late.stacked import one_of, side_by_side
from mmnb.recipes.late.stopping import EarlyStop, held_out
from mmnb.recipes.late.training import Batches, Curves, adam, fit, shuffled, shuffled_side_by_side

__all__ = [
    "JOINT",
    "Alone",
    "Batches",
    "Blended",
    "Concat",
    "Curves",
    "Dropout",
    "EarlyStop",
    "Frozen",
    "Hidden",
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
    "estimate",
    "fit",
    "fit_online",
    "held_out",
    "mean_losses",
    "one_of",
    "scale_gradients",
    "shuffled",
    "shuffled_side_by_side",
    "side_by_side",
]
