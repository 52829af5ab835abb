"""Late-fusion models and their training: `late.fit(model, batches, objective, …)`.

`model` has the model, alone and stacked for several seeds in one pass, `objectives` what is minimised, `training` the loop, `stopping` early
stopping on held-out data, `blending` Gradient-Blending, `splits` small data sets for it.
"""

# ruff: noqa: F401 - what is imported here is what the room offers

from mmnb import aliases
from mmnb.recipes.late.blending import estimate, fit_online, mean_losses
from mmnb.recipes.late.model import JOINT, Concat, Hidden, LateModel, build, stack_models, unstack
from mmnb.recipes.late.objectives import (
    GradientBlending,
    Joint,
    LinearHead,
    ModalityDropout,
    Objective,
    OgmGe,
    Unimodal,
    UnimodalTeachers,
    coefficients,
    confidence,
    cross_entropy,
    feature_variance,
    scale_gradients,
)
from mmnb.recipes.late.stopping import EarlyStop, held_out
from mmnb.recipes.late.training import Batches, Curves, adam, fit, shuffled, shuffled_stacked

_RENAMED = {
    "Alone": "Unimodal",
    "Blended": "GradientBlending",
    "Dropout": "ModalityDropout",
    "Frozen": "LinearHead",
    "Modulated": "OgmGe",
    "Umt": "UnimodalTeachers",
    "Way": "Objective",
    "one_of": "unstack",
    "shuffled_side_by_side": "shuffled_stacked",
    "side_by_side": "stack_models",
}
__getattr__ = aliases.renamed(__name__, {old: f"{__name__}.{new}" for old, new in _RENAMED.items()})
