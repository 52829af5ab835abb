"""One pass, many accumulators: bit for bit the sums of a plain loop, and the dense definition of everything else."""

import pytest
import torch
from torch import nn

from mmnb.instruments.emap import Concat
from mmnb.instruments.grid import Sums, SumsOf, TrueRank, Votes, sweep


def random_grid(n, c, dtype=torch.float64, seed=0):
    return torch.randn(n, n, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def run(grid, accumulators, **options):
    index = torch.arange(len(grid))
    return sweep(lambda i, j: grid[i, j], index, index, accumulators, **options)


def plain_loop(grid, batch_size, last=None):
    """Row sums, column sums and squares as the first version summed them: the order of additions is part of the definition."""
    n, h = len(grid), grid.shape[2]
    diagonal = grid[range(n), range(n)].double()
    pivot, row, column = diagonal.mean(0), diagonal.new_zeros(n, h), diagonal.new_zeros(n, h)
    weight = None if last is None else last.weight.detach().double()
    moments = last is not None and len(weight) > (2 * h if last.weight.dtype != torch.float64 else h)
    squares = diagonal.new_zeros((h, h) if moments else h if last is None else len(weight))
    rows = max(1, batch_size // n, min(32, n, batch_size // 128))
    columns = min(n, batch_size // rows)
    for i in range(0, n, rows):
        for j in range(0, n, columns):
            block = grid[i : i + rows, j : j + columns]
            block = block.double() - pivot if last is None else block.float() if block.element_size() < 4 else block
            row[i : i + rows] += block.sum(1)
            column[j : j + columns] += block.sum(0)
            if moments:
                centred = block.flatten(0, 1).double() - pivot
                squares += centred.T @ centred
            elif last is not None:
                outputs = weight.to(block) @ block.flatten(0, 1).T
                squares += (outputs.double() - (weight @ pivot)[:, None]).square().sum(1)
            else:
                squares += block.square().sum((0, 1))
    return {"row": row, "column": column, "squares": squares}


def same_bits(sums, expected):
    for name, tensor in expected.items():
        assert torch.equal(getattr(sums, name), tensor), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("n", "batch_size"), [(7, 3), (40, 7), (97, 40), (97, 1000), (301, 4096)])
@torch.no_grad()
def test_sums_have_the_bits_of_the_plain_loop(dtype, n, batch_size):
    grid, sums = random_grid(n, 5, dtype), Sums()
    run(grid, {"sums": sums}, batch_size=batch_size)
    same_bits(sums, plain_loop(grid, batch_size))
    for outputs in (3, 8, 12):  # after a last layer: sums of squares of few outputs, second moments for many
        last = nn.Linear(5, outputs).to(dtype).eval()
        run(grid, {"sums": sums}, batch_size=batch_size, last=last)
        same_bits(sums, plain_loop(grid, batch_size, last))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("outputs", [3, 20])
@torch.no_grad()
def test_a_split_head_has_the_bits_of_the_plain_loop(dtype, outputs):
    torch.manual_seed(0)
    first, last = nn.Linear(6, 8).to(dtype), nn.Linear(8, outputs).to(dtype)
    a, b = torch.randn(50, 4).to(dtype), torch.randn(50, 2).to(dtype)
    left, right = nn.functional.linear(a, first.weight[:, :4], first.bias), nn.functional.linear(b, first.weight[:, 4:])
    sums = Sums()
    sweep(Concat(nn.Sequential(first, nn.ReLU(), last)).eval(), a, b, {"sums": sums}, batch_size=170, strategy="split")
    same_bits(sums, plain_loop((left[:, None] + right[None]).relu(), 170, last))


def close(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


@pytest.mark.parametrize("c", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [3, 50, 10**4])
def test_every_accumulator_equals_its_dense_definition(c, batch_size):
    n, y = 23, torch.arange(23) % max(2, c)
    grid = random_grid(n, c)
    of_log, of_p, votes = SumsOf("log_probabilities"), SumsOf("probabilities"), Votes()
    true = run(grid, {"log": of_log, "p": of_p, "votes": votes, "sums": Sums()}, batch_size=batch_size)
    logits = grid if c > 1 else torch.cat([torch.zeros_like(grid), grid], 2)
    for one, dense in ((of_log, logits.log_softmax(2)), (of_p, logits.softmax(2))):
        dense = dense - dense[range(n), range(n)].mean(0)
        close(one.row, dense.sum(1))
        close(one.column, dense.sum(0))
        close(one.squares, dense.square().sum((0, 1)))
    guess = nn.functional.one_hot(logits.argmax(2), max(2, c))
    assert torch.equal(votes.row, guess.sum(1)) and torch.equal(votes.column, guess.sum(0))
    assert torch.equal(votes.row[range(n), y], (logits.argmax(2) == y[:, None]).sum(1))  # correct when b is exchanged
    assert torch.equal(true.prediction, logits[range(n), range(n)].argmax(1)) and true.n_evaluations == n * n


def test_ranks_of_the_true_pairs():
    grid, ranks = random_grid(30, 1).round(decimals=1), TrueRank()  # with ties, which count against the true pair
    run(grid, {"ranks": ranks}, batch_size=70)
    own = grid[range(30), range(30), 0]
    assert torch.equal(ranks.row, (grid[..., 0] >= own[:, None]).sum(1) - 1)
    assert torch.equal(ranks.column, (grid[..., 0] >= own[None]).sum(0) - 1)
    with pytest.raises(ValueError, match="got 3 scores per pair; expected 1"):
        run(random_grid(4, 3), {"ranks": TrueRank()})
    with pytest.raises(ValueError, match="got 'logits'"):
        SumsOf("logits")


def test_outputs_of_a_last_layer_are_those_of_the_whole_model():
    torch.manual_seed(0)
    last, features = nn.Linear(4, 3).double().eval(), random_grid(20, 4)
    with torch.no_grad():
        grid = last(features)
    votes, expected, of_p, dense = Votes(), Votes(), SumsOf("probabilities"), SumsOf("probabilities")
    run(features, {"votes": votes, "p": of_p}, last=last, batch_size=90)
    run(grid, {"votes": expected, "p": dense}, batch_size=90)
    assert torch.equal(votes.row, expected.row) and torch.equal(votes.column, expected.column)
    close(of_p.row, dense.row)


def test_shifts_go_through_the_same_accumulators():
    """Every row and column gets K different partners, and never its own."""
    n, k, c = 30, 7, 3
    grid, seen = random_grid(n, c), torch.zeros(n, n, dtype=torch.bool)

    def f(i, j):
        seen[i, j] = True
        return grid[i, j]

    sums, votes, index = Sums(), Votes(), torch.arange(n)
    true = sweep(f, index, index, {"sums": sums, "votes": votes}, shifts=k, batch_size=45, check=False)
    assert seen.diagonal().all() and true.n_evaluations == n * (k + 1)
    false = seen & ~torch.eye(n, dtype=torch.bool)
    assert (false.sum(0) == k).all() and (false.sum(1) == k).all()
    terms = (grid - true.pivot) * false[..., None]
    close(sums.row, terms.sum(1))
    close(sums.column, terms.sum(0))
    close(sums.squares, terms.square().sum((0, 1)))
    guess = nn.functional.one_hot(grid.argmax(2), c) * false[..., None]
    assert torch.equal(votes.row, guess.sum(1)) and torch.equal(votes.column, guess.sum(0))
    ranks = TrueRank()
    run(grid[..., :1], {"ranks": ranks}, shifts=k)
    assert (ranks.row <= k).all() and ranks.row.sum() > 0


def everything():
    return {"sums": Sums(), "log": SumsOf("log_probabilities"), "votes": Votes()}


class Stop(Exception):
    """Stands for whatever ends a run."""


def test_all_accumulators_resume_with_the_same_bits(tmp_path):
    grid, index, calls = random_grid(40, 3), torch.arange(40), 0

    def f(i, j):
        nonlocal calls
        calls += 1
        if calls == 25:
            raise Stop
        return grid[i, j]

    options = {"batch_size": 40, "checkpoint": tmp_path / "pass", "save_every": 0}
    with pytest.raises(Stop):
        sweep(f, index, index, everything(), **options)
    resumed, whole, again = everything(), everything(), everything()
    sweep(f, index, index, resumed, **options)
    run(grid, whole, batch_size=40)
    sweep(f, index, index, again, **options)
    for name, one in whole.items():
        same_bits(resumed[name], one.state())
        same_bits(again[name], one.state())
    with pytest.raises(ValueError, match="belongs to another run: accumulators was"):
        sweep(f, index, index, everything() | {"log": SumsOf("probabilities")}, **options)
