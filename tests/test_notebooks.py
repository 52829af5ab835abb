"""What every notebook keeps to: skeleton, parameters, one profile switch, and products that match the source."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mmnb import paths
from mmnb.lab import claims
from mmnb.runner import convert, fingerprint, publish, selection

SECTIONS = (  # the headings of level 2, in this order; more words may follow, and a section may come in several parts
    "Parameters",
    "Set-up",
    "The idea",
    "Data",
    "Reproduction",
    "Negative control",
    "Paper versus ours",
    "Exercises",
    "Limits",
    "References",
)
OPTIONAL = ("Environment",)  # may also be a part of References
CARD = (
    "paper",
    "claims",
    "level",
    "minutes",
    "you will do",
    "you will learn",
    "you need",
)  # in the cell below the title
CELLS = (25, 120)
LONGEST_CELL = 30  # lines, imports and blank ones not counted
LARGEST_CELL = 300  # nodes of the syntax tree
LONGEST_LINE = 110  # characters, text and code
IN_SAY = ("len", "float", "abs", "min", "max", "round", "mean", "sum", "double")  # what a sentence may call
FORBIDDEN = (
    "get_ipython",
    "os.environ",
    "sys.path",
    "filterwarnings",
    'simplefilter("ignore',
    "%pip",
    "!pip",
    "%matplotlib",
)
SLUGS = selection.available()
if not SLUGS:
    pytest.fail("no notebook NN_name.py in notebooks/: nothing would be tested", pytrace=False)


def headings(notebook: nbformat.NotebookNode) -> list[str]:
    """Headings of levels 1 and 2 outside code fences, such as `## Data`."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^##? .+$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


def skeleton_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What is wrong with title, answer, sections and number of cells."""
    faults = []
    first, *rest = headings(notebook) or [""]
    lines = notebook.cells[0].source.strip().splitlines() if notebook.cells[0].cell_type == "markdown" else []
    if not first.startswith("# ") or not lines or lines[0] != first:
        faults.append("the first cell does not begin with a title `# ...`")
    elif len([line for line in lines[1:] if line.strip()]) == 0:
        faults.append("no one-line answer below the title")
    card = (
        notebook.cells[1] if len(notebook.cells) > 1 and notebook.cells[1].cell_type == "markdown" else {"source": ""}
    )
    faults += [f"the card does not say `{word}`" for word in CARD if word not in card["source"].lower()]
    names = [*SECTIONS, *OPTIONAL]
    at = -1
    seen = set()
    for heading in rest:
        if heading.startswith("# "):
            faults.append(f"a second title: {heading}")
            continue
        found = next((i for i, name in enumerate(names) if re.match(f"## {name}", heading, re.IGNORECASE)), None)
        if found is None:
            faults.append(f"unknown section `{heading}`; expected {', '.join(names)}")
            continue
        if found < at:
            faults.append(f"`{heading}` comes after `{names[at]}`")
        at = max(at, found)
        seen.add(names[found])
    faults += [f"no section `{name}`" for name in SECTIONS if name not in seen]
    last = [cell.source for cell in notebook.cells if cell.cell_type == "code"][-1:]
    if last != ["run.environment()"]:
        faults.append("the last code cell is not `run.environment()`")
    if not CELLS[0] <= len(notebook.cells) <= CELLS[1]:
        faults.append(f"{len(notebook.cells)} cells; expected {CELLS[0]} to {CELLS[1]}")
    return faults


def text_faults(text: str) -> list[str]:
    """What is wrong with the lines of a source file."""
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LONGEST_LINE:
            faults.append(f"line {number} has {len(line)} characters; expected at most {LONGEST_LINE}")
        if re.search(r"#\s*fmt:\s*(skip|off)", line):
            faults.append(f"line {number} switches the formatter off")
    return faults


def _name(called: ast.expr) -> str:
    """`max` of `max(...)`, `mean` of `scores.mean()` and of `np.mean(...)`."""
    return called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)


def say_faults(tree: ast.Module) -> list[str]:
    """What a `run.say` works out inside its sentence although it should stand above it, under a name."""
    faults = []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.say"]
    for node in (node for call in calls for argument in call.args for node in ast.walk(argument)):
        forbidden = isinstance(
            node, ast.IfExp | ast.BoolOp | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        )
        if forbidden or (isinstance(node, ast.Call) and _name(node.func) not in IN_SAY):
            faults.append(f"run.say works out `{ast.unparse(node)}` inside its sentence")
    return faults


def code_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What is wrong with the parameters, the use of the profile, the size of cells, the sentences and the exercises."""
    faults = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if convert.parameters(notebook) != {"PROFILE": "laptop", "SEED": 0} or "parameters" not in code[0].metadata.get(
        "tags", []
    ):
        faults.append('the first code cell is not the parameters cell with PROFILE = "laptop" and SEED = 0 alone')
    for number, cell in enumerate(code, start=1):
        lines = [line for line in cell.source.splitlines() if line.strip() and not re.match(r"(from|import) ", line)]
        if not cell.source.strip() or len(lines) > LONGEST_CELL:
            faults.append(f"code cell {number} has {len(lines)} lines; expected 1 to {LONGEST_CELL}")
        faults += [f"code cell {number} uses {word}" for word in FORBIDDEN if word in cell.source]
        tree = ast.parse(cell.source)
        nodes = sum(1 for _ in ast.walk(tree))
        if nodes > LARGEST_CELL:
            faults.append(f"code cell {number} has {nodes} nodes; expected at most {LARGEST_CELL}")
        faults += [f"code cell {number}: {fault}" for fault in say_faults(tree)]
        for node in ast.walk(tree):
            if isinstance(node, ast.If | ast.IfExp | ast.Compare | ast.Match) and _mentions_profile(node):
                faults.append(f"code cell {number} decides by the profile: `{ast.unparse(node).splitlines()[0]}`")
    number = 0
    for tag in (tag for cell in code for tag in cell.metadata.get("tags", []) if tag.startswith("exercise-")):
        number += 1
        if not any(f'check("{tag.removeprefix("exercise-")}"' in cell.source for cell in code):
            faults.append(f"no cell checks {tag}")
    if number < 3:
        faults.append(f"{number} exercises; expected three or more, in cells tagged exercise-NNx")
    return faults


