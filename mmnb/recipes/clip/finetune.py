"""Fine-tuning a public CLIP on pairs of pictures and texts at one temperature, as Liang et al. 2022 did. For the profile `paper`.

Each run has its own folder. A killed run continues where it last saved and ends with the same weights: the order of the pairs depends on the
seed and the epoch alone, and the optimiser's moments are kept. A finished run is read, not repeated.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from mmnb.models.clip import Loaded, PicturesWithTexts
from mmnb.recipes.clip.contrast import symmetric_loss

RUNNING, FINISHED = "running.safetensors", "weights.safetensors"
_KIND = "mmnb fine-tuning 1"


@dataclass(frozen=True)
class Settings:
    """How `finetune` trains. The defaults are those of the released code.

    Attributes:
        tau: Temperature at the start; as in the released code it is trained with the rest and has no bound.
        epochs: Passes through all pairs, each in a new order; a last short batch is left out.
        batch_size, learning_rate, betas, eps, weight_decay: Of Adam, without a schedule; the decay is part of the gradient, not AdamW's.
        seed: Of the orders.

    Source:
        github.com/Weixin-Liang/Modality-Gap, Table_1_Implications_CLIP_Zero_Shot/training/utils.py.
    """

    tau: float
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.2
    seed: int = 1234

    def __post_init__(self) -> None:
        if not self.tau > 0 or self.epochs < 1 or self.batch_size < 2:
            raise ValueError(f"Settings: got {self}; expected tau > 0, epochs >= 1, batch_size >= 2")


def finetune(
    load: Callable[[], Loaded],
    pairs: PicturesWithTexts,
    folder: Path | str,
    settings: Settings,
    measure: Callable[[Loaded], dict[str, float]],
    *,
    every: float = 600.0,
    workers: int = 0,
    progress: bool | None = None,
) -> list[dict[str, float]]:
    """Fine-tune a CLIP and measure it after each epoch.

    Args:
        load: Gives the model to start from, anew on each call.
        pairs: As from `mmnb.data.coco.load`.
        folder: For this run alone, made if missing. It then holds `weights.safetensors`, which `mmnb.models.clip.load(name, path)` loads.
        measure: Called with the model after each epoch, in eval mode and without gradient; returns named numbers.
        every: Seconds between two saves.
        workers: Processes that read pictures.

    Returns:
        One dict per epoch: "epoch" from 1, "loss" (mean over its batches, in nats), "tau" at its end, and what `measure` gave.

    Raises:
        ValueError: The folder belongs to another run, or there is not one full batch.
        FloatingPointError: The loss is no longer finite; raised before it reaches the weights.
    """
    folder, loaded = Path(folder), load()
    steps = len(pairs) // settings.batch_size
    if not steps:
        raise ValueError(f"finetune: got {len(pairs)} pairs; expected at least one batch of {settings.batch_size}")
    model = loaded.model.eval()  # as in the released code: CLIP has nothing that training mode would change
    run = _Run(folder, _identity(model, pairs, settings))
    if (finished := run.read(FINISHED, model)) is not None:
        (folder / RUNNING).unlink(missing_ok=True)  # as when a kill came between the two lines at the end
        return finished["epochs"]
    with torch.no_grad():
        model.logit_scale.fill_(-math.log(settings.tau))
    optimiser = torch.optim.Adam(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )
    done = run.read(RUNNING, model, optimiser) or {"steps": 0, "sum": 0.0, "epochs": []}
    due = time.monotonic() + every
    total = steps * settings.epochs
    hidden = None if progress is None else not progress
    with tqdm(total=total, initial=done["steps"], desc=f"1/tau = {1 / settings.tau:g}", disable=hidden) as bar:
        while len(done["epochs"]) < settings.epochs:
            epoch = len(done["epochs"])
            batches = _order(len(pairs), epoch, settings)[done["steps"] - epoch * steps :]
            for pixels, tokens in DataLoader(_Ready(pairs, loaded), batch_sampler=batches, num_workers=workers):
                done["sum"] += _step(model, optimiser, pixels, tokens)
                done["steps"] += 1
                bar.update()
                if time.monotonic() >= due:
                    run.write(RUNNING, done, model, optimiser)
                    due = time.monotonic() + every
            run.write(RUNNING, done, model, optimiser)  # before measuring, which may take long
            row = {"epoch": epoch + 1, "loss": done["sum"] / steps, "tau": math.exp(-model.logit_scale.item())}
            with torch.no_grad():
                row |= {name: float(value) for name, value in measure(loaded).items()}
            done = {"steps": done["steps"], "sum": 0.0, "epochs": [*done["epochs"], row]}
            run.write(RUNNING, done, model, optimiser)
    run.write(FINISHED, done, model)
    (folder / RUNNING).unlink()
    return done["epochs"]


def _step(model: nn.Module, optimiser: torch.optim.Optimizer, pixels: Tensor, tokens: Tensor) -> float:
    device = model.logit_scale.device
    images, texts = model.encode_image(pixels.to(device)), model.encode_text(tokens.to(device))
    images, texts = functional.normalize(images, dim=1), functional.normalize(texts, dim=1)
    loss = symmetric_loss(images, texts, (-model.logit_scale).exp())
    if not loss.isfinite():
        raise FloatingPointError(f"finetune: the loss is {loss.item()}; try a smaller learning_rate")
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def _order(n: int, epoch: int, settings: Settings) -> list[list[int]]:
    """The batches of one epoch: a permutation, cut into full batches."""
    order = np.random.default_rng((settings.seed, epoch)).permutation(n)
    whole = n - n % settings.batch_size
    return order[:whole].reshape(-1, settings.batch_size).tolist()


class _Ready(Dataset):
    """Pairs as tensors: pixels, tokens."""

    def __init__(self, pairs: PicturesWithTexts, loaded: Loaded) -> None:
        self.pairs, self.preprocess, self.tokenize = pairs, loaded.preprocess, loaded.tokenize

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image, text = self.pairs[row]
        return self.preprocess(image), self.tokenize([text])[0]


def _identity(model: nn.Module, pairs: PicturesWithTexts, settings: Settings) -> dict[str, Any]:
    """What two runs must share for one to go on with the other."""
    weights = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        weights.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    texts = [pairs[row][1] for row in (0, len(pairs) - 1)]
    kept = json.loads(json.dumps(asdict(settings)))
    return kept | {"pairs": len(pairs), "first and last text": texts, "starting weights": weights.hexdigest()[:16]}


class _Run:
    """The files of one run; each takes its name only when it is whole."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder, self.identity = folder, identity
        folder.mkdir(parents=True, exist_ok=True)

    def write(
        self, name: str, done: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer | None = None
    ) -> None:
        tensors = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
        if optimiser is not None:
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"adam {number} {key}": value for key, value in state.items()}
        header = {"kind": _KIND, "identity": json.dumps(self.identity), "done": json.dumps(done)}
        part = self.folder / f".{name}.part"  # one name: what a kill leaves behind is overwritten next time
        save_file(tensors, part, metadata=header)
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        part.replace(self.folder / name)

    def read(
        self, name: str, model: nn.Module, optimiser: torch.optim.Optimizer | None = None
    ) -> dict[str, Any] | None:
        """Load model and optimiser; how far the run got, None where there is no such file. Raises: ValueError for another run's."""
        path = self.folder / name
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                self._refuse_others(path, json.loads(header["identity"]) if header.get("kind") == _KIND else {})
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise ValueError(
                f"finetune: {path} cannot be read ({error}); expected a file that `finetune` wrote, or none"
            ) from error
        moments: dict[int, dict[str, Tensor]] = {}
        for key in [key for key in tensors if key.startswith("adam ")]:
            _, number, field = key.split(" ")
            moments.setdefault(int(number), {})[field] = tensors.pop(key)
        model.load_state_dict(tensors)
        if optimiser is not None:
            optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
        return json.loads(header["done"])

    def _refuse_others(self, path: Path, found: dict[str, Any]) -> None:
        names = [key for key in sorted({*found, *self.identity}) if found.get(key) != self.identity.get(key)]
        if names:
            changes = "; ".join(f"{key} was {found.get(key)!r} and is {self.identity.get(key)!r}" for key in names)
            raise ValueError(
                f"finetune: {path} belongs to another run: {changes}. Give another folder, or delete this one to start anew"
            )
