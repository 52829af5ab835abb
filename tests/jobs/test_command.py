"""`mmnb emap`: from a shell to a result, alone and under torchrun, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from mmnb import cli
from mmnb.instruments.emap import emap
from mmnb.jobs import load

MODEL = """
import os, time
import torch

def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).eval()

def load():
    model = net()
    return lambda a, b: model(torch.cat([a, b["x"]], 1))

def slow():
    f = load()
    def g(a, b):
        time.sleep(0.01)
        return f(a, b)
    return g

def training():
    model = net().train()
    return lambda a, b: model(torch.cat([a, b["x"]], 1))

class Bilinear(torch.nn.Module):
    def forward(self, a, b):
        return a * b["x"]

def module():
    return Bilinear().eval()

def broken():
    def f(a, b):
        raise ValueError("deep in the model")
    return f

def text():
    return "not a model"

def error_rate(scores, labels):
    return float((scores.argmax(1) != labels).mean())

def pairs(n=29):
    torch.manual_seed(1)
    return {"a": torch.randn(n, 5), "b": {"x": torch.randn(n, 5)}, "labels": torch.randint(3, (n,))}

def pair_tuple():
    return tuple(pairs().values())[:2]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with `my_model.py`, entered; imports of it are forgotten afterwards."""
    (tmp_path / "my_model.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("TQDM_DISABLE", "1")
    yield tmp_path
    sys.modules.pop("my_model", None)


def mmnb(*arguments):
    return CliRunner().invoke(cli.main, ["emap", *map(str, arguments)])


def expected(place, **options):
    sys.path.insert(0, str(place))
    import my_model

    data = my_model.pairs()
    return emap(my_model.load(), data["a"], data["b"], **options), data["labels"]


def test_result_equals_the_call_in_python(place):
    done = mmnb("--model", "my_model:load", "--data", "my_model:pairs", "--out", "out")
    assert done.exit_code == 0, done.output
    result, labels = expected(place)
    tensors = load_file(place / "out" / "result.safetensors")
    for name in ("original", "projected", "marginal_a", "marginal_b", "grand_mean"):
        assert torch.equal(tensors[name], getattr(result, name))
    summary = json.loads((place / "out" / "result.json").read_text(encoding="utf-8"))
    scores = result.score("accuracy", labels)
    assert summary["shares"] == result.shares and summary["scores"]["projected"] == scores["projected"]
    assert summary["scores"]["gap_interval"] == list(scores.gap.interval)
    assert (summary["examples"], summary["outputs"], summary["processes"]) == (29, 3, 1)
    assert f"interaction  {result.shares['interaction']:7.2%}" in done.output
    assert f"projected    {scores['projected']:.4f}" in done.output
    again = mmnb("--model", "my_model:load", "--data", "my_model:pairs", "--out", "out")
    assert again.exit_code == 0 and torch.equal(
        load_file(place / "out" / "result.safetensors")["projected"], tensors["projected"]
    )


def test_what_the_outputs_are_changes_the_shares_alone(place):
    found = {}
    for outputs in ("classes", "separate"):
        done = mmnb("--model", "my_model:load", "--data", "my_model:pairs", "--out", outputs, "--outputs", outputs)
        assert done.exit_code == 0, done.output
        summary = json.loads((place / outputs / "result.json").read_text(encoding="utf-8"))
        found[outputs] = summary["shares"], load_file(place / outputs / "result.safetensors")
        assert summary["shares"] == expected(place, outputs=outputs)[0].shares
    (classes, one), (separate, other) = found.values()
    assert classes != separate and one.keys() == other.keys() and "shared_interaction" in one
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_data_may_be_a_file(place):
    result, _ = expected(place)
    data = sys.modules["my_model"].pairs()
    flat = {"a": data["a"], "b.x": data["b"]["x"], "labels": data["labels"]}
    save_file(flat, place / "d.safetensors")
    np.savez(place / "d.npz", **flat)
    torch.save(data, place / "d.pt")
    (place / "from_arrays.py").write_text(
        "import torch, my_model\ndef load():\n    f = my_model.load()\n"
        "    return lambda a, b: f(torch.as_tensor(a), {'x': torch.as_tensor(b['x'])})\n",
        encoding="utf-8",
    )
    for file in ("d.safetensors", "d.npz", "d.pt"):
        done = mmnb("--model", "from_arrays:load", "--data", file, "--out", f"out-{file}")
        assert done.exit_code == 0, done.output
        assert torch.equal(load_file(place / f"out-{file}" / "result.safetensors")["projected"], result.projected)
        assert "accuracy of original" in done.output


def test_options(place):
    common = ("--data", "my_model:pairs", "--batch-size", 7, "--device", "cpu")
    half = mmnb(
        "--model",
        "my_model:load",
        *common,
        "--out",
        "half",
        "--precision",
        "bfloat16",
        "--move-batches",
        "--strategy",
        "pairs",
        "--metric",
        "my_model:error_rate",
    )
    assert half.exit_code == 0, half.output
    result, labels = expected(place)
    tensors = load_file(place / "half" / "result.safetensors")
    assert tensors["projected"].dtype == torch.float64
    change = (tensors["projected"] - result.projected).abs().max().item()
    assert 0 < change < 2**-6 * result.original.abs().max().item()  # bfloat16 has 8 bits
    scores = json.loads((place / "half" / "result.json").read_text(encoding="utf-8"))["scores"]
    assert scores["metric"] == "my_model:error_rate"
    assert scores["original"] == pytest.approx(
        float((tensors["original"].argmax(1) != labels).double().mean()), abs=1e-12, rel=0
    )
    other = mmnb("--model", "my_model:load", *common, "--out", "half", "--precision", "float16")
    assert (
        other.exit_code == 1
        and "dtype was 'bfloat16' and is 'float16'" in other.output
        and "Traceback" not in other.output
    )
    module = mmnb("--model", "my_model:module", "--data", "my_model:pair_tuple", "--out", "module")
    assert module.exit_code == 0 and "accuracy" not in module.output


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("my_model", "my_model:pairs", "expected MODULE:NAME"),
        ("nowhere:load", "my_model:pairs", "no module 'nowhere'"),
        ("my_model:nothing", "my_model:pairs", "my_model has no 'nothing'"),
        ("my_model:text", "my_model:pairs", "it returned str"),
        ("my_model:load", "missing.npz", "no such file"),
        ("my_model:load", "my_model:text", "got str; expected (a, b)"),
        ("my_model:load", "my_model:MODEL", "has no 'MODEL'"),
    ],
)
def test_wrong_usage_is_exit_code_2(place, model, data, message):
    done = mmnb("--model", model, "--data", data, "--out", "out")
    assert done.exit_code == 2 and message in done.output and "Traceback" not in done.output
    assert not (place / "out").exists()


def test_what_emap_refuses_is_one_line_what_the_model_raises_is_a_traceback(place):
    away = mmnb("--model", "my_model:load", "--data", "my_model:pairs", "--out", "s3://bucket/out")
    assert away.exit_code == 1 and "--out: got 's3:/bucket/out'" in away.output and not (place / "s3:").exists()
    refused = mmnb("--model", "my_model:training", "--data", "my_model:pairs", "--out", "out")
    assert refused.exit_code == 1 and "Sequential is in train mode" in refused.output
    broken = mmnb("--model", "my_model:broken", "--data", "my_model:pairs", "--out", "out")
    assert isinstance(broken.exception, ValueError) and str(broken.exception) == "deep in the model"
    assert not (place / "out" / "result.json").exists()


def test_a_module_that_misses_an_import_is_not_called_missing(place, monkeypatch):
    monkeypatch.syspath_prepend(place)
    (place / "half_there.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        load.found("half_there:load", "model")


def test_help_teaches():
    text = mmnb("--help").output
    for part in ("torchrun --nproc-per-node", "my_model:load", "a.input_ids", "Start the same command again", "Logits"):
        assert part in text


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_killed_and_started_again(place):
    command = [
        sys.executable,
        "-m",
        "mmnb",
        "emap",
        "--model",
        "my_model:slow",
        "--data",
        "my_model:pairs",
        "--out",
        "out",
    ]
    command += ["--batch-size", "3", "--save-every", "0"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (place / "out" / "checkpoint.safetensors").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (place / "out" / "result.json").exists()
    again = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100)
    assert again.returncode == 0, again.stderr
    whole = mmnb("--model", "my_model:load", "--data", "my_model:pairs", "--out", "whole", "--batch-size", 3)
    assert whole.exit_code == 0
    one, two = (load_file(place / name / "result.safetensors") for name in ("out", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in two)


@pytest.mark.skipif(os.name == "nt", reason="torchrun with gloo")
def test_under_torchrun_process_0_writes_the_same_result(place):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "--local-addr",
        "127.0.0.1",
    ]
    command += [
        "-m",
        "mmnb",
        "emap",
        "--model",
        "my_model:load",
        "--data",
        "my_model:pairs",
        "--out",
        "out",
        "--batch-size",
        "29",
    ]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("written to") == 1
    # the bound; float64 sums in another order. Batches of one row here and there, because a float32 model rounds by batch
    result, _ = expected(place, batch_size=29)
    torch.testing.assert_close(
        load_file(place / "out" / "result.safetensors")["projected"], result.projected, rtol=0, atol=1e-9
    )
    assert json.loads((place / "out" / "result.json").read_text(encoding="utf-8"))["processes"] == 2


# --- a model and data of one's own ------------------------------------------------------------------------------------------

OWN = """
import numpy as np
import torch

