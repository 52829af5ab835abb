"""Select notebooks by the names that a command is given."""

import re
from collections.abc import Sequence
from pathlib import Path

from click import UsageError

from mmnb import paths

_NUMBER, _NAMED = re.compile(r"[0-9]{2}[a-z]?_"), re.compile(r"([0-9]+)([a-z]?)")  # of a file; as users write it


def available() -> list[str]:
    """Slugs of all notebooks, in the order of their numbers, each before its appendix (05, 05b). Raises click.UsageError without a checkout."""
    try:
        return sorted(
            file.stem for file in (paths.root() / "notebooks").glob("[0-9][0-9]*_*.py") if _NUMBER.match(file.stem)
        )
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error


def select(names: Sequence[str]) -> list[str]:
    """Notebooks meant by `names`: a number (`1`, `01`, `05b`), a slug (`01_emap`), the beginning of one (`ema`), or a file name.

    Raises click.UsageError for a name that fits none, or if there is none at all: an empty run must not succeed.
    """
    if not (slugs := available()):
        raise UsageError(f"no notebook NN_name.py in {paths.root() / 'notebooks'}")
    parts = [part for name in names for part in re.split(r"[,\s]+", name)]
    wanted = [Path(part).stem if part.endswith((".py", ".ipynb")) else part for part in parts]
    chosen = set() if wanted else set(slugs)
    for name in wanted:
        words = {slug: slug.split("_", 1) for slug in slugs}
        named = _NAMED.fullmatch(name)
        number = f"{int(named[1]):02}{named[2]}" if named else name
        found = [slug for slug in slugs if name == slug or number in words[slug]] or [
            slug for slug in slugs if name and not named and (slug.startswith(name) or words[slug][1].startswith(name))
        ]
        if not found:
            raise UsageError(f"no notebook fits {name!r}; there are {', '.join(slugs)}")
        chosen.update(found)
    return [slug for slug in slugs if slug in chosen]
