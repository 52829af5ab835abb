"""Flickr30k Entities as items of a cross-modal ablation: one per caption and phrase with a box, for public checkpoints."""

from pathlib import Path
from typing import Any

import torch

from mmnb import paths
from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import Inputs, aligned, iot, phrase_span, span_mask
from mmnb.recipes.vl.items import Items


def flickr_items(
    tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38
) -> Items:
    """Items of Flickr30k Entities: every phrase of every caption that has a gold box and an aligned region; region 0 shows the whole picture.

    Args:    tokenizer, of bert-base-uncased; folder as in `flickr30k_entities.load`, with `regions.h5` or `regions/` beside the annotations;
             most, stop after so many items; limit, wordpieces a model sees.
    Returns: `Items` whose label is the detector's distribution, or one column of ones where the features have none; `scene` counts pictures.
    Raises:  DataUnavailable on missing files; ValueError on damaged ones, on a phrase behind the limit, or when there is no item.
    """
    folder = paths.cache() / "flickr30k-entities" if folder is None else Path(folder)
    pictures = f30k.load(folder, split)
    store = folder / "regions.h5" if (folder / "regions.h5").is_file() else folder / "regions"
    if not store.exists():
        raise DataUnavailable(
            f"No region features in {folder}: expected regions.h5 or a folder regions/ of NPZ files in VOLTA's layout (about 10 GB)"
        )
    rows: list[tuple[Any, ...]] = []
    for number, (name, (captions, gold)) in enumerate(pictures.items()):
        found = f30k.read_regions(store, name)
        box, feature = torch.from_numpy(found.boxes), torch.from_numpy(found.features)
        label = torch.ones(len(box), 1) if found.probabilities is None else torch.from_numpy(found.probabilities)
        extent = torch.tensor([gold.width, gold.height] * 2, dtype=torch.float64)
        for caption in captions:
            ids, end = tokenizer(caption.text)["input_ids"], 0
            for phrase in caption.phrases:
                pieces = tokenizer(phrase.words, add_special_tokens=False)["input_ids"]
                start, end = phrase_span(ids, pieces, start=end, limit=limit)
                if phrase.chain not in gold.boxes:
                    continue
                true = torch.from_numpy(gold.boxes[phrase.chain]) / extent
                show = aligned(box, true)
                if show.any():
                    target = int(iot(box, true).max(1).values.argmax())
                    rows.append((ids[:limit], (start, end), feature, box, show, target, label[target], number))
        if most is not None and len(rows) >= most:
            break
    if not rows:
        raise ValueError(
            f"flickr_items: no phrase of split {split} in {folder.name} has an aligned region; expected some"
        )
    return _padded(rows[:most])


def without_background(label: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Detector classes as a model with `n_classes` outputs names them: where the detector has one class more, its first, background, is left out.

    VOLTA's detector gives 1,601 classes, background first; LXMERT's public head names the 1,600 others in the same order (our reading of both codes).
    Args:    label (n, C), distributions; n_classes, C or C - 1. Returns: (n, n_classes), each row a distribution.
    Raises:  ValueError on another number of classes, or a row that is background alone.
    Example:
        >>> without_background(torch.tensor([[0.5, 0.25, 0.25]]), 2).tolist()
        [[0.5, 0.5]]
    """
    if label.shape[1] == n_classes:
        return label
    if label.shape[1] != n_classes + 1:
        raise ValueError(f"without_background: got labels over {label.shape[1]} classes for a model of {n_classes} classes; expected as many, or one more")  # fmt: skip
    kept = label[:, 1:]
    total = kept.sum(1, keepdim=True)
    if (total <= 0).any():
        raise ValueError("without_background: a label is background alone; expected some object class")
    return kept / total


def _padded(rows: list[tuple[Any, ...]]) -> Items:
    n, length, most = len(rows), max(len(row[0]) for row in rows), 1 + max(len(row[2]) for row in rows)
    tokens, feature = torch.zeros(n, length, dtype=torch.long), torch.zeros(n, most, rows[0][2].shape[1])
    box, mask, show = torch.zeros(n, most, 4), torch.zeros(n, most, dtype=torch.bool), torch.zeros(n, most, dtype=torch.bool)  # fmt: skip
    for i, (ids, _, own, places, hits, *_) in enumerate(rows):
        tokens[i, : len(ids)] = torch.tensor(ids)
        end = 1 + len(own)
        feature[i, 0], feature[i, 1:end] = own.mean(0), own
        box[i, 0], box[i, 1:end] = torch.tensor([0.0, 0.0, 1.0, 1.0]), places
        mask[i, :end], show[i, 1:end] = True, hits
    return Items(
        inputs=Inputs(tokens, tokens != 0, feature, box, mask),
        phrase=span_mask(torch.tensor([row[1] for row in rows]), length),
        aligned=show,
        target=torch.tensor([row[5] + 1 for row in rows]),
        label=torch.stack([row[6] for row in rows]),
        mean=feature[:, 1:][mask[:, 1:]].mean(0),
        scene=torch.tensor([row[7] for row in rows]),
    )
