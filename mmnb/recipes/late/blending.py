"""Gradient-Blending in training: offline estimates of the weights, and weights estimated again during training.

Source: Wang, Tran & Feiszli, CVPR 2020, algorithms 1 and 3; the weights themselves are `mmnb.instruments.blending`.
"""

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

from mmnb.instruments.blending import FLOOR, Losses, ogr, weights
from mmnb.recipes.late.model import JOINT, LateModel
from mmnb.recipes.late.objectives import GradientBlending, Joint, Unimodal, check_labels
from mmnb.recipes.late.training import Batches, fit


def mean_losses(model: LateModel, batches: Any) -> dict[str, float]:
    """Mean cross-entropy per example of the joint head and of every modality's head; it does not depend on the batch sizes.

    Raises: ValueError on a model in train mode, or no example.
    """
    if any(part.training for part in model.modules()):
        raise ValueError("mean_losses: the model is in train mode; expected eval mode, call .eval() first")
    totals, count = defaultdict(float), 0
    with torch.no_grad():
        for inputs, label in batches:
            for name, logits in model.logits(inputs).items():
                check_labels(logits, label, "mean_losses")
                wide, own = logits.cpu().double(), label.cpu()  # an Apple device has no float64
                totals[name] += torch.nn.functional.cross_entropy(wide, own, reduction="sum").item()
            count += len(label)
    if not count:
        raise ValueError("mean_losses: got no example; expected at least one")
    return {name: total / count for name, total in totals.items()}


def _later(batches: Batches, epochs: int) -> Batches:
    return lambda epoch: batches(epochs + epoch)


def estimate(
    model: LateModel, batches: Batches, held_out: Callable[[], Any], epochs: int, *, first_epoch: int = 0, **options
) -> dict[str, tuple[Losses, Losses]]:
    """Algorithm 1: from the present weights, train every modality by itself and the joint model, and measure the losses before and after.

    The training losses are measured on `batches`, too, called with `first_epoch` and on; `held_out()` gives (inputs, label) one after another; options
    are those of `fit`. The model is not changed. Returns points for `mmnb.blending.weights`: (before, after) of every modality and of "joint".
    """

    def measure(net: LateModel) -> dict[str, Losses]:
        train, valid = mean_losses(net, batches(first_epoch)), mean_losses(net, held_out())
        return {name: Losses(train[name], valid[name]) for name in train}

    present = copy.deepcopy(model).eval()
    before, after = measure(present), {}
    for objective, names in ((Unimodal(), model.names), (Joint(), [JOINT])):
        net = copy.deepcopy(present)
        fit(net, _later(batches, first_epoch), objective, epochs=epochs, **options)
        losses = measure(net)
        after |= {name: losses[name] for name in names}
    return {name: (before[name], losses) for name, losses in after.items()}


def fit_online(
    model: LateModel, batches: Batches, held_out: Callable, *, super_epochs: list[int], floor: float = FLOOR, **options
) -> list[dict[str, float]]:
    """Algorithm 3: estimate the weights before every super-epoch and train with them. The model comes back in eval mode.

    `super_epochs` are lengths in epochs (published: 10, then 5 each), each with a new optimiser; `floor` is as in `mmnb.blending.weights`. Returns the
    weights of every super-epoch. Where no loss generalised, the previous weights are used again, in the first one equal weights.
    """
    if not super_epochs or min(super_epochs) < 1:
        raise ValueError(f"fit_online: got super_epochs={super_epochs}; expected one length or more, each at least 1")
    used, done = [], 0
    for length in super_epochs:
        points = estimate(model, batches, held_out, length, first_epoch=done, **options)
        if any(ogr(*pair).generalising > 0 for pair in points.values()):
            used.append(weights(points, floor=floor))
        else:
            used.append(used[-1] if used else {name: 1 / len(points) for name in points})
        fit(model, _later(batches, done), GradientBlending(used[-1]), epochs=length, **options)
        done += length
    return used
