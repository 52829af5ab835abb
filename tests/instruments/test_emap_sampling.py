"""Sampled grids: unbiased, with errors that are as large as they say, and a run that stops by itself."""

import pytest
import torch

from mmnb.instruments.emap import TwoTower, emap
from mmnb.models.fusion import ConcatMLP


def world(n, c, strength, seed=0):
    """A model with both kinds of effect, and labels that its own noisy scores decide."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    u, v, p, q, mix = draw(n, c), draw(n, c), draw(n, 8), draw(n, 8), draw(8, c)

    def f(i, j):
        return u[i] + v[j] + strength * (p[i] * q[j]) @ mix

    index = torch.arange(n)
    scores = f(index, index)
    y = (scores + draw(n, c)).argmax(1) if c > 1 else (scores[:, 0] + draw(n) > 0).long()
    return f, index, y


def run(f, index, seed, **options):
    return emap(f, index, index, generator=torch.Generator().manual_seed(seed), check=False, **options)


def test_each_row_has_its_true_pair_and_k_partners_and_each_column_is_used_equally_often():
    seen = torch.zeros(30, 30)

    def f(i, j):
        seen.index_put_((i, j), torch.ones(len(i)), accumulate=True)
        return (i * j).double()

    result = emap(f, torch.arange(30), torch.arange(30), pairs=7, batch_size=45, check=False)
    assert torch.equal(seen.diagonal(), torch.ones(30))
    assert seen.max() == 1
    assert torch.equal(seen.sum(0), torch.full((30,), 8.0))
    assert torch.equal(seen.sum(1), torch.full((30,), 8.0))
    assert result.passes == 30 * 8
    assert result.sampled.partners == 7


def test_estimates_are_unbiased_and_standard_errors_true():
    f, index, _ = world(40, 3, 0.5)
    exact = emap(f, index, index)
    runs = [run(f, index, seed, pairs=8) for seed in range(400)]
    for name in ("projected", "marginal_a", "marginal_b", "grand_mean"):
        values = torch.stack([getattr(r, name) for r in runs])
        error = values.std(0) / 400**0.5
        # 123 numbers at most, each off by less than 4.5 standard errors: p < 0.001 for all of them together
        assert ((values.mean(0) - getattr(exact, name)).abs() < 4.5 * error + 1e-12).all(), name
    claimed = torch.stack([r.sampled.standard_error.square() for r in runs]).mean(0)
    found = torch.stack([(r.projected - exact.projected).square() for r in runs]).mean(0)
    assert (found / claimed).mean().item() == pytest.approx(1, rel=0, abs=0.05)  # over 120 numbers of 400 runs
    for part, square in exact.sums_of_squares.items():
        values = torch.stack([r.sums_of_squares[part] for r in runs])
        assert ((values.mean(0) - square).abs() < 4.5 * values.std(0) / 400**0.5).all(), part


def test_all_shifts_are_the_exact_run():
    f, index, y = world(12, 3, 1.0)
    exact = emap(f, index, index)
    whole = emap(f, index, index, gap_precision=1e-9, y=y)  # never narrow enough: goes on to the end
    assert whole.passes == 144 == exact.passes
    for name in ("original", "projected", "marginal_a", "marginal_b", "grand_mean"):
        torch.testing.assert_close(getattr(whole, name), getattr(exact, name), rtol=0, atol=1e-12)
    assert whole.shares == pytest.approx(exact.shares, rel=0, abs=1e-12)
    assert whole.sampled.standard_error.max() == 0
    assert whole.gap("accuracy", y) == exact.gap("accuracy", y)
    assert emap(f, index, index, pairs=11).sampled is None  # all there are: the ordinary run


def test_an_additive_model_has_gap_zero_at_any_precision_after_all():
    f, index, y = world(60, 3, 0.0)
    exact = emap(f, index, index).gap("accuracy", y)
    assert (exact.value, exact.low, exact.high) == (0.0, 0.0, 0.0)
    sampled = run(f, index, 0, pairs=40).gap("accuracy", y)
    assert sampled.low <= 0 <= sampled.high


def test_it_stops_when_the_interval_is_narrow_enough_and_says_what_it_cost():
    f, index, y = world(400, 3, 0.4)
    exact = emap(f, index, index).gap("accuracy", y).value
    loose, tight = (run(f, index, 3, gap_precision=precision, y=y) for precision in (0.05, 0.03))
    for result, precision in ((loose, 0.05), (tight, 0.03)):
        gap = result.gap("accuracy", y)
        assert gap.half_width <= precision
        assert abs(gap.value - exact) < 2 * precision
        assert result.passes == 400 * (1 + result.sampled.partners)
    assert loose.passes < tight.passes < 400**2


def test_any_grid_can_be_sampled_and_a_seed_repeats_it():
    torch.manual_seed(0)
    head = ConcatMLP(4, 3).double().eval()
    a, b = torch.randn(50, 4).double(), torch.randn(50, 4).double()
    plain = emap(head, a, b, pairs=10, method="pairs")
    split = emap(head, a, b, pairs=10)
    towers = emap(TwoTower(torch.clone, torch.clone, lambda u, v: head(u, v)), a, b, pairs=10)
    for other in (split, towers):
        torch.testing.assert_close(other.projected, plain.projected, rtol=0, atol=1e-12)
    moved = emap(head, a, b, pairs=10, generator=torch.Generator().manual_seed(5))
    assert (moved.projected - plain.projected).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("n", "c", "strength", "pairs"), [(250, 5, 0.6, 25), (160, 2, 0.8, 16), (400, 4, 0.4, 30)])
def test_intervals_cover_the_exact_gap(n, c, strength, pairs):
    f, index, y = world(n, c, strength)
    exact = emap(f, index, index).gap("accuracy", y).value
    # neither these worlds nor these seeds served to set the factor in `sampled.py`
    gaps = [run(f, index, 10_000 + seed, pairs=pairs).gap("accuracy", y) for seed in range(200)]
    covered = sum(gap.low <= exact <= gap.high for gap in gaps) / 200
    assert 0.90 <= covered <= 0.98  # 95 % nominal; 200 repeats know it to within 1.5 % (one standard error)


@pytest.mark.slow
def test_intervals_cover_the_exact_gap_after_stopping_by_themselves():
    """Stopping at the first narrow interval favours intervals that are narrow by luck; it must not cost the promised coverage."""
    f, index, y = world(200, 4, 0.5, seed=1)
    exact = emap(f, index, index).gap("accuracy", y).value
    runs = [run(f, index, 20_000 + seed, gap_precision=0.04, y=y) for seed in range(200)]
    gaps = [result.gap("accuracy", y) for result in runs]
    assert max(gap.half_width for gap in gaps) <= 0.04
    assert len({result.sampled.partners for result in runs}) > 1, (
        "it stops at different moments, else nothing is tested"
    )
    covered = sum(gap.low <= exact <= gap.high for gap in gaps) / 200
    assert 0.90 <= covered <= 0.98  # as for a number of partners fixed beforehand


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 1}, "got pairs=1; expected a whole number"),
        ({"pairs": 2.5}, r"got pairs=2\.5"),
        ({"gap_precision": 0.0, "y": [0] * 10}, r"got gap_precision=0\.0"),
        ({"gap_precision": 0.1}, "expected labels y"),
        ({"y": [0] * 10}, "got y without gap_precision"),
        ({"pairs": 3, "checkpoint": "sums"}, "neither kept in a checkpoint"),
        ({"gap_precision": 0.1, "y": [9] * 10}, "expected whole numbers from 0 to 2"),
    ],
)
def test_refusals(options, message):
    f, index, _ = world(10, 3, 1.0)
    with pytest.raises(ValueError, match=message):
        emap(f, index, index, **options)
