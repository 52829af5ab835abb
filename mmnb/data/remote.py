"""Small remote files: fetched once, checked against `data/manifest.toml` every time they are used.

The cache folder is `MMNB_DATA` (default: the platform's user cache). A file that is there is used as it is, so the folder may be
read-only, shared, or filled by hand on a computer without a network.
"""

import contextlib
import difflib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from mmnb import paths
from mmnb.data import archive
from mmnb.data.download import DownloadError, download, sha256
from mmnb.errors import DataUnavailable


@dataclass(frozen=True)
class RemoteFile:
    """One entry of the manifest: a file, or (with `members`) the chosen members of an archive as a folder."""

    key: str
    dataset: str
    url: str
    sha256: str
    size: int
    licence: str
    title: str
    members: str | None = None

    @property
    def path(self) -> Path:
        """Where it is or belongs: the key below the cache folder."""
        return paths.cache().joinpath(*self.key.split("/"))

    @property
    def pattern(self) -> str:
        """Names of an archive's members, without their folder."""
        return PurePosixPath(self.members or "*").name

    @property
    def present(self) -> bool:
        """Whether something stands in its place; the content is checked by `fetch`."""
        return self.path.is_dir() if self.members else self.path.is_file()


def manifest_file() -> Path:
    """Path of `data/manifest.toml` in the checkout (`MMNB_ROOT` first, where it has one). Raises FileNotFoundError without it."""
    beside_package = Path(__file__).resolve().parents[2] / "data" / "manifest.toml"
    given = os.environ.get("MMNB_ROOT")
    candidates = [Path(given) / "data" / "manifest.toml"] if given else []
    for file in (*candidates, beside_package):
        if file.is_file():
            return file
    raise FileNotFoundError(
        f"no data/manifest.toml at {beside_package}; expected a checkout of mmnb, installed with `pip install -e .`"
    )


def files() -> dict[str, RemoteFile]:
    """All entries of the manifest, by key, in its order. Raises ValueError on an entry that is not complete."""
    source = manifest_file()
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    entries = {}
    for row in (*content.get("file", []), *content.get("archive", [])):
        try:
            dataset = content["dataset"][row["dataset"]]
            entry = RemoteFile(licence=dataset["licence"], title=dataset["title"], **row)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{source.name}: entry {row.get('key', row)!r} is not complete or has an unknown field: {error}"
            ) from error
        entries[entry.key] = entry
    return entries


def fetch(key: str) -> Path:
    """Return the path of a remote file, downloading it first if the cache does not hold it.

    Args:    key, as in `data/manifest.toml`, for example "emap-lxmert/vqa_results.txt"; of an archive, the folder's key.
    Returns: path of a file (or folder, for an archive) whose content has the sha256 of the manifest.
    Raises:  ValueError on an unknown key, or when what stands in the cache is not the file of the manifest (it is neither used
             nor removed); DataUnavailable when it is not there and cannot be downloaded or kept.
    Source:  every url is pinned to a commit of the authors' repository.
    """
    known = files()
    if key not in known:
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.4) or list(known)
        raise ValueError(
            f"remote.fetch: got key {key!r}, which is not in {manifest_file().name}; expected for example {', '.join(near)}"
        )
    entry = known[key]
    if not entry.path.exists():
        _download(entry)
    _verify(entry)
    return entry.path


def fetch_dataset(name: str) -> list[Path]:
    """Fetch every file of one data set; stops at the first that is not to be had. Raises as `fetch`, ValueError on an unknown name."""
    known = files()
    keys = [entry.key for entry in known.values() if entry.dataset == name]
    if not keys:
        names = sorted({entry.dataset for entry in known.values()})
        raise ValueError(f"remote.fetch_dataset: got {name!r}; expected one of {', '.join(names)}")
    return [fetch(key) for key in keys]


def array(key: str) -> np.ndarray:
    """A remote `.npy` file as an array; pickled objects in it are refused. Raises as `fetch`, ValueError on another kind of file."""
    return np.load(fetch(key), allow_pickle=False)


def size_in_words(size: int) -> str:
    """A size in bytes for people.

    Example:
        >>> size_in_words(840), size_in_words(2_048_128), size_in_words(6_650_000_000)
        ('840 bytes', '2.0 MB', '6.7 GB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _verify(entry: RemoteFile) -> None:
    """Raise ValueError unless the content in the cache is that of the manifest."""
    if entry.members and not entry.path.is_dir():
        raise ValueError(f"{entry.path} is a file; expected a folder with the members {entry.members} of {entry.url}")
    if not entry.members and not entry.path.is_file():
        raise ValueError(f"{entry.path} is not a file; expected the file {entry.url}")
    found = archive.content_sha256(entry.path, entry.pattern) if entry.members else sha256(entry.path)
    if found != entry.sha256:
        what = "the files in it are not those" if entry.members else "it is not the file"
        raise ValueError(
            f"{entry.path} is damaged or out of date: {what} of data/manifest.toml. Expected sha256 {entry.sha256}, found {found}. "
            f"It was not used. Move it away and it is fetched again ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url}"
        )


def _download(entry: RemoteFile) -> None:
    """Put the entry in its place in the cache, whole and verified or not at all."""
    with _explained(entry):
        entry.path.parent.mkdir(parents=True, exist_ok=True)
        _tell(entry)
        if entry.members:
            _download_archive(entry)
            return
        with paths.replace(entry.path) as temporary:
            download(entry.url, temporary, entry.size, lambda file: _same(sha256(file), entry.sha256))


def _download_archive(entry: RemoteFile) -> None:
    with tempfile.TemporaryDirectory(
        dir=entry.path.parent, prefix=f".{entry.path.name}-", ignore_cleanup_errors=True
    ) as folder:
        unpacked = Path(folder) / "unpacked"

        def unpack(file: Path) -> None:
            shutil.rmtree(unpacked, ignore_errors=True)
            unpacked.mkdir()
            archive.unpack(file, unpacked, entry.members or "", largest=entry.size)
            _same(archive.content_sha256(unpacked, entry.pattern), entry.sha256)

        download(entry.url, Path(folder) / "archive", entry.size, unpack)
        try:
            unpacked.rename(entry.path)
        except OSError:
            if not entry.path.is_dir():  # otherwise another process was faster; its content is verified like ours
                raise


def _same(found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(f"expected sha256 {expected}, got {found}; nothing was kept")


def _tell(entry: RemoteFile) -> None:
    """Say on standard error what is about to be downloaded: nobody likes a program that goes to the network in silence."""
    import pooch

    pooch.get_logger().info(
        f"Downloading {entry.key} ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url} to {paths.cache()}"
    )


@contextlib.contextmanager
def _explained(entry: RemoteFile) -> Iterator[None]:
    """Turn what can go wrong on the way into a DataUnavailable that says what to do."""
    try:
        yield
    except DownloadError as error:
        reason = f"it is not in the cache and could not be downloaded: {error}"
    except OSError as error:
        reason = f"it is not in the cache, and nothing can be written there ({error}): set MMNB_DATA to a folder that can be written to"
    else:
        return
    place = f"its members {entry.members} into the folder {entry.path}" if entry.members else f"it at {entry.path}"
    raise DataUnavailable(
        f"{entry.key} ({entry.title}) is unavailable: {reason}. "
        f"Get it yourself ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url} and put {place}, "
        f"or set MMNB_DATA to a folder that holds {entry.key}."
    )
