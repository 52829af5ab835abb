"""M modalities against the dense factorial grid, and the published mistake."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmnb.instruments.emap import emap, emap_of_many


def random_grid(n, m, c, seed):
    return torch.randn(*[n] * m, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 5


def run(grid, **options):
    n, m = len(grid), grid.ndim - 1
    return emap_of_many(lambda *index: grid[index], {f"m{k}": torch.arange(n) for k in range(m)}, **options)


def components(grid):
    """g_S for every set S, spread over the whole grid: by definition, from the grid itself."""
    m = grid.ndim - 1
    means = {
        held: grid.mean([k for k in range(m) if k not in held], keepdim=True).expand_as(grid) if len(held) < m else grid
        for size in range(m + 1)
        for held in itertools.combinations(range(m), size)
    }
    found = {}
    for held, mean in means.items():  # sizes ascend, so all smaller components are there
        found[held] = mean - sum(g for part, g in found.items() if set(part) < set(held))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_every_order_equals_the_dense_definition(m, n, c, seed, batch_size):
    grid = random_grid(n, m, c, seed)
    result, parts, diagonal = run(grid, batch_size=batch_size), components(grid), (range(n),) * m
    for order in range(1, m + 1):
        dense = sum(g for held, g in parts.items() if len(held) <= order)
        torch.testing.assert_close(result.up_to[order], dense[diagonal], rtol=0, atol=1e-12)
    for held, g in parts.items():
        if held:
            square = result.sums_of_squares[tuple(f"m{k}" for k in held)]
            torch.testing.assert_close(square, g.square().sum(list(range(m))), rtol=0, atol=1e-10)
    if n > 1 and c > 1:
        same = run(
            grid + torch.randn(*[n] * m, 1, dtype=torch.float64), batch_size=batch_size
        )  # a shift of all classes
        for held, part in result.shares.items():
            dense = parts[tuple(int(name[1:]) for name in held)]
            dense = (dense - dense.mean(-1, keepdim=True)).square().sum() / (grid - grid.mean(-1, keepdim=True)).sub(
                (grid - grid.mean(-1, keepdim=True)).mean(list(range(m)))
            ).square().sum()
            assert part == pytest.approx(dense.item(), rel=0, abs=1e-10)
            assert same.shares[held] == pytest.approx(part, rel=0, abs=1e-10)
    if n > 1:
        assert sum(result.shares.values()) == pytest.approx(1, rel=0, abs=1e-12)
        assert sum(result.shares_of_orders.values()) == pytest.approx(1, rel=0, abs=1e-12)


def test_the_additive_part_subtracts_mu_m_minus_1_times():
    n, x = 6, torch.randn(4, 6, dtype=torch.float64) + 2
    for m in (2, 3, 4):
        f = lambda *index: sum(x[k][i] for k, i in enumerate(index))  # noqa: E731
        result = emap_of_many(f, {str(k): torch.arange(n) for k in range(m)})
        torch.testing.assert_close(result.projected, result.original, rtol=0, atol=1e-12)
        published = sum(result.marginals.values()) - result.grand_mean  # mu once, whatever m is
        off = (published - result.original).abs()
        torch.testing.assert_close(off, (m - 2) * result.grand_mean.abs().expand_as(off), rtol=0, atol=1e-12)
        assert result.shares_of_orders[1] == pytest.approx(1, rel=0, abs=1e-12)


def test_two_modalities_are_emap():
    grid = random_grid(7, 2, 3, 0)
    two = emap(lambda i, j: grid[i, j], torch.arange(7), torch.arange(7))
    many = run(grid)
    torch.testing.assert_close(many.projected, two.projected, rtol=0, atol=1e-12)
    assert [*many.shares.values()] == pytest.approx(
        [two.shares[k] for k in ("a", "b", "interaction")], rel=0, abs=1e-12
    )


def test_a_product_of_three_balanced_signs_is_all_three_way():
    sign = torch.tensor([1.0, -1, 1, -1])
    result = emap_of_many(lambda a, b, c: a * b * c, {"image": sign, "text": sign, "audio": sign})
    assert result.shares_of_orders == pytest.approx({1: 0, 2: 0, 3: 1}, rel=0, abs=1e-12)
    pairwise = emap_of_many(lambda a, b, c: a * c, {"image": sign, "text": sign, "audio": sign})
    assert pairwise.shares[("image", "audio")] == pytest.approx(1, rel=0, abs=1e-12)


def test_refusals():
    x = torch.arange(3.0)
    with pytest.raises(ValueError, match="at least 2 modalities of equal length"):
        emap_of_many(lambda a: a, {"a": x})
    with pytest.raises(ValueError, match="at least 2 modalities of equal length"):
        emap_of_many(lambda a, b: a, {"a": x, "b": torch.arange(4.0)})
    with pytest.raises(ValueError, match="expected at most max_cells"):
        emap_of_many(lambda a, b, c: a, dict.fromkeys("abc", torch.zeros(1000)))
    with pytest.raises(ValueError, match="batch_size: got 0"):
        emap_of_many(lambda a, b: a, {"a": x, "b": x}, batch_size=0)
    with pytest.raises(ValueError, match="same in every cell"):
        _ = emap_of_many(lambda a, b: a * 0, {"a": x, "b": x}).shares
    with pytest.raises(ValueError, match="NaN or infinity"):
        emap_of_many(lambda a, b, c: a / (b - c), dict.fromkeys("abc", x), check=False)
    with pytest.raises(ValueError, match="train mode"):
        emap_of_many(torch.nn.Bilinear(1, 1, 1), {"a": x[:, None], "b": x[:, None]})
    noise = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="twice in the same batch changed"):
        emap_of_many(lambda a, b: a + b + torch.randn(len(a), generator=noise), {"a": x, "b": x})
