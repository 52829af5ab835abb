"""What a perfect model loses in notebook 02, computed, beside the ideals of its claims; and the scales that a perfect model fails."""

import pytest

from mmnb.data import scenes
from mmnb.data.scenes.ideal import Ideal
from mmnb.instruments import ablation
from mmnb.lab import claims
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items

N = 800  # scenes
SLUG = "02_vision_for_language"
VARIANTS = {"parts": "parts", "confused": "confused", "theme": "theme", "unreadable": "unreadable"}
VARIANTS |= {"one-mention": "sparse"}


def bits(kind):
    """Means of the ideal observer by side, before and after all of the other modality is removed."""
    entry = zoo.entry(f"{kind}-0")
    own = items(*entry.world(N, seed=91))
    given = Ideal(entry.knobs, entry.detector, own.mean).predict, own.inputs, own.phrase, own.aligned
    options = {"mask_id": scenes.MASK, "global_index": 0, "conditions": ["none", "all"]}
    words = ablation.vision_for_language(*given, mean=own.mean, **options)
    regions = ablation.language_for_vision(*given, own.target, own.label, special=range(4), **options)
    no_input = (
        ablation.unigram_entropy(own.inputs.tokens, own.phrase, len(scenes.WORDS)),
        ablation.marginal_kl(own.label),
    )
    return {"words": words, "regions": regions}, dict(zip(("words", "regions"), no_input, strict=True))


def asymmetry(found, cost, unit):
    share = {s: ablation.normalized_drop(found[s]["none"], found[s]["all"], cost[s], unit[s]) for s in found}
    return share["words"] - share["regions"], share


@pytest.fixture(scope="module")
def plain():
    found, no_input = bits("visualbert")
    return found, {side: found[side]["all"].mean().item() for side in found}, no_input


@pytest.fixture(scope="module")
def claimed():
    return claims.load(SLUG)


def test_in_plain_scenes_a_perfect_model_passes(plain, claimed):
    found, cost, _ = plain
    difference, share = asymmetry(found, cost, cost)
    both, even = claimed["ablation.ours-both"], claimed["ablation.ours-asymmetry"]
    smaller = min(share.values())
    assert smaller == pytest.approx(both.ideal.value, abs=0.01) and difference == pytest.approx(even.ideal.value, abs=0.01)  # fmt: skip
    assert both.rule.accepts(smaller, (smaller, smaller)) and even.rule.accepts(difference, (difference, difference))


def test_on_the_scale_of_a_guess_without_input_it_fails(plain, claimed):
    found, _, no_input = plain
    difference, _ = asymmetry(found, no_input, no_input)
    even = claimed["ablation.ours-asymmetry"]
    assert not even.rule.accepts(difference, (difference, difference))
    assert difference == pytest.approx(even.nulls[1].value, abs=0.02)


@pytest.mark.parametrize("name", VARIANTS)
def test_in_each_variant_it_shows_what_the_claim_calls_ideal(plain, claimed, name):
    """To 0.03: three standard errors of a mean over 800 scenes of noisy evidence are 0.02."""
    kept, unit, _ = plain
    found, _ = bits(VARIANTS[name])
    limit = {side: found[side]["all"].mean().item() for side in found}
    change = asymmetry(found, limit, unit)[0] - asymmetry(kept, unit, unit)[0]
    claim = claimed[f"ablation.{name}"]
    assert change == pytest.approx(claim.ideal.value, abs=0.03)
    assert claim.rule.accepts(change, (change, change))


def test_a_model_that_uses_one_modality_loses_nothing(plain, claimed):
    """The text-only model pays 1.25 bits before and after: above the cost of 1, so nothing is lost."""
    found, cost, _ = plain
    text_only = {"words": {c: found["words"]["all"] + 0.25 for c in ("none", "all")}, "regions": found["regions"]}
    _, share = asymmetry(text_only, cost, cost)
    assert share["words"] == 0 and not claimed["ablation.ours-both"].rule.accepts(0.0, (0.0, 0.0))
