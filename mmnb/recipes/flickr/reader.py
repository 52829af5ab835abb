"""Flickr30k Entities phrase by phrase, for whatever model comes after."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmnb import paths
from mmnb.data import flickr30k_entities as f30k
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import Inputs, phrase_span


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


padded = partial(pad_sequence, batch_first=True)  # rows of different lengths as one tensor, zeros at their ends


def inputs_of(tokens: Sequence[Tensor], feature: Sequence[Tensor], box: Sequence[Tensor]) -> Inputs:
    """One batch of captions with their regions, padded."""
    words, mask = padded(tokens), padded([torch.ones(len(own), dtype=torch.bool) for own in box])
    return Inputs(words, words != 0, padded(feature), padded(box), mask)
