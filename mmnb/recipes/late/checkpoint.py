"""A training on disk: whole or not at all, in safetensors, and only ever continued by the same training."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

_KIND = "mmnb training 1"


def file(path: str | os.PathLike) -> Path:
    """The path, refused where it is a folder."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"fit: checkpoint={str(path)!r} is a folder; expected the name of a file")
    return path


def save(
    path: Path,
    identity: dict[str, Any],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: dict[str, Any],
    kept: dict[str, Tensor],
) -> None:
    """Write weights, optimiser state, progress and what early stopping has `kept`; the file takes its name only when it is whole."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"kept.{name}": value for name, value in kept.items()}
    plain: dict[str, Any] = {}
    state = optimiser.state_dict()
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                plain[f"{index}.{name}"] = value
    groups = [{k: v for k, v in group.items() if k != "params"} for group in state["param_groups"]]
    header = {"kind": _KIND, "identity": identity, "progress": progress, "plain": plain, "groups": groups}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")  # what a kill leaves behind is overwritten next time
    save_file(
        {name: value.detach().clone().contiguous() for name, value in tensors.items()},
        part,
        metadata={name: json.dumps(value) for name, value in header.items()},
    )
    with part.open("r+b") as file:
        os.fsync(file.fileno())  # else a power cut could leave the name without the content
    part.replace(path)


def load(
    path: Path, identity: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Put the weights and the optimiser's state back, and return the progress with what was "kept"; None where there is no file yet.

    Raises: ValueError when the file is something else, damaged, or of another training, saying what differs.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"fit: {path} cannot be read ({error}); expected a checkpoint of fit, or no file") from error
    if header.get("kind") != _KIND:
        raise ValueError(f"fit: {path} is no checkpoint of fit; expected one, or no file")
    mine = json.loads(json.dumps(identity))
    differs = [name for name in sorted({*mine, *header["identity"]}) if mine.get(name) != header["identity"].get(name)]
    if differs:
        told = "; ".join(f"{name} was {header['identity'].get(name)!r} and is {mine.get(name)!r}" for name in differs)
        raise ValueError(
            f"fit: the checkpoint {path} belongs to another training: {told}. Give another path, or delete the file"
        )
    model.load_state_dict({name.removeprefix("model."): v for name, v in tensors.items() if name.startswith("model.")})
    state = optimiser.state_dict()
    state["state"] = {}
    entries = {name.removeprefix("optimiser."): v for name, v in tensors.items() if name.startswith("optimiser.")}
    for name, value in (entries | header["plain"]).items():
        index, _, key = name.partition(".")
        state["state"].setdefault(int(index), {})[key] = value
    for group, kept in zip(state["param_groups"], header["groups"], strict=True):
        group.update({k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()})
    optimiser.load_state_dict(state)
    kept = {name.removeprefix("kept."): value for name, value in tensors.items() if name.startswith("kept.")}
    return header["progress"] | {"kept": kept}
