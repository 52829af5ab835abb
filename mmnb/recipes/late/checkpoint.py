"""Training checkpoints: model, optimiser and progress in one file. Loading fails if the file belongs to a different run."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.checkpoint import Checkpoint, load_optimiser, optimiser_state


def file(path: str | os.PathLike) -> Path:
    """The path; ValueError where it is a folder."""
    return Checkpoint(path, {}, caller="fit").path


def save(
    path: Path,
    identity: dict[str, Any],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: dict[str, Any],
    kept: dict[str, Tensor],
) -> None:
    """Write weights, optimiser state, progress and what early stopping has `kept`."""
    tensors, rest = optimiser_state(optimiser)
    tensors |= {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"kept.{name}": value for name, value in kept.items()}
    Checkpoint(path, {"training": "fit"} | identity).save(tensors, {"progress": progress, "optimiser": rest})


def load(
    path: Path, identity: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore weights and optimiser, and return the progress with what was "kept"; None where there is no file yet.

    Raises:
        ValueError: When the file is something else, damaged, or of another training, saying what differs.
    """
    saved = Checkpoint(path, {"training": "fit"} | identity, caller="fit").load()
    if saved is None:
        return None
    tensors, found = saved
    model.load_state_dict({name.removeprefix("model."): v for name, v in tensors.items() if name.startswith("model.")})
    load_optimiser(optimiser, tensors, found["optimiser"])
    kept = {name.removeprefix("kept."): value for name, value in tensors.items() if name.startswith("kept.")}
    return found["progress"] | {"kept": kept}
