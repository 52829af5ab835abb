"""Flickr30k Entities as items of a cross-modal ablation for a model of patches: FLAVA's regions are the cells of a grid."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmnb import paths
from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import (
    CONDITIONS,
    Inputs,
    iot,
    language_for_vision,
    phrase_span,
    span_mask,
    vision_for_language,
)
from mmnb.models.flava import Flava
from mmnb.recipes.vl.items import Items


def covered(grid: Tensor, gold: Tensor, threshold: float = 0.5) -> tuple[Tensor, int]:
    """Which patches show a target, and the patch to score.

    A patch is far smaller than most gold boxes, so it never covers half of one. Overlap is turned round: a patch counts when gold boxes cover more than
    `threshold` of *it*, and so does the one covered most, however little that is. Scored is that one; where several are covered whole, the one nearest to the
    middle of a gold box.
    Args:    grid (P, 4), gold (G, 4), in shares of the picture. Returns: (P,) bool, and the number of a patch. Raises: ValueError as `iot`.
    Example:
        >>> grid = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])
        >>> covered(grid, torch.tensor([[0.4, 0.0, 0.9, 1.0]]))
        (tensor([False,  True]), 1)
    """
    share = iot(gold, grid).max(0).values
    middle = (grid[:, None, :2] + grid[:, None, 2:] - gold[None, :, :2] - gold[None, :, 2:]).double().norm(dim=-1) / 2
    best = int((share - 1e-3 * middle.min(1).values).argmax())
    show = share > threshold
    show[best] = True
    return show, best


def patch_items(
    flava: Flava, tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38, pictures: int = 16
) -> Iterator[Items]:  # fmt: skip
    """Items of Flickr30k Entities for FLAVA, some pictures at a time (the pixels of all would fill a memory): every phrase with a gold box.

    Args:    flava; tokenizer, of bert-base-uncased; folder as in `flickr30k_entities.load`, with the pictures as `flickr30k-images/36979.jpg`; most, stop after
             so many items; limit, wordpieces the model sees; pictures, how many at a time.
    Yields:  `Items` without a region of the whole picture; `label` is one-hot at the patch's entry of the codebook; `mean` is zero, the mean of normalised pixels.
    Raises:  DataUnavailable on missing files; ValueError on damaged ones, or on a phrase behind the limit.
    """
    folder = paths.cache() / "flickr30k-entities" if folder is None else Path(folder)
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
            own = list(islice(_phrases(flava, tokenizer, captions, gold, limit), left))
            if own:
                rows += [(*row, len(shown), number) for row in own]
                with Image.open(file) as picture:
                    shown.append(picture.convert("RGB"))
                left = None if left is None else left - len(own)
        if rows:
            yield _items(flava, rows, shown)
        if left == 0:
            return


def _phrases(flava: Flava, tokenizer: Any, captions: list[f30k.Sentence], gold: f30k.Boxes, limit: int) -> Iterator[tuple]:  # fmt: skip
    """Per phrase with a box: wordpieces of the caption, span, patches that show it, patch to score."""
    extent = torch.tensor([gold.width, gold.height] * 2, dtype=torch.float64)
    for caption in captions:
        ids, end = tokenizer(caption.text)["input_ids"], 0
        for phrase in caption.phrases:
            pieces = tokenizer(phrase.words, add_special_tokens=False)["input_ids"]
            start, end = phrase_span(ids, pieces, start=end, limit=limit)
            if phrase.chain in gold.boxes:
                true = (torch.from_numpy(gold.boxes[phrase.chain]) / extent).clamp(0, 1)
                yield (ids[:limit], (start, end), *covered(flava.box.double(), true))


def _items(flava: Flava, rows: list[tuple], shown: list[Image.Image]) -> Items:
    feature, codes = flava.prepare(shown)
    picture, target = torch.tensor([row[4] for row in rows]), torch.tensor([row[3] for row in rows])
    tokens = torch.zeros(len(rows), max(len(row[0]) for row in rows), dtype=torch.long)
    for i, (ids, *_) in enumerate(rows):
        tokens[i, : len(ids)] = torch.tensor(ids)
    mask = torch.ones(len(rows), feature.shape[1], dtype=torch.bool)
    return Items(
        inputs=Inputs(tokens, tokens != 0, feature[picture], flava.box.expand(len(rows), -1, -1), mask),
        phrase=span_mask(torch.tensor([row[1] for row in rows]), tokens.shape[1]),
        aligned=torch.stack([row[2] for row in rows]),
        target=target,
        label=flava.one_hot(codes[picture, target]),
        mean=torch.zeros(feature.shape[2]),
        scene=torch.tensor([row[5] for row in rows]),
    )


def patch_bits(
    flava: Flava, tokenizer: Any, folder: Path | None = None, *, generator: torch.Generator, **options: Any
) -> dict[str, dict[str, Tensor]]:
    """Both directions on FLAVA, its own mask token in place of patches: "words" and "regions", each condition -> (n,) bits.

    Args: flava, tokenizer, folder; generator, for the condition random; options go to `patch_items`. Raises: as `patch_items`, ValueError when there is no item.
    """
    found: dict[str, list[dict[str, Tensor]]] = {"words": [], "regions": []}
    common = {"mask_id": tokenizer.mask_token_id, "replacement": "drop", "batch_size": 16}
    for own in patch_items(flava, tokenizer, folder, **options):
        parts = flava, own.inputs, own.phrase, own.aligned
        seeds = torch.randint(2**31, (2,), generator=generator).tolist()
        options = {"special": tokenizer.all_special_ids, "seed": seeds[1], **common}
        found["words"].append(vision_for_language(*parts, seed=seeds[0], **common))
        found["regions"].append(language_for_vision(*parts, own.target, own.label, **options))
    if not found["words"]:
        raise ValueError("patch_bits: no phrase has a gold box; expected some")
    return {side: {c: torch.cat([part[c] for part in parts]) for c in CONDITIONS} for side, parts in found.items()}
