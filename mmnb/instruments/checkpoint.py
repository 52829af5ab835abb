"""Checkpoints: one file format for all that runs long, passes over a grid as well as trainings.

A file in safetensors format holds tensors, and in its header, as JSON, whose they are (`identity`), how far the run got (`progress`)
and a checksum of all three: safetensors has none, and a damaged sum is a number like any other.
It takes its name only when it is whole (written beside it, then replaced), so a reader sees the old file or the new one.
"""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmnb.instruments.identity import fingerprint

_KIND = "mmnb checkpoint 3"
_SAVING_SHARE = 0.05  # of the run's time at most, however large the tensors


class Checkpoint:
    """The file `path` of a run that `identity` describes.

    Args:
        path: A file whose folder exists or can be made.
        identity: Texts, numbers and lists, all of which must agree for a run to be continued.
        save_every: Seconds between two saves, at least; 0 saves whenever it can.
        caller: Who is named in error messages.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Checkpoint(Path(folder) / "run.safetensors", {"n": 3})
        ...     file.save({"row": torch.ones(3)}, {"blocks": 2})
        ...     tensors, progress = file.load()
        >>> tensors["row"].tolist(), progress
        ([1.0, 1.0, 1.0], {'blocks': 2})
    """

    def __init__(
        self, path: str | os.PathLike, identity: dict[str, Any], *, save_every: float = 30.0, caller: str = "checkpoint"
    ) -> None:
        self.path, self.identity, self.save_every = Path(path), json.loads(json.dumps(identity)), save_every
        self.caller = caller
        if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):  # s3://bucket: a local folder "s3:" would appear
            raise ValueError(f"{caller}: got checkpoint={str(path)!r}; expected a file or folder of this computer")
        if self.path.is_dir():
            raise ValueError(f"{caller}: checkpoint={str(path)!r} is a folder; expected the name of a file")
        self._next = time.monotonic() + save_every

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """(tensors, progress) of the last save, None where there is none yet.

        Raises ValueError for a file that cannot be read, is something else or not as it was written, or belongs to another run, saying
        what differs.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                header = file.metadata() or {}
                if header.get("kind") != _KIND:
                    raise SafetensorError("it is no checkpoint of this version")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            if header.get("sha256") != _sha256(tensors, header):
                raise SafetensorError("it is damaged: its checksum is another")
        except SafetensorError as error:
            raise ValueError(
                f"{self.caller}: {self.path} cannot be read ({error}); expected a checkpoint, or no file"
            ) from error
        self._check_identity(json.loads(header["identity"]))
        return tensors, json.loads(header["progress"])

    def _check_identity(self, found: dict[str, Any]) -> None:
        pairs = {name: (found.get(name), self.identity.get(name)) for name in sorted({*self.identity, *found})}
        if changes := "; ".join(
            f"{name} was {old!r} and is {new!r}" for name, (old, new) in pairs.items() if old != new
        ):
            raise ValueError(
                f"{self.caller}: the checkpoint {self.path} belongs to another run: {changes}. Give another path, or delete the file "
                "to start anew"
            )

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    def save(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Put the file in its place, whole or not at all."""
        start = time.monotonic()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        header = {"kind": _KIND, "identity": json.dumps(self.identity), "progress": json.dumps(progress)}
        tensors = {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
        # one name for the unfinished file: what a kill leaves behind is overwritten next time
        part = self.path.with_name(f".{self.path.name}.part")
        save_file(tensors, part, header | {"sha256": _sha256(tensors, header)})
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        part.replace(self.path)
        now = time.monotonic()
        self._next = now + max(self.save_every, (now - start) / _SAVING_SHARE) if self.save_every else now


def _sha256(tensors: dict[str, Tensor], header: dict[str, str]) -> str:
    """Of the tensors (names, types, shapes, bytes) and of what the header says besides."""
    return fingerprint([sorted(tensors.items()), sorted((k, v) for k, v in header.items() if k != "sha256")])


def path_of_process(path: str | os.PathLike, rank: int, world: int) -> Path:
    """`path` for a process alone, else a file for each process beside it.

    Raises ValueError where another number of processes left theirs: their rows were shared out differently.

    Example:
        >>> path_of_process("run.safetensors", 1, 2).name
        'run.rank-1-of-2.safetensors'
    """
    path = Path(path)
    pattern = re.compile(re.escape(path.stem) + r"\.rank-\d+-of-(\d+)" + re.escape(path.suffix))
    found = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    worlds = {file: int(match[1]) for file in found if (match := pattern.fullmatch(file.name))}
    worlds |= {path: 1} if path.exists() else {}
    for file, other in worlds.items():
        if other != world:
            raise ValueError(
                f"grid: the checkpoint {file} belongs to a run of {other} processes and this one has {world}; expected the same number: "
                "give another path, or delete the file to start anew"
            )
    return path if world == 1 else path.with_name(f"{path.stem}.rank-{rank}-of-{world}{path.suffix}")


def optimiser_state(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors, called "optimiser.<parameter>.<name>", and what of it is JSON: other values and options."""
    state = optimiser.state_dict()
    values = {f"optimiser.{i}.{name}": v for i, entry in state["state"].items() for name, v in entry.items()}
    groups = [{name: value for name, value in group.items() if name != "params"} for group in state["param_groups"]]
    plain = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
    return {name: v for name, v in values.items() if isinstance(v, Tensor)}, {"plain": plain, "groups": groups}


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
    """Put back what `optimiser_state` gave; `tensors` may hold others, too."""
    state = optimiser.state_dict() | {"state": {}}
    for name, value in ({k: v for k, v in tensors.items() if k.startswith("optimiser.")} | rest["plain"]).items():
        _, index, key = name.split(".", 2)
        state["state"].setdefault(int(index), {})[key] = value
    for group, kept in zip(state["param_groups"], rest["groups"], strict=True):
        group.update({name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()})
    optimiser.load_state_dict(state)
