"""Where data lie that no program fetches: inside an installed package, or in a folder filled by hand."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from mmnb import paths
from mmnb.errors import DataUnavailable


def of_package(module: str) -> Path | None:
    """Folder of an installed top-level package, found without importing it; None where there is none."""
    found = importlib.util.find_spec(module)
    return Path(found.origin).parent if found and found.origin else None


def by_hand(name: str, folder: Path | str | None, parts: Sequence[str], what: str, how: str) -> Path:
    """`folder`, or `name` in the cache folder (`MMNB_DATA`). Raises DataUnavailable unless it holds all `parts`."""
    folder = paths.cache() / name if folder is None else Path(folder)
    if missing := [part for part in parts if not (folder / part).exists()]:
        named = ", ".join(missing[:3])
        raise DataUnavailable(f"{what} is not complete in {folder}: {named} missing. {how.format(folder=folder)}")
    return folder
