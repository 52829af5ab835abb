"""Region features from the pixels: EfficientNet-Lite0, pooled per box."""

import torch
from torch import Tensor
from torchvision.ops import roi_align

from mmnb.models.pretrained import EfficientNetLite0

STRIDE = 32  # pixels of a picture per cell of the encoder's last map


def pixel_features(encoder: EfficientNetLite0, pictures: Tensor, box: Tensor, mask: Tensor) -> Tensor:
    """Features of regions, pooled from the encoder's last map.

    Args:    encoder; pictures (n, 3, h, w) uint8, shown to it at 224 × 224; box (n, R, 4) in shares of the picture; mask (n, R) bool, regions that exist.
    Returns: (n, R, 1280) float32, zeros where there is no region.
    Raises:  ValueError on other shapes or types, or a box outside the picture.
    """
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or box.shape[:2] != mask.shape or len(pictures) != len(box):
        raise ValueError(f"pixel_features: got pictures {tuple(pictures.shape)} {pictures.dtype}, box {tuple(box.shape)}, mask {tuple(mask.shape)}; expected (n, 3, h, w) uint8, (n, R, 4), (n, R)")  # fmt: skip
    known = box[mask]
    if not known.isfinite().all() or (known < 0).any() or (known > 1).any():
        raise ValueError("pixel_features: a box leaves the picture or is NaN; expected shares from 0 to 1")
    item, _ = mask.nonzero(as_tuple=True)
    found = []
    for start in range(0, len(pictures), 16):
        maps = encoder.maps(pictures[start : start + 16])
        rows = (item >= start) & (item < start + 16)
        rois = torch.cat([item[rows, None] - start, known[rows] * 224], dim=1).float()
        found.append(roi_align(maps, rois, output_size=1, spatial_scale=1 / STRIDE, sampling_ratio=2, aligned=True).flatten(1))  # fmt: skip
    features = torch.zeros(*mask.shape, found[0].shape[1])
    features[mask] = torch.cat(found)
    return features
