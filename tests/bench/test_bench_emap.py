"""What EMAP costs, against the other ways to compute it: `make bench`.

In one run, on the same model and data: one pair at a time (a), the full index list in memory (b), ours (c), and the limit, the bare N^2
forward passes with nothing kept (d). Ratios are of CPU seconds with one thread, the fastest of some rounds taken in turns.
"""

import pytest
import torch
from emap_baselines import bare_passes, full_index_list, one_pair_at_a_time
from emap_measure import in_own_process, ours
from emap_worlds import world


def close(left, right, rtol):
    left, right = (torch.as_tensor(side, dtype=torch.float64) for side in (left, right))
    torch.testing.assert_close(left, right, rtol=0, atol=rtol * right.abs().max().item())


@pytest.mark.parametrize(("name", "n"), [("concat-mlp", 60), ("transformer", 40), ("additive", 60)])
def test_all_ways_agree(name, n):
    w = world(name, n)
    with torch.no_grad():
        expected = ours(*w)
        for other in (one_pair_at_a_time, full_index_list):
            close(other(*w), expected, 1e-5)  # a float32 model rounds differently in batches of other sizes


def test_the_bare_passes_are_all_of_them():
    seen = []
    bare_passes(lambda a, b: seen.append(len(a)), torch.zeros(23, 1), torch.zeros(23, 1), 50)
    bare_passes(lambda a, b: seen.append(len(a)), torch.zeros(23, 1), torch.zeros(23, 1), 7)
    assert sum(seen) == 2 * 23**2 and max(seen) <= 50


@pytest.mark.parametrize("method", ["one-pair", "index-list", "ours", "bare"])
def test_seconds_at_n_200(benchmark, method):
    """The table of pytest-benchmark: the four ways side by side."""
    from emap_measure import METHODS

    benchmark.group = "concat-mlp, N = 200"
    benchmark.pedantic(METHODS[method], args=tuple(world("concat-mlp", 200)), rounds=3, warmup_rounds=1)


def test_plain_path_costs_hardly_more_than_the_bare_passes(fastest, ratio):
    for name, n, rounds in (("concat-mlp", 1000, 4), ("transformer", 300, 4)):
        w = world(name, n)
        seconds = fastest(rounds, ours=lambda w=w: ours(*w), bare=lambda w=w: bare_passes(*w))
        ratio(f"ours / bare passes, {name}, N={n}", seconds["ours"] / seconds["bare"], at_most=1.10)


def test_the_automatic_batch_stays_in_the_cache(fastest, ratio):
    w = world("concat-mlp", 700)
    calls = {f"bare_{size}": (lambda size=size: bare_passes(*w[:3], size)) for size in (512, 1024, 2048, 4096, 16384)}
    seconds = fastest(4, ours=lambda: ours(*w[:3], None), **calls)
    best = min(value for name, value in seconds.items() if name != "ours")
    ratio("ours by default / best bare passes, concat-mlp, N=700", seconds["ours"] / best, at_most=1.10)


def test_one_pair_at_a_time_is_slow(fastest, ratio):
    w = world("concat-mlp", 300)
    slow = fastest(1, slow=lambda: one_pair_at_a_time(*w))["slow"]
    plain = fastest(4, plain=lambda: ours(*w))["plain"]
    ratio("one pair at a time / ours, plain, N=300", slow / plain, at_least=5)


def test_cost_and_memory_grow_with_n(report):
    """Each in a process of its own. The index list and the nested dict grow with N^2 in memory, ours with N."""
    for name, method, sizes in (
        ("concat-mlp", "one-pair", (100, 200, 400)),
        ("concat-mlp", "index-list", (100, 200, 400, 800)),
        ("concat-mlp", "ours", (100, 200, 400, 800, 1600)),
        ("concat-mlp", "bare", (100, 200, 400, 800)),
        ("additive", "index-list", (500, 1000, 2000)),
        ("additive", "ours", (500, 1000, 2000, 4000)),
    ):
        for n in sizes:
            report["rows"].append({"world": name, "method": method, "n": n, **in_own_process(method, name, n)})
    peak = {(row["world"], row["method"], row["n"]): row["peak_mb"] for row in report["rows"]}
    grid = 2000**2 * 10 * 4 / 1e6
    assert peak["additive", "index-list", 2000] > grid, "the baseline holds the grid"
    assert peak["additive", "ours", 2000] < grid / 2, "ours does not"


def test_twenty_thousand_examples_fit(report, ratio):
    row = {"world": "additive", "method": "ours", "n": 20_000, **in_own_process("ours", "additive", 20_000)}
    report["rows"].append(row)
    ratio("memory above the model's own, N=20,000, C=10, MB", row["peak_mb"], at_most=200)
