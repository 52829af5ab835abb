"""OGR and Gradient-Blending weights: hand-made curves, brute force over the variance they minimise, decided edge cases, uneven batches."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from mmnb import blending
from mmnb.instruments.blending import Losses
from mmnb.recipes import late

START = Losses(2.0, 2.1)
POINTS = {"m1": (START, Losses(1.0, 1.5)), "m2": (START, Losses(0.2, 1.8)), "joint": (START, Losses(0.5, 1.4))}


def test_hand_made_curves():
    found = {name: blending.ogr(*pair) for name, pair in POINTS.items()}
    assert [round(found[name].overfitting, 9) for name in POINTS] == [0.4, 1.5, 0.8]
    assert [round(found[name].generalising, 9) for name in POINTS] == [0.6, 0.3, 0.7]
    assert [found[name].ratio for name in POINTS] == pytest.approx([2 / 3, 5.0, 8 / 7], rel=1e-9)
    assert tuple(found["m2"]) == (found["m2"].overfitting, found["m2"].generalising, found["m2"].value)
    weights = blending.weights(POINTS)
    assert list(weights.values()) == pytest.approx([0.7535, 0.0268, 0.2198], rel=0, abs=5e-5)
    assert abs(sum(weights.values()) - 1) < 1e-9
    raw = np.array([0.6 / 0.16, 0.3 / 2.25, 0.7 / 0.64])
    assert list(weights.values()) == pytest.approx(list(raw / raw.sum()), rel=1e-9)


def test_who_got_worse_gets_nothing():
    worse = POINTS | {"m2": (START, Losses(0.2, 2.3))}
    weights = blending.weights(worse)
    assert list(weights.values()) == pytest.approx([0.7742, 0.0, 0.2258], rel=0, abs=5e-5)
    assert weights["m2"] == 0.0
    assert blending.ogr(*worse["m2"]).ratio == math.inf
    assert blending.ogr(START, Losses(2.0, 2.1)) == blending.Ogr(0.0, 0.0, 0.0)  # nothing happened


def test_no_overfitting_at_all_is_bounded_by_the_floor():
    points = {"m1": (START, Losses(1.0, 1.1)), "m2": (START, Losses(1.0, 1.5))}
    weights = blending.weights(points, floor=0.1)
    assert weights["m1"] / weights["m2"] == pytest.approx((1.0 / 0.01) / (0.6 / 0.16), rel=1e-6)
    assert all(math.isfinite(w) for w in blending.weights(points).values())
    negative = {"m1": (START, Losses(1.5, 1.2)), "m2": (START, Losses(0.8, 1.3))}  # dO = -0.4 and 0.4
    assert blending.weights(negative)["m1"] / blending.weights(negative)["m2"] == pytest.approx(0.9 / 0.8, rel=1e-9)


def test_only_differences_of_losses_count():
    """Losses of densities (Gaussian likelihood, ELBO) may be negative."""
    one, two = blending.ogr(Losses(2.0, 2.5), Losses(1.0, 1.75)), blending.ogr(Losses(-3.0, -2.5), Losses(-4.0, -3.25))
    assert one == two == blending.Ogr(0.25, 0.75, 1 / 3)


@pytest.mark.parametrize(
    ("points", "options", "words"),
    [
        ({}, {}, "got 0 points"),
        (POINTS, {"floor": 0.0}, "floor=0.0"),
        ({"m1": (START, Losses(1.0, 2.1)), "m2": (START, Losses(1.0, 3.0))}, {}, "nothing generalised"),
        ({"m1": (START, Losses(math.nan, 2.0))}, {}, "expected two finite losses"),
        ({"m1": (Losses(-math.inf, 2.0), START)}, {}, "before=.*expected two finite losses"),
        (POINTS, {"floor": math.inf}, "floor=inf"),
    ],
)
def test_what_has_no_answer_is_an_error(points, options, words):
    with pytest.raises(ValueError, match=words):
        blending.weights(points, **options)


def test_the_weights_minimise_the_expected_squared_ratio():
    """Proposition 1 by brute force: estimates with independent overfitting terms of variance s_k^2 and fixed generalising terms g_k; the
    expectation of (sum w_k e_k / sum w_k g_k)^2 is sum w_k^2 s_k^2 / (sum w_k g_k)^2. No other weights on a fine grid do better."""
    g, s = np.array([0.6, 0.3, 0.7]), np.array([0.4, 1.5, 0.8])
    grid = np.array([(i, j, 200 - i - j) for i in range(201) for j in range(201 - i)]) / 200
    value = ((grid**2) @ s**2) / (grid @ g) ** 2
    best = grid[value.argmin()]
    weights = np.array(list(blending.weights(POINTS).values()))
    assert np.abs(best - weights).max() < 0.006  # the grid's step is 0.005
    assert (weights**2 @ s**2) / (weights @ g) ** 2 <= value.min() + 1e-12


def test_points_from_curves():
    curves = {
        "m1": {"train": [2.0, 1.5, 1.0], "held_out": [2.1, 1.7, 1.5]},
        "joint": {"train": [2.0, 1.0, 0.5], "held_out": [2.1, 1.6, 1.4]},
    }
    points = blending.from_curves(curves)
    assert points["m1"] == POINTS["m1"] and points["joint"] == POINTS["joint"]
    assert blending.from_curves(curves, first=1, last=2)["m1"] == (Losses(1.5, 1.7), Losses(1.0, 1.5))
    for wrong in (
        {"m1": {"train": [1.0]}},
        {"m1": {"train": [1.0], "held_out": [1.0, 2.0]}},
        {"m1": {"train": [], "held_out": []}},
    ):
        with pytest.raises(ValueError, match="from_curves: m1"):
            blending.from_curves(wrong)


# in training
def world(n=60, seed=0):
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=draw)
    inputs = {m: torch.nn.functional.one_hot(label, 3) + torch.randn(n, 3, generator=draw) for m in "ab"}
    return inputs, label


def model(seed=0):
    torch.manual_seed(seed)
    encoders = {m: nn.Sequential(nn.Linear(3, 8), nn.ReLU()) for m in "ab"}
    return late.LateModel(encoders, late.Concat([8, 8], 3), {m: nn.Linear(8, 3) for m in "ab"}).eval()


def cut(inputs, label, borders):
    return [
        ({m: x[i:j] for m, x in inputs.items()}, label[i:j])
        for i, j in zip([0, *borders], [*borders, len(label)], strict=True)
    ]


def test_uneven_batches_change_nothing():
    """float64 sums of 60 losses: rounding below 1e-12."""
    net, (inputs, label) = model(), world()
    one = late.mean_losses(net, cut(inputs, label, []))
    for borders in ([1], [7, 50], [30], list(range(1, 60))):
        assert late.mean_losses(net, cut(inputs, label, borders)) == pytest.approx(one, rel=0, abs=1e-6)
    by_hand = torch.nn.functional.cross_entropy(net.heads["a"](net.encoders["a"](inputs["a"])), label)
    assert one["a"] == pytest.approx(by_hand.item(), rel=1e-5) and set(one) == {"joint", "a", "b"}
    with pytest.raises(ValueError, match="train mode"):
        late.mean_losses(model().train(), cut(inputs, label, []))
    with pytest.raises(ValueError, match="no example"):
        late.mean_losses(net, [])


def test_estimate_trains_copies_and_looks_before_and_after():
    net, (inputs, label) = model(), world()
    kept = copy.deepcopy(net.state_dict())
    batches, held_out = late.shuffled(inputs, label, 20), lambda: cut(*world(seed=1), [])
    points = late.estimate(net, batches, held_out, 5, progress=False)
    assert list(points) == ["a", "b", "joint"]
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in kept.items())
    alone = model()
    late.fit(alone, batches, late.Unimodal(), epochs=5, progress=False)
    assert points["b"][1].held_out == pytest.approx(late.mean_losses(alone, held_out())["b"], rel=1e-9)
    assert points["b"][0].train == pytest.approx(late.mean_losses(net, batches(0))["b"], rel=1e-9)


def test_online_is_offline_when_there_is_one_super_epoch():
    inputs, label = world()
    batches, held_out = late.shuffled(inputs, label, 20), lambda: cut(*world(seed=1), [])
    online = model()
    used = late.fit_online(online, batches, held_out, super_epochs=[6], progress=False)
    expected = blending.weights(late.estimate(model(), batches, held_out, 6, progress=False))
    assert used == [expected]
    offline = model()
    late.fit(offline, batches, late.GradientBlending(expected), epochs=6, progress=False)
    assert all(torch.equal(value, online.state_dict()[name]) for name, value in offline.state_dict().items())
    two = late.fit_online(model(), batches, held_out, super_epochs=[3, 3], progress=False)
    assert len(two) == 2 and two[0] != two[1] and all(abs(sum(w.values()) - 1) < 1e-9 for w in two)
    with pytest.raises(ValueError, match="super_epochs=\\[\\]"):
        late.fit_online(model(), batches, held_out, super_epochs=[])
