"""Small encoders that learn from pixels and tokens in seconds on a laptop."""

import itertools

import torch
from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Four strided 3 x 3 convolutions with batch norm and ReLU, then a linear layer: (n, channels, s, s) uint8 -> (n, features).

    Pixels from 0 to 255 are scaled to [-1, 1] inside; `size` is a multiple of 16, `width` that of the first layer, doubled twice.

    Example:
        >>> ConvEncoder(channels=3, size=32, features=64).eval()(torch.zeros(5, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([5, 64])
    """

    def __init__(self, channels: int, size: int, features: int, width: int = 16) -> None:
        super().__init__()
        if size % 16 or size < 16:
            raise ValueError(f"ConvEncoder: got size={size}; expected a multiple of 16")
        widths = [channels, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width * (size // 16) ** 2, features))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.float() / 127.5 - 1)


class BagOfTokens(nn.Module):
    """Mean of token embeddings and a hidden layer: (n, words) int64, 0 = padding -> (n, features). Word order is lost.

    `vocabulary` counts the padding; `width` is that of the embedding.

    Example:
        >>> encoder = BagOfTokens(vocabulary=10, features=4).eval()
        >>> padded, short = encoder(torch.tensor([[3, 5, 0, 0]])), encoder(torch.tensor([[5, 3]]))
        >>> bool(torch.equal(padded, short))
        True
    """

    def __init__(self, vocabulary: int, features: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, width, mode="mean", padding_idx=0)
        self.body = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, features))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.body(self.embedding(tokens))


class Blind(nn.Module):
    """Zeros for any input: (n, …) -> (n, features). For the modality that a one-sided head ignores."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, items: Tensor) -> Tensor:
        return items.new_zeros(len(items), self.features, dtype=torch.float32)
