"""Arrays that are cheap to make again (decoded images, rendered glyphs), kept between runs as `.npz` files.

A file that cannot be read, or is not as it was written (a checksum of names, types, shapes and values is in it), is made again; a folder that
cannot be written costs a warning. joblib.Memory would do the same, but it loads pickles, which run code: the folder may be shared.
"""

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from mmnb import paths
from mmnb.instruments.identity import fingerprint

Arrays = dict[str, np.ndarray]
_SUM = "sha256"


def folder() -> Path:
    """Folder of the derived files: `MMNB_CACHE`, else the platform's user cache. It need not exist."""
    given = os.environ.get("MMNB_CACHE")
    return Path(given).expanduser().resolve() if given else paths.user_cache() / "derived"


def arrays(
    name: str, build: Callable[[], Arrays], *, source: Path | str, packages: Sequence[str], **settings: object
) -> Arrays:
    """The named arrays that `build()` returns, from the cache where they are whole, and kept there.

    `name`, the content of `source` (the builder's `__file__`), the versions of the installed `packages` and the
    `settings`, which need a stable `repr`, name the file.
    """
    versions = "".join(f"{package}=={metadata.version(package)}\n" for package in packages)
    content = Path(source).read_bytes() + (versions + repr(sorted(settings.items()))).encode()
    path = folder() / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    if (kept := _read(path)) is not None:
        return kept
    built = build()
    try:
        with paths.replace(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **built, **{_SUM: np.array(fingerprint(_named(built)))})
    except OSError as error:
        if _read(path) is None:  # on Windows another process that reads the same file keeps its name: no harm done
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
            found = {name: stored[name] for name in stored.files if name != _SUM}
            return found if str(stored[_SUM]) == fingerprint(_named(found)) else None
    except (OSError, EOFError, ValueError, KeyError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error):
        return None


def _named(arrays: Arrays) -> list[tuple[str, np.ndarray]]:
    return [(name, np.asarray(arrays[name])) for name in sorted(arrays)]
