"""What a run shows: its progress, then tables of notebooks and verdicts, where the executed notebooks are, the exit code."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mmnb import paths
from mmnb.lab import claims, verdicts
from mmnb.runner import pool

EVERY = 30.0  # seconds between two signs of life in a log
OK, FAILED, USAGE, CHANGED, INTERRUPTED = 0, 1, 2, 3, 130
_COLOURS = {"ok": "green", "failed": "red"}
_COLOURS |= {"✔": "green", "◐": "yellow", "✘": "magenta", "?": "cyan"}


def console(stderr: bool = False) -> Console:
    """A console that is wide enough in a log file, and coloured on a terminal only."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 150, markup=False, highlight=False)


class RunProgress(Progress):
    """Listens to `mmnb.runner.pool.run` of `total` notebooks: a bar for each, or lines when `console` is no terminal."""

    def __init__(self, total: int, console: Console) -> None:
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TextColumn("cells"), TimeElapsedColumn())
        self.log = not console.is_terminal or console.is_dumb_terminal
        super().__init__(*columns, console=console, disable=self.log, get_time=time.monotonic)
        self.rows: dict[str, TaskID] = {}
        self.n_notebooks, self.ended, self.last = total, 0, time.monotonic()

    def __call__(self, slug: str, event: dict[str, Any]) -> None:
        """Show one event, see `mmnb.runner.pool.Listener`."""
        match event["state"]:
            case "start":
                self.rows[slug] = self.add_task(slug, total=None)
                if self.log:
                    self._line(f"{slug}: started")
            case "progress":
                self.update(self.rows[slug], completed=event["done"], total=event["total"])
            case "tick" if self.log and time.monotonic() - self.last >= EVERY:
                self.last = time.monotonic()
                for task in (task for task in self.tasks if task.stop_time is None):
                    self._line(f"{task.description}: {task.completed}/{task.total} cells, {task.elapsed:.0f} s")
            case "end" | "skip":
                self.ended += 1
                if slug in self.rows:
                    self.stop_task(self.rows[slug])
                self._line(f"{slug}: {outcome(event['result'])} ({self.ended} of {self.n_notebooks})")

    def _line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def outcome(result: dict[str, Any]) -> str:
    """How a notebook ended, in a phrase."""
    if result.get("skipped"):
        return "done before, nothing has changed since"
    reason = f": {result['reason']}" if result["reason"] else ""
    return f"{'ok' if result['status'] == 'ok' else 'FAILED'} after {result['wall_seconds']:.0f} s{reason}"


def collect(plan: pool.Plan, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results with what the run folder adds: the path of the executed notebook, the records, the changed verdicts."""
    collected = []
    for result in results:
        slug = result["notebook"]
        executed = plan.out / slug / f"{slug}.ipynb"
        records = pool.read_json(plan.out / slug / "records.json")
        extra = {"executed": str(executed) if executed.is_file() else None, "records": records.get("records", {})}
        collected.append(result | extra | {"changed": changed(slug, result, records)})
    return collected


def changed(slug: str, result: dict[str, Any], records: dict[str, Any]) -> list[str]:
    """Verdicts that differ from the committed ones; judged for a run that succeeded at profile laptop with seed 0."""
    committed = pool.read_json(paths.root() / "data" / "results" / f"{slug}.json")
    if not committed or (result["status"], result["profile"], result["seed"]) != ("ok", "laptop", 0):
        return []
    return [str(change) for change in claims.compare(committed, records)]


def exit_code(collected: list[dict[str, Any]]) -> int:
    """0 all as committed, 1 a notebook failed, 3 a verdict changed."""
    if any(result["status"] != "ok" for result in collected):
        return FAILED
    return CHANGED if any(result["changed"] for result in collected) else OK


def show(collected: list[dict[str, Any]], out: Console) -> None:
    """Print the tables for people."""
    out.print(_notebooks(collected))
    if (judged := _verdicts(collected)).row_count:
        out.print(judged)
    for reason, ids in _untestable(collected).items():
        out.print(f"Not testable here: {', '.join(ids)}: {reason}", soft_wrap=True)
    for result in collected:
        for line in result.get("log", []):
            out.print(Text(f"    {line}"), soft_wrap=True)
        if result["status"] != "ok":
            out.print(Text(f"{result['notebook']} failed: {result['reason']}", style="red"), soft_wrap=True)
        for change in result["changed"]:
            out.print(Text(f"verdict changed: {change}", style="magenta"), soft_wrap=True)
    out.print("Executed notebooks:")
    for result in collected:
        where = _nearby(result["executed"]) if result["executed"] else f"none for {result['notebook']}"
        out.print(Text(f"  {where}"), soft_wrap=True)


def _notebooks(collected: list[dict[str, Any]]) -> Table:
    table = Table(title="Notebooks", title_justify="left")
    table.add_column("notebook", no_wrap=True)
    table.add_column("status")
    for name in ("seconds", "CPU seconds", "peak MB", *verdicts.COLUMNS):
        table.add_column(name, justify="right")
    for result in collected:
        status = "as before" if result.get("skipped") else result["status"]
        numbers = [result.get(key) for key in ("wall_seconds", "cpu_seconds", "peak_memory_mb")]
        table.add_row(
            result["notebook"],
            Text(status, style=_COLOURS[result["status"]]),
            *("–" if number is None else f"{number:.0f}" for number in numbers),
            *map(str, verdicts.columns(verdicts.count(_claims(result), result["records"]))),
        )
    return table


def _verdicts(collected: list[dict[str, Any]]) -> Table:
    table = Table(title="Claims", title_justify="left")
    for name in ("claim", "in words", "paper", "ours", "verdict"):
        table.add_column(name, no_wrap=name == "claim")
    for result in collected:
        for claim in _claims(result):
            row = verdicts.row(claim, result["records"].get(claim.id))
            mark = claims.MARKS.get(row.verdict, "·")
            style = _COLOURS.get(mark, "dim")
            table.add_row(row.id, row.claim, row.published, row.ours, Text(f"{mark} {row.verdict}", style=style))
    return table


def _claims(result: dict[str, Any]) -> Iterable[claims.Claim]:
    try:
        return claims.load(result["notebook"]) if result["records"] else ()
    except ValueError:  # the claims file is broken, which is the reason of the failure that is shown
        return ()


def _untestable(collected: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Reason -> claims that could not be judged for it."""
    reasons: dict[str, list[str]] = {}
    for name, record in (entry for result in collected for entry in result["records"].items()):
        if record["verdict"] == claims.NOT_TESTABLE:
            reasons.setdefault(record["reason"], []).append(name)
    return reasons


def _nearby(path: str) -> str:
    """The path as short as it can be from here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
