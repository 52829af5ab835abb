"""Too little memory, and how much is needed; models in half precision."""

import warnings

import emap_measure
import pytest
import torch

from mmnb.instruments.emap import TwoTower, emap, project
from mmnb.instruments.grid.cells import out_of_memory


class Greedy:
    """x * y, on a computer that has memory for `room` pairs."""

    def __init__(self, room, error=None):
        self.room, self.asked, self.error = (
            room,
            [],
            error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        )

    def __call__(self, x, y):
        self.asked.append(len(x))
        if len(x) > self.room:
            raise self.error
        return x * y


def inputs(n=13, c=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, c, generator=generator), torch.randn(n, c, generator=generator)


@pytest.mark.parametrize("room", [1, 2, 5, 12, 13, 14, 100])
@pytest.mark.parametrize("batch_size", [3, 13, 64, 1000])
def test_out_of_memory_halves_the_batch_and_goes_on(room, batch_size):
    a, b = inputs()
    f = Greedy(room)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = emap(f, a, b, batch_size=batch_size)
    expected = emap(Greedy(10**9), a, b, batch_size=batch_size)
    assert torch.equal(result.projected, expected.projected), "the order of the sums must not depend on memory"
    for name, part in expected.sums_of_squares.items():
        assert torch.equal(result.sums_of_squares[name], part)
    too_many = [asked for asked in f.asked if asked > room]
    assert too_many == sorted(set(too_many), reverse=True), "once it is known to be too many, it is not tried again"
    assert len(caught) == len(too_many)
    assert all(
        f"out of memory with {asked} pairs" in str(one.message) for asked, one in zip(too_many, caught, strict=True)
    )


@pytest.mark.filterwarnings("ignore:grid. out of memory")
def test_no_room_for_a_single_pair_is_the_models_own_error():
    with pytest.raises(torch.OutOfMemoryError, match="20 GiB"):
        emap(Greedy(0), *inputs())


def test_other_errors_are_not_taken_for_it():
    f = Greedy(5, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot"):
        emap(f, *inputs(), batch_size=10)
    assert f.asked == [10]


def test_what_counts_as_out_of_memory():
    with pytest.raises(RuntimeError) as cpu:
        torch.empty(2**60, dtype=torch.uint8)
    for error in (cpu.value, MemoryError(), RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")):
        assert out_of_memory(error)
    for error in (RuntimeError("the memory format is unsupported"), ValueError("x")):
        assert not out_of_memory(error)


def test_a_resumed_run_remembers_how_much_fits(tmp_path):
    a, b = inputs(40)
    options = {"batch_size": 80, "checkpoint": tmp_path / "sums", "save_every": 0, "check": False}

    class Stop(Exception):
        pass

    class Stopped(Greedy):
        def __call__(self, x, y):
            if len(self.asked) > 60:
                raise Stop
            return super().__call__(x, y)

    with pytest.warns(UserWarning, match="at most 20"), pytest.raises(Stop):
        emap(Stopped(30), a, b, **options)
    last = Greedy(30)
    with pytest.warns(UserWarning):
        resumed = emap(last, a, b, **options)
    # the true pairs, scored anew before the checkpoint is read, find out once; the grid does not
    assert [asked for asked in last.asked if asked > 30] == [40]
    whole = emap(Greedy(10**9), a, b, batch_size=80)
    assert torch.equal(resumed.projected, whole.projected)


def test_towers_are_encoded_in_parts_that_fit():
    def encode(x):
        if len(x) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x.tanh()

    a, b = inputs()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = emap(TwoTower(encode, encode, lambda u, v: u * v + u), a, b)
    assert any("out of memory with 13 examples" in str(one.message) for one in caught)
    expected = emap(lambda x, y: x.tanh() * y.tanh() + x.tanh(), a, b)
    torch.testing.assert_close(result.projected, expected.projected, rtol=0, atol=1e-6)  # float32 models


# --- half precision ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("level", [0.0, 500.0])
def test_half_precision_models_do_not_lose_the_sums(dtype, level):
    """The model rounds; the sums do not: they equal those of the rounded grid in float64. A float16 sum would overflow at 65504."""
    n = 300
    a, b = torch.randn(n, 2).to(dtype), (torch.randn(n, 2) + level).to(dtype)
    grid = (a[:, None] * 0.1 + b[None]).double()  # elementwise, so that each cell rounds as in a batch
    result = emap(lambda x, y: x * 0.1 + y, a, b, batch_size=1000)
    dense = project(grid)[range(n), range(n)]
    # float64 sums of 300 numbers of size `level`: a few units of 1e-16 each
    torch.testing.assert_close(result.projected, dense, rtol=0, atol=1e-10)
    brute = (grid - grid.mean((0, 1))).square().sum((0, 1))
    torch.testing.assert_close(sum(result.sums_of_squares.values()), brute, rtol=1e-9, atol=0)
    if level:
        naive = (
            sum(grid.to(dtype)[0, :, 0], torch.zeros((), dtype=dtype)) / n
        )  # what summing in the model's dtype would give
        assert not (naive.double() - grid[0, :, 0].mean()).abs() < 0.1


def test_autocast_around_it_changes_the_model_only():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).eval()
    a, b = torch.randn(50, 4), torch.randn(50, 4)
    seen = set()

    def f(x, y):
        output = model(torch.cat([x, y], 1))
        seen.add(output.dtype)
        return output

    full = emap(f, a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = emap(f, a, b)
    assert seen == {torch.float32, torch.bfloat16} and half.projected.dtype == torch.float64
    scale = full.projected.abs().max().item()
    torch.testing.assert_close(half.projected, full.projected, rtol=0, atol=2**-6 * scale)  # bfloat16 has 8 bits
    torch.testing.assert_close(half.marginal_a.mean(0), half.grand_mean, rtol=0, atol=1e-12)


# --- how much memory --------------------------------------------------------------------------------------------------------


def test_the_grid_is_never_there_as_a_whole():
    """N = 2000, C = 10: the grid alone would be 160 MB in the model's float32 and 320 MB in float64."""
    used = emap_measure.in_own_process("ours", "additive", 2000)
    assert used["peak_mb"] < 80


def test_memory_grows_with_n_not_with_its_square(monkeypatch):
    """The formula behind "N = 20,000 in 200 MB": every tensor that is made has at most (2 batches or N C) numbers."""
    largest = {}

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, list | tuple) else [out]:
                if isinstance(tensor, torch.Tensor):
                    largest[n] = max(largest.get(n, 0), tensor.numel() * tensor.element_size())
            return out

    for n in (100, 400):
        a, b = torch.randn(n, 10), torch.randn(n, 10)
        with Watch():
            emap(lambda x, y: x + y, a, b, batch_size=512)
        assert largest[n] <= 8 * 10 * max(2 * 512, n)
