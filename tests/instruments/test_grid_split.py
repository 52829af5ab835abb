"""Split heads: a split first layer and a last layer on means, against the dense definition of the same head."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmnb.instruments.emap import Concat, SplitHead, emap, project
from mmnb.models.fusion import ConcatMLP

# float64: sums of some hundred terms; float32: the rounding of single activations, relative to the largest number
RELATIVE = {torch.float64: 1e-12, torch.float32: 1e-5}


def near(ours, dense, dtype):
    scale = dense.abs().max().item()
    torch.testing.assert_close(ours, dense.double(), rtol=0, atol=RELATIVE[dtype] * max(scale, 1e-3))


def dense_grid(f, a, b):
    n = len(a)
    with torch.no_grad():
        return f(a.repeat_interleave(n, 0), b.repeat(n, 1)).view(n, n, -1)


def check(result, grid, dtype):
    n = len(grid)
    grid = grid.double()
    near(result.original, grid[range(n), range(n)], dtype)
    near(result.projected, project(grid)[range(n), range(n)], dtype)
    near(result.marginal_a, grid.mean(1), dtype)
    near(result.marginal_b, grid.mean(0), dtype)
    total = (grid - grid.mean((0, 1))).square().sum().item()
    if n > 1 and "interaction" in result.sums_of_squares:
        part = (grid - project(grid)).square().sum().item()
        assert result.sums_of_squares["interaction"].sum().item() / total == pytest.approx(
            part / total, rel=0, abs=RELATIVE[dtype]
        )
        assert sum(s.sum().item() for s in result.sums_of_squares.values()) / total == pytest.approx(
            1, rel=0, abs=RELATIVE[dtype]
        )


def world(n, da, db, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, da, generator=generator).to(dtype), torch.randn(n, db, generator=generator).to(dtype)


bodies = st.sampled_from(
    [
        lambda d, c: nn.Sequential(nn.Linear(d, 6), nn.ReLU(), nn.Linear(6, c)),
        lambda d, c: nn.Sequential(nn.Linear(d, 6, bias=False), nn.GELU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, c)),
        lambda d, c: nn.Sequential(nn.Linear(d, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, c, bias=False)),
        lambda d, c: nn.Sequential(nn.Sequential(nn.Linear(d, 6), nn.LayerNorm(6)), nn.ReLU(), nn.Linear(6, c)),
        lambda d, c: nn.Sequential(nn.Linear(d, c), nn.Sigmoid()),  # no linear tail
        lambda d, c: nn.Sequential(
            nn.Linear(d, 4), nn.ReLU(), nn.Linear(4, 3 * 4 + c)
        ),  # more outputs than activations
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    bodies,
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 10**6),
    st.sampled_from([None, 1, 3, 20]),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_sequential_heads_equal_the_dense_definition(body, n, da, db, c, seed, batch_size, dtype):
    torch.manual_seed(seed)
    head = Concat(body(da + db, c)).to(dtype).eval()
    a, b = world(n, da, db, seed, dtype)
    result = emap(head, a, b, batch_size=batch_size, strategy="split")
    check(result, dense_grid(head, a, b), dtype)


def test_every_strategy_gives_the_same_numbers_for_our_head():
    torch.manual_seed(0)
    head = ConcatMLP(5, 3, hidden=7).double().eval()
    a, b = world(20, 5, 5, 0)
    grid = dense_grid(head, a, b)
    for strategy in ("auto", "split", "pairs"):
        check(emap(head, a, b, strategy=strategy, batch_size=50), grid, torch.float64)


@pytest.mark.parametrize("outputs", [3, 40])  # fewer than the 8 activations: squares of outputs; more: second moments
def test_the_last_layer_is_applied_to_means_of_the_features(outputs):
    torch.manual_seed(1)
    body, last = nn.Sequential(nn.Linear(7, 8), nn.Tanh()).double().eval(), nn.Linear(8, outputs).double().eval()
    features = lambda x, y: body(torch.cat([x, y], 1))  # noqa: E731
    a, b = world(13, 3, 4, 1)
    whole = dense_grid(lambda x, y: last(features(x, y)), a, b)
    check(emap(features, a, b, last=last, batch_size=11), whole, torch.float64)
    lean = emap(features, a, b, last=last, shares=False)
    check(lean, whole, torch.float64)
    with pytest.raises(ValueError, match="shares=True"):
        _ = lean.shares


def test_a_last_layer_after_half_precision_features_keeps_its_sums():
    torch.manual_seed(0)
    last = nn.Linear(4, 2).half()
    a = torch.full((300, 4), 1000.0, dtype=torch.float16) + torch.arange(300)[:, None]
    result = emap(
        lambda x, y: (x + y).half(), a, a, last=last, check=False
    )  # sums of 600,000: far above half precision's 65,504
    expected = (a.double()[:, None] + a.double()[None]).half().double().mean(
        1
    ) @ last.weight.double().T + last.bias.double()
    torch.testing.assert_close(result.marginal_a, expected, rtol=1e-6, atol=0)  # summed in float32 within a block


class Hooked(ConcatMLP):
    """A subclass that does more than the parts it inherits say."""

    def forward(self, a, b):
        return super().forward(a, b) * 2


def test_a_head_that_does_more_than_its_parts_say_is_refused():
    torch.manual_seed(0)
    a, b = world(10, 3, 3, 0, torch.float32)
    head = Hooked(3, 2).eval()
    for check in (True, False):
        with pytest.raises(ValueError, match=r"does more than its parts, .* use strategy='pairs'"):
            emap(head, a, b, check=check)
    check_ = emap(head, a, b, strategy="pairs")
    assert check_.n_evaluations == 100


def test_what_is_not_a_split_head_is_not_taken_for_one():
    a, b = world(4, 2, 3, 0, torch.float32)
    norm_first = Concat(nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 2))).eval()
    check(emap(norm_first, a, b), dense_grid(norm_first, a, b), torch.float32)
    with pytest.raises(ValueError, match="strategy='split', but Concat does not offer it"):
        emap(norm_first, a, b, strategy="split")
    with pytest.raises(ValueError, match="got strategy='fast'"):
        emap(norm_first, a, b, strategy="fast")
    with pytest.raises(TypeError, match=r"expected an nn\.Linear"):
        emap(norm_first, a, b, last=nn.ReLU())


def test_a_head_in_train_mode_is_refused_inside_a_wrapper():
    a, b = world(4, 2, 3, 0, torch.float32)
    with pytest.raises(ValueError, match="train mode"):
        emap(Concat(nn.Sequential(nn.Linear(5, 4), nn.Dropout(), nn.Linear(4, 2))), a, b)


def test_one_of_our_own_parts():
    """A user's head may take itself apart: here with maps that are not modules, and a middle that is none."""
    torch.manual_seed(0)
    weight = torch.randn(3, 4, dtype=torch.float64)

    class Mine:
        def __call__(self, a, b):
            return (a @ weight + b @ weight).exp()

        def split_head(self):
            return SplitHead(lambda x: x @ weight, lambda x: x @ weight, [Exp()])

    class Exp(nn.Module):
        def forward(self, x):
            return x.exp()

    a, b = world(6, 3, 3, 0)
    with pytest.raises(ValueError, match="train mode"):
        emap(Exp(), a, b)
    check(emap(Mine(), a, b, strategy="split"), dense_grid(Mine(), a, b), torch.float64)