def _mentions_profile(node: ast.AST) -> bool:
    parts = (
        [node.test]
        if isinstance(node, ast.If | ast.IfExp)
        else [node.subject]
        if isinstance(node, ast.Match)
        else [node]
    )
    names = [part for top in parts for part in ast.walk(top)]
    return any(getattr(part, "id", None) == "PROFILE" or getattr(part, "attr", None) == "profile" for part in names)


def product_faults(source: nbformat.NotebookNode, product: nbformat.NotebookNode, size: int) -> list[str]:
    """What is wrong with a committed notebook, compared with its source."""
    plain = [
        [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in book.cells]
        for book in (source, product)
    ]
    faults = [] if plain[0] == plain[1] else ["its cells are not those of the source"]
    if size > publish.LIMIT:
        faults.append(f"{size} bytes; at most {publish.LIMIT}")
    code = [cell for cell in product.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        faults.append("not every code cell was executed, once and in order")
    outputs = [output for cell in code for output in cell.outputs]
    faults += [f"an error output: {output.ename}" for output in outputs if output.output_type == "error"]
    faults += ["a standard error output" for output in outputs if output.get("name") == "stderr"]
    foreign = publish.foreign_path(product)
    return faults + ([f"shows the path {foreign[0]} of some computer"] if foreign else [])


@pytest.fixture(params=SLUGS)
def slug(request) -> str:
    return request.param


@pytest.fixture
def source(slug) -> nbformat.NotebookNode:
    return convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py")


def test_skeleton(source):
    assert skeleton_faults(source) == []


def test_code(source):
    assert code_faults(source) == []


def test_lines(slug):
    assert text_faults((paths.root() / "notebooks" / f"{slug}.py").read_text(encoding="utf-8")) == []


def test_the_committed_notebook_is_the_executed_source(slug, source):
    file = paths.root() / "notebooks" / f"{slug}.ipynb"
    assert file.is_file(), f"no notebooks/{slug}.ipynb; `mmnb build {slug}` makes it"
    product = nbformat.read(file, as_version=4)
    nbformat.validate(product)
    assert product_faults(source, product, file.stat().st_size) == []


def test_the_committed_products_are_fresh(slug):
    state = fingerprint.status(slug)
    assert state.state == "fresh", f"{slug} is {state.state}: {'; '.join(state.reasons)}; `mmnb build` refreshes it"


def test_no_product_and_no_claims_without_a_notebook():
    root = paths.root()
    places = {
        "notebooks": (root / "notebooks").glob("*.ipynb"),
        "data/results": (root / "data" / "results").glob("[0-9]*.json"),
        "data/claims": (root / "data" / "claims").glob("*.yaml"),
        "figures": (file for file in (root / "figures").glob("*") if file.is_dir()),
    }
    assert [f"{place}/{file.name}" for place, files in places.items() for file in files if file.stem not in SLUGS] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)  # one after another; each has its own budget of CPU seconds
