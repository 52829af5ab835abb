"""Scenes and questions whose information is known exactly: what of an answer stands in the picture, the caption, both, or only between.

Every picture shows one large object and small ones; its caption names the large one and may be wrong about it. The answer to a question depends on nothing
but what is *shown* (class of the large object, 16 values) and what is *told* (class in the caption, 16 values). Places and small objects are drawn
independently of these, so the table of shown, told and answer holds all there is to know, and pixels and words hold as much.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from mmnb.data.scenes.grammar import compose
from mmnb.data.scenes.pictures import GROUND, render
from mmnb.data.scenes.vocabulary import CLASSES, COLOURS, SHAPES, WORDS
from mmnb.data.scenes.world import RADIUS, Knobs, Scenes, make

LARGE, SMALL = 1, 0  # numbers of SIZES
EDGE = 40.0  # a pixel this far from the ground in some colour belongs to an object
Rule = Callable[[int, int, int, int], str]


@dataclass(frozen=True)
class Question:
    """What is asked · rule(shape shown, colour shown, shape told, colour told) -> answer · how often the caption is right.

    A caption that is wrong about a colour tells one of the three others, each equally often; shapes likewise. At 1/4 it
    says nothing about the picture.
    """

    name: str
    text: str
    rule: Rule
    right_shape: float
    right_colour: float

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers that the rule can give, sorted."""
        four = range(len(COLOURS))
        return tuple(sorted({self.rule(s, c, t, d) for s in four for c in four for t in four for d in four}))

    def table(self) -> np.ndarray:
        """Joint probabilities (16, 16, answers) of the class shown, the class told and the answer; class = shape · 4 + colour.

        Example:
            >>> QUESTIONS["caption right?"].table().sum((0, 1))
            array([0.5, 0.5])
        """
        both = np.kron(_told(self.right_shape, "right_shape"), _told(self.right_colour, "right_colour"))
        answers, n = self.answers, len(CLASSES)
        p = np.zeros((n, n, len(answers)))
        for shown, told in np.ndindex(n, n):
            p[shown, told, answers.index(self.rule(*divmod(shown, len(COLOURS)), *divmod(told, len(COLOURS))))] = both[shown, told]  # fmt: skip
        return p


def _told(right: float, name: str) -> np.ndarray:
    """(4, 4) joint probabilities of a property shown, all values alike, and told."""
    if not 0 <= right <= 1:
        raise ValueError(f"scenes.known: got {name}={right}; expected a probability")
    n = len(COLOURS)
    return (np.full((n, n), (1 - right) / (n - 1)) + np.eye(n) * (right - (1 - right) / (n - 1))) / n


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _warm(colour: int) -> bool:
    return COLOURS[colour] in ("red", "yellow")


CHANCE = 1 / len(COLOURS)
QUESTIONS = {
    q.name: q
    for q in (
        Question("colour, told right", "what colour is the large object?", lambda s, c, t, d: COLOURS[c], CHANCE, 1.0),
        Question("colour shown", "what colour is the large object?", lambda s, c, t, d: COLOURS[c], CHANCE, CHANCE),
        Question("colour told", "what colour does the caption say?", lambda s, c, t, d: COLOURS[d], CHANCE, CHANCE),
        Question("caption right?", "does the caption tell its colour?", lambda s, c, t, d: _yes(c == d), 1.0, 0.5),
        Question("colour, often told", "what colour is the large object?", lambda s, c, t, d: COLOURS[c], CHANCE, 0.7),
        Question("both warm?", "is it warm in both?", lambda s, c, t, d: _yes(_warm(c) and _warm(d)), CHANCE, CHANCE),
        Question(
            "shape, and right?",
            "what shape is it, and is its colour told rightly?",
            lambda s, c, t, d: f"{SHAPES[s]}, {_yes(c == d)}",
            0.7,
            0.5,
        ),
    )
}  # redundant · only in the picture · only in the text · only together · redundant and unique · redundant and together · all but unique to the text


@dataclass(frozen=True)
class Known:
    """Scenes with the answers to one question: shown, told (n,) int64 classes, label (n,) int64 rows of question.answers."""

    scenes: Scenes
    question: Question
    shown: Tensor
    told: Tensor
    label: Tensor

    def features(self, side: int = 64) -> tuple[Tensor, Tensor]:
        """What an estimator gets: the largest region of each rendered picture (n, 192), 0 to 1, and how often each word stands in the caption (n, words)."""
        pictures = render(self.scenes, side=side)
        words = one_hot(self.scenes.tokens, len(WORDS)).sum(1).float()
        return largest_region(pictures).flatten(1) / 255, words


def largest_region(pictures: Tensor, side: int = 8) -> Tensor:
    """What a detector hands over, from the pixels alone: the bounding box of the largest coloured patch, averaged down.

    (n, 3, h, w) uint8 on the renderer's ground -> (n, 3, side, side) float32, 0 to 255.
    """
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3 or side < 1:
        raise ValueError(f"largest_region: got {tuple(pictures.shape)} {pictures.dtype}, side={side}; expected (n, 3, h, w) uint8, side >= 1")  # fmt: skip
    coloured = ((pictures.float() - GROUND).abs().amax(1) > EDGE).numpy()
    regions = []
    for i, mask in enumerate(coloured):
        patches = ndimage.find_objects(ndimage.label(mask)[0])
        if not patches:
            raise ValueError(f"largest_region: picture {i} shows nothing but ground; expected an object")
        rows, columns = max(patches, key=lambda patch: math.prod(edge.stop - edge.start for edge in patch))
        regions.append(adaptive_avg_pool2d(pictures[i, :, rows, columns].float(), side))
    return torch.stack(regions)


def draw(question: Question, n: int, *, seed: int, objects: int = 3) -> Known:
    """Draw n scenes of 3 to 8 `objects` each, the first one large, with answers from `question.table()`.

    Example:
        >>> world = draw(QUESTIONS["caption right?"], 4, seed=0)
        >>> world.scenes.caption(0), CLASSES[world.shown[0]], world.question.answers[world.label[0]]
        ('a large green cross in centre', 'blue cross', 'no')
    """
    base = make(n, Knobs(objects=(objects, objects), mentions=1, sized=1.0), seed=seed)
    rng, p = np.random.default_rng([seed, 3]), question.table()
    shown, told, label = np.unravel_index(rng.choice(p.size, size=n, p=p.ravel()), p.shape)
    size = torch.full_like(base.size, SMALL)
    size[:, 0] = LARGE
    reach = torch.tensor(RADIUS, dtype=torch.float64)[size][..., None]
    shape, colour = base.shape.clone(), base.colour.clone()
    shape[:, 0], colour[:, 0] = (torch.from_numpy(part) for part in divmod(shown, len(COLOURS)))
    named = zip(told, base.cell[:, 0].tolist(), strict=True)
    captions = [compose([(0, *map(int, divmod(t, len(COLOURS))), LARGE, cell)], 0) for t, cell in named]
    scenes = replace(
        base,
        shape=shape,
        colour=colour,
        size=size,
        box=torch.cat([base.centre - reach, base.centre + reach], -1),
        tokens=torch.tensor([c.tokens for c in captions]),  # all captions are of one length
        phrase=torch.tensor([c.phrases for c in captions]),
        head=torch.tensor([c.heads for c in captions]),
        arc=torch.tensor([c.arcs for c in captions]),
        told=torch.from_numpy(told)[:, None],
    )
    return Known(scenes, question, torch.from_numpy(shown), torch.from_numpy(told), torch.from_numpy(label))
