"""Early stopping: keep the weights of the epoch with the lowest held-out loss, and end the training when `patience` epochs brought no lower one.

`Objective.units` says what is stopped together: joint training has one loss and one best epoch; of modalities trained by themselves each
has its own. Each replica of a stacked model stops as if it were trained by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmnb.recipes.late.model import LateModel

HeldOut = Callable[[LateModel], Mapping[str, Tensor | float]]


@dataclass(frozen=True)
class EarlyStop:
    """Option `stop` of `fit`: the model comes back with the weights of its best epoch, the earliest of equals.

    After `fit`, `found` holds name -> best epoch, counted from 0, int64, () or (r,).

    Args:
        held_out: Called after every epoch in eval mode without gradient; name -> loss, lower is better, one number or (r,) with r
            replicas. Needs "joint", or the modalities' names for `Unimodal`. See `held_out`.
        patience: Epochs without a lower loss after which a unit stops; None trains all epochs and keeps the best one.

    Raises:
        ValueError: Patience below 1.
    """

    held_out: HeldOut = field(repr=False)
    patience: int | None = None
    found: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"EarlyStop: got patience={self.patience}; expected at least 1, or None")


def held_out(inputs: Mapping[str, Any], label: Tensor) -> HeldOut:
    """Mean held-out cross-entropy of all heads, for `EarlyStop`: label (n,), or (r, n) with replicas.

    Example:
        >>> from mmnb.recipes.late import Concat
        >>> blank = LateModel({"a": nn.Flatten()}, Concat([2], classes=4))
        >>> _ = [nn.init.zeros_(parameter) for parameter in blank.parameters()]
        >>> round(held_out({"a": torch.ones(3, 2)}, torch.tensor([0, 1, 2]))(blank)["joint"].item(), 4)  # log 4
        1.3863
    """

    def losses(model: LateModel) -> dict[str, Tensor]:
        found = {}
        for name, logits in model.logits({name: inputs[name] for name in model.names}).items():
            each = functional.cross_entropy(logits.double().flatten(0, -2), label.flatten(), reduction="none")
            found[name] = each.view(label.shape).mean(-1)
        return found

    return losses


class BestWeights:
    """The best weights so far of each unit, name -> module, and of each replica in it."""

    def __init__(self, stop: EarlyStop, units: Mapping[str, nn.Module]) -> None:
        self.stop, self.units = stop, units
        self.loss: dict[str, Tensor] = {}
        self.epoch: dict[str, Tensor] = {}
        self.weights: dict[str, dict[str, Tensor]] = {}

    def update(self, model: LateModel, epoch: int) -> dict[str, float]:
        """Measure after `epoch` and keep the weights that are better. Returns the mean held-out losses, for the curves."""
        found = self.stop.held_out(model)
        if not set(self.units) <= set(found):
            raise ValueError(
                f"EarlyStop: held_out gave {sorted(found)}; expected a loss for each of {list(self.units)}"
            )
        curves = {}
        for name, unit in self.units.items():
            loss = torch.as_tensor(found[name], dtype=torch.float64).cpu()
            if loss.ndim > 1 or not loss.isfinite().all():
                raise ValueError(f"EarlyStop: held_out gave {loss.tolist()} for {name}; expected finite, () or (r,)")
            if loss.ndim and any(value.shape[:1] != loss.shape for value in unit.state_dict().values()):
                raise ValueError(
                    f"EarlyStop: held_out gave {len(loss)} losses for {name}; expected one number for one model"
                )
            if name not in self.loss:
                self.loss[name] = torch.full_like(loss, torch.inf)
                self.epoch[name] = torch.zeros_like(loss, dtype=torch.int64)
                self.weights[name] = {key: value.detach().clone() for key, value in unit.state_dict().items()}
            better = (loss < self.loss[name]) & ~self._stopped(name, epoch)
            self.loss[name] = torch.where(better, loss, self.loss[name])
            self.epoch[name] = torch.where(better, epoch, self.epoch[name])
            for key, value in unit.state_dict().items():
                self.weights[name][key][better.to(value.device)] = value.detach()[better.to(value.device)]
            curves[f"held out {name}"] = loss.mean().item()
        return curves

    def _stopped(self, name: str, epoch: int) -> Tensor:
        """Whose patience had run out before `epoch`; such a unit or replica no longer changes."""
        if self.stop.patience is None:
            return torch.zeros_like(self.epoch[name], dtype=torch.bool)
        return epoch - 1 - self.epoch[name] >= self.stop.patience

    def finished(self, epoch: int) -> bool:
        """Whether nothing is left to train in `epoch`."""
        return bool(self.epoch) and all(bool(self._stopped(name, epoch).all()) for name in self.units)

    def restore(self) -> None:
        """Put the best weights back."""
        for name, unit in self.units.items():
            unit.load_state_dict(self.weights[name])
        self.stop.found.update({name: epoch.clone() for name, epoch in self.epoch.items()})

    def state(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint must hold."""
        tensors = {}
        for name, weights in self.weights.items():
            tensors |= {f"{name}.loss": self.loss[name], f"{name}.epoch": self.epoch[name]}
            tensors |= {f"{name}.weights.{key}": value for key, value in weights.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        for name, unit in self.units.items():
            self.loss[name], self.epoch[name] = tensors[f"{name}.loss"], tensors[f"{name}.epoch"]
            self.weights[name] = {key: tensors[f"{name}.weights.{key}"] for key in unit.state_dict()}
