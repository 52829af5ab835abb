"""What measures over all n x n cosines cost: by an identity, O(n d), by the whole table, and by blocks of it, O(n^2 d)."""

import math
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from mmnb import gap


def rows(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return functional.normalize(
        torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def by_the_matrix(x: torch.Tensor) -> float:
    cosines = x @ x.T
    return ((cosines.sum() - cosines.diagonal().sum()) / (len(x) * (len(x) - 1))).item()


def test_the_identity_is_faster_than_the_matrix(fastest, ratio):
    x = rows(5000, 512)
    seconds = fastest(5, identity=lambda: gap.average_cosine(x, diagonal=False), matrix=lambda: by_the_matrix(x))
    assert (
        abs(gap.average_cosine(x, diagonal=False) - by_the_matrix(x)) < 1e-12
    )  # float64, sums of 25 million cosines near 0
    ratio("matrix / identity, mean cosine, n=5,000", seconds["matrix"] / seconds["identity"], at_least=50)


def whole_recall(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    s = a @ b.T
    return [((side >= s.diagonal()[:, None]).sum(1) <= 1).double().mean().item() for side in (s, s.T)]


def whole_loss(a: torch.Tensor, b: torch.Tensor) -> list[float]:
    logits, own = a @ b.T / 0.01, torch.arange(len(a))
    return [functional.cross_entropy(side, own).item() for side in (logits, logits.T)]


def whole_uniformity(a: torch.Tensor, b: torch.Tensor) -> float:
    exponent = (-2 * (2 - 2 * a @ b.T).clamp(min=0))[~torch.eye(len(a), dtype=torch.bool)]
    return (torch.logsumexp(exponent, 0) - math.log(len(a) * (len(a) - 1))).item()


@pytest.mark.parametrize(
    ("name", "blocks", "whole"),
    [
        ("recall", gap.retrieval_recall, whole_recall),
        ("contrastive loss", lambda a, b: gap.contrastive_loss(a, b, 0.01)[1:], whole_loss),
        ("uniformity", gap.uniformity, whole_uniformity),
    ],
)
def test_blocks_take_no_more_time_than_the_whole_table(name, blocks, whole, fastest, ratio):
    a, noise = rows(4000, 256), rows(4000, 256, 1)
    b = functional.normalize(a + 2 * noise, dim=1)
    seconds = fastest(3, blocks=lambda: blocks(a, b), whole=lambda: whole(a, b))
    # 1e-8: a cosine is off by 256 products' rounding, 6e-14, times 1/tau = 100 in a logit; the sum of 16 million terms by 4e-9
    torch.testing.assert_close(torch.tensor(blocks(a, b)), torch.tensor(whole(a, b)), rtol=0, atol=1e-8)
    ratio(f"blocks / whole table, {name}, n=4,000", seconds["blocks"] / seconds["whole"], at_most=1.5)


_ALL = """
import resource, sys, torch
from mmnb import gap
torch.set_num_threads(1)
a = gap.normalize(torch.randn(50_000, int(sys.argv[1]), generator=torch.Generator().manual_seed(0)))
b = a.flip(1)
gap.retrieval_recall(a, b), gap.contrastive_loss(a, b, 0.01), gap.uniformity(a, b)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process is read through the module resource")
def test_fifty_thousand_rows_fit_in_two_gigabytes(ratio):
    """The whole process, libraries included; the table alone would take 20 GB. The rows themselves take 0.05 GB here, 0.4 GB at d = 512."""
    done = subprocess.run([sys.executable, "-c", _ALL, "64"], capture_output=True, text=True, check=True)
    ratio("peak GB of recall, loss and uniformity, n=50,000, d=64", float(done.stdout), at_most=2)
