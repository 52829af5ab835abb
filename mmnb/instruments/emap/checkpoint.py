"""Sums on disk: a run that is killed at any moment goes on from its last saved block of rows, and ends with the same bits.

One safetensors file: the tensors of `Sums.state_dict()`, and in the header, as JSON, whose sums they are (`identity`) and how far they
got (`progress`). It takes its name only when it is whole (write beside it, then replace), so a reader sees the old file or the new one.
The same bits come back because the blocks and their order are part of the identity: sums are interrupted, never regrouped.
"""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

_KIND = "mmnb emap checkpoint 1"
_SAVING_SHARE = 0.05  # of the run's time at most, however large the sums


class Checkpoint:
    """The file `path`, for sums that belong to `identity` (a dict of texts and numbers, all of which must agree).

    Args: path, a file whose folder exists or can be made; identity; every, seconds between two saves at least: what a kill can cost.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Checkpoint(Path(folder) / "run.safetensors", {"n": 3})
        ...     file.save({"row": torch.ones(3)}, {"blocks": 2})
        ...     tensors, progress = file.load()
        >>> tensors["row"].tolist(), progress
        ([1.0, 1.0, 1.0], {'blocks': 2})
    """

    def __init__(self, path: str | os.PathLike, identity: dict[str, Any], *, every: float = 30.0) -> None:
        self.path, self.identity, self.every = Path(path), identity, every
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_dir():
            raise ValueError(f"emap: checkpoint={str(self.path)!r} is a folder; expected the name of a file")
        self._next = time.monotonic() + every

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """(tensors, progress) of the last save, None where there is none yet.

        Raises: ValueError for a file that is something else, or that holds the sums of another run, saying what differs.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                header = file.metadata() or {}
                if header.get("kind") != _KIND:
                    raise ValueError(f"emap: {self.path} is no checkpoint of emap; expected one, or no file")
                self._refuse_others(json.loads(header["identity"]))
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(header["progress"])  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise ValueError(
                f"emap: {self.path} cannot be read ({error}); expected a checkpoint, or no file"
            ) from error

    def _refuse_others(self, found: dict[str, Any]) -> None:
        mine = json.loads(json.dumps(self.identity))
        differs = [name for name in sorted({*mine, *found}) if mine.get(name) != found.get(name)]
        if differs:
            changes = "; ".join(f"{name} was {found.get(name)!r} and is {mine.get(name)!r}" for name in differs)
            raise ValueError(
                f"emap: the checkpoint {self.path} belongs to another run: {changes}. Expected the same model, data, dtype, batch size "
                "and number of processes; give another path, or delete the file to start anew"
            )

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    def save(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Put the file in its place, whole or not at all."""
        start = time.monotonic()
        header = {"kind": _KIND, "identity": json.dumps(self.identity), "progress": json.dumps(progress)}
        # one name for the unfinished file: what a kill leaves behind is overwritten next time
        part = self.path.with_name(f".{self.path.name}.part")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata=header)
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        part.replace(self.path)
        now = time.monotonic()
        self._next = now + max(self.every, (now - start) / _SAVING_SHARE)


def file_of_rank(path: str | os.PathLike, rank: int, world: int) -> Path:
    """`path` for a process alone, else a file for each rank beside it.

    Raises: ValueError where another number of processes left theirs: their rows were shared out differently.
    Example:
        >>> file_of_rank("run.safetensors", 1, 2).name
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
                f"emap: the checkpoint {file} belongs to a run of {other} processes and this one has {world}; expected the same number: "
                "give another path, or delete the file to start anew"
            )
    return path if world == 1 else path.with_name(f"{path.stem}.rank-{rank}-of-{world}{path.suffix}")
