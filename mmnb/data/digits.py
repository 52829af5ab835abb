"""Handwritten digits, 8 x 8 pixels: a small real image modality that comes with scikit-learn."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from mmnb.data.rows import SPLITS as SPLITS
from mmnb.data.rows import Splits

SHARES = (0.6, 0.15, 0.25)  # of every class: training, validation, test


@dataclass(frozen=True, eq=False, repr=False)
class Digits(Splits):
    """1,797 pictures of handwritten digits, no two of them equal.

    images  (1797, 1, 8, 8) uint8, 0 paper to 16 ink
    digit   (1797,) int64, 0 to 9
    split   (1797,) int64, row in `SPLITS`: 60 / 15 / 25 % of every class, always the same

    Who wrote which digit is not known, so the same hand may be in two splits.

    Source: Alpaydin & Kaynak 1998, test part of "Optical Recognition of Handwritten Digits" (UCI), as in scikit-learn.
    """

    images: Tensor
    digit: Tensor
    split: Tensor

    def __repr__(self) -> str:
        return f"Digits({len(self):,} pictures of 8 x 8: {self._counts()})"


def load() -> Digits:
    """Load the pictures; nothing is downloaded.

    Example:
        >>> data = load()
        >>> data.images.shape, int(data.images.max()), data.digit[:5].tolist()
        (torch.Size([1797, 1, 8, 8]), 16, [0, 1, 2, 3, 4])
    """
    raw = load_digits()
    digit = torch.from_numpy(raw.target.astype(np.int64))
    return Digits(torch.from_numpy(raw.images.astype(np.uint8))[:, None], digit, stratified(digit, SHARES))


def stratified(label: Tensor, shares: tuple[float, ...], seed: int = 0) -> Tensor:
    """Deal the rows of every class out to parts, at random but always alike: (n,) int64, the part of each row.

    Of a class of m rows, part k gets those from round(m * sum of the shares before k) on; shares sum to 1 within 1e-9.

    Example:
        >>> stratified(torch.tensor([0, 0, 1, 1]), (0.5, 0.5)).bincount().tolist()
        [2, 2]
    """
    if min(shares, default=0) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"stratified: got shares={shares}; expected numbers above 0 with sum 1")
    draw = torch.Generator().manual_seed(seed)
    part = torch.empty(len(label), dtype=torch.int64)
    for value in label.unique().tolist():
        rows = (label == value).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=draw)]
        borders = [round(len(rows) * sum(shares[:k])) for k in range(1, len(shares))]
        for k, some in enumerate(rows.tensor_split(borders)):
            part[some] = k
    return part
