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
from mmnb.recipes.late.objectives import check_labels

HeldOut = Callable[[LateModel], Mapping[str, Tensor | float]]


@dataclass(frozen=True)
class EarlyStop:
    """Option `stop` of `fit`: the model comes back with the weights of its best epoch, the earliest of equals.

    Args:
        held_out: Called after every epoch in eval mode without gradient; name -> loss, lower is better, one number or (r,) with r
            replicas. Needs "joint", or the modalities' names for `Unimodal`. See `held_out`.
        patience: Epochs without a lower loss after which a unit stops; None trains all epochs and keeps the best one.
        found: After `fit`, name -> best epoch, counted from 0, int64, () or (r,).
    """

    held_out: HeldOut = field(repr=False)
    patience: int | None = None
    found: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"EarlyStop: got patience={self.patience}; expected at least 1, or None")


def held_out(inputs: Mapping[str, Any], label: Tensor) -> HeldOut:
    """Mean held-out cross-entropy of all heads, for `EarlyStop`: label (n,), or (r, n) with replicas.

    >>> from mmnb.recipes.late import Concat
    >>> blank = LateModel({"a": nn.Flatten()}, Concat([2], classes=4))
    >>> _ = [nn.init.zeros_(parameter) for parameter in blank.parameters()]
    >>> round(held_out({"a": torch.ones(3, 2)}, torch.tensor([0, 1, 2]))(blank)["joint"].item(), 4)  # log 4
    1.3863
    """

    def losses(model: LateModel) -> dict[str, Tensor]:
        found = model.logits({name: inputs[name] for name in model.names})
        for name, logits in found.items():
            check_labels(logits, label, "held_out")
            wide, own = logits.cpu().double().flatten(0, -2), label.cpu().flatten()  # an Apple device has no float64
            each = functional.cross_entropy(wide, own, reduction="none")
            found[name] = each.view(label.shape).mean(-1)
        return found

    return losses


class BestWeights:
    """The best weights so far of each unit, name -> module, and of each replica in it; without a `stop` it keeps nothing.

    They are in `kept` as a checkpoint holds them, on the CPU: "NAME.loss", "NAME.epoch" and "NAME.weights.KEY".
    """

    def __init__(self, stop: EarlyStop | None, units: Mapping[str, nn.Module]) -> None:
        self.stop, self.units = stop, units if stop is not None else {}
        self.kept: dict[str, Tensor] = {}

    def update(self, model: LateModel, epoch: int) -> dict[str, float]:
        """Measure after `epoch` and keep the weights that are better. Returns the mean held-out losses, for the curves."""
        found = self.stop.held_out(model) if self.stop is not None else {}
        if not set(self.units) <= set(found):
            raise ValueError(
                f"EarlyStop: held_out gave {sorted(found)}; expected a loss for each of {list(self.units)}"
            )
        curves = {}
        for name, unit in self.units.items():
            loss = (
                found[name].cpu() if isinstance(found[name], Tensor) else torch.tensor(found[name], dtype=torch.float64)
            )
            loss, weights = loss.double(), unit.state_dict()
            if loss.ndim > 1 or not loss.isfinite().all():
                raise ValueError(f"EarlyStop: held_out gave {loss.tolist()} for {name}; expected finite, () or (r,)")
            if loss.ndim and any(value.shape[:1] != loss.shape for value in weights.values()):
                raise ValueError(
                    f"EarlyStop: held_out gave {len(loss)} losses for {name}; expected one number for one model"
                )
            now = {f"{name}.loss": loss, f"{name}.epoch": torch.full_like(loss, epoch, dtype=torch.int64)}
            now |= {f"{name}.weights.{key}": value.detach().cpu() for key, value in weights.items()}
            if f"{name}.loss" in self.kept:
                better = (loss < self.kept[f"{name}.loss"]) & ~self._stopped(name, epoch)
                for key, value in now.items():
                    self.kept[key][better] = value[better]
            else:
                self.kept |= {key: value.clone() for key, value in now.items()}
            curves[f"held out {name}"] = loss.mean().item()
        return curves

    def _stopped(self, name: str, epoch: int) -> Tensor:
        """Whose patience had run out before `epoch`; such a unit or replica no longer changes."""
        patience = torch.inf if self.stop.patience is None else self.stop.patience
        return epoch - 1 - self.kept[f"{name}.epoch"] >= patience

    def finished(self, epoch: int) -> bool:
        """Whether nothing is left to train in `epoch`."""
        return bool(self.kept) and all(bool(self._stopped(name, epoch).all()) for name in self.units)

    def restore(self) -> None:
        """Put the best weights back."""
        for name, unit in self.units.items():
            unit.load_state_dict({key: self.kept[f"{name}.weights.{key}"] for key in unit.state_dict()})
            self.stop.found[name] = self.kept[f"{name}.epoch"].clone()
