"""Progress of a run: bars on a terminal, plain lines in a log file. Always on standard error."""

import time
from typing import Any

import click
from rich.console import Console

from mmnb.runner.pool import Listener

EVERY = 30.0  # seconds between two lines of a log


def listener(total: int, console: Console) -> "Listener":
    """The right kind of progress for `console`: bars where a terminal shows them, else lines."""
    return _Bars(console) if console.is_terminal and not console.is_dumb_terminal else _Lines(total)


class _Lines:
    """One line when a notebook starts, one every 30 s, one when it ends."""

    def __init__(self, total: int) -> None:
        self.total, self.finished = total, 0
        self.running: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, slug: str, event: dict[str, Any]) -> None:
        now = time.monotonic()
        match event["state"]:
            case "start":
                self.running[slug] = {"began": now, "told": now, "cells": ""}
                click.echo(f"{slug}: started", err=True)
            case "progress":
                self.running[slug]["cells"] = f"{event['done']}/{event['total']} cells, "
            case "tick":
                for name, state in self.running.items():
                    if now - state["told"] >= EVERY:
                        state["told"] = now
                        click.echo(f"{name}: {state['cells']}{now - state['began']:.0f} s", err=True)
            case "end" | "skip":
                self.finished += 1
                self.running.pop(slug, None)
                click.echo(f"{slug}: {outcome(event['result'])} ({self.finished} of {self.total})", err=True)


class _Bars:
    """One bar for each notebook: cells and seconds."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
        )
        self.progress = Progress(*columns, console=console)
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def __call__(self, slug: str, event: dict[str, Any]) -> None:
        match event["state"]:
            case "start":
                self.tasks[slug] = self.progress.add_task(slug, total=None)
            case "progress":
                self.progress.update(self.tasks[slug], completed=event["done"], total=event["total"])
            case "end":
                self.progress.stop_task(self.tasks[slug])
                self.progress.console.print(f"{slug}: {outcome(event['result'])}", highlight=False, markup=False)
            case "skip":
                self.progress.console.print(f"{slug}: {outcome(event['result'])}", highlight=False, markup=False)


def outcome(result: dict[str, Any]) -> str:
    """How a notebook ended, in a phrase."""
    if result.get("skipped"):
        return "done before, nothing has changed since"
    return f"{'ok' if result['status'] == 'ok' else 'FAILED'} after {result['wall_seconds']:.0f} s" + (
        f": {result['reason']}" if result["reason"] else ""
    )
