"""Entropies and mutual information in nats: exact from tables, or estimated from samples by `mmnb.information.mi`.

`exact` and `pid` take tables of probabilities; `methods` has one call for all estimators: `held_out` (classifiers),
`neural` (MINE, NWJ, InfoNCE, SMILE) and `training_free` (nearest neighbours, Gaussian copula).
"""

from mmnb import aliases
from mmnb.instruments.information.exact import co_information, entropy, joint_table, mutual_information
from mmnb.instruments.information.held_out import calibrated_losses, held_out_losses
from mmnb.instruments.information.methods import METHODS, mi
from mmnb.instruments.information.pid import Atoms, pid
from mmnb.instruments.information.trained import mlp, trained
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
