"""The world of four cards: its table against closed forms, and its examples against its table."""

import math

import numpy as np
import pytest
import torch

from mmnb.data import naming
from mmnb.instruments.information import joint_table, mutual_information


def h(share: float) -> float:
    """Entropy of a coin, nats."""
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_the_table_has_the_entropies_that_the_text_implies():
    p = naming.table()
    assert p.sum((0, 1)) == pytest.approx([0.5, 0.5], rel=0, abs=1e-12)
    assert mutual_information(p, 1, 2) == pytest.approx(math.log(2) - h(naming.HINT), rel=0, abs=1e-12)
    agree = (1 - naming.ERROR) * (1 - naming.HINT) + naming.ERROR * naming.HINT  # adjective and true colour
    sure, unsure = (1 - naming.ERROR) * (1 - naming.HINT) / agree, (1 - naming.ERROR) * naming.HINT / (1 - agree)
    left = agree * h(sure) + (1 - agree) * h(unsure)
    assert mutual_information(p, (0, 1), 2) == pytest.approx(math.log(2) - left, rel=0, abs=1e-12)
    reds = np.array([bin(code).count("1") for code in range(16)])  # the picture alone tells how many are red
    share = naming.ERROR + (1 - 2 * naming.ERROR) * reds / 4
    assert mutual_information(p, 0, 2) == pytest.approx(math.log(2) - np.mean([h(s) for s in share]), rel=0, abs=1e-12)


def test_examples_have_the_frequencies_of_the_table():
    drawn = naming.sample(200_000, seed=1)
    counted = joint_table(drawn.code_a.numpy(), drawn.code_b.numpy(), drawn.label.numpy(), sizes=(16, 8, 2))
    p = naming.table()
    assert np.abs((counted - p) / np.sqrt(p / len(drawn))).max() < 4.5  # 256 cells: P(some beyond 4.5 sd) < 0.002


def test_what_an_example_shows_is_what_its_codes_say():
    drawn = naming.sample(300, seed=2)
    shape = drawn.cards[..., :4].argmax(2)
    assert torch.equal(drawn.cards[..., :4].sum(2), torch.ones(300, 4))
    assert torch.equal(shape.sort(1).values, torch.arange(4).expand(300, 4))  # every shape once
    for k in range(300):
        red = {int(shape[k, place]): int(drawn.cards[k, place, 4] > 0) for place in range(4)}
        assert int(drawn.code_a[k]) == int("".join(str(red[s]) for s in range(4)), 2)
        said = [naming.WORDS[w] for w in drawn.words[k]]
        assert said[1] == naming.SHAPES[int(shape[k, drawn.named[k]])]
        assert said[2] == naming.COLOURS[int(drawn.label[k])]
        assert int(drawn.code_b[k]) == 2 * naming.SHAPES.index(said[1]) + (said[0] == "warm")


def test_the_question_hides_the_colour_word_and_nothing_else():
    drawn = naming.sample(5, seed=3)
    assert (drawn.question[:, 2] == naming.MASK).all()
    assert torch.equal(drawn.question[:, :2], drawn.words[:, :2])
    assert (drawn.words[:, 2] >= naming.BLUE).all()


def test_a_seed_gives_the_same_world_and_another_one_another():
    first, again, other = naming.sample(50, 7), naming.sample(50, 7), naming.sample(50, 8)
    assert torch.equal(first.cards, again.cards)
    assert torch.equal(first.words, again.words)
    assert not torch.equal(first.cards, other.cards)


def test_no_examples_is_an_error():
    with pytest.raises(ValueError, match="got n=0"):
        naming.sample(0, 1)
