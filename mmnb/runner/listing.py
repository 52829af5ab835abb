"""What `mmnb list` and `mmnb data` show."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from click import UsageError

from mmnb import paths
from mmnb.runner import pool


def notebook(slug: str) -> dict[str, Any]:
    """One notebook: question, answer, CPU minutes of its last build at laptop (None if never), number of claims."""
    from mmnb.lab import claims, report

    built = pool.read_json(paths.root() / "notebooks" / f"{slug}.ipynb").get("metadata", {}).get("mmnb", {})
    seconds = built.get("cpu_seconds")
    return {
        "notebook": slug,
        "question": re.sub(r"^\d+ *[·.:-] *", "", report.title(slug)),
        "answer": report.answer(slug).replace("**", ""),
        "cpu_minutes": None if seconds is None else round(seconds / 60, 1),
        "claims": len(claims.load(slug)),
    }


def paragraph(row: dict[str, Any]) -> str:
    """A notebook for people: question, answer, what it takes."""
    minutes = "not built yet" if row["cpu_minutes"] is None else f"{row['cpu_minutes']} CPU minutes at laptop"
    answer = textwrap.fill(row["answer"], 110, initial_indent="    ", subsequent_indent="    ")
    return f"{row['notebook']}  {row['question']}\n{answer}\n    {minutes} · {row['claims']} claims"


def datasets(names: Sequence[str]) -> list[Any]:
    """The data sets called `names`, or all. Raises click.UsageError for an unknown name."""
    from mmnb.data import catalogue

    known = {dataset.name: dataset for dataset in catalogue()}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no data set {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


def as_json(found: Sequence[Any]) -> list[dict[str, Any]]:
    """The data sets as plain dictionaries."""
    keys = ("name", "kind", "size_bytes", "licence", "where", "present", "how")
    return [{key: getattr(dataset, key) for key in keys} for dataset in found]


def dataset_table(found: Sequence[Any]) -> str:
    """The data sets as a table, with the way to get each that is missing below it."""
    from rich.table import Table

    from mmnb.data.remote import size_in_words
    from mmnb.runner.summary import console

    table = Table(title="Data sets", title_justify="left")
    for name in ("name", "kind", "size", "licence", "here", "where"):
        table.add_column(name, justify="right" if name == "size" else "left", overflow="fold")
    for one in found:
        here = "yes" if one.present else "no"
        table.add_row(one.name, one.kind, size_in_words(one.size_bytes), one.licence, here, str(one.where))
    out = console()
    with out.capture() as text:
        out.print(table)
    return text.get() + "\n".join(f"{one.name}: {one.how}" for one in found if not one.present)
