"""Small remote files, fetched once through pooch and checked against `data/manifest.toml` every time they are used.

The cache folder is `MMNB_DATA` (default: the platform's user cache). It may be read-only, shared, or filled by hand on a
computer without a network: a file that is there is not downloaded.
"""

import difflib
import hashlib
import os
import sys
import tarfile
import tempfile
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mmnb import paths
from mmnb.errors import DataUnavailable

RETRIES = 1
TIMEOUT = (5.0, 15.0)  # seconds to connect, seconds of silence


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
        """Where it belongs: the key below the cache folder."""
        return paths.cache().joinpath(*self.key.split("/"))

    @property
    def present(self) -> bool:
        """Whether the file or folder exists; `fetch` checks the content."""
        return self.path.is_dir() if self.members else self.path.is_file()


def manifest_file() -> Path:
    """Path of `data/manifest.toml` in the checkout (`MMNB_ROOT` first, where it has one). Raises FileNotFoundError without it."""
    beside_package = Path(__file__).resolve().parents[2] / "data" / "manifest.toml"
    given = os.environ.get("MMNB_ROOT")
    candidates = [Path(given) / "data" / "manifest.toml"] if given else []
    for file in (*candidates, beside_package):
        if file.is_file():
            return file
    expected = "a checkout of mmnb, installed with `pip install -e .`"
    raise FileNotFoundError(f"no data/manifest.toml at {beside_package}; expected {expected}")


def manifest() -> dict[str, Any]:
    """Content of `data/manifest.toml`."""
    return tomllib.loads(manifest_file().read_text(encoding="utf-8"))


def files() -> dict[str, RemoteFile]:
    """All remote files of the manifest, by key, in its order. Raises ValueError on an entry that is not complete."""
    content, entries = manifest(), {}
    for row in (*content.get("file", []), *content.get("archive", [])):
        try:
            dataset = content["dataset"][row["dataset"]]
            entry = RemoteFile(licence=dataset["licence"], title=dataset["title"], **row)
        except (KeyError, TypeError) as error:
            what = f"entry {row.get('key', row)!r} is not complete or has an unknown field"
            raise ValueError(f"manifest.toml: {what}: {error}") from error
        entries[entry.key] = entry
    return entries


def fetch(key: str) -> Path:
    """Path of a remote file, or of the folder of an archive, with the manifest's sha256; downloaded if it is not cached.

    `key` is as in `data/manifest.toml`, such as "emap-lxmert/vqa_results.txt". Raises ValueError when it is unknown or the
    cache holds something else (neither used nor removed), DataUnavailable when it cannot be downloaded or kept.
    """
    known = files()
    if key not in known:
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.4) or list(known)
        raise ValueError(f"remote.fetch: got key {key!r}; expected one of {manifest_file().name}, as {', '.join(near)}")
    entry = known[key]
    if not entry.path.exists():
        try:
            _download(entry)
        except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as error:
            raise DataUnavailable(_what_to_do(entry, error)) from error
    _verify(entry)
    return entry.path


def fetch_dataset(name: str) -> list[Path]:
    """Fetch every file of one data set. Raises as `fetch`; ValueError on an unknown name."""
    known = files()
    keys = [entry.key for entry in known.values() if entry.dataset == name]
    if not keys:
        names = sorted({entry.dataset for entry in known.values()})
        raise ValueError(f"remote.fetch_dataset: got {name!r}; expected one of {', '.join(names)}")
    return [fetch(key) for key in keys]


def array(key: str) -> np.ndarray:
    """A remote `.npy` file as an array. Raises as `fetch`; ValueError if it holds pickled objects."""
    return np.load(fetch(key), allow_pickle=False)


def size_in_words(size: int) -> str:
    """A number of bytes for people.

    Example:
        >>> size_in_words(840), size_in_words(2_048_128), size_in_words(6_650_000_000)
        ('840 bytes', '2.0 MB', '6.7 GB')
    """
    units = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
    return next((f"{size / unit:.1f} {name}" for unit, name in units if size >= unit), f"{size} bytes")


def _content(entry: RemoteFile, path: Path) -> str:
    """sha256 of a file; of a folder, that of the output of `LC_ALL=C sha256sum *.wav`: other files in it do not count."""
    import pooch  # over a second together with requests, and listing data sets needs neither

    if not entry.members:
        return pooch.file_hash(str(path))
    members = sorted(path.glob(PurePosixPath(entry.members).name))
    lines = "".join(f"{pooch.file_hash(str(file))}  {file.name}\n" for file in members)
    return hashlib.sha256(lines.encode()).hexdigest()


def _verify(entry: RemoteFile) -> None:
    """Raise ValueError unless the content in the cache is that of the manifest."""
    kind = "folder" if entry.members else "file"
    found = _content(entry, entry.path) if entry.present else f"no {kind}"
    if found != entry.sha256:
        raise ValueError(
            f"{entry.path} is damaged or out of date: got {found}; expected a {kind} with sha256 {entry.sha256}. It was not used. "
            f"Move it away and it is fetched again ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url}"
        )


def _download(entry: RemoteFile) -> None:
    """Put the entry in its place in the cache, whole and verified or not at all."""
    import pooch

    downloader = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=entry.size >= 2**20 and sys.stderr.isatty())
    if entry.members:
        return _download_members(entry, downloader)
    registry, urls = {entry.key: entry.sha256}, {entry.key: entry.url}
    files = pooch.create(paths.cache(), "", registry=registry, urls=urls, retry_if_failed=RETRIES)
    # pooch leaves the mode 0600, which nobody else could read in a shared folder
    files.fetch(entry.key, processor=lambda file, action, _: os.chmod(file, 0o644), downloader=downloader)


def _download_members(entry: RemoteFile, downloader: Callable[..., None]) -> None:
    """Unpack the members of an archive. pooch.Untar has no safe filter on Python 3.11, and the archive's own hash is not stable."""
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=entry.path.parent, prefix=f".{entry.path.name}-") as folder:
        archive, unpacked = Path(folder) / "archive", Path(folder) / "unpacked"
        downloader(entry.url, str(archive), None)
        with tarfile.open(archive) as tar:
            found = (m for m in tar if m.isfile() and fnmatchcase(m.name, f"*/{entry.members}"))
            # a small archive can unpack to terabytes; the filter refuses a path that leaves the folder
            tar.extractall(unpacked, [m for m in found if m.size <= entry.size], filter="data")
        members = next(unpacked.glob(f"*/{PurePosixPath(entry.members).parent}"), unpacked)
        if _content(entry, members) != entry.sha256:
            raise ValueError(f"its members have other contents than those with sha256 {entry.sha256}")
        try:
            members.rename(entry.path)
        except OSError:
            if not entry.path.is_dir():  # otherwise another process was faster; its content is verified like ours
                raise


def _what_to_do(entry: RemoteFile, error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        reason = f"the server answered {error.response.status_code}"
    elif isinstance(error, requests.RequestException | EOFError | tarfile.TarError | zlib.error):
        reason = f"the download failed ({type(error).__name__})"  # their texts hold addresses of objects
    else:
        reason = str(error)
    place = f"its members {entry.members} into the folder {entry.path}" if entry.members else f"it at {entry.path}"
    return (
        f"{entry.key} ({entry.title}) is not in the cache and could not be downloaded or kept: {reason}. "
        f"Get it yourself ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url} and put {place}, "
        f"or set MMNB_DATA to a folder that can be written to, or that holds {entry.key}."
    )
