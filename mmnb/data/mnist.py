"""MNIST in its own files, for the profile `paper`: 70,000 handwritten digits, 28 x 28 pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.datasets.mnist import read_image_file, read_label_file

from mmnb.data import folders
from mmnb.data.rows import SPLITS as SPLITS
from mmnb.data.rows import Splits

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
VALIDATION = 1 / 6  # the last sixth of the official training pictures: 10,000 of 60,000


@dataclass(frozen=True, eq=False, repr=False)
class Mnist(Splits):
    """images (n, 1, 28, 28) uint8, 0 paper to 255 ink · digit (n,) int64 · split (n,) int64; official test pictures last.

    Source: LeCun, Cortes & Burges; test writers differ from training writers.
    """

    images: Tensor
    digit: Tensor
    split: Tensor

    def __repr__(self) -> str:
        return f"Mnist({len(self):,} pictures of 28 x 28)"


def load() -> Mnist:
    """Read the four unpacked files in `<MMNB_DATA>/mnist/MNIST/raw`, where torchvision's own download puts them.

    Raises DataUnavailable when one is missing, with what to get; ValueError when pictures and labels do not match.
    """
    parts = [f"MNIST/raw/{name}" for names in FILES.values() for name in names]
    how = "torchvision.datasets.MNIST('{folder}', download=True) puts them there"
    raw = (
        folders.by_hand("mnist", None, parts, "MNIST (70,000 pictures, 55 MB unpacked, CC BY-SA 3.0)", how)
        / "MNIST/raw"
    )
    pairs = [(read_image_file(str(raw / a)), read_label_file(str(raw / b))) for a, b in FILES.values()]
    if any(images.shape[1:] != (28, 28) or len(images) != len(label) for images, label in pairs):
        shapes = [(tuple(images.shape), tuple(label.shape)) for images, label in pairs]
        raise ValueError(f"mnist.load: got pictures and labels of shapes {shapes}; expected (n, 28, 28) and (n,)")
    images, label = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    n_train, n_test = (len(label) for _, label in pairs)
    n_validation = round(n_train * VALIDATION)
    split = torch.tensor([0] * (n_train - n_validation) + [1] * n_validation + [2] * n_test)
    return Mnist(images[:, None], label, split)