calls = []
torch.manual_seed(0)
A, B = torch.randn(20, 4), torch.randn(20, 3)
Y = (A[:, 0] * B[:, 0] > 0).long()

class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Bilinear(4, 3, 2)
    def forward(self, a, b):
        calls.append(len(a))
        return self.layer(a, b)

def module():
    torch.manual_seed(0)
    return Module().eval()

def constant():
    return lambda a, b: torch.ones(len(a), 2)

def sigmoid():
    return lambda a, b: (a[:, 0] * b[:, 0]).sigmoid()

def fails(scores, labels):
    raise KeyError("the metric is wrong")

def data(labels=None):
    return A, B, labels

def texts():
    return data([["no", "yes"][k] for k in Y])

def real():
    return data(torch.rand(20))

def short():
    return data(Y[:5])

def nothing():
    return data(["?"] * 20)

def plain():
    return data(Y)
"""


@pytest.fixture
def own(place):
    (place / "own.py").write_text(OWN, encoding="utf-8")
    sys.path.insert(0, str(place))
    import own

    yield own
    sys.modules.pop("own", None)


def summary_of(place, out="out"):
    return json.loads((place / out / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("more", [(), ("--move-batches",), ("--strategy", "pairs")])
def test_arrays_of_a_file_reach_a_torch_module(place, own, more):
    np.savez(place / "pairs.npz", a=own.A.double().numpy(), b=own.B.numpy(), labels=np.array(["no", "yes"])[own.Y])
    done = mmnb("--model", "own:module", "--data", "pairs.npz", "--out", "out", *more)
    assert done.exit_code == 0, done.output
    expected = emap(own.module(), own.A, own.B)
    assert torch.equal(load_file(place / "out" / "result.safetensors")["projected"], expected.projected)
    assert summary_of(place)["scores"]["original"] == expected.score("accuracy", own.Y)["original"]


@pytest.mark.parametrize("more", [(), ("--move-batches",)])
def test_arrays_of_a_file_reach_an_open_clip_model(place, more):
    pytest.importorskip("open_clip", reason="open_clip_torch is not installed")
    (place / "small.py").write_text(
        "from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg\nimport torch\ndef load():\n    torch.manual_seed(0)\n"
        "    vision = CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=16)\n"
        "    return CLIP(8, vision, CLIPTextCfg(context_length=6, vocab_size=50, width=16, heads=2, layers=1)).eval()\n",
        encoding="utf-8",
    )
    torch.manual_seed(1)
    images, tokens = torch.randn(6, 3, 16, 16), torch.randint(1, 50, (6, 6))
    np.savez(place / "pairs.npz", a=images.numpy(), b=tokens.numpy())
    done = mmnb("--model", "small:load", "--data", "pairs.npz", "--out", "out", *more)
    assert done.exit_code == 0, done.output
    expected = emap(load.factory("small:load", "model"), images, tokens)
    assert torch.equal(load_file(place / "out" / "result.safetensors")["projected"], expected.projected)


@pytest.mark.parametrize(
    ("data", "metric", "message"),
    [
        ("own:real", "accuracy", "expected labels"),
        ("own:short", "accuracy", "5 labels for 20 examples"),
        ("own:nothing", "accuracy", "got 1 labels"),
        ("own:plain", "f7", "metric 'f7'"),
        ("own:plain", "sklearn.metrics:auc", "not a scorer or a curve"),
    ],
)
def test_labels_and_metric_are_looked_at_before_the_pass(place, own, data, metric, message):
    done = mmnb("--model", "own:module", "--data", data, "--metric", metric, "--out", "out")
    assert done.exit_code == 1 and message in done.output and "Traceback" not in done.output
    assert sum(own.calls) <= 1 and not (place / "out").exists()


@pytest.mark.parametrize("metric", ["accuracy", "f1", "roc_auc", "sklearn.metrics:accuracy_score"])
def test_texts_and_metrics_of_scikit_learn(place, own, metric):
    done = mmnb("--model", "own:module", "--data", "own:texts", "--metric", metric, "--out", "out")
    assert done.exit_code == 0, done.output
    name = {"sklearn.metrics:accuracy_score": "accuracy"}.get(metric, metric)
    assert summary_of(place)["scores"]["original"] == emap(own.module(), own.A, own.B).score(name, own.Y)["original"]


@pytest.mark.parametrize(
    ("model", "metric", "missing"),
    [
        ("own:constant", "accuracy", {"shares": "same in every cell"}),
        ("own:module", "own:fails", {"scores": "KeyError: 'the metric is wrong'"}),
        ("own:sigmoid", "accuracy", {"scores": "or threshold=0.5"}),
    ],
)
def test_what_fails_after_the_pass_is_left_out_with_a_word(place, own, model, metric, missing):
    done = mmnb("--model", model, "--data", "own:plain", "--metric", metric, "--out", "out")
    found = summary_of(place)
    assert done.exit_code == 1 and list(found["missing"]) == list(missing)
    for name, text in missing.items():
        assert text in found["missing"][name] and f"no {name}: " in done.output and name not in {*found} - {"missing"}
    assert f"without its {next(iter(missing))}" in done.output and (place / "out" / "result.safetensors").exists()


def test_probabilities_have_their_threshold(place, own):
    done = mmnb("--model", "own:sigmoid", "--data", "own:plain", "--threshold", 0.5, "--out", "out")
    assert done.exit_code == 0 and summary_of(place)["scores"]["original"] == 1.0


@pytest.mark.parametrize("name", ["d.npz", "d.pt", "d.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"x" * 100])
def test_a_file_that_cannot_be_read_is_named(place, name, content):
    (place / name).write_bytes(content)
    done = mmnb("--model", "my_model:load", "--data", name, "--out", "out")
    assert done.exit_code == 2 and f"--data {name}: it cannot be read" in done.output
