"""Heads that turn two feature vectors into logits, from one that ignores a side to one that interacts freely; and a late-fusion model.

Every head is `head(features_a, features_b) -> logits`, (n, d), (n, d) -> (n, classes). The first three are additive by
construction: the effect of `a` on the logits never depends on `b`. `cross(a, b)`, (p, d), (q, d) -> (p, q, classes),
scores all pairs at once; `split_head()` gives the linear layers at the ends of a head. `mmnb.emap` uses both to measure
interactions without N^2 passes.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from mmnb.instruments.grid.split import SplitHead
    from mmnb.instruments.grid.two_tower import TwoTower


class OnlyA(nn.Module):
    """Logits from `a` alone: W a + c."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(a)

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of all pairs."""
        return self(a, a)[:, None].expand(-1, len(b), -1)


class OnlyB(OnlyA):
    """Logits from `b` alone: W b + c."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(b)

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of all pairs."""
        return self(b, b)[None].expand(len(a), -1, -1)


class SumOfLogits(nn.Module):
    """The additive ensemble: W a + V b + c."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear_a = nn.Linear(features, classes)
        self.linear_b = nn.Linear(features, classes, bias=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear_a(a) + self.linear_b(b)

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of all pairs."""
        return self.linear_a(a)[:, None] + self.linear_b(b)[None]


class ConcatMLP(nn.Module):
    """V relu(W [a; b] + c) + d: one hidden layer on the concatenation, the usual late fusion."""

    def __init__(self, features: int, classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.linear_a = nn.Linear(features, hidden)
        self.linear_b = nn.Linear(features, hidden, bias=False)  # W [a; b] = W_a a + W_b b: two halves of one layer
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.out(self.linear_a(a) + self.linear_b(b))

    def split_head(self) -> "SplitHead":
        """The first layer, split; the ReLU between; the last layer."""
        from mmnb.instruments.grid.split import SplitHead  # here, so that models alone do not depend on the instrument

        return SplitHead(self.linear_a, self.linear_b, self.out[:-1], self.out[-1])


class Multiplicative(nn.Module):
    """V (a * b) + c: elementwise product, then linear. Affine in each side, so it can gate but not do anything else."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(a * b)

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of all pairs."""
        return _weighted_dots(a, b, self.linear.weight) + self.linear.bias


class DotProduct(nn.Module):
    """exp(s) <W a, V b> + c, one score (n, 1) a pair: how dual encoders rank, or say yes and no.

    Their normalisation is not affine: put it into the encoders.
    """

    def __init__(self, features: int, width: int | None = None) -> None:
        super().__init__()
        self.linear_a, self.linear_b = (nn.Linear(features, width or features, bias=False) for _ in "ab")
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        dot = (self.linear_a(a) * self.linear_b(b)).sum(-1, keepdim=True)
        return self.log_scale.exp() * dot + self.bias

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Scores of all pairs."""
        return (self.log_scale.exp() * (self.linear_a(a) @ self.linear_b(b).T) + self.bias)[..., None]


class LateFusion(nn.Module):
    """head(encode_a(a), encode_b(b)); with `of_a` and `of_b`, pair k is (a[of_a[k]], b[of_b[k]]): items are encoded once."""

    def __init__(self, encode_a: nn.Module, encode_b: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encode_a, self.encode_b, self.head = encode_a, encode_b, head

    def forward(self, a: Tensor, b: Tensor, of_a: Tensor | None = None, of_b: Tensor | None = None) -> Tensor:
        features_a, features_b = self.encode_a(a), self.encode_b(b)
        features_a = features_a if of_a is None else features_a[of_a]
        return self.head(features_a, features_b if of_b is None else features_b[of_b])

    def two_tower(self) -> "TwoTower":
        """Its encoders and its head apart, for instruments that cross all `a` with all `b`."""
        from mmnb.instruments.grid.two_tower import TwoTower

        return TwoTower(self.encode_a, self.encode_b, self.head)


def _weighted_dots(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """sum_d weight[k, d] a[i, d] b[j, d]: (p, d), (q, d), (classes, d) -> (p, q, classes), one matrix product."""
    if len(b) < len(a):  # the shorter side meets the weights
        return _weighted_dots(b, a, weight).transpose(0, 1)
    weighted = a[:, None] * weight
    return (weighted.flatten(0, 1) @ b.T).view(len(a), -1, len(b)).transpose(1, 2)
