"""Rows shared among processes: the same result as one process, and one error for all. One start of torchrun runs all jobs."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmnb.instruments.emap import emap
from mmnb.instruments.grid import Votes, sweep
from mmnb.instruments.grid.processes import ProcessGroup

posix = pytest.mark.skipif(os.name == "nt", reason="torchrun with gloo")

WORKER = """
import json, sys
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from mmnb.instruments.emap import emap
from mmnb.instruments.grid import Votes, sweep

folder, jobs = sys.argv[1], json.load(open(sys.argv[1] + "/jobs.json"))
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, two = dist.get_rank(), dist.new_group([0, 1])

for name, job in jobs.items():
    n, trouble = job["n"], job.get("trouble", {})
    if rank >= job["world"]:
        continue
    torch.manual_seed(rank if trouble.get("kind") == "own weights" else 0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double().eval()
    torch.manual_seed(1)
    a, b = torch.randn(n, 5).double(), torch.randn(n, 5).double()
    calls = 0

    def f(x, y):
        global calls
        calls += 1
        if trouble.get("rank") == rank and calls == trouble["call"]:
            raise {"value": ValueError, "key": KeyError}[trouble["kind"]]("the model is broken here")
        return model(torch.cat([x, y], 1))

    options = {"batch_size": job.get("batch_size", 7), "distributed": True if job["world"] == 3 else two}
    try:
        if job.get("votes"):
            votes = Votes()
            sweep(f, a, b, {"votes": votes}, **options)
            tensors = votes.state()
        else:
            r = emap(f, a, b, checkpoint=job.get("checkpoint"), save_every=0, **options)
            tensors = {key: getattr(r, key) for key in ("original", "projected", "marginal_a", "marginal_b", "grand_mean")}
            tensors |= {"ss_" + key: part for key, part in r.sums_of_squares.items()}
        save_file(tensors | {"calls": torch.tensor(calls)}, f"{folder}/{name}.{rank}")
    except (ValueError, RuntimeError, KeyError) as error:
        open(f"{folder}/{name}.{rank}.error", "w").write(f"{type(error).__name__}: {error}")
dist.destroy_process_group()
"""

SIZES = [(1, 7), (2, 7), (3, 1), (11, 7), (11, 25), (20, 10**6), (31, 62), (40, 40)]


def jobs(folder):
    sums = {"n": 33, "batch_size": 33, "checkpoint": str(folder / "sums.safetensors"), "world": 2}
    found = {f"n{n}-b{b}-w{w}": {"n": n, "batch_size": b, "world": w} for n, b in SIZES for w in (2, 3)}
    return found | {
        "votes": {"n": 31, "votes": True, "world": 3},
        "value": {"n": 60, "world": 3, "trouble": {"rank": 1, "call": 60, "kind": "value"}},
        "key": {"n": 60, "world": 2, "trouble": {"rank": 1, "call": 1, "kind": "key"}},  # before the pass begins
        "weights": {"n": 9, "world": 2, "trouble": {"kind": "own weights"}},
        "stopped": sums | {"trouble": {"rank": 1, "call": 12, "kind": "value"}},
        "resumed": sums,
        "whole": sums | {"checkpoint": None},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where three processes have left the results and errors of all jobs."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "worker.py").write_text(WORKER, encoding="utf-8")
    (folder / "jobs.json").write_text(json.dumps(jobs(folder)), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3", "--standalone"]
    command += ["--local-addr", "127.0.0.1", str(folder / "worker.py"), str(folder)]
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    return folder


def model_and_data(n):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double().eval()
    torch.manual_seed(1)
    a, b = torch.randn(n, 5).double(), torch.randn(n, 5).double()
    return (lambda x, y: model(torch.cat([x, y], 1))), a, b


@posix
@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(("n", "batch_size"), SIZES)
def test_several_processes_equal_one(folder, n, batch_size, world):
    expected = emap(*model_and_data(n), batch_size=batch_size)
    answers = [load_file(folder / f"n{n}-b{batch_size}-w{world}.{rank}") for rank in range(world)]
    calls = [int(answer.pop("calls")) for answer in answers]
    for answer in answers:
        for key, part in answer.items():
            wanted = expected.sums_of_squares[key[3:]] if key.startswith("ss_") else getattr(expected, key)
            # scores are of order 1, float64, and only the order of the sums differs
            torch.testing.assert_close(part, wanted, rtol=0, atol=1e-9)
            assert torch.equal(part, answers[0][key]), "ranks disagree"
    if n == batch_size == 40:  # 40 single rows: shared so that no rank has two more than another
        assert max(calls) - min(calls) <= 1


@posix
def test_counts_of_several_processes_are_those_of_one(folder):
    votes = Votes()
    sweep(*model_and_data(31), {"votes": votes}, batch_size=7)
    for rank in range(3):
        found = load_file(folder / f"votes.{rank}")
        assert torch.equal(found["row"], votes.row) and torch.equal(found["column"], votes.column)


@posix
@pytest.mark.parametrize(
    ("job", "world", "text"),
    [
        ("value", 3, "ValueError: grid: rank 1 of 3 failed with ValueError: the model is broken here"),
        ("key", 2, "RuntimeError: grid: rank 1 of 2 failed with KeyError: 'the model is broken here'"),
    ],
)
def test_one_rank_fails_and_all_stop_with_its_error(folder, job, world, text):
    errors = [(folder / f"{job}.{rank}.error").read_text() for rank in range(world)]
    assert errors.count(text) == world - 1 and "the model is broken here" in errors[1]
    assert list(folder.glob(f"{job}.?")) == []


@posix
def test_ranks_with_different_models_are_refused(folder):
    for rank in range(2):
        assert "rank 1 of 2 differs from rank 0 in model" in (folder / f"weights.{rank}.error").read_text()


@posix
def test_a_run_that_was_stopped_resumes_with_the_same_bits(folder):
    saved = {path.name for path in folder.glob("sums.*")}
    assert saved == {"sums.rank-0-of-2.safetensors", "sums.rank-1-of-2.safetensors"}
    assert (folder / "stopped.0.error").exists()
    for rank in range(2):
        resumed, whole = load_file(folder / f"resumed.{rank}"), load_file(folder / f"whole.{rank}")
        assert int(resumed.pop("calls")) < int(whole.pop("calls"))
        for key, part in whole.items():
            assert torch.equal(resumed[key], part), key
    with pytest.raises(ValueError, match="belongs to a run of 2 processes and this one has 1"):
        emap(lambda x, y: x * y, torch.ones(3), torch.ones(3), checkpoint=folder / "sums.safetensors")


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 100])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("step", [1, 4, 1000])
def test_every_row_belongs_to_one_rank_and_shares_are_even(n, world, step):
    ranks = []
    for rank in range(world):
        one = ProcessGroup()
        one.rank, one.world = rank, world
        ranks.append(list(one.rounds(n, step)))
    assert sorted(i for rounds in ranks for rows in rounds for i in rows) == list(range(n))
    assert len({len(rounds) for rounds in ranks}) == 1, "the ranks would not meet equally often"
    shares = [sum(map(len, rounds)) for rounds in ranks]
    assert max(shares) - min(shares) <= 1
    assert all(len(rows) <= step for rounds in ranks for rows in rounds)


def test_without_a_process_group_it_says_what_to_do():
    with pytest.raises(ValueError, match="started by torchrun"):
        emap(lambda x, y: x * y, torch.ones(3), torch.ones(3), distributed=True)


def test_checkpoint_of_a_process_alone_is_refused_by_several(tmp_path):
    from mmnb.instruments.checkpoint import path_of_process

    save_file({"x": torch.zeros(1)}, tmp_path / "sums")
    with pytest.raises(ValueError, match="belongs to a run of 1 processes and this one has 2"):
        path_of_process(tmp_path / "sums", 0, 2)
