"""Ways to turn two feature vectors into logits, from blind in one eye to freely interactive; and the late-fusion model around them.

Every head is `head(features_a, features_b) -> logits`, (n, d), (n, d) -> (n, classes). The first three are additive by construction: the
effect of `a` on the logits never depends on `b`.
"""

from torch import Tensor, nn


class OnlyA(nn.Module):
    """Logits from `a` alone: W a + c."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(a)


class OnlyB(OnlyA):
    """Logits from `b` alone: W b + c."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(b)


class SumOfLogits(nn.Module):
    """The additive ensemble: W a + V b + c."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear_a = nn.Linear(features, classes)
        self.linear_b = nn.Linear(features, classes, bias=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear_a(a) + self.linear_b(b)


class ConcatMLP(nn.Module):
    """V relu(W [a; b] + c) + d: one hidden layer on the concatenation, the usual late fusion."""

    def __init__(self, features: int, classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.linear_a = nn.Linear(features, hidden)
        self.linear_b = nn.Linear(features, hidden, bias=False)  # W [a; b] = W_a a + W_b b: two halves of one layer
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.out(self.linear_a(a) + self.linear_b(b))


class Multiplicative(nn.Module):
    """V (a * b) + c: elementwise product, then linear. Affine in each side, so it can gate but not do anything else."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(a * b)


class LateFusion(nn.Module):
    """head(encode_a(a), encode_b(b)).

    With `of_a` and `of_b`, pair k is (a[of_a[k]], b[of_b[k]]): an image with several questions is encoded once.
    """

    def __init__(self, encode_a: nn.Module, encode_b: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encode_a, self.encode_b, self.head = encode_a, encode_b, head

    def forward(self, a: Tensor, b: Tensor, of_a: Tensor | None = None, of_b: Tensor | None = None) -> Tensor:
        features_a, features_b = self.encode_a(a), self.encode_b(b)
        return self.head(
            features_a if of_a is None else features_a[of_a], features_b if of_b is None else features_b[of_b]
        )
