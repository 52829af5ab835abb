"""Four cards and a sentence about one of them: a data set so small that one table holds its whole distribution.

On the table lie a circle, a square, a triangle and a star, each red or blue by the toss of a coin, in any order. The
sentence reads *warm square red*: an adjective, the shape of one card, a colour. The colour, to be predicted from the rest,
is that of the named card, but 1 time in 20 the speaker errs; the adjective goes with the colour 3 times in 4.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SHAPES = ("circle", "square", "triangle", "star")
COLOURS = ("blue", "red")
WORDS = ("[mask]", "cold", "warm", *SHAPES, *COLOURS)
MASK, COLD, CIRCLE, BLUE = (WORDS.index(word) for word in ("[mask]", "cold", "circle", "blue"))
ERROR, HINT = 0.05, 0.25  # how often the colour word is wrong, and how often the adjective does not go with it
TEXTURE = 8  # numbers per card that mean nothing


@dataclass(frozen=True)
class Naming:
    """n pictures with their sentences.

    cards           (n, 4, 13) float32: shape (4, one-hot), colour (-1 blue, 1 red), texture (8, noise)
    words           (n, 3) int64, adjective, shape, colour
    named, label    (n,) int64, place of the named card; the colour word, 0 blue, 1 red
    code_a, code_b  (n,) int64, what picture and first two words amount to, rows and columns of `table()`
    """

    cards: Tensor
    words: Tensor
    named: Tensor
    label: Tensor
    code_a: Tensor
    code_b: Tensor

    @property
    def question(self) -> Tensor:
        """The words with the colour masked, (n, 3)."""
        masked = self.words.clone()
        masked[:, 2] = MASK
        return masked

    def __len__(self) -> int:
        return len(self.label)


def table() -> np.ndarray:
    """Joint probabilities (16, 8, 2) of picture (colours by shape as a binary number), words (shape, adjective), colour word.

    Example:
        >>> table().shape, float(table().sum().round(12))
        ((16, 8, 2), 1.0)
    """
    p = np.zeros((16, 8, 2))
    for a, shape, adjective, y in np.ndindex(16, 4, 2, 2):
        said = ERROR if y != (a >> (3 - shape)) & 1 else 1 - ERROR
        p[a, 2 * shape + adjective, y] = said * (HINT if adjective != y else 1 - HINT) / 64
    return p


def sample(n: int, seed: int) -> Naming:
    """Draw n pictures with sentences.

    Example:
        >>> drawn = sample(5, seed=0)
        >>> drawn.cards.shape, drawn.words.shape, sorted(drawn.label.unique().tolist())
        (torch.Size([5, 4, 13]), torch.Size([5, 3]), [0, 1])
    """
    if n < 1:
        raise ValueError(f"naming.sample: got n={n}; expected at least 1")
    draw = torch.Generator().manual_seed(seed)
    shape_at = torch.rand(n, 4, generator=draw).argsort(1)  # which shape lies at each place
    red = torch.randint(2, (n, 4), generator=draw)  # by place
    named = torch.randint(4, (n,), generator=draw)
    rows = torch.arange(n)
    label = red[rows, named] ^ (torch.rand(n, generator=draw) < ERROR).long()
    warm = label ^ (torch.rand(n, generator=draw) < HINT).long()
    shape = shape_at[rows, named]
    texture = torch.randn(n, 4, TEXTURE, generator=draw)
    cards = torch.cat([torch.eye(4)[shape_at], 2.0 * red[..., None] - 1, texture], 2)
    by_shape = torch.zeros_like(red).scatter(1, shape_at, red)
    return Naming(
        cards=cards,
        words=torch.stack([COLD + warm, CIRCLE + shape, BLUE + label], 1),
        named=named,
        label=label,
        code_a=(by_shape * torch.tensor([8, 4, 2, 1])).sum(1),
        code_b=2 * shape + warm,
    )
