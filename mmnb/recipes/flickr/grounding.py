"""Entity grounding of public checkpoints on Flickr30k Entities: the attention of each head from the last wordpiece of a phrase."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmnb.instruments import grounding
from mmnb.instruments.ablation import Inputs, aligned
from mmnb.models import vl
from mmnb.models.vl_attention import word_to_regions
from mmnb.recipes.flickr.items import inputs_of, padded, with_regions

CHECKPOINTS = (  # name, token type of the regions: VisualBERT's sources disagree on it, LXMERT has none
    ("uclanlp/visualbert-vqa-coco-pre", 0),
    ("uclanlp/visualbert-vqa-coco-pre", 1),
    ("unc-nlp/lxmert-base-uncased", 0),
)


@dataclass(frozen=True)
class Phrases:
    """One row per phrase with a gold box, whether a region matches it or not."""

    inputs: Inputs  # as a model takes them, without a region of the whole picture
    query: Tensor  # (n,) int64, last wordpiece of the phrase
    match: Tensor  # (n, R) bool, IoU >= .5 with any gold box
    confidence: Tensor | None  # (n, R), of the class that the detector found
    picture: Tensor  # (n,) int64

    def __len__(self) -> int:
        return len(self.query)


def phrases(
    tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38
) -> Phrases:
    """All phrases with a gold box of the first pictures of a split; arguments and errors as `flickr_items`."""
    rows = list(islice(with_regions(tokenizer, folder, split, limit), most))
    if not rows:
        raise ValueError(f"phrases: split {split} has no phrase with a box; expected some")
    numbers, regions, named = zip(*rows, strict=True)
    feature, box = ([torch.from_numpy(getattr(own, part)) for own in regions] for part in ("features", "boxes"))
    known = all(own.confidence is not None for own in regions)
    return Phrases(
        inputs=inputs_of([phrase.tokens for phrase in named], feature, box),
        query=torch.tensor([phrase.span[1] - 1 for phrase in named]),
        match=padded([aligned(own, phrase.gold, measure="iou") for own, phrase in zip(box, named, strict=True)]),
        confidence=padded([torch.from_numpy(own.confidence) for own in regions]) if known else None,
        picture=torch.tensor(numbers),
    )


def baselines(own: Phrases) -> dict[str, float]:
    """Accuracy without a model: a region at random, the most confident one (where the features tell), nearest to the mean, and the ceiling."""
    present = own.inputs.region_mask
    found = {"at random": grounding.random_accuracy(own.match, present)}
    if own.confidence is not None:
        found["most confident box"] = grounding.confident_accuracy(own.confidence, own.match, present)
    nearest = grounding.nearest_to_mean_accuracy(own.inputs.feature, own.match, present)
    return found | {"nearest to the mean": nearest, "ceiling": grounding.ceiling(own.match, present)}


def heads(name: str | Path, own: Phrases, *, visual_type: int = 1, batch_size: int = 32) -> grounding.Grounding:
    """Grounding of every head of a checkpoint, on the Hugging Face hub or in a folder; `visual_type` is VisualBERT's token type of regions.

    Raises: DataUnavailable without the weights; ValueError where the features are not as wide as the checkpoint wants.
    """
    model = vl.load(name, visual_type=visual_type)
    config = model.backbone.config
    wanted = config.visual_embedding_dim if model.kind == "visualbert" else config.visual_feat_dim
    if wanted != own.inputs.feature.shape[2]:
        raise ValueError(
            f"heads: {name} wants regions of {wanted} numbers, the features have {own.inputs.feature.shape[2]}; "
            "expected features of the detector it was trained with"
        )
    rows = word_to_regions(model, own.inputs, own.query, batch_size=batch_size)
    return grounding.entity_grounding(rows, own.match, own.inputs.region_mask)


def by_layer(name: str, kind: int, found: grounding.Grounding, own: Phrases) -> list[dict[str, Any]]:
    """Rows for a table: the best head of each layer, then the best of all heads, chosen on every second picture and tested on the others."""
    tops = [(str(layer + 1), layer, int(row.argmax()), row) for layer, row in enumerate(found.accuracy)]
    rows = [(label, layer, head, float(row[head]), row) for label, layer, head, row in tops]
    first = own.picture % 2 == 0
    if first.any() and not first.all():
        best = grounding.best_head(found.correct, first)
        rows.append((f"held out: {best.layer + 1}", best.layer, best.head, best.value, found.accuracy))
    return [
        {
            "model": name,
            "type of regions": str(kind),
            "layer": label,
            "best head": str(head + 1),
            "accuracy": accuracy,
            "attention to regions": float(found.attention_to_regions[layer, head]),
            "mean of heads": float(others.mean()),
        }
        for label, layer, head, accuracy, others in rows
    ]


def public(own: Phrases, checkpoints: tuple[tuple[str | Path, int], ...] = CHECKPOINTS) -> list[dict[str, Any]]:
    """Rows of `by_layer` for every public checkpoint, both token types of VisualBERT's regions. Raises: as `heads`."""
    found = [(Path(name).name, kind, heads(name, own, visual_type=kind)) for name, kind in checkpoints]
    return [row for name, kind, grounded in found for row in by_layer(name, kind, grounded, own)]
