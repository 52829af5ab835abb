"""Overfitting-to-generalising ratio (OGR) and the Gradient-Blending weights computed from it.

    overfitting  O = L^V - L^T  (held-out minus training loss),   dO = O_after - O_before,
    generalising G = L^V_before - L^V_after,   OGR = dO / G,   w_i proportional to G_i / dO_i^2, sum 1.

Our choices where the paper leaves them open: a model that got worse on held-out data (G <= 0) has weight 0, where public
code takes |G|; |dO| is at least `floor`; losses are means over examples, so uneven batches make no difference.

Source: Wang, Tran & Feiszli, "What makes training multi-modal classification networks hard?", CVPR 2020, equation 3,
proposition 1, algorithms 1 to 3. The paper's estimation code was never released.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmnb import aliases
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import numbers
from mmnb.instruments.result import Result

FLOOR = 1e-3  # nats: below the noise of a mean loss over some hundred examples


class Losses(NamedTuple):
    """Mean training and held-out loss of one model at one moment, in nats."""

    train: float
    held_out: float


@dataclass(frozen=True)
class Ogr(Result):
    """Overfitting dO and generalising G in nats, and their ratio; the ratio is infinite where G <= 0 and dO > 0."""

    overfitting: float
    generalising: float
    ratio: float

    def estimates(self) -> dict[str, Estimate]:
        """The ratio, then its two parts."""
        return {name: Estimate(getattr(self, name)) for name in ("ratio", "overfitting", "generalising")}

    def __iter__(self) -> Iterator[float]:
        """Unpacks as overfitting, generalising, ratio."""
        return iter((self.overfitting, self.generalising, self.ratio))


def ogr(before: Losses, after: Losses) -> Ogr:
    """Overfitting per unit of generalisation between two checkpoints of a training.

    Formula: dO / G where G > 0, else infinity (dO > 0) or 0 (dO <= 0).
    Args:
        before, after: Mean losses in nats at both checkpoints.
        Losses below 0, as of densities, are fine: only differences count.
    Raises: ValueError on a loss that is not finite.
    Example:
        >>> [round(value, 3) for value in ogr(Losses(2.0, 2.1), Losses(1.0, 1.5))]
        [0.4, 0.6, 0.667]

    Source: Equation 3.
    """
    for name, moment in (("before", before), ("after", after)):
        if len(moment) != 2 or not all(math.isfinite(loss) for loss in moment):
            raise ValueError(f"ogr: got {name}={tuple(moment)}; expected two finite losses")
    overfitting = (after[1] - after[0]) - (before[1] - before[0])
    generalising = before[1] - after[1]
    if generalising > 0:
        return Ogr(overfitting, generalising, overfitting / generalising)
    return Ogr(overfitting, generalising, math.inf if overfitting > 0 else 0.0)


def weights(points: Mapping[str, tuple[Losses, Losses]], *, floor: float = FLOOR) -> dict[str, float]:
    """Gradient-Blending weights of several losses, by name; not negative, sum 1.

    Formula: w_i = max(G_i, 0) / max(|dO_i|, floor)^2, divided by their sum.
    Args:
        points: Name -> (before, after) as in `ogr`, for each modality trained alone and for the joint model.
        floor: Smallest |dO| in the denominator, nats, above 0.
    Raises: ValueError when nothing generalised (every G <= 0), there are no points, or floor <= 0; and as `ogr`.
    Example:
        >>> start = Losses(2.0, 2.1)
        >>> ends = {"m1": Losses(1.0, 1.5), "m2": Losses(0.2, 1.8), "joint": Losses(0.5, 1.4)}
        >>> found = weights({name: (start, end) for name, end in ends.items()})
        >>> {name: round(w, 4) for name, w in found.items()}
        {'m1': 0.7535, 'm2': 0.0268, 'joint': 0.2198}

    Source: Proposition 1 with the estimates of section 3.4; floor and the rule for G <= 0 are ours.
    """
    if not points or not 0 < floor < math.inf:
        raise ValueError(f"weights: got {len(points)} points, floor={floor}; expected one or more, floor above 0")
    measured = {name: ogr(*pair) for name, pair in points.items()}
    raw = {name: max(m.generalising, 0.0) / max(abs(m.overfitting), floor) ** 2 for name, m in measured.items()}
    total = sum(raw.values())
    if total <= 0:
        gains = {name: round(m.generalising, 4) for name, m in measured.items()}
        wanted = "expected some G above 0: train longer, or with a smaller learning rate"
        raise ValueError(f"weights: nothing generalised, G = {gains}; {wanted}")
    return {name: value / total for name, value in raw.items()}


def from_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]], *, first: int = 0, last: int = -1
) -> dict[str, tuple[Losses, Losses]]:
    """Points for `weights`: two epochs of learning curves.

    Args:
        curves: Name -> {"train": losses, "held_out": losses}, one loss an epoch.
        first, last: Index of the epoch before, and of the epoch after.
    Raises: ValueError when a curve is missing or empty, or its two lists differ in length.
    """
    points = {}
    for name, curve in curves.items():
        if not {"train", "held_out"} <= set(curve):
            raise ValueError(f"from_curves: {name} has {sorted(curve)}; expected 'train' and 'held_out'")
        both = [numbers(curve[kind], f"from_curves: {name}, {kind}", "(n,)").tolist() for kind in ("train", "held_out")]
        if len(both[0]) != len(both[1]):
            lengths = f"{len(both[0])} losses in training, {len(both[1])} held out"
            raise ValueError(f"from_curves: {name} has {lengths}; expected one length")
        points[name] = tuple(Losses(both[0][k], both[1][k]) for k in (first, last))
    return points


__getattr__ = aliases.renamed(
    __name__, {name: f"mmnb.recipes.late.{name}" for name in ("mean_losses", "estimate", "fit_online")}
)
