"""Modality laziness: late fusion trained in many ways, and what its encoders have learnt: `mmnb.laziness.fit(model, batches, way, …)`.

`late` holds the model, `ways` what is minimised (joint, alone, with teachers, frozen, blended, modulated, with modality dropout), `training`
the one loop, `stopping` early stopping on held-out data, `replicates` several seeds in one pass, `probe` and `choose` the diagnosis, `set_cover` the theory as a toy.

Source: Du et al., "On uni-modal feature learning in supervised multi-modal learning", ICML 2023, and the papers named in each file. What
is known of it here are abstracts: exact losses, weights and the choosing trick are our reading.
"""

from mmnb.instruments.laziness.choose import Choice, choose
from mmnb.instruments.laziness.late import JOINT, Concat, Hidden, LateModel, Sum, average
from mmnb.instruments.laziness.modulation import coefficients, confidence, scale_gradients
from mmnb.instruments.laziness.probe import Diagnosis, Probe, diagnose, encode, probe, probe_features, wilson
from mmnb.instruments.laziness.replicates import one_of, side_by_side
from mmnb.instruments.laziness.set_cover import Covers, greedy_cover, simulate
from mmnb.instruments.laziness.stopping import EarlyStop, held_out
from mmnb.instruments.laziness.training import Batches, Curves, adam, fit, shuffled, shuffled_side_by_side
from mmnb.instruments.laziness.ways import Alone, Blended, Dropout, Frozen, Joint, Modulated, Umt, Way, cross_entropy

__all__ = [
    "JOINT",
    "Alone",
    "Batches",
    "Blended",
    "Choice",
    "Concat",
    "Covers",
    "Curves",
    "Diagnosis",
    "Dropout",
    "EarlyStop",
    "Frozen",
    "Hidden",
    "Joint",
    "LateModel",
    "Modulated",
    "Probe",
    "Sum",
    "Umt",
    "Way",
    "adam",
    "average",
    "choose",
    "coefficients",
    "confidence",
    "cross_entropy",
    "diagnose",
    "encode",
    "fit",
    "greedy_cover",
    "held_out",
    "one_of",
    "probe",
    "probe_features",
    "scale_gradients",
    "shuffled",
    "shuffled_side_by_side",
    "side_by_side",
    "simulate",
    "wilson",
]
