"""What the mean cosine costs by the identity |sum x|^2, O(n d), and by the n x n matrix of cosines, O(n^2 d)."""

import torch

from mmnb import gap


def by_the_matrix(x: torch.Tensor) -> float:
    cosines = x @ x.T
    return ((cosines.sum() - cosines.diagonal().sum()) / (len(x) * (len(x) - 1))).item()


def test_the_identity_is_faster_than_the_matrix(fastest, ratio):
    x = torch.nn.functional.normalize(
        torch.randn(5000, 512, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    seconds = fastest(5, identity=lambda: gap.average_cosine(x, diagonal=False), matrix=lambda: by_the_matrix(x))
    assert (
        abs(gap.average_cosine(x, diagonal=False) - by_the_matrix(x)) < 1e-12
    )  # float64, sums of 25 million cosines near 0
    ratio("matrix / identity, mean cosine, n=5,000", seconds["matrix"] / seconds["identity"], at_least=50)
