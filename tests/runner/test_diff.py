"""What moved between two runs: verdicts first, then numbers, as Markdown."""

import json

import click
import pytest
from click.testing import CliRunner

from mmnb import cli
from mmnb.runner import diff as comparison


def record(value, verdict="reproduced", ci=None):
    return {"value": value, "ci": ci, "n": None, "note": None, "unavailable": None, "verdict": verdict, "reason": None}


def write(file, records, notebook="01_toy", profile="laptop"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"notebook": notebook, "profile": profile, "records": records}), encoding="utf-8")
    return file


@pytest.fixture
def diff():
    return lambda *arguments: CliRunner().invoke(cli.main, ["diff", *map(str, arguments)])


def test_verdicts_first_then_numbers(tmp_path, diff):
    old = write(
        tmp_path / "results" / "01_toy.json",
        {"a": record(1.0), "b": record(2.0, ci=[1.0, 3.0]), "c": record(3.0), "d": record(4.0)},
    )
    new = {
        "a": record(1.0 + 1e-9),
        "b": record(2.0, ci=[1.5, 3.0]),
        "c": record(3.0, "not reproduced"),
        "e": record(5.0),
    }
    write(tmp_path / "run" / "01_toy" / "records.json", new)
    result = diff(old.parent, tmp_path / "run")
    assert result.exit_code == 3
    lines = [line for line in result.output.splitlines() if line.startswith("| ")][1:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == ["c", "d", "e", "b"]
    assert lines[0] == "| c | reproduced | not reproduced | 3 | 3 |"
    assert lines[1].startswith("| d | reproduced | – | 4 | – |")
    assert "3 of 5 verdicts moved, 1 more numbers did." in result.output


def test_numbers_alone_and_nothing_at_all(tmp_path, diff):
    one, two = (write(tmp_path / f"{name}.json", {"a": record(value)}) for name, value in (("one", 1.0), ("two", 1.1)))
    assert diff(one, one).output == "Nothing moved: the same verdicts, the same numbers.\n"
    moved = diff(one, two)
    assert moved.exit_code == 0
    assert "| a | reproduced | reproduced | 1 | 1.1 |" in moved.output
    other = write(tmp_path / "other.json", {"a": record(1.0)}, notebook="02_other")
    assert "Only in the old results" in diff(one, other).output
    assert "Only in the new results" in diff(one, other).output


def test_misuse_is_explained(tmp_path, diff):
    one = write(tmp_path / "one.json", {})
    smoke = write(tmp_path / "smoke.json", {}, profile="smoke")
    broken = tmp_path / "broken.json"
    broken.write_text("[]", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((one, smoke), "the same in both"),
        ((one, broken), "no result"),
        ((one, tmp_path / "empty"), "no results"),
    ):
        result = diff(*arguments)
        assert result.exit_code == 2
        assert words in result.output
    for content in (
        b"", b"\xff", b"[" * 100_000, b"[1]", b'{"notebook": "a", "profile": "smoke", "records": []}',
        *(json.dumps({"notebook": "a", "profile": "laptop", "records": {"b": entry}}).encode()
          for entry in (None, 1, {}, record(None), record("x"), record([]), record({}), record(1.0, 7), record(1.0, ci=3), record(1.0, ci=[2, 3]), record(float("nan")))),
    ):  # fmt: skip
        broken.write_bytes(content)
        result = diff(one, broken)
        assert result.exit_code == 2 and f"{broken} is no result of a notebook" in result.output, content[:99]
    with pytest.raises(click.UsageError, match="no results"):
        comparison.load(tmp_path / "empty")
