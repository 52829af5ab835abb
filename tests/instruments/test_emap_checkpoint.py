"""A run that is killed goes on where it was and ends with the same bits; a checkpoint of anything else is refused."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmnb.instruments import checkpoint as module
from mmnb.instruments.emap import emap

FIELDS = ("original", "projected", "marginal_a", "marginal_b", "grand_mean")


def inputs(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 5, generator=generator), torch.randn(n, 5, generator=generator)


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).eval()


class Stop(Exception):
    """Stands for whatever ends a run."""


class Counting:
    """f(a, b) of a module, counting pairs; it stops the run after `limit` of them."""

    def __init__(self, module, limit=10**9):
        self.module, self.limit, self.pairs = module, limit, 0

    def __call__(self, a, b):
        self.pairs += len(a)
        if self.pairs > self.limit:
            raise Stop
        return self.module(torch.cat([a, b], 1))


def same_bits(one, two):
    for name in FIELDS:
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    for name, part in one.sums_of_squares.items():
        assert torch.equal(part, two.sums_of_squares[name]), name
    assert one.shared.keys() == two.shared.keys()
    for name, part in one.shared.items():
        assert torch.equal(part, two.shared[name]), name


KILLED_AND_RESUMED = """
import os, random, signal, sys, time
import torch
from safetensors.torch import save_file
from mmnb.instruments.emap import emap

folder, seed = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)

def work(name, checkpoint):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).eval()
    a, b = torch.randn(97, 5), torch.randn(97, 5)
    calls = 0
    def f(x, y):
        nonlocal calls
        calls += 1
        time.sleep(0.002)
        return model(torch.cat([x, y], 1))
    r = emap(f, a, b, batch_size=40, checkpoint=checkpoint, save_every=0, progress=False)
    tensors = {key: getattr(r, key) for key in ("original", "projected", "marginal_a", "marginal_b", "grand_mean")}
    tensors |= {"ss_" + key: part for key, part in r.sums_of_squares.items()} | {"calls": torch.tensor(calls)}
    save_file(tensors, f"{folder}/{name}")

def in_child(name, checkpoint, kill_after=None):
    # nothing of torch has run in this process yet, so forking it is safe
    pid = os.fork()
    if pid == 0:
        work(name, checkpoint)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]

# a whole run sleeps 294 times 2 ms, 0.59 s: two kills within 0.2 s each cannot miss it, and none but a resumed run ends within 0.5 s
moments, kills = random.Random(seed), 0
assert in_child("whole", None) == 0
while in_child("resumed", f"{folder}/sums", moments.uniform(0.02, 0.2 if kills < 2 else 0.5)) != 0:
    kills += 1
    assert kills < 200, "no progress between kills"
assert in_child("again", f"{folder}/sums") == 0
print(kills)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path, seed):
    command = [sys.executable, "-c", KILLED_AND_RESUMED, str(tmp_path), str(seed)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=200
    )
    assert done.returncode == 0, done.stderr
    whole, resumed, again = (load_file(tmp_path / name) for name in ("whole", "resumed", "again"))
    assert int(done.stdout) >= 2, "it was never killed"
    calls = [int(results.pop("calls")) for results in (whole, resumed, again)]
    assert calls[1] < calls[0], "the last start did not go on from a checkpoint"
    assert calls[2] < 10, "a finished run was not taken from its checkpoint"
    for name, expected in whole.items():
        assert torch.equal(resumed[name], expected) and torch.equal(again[name], expected), name


@pytest.mark.parametrize("batch_size", [1, 5, 12, 25, 1000])
def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path, batch_size):
    a, b = inputs()
    expected = emap(Counting(model()), a, b, batch_size=batch_size)
    options = {"batch_size": batch_size, "check": False, "checkpoint": tmp_path / "sums", "save_every": 0}
    for limit in (20, 40, 60):
        with pytest.raises(Stop):
            emap(Counting(model(), limit), a, b, **options)
    last = Counting(model())
    same_bits(emap(last, a, b, **options), expected)
    assert last.pairs <= 144 + 12 + 1


