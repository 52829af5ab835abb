"""Linear ends: a split first layer and a tail on means, against the dense definition of the same head."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmnb.instruments.emap import Concat, LinearEnds, emap, project
from mmnb.instruments.emap.grid import PairGrid, accumulate, column_blocks, diagonal, row_blocks
from mmnb.instruments.emap.linear_ends import SplitGrid, linear_ends_of
from mmnb.instruments.emap.result import finish
from mmnb.instruments.emap.sums import Sums, Tail
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
    assert linear_ends_of(head, a, b) is not None
    result = emap(head, a, b, batch_size=batch_size, method="ends")
    check(result, dense_grid(head, a, b), dtype)


def test_every_method_gives_the_same_numbers_for_our_head():
    torch.manual_seed(0)
    head = ConcatMLP(5, 3, hidden=7).double().eval()
    a, b = world(20, 5, 5, 0)
    grid = dense_grid(head, a, b)
    for method in ("auto", "ends", "pairs"):
        check(emap(head, a, b, method=method, batch_size=50), grid, torch.float64)


@pytest.mark.parametrize("outputs", [3, 40])  # fewer than the 8 activations: squares of outputs; more: second moments
def test_a_tail_is_applied_to_means_of_the_features(outputs):
    torch.manual_seed(1)
    body, tail = nn.Sequential(nn.Linear(7, 8), nn.Tanh()).double().eval(), nn.Linear(8, outputs).double().eval()
    features = lambda x, y: body(torch.cat([x, y], 1))  # noqa: E731
    a, b = world(13, 3, 4, 1)
    whole = dense_grid(lambda x, y: tail(features(x, y)), a, b)
    check(emap(features, a, b, tail=tail, batch_size=11), whole, torch.float64)
    lean = emap(features, a, b, tail=tail, shares=False)
    check(lean, whole, torch.float64)
    with pytest.raises(ValueError, match="shares=True"):
        _ = lean.shares


def test_the_cheaper_sum_of_squares_is_kept():
    diagonal = torch.zeros(2, 8)
    for outputs, narrow, shape in ((8, False, (8,)), (9, False, (8, 8)), (16, True, (16,)), (17, True, (8, 8))):
        tail = Tail(torch.zeros(outputs, 8, dtype=torch.float64), torch.zeros(outputs, dtype=torch.float64), narrow)
        assert Sums.start(diagonal, tail=tail).squares.shape == shape
    assert Sums.start(diagonal, squares=False).squares.shape == (0,)


def test_a_tail_before_half_precision_features_keeps_its_sums():
    torch.manual_seed(0)
    tail = nn.Linear(4, 2).half()
    a = torch.full((300, 4), 1000.0, dtype=torch.float16) + torch.arange(300)[:, None]
    result = emap(
        lambda x, y: (x + y).half(), a, a, tail=tail, check=False
    )  # sums of 600,000: far above half precision's 65,504
    expected = (a.double()[:, None] + a.double()[None]).half().double().mean(
        1
    ) @ tail.weight.double().T + tail.bias.double()
    torch.testing.assert_close(result.marginal_a, expected, rtol=1e-6, atol=0)  # summed in float32 within a block


def test_blocks_cover_the_grid_once_and_stay_within_the_batch():
    for n, batch_size in [(1, 1), (7, 3), (7, 50), (300, 129), (300, 4096), (1000, 4096), (5, 10**6)]:
        rows, columns = list(row_blocks(n, batch_size)), list(column_blocks(n, batch_size))
        assert [i for block in rows for i in block] == list(range(n)) == [j for block in columns for j in block]
        assert max(map(len, rows)) * max(map(len, columns)) <= batch_size


def test_parts_of_a_block_do_not_share_memory():
    """A block that is cut for want of memory is put together from parts: a part must survive the next."""
    torch.manual_seed(0)
    head = ConcatMLP(3, 2, hidden=4).eval()
    a, b = world(16, 3, 3, 0, torch.float32)
    with torch.no_grad():
        grid = SplitGrid(head.linear_ends(), a, b, 256)
        first = grid.block(range(8), range(16))
        before = first.clone()
        grid.block(range(8, 16), range(16))
    assert torch.equal(first, before)


def test_sums_merge_and_survive_a_break_bit_for_bit():
    torch.manual_seed(0)
    head = ConcatMLP(3, 2, hidden=4).eval()
    a, b = world(30, 3, 3, 0, torch.float32)
    with torch.no_grad():
        grid = SplitGrid(head.linear_ends(), a, b, 90)
        true = diagonal(grid)
        blocks = list(row_blocks(30, 90))
        whole = accumulate(grid, Sums.start(true, tail=grid.tail))
        half = accumulate(grid, Sums.start(true, tail=grid.tail), blocks[:4])
        resumed = Sums.start(true, tail=grid.tail)
        resumed.load_state_dict(half.state_dict())
        accumulate(grid, resumed, blocks[4:])
        for name, part in whole.state_dict().items():
            assert torch.equal(part, resumed.state_dict()[name]), name
        rest = accumulate(grid, Sums.start(true, tail=grid.tail), blocks[4:])
        half.merge(rest)
        torch.testing.assert_close(
            finish(half, grid.tail).projected, finish(whole, grid.tail).projected, rtol=0, atol=1e-12
        )
        with pytest.raises(ValueError, match="cells were summed"):
            finish(rest, grid.tail)
        other = Sums.start(true + 1, tail=grid.tail)
        with pytest.raises(ValueError, match="diagonals differ"):
            half.merge(other)
        with pytest.raises(ValueError, match="another grid"):
            half.load_state_dict(other.state_dict())


class Hooked(ConcatMLP):
    """A subclass that does more than the parts it inherits say."""

    def forward(self, a, b):
        return super().forward(a, b) * 2


def test_a_head_that_does_more_than_its_parts_say_is_refused():
    torch.manual_seed(0)
    a, b = world(10, 3, 3, 0, torch.float32)
    head = Hooked(3, 2).eval()
    for check in (True, False):
        with pytest.raises(ValueError, match="does more than its parts say, use method='pairs'"):
            emap(head, a, b, check=check)
    check_ = emap(head, a, b, method="pairs")
    assert check_.passes == 100


def test_what_is_not_a_split_head_is_not_taken_for_one():
    a, b = world(4, 2, 3, 0, torch.float32)
    norm_first = Concat(nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 2))).eval()
    assert linear_ends_of(norm_first, a, b) is None
    assert linear_ends_of(Concat(nn.Linear(6, 2)), a, b) is None  # another width
    assert linear_ends_of(lambda x, y: x, a, b) is None
    check(emap(norm_first, a, b), dense_grid(norm_first, a, b), torch.float32)
    with pytest.raises(ValueError, match="no linear ends are known of Concat"):
        emap(norm_first, a, b, method="ends")
    with pytest.raises(ValueError, match="got method='fast'"):
        emap(norm_first, a, b, method="fast")
    with pytest.raises(TypeError, match=r"expected an nn\.Linear"):
        emap(norm_first, a, b, tail=nn.ReLU())


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

        def linear_ends(self):
            return LinearEnds(lambda x: x @ weight, lambda x: x @ weight, [Exp()])

    class Exp(nn.Module):
        def forward(self, x):
            return x.exp()

    a, b = world(6, 3, 3, 0)
    with pytest.raises(ValueError, match="train mode"):
        emap(Exp(), a, b)
    check(emap(Mine(), a, b, method="ends"), dense_grid(Mine(), a, b), torch.float64)


def test_pair_grid_is_the_plain_path():
    a, b = world(5, 2, 2, 0)
    grid = PairGrid(lambda x, y: x * y, a, b, 5, 10)
    torch.testing.assert_close(grid.block(range(1, 3), range(5)), a[1:3, None] * b[None], rtol=0, atol=0)
