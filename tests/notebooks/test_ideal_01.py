"""Notebook 01: what its rules expect of ideal models, computed on grids whose answer is known."""

import numpy as np
import pytest

from mmnb.instruments.emap import project
from mmnb.lab import claims

CLAIMS = claims.load("01_emap")


def diagonals(grid):
    """The model's scores on the true pairs, and EMAP's."""
    return np.diag(grid), np.diag(project(grid).numpy())


def test_a_sum_solves_what_the_emap_of_a_product_does_not():
    y, sign = (side.ravel() for side in np.indices((2, 2)) * 2 - 1)  # the picture holds y and a sign, the text sign * y
    product, projected = diagonals(np.outer(sign, sign * y))
    assert (product == y).all() and np.abs(projected).max() < 1e-12  # right, and at chance
    added = np.diag(np.add.outer(y, 0 * y))
    difference = (added == y).mean() - 0.5
    assert CLAIMS["emap.additive-beats-emap"].ideal.value == difference


def test_equality_leaves_nothing_to_a_sum():
    word, colour = np.tile(np.arange(8), 8), np.repeat(np.arange(8), 8)
    grid = 2.0 * (word[:, None] == colour) - 1
    assert np.ptp(project(grid).numpy()) < 1e-12  # a constant: no more than the question alone, which says nothing
    assert CLAIMS["emap.vqa-yes-no"].ideal.value == 1


def test_what_a_pure_product_keeps_at_n_250():
    rng, kept = np.random.default_rng(0), []
    for _ in range(100):
        v, t = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in rng.normal(size=(2, 2500, 20)))
        some = np.abs((v * t).sum(1)) > 0.25
        grid = v[some][:250] @ t[some][:250].T
        original, projected = diagonals(grid)
        kept.append(2 * ((original > 0) == (projected > 0)).mean() - 1)
    # 100 grids of 250 pairs: standard error 2 * .5 / sqrt(25,000) = 0.006
    for name in ("emap.dot-svm-kept", "emap.dot-mlp-kept"):
        assert CLAIMS[name].ideal.value == pytest.approx(np.mean(kept), rel=0, abs=0.02)


def test_the_law_of_smaller_grids():
    rng, n, grids = np.random.default_rng(0), 400, np.array([25, 50, 100, 200])
    grid = rng.normal(size=(n, n)) + rng.normal(size=n) + rng.normal(size=(n, 1))
    exact, errors = diagonals(grid)[1], np.zeros((60, len(grids)))
    for draw, column in np.ndindex(errors.shape):
        pick = rng.permutation(n)[: grids[column]]
        errors[draw, column] = ((diagonals(grid[np.ix_(pick, pick)])[1] - exact[pick]) ** 2).mean()
    slope = np.polyfit(np.log(np.sqrt(1 / grids - 1 / n)), np.log(np.sqrt(errors.mean(0))), 1)[0]
    ideal = CLAIMS["emap.sub-grid-law"].ideal
    assert ideal.ci[0] <= slope <= ideal.ci[1]
