"""Rows shared among processes: the same result as one process, and one error for all."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmnb.instruments.emap import emap
from mmnb.instruments.emap.ranks import Ranks

posix = pytest.mark.skipif(os.name == "nt", reason="torchrun with gloo, and POSIX signals")

WORKER = """
import json, os, signal, sys
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from mmnb.instruments.emap import emap

folder, jobs = sys.argv[1], json.loads(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()

for name, job in jobs.items():
    n, trouble = job["n"], job.get("trouble", {})
    torch.manual_seed(rank if trouble.get("kind") == "own weights" else 0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double().eval()
    torch.manual_seed(1)
    a, b = torch.randn(n, 5).double(), torch.randn(n, 5).double()
    calls = 0

    def f(x, y):
        global calls
        calls += 1
        if trouble.get("rank") == rank and calls == trouble["call"]:
            if trouble["kind"] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise {"value": ValueError, "key": KeyError}[trouble["kind"]]("the model is broken here")
        return model(torch.cat([x, y], 1))

    r = emap(f, a, b, batch_size=job.get("batch_size", 7), distributed=True, checkpoint=job.get("checkpoint"), checkpoint_every=0)
    tensors = {key: getattr(r, key) for key in ("original", "projected", "marginal_a", "marginal_b", "grand_mean")}
    tensors |= {"ss_" + key: part for key, part in r.sums_of_squares.items()} | {"calls": torch.tensor(calls)}
    save_file(tensors, f"{folder}/{name}.{rank}")
dist.destroy_process_group()
"""


def torchrun(folder, world, jobs):
    """Run the jobs in so many processes; each job saves its result in the folder, one file per rank."""
    script = folder / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        str(world),
        "--standalone",
        "--local-addr",
        "127.0.0.1",
    ]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
    }
    run = subprocess.run(
        [*command, str(script), str(folder), json.dumps(jobs)], capture_output=True, text=True, env=environment, timeout=120, check=False
    )  # fmt: skip
    return SimpleNamespace(code=run.returncode, err=run.stderr)


def alone(n, batch_size=7):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double().eval()
    torch.manual_seed(1)
    a, b = torch.randn(n, 5).double(), torch.randn(n, 5).double()
    return emap(lambda x, y: model(torch.cat([x, y], 1)), a, b, batch_size=batch_size)


@posix
@pytest.mark.parametrize("world", [2, 3])
def test_torchrun_equals_one_process(tmp_path, world):
    jobs = {
        f"n{n}-b{batch_size}": {"n": n, "batch_size": batch_size}
        for n, batch_size in [(1, 7), (2, 7), (3, 1), (11, 7), (11, 25), (20, 10**6), (31, 62), (40, 40)]
    }
    run = torchrun(tmp_path, world, jobs)
    assert run.code == 0, run.err
    for name, job in jobs.items():
        expected = alone(**job)
        answers = [load_file(tmp_path / f"{name}.{rank}") for rank in range(world)]
        calls = [int(answer.pop("calls")) for answer in answers]
        for answer in answers:
            for key, part in answer.items():
                wanted = expected.sums_of_squares[key[3:]] if key.startswith("ss_") else getattr(expected, key)
                # the bound; scores are of order 1, float64, and only the order of the sums differs
                torch.testing.assert_close(part, wanted, rtol=0, atol=1e-9)
                assert torch.equal(part, answers[0][key]), "ranks disagree"
        if job == {"n": 40, "batch_size": 40}:  # 40 single rows: shared so that no rank has two more than another
            assert max(calls) - min(calls) <= 1


@posix
@pytest.mark.parametrize(
    ("kind", "world", "call", "told"),
    [
        ("value", 3, 60, "ValueError: emap: rank 1 of 3 failed with ValueError: the model is broken here"),
        (
            "key",
            2,
            1,
            "RuntimeError: emap: rank 1 of 2 failed with KeyError: 'the model is broken here'",
        ),  # before the pass begins
    ],
)
def test_one_rank_fails_and_all_stop_with_its_error(tmp_path, kind, world, call, told):
    run = torchrun(tmp_path, world, {"x": {"n": 60, "trouble": {"rank": 1, "call": call, "kind": kind}}})
    assert run.code != 0 and run.err.count(told) == world - 1, run.err
    assert list(tmp_path.glob("x.*")) == []


@posix
def test_ranks_with_different_models_are_refused(tmp_path):
    run = torchrun(tmp_path, 2, {"x": {"n": 9, "trouble": {"kind": "own weights"}}})
    assert run.code != 0 and "rank 1 of 2 differs from rank 0 in model" in run.err


@posix
def test_a_killed_rank_ends_the_run_and_the_next_one_resumes_with_the_same_bits(tmp_path):
    job = {"n": 33, "batch_size": 33, "checkpoint": str(tmp_path / "sums.safetensors")}
    killed = torchrun(tmp_path, 2, {"killed": job | {"trouble": {"rank": 1, "call": 12, "kind": "kill"}}})
    assert killed.code != 0
    saved = {path.name for path in tmp_path.glob("sums.*")}
    assert saved == {"sums.rank-0-of-2.safetensors", "sums.rank-1-of-2.safetensors"}
    run = torchrun(tmp_path, 2, {"resumed": job, "whole": job | {"checkpoint": None}})
    assert run.code == 0, run.err
    resumed, whole = load_file(tmp_path / "resumed.1"), load_file(tmp_path / "whole.1")
    assert int(resumed.pop("calls")) < int(whole.pop("calls"))
    for key, part in whole.items():
        assert torch.equal(resumed[key], part), key
    with pytest.raises(ValueError, match="belongs to a run of 2 processes and this one has 1"):
        emap(lambda x, y: x * y, torch.ones(3), torch.ones(3), checkpoint=job["checkpoint"])


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 100])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("step", [1, 4, 1000])
def test_every_row_belongs_to_one_rank_and_shares_are_even(n, world, step):
    ranks = []
    for rank in range(world):
        one = Ranks()
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
    from mmnb.instruments.emap.checkpoint import file_of_rank

    save_file({"x": torch.zeros(1)}, tmp_path / "sums")
    with pytest.raises(ValueError, match="belongs to a run of 1 processes and this one has 2"):
        file_of_rank(tmp_path / "sums", 0, 2)
