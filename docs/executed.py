"""One executed notebook as a page of the site: links to run it, folded code, figures at their width, entries for the search."""

import functools
import re
from collections import defaultdict
from pathlib import Path

import nbformat
from pybtex.database import parse_file
from repository import Repository

HERE = Path(__file__).parent
SHORT = 16  # lines of code that stay open: a method written out has no more
_BOOKKEEPING = re.compile(r"\brun\.(?:figure|record|verdicts|environment|sizes)\(")
_WORK = re.compile(
    r"(?<!\w)([A-ZÀ-Ž][\w'’-]+)(?: (?:et al\.|& [A-Z][\w-]+)|(?:, [A-Z][\w-]+)+ & [A-Z][\w-]+)?,? ((?:19|20)\d\d)\b(?!\.\d)"
)


def number(slug: str) -> str:
    """What a notebook's name begins with: "05b" of "05b_estimators"."""
    return slug.partition("_")[0]


def page(slug: str, file: Path, repository: Repository | None) -> str:
    """A committed notebook, ready for MyST-NB."""
    content = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
    first = content.cells[0]
    first.source = opening(slug, first.source, repository)
    for cell in content.cells:
        if cell.cell_type == "code":
            _present(cell)
        elif "## References\n" in cell.source:
            cell.source = references(cell.source)
    return nbformat.writes(content)


def opening(slug: str, source: str, repository: Repository | None) -> str:
    """The first cell: below the title how to get and run the notebook, and, invisible, what the search finds it by."""
    title, _, rest = source.partition("\n")
    entries = "```{index} " + ", ".join(f"! {word}" for word in keywords(slug)) + "\n```"
    rest = rest.replace("\n**Answer.**", "\n{.answer}\n**Answer.**", 1)
    return f"{title}\n\n{entries}\n\n{{.get}}\n{links(slug, repository)}\n{rest}"


def links(slug: str, repository: Repository | None) -> str:
    """One line: download, source, and where the repository is known, where to read and to run it on the web."""
    path = f"notebooks/{slug}.ipynb"
    parts = [
        f"{{download}}`Download (.ipynb) <../downloads/{slug}.ipynb>`",
        f"{{download}}`Source (.py) <../downloads/{slug}.py>`",
    ]
    if repository:
        parts.append(f"[Repository]({repository.file(path)})")
        parts += [f"[Run on {name}]({where})" for name, where in repository.launchers(path).items()]
    parts.append("[How to run it](../../installation.md)")
    return " ".join(parts)


def _present(cell: nbformat.NotebookNode) -> None:
    """Alternative text and width of a figure where MyST-NB looks for them; code folded where it is no method to be read."""
    shown: dict[str, object] = {}
    for output in cell.get("outputs", []):
        picture = output.get("metadata", {}).get("image/png", {})
        if picture.get("alt"):
            shown["image"] = {"alt": picture["alt"]} | (
                {"width": f"{picture['width']}px"} if "width" in picture else {}
            )
    if name := fold(cell):
        lines = len(cell.source.splitlines())
        shown["code_prompt_show"] = f"Code: {name}, {lines} line{'s' * (lines > 1)}"
        shown["code_prompt_hide"] = f"Hide the code: {name}"
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    if shown:
        cell.metadata["mystnb"] = shown


def fold(cell: nbformat.NotebookNode) -> str | None:
    """What a folded cell is called; None for one that stays open: a method of a few lines, or the parameters.

    Folded are solutions, imports, whatever draws or keeps a result, and all that is long.
    """
    tags = cell.metadata.get("tags", [])
    if "parameters" in tags:
        return None
    for tag in tags:
        if tag.startswith("exercise-"):
            return f"a solution of {tag.removeprefix('exercise-')}"
    captions = [
        text for output in cell.get("outputs", []) for text in [output.get("data", {}).get("text/markdown", "")] if text
    ]
    if figure := re.search(r"\*\*Figure (\w+\.\d+)\.\*\*", "\n".join(captions)):
        return f"figure {figure[1]}"
    if "mmnb.start(" in cell.source:
        return "set-up"
    if _BOOKKEEPING.search(cell.source):
        return "results"
    return "details" if len(cell.source.splitlines()) > SHORT else None


@functools.cache
def glossary() -> dict[str, list[str]]:
    """Term of the glossary -> numbers of the notebooks that its entry names, the main one first."""
    text = (HERE / "glossary.md").read_text(encoding="utf-8")
    block = re.search(r"^```\{glossary\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = {}
    for terms, meaning in re.findall(
        r"^((?:\S.*\n)+)((?:[ ].*\n|\n(?=[ ]))+)", block[1] if block else "", re.MULTILINE
    ):
        found |= dict.fromkeys(terms.splitlines(), re.findall(r"\{nb\}`(\w+)`", meaning))
    return found


def keywords(slug: str) -> list[str]:
    """What the search finds a notebook by first: the words of its name, and the terms whose glossary entry names it first."""
    own = [term for term, numbers in glossary().items() if numbers[:1] == [number(slug)]]
    name = slug.partition("_")[2].replace("_", " ")
    return [name, *(term for term in own if term.lower() != name)]


@functools.cache
def works() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(first author, year) -> (key, all that identifies it) of every entry of the bibliography."""
    found = defaultdict(list)
    for key, entry in parse_file(str(HERE / "references.bib"), bib_format="bibtex").entries.items():
        author = entry.persons["author"][0].last_names[-1].lower().strip("{}")
        fields = " ".join(entry.fields.get(name, "") for name in ("eprint", "doi", "url", "title")).lower()
        found[author, entry.fields["year"]].append((key, fields))
    return found


def references(source: str) -> str:
    """A cell with the heading References: below that section a link to the bibliography, in it one after every work."""
    before, heading, after = source.partition("## References\n")
    section, following, rest = after.partition("\n## ")
    return f"{before}{heading}{cite(section).rstrip()}\n\n[Everything cited on this site](../../bibliography.md)\n{following}{rest}"


def cite(text: str) -> str:
    """A list of references with a link into the bibliography after every work that "Author year" names without doubt."""

    def linked(match: re.Match) -> str:
        known = works().get((match[1].lower(), match[2]), [])
        return f"{match[0]} {{cite:p}}`{known[0][0]}`" if len(known) == 1 else match[0]

    return _WORK.sub(linked, text)
