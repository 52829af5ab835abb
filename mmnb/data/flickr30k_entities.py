"""Flickr30k Entities: captions whose phrases are linked to boxes, and region features in VOLTA's layout. For the profile `paper`."""

import importlib.util
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from mmnb.data import folders
from mmnb.errors import DataUnavailable

_PHRASE = re.compile(r"\[/EN#(?P<chain>\d+)(?P<types>(?:/\w+)+) (?P<words>[^\]]+)\]")
_NEEDED = ("features", "boxes", "img_w", "img_h")


@dataclass(frozen=True)
class Phrase:
    """words, as in the caption · start, number of its first word · chain, the entity's number · kind, the first of its types (people, other, …)."""

    words: str
    start: int
    chain: str
    kind: str


@dataclass(frozen=True)
class Sentence:
    """A caption without its marks, words apart by one space, and its phrases in order."""

    text: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class Boxes:
    """Of one picture: width and height in pixels; boxes, chain -> (k, 4) float64: left, top, right, bottom in pixels. Chains without a box are absent."""

    width: int
    height: int
    boxes: dict[str, np.ndarray]


@dataclass(frozen=True)
class RegionFeatures:
    """features (R, d) float32 · boxes (R, 4) float32 in shares of the picture · probabilities (R, C) float32 of the detector's classes, or None ·
    confidence (R,) float32 of the class found, or None."""

    features: np.ndarray
    boxes: np.ndarray
    probabilities: np.ndarray | None
    confidence: np.ndarray | None = None


def sentence(line: str) -> Sentence:
    """One line of a sentence file. Raises ValueError when a mark is not of the form [/EN#number/type words].

    Example:
        >>> found = sentence("[/EN#7/people Two men] by [/EN#8/other/scene a lake] .")
        >>> found.text, [(p.words, p.start, p.kind) for p in found.phrases]
        ('Two men by a lake .', [('Two men', 0, 'people'), ('a lake', 3, 'other')])
    """
    words: list[str] = []
    phrases, at = [], 0
    for match in _PHRASE.finditer(line):
        words += line[at : match.start()].split()
        phrases.append(Phrase(" ".join(match["words"].split()), len(words), match["chain"], match["types"].split("/")[1]))  # fmt: skip
        words += match["words"].split()
        at = match.end()
    words += line[at:].split()
    text = " ".join(words)
    if "[/EN#" in text:
        raise ValueError(f"sentence: got {line.strip()!r}; expected marks of the form [/EN#number/type words]")
    return Sentence(text, tuple(phrases))


def annotation(file: Path) -> Boxes:
    """Boxes of one picture from its XML file.

    Raises ValueError when it is no annotation, or a box has no area or leaves the picture by more than a pixel.
    """
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{file.name} is no XML file: {error}") from error
    size = root.find("size")
    if root.tag != "annotation" or size is None:
        raise ValueError(f"{file.name}: got <{root.tag}>; expected <annotation> with a <size>")
    width, height = (int(size.findtext(name, "0")) for name in ("width", "height"))
    found: dict[str, list[list[float]]] = {}
    for thing in root.iter("object"):
        box = thing.find("bndbox")
        if box is None:  # a scene, or nothing to be seen
            continue
        left, top, right, bottom = (float(box.findtext(name, "nan")) for name in ("xmin", "ymin", "xmax", "ymax"))
        if not (-1 <= left < right <= width + 1 and -1 <= top < bottom <= height + 1):
            box = left, top, right, bottom
            raise ValueError(f"{file.name}: got the box {box} in a picture of {width} × {height}; expected it inside")
        for name in thing.findall("name"):
            found.setdefault(name.text or "", []).append([left, top, right, bottom])
    return Boxes(width, height, {chain: np.array(rows) for chain, rows in found.items()})


def read_regions(file: Path, picture: str) -> RegionFeatures:
    """Regions of one picture in VOLTA's layout: an H5 file with one group per picture, or a folder with one NPZ file per picture, holding
    `features`, `boxes` (pixels), `img_w`, `img_h`, and perhaps `cls_prob` and `obj_conf`; other arrays (`obj_id`, `attr_id`, …) are left alone.

    Raises DataUnavailable without the picture, or without h5py for an H5 file; ValueError on missing arrays, shapes,
    NaN, or boxes outside.
    """
    if file.is_dir():
        own = file / f"{picture}.npz"
        if not own.is_file():
            raise DataUnavailable(f"No features of picture {picture}: {own.name} is not in {file}")
        try:
            with np.load(own, allow_pickle=False) as stored:
                raw = dict(stored)
        except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{own.name} cannot be read ({error}); expected an NPZ file of numbers") from error
    else:
        if importlib.util.find_spec("h5py") is None:
            raise DataUnavailable(f"{file.name} needs h5py: pip install h5py, or give a folder of NPZ files")
        import h5py

        try:
            with h5py.File(file, "r") as stored:
                if picture not in stored:
                    raise DataUnavailable(f"No features of picture {picture} in {file.name}")
                group = stored[picture]
                wanted = (*_NEEDED, "cls_prob", "obj_conf")
                raw = {name: group[name][()] for name in wanted if name in group}
        except DataUnavailable:
            raise
        # no H5 file, a group for an array, links in a circle
        except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            got = f"picture {picture} of {file.name} cannot be read ({error})"
            raise ValueError(f"{got}; expected an H5 file with one group of arrays per picture") from error
    return regions_of(raw, picture)


