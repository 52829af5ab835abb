"""Flickr30k Entities phrase by phrase, and as items of a cross-modal ablation for public checkpoints."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmnb import paths
from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import Inputs, aligned, iot, phrase_span, span_mask
from mmnb.recipes.vl.items import Items
from mmnb.recipes.vl.train import WHOLE

padded = partial(pad_sequence, batch_first=True)  # rows of different lengths as one tensor, zeros at their ends


class Phrase(NamedTuple):
    """Wordpieces of a caption (L,), the phrase's span [start, end) in them, and its gold boxes (G, 4) in shares of the picture, float64."""

    tokens: Tensor
    span: tuple[int, int]
    gold: Tensor


def default(folder: Path | None) -> Path:
    """The folder given, or the one in the cache."""
    return paths.cache() / "flickr30k-entities" if folder is None else Path(folder)


def phrases_of(tokenizer: Any, captions: list[f30k.Sentence], gold: f30k.Boxes, limit: int) -> Iterator[Phrase]:
    """All phrases of a picture that have a gold box. Raises: ValueError on a phrase behind the `limit` of wordpieces."""
    extent = torch.tensor([gold.width, gold.height] * 2, dtype=torch.float64)
    for caption in captions:
        ids, end = tokenizer(caption.text)["input_ids"], 0
        for phrase in caption.phrases:
            pieces = tokenizer(phrase.words, add_special_tokens=False)["input_ids"]
            start, end = phrase_span(ids, pieces, start=end, limit=limit)
            if phrase.chain in gold.boxes:
                boxes = torch.from_numpy(gold.boxes[phrase.chain]) / extent
                yield Phrase(torch.tensor(ids[:limit]), (start, end), boxes)


def with_regions(
    tokenizer: Any, folder: Path | None, split: str, limit: int
) -> Iterator[tuple[int, f30k.RegionFeatures, Phrase]]:
    """Number of the picture, its regions (one object for all of its phrases), and a phrase with a gold box."""
    folder = default(folder)
    pictures = f30k.load(folder, split)
    store = folder / "regions.h5" if (folder / "regions.h5").is_file() else folder / "regions"
    if not store.exists():
        raise DataUnavailable(
            f"No region features in {folder}: expected regions.h5 or a folder regions/ of NPZ files in VOLTA's layout (about 10 GB)"
        )
    for number, (name, (captions, gold)) in enumerate(pictures.items()):
        regions = f30k.read_regions(store, name)
        for phrase in phrases_of(tokenizer, captions, gold, limit):
            yield number, regions, phrase


def inputs_of(tokens: Sequence[Tensor], feature: Sequence[Tensor], box: Sequence[Tensor]) -> Inputs:
    """One batch of captions with their regions, padded."""
    words, mask = padded(tokens), padded([torch.ones(len(own), dtype=torch.bool) for own in box])
    return Inputs(words, words != 0, padded(feature), padded(box), mask)


def gathered(rows: Iterable[tuple], mean: Tensor | None = None) -> Items:
    """Rows of (phrase, features, boxes, regions that show it, target, its label, number of the picture); mean: of regions 1 and on."""
    phrases, feature, box, shows, targets, labels, numbers = zip(*rows, strict=True)
    inputs = inputs_of([phrase.tokens for phrase in phrases], feature, box)
    return Items(
        inputs=inputs,
        phrase=span_mask(torch.tensor([phrase.span for phrase in phrases]), inputs.tokens.shape[1]),
        aligned=padded(shows),
        target=torch.tensor(targets),
        label=torch.stack(labels),
        mean=inputs.feature[:, 1:][inputs.region_mask[:, 1:]].mean(0) if mean is None else mean,
        scene=torch.tensor(numbers),
    )


def flickr_items(
    tokenizer: Any, folder: Path | None = None, *, split: str = "val", most: int | None = None, limit: int = 38
) -> Items:
    """Every phrase of every caption that has a gold box and an aligned region, `most` of them; region 0 shows the whole picture.

    The tokenizer is that of bert-base-uncased, `limit` the wordpieces that the model sees; the folder, as in `flickr30k_entities.load`, has
    `regions.h5` or `regions/` in it. `label` is the detector's distribution, or one column of ones where the features have none; `scene` counts pictures.

    Raises: DataUnavailable on missing files; ValueError on damaged ones, a phrase behind the limit, or no item.
    """
    rows, regions = [], None
    for number, own, phrase in with_regions(tokenizer, folder, split, limit):
        if own is not regions:  # the tensors of a picture are made once
            regions = own
            feature, box = torch.from_numpy(own.features), torch.from_numpy(own.boxes)
            label = torch.ones(len(box), 1) if own.probabilities is None else torch.from_numpy(own.probabilities)
            whole = torch.cat([feature.mean(0, keepdim=True), feature]), torch.cat([WHOLE[None], box])
        show = torch.cat([torch.tensor([False]), aligned(box, phrase.gold)])
        if show.any():
            target = int(iot(box, phrase.gold).max(1).values.argmax())
            rows.append((phrase, *whole, show, target + 1, label[target], number))
        if len(rows) == most:
            break
    if not rows:
        raise ValueError(f"flickr_items: no phrase of split {split} has an aligned region; expected some")
    return gathered(rows)


def without_background(label: Tensor, n_classes: int) -> Tensor:
    """A detector's class distribution (n, C) without its first class, background, where the model has `n_classes` = C - 1; else as it is.

    VOLTA's detector gives 1,601 classes, background first; LXMERT's public head names the 1,600 others in the same order (our reading
    of both codes).

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
