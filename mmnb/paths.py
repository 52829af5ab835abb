"""Where things live, and how a file is written so that nobody ever sees half of it."""

import contextlib
import glob
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path


def root() -> Path:
    """Folder of the checkout: it holds `notebooks/`, `data/claims/`, `figures/`.

    `MMNB_ROOT` overrides it. Raises FileNotFoundError when there is no `data/claims` in it, which happens when the package
    was installed as a wheel: the notebooks need the checkout.
    """
    given = os.environ.get("MMNB_ROOT")
    folder = Path(given) if given else Path(__file__).resolve().parent.parent
    if not (folder / "data" / "claims").is_dir():
        origin = "MMNB_ROOT" if given else "the installed package"
        raise FileNotFoundError(
            f"no data/claims in {folder} (from {origin}); expected a checkout of mmnb: "
            "install with `pip install -e .` inside one, or set MMNB_ROOT to its folder"
        )
    return folder.resolve()


def local(path: Path | str, name: str = "path") -> Path:
    """`path`, called `name` in the error: ValueError if it is empty or an address (s3://bucket/x would become a folder `s3:`)."""
    if not str(path).strip() or re.match(r"[A-Za-z][\w.+-]+:/", str(path)):  # one letter is a drive
        raise ValueError(f"{name}: got {str(path)!r}; expected a file or folder of this computer")
    return Path(path)


def read_text(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises ValueError, with its name, if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: got bytes that are not UTF-8 ({error.reason} at {error.start})") from error


def cache() -> Path:
    """Folder of the remote files: `MMNB_DATA`, else the platform's user cache. It may be read-only and need not exist."""
    given = os.environ.get("MMNB_DATA")
    return local(given, "MMNB_DATA").expanduser().resolve() if given else user_cache()


def user_cache() -> Path:
    """The platform's user cache of this package."""
    import platformdirs  # of the extra `notebooks`; the instruments do without

    return Path(platformdirs.user_cache_dir("mmnb", appauthor=False))


@contextlib.contextmanager
def replace(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it takes the name, on an error it is removed.

    What a killed process left of an earlier try is removed once it is a day old.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replace(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole", encoding="utf-8")
        ...     [file.name for file in Path(folder).iterdir()]
        ['a.txt']
    """
    path = local(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, f".{glob.escape(path.stem)}-*.part{glob.escape(path.suffix)}", older=86_400)
    # the suffix stays last, because savers such as numpy's append one of their own where it is missing
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.part{path.suffix}")
    temporary.touch(exist_ok=False)  # with the permissions that the umask leaves, as of any new file
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, pattern: str, older: float = 0) -> None:
    """Remove the files and folders in `folder` that fit `pattern` and were last changed `older` seconds ago or more."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):  # another process does the same, or the folder is read-only: nothing is lost
            if path.lstat().st_mtime <= time.time() - older:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replace(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    r"""Write `text` to `path` as UTF-8 with `\n` line ends on every system, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))
