"""Where things live, and how a file is written so that nobody ever sees half of it."""

import contextlib
import os
import secrets
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


def cache() -> Path:
    """Folder of the remote files: `MMNB_DATA`, else the platform's user cache. It may be read-only and need not exist."""
    given = os.environ.get("MMNB_DATA")
    return Path(given).expanduser().resolve() if given else user_cache()


def user_cache() -> Path:
    """The platform's user cache of this package."""
    import platformdirs  # of the extra `notebooks`; the instruments do without

    return Path(platformdirs.user_cache_dir("mmnb", appauthor=False))


@contextlib.contextmanager
def replace(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it takes the name, on an error it is removed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replace(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole", encoding="utf-8")
        ...     [file.name for file in Path(folder).iterdir()]
        ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix stays last, because savers such as numpy's append one of their own where it is missing
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.part{path.suffix}")
    temporary.touch(exist_ok=False)  # with the permissions that the umask leaves, as of any new file
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replace(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    r"""Write `text` to `path` as UTF-8 with `\n` line ends on every system, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))
