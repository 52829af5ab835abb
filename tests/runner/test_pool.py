"""Runs of the command as a user starts it: side by side, in a log, twice at once, resumed, changed verdicts."""

import json
import os
import shutil

import filelock
import pytest

from mmnb.lab import claims
from mmnb.runner import fingerprint, pool, processes, summary


def test_one_failing_notebook_does_not_stop_the_others_and_each_uses_one_torch_thread(project, monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 2)
    threads = "# %%\nimport torch\n(out / 'threads').write_text(str(torch.get_num_threads()))\n"
    project.add("01_bad", "# %%\n1 / 0\n")
    project.add("02_good", threads)
    plan = pool.Plan(("01_bad", "02_good"), project.root / "build" / "runs" / "laptop", jobs=2)
    events = []
    bad, good = pool.run(plan, lambda slug, event: events.append((slug, event["state"], event.get("done"))))
    assert (bad["notebook"], bad["status"]) == ("01_bad", "failed") and "ZeroDivisionError" in bad["reason"]
    assert (good["notebook"], good["status"]) == ("02_good", "ok")
    assert (project.folder("02_good") / "threads").read_text(encoding="utf-8") == "1"
    assert [event[0] for event in events[:2]] == ["01_bad", "02_good"], "both start before one ends"
    done = [count for slug, state, count in events if (slug, state) == ("02_good", "progress")]
    assert done == list(range(len(done))) and len(done) > 5
    assert "Fatal" not in (project.folder("02_good") / "worker.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("cores", "jobs", "given", "expected"),
    [(8, 2, "", "4"), (2, 3, "", "1"), (8, 1, "2", "2"), (2, 1, "9", "2"), (2, 1, "0", "2"), (2, 1, "-1", "2")],
)
def test_environment(project, monkeypatch, cores, jobs, given, expected):
    monkeypatch.setattr(processes, "cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("MMNB_DATA", "shared/remote")
    environment = pool.environment(project.folder("01_a"), jobs)
    assert {environment[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {expected}
    assert environment["MMNB_DATA"] == str(project.root.resolve() / "shared" / "remote"), "the kernel works elsewhere"
    assert environment["MMNB_OUT"] == str(project.folder("01_a"))


def test_a_run_in_a_log_file(project, tmp_path):
    project.add("01_one")
    project.add("02_two", "# %%\n1 / 0\n")
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = project.start("run", stdout=stream, stderr=stream)
        assert process.wait(timeout=120) == 1
    text = log.read_bytes().decode("utf-8")
    assert not set(text) & {chr(code) for code in range(32)} - {"\n"}, "a log holds no control characters"
    for part in (
        "01_one: started",
        "01_one: ok after",
        "02_two: FAILED",
        "(2 of 2)",
        "✔ reproduced",
        "Executed notebooks:",
    ):
        assert part in text
    assert os.path.join("build", "runs", "laptop", "02_two", "02_two.ipynb") in text
    assert "1/0" in text.replace(" ", ""), "the traceback is shown"


def test_json_is_one_document_and_a_changed_verdict_is_exit_code_3(project):
    project.add("01_one")
    first = project.mmnb("run", "--json")
    document = json.loads(first.stdout)
    assert (first.returncode, document["exit_code"]) == (0, 0)
    (entry,) = document["notebooks"]
    assert entry["status"] == "ok" and entry["records"]["demo.one"]["verdict"] == "reproduced"
    assert entry["executed"].endswith("01_one.ipynb") and "01_one: started" in first.stderr

    records = json.loads((project.folder("01_one") / "records.json").read_text(encoding="utf-8"))
    committed = project.root / "data" / "results" / "01_one.json"
    committed.write_text(json.dumps(records), encoding="utf-8")
    records["records"]["demo.one"]["verdict"] = claims.NOT_REPRODUCED
    committed.write_text(json.dumps(records), encoding="utf-8")
    again = project.mmnb("run", "--resume", "--json")
    document = json.loads(again.stdout)
    assert (again.returncode, document["exit_code"]) == (3, 3)
    assert document["notebooks"][0]["skipped"] is True
    assert (
        len(document["notebooks"][0]["changed"]) == 1
        and "demo.one: not reproduced" in document["notebooks"][0]["changed"][0]
    )
    good = {"status": "ok", "profile": "laptop", "seed": 0}
    records["records"]["demo.one"] |= {"verdict": "partly"}
    assert len(summary.changed("01_one", good, records)) == 1
    for other in ({"seed": 1}, {"profile": "smoke"}, {"status": "failed"}):
        assert summary.changed("01_one", good | other, records) == [], "there is nothing to compare with"


@pytest.mark.parametrize(
    ("status", "changed", "code"),
    [(["ok", "ok"], [[], []], 0), (["ok", "failed"], [["x"], []], 1), (["ok", "ok"], [[], ["x"]], 3)],
)
def test_exit_codes(status, changed, code):
    assert (
        summary.exit_code([{"status": one, "changed": two} for one, two in zip(status, changed, strict=True)]) == code
    )


@pytest.fixture
def finished(project):
    """A folder as a successful run leaves it, without the run."""
    project.add("01_one")
    folder = project.folder("01_one")
    folder.mkdir(parents=True)
    taken = fingerprint.fingerprint("01_one", ["mmnb.paths"], [])
    entries = {"demo.one": {"verdict": "reproduced", "unavailable": None}}
    result = {
        "status": "ok",
        "profile": "laptop",
        "seed": 0,
        "fingerprint": taken,
        "cache_sha256": fingerprint.cache_listing(),
    }
    (folder / "records.json").write_text(json.dumps({"records": entries}), encoding="utf-8")
    (folder / "01_one.ipynb").write_text("{}", encoding="utf-8")
    result["files_sha256"] = fingerprint.products("01_one", folder)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return project


def reusable(project, **options) -> bool:
    plan = pool.Plan(("01_one",), project.folder("01_one").parent, **options)
    return pool.reusable("01_one", project.folder("01_one"), plan) is not None


def test_resume_skips_what_is_the_same(finished):
    assert reusable(finished)
    assert not reusable(finished, profile="smoke") and not reusable(finished, seed=1)


@pytest.mark.parametrize("file", ["notebooks/01_one.py", "data/claims/01_one.yaml"])
def test_resume_runs_again_after_a_change(finished, file):
    path = finished.root / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert not reusable(finished)


@pytest.mark.parametrize("file", ["result.json", "records.json", "01_one.ipynb"])
@pytest.mark.parametrize("how", ["absent", "empty", "edited", "[" * 100_000])
def test_resume_runs_again_when_a_result_is_missing_or_broken(finished, file, how):
    path = finished.folder("01_one") / file
    text = path.read_text(encoding="utf-8").replace("{", '{"x": 1, ', 1) if how == "edited" else how
    path.unlink()
    if how != "absent":
        path.write_text("" if how == "empty" else text, encoding="utf-8")
    if (file, how) == ("result.json", "edited"):
        return  # more in it than we know is no other run
    assert not reusable(finished)


def test_resume_runs_again_after_a_failure_or_an_edit_of_the_package(finished):
    path = finished.folder("01_one") / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(result | {"status": "failed"}), encoding="utf-8")
    assert not reusable(finished)
    result["fingerprint"]["package_sha256"]["mmnb.paths"] = "another"
    path.write_text(json.dumps(result), encoding="utf-8")
    assert not reusable(finished)


def test_resume_tries_again_when_missing_data_may_have_arrived(finished, tmp_path):
    path = finished.folder("01_one") / "records.json"
    path.write_text(
        json.dumps({"records": {"demo.one": {"verdict": claims.NOT_TESTABLE, "unavailable": "no data"}}}),
        encoding="utf-8",
    )
    result = finished.result("01_one") | {"files_sha256": fingerprint.products("01_one", finished.folder("01_one"))}
    (finished.folder("01_one") / "result.json").write_text(json.dumps(result), encoding="utf-8")
    assert reusable(finished)
    (tmp_path / "no-data").mkdir()
    (tmp_path / "no-data" / "file").write_text("x", encoding="utf-8")
    assert not reusable(finished)


def test_two_runs_at_once_in_one_folder(project):
    project.add("01_one")
    folder = project.folder("01_one")
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / ".lock"):
        second = project.mmnb("run")
    assert second.returncode == 2
    assert "another run is working in this folder and holds" in second.stderr and ".lock" in second.stderr
    assert not (folder / "result.json").exists()


def test_an_output_folder_that_cannot_be_made(project, tmp_path):
    project.add("01_one")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    run = project.mmnb("run", "--out", str(tmp_path / "file" / "below"))
    assert run.returncode == 2 and "cannot write to the output folder" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize("out", ["", " ", "s3://bucket/runs", "gs://b"])
def test_an_output_folder_that_is_none(project, out):
    project.add("01_one")
    run = project.mmnb("run", "--out", out)
    assert run.returncode == 2 and f"got {out!r}; expected a file or folder of this computer" in run.stderr
    assert sorted(path.name for path in project.root.iterdir()) == ["data", "notebooks"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("MMNB_CPU_BUDGET", "abc"), ("MMNB_CPU_BUDGET", "1,5"), ("MMNB_CPU_BUDGET", "nan"), ("MMNB_CPU_BUDGET", "0"), ("MMNB_DATA", "s3://b"), ("MMNB_CACHE", "s3://b")],
)  # fmt: skip
def test_a_bad_environment_variable_is_named_before_anything_runs(project, monkeypatch, name, value):
    project.add("01_one")
    monkeypatch.setenv(name, value)
    run = project.mmnb("run")
    assert run.returncode == 2 and f"{name}: got {value!r}; expected " in run.stderr
    assert not project.folder("01_one").exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permission bits do not bind root, nor Windows"
)
def test_a_read_only_output_folder(project, tmp_path):
    project.add("01_one")
    out = tmp_path / "out"
    (out / "01_one").mkdir(parents=True)
    (out / "01_one").chmod(0o555)
    run = project.mmnb("run", "--out", str(out))
    (out / "01_one").chmod(0o755)
    assert run.returncode == 2 and "cannot write to the output folder" in run.stderr


def test_clear_removes_old_results_but_nothing_of_others(tmp_path):
    for name in ("result.json", "records.json", "01_one.ipynb", ".01_one-x.part.ipynb", "mine.txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "figures").mkdir()
    pool.clear("01_one", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
    shutil.rmtree(tmp_path)
