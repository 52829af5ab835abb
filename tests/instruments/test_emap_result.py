"""What can be read off an EMAP without labels, and ranking tasks."""

import pytest
import torch

from mmnb.instruments.emap import emap, project


def run(grid):
    n = len(grid)
    return emap(lambda i, j: grid[i, j], torch.arange(n), torch.arange(n))


def random_grid(n, c, seed=0):
    return torch.randn(n, n, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_interaction_score_averages_to_the_share_over_the_whole_grid():
    """Move every column to the diagonal in turn: the scores of all n^2 cells then average to the interaction share."""
    grid = random_grid(9, 3)
    scores = [run(grid.roll(shift, 1)).interaction_score for shift in range(9)]
    assert torch.stack(scores).mean().item() == pytest.approx(run(grid).shares["interaction"], rel=1e-10, abs=0)
    assert all((s >= 0).all() for s in scores)


def test_interaction_score_finds_the_pair_that_is_read_jointly():
    grid = (torch.arange(6.0)[:, None] + torch.arange(6.0)[None]).double()[..., None]
    assert run(grid).interaction_score.max() < 1e-20
    grid[4, 4] += 3
    score = run(grid).interaction_score
    assert score.argmax() == 4
    with pytest.raises(ValueError, match="same in every cell"):
        _ = run(torch.ones(3, 3, 1)).interaction_score


def test_ranking_compares_differences_of_scores():
    grid = random_grid(30, 1, seed=3)
    result, pairs = run(grid), torch.combinations(torch.arange(30))
    ranked = result.rank(pairs, resamples=100)
    first, second = pairs.T
    surface = project(grid[..., 0]).diagonal()
    assert ranked["original"] == pytest.approx((grid[first, first, 0] > grid[second, second, 0]).double().mean().item())
    assert ranked["projected"] == pytest.approx((surface[first] > surface[second]).double().mean().item())
    assert ranked["constant"] == 0.5  # nothing but ties
    flipped = result.rank(pairs.flip(1), torch.zeros(len(pairs), dtype=torch.int64), resamples=100)
    assert flipped.values == ranked.values


def test_ranking_of_an_additive_model_loses_nothing():
    u, v = torch.randn(20), torch.randn(20)
    ranked = emap(lambda p, q: p + q, u, v).rank(torch.combinations(torch.arange(20)), resamples=100)
    assert (ranked.gap, ranked.gap_interval) == (0.0, (0.0, 0.0))


def test_ranking_refusals():
    one, three = run(random_grid(5, 1)), run(random_grid(5, 3))
    with pytest.raises(ValueError, match="got 3 scores each"):
        three.rank([[0, 1]])
    with pytest.raises(ValueError, match="positions from 0 to 4"):
        one.rank([[0, 5]])
    with pytest.raises(ValueError, match="expected 1, and whole"):
        one.rank([[0.0, 1.0]])
    with pytest.raises(ValueError, match="positions from 0 to 4"):
        one.rank(torch.zeros(0, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected whole numbers from 0 to 1"):
        one.rank([[0, 1]], [2])


def test_the_exact_gap_has_an_interval_of_no_width():
    grid = random_grid(12, 3)
    y = torch.arange(12) % 3
    gap = run(grid).gap("accuracy", y)
    assert gap.low == gap.value == gap.high == run(grid).score("accuracy", y, resamples=100).gap
    with pytest.raises(ValueError, match="level=1"):
        run(grid).gap("accuracy", y, level=1)
    with pytest.raises(ValueError, match="expected finite"):
        run(grid).gap(lambda s, t: float("nan"), y)
