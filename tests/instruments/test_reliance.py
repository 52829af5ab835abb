"""Reliance, conflict and minimal pairs against brute force over every partner, permutation and group."""

import itertools

import numpy as np
import pytest
import torch

from mmnb.instruments.emap.result import from_sums
from mmnb.instruments.grid import Sums, sweep
from mmnb.instruments.reliance import (
    Others,
    Predictions,
    conflict,
    from_pass,
    inter_shap,
    minimal_pairs,
    reliance,
    surprise,
)
from mmnb.instruments.reliance.pairs import additive_groups


def grid_of(n=6, c=3, seed=0, scale=2.0):
    return scale * torch.randn(n, n, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def passed(grid, **options):
    index = torch.arange(len(grid))
    sums, kept, others = Sums(), Predictions(), Others()
    readers = {"sums": sums, "kept": kept, "others": others}
    true = sweep(lambda i, j: grid[i, j], index, index, readers, check=False, **options)
    return kept, others, true, from_sums(sums, true)


@pytest.mark.parametrize("c", [1, 3])
def test_perceptual_score_is_the_mean_over_permutations_that_move_every_example(c):
    grid = grid_of(5, c)
    y = np.array([0, 1, 1, 0, 1])
    said = (grid.argmax(-1) if c > 1 else (grid[..., 0] > 0).long()).numpy()
    index = np.arange(5)
    moved = [np.array(p) for p in itertools.permutations(range(5)) if all(p[i] != i for i in index)]
    own = (said[index, index] == y).mean()
    of_b = own - np.mean([(said[index, p] == y).mean() for p in moved])
    of_a = own - np.mean([(said[p, index] == y).mean() for p in moved])
    found = from_pass(*passed(grid), y)
    assert found.perceptual["a"].value == pytest.approx(of_a, abs=1e-12)
    assert found.perceptual["b"].value == pytest.approx(of_b, abs=1e-12)
    assert found.accuracy.value == own


def test_bits_shapley_and_synergy_by_hand():
    grid, y = grid_of(), np.array([0, 1, 2, 2, 1, 0])
    found = from_pass(*passed(grid), y)
    p = grid.softmax(-1).numpy()
    for i in range(6):
        other = [k for k in range(6) if k != i]
        bits = np.log2(p[i, i, y[i]]) - np.log2([p[i, other, y[i]].mean(), p[other, i, y[i]].mean()])
        assert found.bits["b"][i].item() == pytest.approx(bits[0], abs=1e-9)
        assert found.bits["a"][i].item() == pytest.approx(bits[1], abs=1e-9)
    means = [grid.diagonal().T, grid.mean(1), grid.mean(0), grid.mean((0, 1)).expand(6, 3)]
    both, a, b, none = ((part.argmax(-1).numpy() == y).mean() for part in means)
    assert found.shapley["synergy"].value == pytest.approx(both - a - b + none)
    assert found.shapley["a"].value == pytest.approx(((a - none) + (both - b)) / 2)
    assert found.shapley["a"].value + found.shapley["b"].value == pytest.approx(both - none)


def test_conflict_counts_every_mixed_cell_whose_sides_disagree():
    grid = grid_of(8)
    kept, _, _, result = passed(grid)
    found = conflict(kept, result)
    of_a, of_b, said = grid.mean(1).argmax(-1), grid.mean(0).argmax(-1), grid.argmax(-1)
    additive = (grid.mean(1, keepdim=True) + grid.mean(0, keepdim=True) - grid.mean((0, 1))).argmax(-1)
    cells = [(i, j) for i in range(8) for j in range(8) if i != j and of_a[i] != of_b[j]]
    assert found.cells == len(cells)
    for table, ours in ((said, found.preference), (additive, found.additive)):
        a, b = (sum(int(table[i, j] == side) for (i, j), side in zip(cells, sides, strict=True)) for sides in
                ([of_a[i] for i, _ in cells], [of_b[j] for _, j in cells]))  # fmt: skip
        assert ours.value == pytest.approx(a / (a + b))
    assert sum(share.value for share in found.follows.values()) == pytest.approx(1)
    assert found.excess.value == pytest.approx(found.preference.value - found.additive.value)


def test_an_additive_model_is_its_own_null_in_conflicts():
    a, b = (torch.randn(30, 3, generator=torch.Generator().manual_seed(k), dtype=torch.float64) for k in (0, 1))
    kept, _, _, result = passed(2 * a[:, None] + b[None])
    found = conflict(kept, result)
    assert found.excess.value == 0 and found.excess.interval == (0, 0)
    assert found.preference.value > 0.6


def test_surprise_is_the_mean_entropy_of_the_false_cells_less_that_of_the_true_ones():
    grid = grid_of(7)
    _, others, true, _ = passed(grid)
    found = surprise(others, true)
    p = grid.softmax(-1)
    entropy = -(p * p.log()).sum(-1) / np.log(3)
    mixed = entropy[~torch.eye(7, dtype=torch.bool)]
    assert found.mixed.value == pytest.approx(mixed.mean().item())
    assert found.change.value == pytest.approx((mixed.mean() - entropy.diagonal().mean()).item())
    assert found.bins_mixed.tolist() == torch.histc(mixed, 20, 0, 1).long().tolist()
    assert found.bins_true.sum() == 7 and found.bins_mixed.sum() == 42


def test_intervals_over_examples_cover_the_truth():
    """Examples are drawn from 4,000; the interval should hold the score of all of them in about 95 of 100 draws."""
    rng = np.random.default_rng(0)

    def world(n):
        y = rng.integers(0, 2, n)
        a, b = y + rng.normal(size=n), y + 1.5 * rng.normal(size=n)
        return torch.from_numpy(a), torch.from_numpy(b), y

    def model(a, b):
        return torch.stack([torch.zeros_like(a), a + 0.6 * b + 0.8 * a * b - 1.0], -1)

    truth = reliance(model, *world(1500), check=False, progress=False)
    inside = {"a": 0, "b": 0}
    for _ in range(100):
        found = reliance(model, *world(60), check=False, progress=False)
        for side in inside:
            low, high = found.perceptual[side].interval
            inside[side] += low <= truth.perceptual[side].value <= high
    assert min(inside.values()) >= 88


def test_groups_widen_the_intervals():
    grid, y = grid_of(40), np.arange(40) % 3
    alone = from_pass(*passed(grid), y)
    twice = from_pass(
        *passed(grid.repeat_interleave(2, 0).repeat_interleave(2, 1)), np.repeat(y, 2), np.repeat(range(40), 2)
    )
    for side in ("a", "b"):
        (low, high), (low2, high2) = alone.gain[side].interval, twice.gain[side].interval
        assert high2 - low2 > 0.8 * (high - low)


def test_shifts_are_a_sample_of_the_same():
    grid, y = grid_of(60), np.arange(60) % 3
    index = torch.arange(60)
    every = reliance(lambda i, j: grid[i, j], index, index, y, check=False)
    some = reliance(lambda i, j: grid[i, j], index, index, y, shifts=20, check=False)
    assert some.accuracy.value == every.accuracy.value
    for side in ("a", "b"):
        assert some.perceptual[side].value == pytest.approx(every.perceptual[side].value, abs=0.1)
        assert some.gain[side].value == pytest.approx(every.gain[side].value, abs=0.3)


def test_a_pass_that_was_saved_and_continued_gives_the_same(tmp_path):
    grid, y = grid_of(20), np.arange(20) % 3
    calls = []

    def interrupted(i, j):
        calls.append(len(i))
        if sum(calls) > 300:
            raise KeyboardInterrupt
        return grid[i, j]

    index, file = torch.arange(20), tmp_path / "pass.safetensors"
    how = dict(batch_size=40, check=False, checkpoint=file, save_every=0)
    with pytest.raises(KeyboardInterrupt):
        reliance(interrupted, index, index, y, **how)
    again = reliance(lambda i, j: grid[i, j], index, index, y, **how)
    whole = from_pass(*passed(grid), y)
    assert {k: e.value for k, e in again.estimates().items()} == pytest.approx(
        {k: e.value for k, e in whole.estimates().items()}
    )


def test_the_table_of_predictions_is_refused_above_its_limit():
    with pytest.raises(ValueError, match=r"got 6 examples.*expected at most 0.00 GB"):
        sweep(lambda i, j: grid_of()[i, j], torch.arange(6), torch.arange(6), {"kept": Predictions(35)}, check=False)
    assert Predictions.kind(254) == torch.uint8 and Predictions.kind(255) == torch.int32


def test_no_conflict_is_a_clear_error():
    grid = torch.zeros(4, 4, 2) + torch.tensor([1.0, 0.0])
    kept, _, _, result = passed(grid)
    with pytest.raises(ValueError, match="never disagree"):
        conflict(kept, result)


def test_any_additive_model_has_a_group_score_of_zero():
    scores = torch.randn(20_000, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    free, additive = minimal_pairs(scores), minimal_pairs(additive_groups(scores))
    assert (free.a.value, free.b.value, free.group.value) == pytest.approx((1 / 4, 1 / 4, 1 / 6), abs=0.012)
    assert additive.group.value == 0
    for blind in (scores[:, :, :1].expand(-1, 2, 2), scores[:, :1].expand(-1, 2, 2)):
        assert [e.value for e in minimal_pairs(blind).estimates().values()] == [0, 0, 0]


def test_minimal_pairs_by_brute_force():
    scores = torch.randint(0, 4, (300, 2, 2), generator=torch.Generator().manual_seed(1)).double()
    found = minimal_pairs(scores)
    text = [s[0, 0] > s[1, 0] and s[1, 1] > s[0, 1] for s in scores]
    image = [s[0, 0] > s[0, 1] and s[1, 1] > s[1, 0] for s in scores]
    both = [t and i for t, i in zip(text, image, strict=True)]
    assert [found.a.value, found.b.value, found.group.value] == [np.mean(text), np.mean(image), np.mean(both)]
    assert all(c > 0 for c, right in zip(found.contrast, both, strict=True) if right)
    with pytest.raises(ValueError, match=r"got shape \(3, 2, 3\); expected \(groups, 2, 2\)"):
        minimal_pairs(torch.zeros(3, 2, 3))


def test_inter_shap_of_an_additive_model_is_in_its_softmax():
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(100, 4, generator=g, dtype=torch.float64) for _ in range(2))
    shares = []
    for scale in (0.3, 1.0, 3.0):
        _, others, true, result = passed(scale * (a[:, None] + b[None]))
        found = inter_shap(others, true, result)
        assert found["logits"] < 1e-12
        shares.append(found["probabilities"])
    assert shares == sorted(shares) and shares[-1] > 0.1


def test_inter_shap_by_hand():
    grid = grid_of(9)
    _, others, true, result = passed(grid)
    said = grid.diagonal().T.argmax(-1)
    for what, v in (("probabilities", grid.softmax(-1)), ("logits", grid)):
        effects = [
            [v[i, i, k], v[i, :, k].mean(), v[:, i, k].mean(), v[:, :, k].mean()] for i, k in enumerate(said.tolist())
        ]
        both, a, b, none = torch.tensor(effects).T
        inter, one, two = (x.mean().abs() for x in (both - a - b + none, a - none, b - none))
        assert inter_shap(others, true, result)[what] == pytest.approx((inter / (inter + one + two)).item())
