"""Every way in which a notebook can fail must make its run fail, with a reason that says which."""

import json
import os

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError

from mmnb.runner import execute

ASKED = {"PROFILE": "laptop", "SEED": 0}
SLUG = "01_one"


@pytest.fixture
def run(project, monkeypatch):
    """Execute one notebook in this process: only its kernel is another one."""

    def run_(body: str = "", *, parameters: dict | None = None, timeout: float | None = None, **options) -> dict:
        project.add(SLUG, body, **options)
        folder = project.folder(SLUG)
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("MMNB_OUT", str(folder))
        result = execute.execute(SLUG, folder, parameters or ASKED, timeout=timeout)
        assert result == project.result(SLUG)
        return result

    return run_


def executed(project) -> nbformat.NotebookNode:
    notebook = nbformat.read(project.folder(SLUG) / f"{SLUG}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def leftovers(project) -> list[str]:
    return [file.name for file in project.folder(SLUG).rglob(".*part*")]


def test_success_runs_in_the_run_folder_and_passes_the_parameters(run, project):
    body = "# %%\nimport os\nprint(os.getcwd(), PROFILE, SEED)\n"
    result = run(body, parameters={"PROFILE": "smoke", "SEED": 7})
    assert (result["status"], result["reason"]) == ("ok", None)
    assert (result["profile"], result["seed"], result["claims"]) == ("smoke", 7, {"reproduced": 2})
    assert result["cpu_seconds"] > 0 and result["peak_memory_mb"] > 20
    assert set(result["fingerprint"]["data_sha256"]) == {f"data/claims/{SLUG}.yaml"}
    outputs = [
        output.text for cell in executed(project).cells for output in cell.get("outputs", []) if "text" in output
    ]
    assert outputs == [f"{project.folder(SLUG).resolve()} smoke 7\n"]
    assert sorted(file.name for file in (project.root / "notebooks").iterdir()) == [f"{SLUG}.py"]
    assert leftovers(project) == []


def test_an_error_cell_fails_and_the_notebook_is_kept(run, project):
    result = run("# %%\nvalue = {}\nvalue['absent']\n# %%\nafter = 1\n")
    assert result["status"] == "failed"
    assert "raised KeyError: 'absent'" in result["reason"]
    assert any("value['absent']" in line for line in result["log"])
    cells = [cell for cell in executed(project).cells if cell.cell_type == "code"]
    assert [output.ename for cell in cells for output in cell.outputs] == ["KeyError"]
    assert leftovers(project) == []


def test_an_error_that_a_tag_permits_fails_all_the_same(run):
    result = run('# %% tags=["raises-exception"]\n1 / 0\n')
    assert result["status"] == "failed" and "ZeroDivisionError" in result["reason"]


def test_a_skipped_cell_fails(run):
    """nbclient leaves out cells with this tag, and papermill reports success."""
    result = run('# %% tags=["skip-execution"]\nimportant = 1\n')
    assert result["status"] == "failed"
    assert "was not executed: important = 1" in result["reason"]


def test_a_quiet_exit_fails(run):
    """papermill takes `sys.exit(0)` for a success, although the rest of the notebook did not run."""
    result = run("# %%\nimport sys\nsys.exit(0)\n")
    assert result["status"] == "failed" and "SystemExit" in result["reason"]


def test_a_dead_kernel_fails_and_what_ran_is_kept(run, project):
    result = run('# %%\nprint("so far")\n# %%\nos._exit(3)\n')
    assert (result["status"], result["reason"]) == ("failed", "cell 7: the kernel died with exit code 3")
    assert any(
        "so far" in output.get("text", "") for cell in executed(project).cells for output in cell.get("outputs", [])
    )
    assert leftovers(project) == []


def test_the_time_limit(run, project):
    result = run("# %%\nimport time\ntime.sleep(60)\n", timeout=2)
    assert (result["status"], result["reason"]) == ("failed", "cell 6 was not finished after the time limit of 2 s")
    assert result["wall_seconds"] < 30
    executed(project)


def test_a_timeout_that_nobody_asked_for_is_named(run, monkeypatch):
    """nbclient has limits of its own, such as the seconds between a cell's end and its last output."""

    def late(*arguments, **options):
        raise CellTimeoutError.error_from_timeout_and_cell(
            "Timeout waiting for IOPub output", 300, nbformat.v4.new_code_cell("x = 1")
        )

    monkeypatch.setattr(execute, "execute_notebook", late)
    result = run()
    assert result["status"] == "failed"
    assert result["reason"].startswith("before the first cell: CellTimeoutError: ") and "IOPub" in result["reason"]
    assert "x = 1" not in result["reason"]


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_a_kernel_that_the_system_kills_names_cell_and_memory(run):
    reason = run("# %%\nos.kill(os.getpid(), 9)\n")["reason"]
    assert reason == "cell 6: the kernel died with exit code -9: killed from outside, by the system if memory was full"


def test_a_kernel_that_does_not_start_says_why(project, tmp_path, monkeypatch):
    """Of other Pythons' kernels, which a user may have installed under the same name, nothing is used."""
    project.add(SLUG)
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    spec = {"argv": ["/nonexistent/python"], "display_name": "x", "language": "python"}
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert project.mmnb("run").returncode == 0
    (tmp_path / "ipykernel_launcher.py").write_text("raise ImportError('no such wheel')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    run = project.mmnb("run")
    assert run.returncode == 1 and "the kernel did not start (exit code 1): ImportError: no such wheel" in run.stdout


def test_the_users_own_start_up_files_do_not_reach_the_kernel(run, project, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("LEAK = 1\n", encoding="utf-8")
    (tmp_path / "start.py").write_text("LEAK = 2\n", encoding="utf-8")
    (tmp_path / "matplotlibrc").write_text("lines.markersize: 77\n", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    assert run("# %%\nassert 'LEAK' not in globals()\n# %%\nimport matplotlib\n"
               "assert matplotlib.rcParams['lines.markersize'] == 6\n")["reason"] is None  # fmt: skip
    assert leftovers(project) == []


@pytest.mark.parametrize("file", ["result.json", f"{SLUG}.ipynb"])
def test_a_file_that_cannot_be_written_is_a_reason_and_the_others_run(project, file):
    """As on a full disk; here because a folder is in the place."""
    project.add(SLUG, f"# %%\npathlib.Path({file!r}, 'x').mkdir(parents=True)\n")
    project.add("02_two")
    first = project.mmnb("run")
    assert first.returncode == 1 and "Traceback" not in first.stderr + first.stdout
    (line,) = [line for line in first.stdout.splitlines() if line.startswith(f"{SLUG} failed: ")]
    assert "irectory" in line and str(project.folder(SLUG)) in line
    second = project.mmnb("run")  # whose worker does not even start
    assert f"{SLUG} failed: cannot start: " in second.stdout and project.result("02_two")["status"] == "ok"


def test_an_unknown_parameter_fails(run, project):
    result = run(parameters=ASKED | {"PROFIL": "smoke"})
    assert result["status"] == "failed" and result["reason"].startswith("unknown parameter PROFIL")
    assert not (project.folder(SLUG) / f"{SLUG}.ipynb").exists()


def test_a_missing_parameters_tag_fails(project, monkeypatch):
    project.add(SLUG, parameters='# %%\nPROFILE = "laptop"\nSEED = 0\n')
    folder = project.folder(SLUG)
    folder.mkdir(parents=True)
    result = execute.execute(SLUG, folder, ASKED)
    assert result["status"] == "failed" and result["reason"].startswith("0 cells have the tag `parameters`")


def judge(records: dict, **asked) -> str | None:
    return execute.judge_records(SLUG, records, ASKED | asked)


@pytest.fixture
def records(project) -> dict:
    project.add(SLUG)
    verdict = {"verdict": "reproduced"}
    entries = {"demo.one": dict(verdict), "demo.above": dict(verdict)}
    return {"notebook": SLUG, "profile": "laptop", "seed": 0, "records": entries, "complete": True}


def test_records_that_are_as_they_should_be(records):
    assert judge(records) is None


def test_a_claim_that_was_not_recorded(records):
    del records["records"]["demo.above"]
    records["records"]["demo.one"]["verdict"] = None
    assert judge(records) == "claim not recorded: demo.one, demo.above"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"complete": False}, "not complete"),
        ({"profile": "smoke"}, "says profile 'smoke'; asked for 'laptop'"),
        ({"seed": 1}, "says seed 1; asked for 0"),
        ({"notebook": "02_two"}, "says notebook '02_two'"),
    ],
)
def test_records_of_another_run_or_half_a_run(records, change, reason):
    assert reason in judge(records | change)


