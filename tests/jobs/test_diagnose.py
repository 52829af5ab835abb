"""`mmnb diagnose`: from a shell to a report, with an exit code for CI; on two processes, too."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from safetensors.torch import save_file

import mmnb
from mmnb import cli
from mmnb.data.planted import planted

MODEL = """
import torch
import mmnb
from mmnb.data.planted import planted

world = planted("none", 60)

def load():
    return world.model

def blind():
    return planted("blind to image", 60).model

def broken():
    def f(image, text):
        raise ValueError("deep in the model")
    return f

def of_the_blind():
    return mmnb.Data(**planted("blind to image", 60).data)

def pairs():
    return mmnb.Data(**world.data)

def columns():
    return {"image": world.data["image"], "text": world.data["text"], "label": world.data["y"]}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "my_report.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("TQDM_DISABLE", "1")
    yield tmp_path
    sys.modules.pop("my_report", None)


def shell(*arguments):
    return CliRunner().invoke(cli.main, ["diagnose", *map(str, arguments), "--out", "report"])


def test_a_report_is_written(place):
    done = shell("--model", "my_report:load", "--data", "my_report:pairs")
    assert done.exit_code == 0, done.output
    report = mmnb.Report.load(place / "report" / "report.json")
    assert report["answer"].status == "measured" and (place / "report" / "report.html").read_text().startswith(
        "<!doctype html>"
    )
    assert "report.html" in done.output and (place / "report" / "checkpoint.safetensors").exists()


def test_files_and_columns_are_read(place):
    data = planted("none", 60).data
    save_file({"image": data["image"], "text": data["text"], "y": data["y"]}, "pairs.safetensors")
    found = [shell("--model", "my_report:load", "--data", name) for name in ("pairs.safetensors", "my_report:columns")]
    assert [one.exit_code for one in found] == [0, 0], found[0].output + found[1].output
    assert mmnb.Report.load("report/report.json").data["names"] == ["image", "text"]


def test_a_named_warning_is_an_exit_code(place):
    blind = ["--model", "my_report:blind", "--data", "my_report:of_the_blind"]
    done = shell(*blind, "--fail-on", "batch, blind")
    assert (done.exit_code, "blind fired" in done.output) == (3, True), done.output
    assert shell(*blind, "--fail-on", "batch").exit_code == 0
    assert shell(*blind, "--fail-on", "any").exit_code == 3
    wrong = shell(*blind, "--fail-on", "blnd")
    assert wrong.exit_code == 2 and "'blnd'; expected some of batch" in wrong.output


def test_a_plan_and_a_budget(place):
    own = ["--model", "my_report:load", "--data", "my_report:pairs"]
    plan = shell(*own, "--plan")
    assert plan.exit_code == 0 and "3,600 forward passes" in plan.output and not (place / "report").exists()
    assert shell(*own, "--budget", "soon").exit_code == 1
    assert shell(*own, "--budget", "1 h").exit_code == 0


def test_what_is_refused_is_one_line_what_the_model_raises_is_a_traceback(place):
    (place / "odd.py").write_text("def data():\n    return 3\n")
    odd = shell("--model", "my_report:load", "--data", "odd:data")
    assert odd.exit_code == 1 and "expected a table" in odd.output and "Traceback" not in odd.output
    assert isinstance(shell("--model", "my_report:broken", "--data", "my_report:pairs").exception, ValueError)


@pytest.mark.slow
def test_two_processes_give_the_report_of_one(place):
    assert shell("--model", "my_report:load", "--data", "my_report:pairs").exit_code == 0
    alone = json.loads((place / "report" / "report.json").read_text())
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "mmnb",
        "diagnose",
    ]
    command += ["--model", "my_report:load", "--data", "my_report:pairs", "--out", "both"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(cli.paths.root()), os.environ.get("PYTHONPATH", "")])
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=250)
    assert done.returncode == 0, done.stderr
    both = json.loads((place / "both" / "report.json").read_text())
    for one, other in zip(alone["sections"], both["sections"], strict=True):
        assert [row["value"] for row in one["rows"]] == pytest.approx([row["value"] for row in other["rows"]]), one[
            "id"
        ]
