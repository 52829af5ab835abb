"""Overfitting-to-generalising ratio (OGR) and the Gradient-Blending weights made from it.

    overfitting  O_N = L^V_N - L^T_N  (held-out minus training loss),   dO = O_after - O_before,
    generalising G = L^V_before - L^V_after,   OGR = dO / G,   w_i proportional to G_i / dO_i^2, sum 1.

What the paper leaves open we decide so: a model that got worse on held-out data (G <= 0) has weight 0, where public code takes |G| and so
rewards it; dO^2 is at least `floor`^2 and a dO below 0 counts by its square too; losses are means over examples, so that uneven batches change
nothing; if every G <= 0 there is no answer, and an error says so.

Source: Wang, Tran & Feiszli, "What makes training multi-modal classification networks hard?", CVPR 2020, equations 3 and proposition 1,
algorithms 1 to 3. The paper's estimation code was never released.
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from mmnb.instruments.laziness.late import JOINT, LateModel
from mmnb.instruments.laziness.training import Batches, Curves, fit
from mmnb.instruments.laziness.ways import Alone, Blended, Joint

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


def from_curves(curves: Mapping[str, Curves], first: int = 0, last: int = -1) -> dict[str, tuple[Losses, Losses]]:
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


def mean_losses(model: LateModel, batches: Any) -> dict[str, float]:
    """Mean cross-entropy per example of the joint head and of every modality's head, whatever the sizes of the batches.

    Args: model in eval mode; batches, an iterable of (inputs, label).
    Raises: ValueError for a model in train mode, or no example.
    """
    if any(part.training for part in model.modules()):
        raise ValueError("mean_losses: the model is in train mode; expected eval mode, call .eval() first")
    totals: dict[str, float] = {}
    count = 0
    with torch.no_grad():
        for inputs, label in batches:
            for name, logits in model.logits(inputs).items():
                loss = torch.nn.functional.cross_entropy(logits.double(), label, reduction="sum").item()
                totals[name] = totals.get(name, 0.0) + loss
            count += len(label)
    if not count:
        raise ValueError("mean_losses: got no example; expected at least one")
    return {name: total / count for name, total in totals.items()}


def estimate(
    model: LateModel,
    batches: Batches,
    held_out: Callable[[], Any],
    epochs: int,
    *,
    first_epoch: int = 0,
    **options: Any,
) -> dict[str, tuple[Losses, Losses]]:
    """Algorithm 1: from the model's present weights, train every modality alone and the joint model for `epochs`, and look before and after.

    Args:    model, which is not changed; batches(epoch), the training batches, also used to measure the training loss in eval mode;
             held_out, () -> iterable of (inputs, label); first_epoch, passed on to batches; options of `fit`.
    Returns: points for `weights`: every modality and "joint".
    """
    later: Batches = lambda epoch: batches(first_epoch + epoch)  # noqa: E731 (a partial of one argument)

    def look(net: LateModel) -> dict[str, Losses]:
        train, valid = mean_losses(net, batches(first_epoch)), mean_losses(net, held_out())
        return {name: Losses(train[name], valid[name]) for name in train}

    present = copy.deepcopy(model).eval()
    before = look(present)
    after = {}
    for way, names in ((Alone(), model.names), (Joint(), [JOINT])):
        net = copy.deepcopy(present)
        fit(net, later, way, epochs=epochs, **options)
        found = look(net)
        after |= {name: found[name] for name in names}
    return {name: (before[name], after[name]) for name in [*model.names, JOINT]}


def fit_online(
    model: LateModel,
    batches: Batches,
    held_out: Callable[[], Any],
    *,
    super_epochs: list[int],
    floor: float = FLOOR,
    **options: Any,
) -> list[dict[str, float]]:
    """Algorithm 3: estimate the weights anew before every super-epoch, train that long with them. The model comes back in eval mode.

    Args:    super_epochs, their lengths (published: 10, then 5 each); options of `fit`. Each super-epoch starts a new optimiser.
    Returns: the weights of every super-epoch. Where nothing generalised any more, the last weights stay; at the very start: equal ones.
    Raises:  ValueError on no super-epochs or a length below 1.
    """
    if not super_epochs or min(super_epochs) < 1:
        raise ValueError(f"fit_online: got super_epochs={super_epochs}; expected one length or more, each at least 1")
    used: list[dict[str, float]] = []
    done = 0
    for length in super_epochs:
        points = estimate(model, batches, held_out, length, first_epoch=done, **options)
        if any(ogr(*pair).generalising > 0 for pair in points.values()):
            used.append(weights(points, floor=floor))
        else:
            used.append(used[-1] if used else {name: 1 / len(points) for name in points})
        start = done
        fit(model, lambda epoch, start=start: batches(start + epoch), Blended(used[-1]), epochs=length, **options)
        done += length
    return used
