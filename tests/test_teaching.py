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
WEEKS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)


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


def test_the_plan_has_twelve_weeks_and_every_exercise():
    assert [int(week[0]) for week in WEEKS] == list(range(1, 13))
    planned = re.findall(r"\b\d\d[a-z]\b", " ".join(f"{week[3]} {week[4]}" for week in WEEKS))
    assert sorted(planned) == sorted(task.id for slug in selection.available() for task in handout.tasks(slug))


def test_the_plan_names_figures_that_exist_and_in_the_weeks_of_their_notebooks():
    known = {figure["number"] for result in report.results(paths.root()) for figure in result["figures"].values()}
    for number, lecture, figures, *_ in WEEKS:
        for figure in re.findall(r"\d+\.\d+", figures):
            assert figure in known, f"week {number}: there is no figure {figure}"
            assert f"0{figure[0]}" in lecture, f"week {number}: figure {figure} is of another notebook"


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


def test_figures_for_slides_are_twice_as_large(monkeypatch):
    assert "plot.DPI = 220" in PAGE
    figure, ax = plot.subplots("column")
    ax.plot([0, 1])
    small = plot.png(figure)[1]
    monkeypatch.setattr(plot, "DPI", 220)
    content, width = plot.png(figure)
    assert width == 2 * small
    assert Image.open(io.BytesIO(content)).width == width


def test_nbgrader_marks_are_as_the_page_says():
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell.metadata["nbgrader"] for cell in handout.student_notebook(selection.available()[0]).cells if "nbgrader" in cell.metadata}  # fmt: skip
    first = handout.tasks(selection.available()[0])[0].id
    assert cells[f"exercise-{first}"]["solution"] and not cells[f"exercise-{first}"]["grade"]
    check = cells[f"check-{first}"]
    assert check["grade"] and check["locked"] and 1 <= check["points"] <= 3
