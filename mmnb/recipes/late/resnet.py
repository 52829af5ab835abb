"""ResNet-18 late fusion on clips: sound as a log-mel picture, a few frames; jointly, alone, and with teachers. For the profile `paper`."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from mmnb.data.audio_visual import Clips
from mmnb.instruments import blending, laziness
from mmnb.recipes import late

WIDTH = 512


class SoundEncoder(nn.Module):
    """ResNet-18 from random weights on one channel: (n, 1, bands, frames) -> (n, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _resnet()
        self.body.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)

    def forward(self, sound: Tensor) -> Tensor:
        return self.body(sound)


class FrameEncoder(nn.Module):
    """ResNet-18 from random weights on each frame, mean over frames: (n, frames, 3, s, s) -> (n, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _resnet()

    def forward(self, frames: Tensor) -> Tensor:
        n, k = frames.shape[:2]
        return self.body(frames.flatten(0, 1)).view(n, k, -1).mean(1)


def build(classes: int, seed: int, device: str = "cpu") -> late.LateModel:
    """Two ResNet-18 encoders, a `Concat` head and a linear head for each modality; the weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoders = {"audio": SoundEncoder(), "image": FrameEncoder()}
        heads = {name: nn.Linear(WIDTH, classes) for name in encoders}
        return late.LateModel(encoders, late.Concat([WIDTH, WIDTH], classes), heads).to(device)


def batches(clips: Clips, split: str, *, batch_size: int, seed: int, device: str = "cpu", **options) -> late.Batches:
    """Batches for `late.fit`, read clip by clip in an order that depends on (seed, epoch) alone. Options go to `Clips.batch`."""
    rows = clips.rows(split)

    def read(epoch: int) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        for start in range(0, len(rows), batch_size):
            inputs, label = clips.batch([rows[k] for k in order[start : start + batch_size]], **options)
            yield {name: x.to(device) for name, x in inputs.items()}, label.to(device)

    return read


def sgd(parameters) -> torch.optim.Optimizer:
    """SGD as OGM-GE's authors set it: rate 1e-3, momentum 0.9, weight decay 1e-4."""
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=1e-4)


def step_down(epochs: int, drop_at: float) -> Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]:
    """A schedule for `late.fit`: the learning rate falls to a tenth after the share `drop_at` of the epochs."""
    return lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, max(1, int(drop_at * epochs)), 0.1)


def compare(
    clips: Clips,
    *,
    epochs: int,
    seed: int,
    lam: float = 1.0,
    drop_at: float = 0.7,
    batch_size: int = 64,
    checkpoints: str | None = None,
    **options,
) -> dict[str, float]:
    """Train alone, jointly and with teachers on the training split; accuracies on the test split.

    Args:    epochs; lam, weight of the teachers; drop_at, share of the epochs after which the learning rate falls to a tenth (published: 70 of
             100); checkpoints, a path whose stem is completed by each way's name, so that a killed run goes on; options of `Clips.batch`.
    Returns: name -> accuracy: "audio", "image" (alone), "UME", "joint", "UMT".
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train = batches(clips, "train", batch_size=batch_size, seed=seed, device=device, **options)
    test = batches(clips, "test", batch_size=batch_size, seed=seed, device=device, **options)
    schedule = step_down(epochs, drop_at)

    def trained(name: str, way: late.Way) -> late.LateModel:
        model = build(len(clips.classes), seed, device)
        file = None if checkpoints is None else f"{checkpoints}-{name}.safetensors"
        late.fit(model, train, way, epochs=epochs, seed=seed, optimiser=sgd, schedule=schedule, checkpoint=file)
        return model

    alone = trained("alone", late.Alone())
    found = {"audio": alone, "image": alone, "UME": alone, "joint": trained("joint", late.Joint())}
    found["UMT"] = trained("umt", late.Umt(dict(alone.encoders.items()), lam))
    return {name: _accuracy(model, test, name) for name, model in found.items()}


def blend(
    clips: Clips,
    *,
    epochs: int,
    seed: int,
    drop_at: float = 0.7,
    batch_size: int = 64,
    checkpoints: str | None = None,
    **options,
) -> dict[str, float]:
    """Naive joint training, the offline Gradient-Blending estimate from it, and a training with its weights.

    Args:    epochs of each training; seed; drop_at, checkpoints and options as in `compare` (the estimate itself keeps no checkpoint). The
             held-out split is `validation`; training loss is measured on `train`.
    Returns: name -> test accuracy of "joint" and "G-Blend", and the weights as "weight NAME".
    Raises:  ValueError when nothing generalised, see `mmnb.blending.weights`.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, held_out, test = (
        batches(clips, split, batch_size=batch_size, seed=seed, device=device, **options)
        for split in ("train", "validation", "test")
    )
    start = build(len(clips.classes), seed, device)
    schedule = step_down(epochs, drop_at)
    points = late.estimate(start, train, lambda: held_out(0), epochs, seed=seed, optimiser=sgd, schedule=schedule)
    weights = blending.weights(points)
    found = {f"weight {name}": value for name, value in weights.items()}
    for name, way in (("joint", late.Joint()), ("G-Blend", late.Blended(weights))):
        model = build(len(clips.classes), seed, device)
        file = None if checkpoints is None else f"{checkpoints}-{name}.safetensors"
        late.fit(model, train, way, epochs=epochs, seed=seed, optimiser=sgd, schedule=schedule, checkpoint=file)
        found[name] = _accuracy(model, test, "joint")
    return found


@torch.no_grad()
def _accuracy(model: late.LateModel, test: late.Batches, name: str) -> float:
    right, count = 0, 0
    for inputs, label in test(0):
        logits = model.logits(inputs)
        told = (
            laziness.average([logits[m] for m in model.names])
            if name == "UME"
            else logits.get(name, logits[late.JOINT])
        )
        right, count = right + int((told.argmax(1) == label).sum()), count + len(label)
    return right / count


def _resnet() -> nn.Module:
    from torchvision.models import resnet18

    body = resnet18(weights=None)
    body.fc = nn.Identity()
    return body
