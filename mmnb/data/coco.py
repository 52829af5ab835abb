"""COCO 2017 with captions, read from the official files through torchvision. For the profile `paper`."""

import importlib.util
from pathlib import Path
from typing import Any

from PIL import Image

from mmnb import paths
from mmnb.errors import DataUnavailable

SIZES = {"val2017": "0.8 GB", "train2017": "18 GB"}  # of the archives of pictures


class CocoPairs:
    """Pairs (picture, one caption); 5,000 in val2017, 118,287 in train2017, in ascending order of the pictures' numbers.

    Args:
        dataset: `torchvision.datasets.CocoCaptions`.
        which: "first" or "last" of a picture's five captions: the paper's figures 2 and 3 take the first, its figure 1
            and its fine-tuning the last.
    """

    def __init__(self, dataset: Any, which: str = "first") -> None:
        if which not in ("first", "last"):
            raise ValueError(f"CocoPairs: got which={which!r}; expected 'first' or 'last'")
        self.dataset, self.which = dataset, which

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> tuple[Image.Image, str]:
        image, captions = self.dataset[row]
        return image, captions[0 if self.which == "first" else -1]


def load(folder: Path | str | None = None, which: str = "first", split: str = "val2017") -> CocoPairs:
    """Open the pictures of a split with their captions; pictures are read one by one.

    Args:
        folder: Holds `annotations/captions_val2017.json` and the folder `val2017` with `000000000139.jpg` and so on;
            None: `coco` in the cache folder (`MMNB_DATA`).
        which: "first" or "last" caption.
        split: "val2017" or "train2017".

    Raises:
        DataUnavailable: Files or the package pycocotools are missing.

    Source: Lin et al. 2014, Chen et al. 2015; captions CC BY 4.0, pictures: their own licence on Flickr.
    """
    if split not in SIZES:
        raise ValueError(f"coco.load: got split={split!r}; expected one of {', '.join(SIZES)}")
    annotations = f"annotations/captions_{split}.json"
    folder = paths.cache() / "coco" if folder is None else Path(folder)
    missing = [name for name in (annotations, split) if not (folder / name).exists()]
    if missing:
        raise DataUnavailable(
            f"COCO {split} is not complete in {folder}: {', '.join(missing)} missing. Download {split}.zip ({SIZES[split]}) and annotations_trainval2017.zip "
            "(0.25 GB) from https://cocodataset.org/#download and unpack both there; captions CC BY 4.0 (pictures: their own on Flickr). "
            "Another place can be given as coco.load(folder)."
        )
    if importlib.util.find_spec("pycocotools") is None:
        raise DataUnavailable("torchvision reads COCO through the package pycocotools: pip install pycocotools")
    import contextlib
    import io

    from torchvision.datasets import CocoCaptions

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        return CocoPairs(CocoCaptions(str(folder / split), str(folder / annotations)), which)
