"""What is removed: the regions that show a phrase, its place in the caption, how much of it, and what replaces it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmnb.instruments import inputs

CONDITIONS = ("none", "aligned", "random", "all")
REPLACEMENTS = ("mean", "zero", "drop")


def ablation_mask(condition: str, aligned: Tensor, valid: Tensor, *, seed: int | torch.Generator = 0) -> Tensor:
    """The parts to remove under one condition, (n, R) bool.

    "random" controls for the amount: parts that are *not* aligned, as many as are aligned (or all, if there are fewer).

    Args:
        condition: "none", "aligned", "random" or "all".
        aligned, valid: (n, R) bool, parts that show the target, and parts that exist.
        seed: Of the condition "random"; give a generator to draw several that are independent.
    Example:
        >>> aligned, valid = torch.tensor([[True, False, False]]), torch.ones(1, 3, dtype=torch.bool)
        >>> ablation_mask("aligned", aligned, valid).sum().item(), ablation_mask("random", aligned, valid).sum().item()
        (1, 1)

    Source: none, aligned ("object", "phrase") and all: Frank et al. 2021. The control for the amount is ours.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"ablation_mask: got condition {condition!r}; expected one of {', '.join(CONDITIONS)}")
    valid = inputs.array(valid, "ablation_mask: valid")
    if valid.ndim != 2:
        raise ValueError(f"ablation_mask: valid: got shape {valid.shape}; expected (n, R)")
    aligned = inputs.mask(aligned, "ablation_mask: aligned", valid.shape)
    valid = inputs.mask(valid, "ablation_mask: valid", valid.shape)
    if condition != "random":
        return {"none": torch.zeros_like(valid), "aligned": aligned & valid, "all": valid.clone()}[condition]
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    free = valid & ~aligned
    draw = torch.rand(free.shape, generator=generator).masked_fill(~free, 2.0)
    rank = draw.argsort(1).argsort(1)
    return free & (rank < (aligned & valid).sum(1, keepdim=True))


def phrase_span(
    caption: Sequence[int], phrase: Sequence[int], *, start: int = 0, limit: int | None = None
) -> tuple[int, int]:
    """The first (start, end), from `start` on, with caption[start:end] == phrase.

    Args:
        caption, phrase: Wordpiece ids.
        start: First position allowed; pass the end of the previous phrase to find a repeated phrase twice.
        limit: Number of wordpieces that the model sees; None for all.
    Raises: ValueError when the phrase is empty, absent, or not wholly inside the limit, where its loss would be
        undefined.
    Example:
        >>> phrase_span([101, 1037, 2417, 4418, 102], [2417, 4418])
        (2, 4)

    Source: Frank et al. 2021, released code, which continues when the phrase lies beyond the limit (its loss is then
        NaN).
    """
    caption, phrase = (
        inputs.places(ids, f"phrase_span: {name}").tolist() for name, ids in (("caption", caption), ("phrase", phrase))
    )
    places = range(max(start, 0), len(caption) - len(phrase) + 1)
    first = next((k for k in places if caption[k : k + len(phrase)] == phrase), None)
    if first is None:
        raise ValueError(f"phrase_span: {phrase} is not in the caption from place {start} on; expected it in a row")
    end = first + len(phrase)
    if limit is not None and end > limit:
        raise ValueError(f"phrase_span: the phrase ends at {end}, the caption is cut after {limit}; expected it inside")
    return first, end


def span_mask(spans: Tensor, length: int) -> Tensor:
    """Spans (n, 2) as a mask (n, length), True from start to before end.

    Example:
        >>> span_mask(torch.tensor([[1, 3]]), 4).tolist()
        [[False, True, True, False]]
    """
    spans = inputs.places(spans, "span_mask: spans", "(n, 2)")
    if spans.shape[1] != 2 or (spans[:, 0] < 0).any() or (spans[:, 1] > length).any():
        raise ValueError(f"span_mask: got spans {tuple(spans.shape)} for {length} wordpieces; expected (n, 2) inside")
    if (spans[:, 1] <= spans[:, 0]).any():
        raise ValueError("span_mask: a span is empty; expected start < end")
    place = torch.arange(length, device=spans.device)
    return (place >= spans[:, :1]) & (place < spans[:, 1:])


def iot(regions: Tensor, gold: Tensor, *, pixels: bool = False) -> Tensor:
    """Intersection over target `|region ∩ gold| / |gold|`, (R, G) float64: 1 for a region that contains the gold box.

    Args:
        regions, gold: (R, 4) and (G, 4), left, top, right, bottom, in one unit.
        pixels: Whether the last pixel lies inside (+1), as in code for pixel boxes.
    Raises: ValueError on empty input, NaN, boxes without area or with exchanged corners.
    Example:
        >>> gold = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
        >>> iot(torch.tensor([[0.0, 0.0, 4.0, 9.0], [0.0, 0.0, 99.0, 99.0]]), gold, pixels=True).squeeze(1).tolist()
        [0.5, 1.0]

    Source: Frank et al. 2021, released code (`flickr30ke_ablation_dataset.py`), with the pixel rule as an option.
    """
    inside, _, gold_area = _areas(regions, gold, pixels)
    return inside / gold_area


def iou(regions: Tensor, gold: Tensor, *, pixels: bool = False) -> Tensor:
    """Intersection over union, `|region ∩ gold| / |region ∪ gold|`; arguments, shape and errors as `iot`.

    Example:
        >>> iou(torch.tensor([[0.0, 0.0, 99.0, 99.0]]), torch.tensor([[0.0, 0.0, 9.0, 9.0]]), pixels=True).item()
        0.01
    """
    inside, region_area, gold_area = _areas(regions, gold, pixels)
    return inside / (region_area[:, None] + gold_area[None] - inside)


