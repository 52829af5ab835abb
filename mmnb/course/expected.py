"""What a right answer gives on the visible inputs of an exercise, as a picture: it stands beside the stub in the student's version.

Only the inputs that every check shows are drawn, never the hidden ones that `mmnb grade` draws afresh.
"""

import copy
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnb.course import exercises
from mmnb.course.exercises import Exercise
from mmnb.lab import plot

_PANELS, _READABLE = 3, 60  # panels of one figure; numbers of an answer that can be told apart in one


@dataclass(frozen=True)
class Picture:
    """A PNG and its alternative text."""

    png: bytes
    alt: str


@functools.cache
def picture(exercise_id: str) -> Picture:
    """Draw the expected answers of an exercise: numbers against their inputs, or up to three answers that are arrays.

    Raises: KeyError for an exercise that there is not.
    """
    entry = exercises.registered()[exercise_id]
    given = [
        (name, entry.reference(*copy.deepcopy(arguments))) for name, arguments in entry.cases(np.random.default_rng(0))
    ]
    if all(isinstance(answer, str | bool | np.bool) for _, answer in given):
        return _words(entry, [(name, str(answer)) for name, answer in given])
    answers = [(name, _parts(answer)) for name, answer in given]
    if all(part.ndim == 0 for _, parts in answers for part in parts):
        return _numbers(entry, answers)
    return _arrays(entry, answers)


def _parts(answer: Any) -> list[np.ndarray]:
    """The answer as arrays: one, or one for each part of a tuple; no answer is NaN."""
    found = answer if isinstance(answer, tuple) else (answer,)
    return [np.asarray(np.nan if part is None else part, dtype=float) for part in found]


def _words(entry: Exercise, answers: list[tuple[str, str]]) -> Picture:
    figure, ax, places = _rows(entry, [name for name, _ in answers])
    words = sorted({word for _, word in answers})
    ax.plot([words.index(word) for _, word in answers], places, "o")
    ax.set_xticks(range(len(words)), words)
    ax.set_xlim(-0.5, len(words) - 0.5)
    return _finished(entry, figure, [f"{name}: {word}" for name, word in answers])


def _rows(entry: Exercise, names: list[str]) -> tuple[Any, Any, np.ndarray]:
    """A figure with a row for each input, the first one on top."""
    figure, ax = plot.subplots("page", height=0.6 + 0.22 * len(names))
    places = np.arange(len(names))[::-1]
    ax.set_yticks(places, names)
    ax.set_ylim(-0.7, len(names) - 0.3)
    ax.set(xlabel="what a right answer returns", title=f"{entry.id} · {entry.title}")
    return figure, ax, places


def _finished(entry: Exercise, figure: Any, told: list[str]) -> Picture:
    alt = f"A dot for each visible input of {entry.id} at what a right answer returns. {'; '.join(told)}."
    return Picture(plot.png(figure)[0], alt)


def _numbers(entry: Exercise, answers: list[tuple[str, list[np.ndarray]]]) -> Picture:
    figure, ax, places = _rows(entry, [name for name, _ in answers])
    for number in range(max(len(parts) for _, parts in answers)):
        values = [float(parts[number]) for _, parts in answers]
        fill, label = ("none" if number else "full"), f"part {number + 1} of the answer"
        ax.plot(values, places, "os"[number % 2], fillstyle=fill, label=label)
    for place, (_, parts) in zip(places, answers, strict=True):
        if np.isnan(parts[0]):
            ax.text(0.5, place, "None", transform=ax.get_yaxis_transform(), ha="center", va="center")
    if len(answers[0][1]) > 1:
        ax.legend()
    return _finished(entry, figure, [f"{name}: {', '.join(map(_told, parts))}" for name, parts in answers])


def _arrays(entry: Exercise, answers: list[tuple[str, list[np.ndarray]]]) -> Picture:
    panels = [(name, part) for name, parts in answers for part in parts if part.size > 1] or [
        (name, part) for name, parts in answers for part in parts
    ]
    panels.sort(key=lambda panel: (np.ptp(panel[1]) == 0, abs(panel[1].size - _READABLE)))  # a constant shows little
    panels = panels[:_PANELS]
    figure, axes = plot.subplots("page", cols=len(panels), height=2.4)
    for ax, (name, part) in zip(np.atleast_1d(axes).flat, panels, strict=True):
        grid = part.reshape(-1, part.shape[-1])
        if len(grid) == 1:
            ax.bar(np.arange(grid.size), grid[0], color="#7F7F7F")
            ax.set(xlabel="index", ylabel="value")
        else:
            shown = ax.imshow(grid, cmap="cividis", aspect="auto", interpolation="nearest")
            figure.colorbar(shown, ax=ax)
            ax.set(xlabel="last axis", ylabel="first axes" if part.ndim > 2 else "first axis")
        ax.set_title(name, fontsize=8)
    figure.suptitle(f"{entry.id} · {entry.title}")
    told = "; ".join(
        f"{name}: shape {part.shape}, from {_told(part.min())} to {_told(part.max())}" for name, part in panels
    )
    return Picture(
        plot.png(figure)[0], f"What a right answer to {entry.id} returns on {len(panels)} visible inputs. {told}."
    )


def _told(value: Any) -> str:
    return "None" if np.isnan(value) else f"{float(value):.3g}"
