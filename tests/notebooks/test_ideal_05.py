"""Notebooks 05 and 05b: what their claims call ideal, and the baselines that must fail, computed from exact tables."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.linear_model import LogisticRegression

from mmnb import complementarity as cm
from mmnb import information
from mmnb.data import complementary, easyvqa
from mmnb.data.scenes import known
from mmnb.lab import claims

IN_05, IN_05B = claims.load("05_complementarity"), claims.load("05b_paper_experiments")


def ideal(claim):
    return claim.ideal.value


def test_the_answer_one_and_the_mean_ratio_miss_the_scenes_by_what_their_nulls_say():
    tables = [question.table() for question in known.QUESTIONS.values()]
    metrics = np.array([cm.from_table(table).metric for table in tables])
    ratios = []
    for table in tables:
        both, a, b = (1 - cm.bayes_error(table, seen) for seen in ("ab", "a", "b"))
        ratios.append((a + b) / 2 / both)
    assert np.abs(metrics - 1).max() == pytest.approx(IN_05["compl.scenes-metric"].nulls[0].value, abs=1e-9)
    always = np.abs(np.array(ratios) - np.mean(ratios)).max()  # of 1, the redundant question
    assert IN_05["compl.scenes-ratio"].rule.judge(always, (always, always)) is False


def test_linear_classifiers_miss_the_questions_that_need_both():
    world = known.draw(known.QUESTIONS["caption right?"], 400, seed=1)
    found = cm.from_classifiers(*world.features(), world.label, LogisticRegression(max_iter=300), folds=2)
    assert found.information < 0.1  # of .693: an additive model finds no synergy, and there is nothing to divide by


def test_the_answer_one_misses_easy_vqa():
    off = 1 - cm.from_table(easyvqa.joint_table(easyvqa.load())).metric
    assert IN_05["compl.vqa-metric"].nulls[0].value == pytest.approx(off, abs=0.005)
    assert IN_05["compl.vqa-metric"].rule.judge(off, (off, off)) is False


def test_what_a_modality_tells_alone_is_the_weaker_baseline():
    """On exact tables: the claim is about data, and these pass or fail without any estimate."""
    tables = np.random.default_rng(7).dirichlet(np.full(27, 0.3), size=200).reshape(-1, 3, 3, 3)
    gain = [cm.from_table(p).gain_a for p in tables]
    alone = [information.mutual_information(p, 0, 2) for p in tables]
    drop = [cm.bayes_error(p, "b") - cm.bayes_error(p) for p in tables]
    assert spearmanr(gain, drop)[0] > 0.7 > 0.6 > spearmanr(alone, drop)[0]
    assert spearmanr(drop, drop)[0] == pytest.approx(ideal(IN_05["compl.tables-gain"]))


def test_steps_of_the_exact_curve_and_of_the_best_ratio():
    stds = (0.0, 1.0, 2**0.5, 2.0, 3.0)
    exact = [cm.from_table(complementary.averaged_pairs(std)).metric for std in stds]
    assert min(high - low for low, high in pairwise(exact)) == pytest.approx(
        ideal(IN_05B["compl.aav-metric"]), abs=0.005
    )
    best = {std: 1 - cm.bayes_error(complementary.averaged_pairs(std), "a") for std in (1.0, 3.0)}
    assert best[1.0] - best[3.0] == pytest.approx(ideal(IN_05B["compl.aav-missing"]), abs=0.005)
    for k, std in enumerate((2**0.5, 2.0), start=1):  # known digits, both readings of sigma
        off = cm.from_table(complementary.averaged_pairs(std)).metric - 0.9212
        assert IN_05B["compl.aav-published"].nulls[k].value == pytest.approx(off, abs=0.01)


def test_five_rows_can_pass_only_in_a_nearly_perfect_order():
    orders = np.array([spearmanr(range(5), order)[0] for order in permutations(range(5))])
    assert np.mean(orders <= -1 + 1e-9) == pytest.approx(ideal(IN_05B["compl.table1"]), abs=1e-4)
    assert np.mean(orders <= -0.8 + 1e-9) == pytest.approx(IN_05B["compl.table1"].nulls[1].value, abs=1e-4)


def test_the_coin_loses_one_over_log_two_per_nat():
    assert 1 / np.log(2) == pytest.approx(ideal(IN_05B["compl.eq4"]), abs=1e-4)
    assert 0.25 / np.log(2) == pytest.approx(IN_05B["compl.eq4"].nulls[0].value, abs=0.005)  # y = b in {0, 1}


def test_heavy_noise_leaves_the_best_model_nothing_but_a_guess():
    grid, places = np.linspace(-400, 400, 80_001), np.linspace(-1, 1, 10)
    error = 1 - norm.pdf(grid[:, None], places, 50.0).max(1).sum() / 10 * (grid[1] - grid[0])
    assert error == pytest.approx(0.9, abs=0.01)