def test_no_records_at_all(project):
    project.add(SLUG)
    assert judge({}).startswith("no records.json")


def test_the_cpu_budget(monkeypatch):
    monkeypatch.delenv("MMNB_CPU_BUDGET", raising=False)
    assert execute.judge_cpu(90.0, "smoke") is None
    assert "took 91 CPU seconds; the budget of profile smoke is 60" in execute.judge_cpu(91.0, "smoke")
    assert execute.judge_cpu(720.0, "laptop") is None and execute.judge_cpu(721.0, "laptop")
    assert execute.judge_cpu(1e6, "paper") is None
    monkeypatch.setenv("MMNB_CPU_BUDGET", "10")
    assert execute.judge_cpu(15.0, "laptop") is None and execute.judge_cpu(16.0, "laptop")


def test_overrunning_the_cpu_budget_fails_and_other_processes_count(run, monkeypatch):
    monkeypatch.setenv("MMNB_CPU_BUDGET", "1.5")
    burn = "import time\nwhile time.process_time() < 2: pass"
    body = f"# %%\nimport subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}], check=True)\n"
    result = run(body)
    assert result["status"] == "failed" and "CPU seconds" in result["reason"]
    assert result["cpu_seconds"] > 2


def test_a_folder_with_braces(project, monkeypatch):
    """papermill formats paths as templates."""
    project.add(SLUG)
    folder = project.root / "out {x} ü"
    folder.mkdir()
    monkeypatch.setenv("MMNB_OUT", str(folder))
    assert execute.execute(SLUG, folder, ASKED)["status"] == "ok"
    assert (
        json.loads((folder / f"{SLUG}.ipynb").read_text(encoding="utf-8"))["metadata"]["papermill"]["input_path"]
        == f"notebooks/{SLUG}.py"
    )


def test_a_broken_claims_file_is_a_reason_not_a_crash(records, project):
    (project.root / "data" / "claims" / f"{SLUG}.yaml").write_text("notebook: 02_two\nclaims: []\n", encoding="utf-8")
    assert "got notebook '02_two'; expected '01_one'" in judge(records)
