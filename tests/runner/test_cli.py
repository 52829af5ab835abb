"""The command line: help, lists, exit codes, a terminal, and papermill without us."""

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata

import pytest
from click.testing import CliRunner

from mmnb import cli, paths
from mmnb.runner import convert, fingerprint, summary


@pytest.fixture
def mmnb():
    return lambda *arguments: CliRunner().invoke(cli.main, arguments)


def test_help_teaches(mmnb):
    result = mmnb("--help")
    assert result.exit_code == 0
    for part in (
        "Examples:",
        "mmnb run 01 --profile smoke",
        "Exit codes:",
        "3 a verdict changed",
        "MMNB_DATA",
        "--resume",
    ):
        assert part in result.output
    for command in ("run", "build", "status", "list", "data"):
        assert command in result.output
        assert "Usage: " in mmnb(command, "--help").output


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import json, sys, time, mmnb.cli\ntry: mmnb.cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print(json.dumps([time.process_time(), *sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = json.loads(run.stdout.splitlines()[-1])
    assert not {"torch", "papermill", "numpy", "matplotlib", "rich"} & set(modules)
    assert seconds < 1, "CPU seconds, which do not measure the neighbours"


def test_python_m_mmnb_and_version():
    run = subprocess.run([sys.executable, "-m", "mmnb", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("mmnb, version ")


@pytest.mark.parametrize(
    "arguments",
    [["run", "99"], ["build", "99"], ["status", "99"], ["list", "99"], ["run", "--profile", "huge"], ["run", "--jobs", "0"], ["run", "--seed", "-1"], ["run", "--timeout", "0"], ["walk"]],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(project, mmnb, arguments):
    project.add("01_one")
    result = mmnb(*arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_an_empty_selection_is_an_error(project, mmnb):
    result = mmnb("run")
    assert result.exit_code == 2 and "no notebook" in result.output


def test_no_checkout_is_explained(monkeypatch, tmp_path, mmnb):
    monkeypatch.setenv("MMNB_ROOT", str(tmp_path))
    result = mmnb("run")
    assert result.exit_code == 2 and "expected a checkout of mmnb" in result.output


def test_without_the_extras_the_instruments_work_and_other_commands_say_what_to_install():
    """As after `pip install mmnb`: what the base packages do not bring cannot be imported."""
    project = tomllib.loads((paths.root() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "all" for line in lines]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in extras} - {"threadpoolctl"}  # comes with scikit-learn
    modules = {top for top, owners in metadata.packages_distributions().items() if names & {o.lower() for o in owners}}
    assert {"matplotlib", "pandas", "pooch", "platformdirs", "rich", "papermill"} <= modules
    program = f"""
import sys
class Absent:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in {sorted(modules)}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent)
import torch, mmnb
from mmnb.cli import main
a, b = torch.randn(8, 3), torch.randn(8, 3)
mmnb.emap(lambda x, y: x * y, a, b)
mmnb.gap.modality_gap(mmnb.gap.normalize(a), mmnb.gap.normalize(b))
main()
"""
    for command, code, words in (
        ("--help", 0, "Notebooks are named"),
        ("emap --help", 0, "--model"),
        ("run 01", 2, "pip install 'mmnb[notebooks]'"),
        ("data", 2, "is not installed"),
    ):
        call = [sys.executable, "-c", program, *command.split()]
        ran = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == code and words in ran.stdout + ran.stderr, ran.stderr


def test_list(project, mmnb):
    project.add("01_one")
    text = mmnb("list").output
    assert "01_one  Is 01_one one?" in text and "Yes, it is one." in text and "not built yet · 2 claims" in text
    (row,) = json.loads(mmnb("list", "--json").output)
    assert row == {
        "notebook": "01_one",
        "question": "Is 01_one one?",
        "answer": "Yes, it is one.",
        "cpu_minutes": None,
        "claims": 2,
    }


def test_a_broken_claims_file_is_explained(project, mmnb):
    project.add("01_one")
    (project.root / "data" / "claims" / "01_one.yaml").write_text("claims: 3\n", encoding="utf-8")
    result = mmnb("list")
    assert (
        result.exit_code == 1 and "Error: data/claims/01_one.yaml" in result.output and result.exc_info[0] is SystemExit
    )


def test_status(project, mmnb, monkeypatch):
    project.add("01_one")
    project.add("02_two")
    result = mmnb("status")
    assert result.exit_code == 1 and "01_one: missing\n    no notebooks/01_one.ipynb" in result.output
    states = {
        "01_one": fingerprint.Status("01_one", "fresh"),
        "02_two": fingerprint.Status("02_two", "stale", ("x changed",)),
    }
    monkeypatch.setattr(fingerprint, "status", states.__getitem__)
    assert mmnb("status").output == "01_one: fresh\n02_two: stale\n    x changed\n"
    result = mmnb("status", "1")
    assert (result.exit_code, result.output) == (0, "01_one: fresh\n")


@dataclass
class Dataset:
    name: str
    kind: str
    present: bool
    size_bytes: int = 1_500_000
    licence: str = "MIT"
    where: str = "cache"
    how: str = "mmnb data --fetch"


def test_data_lists_and_fetches(monkeypatch, mmnb):
    from mmnb import data
    from mmnb.data import remote
    from mmnb.errors import DataUnavailable

    here, away, lost = (
        Dataset("glyphs", "package", True),
        Dataset("fsdd", "remote", False),
        Dataset("gap", "remote", False),
    )
    monkeypatch.setattr(data, "catalogue", lambda: [here, away, lost])

    def fetch(name: str) -> None:
        if name == "gap":
            raise DataUnavailable("no network")
        away.present = True

    monkeypatch.setattr(remote, "fetch_dataset", fetch)
    listed = mmnb("data")
    assert listed.exit_code == 0 and "fsdd: mmnb data --fetch" in listed.output and "1.5 MB" in listed.output
    assert [row["present"] for row in json.loads(mmnb("data", "--json").output)] == [True, False, False]
    fetched = mmnb("data", "--fetch")
    assert fetched.exit_code == 1 and "gap: no network" in fetched.output and away.present
    assert mmnb("data", "fsdd", "--fetch").exit_code == 0
    unknown = mmnb("data", "mars")
    assert unknown.exit_code == 2 and "no data set mars; there are glyphs, fsdd, gap" in unknown.output


def test_a_log_gets_a_line_every_half_minute(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(summary.time, "monotonic", lambda: now[0])
    lines = summary.RunProgress(1, summary.console(stderr=True))
    lines("01_one", {"state": "start"})
    lines("01_one", {"state": "progress", "done": 3, "total": 9})
    for now[0] in (10.0, 29.0, 31.0, 40.0, 62.0):
        lines("", {"state": "tick"})
    lines("01_one", {"state": "end", "result": {"status": "ok", "wall_seconds": 65.0, "reason": None}})
    lines("", {"state": "tick"})
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "01_one: started",
        "01_one: 3/9 cells, 31 s",
        "01_one: 3/9 cells, 62 s",
        "01_one: ok after 65 s (1 of 1)",
    ]


@pytest.mark.skipif(os.name == "nt", reason="redirects through a POSIX shell")
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("run 02 2>/dev/null | head -1", 0, "Notebooks"),
        ("run 02 2>&1 | head -1", 0, "02_good: started"),
        ("run 01 | true", 1, ""),
        ("run 02 >&-", 0, ""),
        ("run 02 >&- 2>&-", 0, ""),
        ("run 02 <&- >&- 2>&-", 0, ""),
        ("run 02 2>/dev/full | grep -c 02_good", 0, "2"),
        ("run 02 > /dev/full", 2, "Error: cannot write to the standard output: No space left on device"),
        ("list --json >/dev/full", 2, "Error: cannot write to the standard output: No space left on device"),
        ("--help | true", 0, ""),
    ],
)
def test_a_reader_that_goes_away_changes_no_exit_code(project, how, code, said):
    if "/dev/full" in how and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    project.add("01_bad", "# %%\n1 / 0\n")
    project.add("02_good")
    shell = f"set -o pipefail; {{ '{sys.executable}' -m mmnb {how}; }}"
    run = subprocess.run(["bash", "-c", shell], cwd=project.root, capture_output=True, text=True, timeout=120)
    assert (run.returncode, "Traceback" in run.stderr) == (code, False), run.stderr
    assert said in run.stdout + run.stderr
    if how.startswith("run"):
        assert project.result("01_bad" if "01" in how else "02_good")["status"] == ("failed" if code == 1 else "ok")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX pseudo-terminal")
def test_a_terminal_gets_bars_and_colours(project, monkeypatch):
    import pty

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    project.add("01_bad", parameters="")
    leader, terminal = pty.openpty()
    process = project.start("run", stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(timeout=60) == 1
    text = shown.decode("utf-8")
    assert "\x1b[" in text and "cells" in text and "01_bad: FAILED" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is visible again"


def test_plain_papermill_runs_a_converted_notebook_from_anywhere(project, tmp_path, monkeypatch):
    project.add("01_one", "# %%\nprint('profile', PROFILE)\n")
    notebook = tmp_path / "01_one.ipynb"
    notebook.write_text(convert.dumps(convert.to_notebook(project.root / "notebooks" / "01_one.py")), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("MMNB_OUT", str(elsewhere))
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "-p", "PROFILE", "smoke"]
    run = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "profile smoke" in (elsewhere / "out.ipynb").read_text(encoding="utf-8")
    assert "unknown parameter" not in run.stderr
