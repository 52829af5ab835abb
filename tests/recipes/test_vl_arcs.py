"""Arcs as questions about regions, and what the asked word alone tells: against counting over many captions."""

from collections import Counter

import pytest
import torch

from mmnb.data import scenes
from mmnb.data.scenes import ARCS
from mmnb.instruments import grounding
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.arcs import arc_items

RELATIONS = ("det", "amod", "nsubj", "prep", "pobj", "cc", "conj", "dobj")


@pytest.fixture(scope="module")
def asked():
    world, regions = zoo.entry("syntax-0").world(400, seed=11)
    return world, regions, arc_items(world, regions)


def test_every_relation_is_asked_and_conj_in_both_directions(asked):
    _, _, found = asked
    ways = Counter(zip(found.arcs.relation.tolist(), found.arcs.downwards.tolist(), strict=True))
    assert {ARCS[relation] for relation, _ in ways} == set(RELATIONS)
    joined = [ways[ARCS.index(relation), True] for relation in ("pobj", "dobj", "conj")]
    assert sum(joined) == 400 and min(joined) > 50  # one of the three in each caption
    assert ways[ARCS.index("conj"), False] == joined[2]  # either noun may be asked for the other
    assert not ways[ARCS.index("dobj"), False]  # a verb has no region


def test_the_answer_is_the_region_of_the_grounded_end_and_fits_the_word(asked):
    world, regions, found = asked
    assert (found.match.sum(1) == 1).all() and (found.match <= found.present).all() and found.by_word.any(1).all()
    for i in range(0, len(found), 97):
        item, word = int(found.arcs.item[i]), world.words[world.tokens[found.arcs.item[i], found.arcs.query[i]]]
        thing = int(regions.thing[item, found.match[i, 1:].nonzero().item()])
        if word in scenes.COLOURS:
            assert scenes.COLOURS[world.colour[item, thing]] == word
            same = (world.colour[item] == scenes.COLOURS.index(word)).sum()
            assert found.by_word[i].sum() == same and (found.match[i] <= found.by_word[i]).all()


@pytest.mark.parametrize(
    ("relation", "down", "template"),
    [("nsubj", True, 1), ("dobj", True, 1), ("pobj", True, 0), ("conj", False, 2)],
)
def test_no_rule_that_knows_word_and_picture_is_better(relation, down, template):
    """Counting: over captions drawn again and again for the same pictures, the regions named most often are those of `by_word`."""
    base = scenes.make(6, scenes.Knobs(objects=(4, 4)), seed=5)
    regions = scenes.detect(base, seed=5)
    named: dict[tuple[int, str], Counter] = {}
    claimed: dict[tuple[int, str], set[int]] = {}
    for seed in range(150):
        world = scenes.recaption(base, seed=seed, templates=tuple(float(k == template) for k in range(3)))
        found = arc_items(world, regions)
        keep = (found.arcs.relation == ARCS.index(relation)) & (found.arcs.downwards == down)
        for i in keep.nonzero().squeeze(1).tolist():
            key = (int(found.arcs.item[i]), world.words[world.tokens[found.arcs.item[i], found.arcs.query[i]]])
            named.setdefault(key, Counter())[int(found.match[i].nonzero())] += 1
            claimed[key] = set(found.by_word[i].nonzero().squeeze(1).tolist())
    checked = 0
    for key, counts in named.items():
        n, best = counts.total(), counts.most_common(1)[0][1]
        if n < 25:
            continue
        mean = sum(counts[r] for r in claimed[key]) / len(claimed[key])
        assert mean >= best - 3.5 * best**0.5, (key, counts, claimed[key])
        checked += 1
    assert checked >= 6


def test_word_alone_for_colours_is_the_share_by_hand(asked):
    found = asked[2]
    keep = found.arcs.relation == ARCS.index("amod")
    by_word = grounding.random_accuracy(found.match[keep], found.by_word[keep])
    assert grounding.random_accuracy(found.match[keep], found.present[keep]) + 0.1 < by_word < 0.7
    det = found.arcs.relation == ARCS.index("det")
    assert torch.equal(found.by_word[det], found.present[det])  # "a" says nothing
