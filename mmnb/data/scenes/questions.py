"""Questions about a scene, with their answers."""

from typing import NamedTuple

import numpy as np

from mmnb.data.scenes.vocabulary import COLOURS, PLACES, SHAPES
from mmnb.data.scenes.world import Scenes

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")


class Question(NamedTuple):
    """kind: colour, shape, count or exists."""

    scene: int
    kind: str
    question: str
    answer: str


def ask(scenes: Scenes, *, seed: int) -> list[Question]:
    """One question of each of four kinds per scene; existence is asked so that half of the answers are yes.

    Example:
        >>> from mmnb.data.scenes import make
        >>> [q.kind for q in ask(make(1, seed=0), seed=0)]
        ['colour', 'shape', 'count', 'exists']
    """
    rng, found = np.random.default_rng([seed, 2]), []
    for i in range(len(scenes)):
        here = (scenes.shape[i] >= 0).nonzero().squeeze(1).tolist()
        k = here[rng.integers(len(here))]
        shape, colour, place = SHAPES[scenes.shape[i, k]], COLOURS[scenes.colour[i, k]], PLACES[scenes.cell[i, k]]
        asked = SHAPES[rng.integers(len(SHAPES))]
        count = int((scenes.shape[i] == SHAPES.index(asked)).sum())
        seen = {(int(scenes.colour[i, j]), int(scenes.shape[i, j])) for j in here}
        absent = [(c, s) for c in range(len(COLOURS)) for s in range(len(SHAPES)) if (c, s) not in seen]
        yes = rng.random() < 0.5
        c, s = (COLOURS.index(colour), SHAPES.index(shape)) if yes else absent[rng.integers(len(absent))]
        found += [
            Question(i, "colour", f"what colour is the {shape} in {place}", colour),
            Question(i, "shape", f"what shape is in {place}", shape),
            Question(i, "count", f"how many objects of the shape {asked} are there", NUMBERS[count]),
            Question(i, "exists", f"is there a {COLOURS[c]} {SHAPES[s]}", "yes" if yes else "no"),
        ]
    return found
