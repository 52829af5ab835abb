"""Arrays that are cheap to make again (decoded images, rendered glyphs), kept between runs in a folder of their own.

The folder is `MMNB_CACHE`, else `derived/` in the platform's user cache. It is never the folder of the remote files, which may
be read-only or shared. Losing it costs seconds, so nothing in here may stop a run: what cannot be read is made again, what
cannot be written is reported by a warning and used from memory.
"""

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import platformdirs

from mmnb import paths

Arrays = dict[str, np.ndarray]


def folder() -> Path:
    """Folder of the derived files: `MMNB_CACHE`, else the platform's user cache. It need not exist."""
    given = os.environ.get("MMNB_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    return Path(platformdirs.user_cache_dir("mmnb", appauthor=False)) / "derived"


def key(source: Path | str, distributions: list[str], **settings: object) -> str:
    """Sixteen hexadecimal digits that change when the result would: code of the builder, package versions, settings.

    Args:    source, the builder's `__file__`; distributions, names of the installed packages that the result depends on;
             settings, anything with a stable `repr`.
    Returns: the key. Raises: importlib.metadata.PackageNotFoundError if a distribution is not installed.
    """
    digest = hashlib.sha256(Path(source).read_bytes())
    for name in distributions:
        digest.update(f"{name}=={metadata.version(name)}\n".encode())
    digest.update(repr(sorted(settings.items())).encode())
    return digest.hexdigest()[:16]


def arrays(name: str, key: str, build: Callable[[], Arrays]) -> Arrays:
    """Return the arrays that `build()` returns, from the cache where they are whole, and keep them there.

    Args:    name, start of the file name; key, from `key`: another key is another file; build, returns named arrays without
             Python objects in them (they are stored without pickle).
    Returns: name -> array, freshly read or freshly built; the caller owns them.
    Warns:   RuntimeWarning when the folder cannot be written (the arrays are returned all the same).
    """
    path = folder() / f"{name}-{key}.npz"
    kept = _read(path)
    if kept is not None:
        return kept
    built = build()
    try:
        with paths.replace(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **built)
    except OSError as error:
        if (
            _read(path) is None
        ):  # on Windows the name cannot be taken while another process reads the same file: no harm done
            warnings.warn(
                f"mmnb could not keep {path.name} in {path.parent} ({error}); it is made again on every run. "
                "Set MMNB_CACHE to a folder that can be written to.",
                RuntimeWarning,
                stacklevel=2,
            )
    return built


def _read(path: Path) -> Arrays | None:
    """The arrays in `path`, or None if the file is absent, cut short or damaged (zip members carry a CRC)."""
    try:
        # opened here, because np.load leaves a damaged file open, and then Windows would not let it be replaced
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
