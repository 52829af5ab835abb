"""Image regions: overlap with gold boxes, and removal (replace by the mean or by zeros, or mask from attention)."""

import torch
from torch import Tensor

REPLACEMENTS = ("mean", "zero", "drop")


def iot(regions: Tensor, gold: Tensor, *, pixels: bool = False) -> Tensor:
    """Intersection over target `|region ∩ gold| / |gold|`, (R, G) float64: 1 for a region that contains the gold box.

    Args:
        regions: (R, 4), left, top, right, bottom.
        gold: (G, 4) in the same unit.
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
        raise ValueError(
            f"aligned: got measure={measure!r}, threshold={threshold}; expected 'iot' or 'iou', and 0 to 1"
        )
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
    boxes = torch.as_tensor(boxes).double()
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        shape = tuple(boxes.shape)
        raise ValueError(f"overlap: got {name} of shape {shape}; expected (n, 4), n >= 1: left, top, right, bottom")
    if not boxes.isfinite().all():
        raise ValueError(
            f"overlap: {name} hold {int((~boxes.isfinite()).sum())} NaN or infinite numbers; expected none"
        )
    if (boxes[:, 2:] < boxes[:, :2]).any() or (not pixels and (boxes[:, 2:] == boxes[:, :2]).any()):
        raise ValueError(
            f"overlap: a box of {name} has no area, or exchanged corners; expected left < right, top < bottom"
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
    """Features and attention mask without some regions.

    Args:
        feature: (n, R, d).
        region_mask: (n, R) bool, regions that exist.
        ablate: (n, R) bool, regions to remove.
        replacement: "mean" puts `mean` in place of the feature, "zero" zeros; "drop" masks the region from attention.
        mean: (d,), for "mean".
        global_index: Position of a region of the whole image, whose feature is the mean of all others; never removed.
        recompute: Whether that mean is taken again, without the removed regions.
    Returns: The new (feature, region_mask). What is not removed is the same to the bit, and the arguments are not
        changed.
    Example:
        >>> feature, seen = torch.ones(1, 2, 1), torch.ones(1, 2, dtype=torch.bool)
        >>> ablate_regions(feature, seen, torch.tensor([[True, False]]), replacement="zero")[0].flatten().tolist()
        [0.0, 1.0]

    Source: Frank et al. 2021, released code: mean and recomputed for missing vision, zero and not recomputed for a
        target.
    """
    if replacement not in REPLACEMENTS:
        raise ValueError(f"ablate_regions: got replacement {replacement!r}; expected one of {', '.join(REPLACEMENTS)}")
    if feature.ndim != 3 or not feature.shape[:2] == region_mask.shape == ablate.shape:
        shapes = ", ".join(str(tuple(part.shape)) for part in (feature, region_mask, ablate))
        raise ValueError(f"ablate_regions: got shapes {shapes}; expected (n, R, d), (n, R), (n, R)")
    if not region_mask.any(1).all():
        raise ValueError("ablate_regions: an item has no region at all; expected at least one")
    if not feature[region_mask].isfinite().all():
        raise ValueError("ablate_regions: features of regions are NaN or infinite; expected finite numbers")
    if replacement == "mean" and (mean is None or mean.shape != feature.shape[2:]):
        given = None if mean is None else tuple(mean.shape)
        raise ValueError(f"ablate_regions: got mean {given}; expected ({feature.shape[2]},)")
    ablate = ablate & region_mask
    if global_index is not None and ablate[:, global_index].any():
        raise ValueError("ablate_regions: the global region is to be removed; expected it to be exempt")
    if replacement == "drop":
        changed, seen = feature.clone(), region_mask & ~ablate
    else:
        value = torch.zeros_like(feature[0, 0]) if replacement == "zero" else mean.to(feature)
        changed, seen = torch.where(ablate[..., None], value, feature), region_mask.clone()
    if global_index is not None and recompute and ablate.any():
        others = seen.clone()
        others[:, global_index] = False
        average = (changed * others[..., None]).sum(1) / others.sum(1, keepdim=True).clamp(min=1)
        touched = ablate.any(1)
        changed[touched, global_index] = average[touched]
    return changed, seen
