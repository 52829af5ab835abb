"""The best of many heads, without the optimism of having chosen it on the data it is judged by."""

from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor


class BestHead(NamedTuple):
    """layer, head, as chosen on one half · chosen, its accuracy there · held_out, its accuracy on the other half · low, high, the 95 % interval of held_out."""

    layer: int
    head: int
    chosen: float
    held_out: float
    low: float
    high: float


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share.

    Args: hits of n; level between 0 and 1. Raises: ValueError unless 0 <= hits <= n and n >= 1.
    Example:
        >>> [round(end, 3) for end in wilson(5, 10)]
        [0.237, 0.763]

    Source: Wilson 1927; stays inside 0 and 1, unlike the normal one.
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"wilson: got {hits} hits of {n}; expected 0 <= hits <= n, n >= 1")
    z = float(stats.norm.ppf((1 + level) / 2))
    centre, half = (hits + z * z / 2) / (n + z * z), z * (hits * (n - hits) / n + z * z / 4) ** 0.5 / (n + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)


def best_head(correct: Tensor, first_half: Tensor) -> BestHead:
    """Choose the most accurate head on one half of the items, judge it on the other.

    Args:    correct (n, layers, heads) bool, from `entity_grounding`; first_half (n,) bool, the items to choose on: whole pictures belong on one side.
    Returns: a `BestHead`; chosen - held_out is the optimism of choosing.
    Raises:  ValueError when a half is empty or shapes do not fit.
    Example:
        >>> correct = torch.tensor([[[True, False]], [[True, True]], [[True, False]], [[False, True]]])
        >>> best_head(correct, torch.tensor([True, True, False, False]))[:4]
        (0, 0, 1.0, 0.5)

    Source:  our addition: the best of 144 heads is optimistic even for an untrained model.
    """
    if correct.ndim != 3 or first_half.shape != correct.shape[:1] or first_half.dtype != torch.bool:
        raise ValueError(f"best_head: got correct {tuple(correct.shape)}, first_half {tuple(first_half.shape)}; expected (n, layers, heads) and (n,) bool")  # fmt: skip
    if not first_half.any() or first_half.all():
        raise ValueError("best_head: one half is empty; expected items on both sides")
    known, new = (correct[side].double() for side in (first_half, ~first_half))
    place = int(known.mean(0).argmax())
    layer, head = divmod(place, correct.shape[2])
    hits = int(new[:, layer, head].sum())
    return BestHead(layer, head, float(known[:, layer, head].mean()), hits / len(new), *wilson(hits, len(new)))
