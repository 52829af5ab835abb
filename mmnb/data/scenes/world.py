"""Scenes: three to eight objects on a plane, a caption that names some of them, and what is where, all known by construction."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmnb.data.rows import padded
from mmnb.data.scenes.grammar import compose
from mmnb.data.scenes.vocabulary import COLOURS, SHAPES, SIZES, TEMPLATES, TRANSITIVE, VERBS, WORDS

RADIUS = (0.08, 0.13)  # small, large, of a picture that is 1 wide and 1 high


@dataclass(frozen=True)
class Knobs:
    """What can be turned.

    objects   fewest and most objects of a scene, 3 to 8
    theme     how much of an object's identity its neighbours give away: each object takes the colour and shape of its scene's theme with this probability
    mentions  how many objects the caption names (never more than there are)
    wrong     how often a mention tells a colour and shape drawn at random instead of the true ones
    sized     how often a mention tells the size
    """

    objects: tuple[int, int] = (3, 6)
    theme: float = 0.0
    mentions: int = 2
    wrong: float = 0.0
    sized: float = 0.5

    def __post_init__(self) -> None:
        low, high = self.objects
        if not 3 <= low <= high <= 8:
            raise ValueError(f"Knobs: got objects={self.objects}; expected fewest and most, from 3 to 8")
        if not 1 <= self.mentions <= 8:
            raise ValueError(f"Knobs: got mentions={self.mentions}; expected 1 to 8")
        for name in ("theme", "wrong", "sized"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Knobs: got {name}={getattr(self, name)}; expected a probability")


@dataclass(frozen=True)
class Scenes:
    """n scenes with up to K objects and captions of up to L tokens; int64 unless said otherwise, -1 = none.

    shape, colour, size, cell  (n, K)   numbers into SHAPES, COLOURS, SIZES, and of the cell from 0 (top left) to 8
    centre, box                (n, K, 2), (n, K, 4) float64: x, y and left, top, right, bottom in shares of the picture, y downwards
    tokens                     (n, L)   the caption with [CLS] and [SEP], padded with 0
    phrase                     (n, M, 3) first token, token behind the last, object
    head, arc                  (n, L)   per token the position of its head and the relation into ARCS
    told                       (n, M)   the class that a phrase tells: the true one unless the caption is wrong
    """

    shape: Tensor
    colour: Tensor
    size: Tensor
    cell: Tensor
    centre: Tensor
    box: Tensor
    tokens: Tensor
    phrase: Tensor
    head: Tensor
    arc: Tensor
    told: Tensor
    knobs: Knobs
    words: tuple[str, ...] = WORDS  # what the token ids mean

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def identity(self) -> Tensor:
        """Class of each object, (n, K): shape · 4 + colour, -1 = none."""
        return torch.where(self.shape < 0, -1, self.shape * len(COLOURS) + self.colour)

    def caption(self, number: int) -> str:
        """The words of one caption, without the special tokens."""
        return " ".join(self.words[t] for t in self.tokens[number].tolist() if t > 3)


def make(n: int, knobs: Knobs | None = None, *, seed: int) -> Scenes:
    """Draw n scenes; the same seed and knobs give the same scenes.

    Example:
        >>> made = make(3, seed=0)
        >>> len(made), made.tokens.shape[0], bool((made.tokens[:, 0] == 1).all())
        (3, 3, True)
    """
    if n < 1:
        raise ValueError(f"scenes.make: got n={n}; expected at least 1")
    knobs = knobs or Knobs()
    rng = np.random.default_rng(seed)
    low, high = knobs.objects
    count = rng.integers(low, high + 1, n)
    absent = np.arange(high) >= count[:, None]
    cell = rng.permuted(np.tile(np.arange(9), (n, 1)), axis=1)[:, :high]
    shape, colour = (rng.integers(0, len(names), (n, high)) for names in (SHAPES, COLOURS))
    size = rng.integers(0, len(SIZES), (n, high))
    themed = rng.random((n, high)) < knobs.theme
    shape, colour = (np.where(themed, rng.integers(0, len(names), (n, 1)), drawn) for names, drawn in ((SHAPES, shape), (COLOURS, colour)))  # fmt: skip
    centre = np.stack([cell % 3, cell // 3], axis=-1) / 3 + 1 / 6 + rng.uniform(-0.03, 0.03, (n, high, 2))
    reach = np.array(RADIUS)[size][..., None]
    box = np.concatenate([centre - reach, centre + reach], -1)  # each shape fills its square: a box tells only the size
    padded = {"shape": shape, "colour": colour, "size": size, "cell": cell}
    return Scenes(
        **{name: torch.from_numpy(np.where(absent, -1, values)) for name, values in padded.items()},
        centre=torch.from_numpy(np.where(absent[..., None], 0.0, centre)),
        box=torch.from_numpy(np.where(absent[..., None], 0.0, box)),
        **_captions(np.where(absent, -1, shape), colour, size, cell, knobs, rng),
        knobs=knobs,
    )


def recaption(scenes: Scenes, *, seed: int, templates: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> Scenes:
    """The same scenes with other captions, drawn anew from the seed: several for a picture, as photographs have them.

    `templates` are the shares of captions that join the first two objects by verb and preposition, by a verb with an object
    ("a red circle overlooks a blue square"), and by "and". With verbs that have an object the vocabulary has three words more.

    Example:
        >>> made = make(50, seed=0)
        >>> other = recaption(made, seed=1)
        >>> bool((other.box == made.box).all()), other.caption(0) == made.caption(0)
        (True, False)
    """
    objects = (getattr(scenes, name).numpy() for name in ("shape", "colour", "size", "cell"))
    if len(templates) != len(TEMPLATES) or min(templates) < 0 or abs(sum(templates) - 1) > 1e-9:
        raise ValueError(f"recaption: got templates={templates}; expected {len(TEMPLATES)} shares that sum to 1")
    captions = _captions(*objects, scenes.knobs, np.random.default_rng([seed, 2]), templates)
    return replace(scenes, **captions, words=(*WORDS, *TRANSITIVE) if templates[1] else WORDS)


def _captions(shape: np.ndarray, colour: np.ndarray, size: np.ndarray, cell: np.ndarray, knobs: Knobs, rng: np.random.Generator, templates: tuple[float, ...] = (1.0, 0.0, 0.0)) -> dict[str, Tensor]:  # fmt: skip
    """One caption per scene: tokens, phrase, head, arc, told."""
    n, count = len(shape), (shape >= 0).sum(1)
    named = rng.permuted(np.tile(np.arange(8), (n, 1)), axis=1)  # the order in which a caption goes through the objects
    captions, told = [], []
    draws = rng.random((n, 8, 2)), rng.integers(0, len(SHAPES), (n, 8)), rng.integers(0, len(COLOURS), (n, 8))
    verbs = rng.integers(0, len(VERBS), n)
    template = np.searchsorted(np.cumsum(templates), rng.random(n), side="right").clip(max=len(templates) - 1)
    for i in range(n):
        mentions = []
        for k in [int(k) for k in named[i] if k < count[i]][: knobs.mentions]:
            wrong = draws[0][i, k, 0] < knobs.wrong
            told_shape, told_colour = (draws[1][i, k], draws[2][i, k]) if wrong else (shape[i, k], colour[i, k])
            told_size = int(size[i, k]) if draws[0][i, k, 1] < knobs.sized else None
            mentions.append((k, int(told_shape), int(told_colour), told_size, int(cell[i, k])))
        captions.append(compose(mentions, int(verbs[i]), int(template[i])))
        told.append([m[1] * len(COLOURS) + m[2] for m in mentions])
    return {
        "tokens": padded([c.tokens for c in captions]),
        "phrase": padded([c.phrases for c in captions], (-1, -1, -1)),
        "head": padded([c.heads for c in captions], -1),
        "arc": padded([c.arcs for c in captions], -1),
        "told": padded(told, -1),
    }
