"""What an ideal model and the cheapest baselines give in notebook 06 and its appendix, worked out exactly, against the claims' files."""

import itertools

import numpy as np
import pytest

from mmnb.course.exercises.laziness import balanced, priors
from mmnb.instruments.estimate import proportion
from mmnb.lab import claims
from mmnb.recipes import late


def table(task: str) -> np.ndarray:
    """Joint probabilities (a, b, label) of a task without noise; a silent code is a value of its own, the eleventh."""
    p = np.zeros((11, 11, 10))
    for a, b in itertools.product(range(10), repeat=2):
        if task == "apart" and a == b:
            for first, second in itertools.product((a, 10), (b, 10)):
                p[first, second, a] += 1 / 40
        if task == "mixed" and max(a, b) < 8 and (a >= 4) == (b >= 4):
            p[a, b, 2 * (a >= 4) + (a + b) % 2] += 1 / 32
        if task == "paired":
            p[a, b, (a + b) % 2] += 1 / 100
        if task == "nothing":
            p[a, b, :2] += 1 / 200
    return p


@pytest.mark.parametrize(
    ("task", "alone", "both"),
    [("apart", 0.55, 0.775), ("mixed", 0.5, 1.0), ("paired", 0.5, 1.0), ("nothing", 0.5, 0.5)],
)
def test_the_table_of_tasks_is_exact(task, alone, both):
    p = table(task)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert priors(p) == pytest.approx([alone, alone, both], abs=1e-12)


def test_inside_the_scope_each_code_tells_something_and_outside_none_does():
    for task, inside in (("apart", True), ("mixed", True), ("paired", False), ("nothing", False)):
        p = table(task)
        assert (priors(p)[0] > p.sum((0, 1)).max() + 0.2) == inside, task


def test_a_rule_that_knows_passes_and_constant_rules_fail():
    found = claims.load("06b_choosing_and_theory")
    truth = np.array([0, 1] * 10)
    for name in ("described-inside", "amended-inside", "described-outside", "amended-outside"):
        claim = found[f"choose.{name}"]
        for advice, passes in ((truth, True), (0 * truth, False), (0 * truth + 1, False)):
            share = proportion(int((advice == truth).sum()), len(truth))
            assert share.value == balanced(advice, truth)
            assert (
                claims.judge(claim, {"value": share.value, "ci": share.interval, "n": share.n}, "laptop")[0]
                == claim.word(True)
            ) == passes


def test_a_sum_of_scores_cannot_tell_parity_within_a_half():
    """The parity of two digits of one half is a table without an additive part: every sum of scores is right in 1/2 of each 2 x 2 block."""
    for a, b in itertools.product(range(3), repeat=2):
        block = np.array([[(i + j) % 2 for j in (b, b + 1)] for i in (a, a + 1)])
        assert abs(block[0, 0] + block[1, 1] - block[0, 1] - block[1, 0]) == 2  # the interaction is all there is
        assert block.mean(0).tolist() == block.mean(1).tolist() == [0.5, 0.5]


def test_the_coefficients_of_ogm_are_those_of_the_claim():
    target = claims.load("06_modality_laziness")["lazy.k"].rule.options["target"]
    found = [late.coefficients({"u": rho, "v": 1.0}, 0.8)["u"] for rho in (1.0001, 1.5, 2.0, 4.0)]
    assert found == pytest.approx(target, abs=1e-3)
    assert found == pytest.approx([1 - np.tanh(0.8 * rho) for rho in (1.0001, 1.5, 2.0, 4.0)], abs=1e-12)
