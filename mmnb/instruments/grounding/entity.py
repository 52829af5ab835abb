"""Entity grounding: does a word's attention, among the regions, fall on the region it names?"""

from typing import NamedTuple

import torch
from torch import Tensor


class Grounding(NamedTuple):
    """correct (n, layers, heads) bool, one entry per phrase · accuracy (layers, heads), their mean · mass (layers, heads), mean attention that goes to regions
    at all · faint (layers, heads) bool, heads whose mass is below the limit: their argmax says little about what they look at."""

    correct: Tensor
    accuracy: Tensor
    mass: Tensor
    faint: Tensor


def to_regions(attention: Tensor, query: Tensor, first_region: int, n_regions: int) -> Tensor:
    """The rows of attention maps that belong to a query word, columns of regions only.

    Args:    attention (n, layers, heads, S, S), rows = queries, sequence = [words | regions]; query (n,) int64, place of each query word;
             first_region, place of the first region; n_regions.
    Returns: (n, layers, heads, n_regions). Raises: ValueError on another shape, places outside, NaN, or rows that do not sum to 1 (to 1e-3).
    Example:
        >>> maps = torch.full((1, 1, 1, 3, 3), 1 / 3)
        >>> [round(v, 3) for v in to_regions(maps, torch.tensor([0]), 1, 2).flatten().tolist()]
        [0.333, 0.333]
    """
    if attention.ndim != 5 or attention.shape[-1] != attention.shape[-2] or len(query) != len(attention):
        raise ValueError(f"to_regions: got attention {tuple(attention.shape)} and {len(query)} queries; expected (n, layers, heads, S, S) and n")  # fmt: skip
    length = attention.shape[-1]
    if not 0 < first_region <= first_region + n_regions <= length or n_regions < 1:
        raise ValueError(f"to_regions: got regions {first_region} to {first_region + n_regions} of a sequence of {length}; expected them inside, after the words")  # fmt: skip
    if (query < 0).any() or (query >= first_region).any():
        raise ValueError(
            f"to_regions: a query lies outside the {first_region} words (cut off?); expected every query among them"
        )
    rows = attention[torch.arange(len(query)), :, :, query]
    if rows.isnan().any() or ((rows.sum(-1) - 1).abs() > 1e-3).any():
        raise ValueError("to_regions: attention is NaN or its rows do not sum to 1; expected probabilities")
    return rows[..., first_region : first_region + n_regions]


def entity_grounding(attention: Tensor, match: Tensor, present: Tensor, *, faint_below: float = 0.2) -> Grounding:
    """Accuracy of each head: how often the region it attends to most is one that shows the phrase.

    Formula: acc_lh = mean_i [match_i(argmax_r a_ilhr)], the argmax over regions that exist, the first of equals. A phrase without a matching region counts
             as wrong for every head: the ceiling is the share of phrases that have one.
    Args:    attention (n, layers, heads, R), from the query word (the last wordpiece of the phrase) to regions, as `to_regions` gives it; match (n, R) bool,
             regions that count as right (IoU >= .5 with any gold box of the phrase); present (n, R) bool; faint_below, share of attention under which
             a head is marked.
    Returns: a `Grounding`.
    Raises:  ValueError on shapes that do not fit, NaN, negative attention, an item without any region; TypeError when masks are not bool.
    Example:
        >>> maps = torch.tensor([[[[0.1, 0.6]]], [[[0.05, 0.01]]]])  # two phrases, one layer, one head, two regions
        >>> match = torch.tensor([[False, True], [False, True]])
        >>> found = entity_grounding(maps, match, torch.ones(2, 2, dtype=torch.bool))
        >>> found.accuracy.item(), round(found.mass.item(), 2), found.faint.item()
        (0.5, 0.38, False)

    Source:  Li et al. 2020 (ACL), arXiv 1908.03557 section 5.2 and footnote 5; rule of agreement as in the released Flickr30K loader.
    """
    _check(attention, match, present)
    best = attention.masked_fill(~present[:, None, None], -1.0).argmax(-1)
    hit = (match & present)[:, None, None].expand(attention.shape).gather(-1, best[..., None]).squeeze(-1)
    mass = (attention * present[:, None, None]).sum(-1).double().mean(0)
    return Grounding(hit, hit.double().mean(0), mass, mass < faint_below)


def _check(attention: Tensor, match: Tensor, present: Tensor) -> None:
    if match.dtype != torch.bool or present.dtype != torch.bool:
        raise TypeError(f"entity_grounding: got masks of {match.dtype} and {present.dtype}; expected bool")
    if attention.ndim != 4 or match.shape != present.shape or match.shape != (len(attention), attention.shape[-1]) or not len(match):  # fmt: skip
        raise ValueError(f"entity_grounding: got attention {tuple(attention.shape)}, match {tuple(match.shape)}, present {tuple(present.shape)}; expected (n, layers, heads, R), (n, R), (n, R) with n >= 1")  # fmt: skip
    if attention.isnan().any() or (attention < 0).any():
        raise ValueError("entity_grounding: attention is NaN or negative; expected probabilities")
    if not present.any(1).all():
        raise ValueError(
            f"entity_grounding: {int((~present.any(1)).sum())} items have no region; expected at least one each"
        )
