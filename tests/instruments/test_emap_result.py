"""What can be read off an EMAP, with labels and without."""

import pytest
import torch

from mmnb.instruments.emap import emap


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
    grid = grid[..., :1]  # one score has no classes to be centred over
    scores = [run(grid.roll(shift, 1)).interaction_score for shift in range(9)]
    assert torch.stack(scores).mean().item() == pytest.approx(run(grid).shares["interaction"], rel=1e-10, abs=0)


def test_interaction_score_finds_the_pair_that_is_read_jointly():
    grid = (torch.arange(6.0)[:, None] + torch.arange(6.0)[None]).double()[..., None]
    assert run(grid).interaction_score.max() < 1e-20
    grid[4, 4] += 3
    score = run(grid).interaction_score
    assert score.argmax() == 4
    with pytest.raises(ValueError, match="same in every cell"):
        _ = run(torch.ones(3, 3, 1)).interaction_score


def test_the_gap_is_that_of_score_with_its_interval():
    grid, y = random_grid(12, 3), torch.arange(12) % 3
    result = run(grid)
    assert result.gap("accuracy", y, resamples=100) == result.score("accuracy", y, resamples=100).gap
    assert result.gap("accuracy", y, resamples=100).over == "examples"


def test_what_is_known_without_labels():
    result = run(random_grid(12, 3))
    assert result.value == result.shares["interaction"] and result.headline.n == 12
    assert [*result.estimates()] == ["interaction share", "share of a", "share of b"] == [*result.to_frame()["name"]]
    assert "interaction share" in result._repr_html_()
    with pytest.raises(ValueError, match="same in every cell"):
        run(torch.ones(3, 3, 1)).estimates()
