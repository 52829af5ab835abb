"""What ideal weights and the cheapest baselines give in notebook 07, worked out exactly, against the claims' file."""

import numpy as np
import pytest

from mmnb.instruments import blending
from mmnb.instruments.blending import Losses
from mmnb.lab import claims, published

G, S = np.array([0.6, 0.3, 0.7]), np.array([0.4, 1.5, 0.8])


def cost(w: np.ndarray) -> float:
    """Expected squared ratio of uncorrelated parts."""
    return float((w**2 * S**2).sum() / (w @ G) ** 2)


@pytest.fixture(scope="module")
def found():
    return claims.load("07_overfitting_to_generalising")


def test_the_formula_is_the_minimum_and_the_nulls_are_what_they_say(found):
    least = 1 / (G**2 / S**2).sum()  # by the inequality of Cauchy and Schwarz
    assert cost(G / S**2) == pytest.approx(least, rel=1e-12)
    claim = found["blend.prop1"]
    assert claim.ideal.value == 1.0
    ratios = [least / cost(np.ones(3)), least / cost(G / S)]
    assert [null.value for null in claim.nulls] == pytest.approx(ratios, abs=1e-3)
    assert not any(claim.rule.accepts(ratio, None) for ratio in ratios)


def test_the_weights_by_hand(found):
    start = Losses(2.0, 2.1)
    after = {"m1": Losses(1.0, 1.5), "m2": Losses(0.2, 1.8), "joint": Losses(0.5, 1.4)}
    weights = blending.weights({name: (start, end) for name, end in after.items()})
    assert list(weights.values()) == pytest.approx(G / S**2 / (G / S**2).sum(), abs=1e-12)
    assert list(weights.values()) == pytest.approx(found["blend.hand"].rule.options["target"], abs=1e-6)


def test_published_differences_are_those_of_the_published_numbers():
    def value(key: str) -> float:
        return published.look_up(f"blending.{key}").value

    for name, first, second in (
        ("best-naive", "kinetics.audio-rgb.best", "kinetics.audio-rgb.naive"),
        ("best-naive-all", "kinetics.all.best", "kinetics.all.naive"),
        ("blend-naive", "kinetics.audio-rgb.blend", "kinetics.audio-rgb.naive"),
        ("blend-naive-adam", "optimisers.adam.blend", "optimisers.adam.naive"),
        ("online-offline", "ablation.online", "ablation.offline"),
        ("blend-auxiliary", "ablation.offline", "ablation.auxiliary"),
        ("blend-dropout", "ablation.offline", "ablation.dropout"),
        ("blend-early", "ablation.offline", "ablation.early"),
    ):
        assert value(f"difference.{name}") == pytest.approx(value(first) - value(second), abs=1e-9), name


def test_the_published_effects_pass_and_no_effect_fails(found):
    for name, key in (("offline", "blend-naive"), ("equal", "blend-auxiliary"), ("online", "online-offline")):
        effect, rule = published.look_up(f"blending.difference.{key}").value, found[f"blend.{name}"].rule
        assert rule.accepts(effect, (effect - 0.5, effect + 0.5))
        assert not rule.accepts(0.0, (-0.5, 0.5))
