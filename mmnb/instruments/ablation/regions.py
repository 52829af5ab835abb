"""How far a region covers a gold box: intersection over target (IoT) and over union (IoU)."""

import torch
from torch import Tensor


def _boxes(name: str, boxes: Tensor, pixels: bool) -> Tensor:
    boxes = torch.as_tensor(boxes).double()
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise ValueError(
            f"overlap: got {name} of shape {tuple(boxes.shape)}; expected (n, 4) with n >= 1: left, top, right, bottom"
        )
    if not boxes.isfinite().all():
        raise ValueError(
            f"overlap: {name} has {int((~boxes.isfinite()).sum())} numbers that are NaN or infinite; expected none"
        )
    if (boxes[:, 2:] < boxes[:, :2]).any() or (not pixels and (boxes[:, 2:] == boxes[:, :2]).any()):
        raise ValueError(
            f"overlap: {name} has a box without area, or with its corners exchanged; expected left < right and top < bottom"
        )
    return boxes


def _areas(regions: Tensor, gold: Tensor, pixels: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Intersections (R, G), areas of regions (R,) and of gold boxes (G,)."""
    regions, gold, edge = _boxes("regions", regions, pixels), _boxes("gold", gold, pixels), float(pixels)
    low = torch.maximum(regions[:, None, :2], gold[None, :, :2])
    high = torch.minimum(regions[:, None, 2:], gold[None, :, 2:])
    inside = (high - low + edge).clamp(min=0).prod(-1)
    return inside, *((box[:, 2:] - box[:, :2] + edge).prod(-1) for box in (regions, gold))


def iot(regions: Tensor, gold: Tensor, *, pixels: bool = False) -> Tensor:
    """Share of each gold box that each region covers.

    Formula: IoT = |region ∩ gold| / |gold|. A region that contains the gold box scores 1 however large it is.
    Args:    regions (R, 4), gold (G, 4): left, top, right, bottom in one unit; pixels=True counts the last pixel as inside (+1), as code for
             pixel boxes does.
    Returns: (R, G) float64 from 0 to 1.
    Raises:  ValueError on empty input, NaN, boxes without area or with exchanged corners.
    Example:
        >>> gold = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
        >>> iot(torch.tensor([[0.0, 0.0, 4.0, 9.0], [0.0, 0.0, 99.0, 99.0]]), gold, pixels=True).squeeze(1).tolist()
        [0.5, 1.0]

    Source:  Frank et al. 2021, released code (`flickr30ke_ablation_dataset.py`), with the pixel rule made a choice.
    """
    inside, _, gold_area = _areas(regions, gold, pixels)
    return inside / gold_area


def iou(regions: Tensor, gold: Tensor, *, pixels: bool = False) -> Tensor:
    """Intersection over union of each region with each gold box; arguments, shape and errors as `iot`.

    Formula: IoU = |region ∩ gold| / |region ∪ gold|, symmetric; a region far larger than the gold box scores near 0.
    Example:
        >>> iou(torch.tensor([[0.0, 0.0, 99.0, 99.0]]), torch.tensor([[0.0, 0.0, 9.0, 9.0]]), pixels=True).item()
        0.01

    Source:  standard; the grounding study uses it with 0.5.
    """
    inside, region_area, gold_area = _areas(regions, gold, pixels)
    return inside / (region_area[:, None] + gold_area[None] - inside)


def aligned(
    regions: Tensor, gold: Tensor, *, threshold: float = 0.5, measure: str = "iot", pixels: bool = False
) -> Tensor:
    """Which regions show the target: those whose overlap with *any* gold box passes the threshold.

    Formula: max_g overlap > threshold for IoT (strictly, as released), max_g overlap >= threshold for IoU (as the grounding study).
    Args:    regions (R, 4), gold (G, 4), pixels, as `iot`; threshold from 0 to 1; measure, "iot" or "iou".
    Returns: (R,) bool.
    Raises:  ValueError on another measure or threshold, or as `iot`.
    Example:
        >>> gold = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> aligned(torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.6, 1.0]]), gold).tolist()
        [False, True]

    Source:  Frank et al. 2021 (IoT > .5); Li et al. 2020, released loader (IoU >= .5).
    """
    if measure not in ("iot", "iou") or not 0 <= threshold <= 1:
        raise ValueError(
            f"aligned: got measure={measure!r}, threshold={threshold}; expected 'iot' or 'iou', and a number from 0 to 1"
        )
    best = (iot if measure == "iot" else iou)(regions, gold, pixels=pixels).max(1).values
    return best > threshold if measure == "iot" else best >= threshold
