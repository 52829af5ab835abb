"""Notebook 03: what an ideal head, a head that knows one word only, and trainings of known shape give, against data/claims and its rules."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from mmnb.instruments import grounding
from mmnb.instruments.estimate import mean_interval
from mmnb.lab import claims
from mmnb.recipes.vl import curves as vl_curves
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.arcs import arc_items

KNOWN = claims.load("03_visualbert_grounding")
OBJECTS = range(3, 7)  # of a scene, each number equally often


def alone(share):
    """Accuracy of a random region among those that agree in something shared with this probability: E[1 / (1 + Binomial(m - 1, share))]."""
    return np.mean([(1 - (1 - share) ** m) / (m * share) for m in OBJECTS])


def judged(name, value, ci=None, n=6):
    """The verdict of a claim on a number, with enough models behind it."""
    return claims.judge(KNOWN[f"grounding.{name}"], {"value": value, "ci": ci or (value, value), "n": n}, "laptop")[0]


def ideal(name):
    return KNOWN[f"grounding.{name}"].ideal


@pytest.fixture(scope="module")
def asked():
    world, regions = zoo.entry("syntax-0").world(1500, seed=21)
    return world, regions, arc_items(world, regions)


def test_the_noun_alone_is_the_closed_form_and_the_rule_asks_for_more():
    world, regions = zoo.entry("visualbert-0").world(4000, seed=9)
    own = world.phrase[:, 0, 2]
    shapes = world.shape.gather(1, regions.thing.clamp(min=0))
    match = (regions.thing == own[:, None]) & regions.mask
    fits = regions.mask & (shapes == world.shape.gather(1, own[:, None]))
    assert grounding.random_accuracy(match, fits) == pytest.approx(
        alone(1 / 4), abs=0.02
    )  # four standard errors: .32 / sqrt(4000)
    assert ideal("best-head").value == pytest.approx(1 - alone(1 / 4), abs=0.01)
    draw, scores = torch.Generator().manual_seed(0), []
    for _ in range(6):  # six heads that know the noun and nothing else
        pick = torch.rand(fits.shape, generator=draw).masked_fill(~fits, -1).argmax(1)
        scores.append(
            float(match[torch.arange(len(match)), pick].double().mean()) - grounding.random_accuracy(match, fits)
        )
    null = mean_interval(scores, over="models")
    assert judged("best-head", null.value, null.interval) != "reproduced"
    assert judged("best-head", 1 - alone(1 / 4)) == "reproduced"
    for words in (1 / 4, 1 / 32):  # the noun, the whole phrase
        assert judged("best-head", alone(words) - alone(1 / 4), n=2) == "undecided"  # two models decide nothing


def test_where_several_fit_the_phrase_a_coin_is_about_one_half():
    share = 1 / 32
    several = [(m, k) for m in OBJECTS for k in range(1, m)]
    weight = np.array([np.prod([m - 1 - j for j in range(k)]) / np.prod(range(1, k + 1)) * share**k * (1 - share) ** (m - 1 - k) for m, k in several])  # fmt: skip
    coin = float(weight @ [1 / (1 + k) for _, k in several] / weight.sum())
    assert ideal("place").value == pytest.approx(1 - coin, abs=0.02)


def test_the_word_alone_at_its_strongest(asked):
    _, _, found = asked
    best = []
    for relation in found.arcs.relation.unique():
        for down in (True, False):
            keep = (found.arcs.relation == relation) & (found.arcs.downwards == down)
            if keep.any():
                best.append(grounding.random_accuracy(found.match[keep], found.by_word[keep]))
    assert max(best) < 0.7  # an ideal head stands at least .3 above the word alone along every relation
    assert ideal("syntax").value <= 1 - max(best) + 0.2
    assert judged("syntax", 1 - max(best)) == "reproduced" and judged("syntax", 0.0) != "reproduced"


def test_suddenness_of_curves_of_known_shape(notebook_code):
    suddenness = notebook_code("03_visualbert_grounding", ())["suddenness"]
    t = np.linspace(0, 1, 61)
    shapes = {"step": t >= 0.6, "steady": t, "saturating": 1 - np.exp(-4 * t)}
    score = {
        name: suddenness([{"heads": [0.25 + 0.75 * float(h)]} for h in heights]) for name, heights in shapes.items()
    }
    assert score["step"] == pytest.approx(1.0, abs=1e-9) and score["steady"] == pytest.approx(0.25, abs=0.02)
    assert score["saturating"] < 0.25  # it has risen before the first third is over
    anywhere = (1 - np.exp(-1)) / (1 - np.exp(-4))
    assert anywhere == pytest.approx(KNOWN["grounding.sudden"].rule.options["bound"], abs=0.006)
    gradual = suddenness(vl_curves.load()["noise of features × 2"]["curve"])
    assert score["steady"] < gradual < KNOWN["grounding.sudden"].rule.options["bound"]
    assert judged("sudden", gradual) == "does not hold" and judged("sudden", score["step"]) == "holds"


def test_text_alone_costs_one_and_a_quarter_bits():
    """Article, size, colour and shape of a phrase: 1, 2, 4 and 4 values, each equally often, over four words."""
    bits = np.log2([1, 2, 4, 4]).sum() / 4
    assert ideal("one-layer").value == pytest.approx(bits, abs=1e-12)
    assert judged("one-layer", bits) == "holds" and judged("one-layer", 0.2) == "does not hold"


def test_the_best_of_144_equal_heads():
    rng = np.random.default_rng(0)
    correct = rng.random((40, 500, 144)) < 0.25
    gap = correct.mean(1).max(1).mean() - 0.25
    assert ideal("selection").value == pytest.approx(gap, abs=0.01)


def test_a_rank_correlation_of_twelve_heads_reaches_the_bound_by_chance_once_in_twenty():
    rng = np.random.default_rng(0)
    found = [spearmanr(rng.permutation(12), np.arange(12)).statistic for _ in range(4000)]
    bound = KNOWN["grounding.accuracy-is-need"].rule.options["bound"]
    assert np.mean(np.array(found) >= bound) == pytest.approx(0.05, abs=0.014)  # four standard errors
    assert (
        judged("accuracy-is-need", 1.0) == "holds" and judged("accuracy-is-need", 0.1, (-0.2, 0.4)) == "does not hold"
    )
