"""Fine-tuning a public CLIP on pairs of pictures and texts at one temperature, as Liang et al. 2022 did. For the profile `paper`.

Each run has its own folder. A killed run continues where it last saved and ends with the same weights: the order of the pairs depends on the
seed and the epoch alone, and the optimiser's moments are kept. A finished run is read, not repeated.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from mmnb.instruments.checkpoint import Checkpoint, load_optimiser, optimiser_state
from mmnb.instruments.identity import fingerprint
from mmnb.models.clip import Loaded, PicturesWithTexts
from mmnb.recipes.clip.contrast import symmetric_loss
from mmnb.recipes.fit import step

RUNNING, FINISHED = "running.safetensors", "weights.safetensors"


@dataclass(frozen=True)
class Settings:
    """How `finetune` trains: Adam without a schedule. The defaults are those of the released code.

    Source:
        github.com/Weixin-Liang/Modality-Gap, Table_1_Implications_CLIP_Zero_Shot/training/utils.py.
    """

    tau: float  # temperature at the start; it is trained with the rest and has no bound
    epochs: int = 5  # passes through all pairs, each in a new order; a last short batch is left out
    batch_size: int = 64
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.2  # part of the gradient, not AdamW's
    seed: int = 1234  # of the orders

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

    Returns one dict per epoch: "epoch" from 1, "loss" (mean over its batches, in nats), "tau" at its end, and what `measure` gave.
    """
    folder, loaded = Path(folder), load()
    steps = len(pairs) // settings.batch_size
    if not steps:
        raise ValueError(f"finetune: got {len(pairs)} pairs; expected at least one batch of {settings.batch_size}")
    model = loaded.model.eval()  # as in the released code: CLIP has nothing that training mode would change
    identity = asdict(settings) | {
        "pairs": len(pairs),
        "first and last pair": fingerprint([pairs[row] for row in (0, len(pairs) - 1)]),
    }
    identity["starting weights"] = fingerprint(dict(sorted(model.state_dict().items())))
    running, whole = (
        Checkpoint(folder / name, identity, save_every=every, caller="finetune") for name in (RUNNING, FINISHED)
    )
    if (finished := _load(whole, model)) is not None:
        (folder / RUNNING).unlink(missing_ok=True)  # as when a kill came between the two lines at the end
        return finished["epochs"]
    with torch.no_grad():
        model.logit_scale.fill_(-math.log(settings.tau))
    given = {name: getattr(settings, name) for name in ("betas", "eps", "weight_decay")}
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, **given)
    done = _load(running, model, optimiser) or {"steps": 0, "sum": 0.0, "epochs": []}
    ready = partial(_ready, loaded.preprocess, loaded.tokenize)
    hidden, total = None if progress is None else not progress, steps * settings.epochs
    with tqdm(total=total, initial=done["steps"], desc=f"1/tau = {1 / settings.tau:g}", disable=hidden) as bar:
        while len(done["epochs"]) < settings.epochs:
            epoch = len(done["epochs"])
            batches = _order(len(pairs), epoch, settings)[done["steps"] - epoch * steps :]
            for pixels, tokens in DataLoader(pairs, batch_sampler=batches, num_workers=workers, collate_fn=ready):
                done["sum"] += step(_loss(model, pixels, tokens), optimiser, "finetune")
                done["steps"] += 1
                bar.update()
                if running.due():
                    _save(running, done, model, optimiser)
            _save(running, done, model, optimiser)  # before measuring, which may take long
            row = {"epoch": epoch + 1, "loss": done["sum"] / steps, "tau": math.exp(-model.logit_scale.item())}
            with torch.no_grad():
                row |= {name: float(value) for name, value in measure(loaded).items()}
            done = {"steps": done["steps"], "sum": 0.0, "epochs": [*done["epochs"], row]}
            _save(running, done, model, optimiser)
    _save(whole, done, model)
    (folder / RUNNING).unlink()
    return done["epochs"]


def _loss(model: nn.Module, pixels: Tensor, tokens: Tensor) -> Tensor:
    device = model.logit_scale.device
    images, texts = model.encode_image(pixels.to(device)), model.encode_text(tokens.to(device))
    images, texts = functional.normalize(images, dim=1), functional.normalize(texts, dim=1)
    return symmetric_loss(images, texts, (-model.logit_scale).exp())


def _order(n: int, epoch: int, settings: Settings) -> list[list[int]]:
    """The batches of one epoch: a permutation, cut into full batches."""
    order = np.random.default_rng((settings.seed, epoch)).permutation(n)
    whole = n - n % settings.batch_size
    return order[:whole].reshape(-1, settings.batch_size).tolist()


def _ready(preprocess: Callable, tokenize: Callable, some: list[tuple[Any, str]]) -> tuple[Tensor, Tensor]:
    """Pairs as tensors: pixels, tokens."""
    images, texts = zip(*some, strict=True)
    return torch.stack([preprocess(image) for image in images]), tokenize(list(texts))


def _save(file: Checkpoint, done: dict[str, Any], model: nn.Module, optimiser: Optimizer | None = None) -> None:
    tensors, rest = ({}, None) if optimiser is None else optimiser_state(optimiser)
    file.save(model.state_dict() | tensors, {"done": done, "optimiser": rest})


def _load(file: Checkpoint, model: nn.Module, optimiser: Optimizer | None = None) -> dict[str, Any] | None:
    """How far the run got, with its state put into model and optimiser; None where there is no such file."""
    if (saved := file.load()) is None:
        return None
    tensors, progress = saved
    model.load_state_dict({name: value for name, value in tensors.items() if not name.startswith("optimiser.")})
    if optimiser is not None:
        load_optimiser(optimiser, tensors, progress["optimiser"])
    return progress["done"]
