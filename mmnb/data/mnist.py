"""MNIST in its own files, for the profile `paper`: 70,000 handwritten digits, 28 x 28 pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.datasets.mnist import read_image_file, read_label_file

from mmnb import paths
from mmnb.errors import DataUnavailable

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SPLITS = ("train", "validation", "test")
VALIDATION = 1 / 6  # the last sixth of the official training pictures: 10,000 of 60,000


@dataclass(frozen=True, eq=False, repr=False)
class Mnist:
    """images (n, 1, 28, 28) uint8, 0 paper to 255 ink · digit (n,) int64 · split (n,) int64, row in `SPLITS`; official test pictures last.

    Source: LeCun, Cortes & Burges; test writers differ from training writers.
    """

    images: Tensor
    digit: Tensor
    split: Tensor

    def __repr__(self) -> str:
        return f"Mnist({len(self.digit):,} pictures of 28 x 28)"

    def rows(self, split: str) -> Tensor:
        """Rows of one split, int64 ascending."""
        if split not in SPLITS:
            raise ValueError(f"Mnist.rows: got {split!r}; expected one of {', '.join(SPLITS)}")
        return (self.split == SPLITS.index(split)).nonzero().squeeze(1)


def load() -> Mnist:
    """Read the four unpacked files from <MMNB_DATA>/mnist/MNIST/raw, where `torchvision.datasets.MNIST(<MMNB_DATA>/mnist, download=True)` puts them.

    Raises DataUnavailable when one is missing, with what to get; ValueError when pictures and labels do not match.
    """
    folder = paths.cache() / "mnist" / "MNIST" / "raw"
    missing = [name for names in FILES.values() for name in names if not (folder / name).is_file()]
    if missing:
        raise DataUnavailable(
            f"MNIST (70,000 pictures, 55 MB unpacked, CC BY-SA 3.0): no {missing[0]} in {folder}. "
            f"torchvision.datasets.MNIST({str(paths.cache() / 'mnist')!r}, download=True) puts it there"
        )
    parts = [(read_image_file(str(folder / a)), read_label_file(str(folder / b))) for a, b in FILES.values()]
    if any(images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) != len(label) for images, label in parts):
        shapes = [(tuple(images.shape), tuple(label.shape)) for images, label in parts]
        raise ValueError(f"mnist.load: got pictures and labels of shapes {shapes}; expected (n, 28, 28) and (n,)")
    n_train, n_test = (len(label) for _, label in parts)
    n_validation = round(n_train * VALIDATION)
    split = torch.tensor([0] * (n_train - n_validation) + [1] * n_validation + [2] * n_test)
    return Mnist(torch.cat([images for images, _ in parts])[:, None], torch.cat([label for _, label in parts]), split)
