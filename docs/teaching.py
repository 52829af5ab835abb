"""Parts of the teacher's page that notebooks and results already say: rendered from the cards, the exercises and the figures."""

import re
from pathlib import Path

from mmnb import paths
from mmnb.course import handout
from mmnb.lab import report
from mmnb.runner import convert, selection

ROWS = ("level", "minutes", "you will do", "you will learn to", "you need")


def card(slug: str) -> dict[str, str]:
    """The rows of a notebook's card, by their names. Raises: ValueError when one of `ROWS` is missing."""
    cells = convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells
    rows = dict(re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", cells[1].source, re.MULTILINE))
    missing = [name for name in ROWS if name not in rows]
    if missing:
        raise ValueError(f"{slug}: the card lacks {', '.join(missing)}")
    return rows


def minutes(slug: str) -> dict[str, int]:
    """Exercise id -> minutes, as its prompt says. Raises: ValueError when a prompt gives none."""
    found = {}
    text = "\n".join(cell.source for cell in convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells)
    for task in handout.tasks(slug):
        prompt = text.split(f"### {task.id} · ", 1)[1].split("\n### ", 1)[0]
        said = re.search(r"\*\*minutes\*\* (\d+)", prompt)
        if said is None:
            raise ValueError(f"{slug}, exercise {task.id}: expected `**minutes** 10` in its prompt")
        found[task.id] = int(said[1])
    return found


def notebooks() -> str:
    """One section for each notebook: level, time, what it needs, goals, exercises."""
    parts = []
    for slug in selection.available():
        rows, needed = card(slug), minutes(slug)
        tasks = "\n".join(
            f"| {task.id} | {task.title} | {task.points} of 3 | {needed[task.id]} |" for task in handout.tasks(slug)
        )
        goals = "\n".join(f"- {goal.strip()}" for goal in rows["you will learn to"].split(";"))
        parts.append(
            f"### {report.title(slug)}\n\n**Level:** {rows['level']}. **Minutes:** {rows['minutes']}. **Before it:** {rows['you need']}.\n\n"
            f"Students {rows['you will do']}, and learn to\n\n{goals}\n\n| exercise | title | difficulty, and points | minutes |\n|:---|:---|:---|---:|\n{tasks}\n"
        )
    return "\n".join(parts)


def figures() -> str:
    """Every committed figure with its number, the beginning of its caption, and its file."""
    lines = ["| figure | shows | file |", "|:---|:---|:---|"]
    for result in report.results(paths.root()):
        slug = result["notebook"]
        for name, figure in sorted(result["figures"].items(), key=lambda item: int(item[1]["number"].split(".")[1])):
            lines.append(
                f"| {figure['number']} | {_beginning(figure['caption'])} | [{slug}/{name}.png](made/figures/{slug}/{name}.png) |"
            )
    return "\n".join(lines)


def _beginning(caption: str, enough: int = 30) -> str:
    """The first sentences of a caption, until they say something."""
    sentences = re.split(r"(?<=[.”]) (?=[A-Z])", caption.replace("|", "\\|"))
    shown = sentences.pop(0)
    while sentences and len(shown) < enough:
        shown += f" {sentences.pop(0)}"
    return shown


def write(folder: Path) -> None:
    """Write both parts into `folder`, to be included by the page."""
    for name, text in (("teaching_notebooks", notebooks()), ("teaching_figures", figures())):
        paths.write_text(folder / f"{name}.inc", text + "\n")
