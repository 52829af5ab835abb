"""Worlds of known complementarity: the generator's ends and its guarded loop, averaged digits by simulation."""

import numpy as np
import pytest
import torch

from mmnb.data import complementary
from mmnb.instruments import information


def test_at_alpha_zero_no_side_tells_and_at_one_the_second_follows_from_the_first():
    world = complementary.overlap(2000, 0.0, np.random.default_rng(0))
    assert tuple(world.a.shape) == (2000, 100) and tuple(world.b.shape) == (2000, 50) and 0.3 < world.accepted < 0.6
    for side in (world.a, world.b):  # y flips with either side's sign: no linear direction helps
        assert (side[world.y == 1].mean(0) - side[world.y == 0].mean(0)).abs().max() < 0.08  # 5 sd of a mean difference
    world = complementary.overlap(2000, 1.0, np.random.default_rng(0))
    hidden = torch.linalg.lstsq(world.a, world.b).solution
    directions = world.a @ hidden  # b up to its length is linear in a
    cosine = torch.nn.functional.cosine_similarity(directions, world.b)
    assert cosine.min() > 0.97


def test_same_seed_same_world():
    first, again = (complementary.overlap(50, 0.5, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first.a, again.a) and torch.equal(first.y, again.y)


def test_the_printed_loop_is_caught_at_alpha_one_and_ends_elsewhere():
    with pytest.raises(ValueError, match="the loop would never end"):
        complementary.overlap(100, 1.0, np.random.default_rng(0), redraw="second")
    assert len(complementary.overlap(100, 0.5, np.random.default_rng(0), redraw="second").y) == 100


@pytest.mark.parametrize("std", [0.5, 1.0, 2.0])
def test_the_table_of_averaged_digits_is_what_simulation_gives(std):
    """100,000 draws: a cell of probability p has sd below sqrt(p / n) = .001."""
    rng = np.random.default_rng(0)
    x = rng.integers(10, size=100_000)
    y = (x + np.floor(rng.normal(0, std, size=100_000) + 0.5).astype(int)) % 10
    t = np.floor((x + y) / 2 + 0.5).astype(int)
    found = information.joint_table(x, y, t, sizes=(10, 10, 10))
    assert np.abs(found - complementary.averaged_pairs(std)).max() < 0.005


def test_rounding_halves_to_even_differs_from_up():
    up, even = (complementary.averaged_pairs(1.0, half=h) for h in ("up", "even"))
    assert up[0, 1, 1] > 0 == up[0, 1, 0] and even[0, 1, 0] > 0 == even[0, 1, 1]


def test_drawn_pairs_show_the_digits_of_the_table():
    digit_a, digit_b = torch.arange(40) % 10, (torch.arange(70) * 3) % 10
    of_a, of_b, t = complementary.draw_pairs(digit_a, digit_b, 1.0, 20_000, np.random.default_rng(1))
    x, y = digit_a[of_a].numpy(), digit_b[of_b].numpy()
    assert np.array_equal(t.numpy(), complementary.averaged_label(x, y))
    found = information.joint_table(x, y, t.numpy(), sizes=(10, 10, 10))
    assert np.abs(found - complementary.averaged_pairs(1.0)).max() < 0.01  # 5 sd of the largest cell
    assert len(of_a.unique()) == 40 and len(of_b.unique()) == 70


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: complementary.overlap(10, 1.5, rng), "alpha=1.5"),
        (lambda rng: complementary.overlap(10, 0.5, rng, dim=400, margin=0.9), "after 1,000 rounds"),
        (lambda rng: complementary.averaged_pairs(-1.0), "std=-1.0"),
        (lambda rng: complementary.averaged_pairs(1.0, half="odd"), "half='odd'"),
        (lambda rng: complementary.draw_pairs(torch.arange(9), torch.arange(10), 1.0, 5, rng), "all ten digits"),
    ],
)
def test_errors_say_what_was_given(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
