"""Flickr30k Entities as items of a cross-modal ablation for a model of patches: FLAVA's regions are the cells of a grid."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import CONDITIONS, iot, language_for_vision, vision_for_language
from mmnb.models.flava import Flava
from mmnb.recipes.flickr.items import default, gathered, phrases_of
from mmnb.recipes.vl.items import Items


def covered(grid: Tensor, gold: Tensor, threshold: float = 0.5) -> tuple[Tensor, int]:
    """The patches that show a target, and the patch to score.

    A patch is far smaller than most gold boxes and never covers half of one. So a patch counts when gold boxes cover more than `threshold` of
    *it*; the patch covered most always counts. That patch is scored; of several covered whole, the one nearest to the middle of a gold box.

    Boxes of the P patches (P, 4) and gold boxes (G, 4) are in shares of the picture. Returns (P,) bool, and the number of a patch.

    Example:
        >>> grid = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])
        >>> covered(grid, torch.tensor([[0.4, 0.0, 0.9, 1.0]]))
        (tensor([False,  True]), 1)
    """
    grid, gold = grid.cpu(), gold.cpu()
    share = iot(gold, grid).max(0).values
    middle = (grid[:, None, :2] + grid[:, None, 2:] - gold[None, :, :2] - gold[None, :, 2:]).double().norm(dim=-1) / 2
    best = int((share - 1e-3 * middle.min(1).values).argmax())
    show = share > threshold
    show[best] = True
    return show, best


def patch_items(
    flava: Flava,
    tokenizer: Any,
    folder: Path | None = None,
    *,
    split: str = "val",
    most: int | None = None,
    limit: int = 38,
    pictures: int = 16,
) -> Iterator[Items]:
    """Items of Flickr30k Entities for FLAVA, `pictures` at a time (the pixels of all would not fit in memory): every phrase with a gold box.

    Args as in `flickr_items`; the pictures are `flickr30k-images/36979.jpg` in the folder. `Items` have no region of the whole picture; `label`
    is one-hot at the patch's entry of the codebook; `mean` is zero, the mean of normalised pixels.
    """
    folder = default(folder)
    named = f30k.load(folder, split)
    files = [folder / "flickr30k-images" / f"{name}.jpg" for name in named]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise DataUnavailable(
            f"{len(absent)} of {len(files)} pictures of split {split} are not in {folder / 'flickr30k-images'}: {', '.join(absent[:3])}. "
            "Flickr30k's pictures (4 GB, for research) need a request form at shannon.cs.illinois.edu/DenotationGraph"
        )
    left, entries = most, list(enumerate(zip(named.values(), files, strict=True)))
    for start in range(0, len(entries), pictures):
        rows, shown = [], []
        for number, ((captions, gold), file) in entries[start : start + pictures]:
            own = list(islice(phrases_of(tokenizer, captions, gold, limit), left))
            if own:
                rows += [(phrase, len(shown), number) for phrase in own]
                with Image.open(file) as picture:
                    shown.append(picture.convert("RGB"))
                left = None if left is None else left - len(own)
        if rows:
            feature, codes = flava.prepare(shown)
            items = []
            for phrase, picture, number in rows:
                show, target = covered(flava.box.double(), phrase.gold.clamp(0, 1))
                label = flava.one_hot(codes[picture, target])
                items.append((phrase, feature[picture], flava.box, show, target, label, number))
            yield gathered(items, mean=torch.zeros(feature.shape[2]))
        if left == 0:
            return


def patch_bits(
    flava: Flava, tokenizer: Any, folder: Path | None = None, *, generator: torch.Generator, **options: Any
) -> dict[str, dict[str, Tensor]]:
    """Both directions on FLAVA, its own mask token in place of patches: "words" and "regions", each condition -> (n,) bits.

    The generator draws the seeds of the condition random; options go to `patch_items`. Raises: ValueError where there is no item.
    """
    found: dict[str, list[dict[str, Tensor]]] = {"words": [], "regions": []}
    common = {"mask_id": tokenizer.mask_token_id, "replacement": "drop", "batch_size": 16}
    special = tokenizer.all_special_ids
    for own in patch_items(flava, tokenizer, folder, **options):
        parts = flava, own.inputs, own.phrase, own.aligned
        first, second = torch.randint(2**31, (2,), generator=generator).tolist()
        found["words"].append(vision_for_language(*parts, seed=first, **common))
        parts += own.target, own.label
        found["regions"].append(language_for_vision(*parts, special=special, seed=second, **common))
    if not found["words"]:
        raise ValueError("patch_bits: no phrase has a gold box; expected some")
    return {side: {c: torch.cat([part[c] for part in parts]) for c in CONDITIONS} for side, parts in found.items()}
