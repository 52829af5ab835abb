"""Flickr30k Entities as items of a cross-modal ablation: one per caption and phrase with a box, for public checkpoints."""

from pathlib import Path
from typing import Any

import torch

from mmnb.instruments.ablation import aligned, iot, span_mask
from mmnb.recipes.flickr.reader import inputs_of, padded, with_regions
from mmnb.recipes.vl.items import Items


def flickr_items(
    tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38
) -> Items:
    """Every phrase of every caption that has a gold box and an aligned region; region 0 shows the whole picture.

    Args:
        tokenizer: Of bert-base-uncased.
        folder: As in `flickr30k_entities.load`, with `regions.h5` or `regions/` in it.
        most: Stop after this number of items.
        limit: Wordpieces that the model sees.

    Returns:
        `Items` whose label is the detector's distribution, or one column of ones where the features have none; `scene` counts pictures.

    Raises:
        DataUnavailable: Missing files.
        ValueError: Damaged files, a phrase behind the limit, or no item.
    """
    rows, regions = [], None
    for number, own, phrase in with_regions(tokenizer, folder, split, limit):
        if own is not regions:  # the tensors of a picture are made once
            regions = own
            feature, box = torch.from_numpy(own.features), torch.from_numpy(own.boxes)
            label = torch.ones(len(box), 1) if own.probabilities is None else torch.from_numpy(own.probabilities)
            features = torch.cat([feature.mean(0, keepdim=True), feature])
            boxes = torch.cat([torch.tensor([[0.0, 0.0, 1.0, 1.0]]), box.float()])
        show = aligned(box, phrase.gold)
        if show.any():
            target = int(iot(box, phrase.gold).max(1).values.argmax())
            show = torch.cat([torch.tensor([False]), show])
            rows.append((phrase.tokens, features, boxes, phrase.span, show, target, label[target], number))
        if len(rows) == most:
            break
    if not rows:
        raise ValueError(f"flickr_items: no phrase of split {split} has an aligned region; expected some")
    tokens, features, boxes, spans, shows, targets, labels, numbers = zip(*rows, strict=True)
    inputs = inputs_of(tokens, features, boxes)
    return Items(
        inputs=inputs,
        phrase=span_mask(torch.tensor(spans), inputs.tokens.shape[1]),
        aligned=padded(shows),
        target=torch.tensor(targets) + 1,
        label=torch.stack(labels),
        mean=inputs.feature[:, 1:][inputs.region_mask[:, 1:]].mean(0),
        scene=torch.tensor(numbers),
    )


def without_background(label: torch.Tensor, n_classes: int) -> torch.Tensor:
    """A detector's class distribution without its first class, background, where the model has one class less.

    VOLTA's detector gives 1,601 classes, background first; LXMERT's public head names the 1,600 others in the same order (our reading
    of both codes).

    Args:
        label: (n, C), distributions.
        n_classes: Classes of the model, C or C - 1.

    Returns:
        (n, n_classes), each row a distribution.

    Raises:
        ValueError: Another number of classes, or a row that is background alone.

    Example:
        >>> without_background(torch.tensor([[0.5, 0.25, 0.25]]), 2).tolist()
        [[0.5, 0.5]]
    """
    if label.shape[1] == n_classes:
        return label
    if label.shape[1] != n_classes + 1:
        raise ValueError(
            f"without_background: got labels over {label.shape[1]} classes for a model of {n_classes} classes; expected as many, or one more"
        )
    kept = label[:, 1:]
    total = kept.sum(1, keepdim=True)
    if (total <= 0).any():
        raise ValueError("without_background: a label is background alone; expected some object class")
    return kept / total
