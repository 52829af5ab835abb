"""Entropies and mutual information in nats: exact from tables, or estimated from samples by `mmnb.information.mi`.

`exact` takes tables of probabilities; `methods` has one call for all estimators: `classifiers` (held-out losses),
`neural` (MINE, SMILE) and `training_free` (nearest neighbours).
"""

from mmnb import aliases
from mmnb.instruments.information.classifiers import calibrated_losses, held_out_losses, mlp, trained
from mmnb.instruments.information.exact import Atoms, co_information, entropy, joint_table, mutual_information, pid
from mmnb.instruments.information.methods import METHODS, mi
from mmnb.instruments.information.variables import MutualInformation

__all__ = [
    "METHODS", "Atoms", "MutualInformation", "calibrated_losses", "co_information", "entropy", "held_out_losses",
    "joint_table", "mi", "mlp", "mutual_information", "pid", "trained",
]  # fmt: skip

__getattr__ = aliases.renamed(
    __name__,
    {
        "Estimate": "mmnb.instruments.information.MutualInformation",
        "tempered_losses": "mmnb.instruments.information.calibrated_losses",
    },
)
