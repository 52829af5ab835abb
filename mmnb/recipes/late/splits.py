"""Small data sets for late fusion, split anew for every seed and stacked: AV-digits as flat vectors, and views of handwritten numerals."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmnb.data import av_digits, mfeat
from mmnb.recipes.late import seeds as replicas

PAIRS = (300, 500, 2000)  # training, validation and test pairs of AV-digits
FOLDS = ((0, 3), (3, 8), (8, 20))  # of 20: training, validation and test numerals


def av(seeds: Sequence[int], sizes: tuple[int, int, int] = PAIRS) -> replicas.Replicas:
    """`av_digits.sample` once for every seed, "image" (r, n, 64) and "audio" (r, n, 256). Raises DataUnavailable without the recordings."""
    drawn = [av_digits.sample(sizes, np.random.default_rng(7000 + seed)) for seed in seeds]

    def flat(part: av_digits.Split) -> tuple[dict[str, Tensor], Tensor]:
        return {name: x.flatten(1) for name, x in part.inputs.items()}, part.label

    return replicas.stack([[flat(part) for part in (one.train, one.validation, one.test)] for one in drawn], seeds)


def numerals(data: mfeat.Mfeat, views: Sequence[str], seeds: Sequence[int], most: int = 2000) -> replicas.Replicas:
    """3, 5 and 12 of 20 folds of the numerals for every seed, at most `most` of each; features have mean 0 and variance 1 in training."""
    splits = []
    for seed in seeds:
        rng, rows = np.random.default_rng(1000 + seed), []
        fold = data.folds(20, rng).numpy()
        for low, high in FOLDS:
            part = np.flatnonzero((fold >= low) & (fold < high))
            rows.append(torch.from_numpy(rng.permutation(part)[:most]))  # the data come sorted by digit
        x = {view: data.standardised(view, rows[0]).float() for view in views}
        splits.append([({view: x[view][r] for view in views}, data.label[r]) for r in rows])
    return replicas.stack(splits, seeds)


def shuffle(data: replicas.Replicas, name: str, generator: torch.Generator) -> replicas.Replicas:
    """The same splits with one modality exchanged at random among the examples of each split: it says nothing about the label any more."""
    parts = []
    for inputs, label in (data.train, data.validation, data.test):
        order = torch.argsort(torch.rand(label.shape, generator=generator), dim=1)
        moved = inputs[name].gather(1, order[..., None].expand_as(inputs[name]))
        parts.append((inputs | {name: moved}, label))
    return replicas.Replicas(*parts, data.seeds)
