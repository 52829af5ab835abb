"""Between two runs, which verdicts and which numbers moved: Markdown for a pull request or the summary of a CI job."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click import UsageError

from mmnb import paths
from mmnb.lab import claims, rules
from mmnb.lab.tables import Table


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Results by notebook: from one file, from data/results, or from the folder of a run; click.UsageError if nothing there is one."""
    files = [path] if path.is_file() else [*sorted(path.glob("[0-9]*.json")), *sorted(path.glob("*/records.json"))]
    found = {}
    for file in files:
        try:
            content = json.loads(paths.read_text(file))
            records = {name: _shown(record) for name, record in content["records"].items()}
            found[str(content["notebook"])] = {"records": records, "profile": content["profile"]}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{file} is no result of a notebook: {type(error).__name__}: {error}") from error
    if not found:
        raise UsageError(f"no results in {path}; expected data/results, a file of it, or the folder of a run")
    return found


def markdown(old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> tuple[str, int]:
    """What moved from `old` to `new`, both as `load` gives them, and how many verdicts did; numbers are compared as the tables print them."""
    parts, verdicts = [], 0
    for slug in sorted({*old, *new}):
        if slug not in old or slug not in new:
            parts.append(f"### {slug}\n\nOnly in the {'old' if slug in old else 'new'} results.")
            continue
        if old[slug]["profile"] != new[slug]["profile"]:
            profiles = f"{old[slug]['profile']} and {new[slug]['profile']}"
            raise UsageError(f"{slug}: the profiles are {profiles}; expected the same in both")
        before, after = old[slug]["records"], new[slug]["records"]
        rows = [row for name in {**before, **after} if (row := _row(name, before.get(name), after.get(name)))]
        moved = sum(row[1] != row[2] for row in rows)
        verdicts += moved
        if rows:
            rows.sort(key=lambda row: row[1] == row[2])  # verdicts that moved come first
            summary = f"{moved} of {len({**before, **after})} verdicts moved, {len(rows) - moved} more numbers did."
            table = Table(("claim", "verdict before", "verdict now", "number before", "number now"), rows)
            parts.append(f"### {slug}\n\n{summary}\n\n{table.markdown()}")
    return "\n\n".join(parts) or "Nothing moved: the same verdicts, the same numbers.", verdicts


def _row(name: str, before: tuple[str, str] | None, after: tuple[str, str] | None) -> tuple[str, ...] | None:
    (old_verdict, old_number), (new_verdict, new_number) = both = [pair or ("–", "–") for pair in (before, after)]
    return None if both[0] == both[1] else (name, old_verdict, new_verdict, old_number, new_number)


def _shown(record: Mapping[str, Any]) -> tuple[str, str]:
    """Verdict and number of a record, as the tables print them. Raises KeyError, TypeError or ValueError if it is none."""
    verdict, value, ci = record["verdict"], record["value"], record["ci"]
    if not rules.is_text(verdict):
        raise TypeError(f"got the verdict {verdict!r}; expected a text")
    if verdict == claims.NOT_TESTABLE and value is None:
        return verdict, "–"
    value = rules.plain(value, "value")
    low_high = "" if ci is None else f" [{rules.short(rules.interval(ci, value, 'ci'))}]"
    if isinstance(value, dict):  # stored files sort the names, runs keep the order of the rule
        value = dict(sorted(value.items()))
    return verdict, rules.short(value) + low_high
