"""Taking regions away: by their mean, by zeros, or out of sight; with the region of the whole picture recomputed or not."""

import torch
from torch import Tensor

REPLACEMENTS = ("mean", "zero", "drop")


def ablate_regions(
    feature: Tensor,
    region_mask: Tensor,
    taken: Tensor,
    *,
    replacement: str = "mean",
    mean: Tensor | None = None,
    global_index: int | None = None,
    recompute: bool = True,
) -> tuple[Tensor, Tensor]:
    """Features and attention mask with some regions ablated.

    Args:    feature (n, R, d); region_mask (n, R) bool, regions that exist; taken (n, R) bool, those to ablate;
             replacement: "mean" puts `mean` (d,) in place of the feature, "zero" zeros, both keeping box and mask; "drop" hides the region from attention;
             global_index: place of a region that shows the whole picture, with the mean of all others as its feature: never taken itself;
             recompute: True takes that mean after the ablation (over the regions still in sight), False leaves the old one, which still knows the target.
    Returns: the new (feature, region_mask); what is not taken is the same to the bit, and the arguments stay as they were.
    Raises:  ValueError on another replacement, "mean" without a mean, unequal shapes, NaN, no region at all, or a global region marked as taken.
    Example:
        >>> feature, seen = torch.ones(1, 2, 1), torch.ones(1, 2, dtype=torch.bool)
        >>> ablate_regions(feature, seen, torch.tensor([[True, False]]), replacement="zero")[0].flatten().tolist()
        [0.0, 1.0]

    Source:  Frank et al. 2021, released code: mean and recomputed when vision is ablated, zero and not recomputed when a region is the target.
    """
    if replacement not in REPLACEMENTS:
        raise ValueError(f"ablate_regions: got replacement {replacement!r}; expected one of {', '.join(REPLACEMENTS)}")
    if feature.ndim != 3 or feature.shape[:2] != region_mask.shape or taken.shape != region_mask.shape:
        raise ValueError(f"ablate_regions: got feature {tuple(feature.shape)}, region_mask {tuple(region_mask.shape)}, taken {tuple(taken.shape)}; expected (n, R, d), (n, R), (n, R)")  # fmt: skip
    if not region_mask.any(1).all():
        raise ValueError("ablate_regions: an item has no region at all; expected at least one")
    if not feature[region_mask].isfinite().all():
        raise ValueError("ablate_regions: features of regions are NaN or infinite; expected finite numbers")
    if replacement == "mean" and (mean is None or mean.shape != feature.shape[2:]):
        raise ValueError(f"ablate_regions: got mean {None if mean is None else tuple(mean.shape)}; expected ({feature.shape[2]},)")  # fmt: skip
    taken = taken & region_mask
    if global_index is not None and taken[:, global_index].any():
        raise ValueError("ablate_regions: the global region is marked as taken; expected it to be exempt")
    if replacement == "drop":
        changed, seen = feature.clone(), region_mask & ~taken
    else:
        value = torch.zeros_like(feature[0, 0]) if replacement == "zero" else mean.to(feature)
        changed, seen = torch.where(taken[..., None], value, feature), region_mask.clone()
    if global_index is not None and recompute and taken.any():
        others = seen.clone()
        others[:, global_index] = False
        average = (changed * others[..., None]).sum(1) / others.sum(1, keepdim=True).clamp(min=1)
        touched = taken.any(1)
        changed[touched, global_index] = average[touched]
    return changed, seen
