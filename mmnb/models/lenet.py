"""LeNet-5 for pictures of 28 x 28 pixels."""

import torch
from torch import Tensor, nn


class LeNet5(nn.Module):
    """Two convolutions with pooling, three linear layers: (n, 1, 28, 28), 0 to 255 -> (n, classes).

    Pixels are scaled to [-1, 1] inside; ReLU and maxima replace the sigmoids and averages of 1998.

    Example:
        >>> LeNet5(classes=10)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])

    Source: LeCun, Bottou, Bengio & Haffner 1998.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.to(torch.float32) / 127.5 - 1)
