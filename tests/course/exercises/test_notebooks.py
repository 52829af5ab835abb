"""The exercises as they stand in the notebooks: each solution passes, each stub stops with `NotAttempted` in its own cell."""

import numpy as np
import pytest

import mmnb
from mmnb import paths
from mmnb.runner import convert, selection

CELLS = [
    pytest.param(tag.removeprefix("exercise-"), cell.source, id=f"{slug}-{tag}")
    for slug in selection.available()
    for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells
    for tag in cell.metadata.get("tags", [])
    if tag.startswith("exercise-")
]


def run(source: str) -> None:
    exec(compile(source, "cell", "exec"), {"mmnb": mmnb, "np": np})


def test_every_registered_exercise_stands_in_a_notebook():
    assert sorted(cell.values[0] for cell in CELLS) == list(mmnb.exercises.registered())


@pytest.mark.parametrize(("exercise_id", "source"), CELLS)
def test_the_solution_passes(exercise_id, source):
    run(source)


@pytest.mark.parametrize(("exercise_id", "source"), CELLS)
def test_the_stub_stops_in_its_own_cell(exercise_id, source):
    with pytest.raises(mmnb.NotAttempted, match=exercise_id):
        run(mmnb.course.exercises.strip_solutions(source, exercise_id))
