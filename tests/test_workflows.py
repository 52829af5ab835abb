"""The workflows call what the Makefile has, on the Pythons that the package supports, within the time that CI has."""

import re
import stat
import sys
import tomllib

import pytest
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

from mmnb import paths

ROOT = paths.root()
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def jobs(file) -> dict:
    return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))["jobs"]


def commands(file) -> str:
    return "\n".join(step["run"] for job in jobs(file).values() for step in job["steps"] if "run" in step)


def test_there_are_three():
    assert [file.stem for file in FILES] == ["reproduce", "site", "test"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_calls_targets_that_exist_and_ends(file):
    called = set(re.findall(r"\bmake ([a-z]+)", commands(file)))
    assert called and called <= TARGETS
    for name, job in jobs(file).items():
        runs_ours = any("make " in step.get("run", "") for step in job["steps"])
        assert not runs_ours or job["timeout-minutes"] <= 45, name


def test_every_supported_python_is_tested():
    wanted = SpecifierSet(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    )
    tested = jobs(ROOT / ".github/workflows/test.yml")["test"]["strategy"]["matrix"]["python"]
    assert tested == [version for version in (f"3.{minor}" for minor in range(9, 20)) if version in wanted]


def test_the_browser_is_required_wherever_tests_run():
    assert jobs(ROOT / ".github/workflows/test.yml")["test"]["env"]["MMNB_BROWSER"] == "required"
    assert "make browser" in commands(ROOT / ".github/workflows/site.yml")
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "if .ci/browser; then export MMNB_BROWSER=required" in text and text.endswith("make test\n")


def test_what_a_push_leaves_out_runs_every_week():
    """`make test` deselects the marker `nightly`, whatever a test is marked with besides."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert options["addopts"].endswith("-m 'not nightly'")
    weekly = ROOT / ".github/workflows/reproduce.yml"
    assert "schedule" in weekly.read_text(encoding="utf-8") and "make nightly" in commands(weekly)
    assert re.search(
        r"^nightly:.*\n\t.*pytest .*-m nightly$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_reproduce_finds_the_notebooks_by_itself_and_says_what_moved():
    text = commands(ROOT / ".github/workflows/reproduce.yml")
    assert 'glob("[0-9]*.py")' in text
    assert not re.search(r"\b0\d_\w+", text)  # a new notebook needs no new line
    assert "mmnb diff" in text and "GITHUB_STEP_SUMMARY" in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no executable bit")
def test_what_ci_runs_can_be_run():
    for name in ("run", "browser"):
        assert (ROOT / ".ci" / name).stat().st_mode & stat.S_IXUSR
