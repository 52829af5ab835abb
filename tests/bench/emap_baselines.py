"""Other ways to compute EMAP, written by us: what `mmnb.emap` is compared with. They agree with it; they cost more."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def one_pair_at_a_time(f: Callable, a: Tensor, b: Tensor, batch_size: int) -> np.ndarray:
    """(N, C) projection of the true pairs. N^2 calls of one pair each, a nested dict of scores: as the published reference is used."""
    n = len(a)
    scores: dict[int, dict[int, np.ndarray]] = {}
    with torch.no_grad():
        for i in range(n):
            scores[i] = {j: f(a[i : i + 1], b[j : j + 1])[0].numpy() for j in range(n)}
    mean_a = np.stack([np.mean([scores[i][j] for j in range(n)], 0, dtype=np.float64) for i in range(n)])
    mean_b = np.stack([np.mean([scores[i][j] for i in range(n)], 0, dtype=np.float64) for j in range(n)])
    return mean_a + mean_b - mean_a.mean(0)


def full_index_list(f: Callable, a: Tensor, b: Tensor, batch_size: int) -> np.ndarray:
    """(N, C) projection of the true pairs. A list of all N^2 index pairs and all N^2 scores are held in memory, as MultiViz does."""
    n = len(a)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    parts = []
    with torch.no_grad():
        for start in range(0, len(pairs), batch_size):
            i, j = torch.tensor(pairs[start : start + batch_size]).T
            parts.append(f(a[i], b[j]).numpy())
    grid = np.concatenate(parts).reshape(n, n, -1).astype(np.float64)
    return grid.mean(1) + grid.mean(0) - grid.mean((0, 1))


def bare_passes(f: Callable, a: Tensor, b: Tensor, batch_size: int) -> None:
    """The limit: N^2 forward passes at the same batch size, nothing kept. Whole rows go into a call where they fit."""
    n = len(a)
    rows, columns = max(1, batch_size // n), min(n, batch_size)
    with torch.no_grad():
        for i in torch.arange(n).split(rows):
            for j in torch.arange(n).split(columns):
                f(a[i.repeat_interleave(len(j))], b[j.repeat(len(i))])
