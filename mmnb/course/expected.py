"""Draw what a right answer gives on the visible inputs of an exercise, for the student's version of a notebook.

The hidden inputs that `mmnb grade` draws are never shown.
"""

import copy
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnb.course import exercises
from mmnb.lab import plot

_PANELS, _READABLE = 3, 60  # panels of one figure; about as many numbers as one panel shows clearly


@dataclass(frozen=True)
class Picture:
    """A PNG and its alternative text."""

    png: bytes
    alt: str


@functools.cache
def picture(exercise_id: str) -> Picture:
    """Draw the expected answers of an exercise: one dot for each number or word, or up to three answers that are arrays.

    Raises:
        KeyError: For an unknown exercise.
    """
    entry = exercises.registered()[exercise_id]
    answers = []
    for name, arguments in entry.cases(np.random.default_rng(0)):
        answer = entry.reference(*copy.deepcopy(arguments))
        answers.append((name, answer if isinstance(answer, tuple) else (answer,)))
    if all(np.ndim(part) == 0 for _, parts in answers for part in parts):
        figure, shown = _dots(answers)
    else:
        figure, shown = _arrays([(name, np.asarray(part, float)) for name, parts in answers for part in parts])
    figure.suptitle(f"{entry.id} · {entry.title}")
    return Picture(plot.png(figure)[0], f"What a right answer to {entry.id} returns on visible inputs. {shown}.")


def _dots(answers: list[tuple[str, tuple]]) -> tuple[Any, str]:
    """A row for each input, the first one on top; words and truth values have a column each."""
    figure, ax = plot.subplots("page", height=0.6 + 0.22 * len(answers))
    rows = np.arange(len(answers))[::-1]
    ax.set(yticks=rows, yticklabels=[name for name, _ in answers], ylim=(-0.7, len(answers) - 0.3))
    ax.set_xlabel("what a right answer returns")
    words = sorted({str(part) for _, parts in answers for part in parts if isinstance(part, str | bool | np.bool)})
    for number in range(max(len(parts) for _, parts in answers)):
        values = [parts[number] for _, parts in answers]
        if words:
            values = [words.index(str(value)) for value in values]
        style = {"fillstyle": "none" if number else "full", "label": f"part {number + 1} of the answer"}
        ax.plot(np.array(values, float), rows, "os"[number % 2], **style)  # None becomes NaN: no dot
    for row, (_, parts) in zip(rows, answers, strict=True):
        if parts[0] is None:
            ax.text(0.5, row, "None", transform=ax.get_yaxis_transform(), ha="center", va="center")
    if words:
        ax.set(xticks=range(len(words)), xticklabels=words, xlim=(-0.5, len(words) - 0.5))
    if len(answers[0][1]) > 1:
        ax.legend()
    return figure, "; ".join(f"{name}: {', '.join(map(_in_words, parts))}" for name, parts in answers)


def _arrays(panels: list[tuple[str, np.ndarray]]) -> tuple[Any, str]:
    """Up to three answers, as bars or as an image."""
    panels = [panel for panel in panels if panel[1].size > 1] or panels
    panels.sort(key=lambda panel: (np.ptp(panel[1]) == 0, abs(panel[1].size - _READABLE)))  # a constant shows little
    panels = panels[:_PANELS]
    figure, axes = plot.subplots("page", cols=len(panels), height=2.4)
    for ax, (name, part) in zip(np.atleast_1d(axes).flat, panels, strict=True):
        grid = part.reshape(-1, part.shape[-1])
        if len(grid) == 1:
            ax.bar(np.arange(grid.size), grid[0], color="#7F7F7F")
            ax.set(xlabel="index", ylabel="value")
        else:
            figure.colorbar(ax.imshow(grid, cmap="cividis", aspect="auto", interpolation="nearest"), ax=ax)
            ax.set(xlabel="last axis", ylabel="first axes" if part.ndim > 2 else "first axis")
        ax.set_title(name, fontsize=8)
    ends = ((name, part.shape, _in_words(part.min()), _in_words(part.max())) for name, part in panels)
    return figure, "; ".join(f"{name}: shape {shape}, from {low} to {high}" for name, shape, low, high in ends)


def _in_words(value: Any) -> str:
    return str(value) if value is None or isinstance(value, str | bool | np.bool) else f"{float(value):.3g}"
