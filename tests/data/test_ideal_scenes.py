"""The ideal observer of scenes: costs known by hand, the posterior by brute force, calibration, and what it refuses."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from mmnb.data import scenes
from mmnb.data.scenes import Detector, Knobs
from mmnb.data.scenes.ideal import Ideal
from mmnb.instruments import ablation
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items

CONDITIONS = ["none", "aligned", "all"]


def measured(kind, n=200, **options):
    """Bits of the ideal observer and of the first trained model of a kind, on words and on regions."""
    entry = zoo.entry(f"{kind}-0")
    own = items(*entry.world(n, seed=55))
    both = []
    for predict in (Ideal(entry.knobs, entry.detector, own.mean).predict, zoo.load(f"{kind}-0").predict):
        given = predict, own.inputs, own.phrase, own.aligned
        common = {"mask_id": scenes.MASK, "global_index": 0, "conditions": CONDITIONS}
        words = ablation.vision_for_language(*given, mean=own.mean, **common | options)
        regions = ablation.language_for_vision(*given, own.target, own.label, special=range(4), **common)
        both.append({"words": words, "regions": regions})
    return both


def test_costs_by_hand():
    ideal, _ = measured("visualbert")
    assert ideal["words"]["none"].max() < 1e-6
    assert ideal["words"]["all"].tolist() == pytest.approx(
        [1.0] * 200, abs=1e-6
    )  # boxes tell sizes: (0 + 0 + 2 + 2) / 4
    dropped, _ = measured("visualbert", replacement="drop")
    assert dropped["words"]["all"].tolist() == pytest.approx([1.25] * 200, abs=1e-6)  # (0 + 1 + 2 + 2) / 4
    assert ideal["regions"]["none"].mean() < 0.01  # nobody knows how soft a distribution is
    rest = 0.1 / 17  # of every class; the right one has 0.9 more, and a guess 0.9 / 16 more for each of 16
    guess = rest + 0.9 / 16
    by_hand = (0.9 + rest) * math.log2((0.9 + rest) / guess) + 15 * rest * math.log2(rest / guess)
    assert ideal["regions"]["all"].mean() == pytest.approx(
        by_hand, abs=0.03
    )  # softness varies: 0.15 / sqrt(200), three times


@pytest.mark.parametrize("kind", ["visualbert", "parts", "theme", "confused", "unreadable", "sparse"])
def test_no_trained_model_is_better(kind):
    """By more than three standard errors of the paired difference."""
    ideal, trained = measured(kind)
    for side, condition in itertools.product(("words", "regions"), CONDITIONS):
        gain = ideal[side][condition] - trained[side][condition]
        assert gain.mean() < 3 * gain.std() / len(gain) ** 0.5 + 1e-6


def test_the_posterior_is_the_one_of_brute_force():
    """Three objects, their evidence drawn at random: summed over all themes and all identities."""
    theme, n = 0.7, 16
    evidence = torch.zeros(1, 9, n, 2, dtype=torch.float64)
    evidence[0, [0, 4, 7]] = 2 * torch.randn(3, n, 2, generator=torch.Generator().manual_seed(0)).double()
    found = Ideal(Knobs(theme=theme, sized=1.0), Detector(), torch.zeros(62))._posterior(evidence)
    of_class = evidence[0].exp().sum(-1)
    prior = theme * torch.eye(n, dtype=torch.float64) + (1 - theme) / n  # (theme, class)
    joint = torch.zeros(n, n, n, dtype=torch.float64)
    for t in range(n):
        one, two, three = (prior[t] * of_class[cell] for cell in (0, 4, 7))
        joint += one[:, None, None] * two[:, None] * three
    joint /= joint.sum()
    for cell, others in ((0, (1, 2)), (4, (0, 2)), (7, (0, 1))):
        torch.testing.assert_close(found[0, cell].sum(-1), joint.sum(others), rtol=0, atol=1e-12)
    size = evidence[0, 0].softmax(-1)
    torch.testing.assert_close(found[0, 0] / found[0, 0].sum(-1, keepdim=True), size, rtol=0, atol=1e-12)


def test_it_is_calibrated_where_features_are_noisy():
    """Its probability of the right colour is, on average, how often its best guess is right."""
    entry = replace(zoo.entry("theme-0"), detector=Detector(noise=2.0))
    own = items(*entry.world(1500, seed=56))
    masked = torch.where(own.phrase, scenes.MASK, own.inputs.tokens)
    words, _ = Ideal(entry.knobs, entry.detector, own.mean).predict(masked, *own.inputs[1:])
    right, best = own.inputs.tokens[:, 3], words[:, 3].softmax(-1).max(-1)
    hits = (best.indices == right).double()
    assert 0.4 < hits.mean() < 0.95
    gain = hits - best.values
    assert gain.mean().abs() < 3.3 * gain.std() / len(hits) ** 0.5  # false alarm: one in a thousand


def test_the_old_mean_tells_the_hidden_region():
    entry = zoo.entry("visualbert-0")
    own = items(*entry.world(100, seed=57))
    bits = {}
    for old in (True, False):
        predict = Ideal(entry.knobs, entry.detector, own.mean, old_mean=old).predict
        given = predict, own.inputs, own.phrase, own.aligned, own.target, own.label
        options = {"mask_id": scenes.MASK, "special": range(4), "global_index": 0, "conditions": ["all"]}
        bits[old] = ablation.language_for_vision(*given, recompute=not old, **options)["all"].mean()
    assert bits[True] < 0.02 and bits[False] > 3


@pytest.mark.parametrize(
    ("knobs", "detector"),
    [
        (Knobs(sized=0.5), Detector()),
        (Knobs(sized=1.0, wrong=0.1), Detector()),
        (Knobs(sized=1.0, mentions=4), Detector()),
        (Knobs(sized=1.0), Detector(jitter=0.1)),
        (Knobs(sized=1.0), Detector(background=2)),
    ],
)
def test_what_is_not_worked_out_is_refused(knobs, detector):
    with pytest.raises(ValueError, match="Ideal: got"):
        Ideal(knobs, detector, torch.zeros(62))
