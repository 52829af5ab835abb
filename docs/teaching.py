"""Parts of the teacher's page that notebooks and results already say: the plan of weeks, cards, exercises and figures."""

import re
from pathlib import Path

import pages

from mmnb import paths
from mmnb.course import handout
from mmnb.lab import report
from mmnb.runner import convert, selection

PLAN = (  # week, its notebooks, the lecture, what to discuss and the free task; exercises are dealt out in order
    (
        "00",
        "What *together* can mean; the ideal observer; what a verdict is",
        "Take a claim of a paper you know: what would an ideal model give, what a cheap baseline?",
    ),
    (
        "00",
        "The same instruments on a trained model; data and models apart",
        "Change one number of the data, predict what each instrument says, run",
    ),
    (
        "01",
        "EMAP, from the definition to the shares",
        "Why must scores be logits? A model with a large share that loses nothing: what is it good for?",
    ),
    (
        "01",
        "What EMAP does not say; what the authors found",
        "Run EMAP on a model of your own; write its claim with a rule, an ideal and a null",
    ),
    (
        "02",
        "Taking a modality away; two losses on one scale; information and shock",
        "Is “0 bits lost” proof that the picture is not used?",
    ),
    (
        "02 03",
        "What a perfect model shows. Attention, and heads switched off",
        "Attention *is* or *is not* explanation: what would settle it here?",
    ),
    (
        "03",
        "The best head, its baselines, how it is judged; grounding during training",
        "How would a paper look that picks and judges a head on the same items?",
    ),
    ("04", "The gap and the cone", "Which of the explanations in later papers does our training support?"),
    (
        "04",
        "The landscape and centring; what training does to the gap (04b)",
        "Is a gap bad? Find a task on which closing it helps, and one on which it hurts",
    ),
    (
        "05",
        "Redundancy, uniqueness, synergy; what breaks when one modality fails",
        "Give a task of your own its four atoms by argument, then estimate them",
    ),
    (
        "06",
        "Laziness, and teachers of the right strength; a rule for choosing, tried where the answer is known (06b)",
        "Several methods, ten seeds: which difference would you publish?",
    ),
    (
        "07",
        "Overfitting rates, and a method against its simplest rivals; what did not reproduce in the whole collection",
        "Students present one verdict *not reproduced* or *undecided* each, and defend or attack it",
    ),
)
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


def weeks() -> list[list[str]]:
    """The exercises of each week of `PLAN`, in order: those of a notebook dealt out over its weeks, those of an appendix in the last of them."""
    dealt: list[list[str]] = [[] for _ in PLAN]
    for slug in selection.available():
        number = slug.partition("_")[0]
        places = [place for place, (numbers, *_) in enumerate(PLAN) if number[:2] in numbers.split()]
        places = places[-1:] if number[2:] else places
        for k, task in enumerate(handout.tasks(slug)):
            dealt[places[k * len(places) // len(handout.tasks(slug))]].append(task.id)
    return dealt


def plan() -> str:
    """The twelve weeks as a table."""
    rows = [
        f"| {week} | {numbers.replace(' ', ', ')} | {lecture} | {', '.join(exercises)} | {discuss} |"
        for week, ((numbers, lecture, discuss), exercises) in enumerate(zip(PLAN, weeks(), strict=True), start=1)
    ]
    return (
        "| week | notebook | lecture | exercises | discuss, and free task |\n|---:|:---|:---|:---|:---|\n"
        + "\n".join(rows)
    )


def with_plan(page: str) -> str:
    """The text of the teacher's page with a fresh plan between its marks. Raises: ValueError where these are missing."""
    found = re.fullmatch(r"(.*<!-- plan:begin -->\n).*(<!-- plan:end -->.*)", page, re.DOTALL)
    if found is None:
        raise ValueError("teaching.md: expected <!-- plan:begin --> and after it <!-- plan:end -->")
    return f"{found[1]}\n{plan()}\n\n{found[2]}"


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
        for name, figure in sorted(result["figures"].items(), key=lambda item: pages.place(item[1])):
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


if __name__ == "__main__":  # `python docs/teaching.py`, after exercises were added or removed
    PAGE = Path(__file__).with_name("teaching.md")
    paths.write_text(PAGE, with_plan(paths.read_text(PAGE)))
