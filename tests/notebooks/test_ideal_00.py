"""Notebook 00: the numbers of its ideal predictors, computed once more from the tables of probabilities."""

import numpy as np
import pytest
from scipy.special import expit

from mmnb import information
from mmnb.data import naming
from mmnb.lab import claims

CLAIMS = claims.load("00_start_here")


def entropy(p, *kept):
    """H(last axis | the axes kept), bits."""
    p = p.sum(tuple({0, 1} - set(kept)), keepdims=True)
    return float(-(p * np.log2(p / p.sum(2, keepdims=True))).sum())


def accuracies(p, scores):
    """Accuracy of scores and of their additive part, over independent a and b of equal chance."""
    sums = scores.mean(0) + scores.mean(1, keepdims=True) - scores.mean()
    for table in (scores, sums):
        table = np.where(np.abs(table) < 1e-9, 0, table)
        yield float((p * np.stack([table <= 0, table >= 0], -1)).sum() - (p * (table == 0)[..., None]).sum() / 2)


def test_what_the_ideal_predictor_loses_on_the_cards():
    p = naming.table()
    scores = np.log(p[..., 1] / p[..., 0])
    before, after = accuracies(p, scores)
    exact = {
        "start.emap-drop": before - after,
        "start.picture-lost": entropy(p, 1) - entropy(p, 0, 1),
        "start.words-lost": entropy(p, 0) - entropy(p, 0, 1),
    }
    for name, value in exact.items():
        claim = CLAIMS[name]
        assert claim.ideal.value == pytest.approx(value, rel=0, abs=1e-3), name  # printed with three decimals
        assert f"exact {value:.3f}" in claim.place
    adjective = p.reshape(16, 4, 2, 2).sum(1)
    kept = 1 - entropy(adjective, 1)
    assert CLAIMS["start.words-lost"].nulls[1].value == pytest.approx(kept, rel=0, abs=1e-3)


def test_only_xor_is_at_stake():
    a, b = np.indices((2, 2))
    one = [np.where(rule, 0.95, 0.05) for rule in (a != b, (a == 1) & (b == 1))]
    one += [expit(3.0 * (a + b) - 3)]
    lost = []
    for each in one:
        before, after = accuracies(np.stack([1 - each, each], -1) / 4, np.log(each / (1 - each)))
        lost.append(before - after)
    copies = np.array([[[0.475, 0.025], [0, 0]], [[0, 0], [0.025, 0.475]]])
    before, after = accuracies(copies, np.array([[-1.0, 0], [0, 1]]))
    np.testing.assert_allclose([*lost, before - after], CLAIMS["start.at-stake"].ideal.value, rtol=0, atol=1e-9)


def test_and_without_noise_has_half_a_bit_of_synergy():
    p = np.zeros((2, 2, 2))
    for a, b in np.ndindex(2, 2):
        p[a, b, a & b] = 0.25
    synergy = information.pid(p).synergy / np.log(2)
    assert CLAIMS["start.and-synergy"].ideal.value == pytest.approx(synergy, rel=0, abs=1e-3)
