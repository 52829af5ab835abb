"""Small remote files, fetched once through pooch and checked against `data/manifest.toml` every time they are used.

The cache folder is `MMNB_DATA` (default: the platform's user cache). It may be read-only, shared, or filled by hand on a
computer without a network: a file that is there is not downloaded.
"""

import difflib
import hashlib
import lzma
import os
import re
import stat
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
_KEY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)  # below the cache folder: no `..`, `/x`, `C:`, hidden file
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
    """Content of `data/manifest.toml`. Raises ValueError if it is no TOML."""
    try:
        content = tomllib.loads(paths.read_text(manifest_file()))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"manifest.toml: got no valid TOML: {error}") from error
    return {"dataset": {}, "package": {}, "paper": {}} | content


def files() -> dict[str, RemoteFile]:
    """All remote files of the manifest, by key, in its order. Raises ValueError on an entry that is not complete or leaves the cache."""
    content, entries = manifest(), {}
    for row in (*content.get("file", []), *content.get("archive", [])):
        try:
            dataset = content["dataset"][row["dataset"]]
            entry = RemoteFile(licence=dataset["licence"], title=dataset["title"], **row)
            right = _KEY.fullmatch(entry.key) and re.fullmatch("[0-9a-f]{64}", entry.sha256) and entry.size + 0 >= 0
        except (KeyError, TypeError, AttributeError) as error:
            what = f"entry {row.get('key', row) if isinstance(row, dict) else row!r} is not complete or has an unknown field"
            raise ValueError(f"manifest.toml: {what}: {error}") from error
        if not right or entry.key in entries:
            expected = "a key of its own without `..` or empty parts, 64 hexadecimal digits, a size from 0"
            raise ValueError(f"manifest.toml: got {entry.key!r}, {entry.sha256!r}, {entry.size}; expected {expected}")
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
        except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise DataUnavailable(_what_to_do(entry, error)) from error
    _verify(entry)
    return entry.path


def fetch_dataset(name: str) -> list[Path]:
    """Fetch every file of one data set, or check it. Raises as `fetch`, for all that are wrong at once; ValueError on an unknown name."""
    known = files()
    keys = [entry.key for entry in known.values() if entry.dataset == name]
    if not keys:
        names = sorted({entry.dataset for entry in known.values()})
        raise ValueError(f"remote.fetch_dataset: got {name!r}; expected one of {', '.join(names)}")
    fetched, errors = [], []
    for key in keys:
        try:
            fetched.append(fetch(key))
        except (DataUnavailable, ValueError, OSError) as error:
            errors.append(error)
    if errors:
        absent = all(isinstance(error, DataUnavailable) for error in errors)
        raise (DataUnavailable if absent else ValueError)("\n".join(map(str, errors)))
    return fetched


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
    """sha256 of a file; of a folder, that of the output of `LC_ALL=C sha256sum *.wav`: other files in it do not count.

    What cannot be the entry (a size that is not its own, a link to a device) is not read; what it is, is said instead.
    """
    import pooch  # over a second together with requests, and listing data sets needs neither

    if not (path.is_dir() if entry.members else path.is_file()):
        return "no folder" if entry.members else "no file"
    files = sorted(path.glob(PurePosixPath(entry.members).name)) if entry.members else [path]
    if odd := [file.name for file in files if not file.is_file()]:
        return f"{odd[0]}, which is no file"
    if (size := sum(file.stat().st_size for file in files)) != entry.size:
        return f"{size} bytes in {len(files)} files" if entry.members else f"{size} bytes"
    hashes = [pooch.file_hash(str(file)) for file in files]
    if not entry.members:
        return hashes[0]
    lines = "".join(f"{found}  {file.name}\n" for found, file in zip(hashes, files, strict=True))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _verify(entry: RemoteFile) -> None:
    """Raise ValueError unless the content in the cache is that of the manifest."""
    kind = "folder" if entry.members else "file"
    try:
        found = _content(entry, entry.path)
    except OSError as error:  # such as permissions
        found = error.strerror or str(error)
    if found != entry.sha256:
        raise ValueError(
            f"{entry.path} is damaged or out of date: got {found}; expected a {kind} with sha256 {entry.sha256}. It was not used. "
            f"Move it away and it is fetched again ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url}"
        )


def _download(entry: RemoteFile) -> None:
    """Put the entry in its place in the cache, whole and verified or not at all; what a killed download left goes after a day."""
    import pooch

    downloader = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=entry.size >= 2**20 and sys.stderr.isatty())
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    paths.sweep(entry.path.parent, f".{entry.path.name}-*", older=86_400)
    with tempfile.TemporaryDirectory(dir=entry.path.parent, prefix=f".{entry.path.name}-") as folder:
        if entry.members:
            fresh = _members(entry, Path(folder), downloader)
        else:
            name = entry.path.name
            registry, urls = {name: entry.sha256}, {name: entry.url}
            files = pooch.create(folder, "", registry=registry, urls=urls, retry_if_failed=RETRIES)
            fresh = Path(files.fetch(name, downloader=downloader))
            (
                mode := Path(folder) / "mode"
            ).touch()  # pooch leaves 0600; wanted is what the umask leaves of any new file
            fresh.chmod(stat.S_IMODE(mode.stat().st_mode))
        try:
            fresh.replace(entry.path)
        except OSError:
            if not entry.path.exists():  # otherwise another process was faster; its content is verified like ours
                raise


def _members(entry: RemoteFile, folder: Path, downloader: Callable[..., None]) -> Path:
    """A folder with the members of an archive. pooch.Untar has no safe filter on Python 3.11, and the archive's own hash is not stable."""
    archive, unpacked = folder / "archive", folder / "unpacked"
    downloader(entry.url, str(archive), None)
    with tarfile.open(archive) as tar:
        # a small archive can unpack to terabytes; the filter refuses a path that leaves the folder
        wanted, room = [], entry.size
        for member in tar:
            if member.isfile() and fnmatchcase(member.name, f"*/{entry.members}") and member.size <= room:
                wanted.append(member)
                room -= member.size
        tar.extractall(unpacked, wanted, filter="data")
    members = next(unpacked.glob(f"*/{PurePosixPath(entry.members).parent}"), unpacked)
    if _content(entry, members) != entry.sha256:
        raise ValueError(f"its members have other contents than those with sha256 {entry.sha256}")
    return members


def _what_to_do(entry: RemoteFile, error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        reason = f"the server answered {error.response.status_code}"
    elif isinstance(error, requests.RequestException | EOFError | tarfile.TarError | zlib.error | lzma.LZMAError):
        reason = f"the download failed ({type(error).__name__})"  # their texts hold addresses of objects
    else:
        reason = str(error)
    place = f"its members {entry.members} into the folder {entry.path}" if entry.members else f"it at {entry.path}"
    return (
        f"{entry.key} ({entry.title}) is not in the cache and could not be downloaded or kept: {reason}. "
        f"Get it yourself ({size_in_words(entry.size)}, licence {entry.licence}) from {entry.url} and put {place}, "
        f"or set MMNB_DATA to a folder that can be written to, or that holds {entry.key}."
    )
