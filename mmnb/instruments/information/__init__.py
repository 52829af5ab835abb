"""Entropies and informations, exactly from tables and estimated from samples: `mmnb.information.mi(x, y, method=…)`.

`exact` and `pid` take tables of probabilities; `methods` holds the one call for all estimators (`held_out`: classifiers, `neural`: MINE and its
relatives, `ksg`: neighbours, `residual`: neighbours after a linear fit, `copula`: an assumption); everything is in nats.
"""

from mmnb.instruments.information.exact import co_information, entropy, joint_table, mutual_information
from mmnb.instruments.information.held_out import held_out_losses, tempered_losses
from mmnb.instruments.information.methods import METHODS, classifier_entropy, mi
from mmnb.instruments.information.pid import Atoms, pid
from mmnb.instruments.information.trained import mlp, trained
from mmnb.instruments.information.variables import Estimate

__all__ = [
    "METHODS",
    "Atoms",
    "Estimate",
    "classifier_entropy",
    "co_information",
    "entropy",
    "held_out_losses",
    "joint_table",
    "mi",
    "mlp",
    "mutual_information",
    "pid",
    "tempered_losses",
    "trained",
]
