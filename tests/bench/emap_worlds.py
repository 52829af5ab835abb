"""The models and data that the bench measures on: random weights, because speed and memory do not depend on what was learnt."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

FEATURES, HIDDEN, CLASSES = 512, 256, 10


class World(NamedTuple):
    """A function of two batches in eval mode, N examples of each side, and pairs per call."""

    f: Callable[[Tensor, Tensor], Tensor]
    a: Tensor
    b: Tensor
    batch_size: int


class ConcatMLP(nn.Module):
    """Two 512-d vectors, one hidden layer of 256 on their concatenation, 10 classes: late fusion as people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.layers(torch.cat([a, b], 1))


class SmallTransformer(nn.Module):
    """A joint encoder: 8 tokens of each side read together by two layers of width 64, mean-pooled, 10 classes."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(64, CLASSES)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.out(self.encoder(torch.cat([a, b], 1)).mean(1))


class Tower(nn.Module):
    """A convolutional encoder of 3 x 32 x 32 pictures into 512 features."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, FEATURES),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Additive(nn.Module):
    """The cheapest function there is, for runs whose grid is huge: 10 scores of `a` plus 10 scores of `b`."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


def world(name: str, n: int, seed: int = 0) -> World:
    """One of "concat-mlp", "transformer", "additive" with n examples.

    Example:
        >>> w = world("concat-mlp", 3)
        >>> w.f(w.a, w.b).shape
        torch.Size([3, 10])
    """
    torch.manual_seed(seed)
    model, shape, batch_size = {
        "concat-mlp": (ConcatMLP, (FEATURES,), 4096),
        "transformer": (SmallTransformer, (8, 64), 512),
        "additive": (Additive, (CLASSES,), 8192),
    }[name]
    return World(model().eval(), torch.randn(n, *shape), torch.randn(n, *shape), batch_size)
