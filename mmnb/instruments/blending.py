"""Overfitting-to-generalising ratio (OGR) and the Gradient-Blending weights made from it.

    overfitting  O_N = L^V_N - L^T_N  (held-out minus training loss),   dO = O_after - O_before,
    generalising G = L^V_before - L^V_after,   OGR = dO / G,   w_i proportional to G_i / dO_i^2, sum 1.

What the paper leaves open we decide so: a model that got worse on held-out data (G <= 0) has weight 0, where public code takes |G| and so
rewards it; dO^2 is at least `floor`^2 and a dO below 0 counts by its square too; losses are means over examples, so that uneven batches change
nothing; if every G <= 0 there is no answer, and an error says so.

Source: Wang, Tran & Feiszli, "What makes training multi-modal classification networks hard?", CVPR 2020, equations 3 and proposition 1,
algorithms 1 to 3. The paper's estimation code was never released.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmnb import aliases

FLOOR = 1e-3  # nats: below the noise of a mean loss over some hundred examples


class Losses(NamedTuple):
    """Mean training and held-out loss of one model at one moment, in nats."""

    train: float
    held_out: float


class Ogr(NamedTuple):
    """overfitting dO, generalising G (both in nats) and their ratio; the ratio is infinite where G <= 0 and dO > 0."""

    overfitting: float
    generalising: float
    ratio: float


def ogr(before: Losses, after: Losses) -> Ogr:
    """How much a training overfits for what it generalises, between two checkpoints.

    Args:    before, after, (train, held_out) mean losses in nats; finite, not negative.
    Returns: `Ogr`; ratio dO / G where G > 0, else infinity (dO > 0) or 0 (dO <= 0).
    Raises:  ValueError on a loss that is negative or not finite.
    Example:
        >>> [round(value, 3) for value in ogr(Losses(2.0, 2.1), Losses(1.0, 1.5))]
        [0.4, 0.6, 0.667]

    Source:  equation 3.
    """
    for name, moment in (("before", before), ("after", after)):
        if not all(math.isfinite(loss) and loss >= 0 for loss in moment):
            raise ValueError(f"ogr: got {name}={tuple(moment)}; expected two finite losses of at least 0")
    overfitting = (after[1] - after[0]) - (before[1] - before[0])
    generalising = before[1] - after[1]
    if generalising > 0:
        return Ogr(overfitting, generalising, overfitting / generalising)
    return Ogr(overfitting, generalising, math.inf if overfitting > 0 else 0.0)


def weights(points: Mapping[str, tuple[Losses, Losses]], *, floor: float = FLOOR) -> dict[str, float]:
    """Gradient-Blending weights of several losses.

    Formula: w_i = max(G_i, 0) / max(|dO_i|, floor)^2, divided by their sum.

    Args:    points, name -> (before, after) as in `ogr`: each modality trained alone, and the joint model; floor above 0, nats.
    Returns: name -> weight, not negative, sum 1.
    Raises:  ValueError when nothing generalised (every G <= 0), there are no points, or floor <= 0; and as `ogr`.
    Example:
        >>> start = Losses(2.0, 2.1)
        >>> points = {"m1": (start, Losses(1.0, 1.5)), "m2": (start, Losses(0.2, 1.8)), "joint": (start, Losses(0.5, 1.4))}
        >>> {name: round(w, 4) for name, w in weights(points).items()}
        {'m1': 0.7535, 'm2': 0.0268, 'joint': 0.2198}

    Source:  proposition 1 with the estimates of section 3.4; floor and the rule for G <= 0 are ours.
    """
    if not points or not floor > 0:
        raise ValueError(f"weights: got {len(points)} points, floor={floor}; expected one or more, floor above 0")
    measured = {name: ogr(*pair) for name, pair in points.items()}
    raw = {name: max(m.generalising, 0.0) / max(abs(m.overfitting), floor) ** 2 for name, m in measured.items()}
    total = sum(raw.values())
    if total <= 0:
        told = {name: round(m.generalising, 4) for name, m in measured.items()}
        raise ValueError(
            f"weights: nothing generalised, G = {told}; expected some G above 0: train longer, or with a smaller learning rate"
        )
    return {name: value / total for name, value in raw.items()}


def from_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]], first: int = 0, last: int = -1
) -> dict[str, tuple[Losses, Losses]]:
    """Points for `weights` from learning curves: name -> {"train": [...], "held_out": [...]} and two places in them.

    Raises: ValueError when a curve is missing or its two lists differ in length.
    """
    points = {}
    for name, curve in curves.items():
        if (
            not {"train", "held_out"} <= set(curve)
            or len(curve["train"]) != len(curve["held_out"])
            or not curve["train"]
        ):
            raise ValueError(
                f"from_curves: {name} has {sorted(curve)}; expected 'train' and 'held_out' of one length above 0"
            )
        moments = [Losses(curve["train"][k], curve["held_out"][k]) for k in (first, last)]
        points[name] = (moments[0], moments[1])
    return points


__getattr__ = aliases.renamed(
    __name__, {name: f"mmnb.recipes.late.{name}" for name in ("mean_losses", "estimate", "fit_online")}
)
