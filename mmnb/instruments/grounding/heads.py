"""Accuracy of attention heads at entity grounding, and the best of many heads, scored on held-out items."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmnb.aliases import renamed_field
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.grounding.baselines import check_masks
from mmnb.instruments.result import Result


@dataclass(frozen=True, eq=False)
class Grounding(Result):
    """How often each head attends from a phrase to a region that shows it.

    Attributes:
        correct: (n, layers, heads) bool, whether the head's largest weight lies on a matching region.
        attention_to_regions: (layers, heads), the mean attention that goes to regions at all.
        low_attention: (layers, heads) bool, heads with little of it: their argmax says little.
    """

    correct: Tensor
    attention_to_regions: Tensor
    low_attention: Tensor

    mass = renamed_field("mass", "attention_to_regions")
    faint = renamed_field("faint", "low_attention")

    @property
    def accuracy(self) -> Tensor:
        """Share of correct phrases of each head, (layers, heads) float64."""
        return self.correct.double().mean(0)

    def estimates(self) -> dict[str, Estimate]:
        """Best head and mean of all. The best has no interval, as it was selected on these phrases: see `best_head`."""
        n, accuracy = len(self.correct), self.accuracy
        ends = {"best head (selected on these phrases)": accuracy.max(), "mean of all heads": accuracy.mean()}
        return {name: Estimate(float(value), n=n, over="phrases") for name, value in ends.items()}


@dataclass(frozen=True)
class BestHead(Result):
    """The head selected on one half of the items.

    Attributes:
        layer: Its layer, from 0.
        head: Its number in that layer, from 0.
        chosen: Accuracy on the half it was selected on; above `accuracy` by the optimism of selecting.
        accuracy: Accuracy on the other half, with its Wilson interval.
    """

    layer: int
    head: int
    chosen: float
    accuracy: Estimate

    held_out = renamed_field("held_out", "accuracy.value")
    low, high = renamed_field("low", "accuracy.low"), renamed_field("high", "accuracy.high")

    def estimates(self) -> dict[str, Estimate]:
        """Accuracy on the other half, and on the half it was selected on."""
        return {"held-out accuracy": self.accuracy, "accuracy where selected": Estimate(self.chosen, over="phrases")}


def to_regions(attention: Tensor, query: Tensor, first_region: int, n_regions: int) -> Tensor:
    """The rows of attention maps that belong to a query word, columns of regions only: (n, layers, heads, n_regions).

    Args:
        attention: (n, layers, heads, S, S), rows = queries, sequence = [words | regions].
        query: (n,) int64, position of each query word.
        first_region: Position of the first region.
        n_regions: Number of regions.
    Raises: ValueError on another shape, positions outside, NaN, or rows that do not sum to 1 (to 1e-3).
    Example:
        >>> maps = torch.full((1, 1, 1, 3, 3), 1 / 3)
        >>> [round(v, 3) for v in to_regions(maps, torch.tensor([0]), 1, 2).flatten().tolist()]
        [0.333, 0.333]
    """
    if attention.ndim != 5 or attention.shape[-1] != attention.shape[-2] or len(query) != len(attention):
        given = f"attention {tuple(attention.shape)} and {len(query)} queries"
        raise ValueError(f"to_regions: got {given}; expected (n, layers, heads, S, S) and n")
    length, end = attention.shape[-1], first_region + n_regions
    if not 0 < first_region <= end <= length or n_regions < 1:
        raise ValueError(
            f"to_regions: got regions {first_region} to {end} of {length} places; expected them after words"
        )
    if (query < 0).any() or (query >= first_region).any():
        raise ValueError(
            f"to_regions: a query lies outside the {first_region} words (cut off?); expected it among them"
        )
    rows = attention[torch.arange(len(query)), :, :, query]
    if rows.isnan().any() or ((rows.sum(-1) - 1).abs() > 1e-3).any():
        raise ValueError("to_regions: attention is NaN or its rows do not sum to 1; expected probabilities")
    return rows[..., first_region:end]


def entity_grounding(attention: Tensor, match: Tensor, valid: Tensor, *, low_below: float = 0.2) -> Grounding:
    """Accuracy of each head: how often the region it attends to most is one that shows the phrase.

    `mean_i [match_i(argmax_r attention_ir)]` over valid regions, the first of equals. A phrase without a matching
    region counts as wrong for every head, see `ceiling`.

    Args:
        attention: (n, layers, heads, R), from the last wordpiece of the phrase to regions, see `to_regions`.
        match: (n, R) bool, regions that count as right (IoU >= .5 with any gold box of the phrase).
        valid: (n, R) bool, regions that exist.
        low_below: Mean attention to regions under which a head is marked in `low_attention`.
    Raises: ValueError on shapes that do not fit, NaN, negative attention, or an item without a region.
    Example:
        >>> maps = torch.tensor([[[[0.1, 0.6]]], [[[0.05, 0.01]]]])  # two phrases, one layer, one head, two regions
        >>> match = torch.tensor([[False, True], [False, True]])
        >>> result = entity_grounding(maps, match, torch.ones(2, 2, dtype=torch.bool))
        >>> result.accuracy.item(), round(result.attention_to_regions.item(), 2), result.low_attention.item()
        (0.5, 0.38, False)

    Source: Li et al. 2020, arXiv 1908.03557, section 5.2 and footnote 5; matches as in the released Flickr30K loader.
    """
    check_masks(match, valid)
    if attention.ndim != 4 or match.shape != (len(attention), attention.shape[-1]):
        shapes = f"attention {tuple(attention.shape)} and match {tuple(match.shape)}"
        raise ValueError(f"entity_grounding: got {shapes}; expected (n, layers, heads, R) and (n, R)")
    if attention.isnan().any() or (attention < 0).any():
        raise ValueError("entity_grounding: attention is NaN or negative; expected probabilities")
    best = attention.masked_fill(~valid[:, None, None], -1.0).argmax(-1)
    correct = (match & valid)[:, None, None].expand(attention.shape).gather(-1, best[..., None]).squeeze(-1)
    to_valid = (attention * valid[:, None, None]).sum(-1).double().mean(0)
    return Grounding(correct, to_valid, to_valid < low_below)


def best_head(correct: Tensor, first_half: Tensor) -> BestHead:
    """Select the most accurate head on one half of the items and score it on the other half.

    Args:
        correct: (n, layers, heads) bool, from `entity_grounding`.
        first_half: (n,) bool, the items to select on; keep all phrases of an image on one side.
    Example:
        >>> correct = torch.tensor([[[True, False]], [[True, True]], [[True, False]], [[False, True]]])
        >>> best = best_head(correct, torch.tensor([True, True, False, False]))
        >>> best.layer, best.head, best.chosen, f"{best.accuracy:.2f}"
        (0, 0, 1.0, '0.50 [0.09, 0.91]')

    Source: Our addition: the best of 144 heads is optimistic even for an untrained model.
    """
    if correct.ndim != 3 or first_half.shape != correct.shape[:1] or first_half.dtype != torch.bool:
        shapes = f"correct {tuple(correct.shape)}, first_half {tuple(first_half.shape)}"
        raise ValueError(f"best_head: got {shapes}; expected (n, layers, heads) and (n,) bool")
    if not first_half.any() or first_half.all():
        raise ValueError("best_head: one half is empty; expected items on both sides")
    known, new = (correct[half].double() for half in (first_half, ~first_half))
    layer, head = divmod(int(known.mean(0).argmax()), correct.shape[2])
    accuracy = proportion(int(new[:, layer, head].sum()), len(new), over="phrases")
    return BestHead(layer, head, float(known[:, layer, head].mean()), accuracy)
