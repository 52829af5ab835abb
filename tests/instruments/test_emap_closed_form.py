"""Heads that are affine in each side: O(N) evaluations against the dense definition, and the refusal of all others."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmnb.instruments.emap import Concat, TwoTower, emap, project
from mmnb.models.fusion import Bilinear, ConcatMLP, DotProduct, Film, Multiplicative, OnlyA, OnlyB, SumOfLogits

HEADS = {
    "OnlyA": lambda d, c: OnlyA(d, c),
    "OnlyB": lambda d, c: OnlyB(d, c),
    "SumOfLogits": lambda d, c: SumOfLogits(d, c),
    "Multiplicative": lambda d, c: Multiplicative(d, c),
    "Bilinear": lambda d, c: Bilinear(d, c),
    "Film": lambda d, c: Film(d, c),
    "DotProduct": lambda d, c: DotProduct(d),
    "Concat": lambda d, c: Concat(nn.Linear(2 * d, c)),
    "two layers": lambda d, c: Concat(nn.Sequential(nn.Linear(2 * d, 3), nn.Linear(3, c))),
}


def dense_grid(f, a, b):
    n = len(a)
    with torch.no_grad():
        return f(a.repeat_interleave(n, 0), b.repeat(n, *[1] * (b.ndim - 1))).view(n, n, -1).double()


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


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(HEADS)),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 10**6),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([(torch.float64, 1e-12), (torch.float32, 1e-5)]),
)
def test_closed_form_equals_the_dense_definition(name, n, d, c, seed, batch_size, precision):
    dtype, relative = precision
    torch.manual_seed(seed)
    head = HEADS[name](d, c).to(dtype).eval()
    a, b = world(n, d, seed, dtype)
    grid = dense_grid(head, a, b)
    check(emap(head, a, b, batch_size=batch_size, method="closed"), grid, relative)
    automatic = emap(head, a, b, batch_size=batch_size)
    check(automatic, grid, relative)
    check(emap(head, a, b, batch_size=batch_size, method="pairs"), grid, relative)


def test_all_pairs_at_once_are_all_pairs():
    a, b = world(5, 4, 0)
    for name, make in HEADS.items():
        head = make(4, 3).double()
        if hasattr(head, "cross"):
            torch.testing.assert_close(
                head.cross(a, b[:3]), dense_grid(head, a, b)[:, :3], rtol=0, atol=1e-12, msg=name
            )


def test_it_is_taken_by_itself_and_costs_order_n():
    a, b = world(400, 3, 0)
    heads = [make(3, 2).double().eval() for make in HEADS.values()]
    for head in heads:
        assert emap(head, a, b).passes < 400 * 30
        assert emap(head, a, b, method="pairs").passes == 400**2


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 30), st.integers(0, 1000), st.sampled_from(["float32", "float64"]))
def test_a_user_head_that_is_not_affine_is_refused(n, seed, dtype):
    torch.manual_seed(seed)
    a, b = world(n, 4, seed, getattr(torch, dtype))
    not_affine = {
        "tanh after the sum": lambda u, v: (u + v).tanh(),
        "square of b": lambda u, v: u * v * v,
        "distance": lambda u, v: (u - v).square().sum(1),
        "cosine": lambda u, v: nn.functional.cosine_similarity(u, v),
        "slightly curved": lambda u, v: u * v + 0.01 * (u * v).square(),
        "hidden layer": ConcatMLP(4, 3, hidden=64).to(a.dtype).eval(),
    }
    for name, head in not_affine.items():
        with pytest.raises(ValueError, match="the head is not affine in"):
            emap(head, a, b, method="closed", check=False)
            pytest.fail(name)


def test_the_refusal_says_which_side_and_what_to_do():
    a, b = world(20, 4, 0)
    with pytest.raises(ValueError, match=r"not affine in a: .*method='auto' or 'pairs'"):
        emap(lambda u, v: u.sin() * v, a, b, method="closed")
    with pytest.raises(ValueError, match=r"not affine in b: "):
        emap(lambda u, v: u * v.sin(), a, b, method="closed")


def test_a_false_promise_of_a_head_is_found_out():
    class Liar(Multiplicative):
        multi_affine = True

        def forward(self, a, b):
            return super().forward(a, b).relu()

    a, b = world(30, 4, 0)
    with pytest.raises(ValueError, match="not affine"):
        emap(Liar(4, 2).double().eval(), a, b)


def test_a_cross_that_is_not_the_head_is_found_out():
    class Sloppy(Multiplicative):
        def cross(self, a, b):
            return super().cross(a, b) - self.linear.bias

    with pytest.raises(ValueError, match=r"cross\(\) of the head and the head itself differ"):
        emap(Sloppy(4, 2).double().eval(), *world(30, 4, 0))


def test_a_users_affine_head_is_trusted_after_the_check():
    a, b = world(25, 4, 0)
    dot = TwoTower(torch.tanh, torch.exp, lambda u, v: (u * v).sum(1))
    grid = dense_grid(dot, a, b)
    check(emap(dot, a, b, method="closed"), grid, 1e-12)


def test_features_may_have_more_axes_than_two():
    a, b = world(6, 12, 0)
    a, b = a.view(6, 3, 4), b.view(6, 3, 4)
    attention = lambda u, v: torch.einsum("ntd,nsd->n", u, v)  # noqa: E731
    check(emap(attention, a, b, method="closed"), torch.einsum("itd,jsd->ij", a, b)[..., None], 1e-12)


def test_shares_may_be_left_out_and_constants_do_not_break_them():
    a, b = world(10, 3, 0)
    head = Multiplicative(3, 2).double().eval()
    with pytest.raises(ValueError, match="shares=True"):
        _ = emap(head, a, b, shares=False).shares
    still = torch.ones_like(a)
    assert emap(head, a, still).shares == pytest.approx({"a": 1.0, "b": 0.0, "interaction": 0.0}, rel=0, abs=1e-12)


def test_refuses_features_without_enough_digits():
    a = torch.randn(5, 3).half()
    with pytest.raises(TypeError, match=r"the features of a are torch\.float16"):
        emap(lambda u, v: u * v, a, a, method="closed")
    with pytest.raises(TypeError, match="the features of a are list"):
        emap(lambda u, v: torch.ones(len(u)), ["x", "y"], ["x", "y"], method="closed")
    emap(Multiplicative(3, 2).half().eval(), a, a)  # in itself: all pairs


def test_one_example():
    result = emap(Multiplicative(3, 2).double().eval(), *world(1, 3, 0))
    torch.testing.assert_close(result.projected, result.original, rtol=0, atol=1e-13)
