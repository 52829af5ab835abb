"""Pairs refuse rows that point nowhere and splits that overlap."""

import dataclasses

import pytest
import torch

from mmnb.data import easyvqa, glyphs
from mmnb.data.pairs import Pairs


@pytest.fixture
def pairs():
    rows = torch.arange(6)
    return Pairs(torch.eye(3), torch.eye(2), rows % 3, rows % 2, rows % 2, ("no", "yes"), rows[:2], rows[2:4], rows[4:])


def test_items_are_looked_up(pairs):
    a, b = pairs.items(torch.tensor([5, 0]))
    assert a.argmax(1).tolist() == [2, 0]
    assert b.argmax(1).tolist() == [1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"of_a": torch.arange(6)},
        {"of_b": torch.tensor([0])},
        {"label": torch.full((6,), 2)},
        {"test": torch.tensor([0])},
        {"test": torch.tensor([6])},
    ],
)
def test_refuses_rows_that_point_nowhere_or_twice(pairs, change):
    with pytest.raises(ValueError, match="Pairs: "):
        dataclasses.replace(pairs, **change)


def test_one_per_item_takes_each_item_once_and_any_of_its_pairs(pairs):
    rows, chosen = torch.arange(6), set()
    for seed in range(30):
        taken = pairs.one_per_item(rows, pairs.of_a, torch.Generator().manual_seed(seed))
        assert sorted(pairs.of_a[taken].tolist()) == [0, 1, 2]
        chosen |= set(taken.tolist())
    assert chosen == set(range(6))


def test_easy_vqa_pairs_keep_questions_with_their_pictures():
    world = easyvqa.load()
    pairs = world.pairs(images=(40, 10, 20))
    questions = (world.train, world.validation, world.test)
    text = [text for part in questions for text in part.text]
    for rows, part, n in zip((pairs.train, pairs.validation, pairs.test), questions, (40, 10, 20), strict=True):
        assert pairs.of_a[rows].unique().tolist() == list(range(int(part.image.min()), int(part.image.min()) + n))
    for k in pairs.test[:50].tolist():
        assert world.sentence(pairs.b[pairs.of_b[k]]) == " ".join(easyvqa.words(text[k]))
    assert len(world.pairs().train) == len(world.train)
    with pytest.raises(ValueError, match="expected three numbers"):
        world.pairs(images=(40, 10, 2000))


def test_glyph_pairs_take_words_out_and_keep_characters_apart():
    world = glyphs.load()
    pairs = world.pairs("script", without=world.scripts, faces=["DejaVuSans", "DejaVuSerif"])
    assert "COMMON" not in pairs.classes
    script = {world.names[c].split()[0] for c in pairs.of_b.unique().tolist()}
    assert script == set(pairs.classes)
    left = {world.vocabulary[token] for token in pairs.b.unique().tolist()}
    assert not left & set(pairs.classes)
    by_split = [set(pairs.of_b[rows].tolist()) for rows in (pairs.train, pairs.validation, pairs.test)]
    assert all(by_split)
    assert not (by_split[0] & by_split[1] or by_split[0] & by_split[2] or by_split[1] & by_split[2])
    few = world.pairs("category", without=[], faces=["DejaVuSans"], characters=torch.arange(500))
    assert int(few.of_b.max()) < 500
    for wrong in ({"target": "colour"}, {"faces": ["Arial"]}, {"at_least": 10**6}):
        with pytest.raises(ValueError, match=r"Glyphs\.pairs"):
            world.pairs(**({"target": "script", "without": [], "faces": ["DejaVuSans"]} | wrong))
