"""Entity grounding of public checkpoints on Flickr30k Entities: where each head looks from the last wordpiece of a phrase."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmnb import paths
from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments import grounding
from mmnb.instruments.ablation import Inputs, aligned, phrase_span
from mmnb.models import vl
from mmnb.models.vl_attention import word_to_regions

CHECKPOINTS = (  # name, token type of the regions: VisualBERT's sources disagree on it, LXMERT has none
    ("uclanlp/visualbert-vqa-coco-pre", 0),
    ("uclanlp/visualbert-vqa-coco-pre", 1),
    ("unc-nlp/lxmert-base-uncased", 0),
)


@dataclass(frozen=True)
class Phrases:
    """One row per phrase with a gold box, whether a region matches it or not.

    inputs, as a model takes them, without a region of the whole picture · query (n,) int64, last wordpiece of the phrase · match (n, R) bool, IoU >= .5 with any
    gold box · confidence (n, R), of the class the detector found, or None · picture (n,) int64
    """

    inputs: Inputs
    query: Tensor
    match: Tensor
    confidence: Tensor | None
    picture: Tensor

    def __len__(self) -> int:
        return len(self.query)


def phrases(tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38) -> Phrases:  # fmt: skip
    """All phrases with a gold box of the first pictures of a split.

    Args:    tokenizer, of bert-base-uncased; folder as in `flickr30k_entities.load`, with `regions.h5` or `regions/` beside the annotations; most, stop after
             so many phrases; limit, wordpieces a model sees.
    Raises:  DataUnavailable on missing files; ValueError on damaged ones, on a phrase behind the limit, or when there is none.
    """
    folder = paths.cache() / "flickr30k-entities" if folder is None else Path(folder)
    pictures = f30k.load(folder, split)
    store = folder / "regions.h5" if (folder / "regions.h5").is_file() else folder / "regions"
    if not store.exists():
        raise DataUnavailable(f"No region features in {folder}: expected regions.h5 or a folder regions/ of NPZ files in VOLTA's layout (about 10 GB)")  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for number, (name, (captions, gold)) in enumerate(pictures.items()):
        found = f30k.read_regions(store, name)
        box = torch.from_numpy(found.boxes)
        extent = torch.tensor([gold.width, gold.height] * 2, dtype=torch.float64)
        for caption in captions:
            ids, end = tokenizer(caption.text)["input_ids"], 0
            for phrase in caption.phrases:
                pieces = tokenizer(phrase.words, add_special_tokens=False)["input_ids"]
                _, end = phrase_span(ids, pieces, start=end, limit=limit)
                if phrase.chain in gold.boxes:
                    show = aligned(box, torch.from_numpy(gold.boxes[phrase.chain]) / extent, measure="iou")
                    rows.append((ids[:limit], end - 1, found, show, number))
        if most is not None and len(rows) >= most:
            break
    if not rows:
        raise ValueError(f"phrases: split {split} in {folder.name} has no phrase with a box; expected some")
    return _padded(rows[:most])


def _padded(rows: list[tuple[Any, ...]]) -> Phrases:
    n, length, most = len(rows), max(len(row[0]) for row in rows), max(len(row[2].boxes) for row in rows)
    tokens, feature = torch.zeros(n, length, dtype=torch.long), torch.zeros(n, most, rows[0][2].features.shape[1])
    box, sure = torch.zeros(n, most, 4), torch.zeros(n, most)
    mask, match = torch.zeros(n, most, dtype=torch.bool), torch.zeros(n, most, dtype=torch.bool)
    for i, (ids, _, found, show, _) in enumerate(rows):
        own = slice(len(found.boxes))
        tokens[i, : len(ids)], match[i, own], mask[i, own] = torch.tensor(ids), show, True
        feature[i, own], box[i, own] = torch.from_numpy(found.features), torch.from_numpy(found.boxes)
        if found.confidence is not None:
            sure[i, own] = torch.from_numpy(found.confidence)
    known = all(row[2].confidence is not None for row in rows)
    return Phrases(
        inputs=Inputs(tokens, tokens != 0, feature, box, mask),
        query=torch.tensor([row[1] for row in rows]),
        match=match,
        confidence=sure if known else None,
        picture=torch.tensor([row[4] for row in rows]),
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
    """Grounding of every head of a checkpoint: accuracy (layers, heads) and the attention that goes to regions at all.

    Args:    name, on the Hugging Face hub or a folder; own, the phrases; visual_type, token type of the regions (VisualBERT only).
    Raises:  DataUnavailable without the weights; ValueError when the features are not as wide as the checkpoint wants.
    """
    model = vl.load(name, visual_type=visual_type)
    config = model.backbone.config
    wanted = config.visual_embedding_dim if model.kind == "visualbert" else config.visual_feat_dim
    if wanted != own.inputs.feature.shape[2]:
        raise ValueError(f"heads: {name} wants regions of {wanted} numbers, the features have {own.inputs.feature.shape[2]}; expected features of the detector it was trained with")  # fmt: skip
    rows = word_to_regions(model, own.inputs, own.query, batch_size=batch_size)
    return grounding.entity_grounding(rows, own.match, own.inputs.region_mask)


def by_layer(name: str, kind: int, found: grounding.Grounding, own: Phrases) -> list[dict[str, Any]]:
    """Rows for a table: per layer the best head with its attention to regions, and the mean of all; last the best of all heads, chosen on every second picture, on the others."""
    rows: list[dict[str, Any]] = []
    for layer, (accuracy, mass) in enumerate(zip(found.accuracy, found.attention_to_regions, strict=True)):
        top = int(accuracy.argmax())
        rows.append({"model": name, "type of regions": str(kind), "layer": str(layer + 1), "best head": str(top + 1), "accuracy": float(accuracy[top]), "attention to regions": float(mass[top]), "mean of heads": float(accuracy.mean())})  # fmt: skip
    first = own.picture % 2 == 0
    if first.any() and not first.all():
        best = grounding.best_head(found.correct, first)
        rows.append({"model": name, "type of regions": str(kind), "layer": f"held out: {best.layer + 1}", "best head": str(best.head + 1), "accuracy": best.value, "attention to regions": float(found.attention_to_regions[best.layer, best.head]), "mean of heads": float(found.accuracy.mean())})  # fmt: skip
    return rows


def public(own: Phrases, checkpoints: tuple[tuple[str | Path, int], ...] = CHECKPOINTS) -> list[dict[str, Any]]:
    """Rows of `by_layer` for every public checkpoint, both token types of VisualBERT's regions. Raises: as `heads`."""
    return [row for name, kind in checkpoints for row in by_layer(Path(name).name, kind, heads(name, own, visual_type=kind), own)]  # fmt: skip
