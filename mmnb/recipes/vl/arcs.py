"""Dependency arcs of scenes as questions about regions, and the best answer that one word and the picture allow."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmnb.data.scenes import ARCS, COLOURS, SHAPES, SIZES, TRANSITIVE, Regions, Scenes
from mmnb.data.scenes.vocabulary import RELATIONS
from mmnb.instruments.grounding import Arcs, grounded_arcs


@dataclass(frozen=True)
class ArcItems:
    """One question per arc with a grounded end, as `grounding.grounded_arcs` lists them; region 0 is the whole picture."""

    arcs: Arcs
    match: Tensor  # (n, R) bool, the regions that show the grounded end
    present: Tensor  # (n, R) bool, the regions of objects
    by_word: Tensor  # (n, R) bool, the regions that the word asked makes most probable, by its meaning alone

    def __len__(self) -> int:
        return len(self.match)


def arc_items(world: Scenes, regions: Regions) -> ArcItems:
    """Every arc of the captions with a grounded end.

    `by_word` is exact. A region is as probable as there are ways to make the word true with it as the answer: "red" fits every red region;
    "circle" asked about *another* noun fits every region beside which there is a circle; "overlooks", asked for its subject, fits a region as often
    as there are objects in lower rows. A head that picks one of the most probable regions at random is right with `random_accuracy(match, by_word)`.
    """
    last = torch.full(world.tokens.shape, -1)
    for number in range(world.phrase.shape[1]):
        told = (world.phrase[:, number, 2] >= 0).nonzero().squeeze(1)
        last[told, world.phrase[told, number, 1] - 1] = number
    arcs = grounded_arcs(world.head, world.arc, last)
    thing = world.phrase[arcs.item, arcs.phrase, 2]
    front = torch.zeros(len(thing), 1, dtype=torch.bool)
    match = torch.cat([front, regions.thing[arcs.item] == thing[:, None]], 1)
    present = torch.cat([front, regions.mask[arcs.item]], 1)
    ways = torch.cat([torch.zeros(len(thing), 1), _ways(world, regions, arcs)], 1).masked_fill(~present, -1)
    return ArcItems(arcs, match, present, present & (ways == ways.max(1, keepdim=True).values))


def _ways(world: Scenes, regions: Regions, arcs: Arcs) -> Tensor:
    """(n, R): in how many ways each region can be the answer, given the word asked and the objects of the picture."""
    words = [world.words[token] for token in world.tokens[arcs.item, arcs.query].tolist()]
    thing = regions.thing[arcs.item].clamp(min=0)
    shown = {name: getattr(world, name)[arcs.item].gather(1, thing) for name in ("shape", "colour", "size", "cell")}
    there = regions.thing[arcs.item] >= 0
    row = shown["cell"] // 3
    before = (row[:, None] > row[:, :, None]) & there[:, None]  # [i, r, s]: r lies in a higher row than s
    after, beside = (
        (row[:, None] < row[:, :, None]) & there[:, None],
        (row[:, None] == row[:, :, None]) & there[:, None],
    )
    pairs = [part.sum(2).float() for part in (before, after, beside)]
    ways = torch.ones(thing.shape)
    for i, (word, relation) in enumerate(zip(words, arcs.relation.tolist(), strict=True)):
        for name, names in (("shape", SHAPES), ("colour", COLOURS), ("size", SIZES)):
            if word in names:
                fits = (shown[name][i] == names.index(word)) & there[i]
                ways[i] = fits.float() if relation != ARCS.index("conj") else fits.sum() - fits.float()
        if word in (*RELATIONS, *TRANSITIVE):
            number = RELATIONS.index(word) if word in RELATIONS else TRANSITIVE.index(word)
            of_subject = relation == ARCS.index("nsubj")
            ways[i] = pairs[number if of_subject or number == 2 else 1 - number][i] - int(
                number == 2
            )  # not beside itself
    return ways
