"""COCO 2017 with captions, read from the official files through torchvision. For the profile `paper`."""

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from PIL import Image

from mmnb.data import folders
from mmnb.errors import DataUnavailable

SIZES = {"val2017": "0.8 GB", "train2017": "18 GB"}  # of the archives of pictures


class CocoPairs:
    """Pairs (picture, one caption) of a `CocoCaptions`; 5,000 in val2017, 118,287 in train2017, pictures in ascending order.

    `which` of a picture's five captions: the paper's figures 2 and 3 take the "first", its figure 1 and its
    fine-tuning the "last".
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
    """Open the pictures of a split, "val2017" or "train2017", with their captions; pictures are read one by one.

    `folder` holds `annotations/captions_val2017.json` and the folder `val2017` with `000000000139.jpg` and so on;
    None: `coco` in the cache folder (`MMNB_DATA`). Raises DataUnavailable when files or pycocotools are missing,
    ValueError when the captions are not the official file.

    Source: Lin et al. 2014, Chen et al. 2015; captions CC BY 4.0, pictures: their own licence on Flickr.
    """
    if split not in SIZES:
        raise ValueError(f"coco.load: got split={split!r}; expected one of {', '.join(SIZES)}")
    annotations = f"annotations/captions_{split}.json"
    how = (
        f"Unpack {split}.zip ({SIZES[split]}) and annotations_trainval2017.zip (0.25 GB) from https://cocodataset.org/#download there; "
        "captions CC BY 4.0 (pictures: their own on Flickr). Another place can be given as coco.load(folder)."
    )
    folder = folders.by_hand("coco", folder, (annotations, split), f"COCO {split}", how)
    if importlib.util.find_spec("pycocotools") is None:
        raise DataUnavailable("torchvision reads COCO through the package pycocotools: pip install pycocotools")
    from torchvision.datasets import CocoCaptions

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            found = CocoCaptions(str(folder / split), str(folder / annotations))
        names = [picture["file_name"] for picture in found.coco.imgs.values()]
        if not all(isinstance(row["caption"], str) for row in found.coco.anns.values()):
            raise TypeError("a caption is no text")
        uncaptioned = [number for number in found.ids if not found.coco.getAnnIds(number)]
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"{annotations} is not the official file ({type(error).__name__}: {error})"
        raise ValueError(f"coco.load: {what}; expected a JSON object with 'images' and 'annotations'") from error
    if not names or uncaptioned:
        got = f"{len(names)} pictures, {len(uncaptioned)} of them without a caption"
        raise ValueError(f"coco.load: got {got}; expected one or more, each with captions")
    if outside := [name for name in names if Path(name).name != name]:
        raise ValueError(f"coco.load: got the file name {outside[0]!r}; expected names without a folder")
    return CocoPairs(found, which)
