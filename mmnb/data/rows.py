"""Rows of data sets: which belong to which split, which belong together, and rows of different lengths as one tensor."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

SPLITS = ("train", "validation", "test")


class Splits:
    """What data sets share whose `split` (n,) says in which of `SPLITS` each row is."""

    split: Tensor

    def __len__(self) -> int:
        return len(self.split)

    def rows(self, split: str) -> Tensor:
        """Rows of one split, int64 ascending."""
        if split not in SPLITS:
            raise ValueError(f"{type(self).__name__}.rows: got {split!r}; expected one of {', '.join(SPLITS)}")
        return (self.split == SPLITS.index(split)).nonzero().squeeze(1)

    def _counts(self) -> str:
        return ", ".join(f"{name} {len(self.rows(name)):,}" for name in SPLITS)


def linked(first: Sequence[int], second: Sequence[int], n: int) -> np.ndarray:
    """For each of n rows the smallest one that it is linked to, itself or through others; first[i] is linked to second[i].

    Example:
        >>> linked([0, 3], [2, 2], n=4).tolist()
        [0, 1, 0, 0]
    """
    links = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    _, group = connected_components(links, directed=False)
    smallest = np.full(n, n)
    np.minimum.at(smallest, group, np.arange(n))
    return smallest[group]


def padded(rows: Sequence[Sequence], value: object = 0, length: int = 0) -> Tensor:
    """Rows of different lengths as one int64 tensor, filled on the right up to the longest, or to `length`."""
    length = max(length, *map(len, rows))
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])
