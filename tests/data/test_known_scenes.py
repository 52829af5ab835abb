"""Scenes with known information: tables by hand and by brute force, drawn facts read back from pixels and words, nothing leaking beside them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmnb import complementarity as cm
from mmnb.data import scenes
from mmnb.data.scenes import known
from mmnb.data.scenes.pictures import render
from mmnb.data.scenes.vocabulary import RGB
from mmnb.instruments import information

LOG2, LOG4 = math.log(2), math.log(4)
SAID = (
    LOG4 + 0.7 * math.log(0.7) + 0.3 * math.log(0.1)
)  # I of a colour and a report that is right in 7 of 10 cases, else one of three
ATOMS = {  # redundancy, unique to the picture, unique to the text, synergy; by hand
    "colour, told right": (LOG4, 0, 0, 0),
    "colour shown": (0, LOG4, 0, 0),
    "colour told": (0, 0, LOG4, 0),
    "caption right?": (0, 0, 0, LOG2),
    "colour, often told": (SAID, LOG4 - SAID, 0, 0),
    "both warm?": (0.2157615, 0, 0, LOG2 / 2),  # the AND of two fair bits
    "shape, and right?": (SAID, LOG4 - SAID, 0, LOG2),  # two independent questions at once: their atoms add up
}


def test_every_question_has_hand_values():
    assert set(ATOMS) == set(known.QUESTIONS)


@pytest.mark.parametrize("name", ATOMS)
def test_tables_have_their_atoms(name):
    """The solver is exact to about 1e-6."""
    table = known.QUESTIONS[name].table()
    found = information.pid(table)
    assert (
        np.abs(np.subtract((found.redundancy, found.unique_a, found.unique_b, found.synergy), ATOMS[name])).max() < 1e-6
    )
    r, u_a, u_b, s = ATOMS[name]
    assert abs(cm.from_table(table).metric - (u_a + u_b + 2 * s) / (r + u_a + u_b + s)) < 1e-6


@pytest.mark.parametrize("name", ATOMS)
def test_tables_equal_a_count_over_all_facts(name):
    question = known.QUESTIONS[name]
    counted = np.zeros((16, 16, len(question.answers)))
    for s, c, t, d in itertools.product(range(4), repeat=4):
        p = 1 / 16
        for right, same in ((question.right_shape, s == t), (question.right_colour, c == d)):
            p *= right if same else (1 - right) / 3
        counted[4 * s + c, 4 * t + d, question.answers.index(question.rule(s, c, t, d))] += p
    assert np.abs(question.table() - counted).max() < 1e-12


def test_drawn_facts_follow_the_table():
    """8,000 draws: a cell's sd is below sqrt(.032 / 8000) = .002."""
    world = known.draw(known.QUESTIONS["shape, and right?"], 8000, seed=4)
    found = information.joint_table(*(v.numpy() for v in (world.shown, world.told, world.label)), sizes=(16, 16, 8))
    assert np.abs(found - world.question.table()).max() < 0.01


def read_picture(region):
    """Class of the object in a cut-out, by comparison with clean drawings: independent of how the world drew it."""
    side = region.shape[-1]
    x, y = torch.meshgrid(*[(torch.arange(side) + 0.5) / side * 2 - 1] * 2, indexing="xy")
    inside = [
        x**2 + y**2 < 1,
        torch.ones_like(x, dtype=torch.bool),
        y > 2 * x.abs() - 1,
        (x.abs() < 0.35) | (y.abs() < 0.35),
    ]
    best = None
    for shape, colour in itertools.product(range(4), range(4)):
        ink = torch.tensor(RGB[scenes.COLOURS[colour]], dtype=torch.float32)[:, None, None]
        clean = torch.where(inside[shape], ink, torch.tensor(232.0))
        off = (region - clean).square().mean().item()
        best = min(best or (off, 0), (off, 4 * shape + colour))
    return best[1]


def test_pixels_show_what_is_shown_and_words_tell_what_is_told():
    world = known.draw(known.QUESTIONS["caption right?"], 200, seed=1, objects=5)
    regions = known.largest_region(render(world.scenes, side=96), side=16)
    assert [read_picture(region) for region in regions] == world.shown.tolist()
    for i in range(200):
        words = world.scenes.caption(i).split()
        assert words[:2] == ["a", "large"] and len(words) == 6
        assert 4 * scenes.SHAPES.index(words[3]) + scenes.COLOURS.index(words[2]) == world.told[i]
        assert (world.scenes.size[i] == known.LARGE).sum() == 1 and world.scenes.shape[i].min() >= 0
    assert 0.35 < (world.label == world.question.answers.index("yes")).double().mean() < 0.65
    assert (world.told != world.shown).any()


def test_nothing_beside_the_facts_tells_the_answer():
    """Cell of the large object and class of a small one against shown, told and answer: 4,000 rows, the bias-corrected information is 0 within .02."""
    world = known.draw(known.QUESTIONS["colour, often told"], 4000, seed=2)
    facts = np.stack([world.shown % 4, world.told % 4, world.label], 1)
    for other in (world.scenes.cell[:, 0], world.scenes.identity[:, 1], world.scenes.tokens[:, 6]):
        assert abs(information.mi(other.numpy(), (facts[:, 0], facts[:, 1], facts[:, 2]), method="table").value) < 0.02


def test_same_seed_same_world_and_boxes_fit_the_sizes():
    first, again, other = (known.draw(known.QUESTIONS["both warm?"], 30, seed=s) for s in (5, 5, 6))
    assert torch.equal(first.label, again.label) and torch.equal(first.scenes.tokens, again.scenes.tokens)
    assert not torch.equal(first.shown, other.shown)
    width = first.scenes.box[..., 2] - first.scenes.box[..., 0]
    assert (width[:, 0] > width[:, 1:].max(1).values).all()


def test_a_classifier_on_regions_and_words_finds_the_metric():
    """1,200 scenes; on other seeds within .05 of 2. A classifier that sees one side only would say 0 or 1, or have no information."""
    world = known.draw(known.QUESTIONS["caption right?"], 1200, seed=3)
    a, b = world.features()
    found = cm.from_classifiers(a, b, world.label, information.mlp((64,), epochs=20, learning_rate=1e-2), folds=3)
    assert abs(found.metric - 2) < 0.15 and abs(found.information - LOG2) < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda q: known.draw(q, 0, seed=0), "got n=0"),
        (lambda q: known.draw(q, 3, seed=0, objects=2), r"objects=\(2, 2\)"),
        (lambda q: replace(q, right_colour=1.2).table(), "right_colour=1.2"),
        (lambda q: known.largest_region(torch.zeros(1, 3, 8, 8)), "torch.float32"),
        (lambda q: known.largest_region(torch.full((2, 3, 8, 8), 232, dtype=torch.uint8)), "nothing but ground"),
    ],
)
def test_errors_say_what_was_given(call, message):
    with pytest.raises(ValueError, match=message):
        call(known.QUESTIONS["colour shown"])