def test_saving_takes_place_now_and_then_only(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr(module.Checkpoint, "save", lambda self, *what: saves.append(what))
    emap(Counting(model()), *inputs(), batch_size=12, checkpoint=tmp_path / "sums")
    assert len(saves) == 1, "half a minute had not passed: only the end is saved"


def test_a_save_that_is_cut_off_leaves_the_one_before(tmp_path, monkeypatch):
    file = module.Checkpoint(tmp_path / "sums", {"n": 3})
    file.save({"row": torch.ones(3)}, {"blocks": 1})

    def cut_off(tensors, path, metadata):
        path.write_bytes(b"half a f")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_file", cut_off)
    with pytest.raises(KeyboardInterrupt):
        file.save({"row": torch.zeros(3)}, {"blocks": 2})
    monkeypatch.undo()
    tensors, progress = file.load()
    assert torch.equal(tensors["row"], torch.ones(3)) and progress == {"blocks": 1}
    file.save({"row": torch.zeros(3)}, {"blocks": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["sums"], "the cut-off file was left lying about"


def test_the_header_says_in_plain_json_whose_sums_they_are(tmp_path):
    emap(Counting(model()), *inputs(), checkpoint=tmp_path / "sums")
    with module.safe_open(tmp_path / "sums", "pt") as file:
        header = file.metadata()
    identity = json.loads(header["identity"])
    assert identity["examples"] == 12 and identity["dtype"] == "float32" and identity["rank"] == "0 of 1"
    assert json.loads(header["progress"])["blocks"] == 1


# --- refusals ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    """The checkpoint of a finished run of `model()` on `inputs()`."""
    emap(Counting(model()), *inputs(), batch_size=30, checkpoint=tmp_path / "sums")
    return tmp_path / "sums"


def changed(a, where):
    a = a.clone()
    a[where] += 1e-3
    return a


@pytest.mark.parametrize(
    ("start", "differs"),
    [
        (lambda a, b, **o: emap(Counting(model(1)), a, b, batch_size=30, **o), "model was"),
        (lambda a, b, **o: emap(Counting(model().double()), a.double(), b.double(), batch_size=30, **o), "dtype was 'float32' and is 'float64'"),
        (lambda a, b, **o: emap(Counting(model().bfloat16()), a.bfloat16(), b.bfloat16(), batch_size=30, **o), "dtype was 'float32' and is 'bfloat16'"),
        (lambda a, b, **o: emap(Counting(model()), changed(a, (7, 2)), b, batch_size=30, **o), "data was"),
        (lambda a, b, **o: emap(Counting(model()), a, b.flip(0), batch_size=30, **o), "data was"),
        (lambda a, b, **o: emap(Counting(model()), a[:11], b[:11], batch_size=30, **o), "examples was 12 and is 11"),
        (lambda a, b, **o: emap(Counting(model()), a, b, batch_size=31, **o), "batch size was 30 and is 31"),
    ],
)  # fmt: skip
def test_another_run_is_refused(path, start, differs):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"belongs to another run: .*{differs}"):
        start(*inputs(), checkpoint=path)
    assert path.read_bytes() == before


def test_a_function_that_changed_without_a_module_is_refused(tmp_path):
    a, b = inputs()
    scaled = [2.0]
    f = lambda x, y: x * y * scaled[0]  # noqa: E731
    emap(f, a, b, checkpoint=tmp_path / "sums")
    scaled[0] = 2.001
    with pytest.raises(ValueError, match="belongs to another model: the scores of the true pairs differ"):
        emap(f, a, b, checkpoint=tmp_path / "sums")


def test_rounding_of_another_computer_is_not_refused(tmp_path):
    a, b = inputs()
    one = emap(lambda x, y: x * y, a, b, checkpoint=tmp_path / "sums")
    two = emap(lambda x, y: x * y * (1 + 2**-22), a, b, checkpoint=tmp_path / "sums")
    same_bits(one, two)


def test_other_files_are_refused(tmp_path):
    garbage, foreign = tmp_path / "garbage", tmp_path / "foreign"
    garbage.write_bytes(b"not a safetensors file")
    save_file({"x": torch.zeros(1)}, foreign)
    for path, message in (
        (garbage, "cannot be read"),
        (foreign, "it is no checkpoint"),
        (tmp_path, "is a folder"),
        ("s3://bucket/sums", "expected a file or folder of this computer"),
    ):
        with pytest.raises(ValueError, match=message):
            emap(Counting(model()), *inputs(), checkpoint=path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, header: tensors["sums.row"][3].add_(1),
        lambda tensors, header: tensors["sums.column"].fill_(torch.nan),
        lambda tensors, header: tensors.update(true=tensors["true"].float()),
        lambda tensors, header: tensors.update({"sums.row": tensors["sums.row"].long()}),
        lambda tensors, header: tensors.pop("sums.squares"),
        lambda tensors, header: tensors.update(true=tensors["true"][:2].clone()),
        lambda tensors, header: header.update(progress='{"blocks": 0, "limit": 0}'),
        lambda tensors, header: header.update(progress="not JSON"),
        lambda tensors, header: header.update(identity="[]"),
        lambda tensors, header: header.pop("progress"),
        lambda tensors, header: header.pop("sha256"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(path, damage):
    with module.safe_open(path, "pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    damage(tensors, header)
    save_file(tensors, path, header)
    with pytest.raises(ValueError, match=r"cannot be read .*damaged: its checksum is another"):
        emap(Counting(model()), *inputs(), batch_size=30, checkpoint=path)


# --- progress ---------------------------------------------------------------------------------------------------------------


def test_the_bar_shows_the_time_left_and_goes_on_where_it_was(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    a, b = inputs(40)
    options = {"batch_size": 40, "checkpoint": tmp_path / "sums", "save_every": 0, "check": False}
    with pytest.raises(Stop):
        emap(Counting(model(), 1000), a, b, progress=True, **options)
    first = capfd.readouterr().err
    assert "grid:   0%" in first and "/1.60k [00:00<" in first  # 40 x 40 pairs; elapsed < left
    emap(Counting(model()), a, b, progress=True, **options)
    again = capfd.readouterr().err
    assert "grid:   0%" not in again and "grid:  " in again
    emap(Counting(model()), a, b, progress=False)
    emap(Counting(model()), a, b)  # not a terminal
    assert capfd.readouterr().err == ""