def regions_of(raw: dict[str, np.ndarray], picture: str) -> RegionFeatures:
    """Checked regions from the arrays of one picture, boxes from pixels to shares. Raises ValueError, see `read_regions`."""

    def need(holds: bool, got: str, expected: str) -> None:
        if not holds:
            raise ValueError(f"regions of {picture}: {got}; expected {expected}")

    missing = [name for name in _NEEDED if name not in raw]
    need(not missing, f"{', '.join(missing)} missing", ", ".join(_NEEDED))
    given = {}
    for name in (*_NEEDED, "cls_prob", "obj_conf"):
        if name in raw:
            value = np.asarray(raw[name])
            need(value.dtype.kind in "fiub", f"{name} is {value.dtype}", "numbers")
            given[name] = value.astype(np.float32)
            need(bool(np.isfinite(given[name]).all()), f"{name} is NaN or infinite", "numbers")
    features, boxes, classes, sure = (given.get(k) for k in ("features", "boxes", "cls_prob", "obj_conf"))
    shapes = f"got features {features.shape}, boxes {boxes.shape}"
    fit = features.ndim == 2 and boxes.shape == (len(features), 4) and len(features) > 0
    need(fit, shapes, "(R, d) and (R, 4) with R >= 1")
    sizes = [given[name] for name in ("img_w", "img_h")]
    need(all(size.size == 1 and size.max() > 0 for size in sizes), f"img_w, img_h are {sizes}", "two numbers above 0")
    extent = np.array([float(size.reshape(())) for size in sizes] * 2, np.float32)
    boxes = boxes / extent
    inside = boxes.min() >= -0.01 and boxes.max() <= 1.01 and (boxes[:, 2:] > boxes[:, :2]).all()
    need(inside, "a box leaves the picture or has no area", f"pixels inside {extent[:2].tolist()}")
    for name, value, ndim, shape in (("cls_prob", classes, 2, "(R, C)"), ("obj_conf", sure, 1, "(R,)")):
        if value is not None:
            fit = value.ndim == ndim and len(value) == len(features)
            need(fit, f"got {name} {value.shape}", f"{shape} with R = {len(features)}")
            # 1e-3: a detector's half-precision shares; without the background they add up to less than 1
            most = value.sum(1).max() if ndim == 2 else value.max()
            need(value.min() >= 0 and most <= 1.001, f"{name} from {value.min():g}, up to {most:g}", "probabilities")
    return RegionFeatures(features, boxes.clip(0, 1), classes, sure)


def load(folder: Path | str | None = None, split: str = "val") -> dict[str, tuple[list[Sentence], Boxes]]:
    """picture number -> its captions and boxes, for one split.

    `folder` holds `Sentences/36979.txt`, `Annotations/36979.xml` and `val.txt`; None: `flickr30k-entities` in the cache
    folder. Raises DataUnavailable when files are missing, ValueError when one is damaged.

    Source: Plummer et al. 2015, github.com/BryanPlummer/flickr30k_entities.
    """
    how = (
        f"Unpack annotations.zip and {split}.txt from github.com/BryanPlummer/flickr30k_entities there (30 MB, for research; the pictures, "
        "4 GB, need a request form), and region features in VOLTA's layout as regions.h5 or a folder regions/ of NPZ files (36 boxes, "
        "2048 numbers each: 10 GB for all pictures)."
    )
    place = ("flickr30k-entities", folder)
    folder = folders.by_hand(*place, [f"{split}.txt"], "Flickr30k Entities", how)
    numbers = (folder / f"{split}.txt").read_text(encoding="utf-8").split()
    if not numbers:
        raise ValueError(f"flickr30k_entities.load: got an empty {split}.txt; expected the pictures' numbers")
    files = {n: (f"Sentences/{n}.txt", f"Annotations/{n}.xml") for n in numbers}
    folders.by_hand(*place, [part for pair in files.values() for part in pair], "Flickr30k Entities", how)
    lines = {
        n: filter(str.strip, (folder / text).read_text(encoding="utf-8").splitlines()) for n, (text, _) in files.items()
    }
    return {n: ([sentence(line) for line in lines[n]], annotation(folder / xml)) for n, (_, xml) in files.items()}
