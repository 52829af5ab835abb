"""Scenes as items of a cross-modal ablation: one phrase each, the regions that show it, and the region to be predicted."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmnb.data.scenes import PAD, Regions, Scenes
from mmnb.instruments.ablation import Inputs, aligned, iot, span_mask
from mmnb.recipes.vl.train import with_global


@dataclass(frozen=True)
class Items:
    """One item per scene that has an aligned region; region 0 shows the whole picture."""

    inputs: Inputs  # what a model is given
    phrase: Tensor  # (n, L) bool, the first phrase
    aligned: Tensor  # (n, R) bool, IoT > .5 with the gold box
    target: Tensor  # (n,) int64, the aligned region with the largest IoT
    label: Tensor  # (n, C), its class distribution
    mean: Tensor  # (d,), mean feature of all regions
    scene: Tensor  # (n,) int64, number of the scene

    def __len__(self) -> int:
        return len(self.scene)


def items(world: Scenes, regions: Regions, *, threshold: float = 0.5, measure: str = "iot") -> Items:
    """Items of every scene whose first phrase has an aligned region, `threshold` and `measure` as in `mmnb.ablation.aligned`.

    Raises: ValueError where no scene has such a region.
    """
    n, r = regions.mask.shape
    show, best = torch.zeros(n, r, dtype=torch.bool), torch.zeros(n, dtype=torch.long)
    for i, thing in enumerate(world.phrase[:, 0, 2].tolist()):
        here = (regions.mask[i] & ((regions.box[i, :, 2:] - regions.box[i, :, :2]) > 0).all(1)).nonzero().squeeze(1)
        if len(here):
            gold = world.box[i, thing][None]
            show[i, here] = aligned(regions.box[i, here], gold, threshold=threshold, measure=measure)
            best[i] = here[iot(regions.box[i, here], gold).squeeze(1).argmax()]
    keep = show.any(1).nonzero().squeeze(1)
    if not len(keep):
        raise ValueError(f"items: none of {n} scenes has a region with {measure} > {threshold}; expected some")
    feature, box, mask = with_global(regions.feature, regions.box, regions.mask)
    inputs = Inputs(world.tokens, world.tokens != PAD, feature, box, mask)
    front = torch.zeros(n, 1, dtype=torch.bool)
    return Items(
        inputs=Inputs(*(part[keep] for part in inputs)),
        phrase=span_mask(world.phrase[:, 0, :2], world.tokens.shape[1])[keep],
        aligned=torch.cat([front, show], 1)[keep],
        target=best[keep] + 1,
        label=regions.label[keep, best[keep]],
        mean=regions.feature[regions.mask].mean(0),
        scene=keep,
    )
