import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mmnb import cli
from mmnb.runner import stability


def test_each_machine_is_an_environment_that_ends():
    before = dict(os.environ)
    for name, variables in stability.MACHINES.items():
        with stability.environment(name):
            assert {key: os.environ[key] for key in variables} == variables
    assert dict(os.environ) == before


@pytest.mark.parametrize(("machine", "found"), [("avx2", ("AVX2", "NO AVX")), ("oldest", ("DEFAULT", "NO AVX"))])
def test_torch_and_numpy_obey(machine, found):
    with stability.environment(machine):
        command = "import numpy, torch; print(torch.backends.cpu.get_cpu_capability()); numpy.show_config()"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", command], capture_output=True, text=True, check=True
        )
    capability, configuration = done.stdout.split("\n", 1)
    used = configuration.partition("found:")[2].partition("not found:")[0]
    assert capability in found and "512" not in used and "X86_V4" not in used
    assert machine == "avx2" or not any(name in used for name in ("X86_V3", "AVX2"))


def test_a_verdict_that_moves_is_said(project):
    """On the variant without vector units the notebook records another number, which its rule rejects."""
    project.add(
        "01_one",
        "# %%\nif os.environ.get('MKL_CBWR') == 'COMPATIBLE':\n    records['demo.above'] = record(0.0, verdict='lost')\n",
    )
    run = project.mmnb("stability", "01", "--machines")
    assert run.returncode == 3, run.stderr
    assert run.stdout.count("Nothing moved") == 2
    assert "## oldest" in run.stdout and "1 of 2 verdicts moved" in run.stdout and "lost" in run.stdout


def test_notebooks_that_fail_are_exit_code_1(monkeypatch, tmp_path):
    """Without any result, too."""
    monkeypatch.setattr(cli, "_execute", lambda names, out, **rest: (SimpleNamespace(out=out), [{"status": "failed"}]))
    run = CliRunner().invoke(cli.main, ["stability", "01", "--machines", "--out", str(tmp_path)])
    assert run.exit_code == 1 and "Nothing to compare: no results in" in run.output


def test_it_wants_to_know_what_to_vary(project):
    project.add("01_one")
    run = project.mmnb("stability", "01")
    assert run.returncode == 2 and "expected --machines" in run.stderr
