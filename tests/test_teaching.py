"""The teacher's page: what it renders is what the notebooks say, what it names exists, and its commands are accepted."""

import io
import re
import shlex
import sys

import pytest
from click.testing import CliRunner
from PIL import Image

from mmnb import cli, paths
from mmnb.course import handout
from mmnb.lab import plot, report
from mmnb.runner import selection

sys.path.insert(0, str(paths.root() / "docs"))

import teaching

PAGE = (paths.root() / "docs" / "teaching.md").read_text(encoding="utf-8")
WEEKS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.*?) \| (.+) \|$", teaching.plan(), re.MULTILINE)


def commands() -> list[str]:
    """The lines of the console blocks, without comments."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("slug", selection.available())
def test_every_notebook_is_rendered_from_its_card(slug):
    rows, needed = teaching.card(slug), teaching.minutes(slug)
    section = teaching.notebooks().split(f"### {report.title(slug)}\n", 1)[1].split("\n### ", 1)[0]
    for name in ("level", "minutes", "you need", "you will do"):
        assert rows[name] in section, name
    for task in handout.tasks(slug):
        assert f"| {task.id} | {task.title} | {task.points} of 3 | {needed[task.id]} |" in section


def test_a_card_without_a_level_is_refused(monkeypatch):
    monkeypatch.setattr(teaching, "ROWS", ("level", "no such row"))
    with pytest.raises(ValueError, match="lacks no such row"):
        teaching.card(selection.available()[0])


def test_every_figure_is_listed_and_there():
    found = re.findall(r"\(made/figures/(.+?)/(.+?)\.png\)", teaching.figures())
    expected = {(result["notebook"], name) for result in report.results(paths.root()) for name in result["figures"]}
    assert set(found) == expected
    for slug, name in found:
        assert (paths.root() / "figures" / slug / f"{name}.png").is_file()


def test_the_plan_has_twelve_weeks_every_notebook_and_every_exercise_once():
    assert teaching.with_plan(PAGE) == PAGE, "the plan is stale: `python docs/teaching.py` refreshes it"
    assert [int(week[0]) for week in WEEKS] == list(range(1, 13))
    assert {number for week in WEEKS for number in week[1].split(", ")} >= {slug[:2] for slug in selection.available()}
    planned = [exercise for week in WEEKS for exercise in week[3].split(", ") if exercise]
    assert sorted(planned) == sorted(task.id for slug in selection.available() for task in handout.tasks(slug))


def test_exercises_are_in_weeks_of_their_notebooks_in_order():
    for _, numbers, _, exercises, _ in WEEKS:
        assert {exercise[:2] for exercise in exercises.split(", ") if exercise} <= set(numbers.split(", "))
    for number in {slug[:2] for slug in selection.available()}:
        found = [exercise for week in WEEKS for exercise in week[3].split(", ") if exercise.startswith(number)]
        assert found == sorted(found)


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="expected <!-- plan:begin -->"):
        teaching.with_plan("no marks")


def test_every_mmnb_command_is_accepted():
    lines = [line for line in commands() if line.startswith("mmnb ")] + re.findall(r"`(mmnb [^`]+)`", PAGE)
    assert len(lines) > 8
    for line in lines:
        name, *rest = shlex.split(line)[1:]
        command = cli.main.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in rest if word.startswith("-") and word not in options] == [], line
        assert CliRunner().invoke(cli.main, [name, "--help"]).exit_code == 0


def test_every_make_target_exists():
    targets = re.findall(r"^make (\w+)", "\n".join(commands()), re.MULTILINE) + re.findall(r"`make (\w+)`", PAGE)
    makefile = (paths.root() / "Makefile").read_text(encoding="utf-8")
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_figures_are_as_sharp_as_the_page_says():
    assert "two pixels for each one" in PAGE and plot.SHARP == 2
    figure, ax = plot.subplots("page")
    ax.plot([0, 1])
    content, width = plot.png(figure)
    assert Image.open(io.BytesIO(content)).width == 2 * width == 1540


def test_nbgrader_marks_are_as_the_page_says():
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell.metadata["nbgrader"] for cell in handout.student_notebook(selection.available()[0]).cells if "nbgrader" in cell.metadata}  # fmt: skip
    first = handout.tasks(selection.available()[0])[0].id
    assert cells[f"exercise-{first}"]["solution"] and not cells[f"exercise-{first}"]["grade"]
    check = cells[f"check-{first}"]
    assert check["grade"] and check["locked"] and 1 <= check["points"] <= 3
