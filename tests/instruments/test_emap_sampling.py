"""Sampled grids: unbiased, with errors that are as large as they say."""

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
    return emap(f, index, index, seed=seed, check=False, **options)


def test_each_row_has_its_true_pair_and_k_partners_and_each_column_is_used_equally_often():
    seen = torch.zeros(30, 30)

    def f(i, j):
        seen.index_put_((i, j), torch.ones(len(i)), accumulate=True)
        return (i * j).double()

    result = emap(f, torch.arange(30), torch.arange(30), shifts=7, batch_size=45, check=False)
    assert torch.equal(seen.diagonal(), torch.ones(30))
    assert seen.max() == 1
    assert torch.equal(seen.sum(0), torch.full((30,), 8.0))
    assert torch.equal(seen.sum(1), torch.full((30,), 8.0))
    assert result.n_evaluations == 30 * 8


def test_estimates_are_unbiased_and_standard_errors_true():
    f, index, _ = world(40, 3, 0.5)
    exact = emap(f, index, index)
    runs = [run(f, index, seed, shifts=8) for seed in range(400)]
    for name in ("projected", "marginal_a", "marginal_b", "grand_mean"):
        values = torch.stack([getattr(r, name) for r in runs])
        error = values.std(0) / 400**0.5
        # 123 numbers at most, each off by less than 4.5 standard errors: p < 0.001 for all of them together
        assert ((values.mean(0) - getattr(exact, name)).abs() < 4.5 * error + 1e-12).all(), name
    claimed = torch.stack([r.standard_error.square() for r in runs]).mean(0)
    found = torch.stack([(r.projected - exact.projected).square() for r in runs]).mean(0)
    assert (found / claimed).mean().item() == pytest.approx(1, rel=0, abs=0.05)  # over 120 numbers of 400 runs
    for part, square in exact.sums_of_squares.items():
        values = torch.stack([r.sums_of_squares[part] for r in runs])
        assert ((values.mean(0) - square).abs() < 4.5 * values.std(0) / 400**0.5).all(), part
        shared = torch.stack([r.shared[part] for r in runs])
        assert (shared.mean() - exact.shared[part]).abs() < 4.5 * shared.std() / 400**0.5, part


def test_all_shifts_are_the_exact_run():
    f, index, _ = world(12, 3, 1.0)
    exact, whole = emap(f, index, index), emap(f, index, index, shifts=11)
    assert whole.standard_error is None and whole.n_evaluations == 144 == exact.n_evaluations
    nearly = emap(f, index, index, shifts=10)
    assert nearly.n_evaluations == 132 and (nearly.standard_error > 0).all()


def test_an_additive_model_is_found_to_within_the_errors():
    f, index, y = world(60, 3, 0.0)
    assert emap(f, index, index).gap("accuracy", y).interval == (0.0, 0.0)
    sampled = run(f, index, 0, shifts=40)
    assert (sampled.residual.abs() < 5 * sampled.standard_error).all()


def test_any_grid_can_be_sampled_and_a_seed_repeats_it():
    torch.manual_seed(0)
    head = ConcatMLP(4, 3).double().eval()
    a, b = torch.randn(50, 4).double(), torch.randn(50, 4).double()
    plain = emap(head, a, b, shifts=10, strategy="pairs")
    split = emap(head, a, b, shifts=10)
    towers = emap(TwoTower(torch.clone, torch.clone, lambda u, v: head(u, v)), a, b, shifts=10)
    for other in (split, towers):
        torch.testing.assert_close(other.projected, plain.projected, rtol=0, atol=1e-12)
    moved = emap(head, a, b, shifts=10, seed=5)
    assert (moved.projected - plain.projected).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shifts": 1}, "shifts: got 1; expected a whole number"),
        ({"shifts": 2.5}, r"shifts: got 2\.5"),
        ({"shifts": 3, "checkpoint": "sums"}, "neither kept in a checkpoint"),
    ],
)
def test_refusals(options, message):
    f, index, _ = world(10, 3, 1.0)
    with pytest.raises(ValueError, match=message):
        emap(f, index, index, **options)
