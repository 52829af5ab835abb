"""`mmnb student` and `mmnb grade` as a teacher uses them: hand out, collect, grade, read the page."""

import json

import pytest
from click.testing import CliRunner

from mmnb import cli
from mmnb.course import handout

TASKS = handout.tasks("01_emap")
ALL = sum(task.points for task in TASKS)


@pytest.fixture
def mmnb():
    return lambda *arguments: CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_hand_out_and_grade_what_nobody_touched(mmnb, tmp_path):
    result = mmnb("student", "01", "--out", tmp_path / "for students")
    assert result.exit_code == 0
    assert result.output.strip().endswith("01_emap.ipynb")
    result = mmnb("grade", tmp_path / "for students", "--seed", 1)
    assert result.exit_code == 0, result.output
    assert f"0 of {ALL:<3} 01_emap" in result.output
    graded = json.loads((tmp_path / "for students" / "grades" / "grades.json").read_text(encoding="utf-8"))
    assert graded["seed"] == 1
    assert [grade["state"] for grade in graded["submissions"][0]["grades"]] == ["not attempted"] * len(TASKS)


def test_the_page_escapes_what_students_write(mmnb, hand_in, tmp_path):
    hand_in("a&b", {"01a": "def surface_of(F):\n    raise ValueError('<script>alert(1)</script>')"})
    result = mmnb("grade", tmp_path / "work", "--out", tmp_path / "report", "--notebook", "01", "--json")
    assert json.loads(result.stdout)["submissions"][0]["points"] == ALL - 1
    page = (tmp_path / "report" / "grades.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "a&b" not in page
    assert "a&amp;b" in page
    assert "&lt;script&gt;alert(1)" in page
    assert f"{ALL - 1} / {ALL}" in page
    assert "http" not in page


def test_misuse_is_exit_code_2(mmnb, tmp_path):
    for arguments, words in (
        (("grade", tmp_path), "no .ipynb"),
        (("grade", tmp_path / "nowhere"), "does not exist"),
        (("grade", tmp_path, "--notebook", "99"), "99"),
        (("grade", tmp_path, "--seconds", "0"), "seconds"),
        (("student", "99"), "99"),
    ):
        result = mmnb(*arguments)
        assert result.exit_code == 2, arguments
        assert words in result.output


def test_a_folder_that_cannot_be_written_is_exit_code_2(mmnb, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "ann.ipynb").write_text("{}", encoding="utf-8")
    for arguments in (("student", "01"), ("grade", tmp_path / "work")):
        result = mmnb(*arguments, "--out", tmp_path / "file" / "below")
        assert result.exit_code == 2
        assert "cannot write" in result.output