def test_every_notebook_runs_at_smoke_and_leaves_the_checkout_clean(tmp_path):
    """Strictly, through the command itself, all of them, with whatever data this computer has."""
    before = _git_status()
    command = [sys.executable, "-m", "mmnb", "run", "--profile", "smoke", "--out", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert sorted(folder.name for folder in tmp_path.iterdir()) == SLUGS
    assert _git_status() == before
    assert only_too_small(tmp_path) == [], "give them `profiles: {smoke: why}` in data/claims"
    assert [file.stem for file in tmp_path.rglob("*.ipynb") if deprecated(nbformat.read(file, as_version=4))] == []


def only_too_small(runs: Path) -> list[str]:
    """Claims that a run at smoke rejects although the committed results, at laptop, do not."""
    found = []
    for slug in SLUGS:
        made, kept = (
            json.loads(file.read_text(encoding="utf-8"))["records"]
            for file in (runs / slug / "records.json", paths.root() / "data" / "results" / f"{slug}.json")
        )
        rejected = (name for name, record in made.items() if record["verdict"] == claims.NOT_REPRODUCED)
        found += [name for name in rejected if name in kept and kept[name]["verdict"] != claims.NOT_REPRODUCED]
    return found


def deprecated(notebook: nbformat.NotebookNode) -> list[str]:
    """What an executed notebook was warned about: old names of ours (`mmnb.aliases` says so on standard error)."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.text for output in outputs if "the old name goes with the next release" in output.get("text", "")]


def _git_status() -> str:
    if shutil.which("git") is None or not (paths.root() / ".git").exists():
        return "no git"
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=paths.root(), capture_output=True, text=True, check=True).stdout


# the checks themselves, on a notebook that keeps to the rules and on planted faults
def _good() -> list[tuple[str, str, str]]:
    cells = [
        ("markdown", "# Does it?\n\nNo.", ""),
        ("markdown", " | ".join(CARD), ""),
        ("markdown", "## Parameters", ""),
    ]
    cells.append(("code", 'PROFILE = "laptop"\nSEED = 0', "parameters"))
    cells += [("markdown", f"## {name}: more words", "") for name in SECTIONS[1:8]]
    for name in ("01a", "01b", "01c"):
        cells += [("code", f"def f{name}(): pass", f"exercise-{name}"), ("code", f'check("{name}", f{name})', "")]
    cells += [("markdown", "## Limits", ""), ("markdown", "## References", ""), ("markdown", "## Environment", "")]
    return [*cells, *(("markdown", f"Text {i}.", "") for i in range(8)), ("code", "run.environment()", "")]


def _notebook(cells: list[tuple[str, str, str]]) -> nbformat.NotebookNode:
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    made = [
        make[kind](text, id=f"c{i}", metadata={"tags": [tag]} if tag else {})
        for i, (kind, text, tag) in enumerate(cells)
    ]
    return nbformat.v4.new_notebook(cells=made)


def test_a_good_notebook_has_no_faults():
    assert skeleton_faults(_notebook(_good())) == code_faults(_notebook(_good())) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# Does it?\n\nNo.", "Does it?", "does not begin with a title"),
        ("# Does it?\n\nNo.", "# Does it?", "no one-line answer"),
        ("paper | claims", "paper", "the card does not say `claims`"),
        ("## Limits", "## Limits\n\n# Again", "a second title"),
        ("## Limits", "### Limits", "no section `Limits`"),
        ("## Limits", "## Boundaries", "unknown section `## Boundaries`"),
        ("## Limits", "```\n## Limits\n```", "no section `Limits`"),
        ("## References", "## References\n\n## Limits", "`## Limits` comes after `References`"),
        ("## Parameters", "## Set-up\n\n## Parameters", "`## Parameters` comes after `Set-up`"),
        ("run.environment()", "1", "the last code cell is not `run.environment()`"),
        ("SEED = 0", "SEED = 1", "the first code cell is not the parameters cell"),
        ("SEED = 0", "SEED = 0\nN = 3", "the first code cell is not the parameters cell"),
        ("def f01a(): pass", 'if PROFILE == "smoke": pass', "decides by the profile"),
        ("def f01a(): pass", 'n = 3 if run.profile == "smoke" else 4', "decides by the profile"),
        ("def f01a(): pass", "x = 1\n" * 31, "has 31 lines"),
        ("def f01a(): pass", f"x = [{', '.join(['1'] * 300)}]", "has 306 nodes"),
        ("def f01a(): pass", 'run.say(f"It {1 if x else 2}.")', "run.say works out `1 if x else 2`"),
        ("def f01a(): pass", 'run.say("A" + f"{x or 1}")', "run.say works out `x or 1`"),
        ("def f01a(): pass", "run.say(f\"{', '.join(names)}\")", "run.say works out `', '.join(names)`"),
        ("def f01a(): pass", 'run.say(f"{max(x for x in y)}")', "run.say works out `(x for x in y)`"),
        ("def f01a(): pass", "import os; os.environ['A'] = '1'", "uses os.environ"),
        ('check("01b", f01b)', "1", "no cell checks exercise-01b"),
    ],
)
def test_planted_faults_are_found(old, new, fault):
    cells = [(kind, text.replace(old, new), tag) for kind, text, tag in _good()]
    assert cells != _good()
    faults = skeleton_faults(_notebook(cells)) + code_faults(_notebook(cells))
    assert any(fault in found for found in faults), faults


def test_a_sentence_with_values_has_no_faults():
    text = (
        'run.say(f"{100 * gap:.1f} of {len(rows)}: {e!r}, {t[0].low:+.{digits}f}, {round(abs(x) - y)}.")\nrun.say(text)'
    )
    assert say_faults(ast.parse(text)) == []


def test_faults_of_lines_are_found():
    assert text_faults("# " + "é" * 108 + "\nx = 1  # fmt: nothing") == []
    planted = "x" * 111 + "\nx = 1  # fmt: skip\n# fmt:off"
    words = ["line 1 has 111 characters", "line 2 switches", "line 3 switches"]
    assert [fault[: len(word)] for fault, word in zip(text_faults(planted), words, strict=True)] == words


def test_an_old_name_in_an_executed_notebook_is_found():
    notebook = _notebook(_good())
    assert deprecated(notebook) == []
    code = "from mmnb import aliases; look_up = aliases.renamed('m', {'a': 'math.pi'}); look_up('a')"
    shown = subprocess.run([sys.executable, "-Wd", "-c", code], capture_output=True, text=True, check=True).stderr
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=shown)]
    assert len(deprecated(notebook)) == 1


def test_too_few_cells_and_exercises_are_found():
    cells = [cell for cell in _good() if cell[2] != "exercise-01c" and not cell[1].startswith("Text")]
    assert any(f"{len(cells)} cells" in fault for fault in skeleton_faults(_notebook(cells)))
    assert any("2 exercises" in fault for fault in code_faults(_notebook(cells)))


def test_faults_of_a_product_are_found():
    source, product = _notebook(_good()), _notebook(_good())
    for count, cell in enumerate((cell for cell in product.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
    assert product_faults(source, product, 10) == []
    code = [cell for cell in product.cells if cell.cell_type == "code"]
    home = Path("/home") / "ann"
    code[0].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="warning"),
        nbformat.v4.new_output("stream", name="stdout", text=f"see {home.as_posix()}/x"),
        nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[]),
    ]
    code[1].execution_count = None
    product.cells[0].source += " "
    assert len(product_faults(source, product, publish.LIMIT + 1)) == 6
