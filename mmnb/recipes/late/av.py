"""Late fusion on AV-digits: two small convolutional encoders, training and evaluation."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmnb.data.av_digits import AvDigits
from mmnb.instruments import laziness
from mmnb.recipes import late

FEATURES = 64


def encoders() -> dict[str, nn.Module]:
    """Two strided convolutions and a linear layer for pictures of 8 x 8 and log-mel pictures of 16 x 16, each to 64 features."""

    def layer(given: int, made: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(given, made, 3, stride=stride, padding=1), nn.ReLU()]

    image, audio = [*layer(1, 16), *layer(16, 32, 2), nn.MaxPool2d(2)], [*layer(1, 12, 2), *layer(12, 24, 2)]
    return {
        "image": nn.Sequential(*image, nn.Flatten(), nn.Linear(32 * 2 * 2, FEATURES), nn.ReLU()),
        "audio": nn.Sequential(*audio, nn.Flatten(), nn.Linear(24 * 4 * 4, FEATURES), nn.ReLU()),
    }


def build(seed: int, classes: int = 10) -> late.LateModel:
    """An untrained model; its weights depend on the seed alone."""
    return late.build(encoders, FEATURES, classes, seed=seed)


def train(
    data: AvDigits, objective: late.Objective | None, seed: int, *, epochs: int, **options
) -> tuple[late.LateModel, late.Curves]:
    """Build and train one model; every objective starts from the same weights and sees the same batches. Options go to `late.fit`."""
    model = build(seed, data.classes)
    batches = late.shuffled(data.train.inputs, data.train.label, 50, seed)
    return model, late.fit(model, batches, objective, epochs=epochs, seed=seed, progress=False, **options)


@torch.no_grad()
def logits_of(model: late.LateModel, data: AvDigits) -> dict[str, Tensor]:
    """Logits of the joint head and of both modalities' heads on the test pairs."""
    return model.logits(data.test.inputs)


@torch.no_grad()
def probe_both(model: late.LateModel, data: AvDigits) -> dict[str, float]:
    """Accuracy of a new linear head on each frozen encoder, on the test pairs."""
    train, test = data.train, data.test
    return {
        name: laziness.probe(encoder, (train.inputs[name], train.label), (test.inputs[name], test.label)).accuracy
        for name, encoder in model.encoders.items()
    }


def accuracy(logits: Tensor, label: Tensor) -> float:
    """Share of correct predictions."""
    return (logits.argmax(1) == label).cpu().double().mean().item()


def losses(model: late.LateModel, data: AvDigits) -> Mapping[str, float]:
    """Mean training and validation losses of all heads, as "train NAME" and "held_out NAME": for `fit(callback=…)`."""
    parts = {"train": data.train, "held_out": data.validation}
    means = {kind: late.mean_losses(model, [(part.inputs, part.label)]) for kind, part in parts.items()}
    return {f"{kind} {name}": value for kind, of in means.items() for name, value in of.items()}
