"""Progress of a run on standard error: bars on a terminal, lines in a log."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

EVERY = 30.0  # seconds between two signs of life in a log


class RunProgress(Progress):
    """Listens to `mmnb.runner.pool.run`: a bar for each notebook, or lines when `console` is no terminal.

    Args:
        total: Number of notebooks.
        console: Where to write.
    """

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