def aligned(
    regions: Tensor, gold: Tensor, *, threshold: float = 0.5, measure: str = "iot", pixels: bool = False
) -> Tensor:
    """Which regions show the target, (R,) bool: those whose overlap with *any* gold box passes the threshold.

    Args:
        regions, gold, pixels: As in `iot`.
        threshold: From 0 to 1.
        measure: "iot" (overlap > threshold, as released) or "iou" (overlap >= threshold, as in the grounding study).
    Example:
        >>> gold = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> aligned(torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.6, 1.0]]), gold).tolist()
        [False, True]

    Source: Frank et al. 2021 (IoT > .5); Li et al. 2020, released loader (IoU >= .5).
    """
    if measure not in ("iot", "iou") or not 0 <= threshold <= 1:
        raise ValueError(f"aligned: got measure={measure!r}, threshold={threshold}; expected 'iot' or 'iou', 0 to 1")
    best = (iot if measure == "iot" else iou)(regions, gold, pixels=pixels).max(1).values
    return best > threshold if measure == "iot" else best >= threshold


def _areas(regions: Tensor, gold: Tensor, pixels: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Intersections (R, G), areas of regions (R,) and of gold boxes (G,)."""
    regions, gold, edge = _boxes("regions", regions, pixels), _boxes("gold", gold, pixels), float(pixels)
    low = torch.maximum(regions[:, None, :2], gold[None, :, :2])
    high = torch.minimum(regions[:, None, 2:], gold[None, :, 2:])
    inside = (high - low + edge).clamp(min=0).prod(-1)
    return inside, *((box[:, 2:] - box[:, :2] + edge).prod(-1) for box in (regions, gold))


def _boxes(name: str, boxes: Tensor, pixels: bool) -> Tensor:
    boxes = inputs.numbers(boxes, f"overlap: {name}", "(n, 4)")
    if boxes.shape[1] != 4:
        shape = tuple(boxes.shape)
        raise ValueError(f"overlap: {name}: got shape {shape}; expected (n, 4): left, top, right, bottom")
    if (boxes[:, 2:] < boxes[:, :2]).any() or (not pixels and (boxes[:, 2:] == boxes[:, :2]).any()):
        raise ValueError(
            f"overlap: {name} without area, or with exchanged corners; expected left < right, top < bottom"
        )
    return boxes


def ablate_regions(
    feature: Tensor,
    region_mask: Tensor,
    ablate: Tensor,
    *,
    replacement: str = "mean",
    mean: Tensor | None = None,
    global_index: int | None = None,
    recompute: bool = True,
) -> tuple[Tensor, Tensor]:
    """New features and a new attention mask without some regions; what is not removed is the same to the bit.

    Args:
        feature: (n, R, d).
        region_mask, ablate: (n, R) bool, regions that exist, and regions to remove.
        replacement: "mean" puts `mean` in place of the feature, "zero" zeros; "drop" masks the region from attention.
        mean: (d,), for "mean".
        global_index: Position of a region of the whole image, whose feature is the mean of all others; never removed.
        recompute: Whether that mean is taken again, without the removed regions.
    Example:
        >>> feature, seen = torch.ones(1, 2, 1), torch.ones(1, 2, dtype=torch.bool)
        >>> ablate_regions(feature, seen, torch.tensor([[True, False]]), replacement="zero")[0].flatten().tolist()
        [0.0, 1.0]

    Source: Frank et al. 2021, released code: mean and recomputed for missing vision, zero and not recomputed for a
        target.
    """
    if replacement not in REPLACEMENTS:
        raise ValueError(f"ablate_regions: got replacement {replacement!r}; expected one of {', '.join(REPLACEMENTS)}")
    if not isinstance(feature, Tensor) or not feature.is_floating_point():
        feature = inputs.numbers(feature, "ablate_regions: feature", "(n, R, d)")
    if feature.ndim != 3:
        raise ValueError(f"ablate_regions: feature: got shape {tuple(feature.shape)}; expected (n, R, d)")
    region_mask, ablate = (
        inputs.mask(part, f"ablate_regions: {name}", tuple(feature.shape[:2])).to(feature.device)
        for name, part in (("region_mask", region_mask), ("ablate", ablate))
    )
    if not region_mask.any(1).all():
        raise ValueError("ablate_regions: an item has no region at all; expected at least one")
    if not feature[region_mask].isfinite().all():
        raise ValueError("ablate_regions: features of regions are NaN or infinite; expected finite numbers")
    if replacement == "mean":
        mean = inputs.numbers(mean, "ablate_regions: mean", "(n,)").to(feature.dtype).to(feature.device)
        if mean.shape != feature.shape[2:]:
            raise ValueError(f"ablate_regions: mean: got {len(mean)} numbers; expected {feature.shape[2]}")
    ablate = ablate & region_mask
    if global_index is not None and ablate[:, global_index].any():
        raise ValueError("ablate_regions: the global region is to be removed; expected it to be exempt")
    if replacement == "drop":
        changed, seen = feature.clone(), region_mask & ~ablate
    else:
        value = torch.zeros_like(feature[0, 0]) if replacement == "zero" else mean
        changed, seen = torch.where(ablate[..., None], value, feature), region_mask.clone()
    if global_index is not None and recompute and ablate.any():
        others = seen.clone()
        others[:, global_index] = False
        average = (changed * others[..., None]).sum(1) / others.sum(1, keepdim=True).clamp(min=1)
        touched = ablate.any(1)
        changed[touched, global_index] = average[touched]
    return changed, seen
