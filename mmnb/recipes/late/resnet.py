"""ResNet-18 late fusion on clips: sound as a log-mel picture, and a few frames. For the profile `paper`."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmnb.data.audio_visual import Clips
from mmnb.instruments import laziness
from mmnb.recipes import late

WIDTH = 512


class FrameEncoder(nn.Module):
    """A picture encoder on each frame, mean over frames: (n, frames, 3, s, s) -> (n, 512)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, frames: Tensor) -> Tensor:
        n, k = frames.shape[:2]
        return self.body(frames.flatten(0, 1)).view(n, k, -1).mean(1)


def encoders() -> dict[str, nn.Module]:
    """Two ResNet-18 with random weights: sound (n, 1, bands, frames) and frames (n, frames, 3, s, s), each to 512 features."""
    from torchvision.models import resnet18

    audio = resnet18(weights=None)
    audio.fc, audio.conv1 = nn.Identity(), nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    image = resnet18(weights=None)
    image.fc = nn.Identity()
    return {"audio": audio, "image": FrameEncoder(image)}


def device() -> str:
    """Where the models are trained: "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def build(classes: int, seed: int) -> late.LateModel:
    """Two ResNet-18 encoders, a `Concat` head and a linear head for each modality; the weights depend on the seed alone."""
    return late.build(encoders, WIDTH, classes, seed=seed).to(device())


def batches(clips: Clips, split: str, *, seed: int, batch_size: int = 64, **options: Any) -> late.Batches:
    """Batches for `late.fit`, read clip by clip in an order that depends on (seed, epoch) alone. Options go to `Clips.batch`."""
    rows = clips.rows(split)

    def read(epoch: int) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        for start in range(0, len(rows), batch_size):
            inputs, label = clips.batch([rows[k] for k in order[start : start + batch_size]], **options)
            yield {name: x.to(device()) for name, x in inputs.items()}, label.to(device())

    return read


def sgd(parameters) -> torch.optim.Optimizer:
    """SGD as OGM-GE's authors set it: rate 1e-3, momentum 0.9, weight decay 1e-4."""
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=1e-4)


def step_down(epochs: int, drop_at: float) -> Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]:
    """A schedule for `late.fit`: the learning rate falls to a tenth after the share `drop_at` of the epochs."""
    return lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, max(1, int(drop_at * epochs)), 0.1)


def train(
    read: late.Batches, objective: late.Objective, *, classes: int, epochs: int, seed: int, drop_at=0.7, **options
) -> late.LateModel:
    """Build and train one model on the `batches`; every objective starts from the same weights. Options go to `late.fit`.

    `drop_at` is the share of the epochs after which the learning rate falls to a tenth (published: 70 of 100).
    """
    model, schedule = build(classes, seed), step_down(epochs, drop_at)
    late.fit(model, read, objective, epochs=epochs, seed=seed, optimiser=sgd, schedule=schedule, **options)
    return model


@torch.no_grad()
def accuracies(model: late.LateModel, read: late.Batches) -> dict[str, float]:
    """Accuracy of the joint head ("joint"), of each modality's own head, and of the average of the latter ("UME")."""
    right, count = defaultdict(int), 0
    for inputs, label in read(0):
        logits = model.logits(inputs)
        logits["UME"] = laziness.average([logits[name] for name in model.names])
        for name, z in logits.items():
            right[name] += int((z.argmax(1) == label).sum())
        count += len(label)
    return {name: hits / count for name, hits in right.items()}
