"""Heads that cross features of both sides, against the dense definition of the same head."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmnb.instruments.emap import TwoTower, emap, project
from mmnb.models.fusion import DotProduct, Multiplicative, OnlyA, OnlyB, SumOfLogits

HEADS = {
    "OnlyA": OnlyA,
    "OnlyB": OnlyB,
    "SumOfLogits": SumOfLogits,
    "Multiplicative": Multiplicative,
    "DotProduct": lambda d, c: DotProduct(d),
}


def dense_grid(f, a, b):
    n = len(a)
    with torch.no_grad():
        return f(a.repeat_interleave(n, 0), b.repeat(n, 1)).view(n, n, -1).double()


def check(result, grid, relative):
    n, scale = len(grid), grid.abs().max().item()
    for ours, dense in [
        (result.original, grid[range(n), range(n)]),
        (result.projected, project(grid)[range(n), range(n)]),
        (result.marginal_a, grid.mean(1)),
        (result.marginal_b, grid.mean(0)),
        (result.grand_mean, grid.mean((0, 1))),
    ]:
        torch.testing.assert_close(ours, dense, rtol=0, atol=relative * scale)
    brute = {
        "a": n * (grid.mean(1) - grid.mean((0, 1))).square().sum(0),
        "b": n * (grid.mean(0) - grid.mean((0, 1))).square().sum(0),
        "interaction": (grid - project(grid)).square().sum((0, 1)),
    }
    for name, part in brute.items():  # relative to the squares of all scores, as rounding is
        torch.testing.assert_close(result.sums_of_squares[name], part, rtol=0, atol=relative * n * n * scale**2)


def world(n, d, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (3 + torch.randn(n, d, generator=generator)).to(dtype), torch.randn(n, d, generator=generator).to(dtype)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(sorted(HEADS)),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 10**6),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([(torch.float64, 1e-12), (torch.float32, 1e-5)]),
)
def test_crossing_equals_the_dense_definition(name, n, d, c, seed, batch_size, precision):
    dtype, relative = precision
    torch.manual_seed(seed)
    head = HEADS[name](d, c).to(dtype).eval()
    a, b = world(n, d, seed, dtype)
    grid = dense_grid(head, a, b)
    for strategy in ("cross", "auto", "pairs"):
        check(emap(head, a, b, batch_size=batch_size, strategy=strategy), grid, relative)
    with torch.no_grad():
        torch.testing.assert_close(head.cross(a, b[:2]).double(), grid[:, :2], rtol=0, atol=relative * grid.abs().max())


def test_the_head_is_not_called_pair_by_pair():
    class Counted(Multiplicative):
        pairs = 0

        def forward(self, a, b):
            self.pairs += len(a)
            return super().forward(a, b)

    head = Counted(4, 2).double().eval()
    result = emap(head, *world(100, 4, 0))
    assert head.pairs < 6 * 100 and result.n_evaluations == 100**2  # true pairs, checks and comparisons


def test_a_head_that_is_not_its_cross_is_refused():
    class Sloppy(Multiplicative):
        def cross(self, a, b):
            return super().cross(a, b) - self.linear.bias

    class More(Multiplicative):
        def forward(self, a, b):
            return super().forward(a, b).relu()

    for kind in (Sloppy, More):
        torch.manual_seed(0)
        with pytest.raises(ValueError, match="CrossCells and the model itself differ"):
            emap(kind(4, 2).double().eval(), *world(30, 4, 0))
    with pytest.raises(ValueError, match="strategy='cross', but function does not offer it"):
        emap(lambda u, v: u * v, *world(5, 3, 0), strategy="cross")


def test_towers_may_end_in_a_head_that_crosses():
    torch.manual_seed(0)
    a, b = world(25, 4, 0)
    head = Multiplicative(4, 3).double().eval()
    check(
        emap(TwoTower(torch.tanh, torch.cos, head), a, b),
        dense_grid(lambda u, v: head(u.tanh(), v.cos()), a, b),
        1e-12,
    )


def test_shares_may_be_left_out_constants_and_half_precision_do_not_break_them():
    a, b = world(10, 3, 0)
    head = Multiplicative(3, 2).double().eval()
    with pytest.raises(ValueError, match="shares=True"):
        _ = emap(head, a, b, shares=False).shares
    still = torch.ones_like(a)
    assert emap(head, a, still).shares == pytest.approx({"a": 1.0, "b": 0.0, "interaction": 0.0}, rel=0, abs=1e-12)
    emap(head.half(), a.half(), a.half())
