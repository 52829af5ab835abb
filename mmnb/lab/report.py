"""Render what the README and docs/verdicts.md show of the committed results: answers, counts, pictures, every verdict."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmnb import paths
from mmnb.lab import claims, verdicts
from mmnb.lab.tables import Table

PICTURES = ("01_emap/by-kind", "02_vision_for_language/authors", "05_complementarity/tables")
READMES = {
    "README.md": ("answers", "summary", "gallery"),
    "README.zh.md": ("summary",),
}  # the parts that each of them shows
VERDICTS = "docs/verdicts.md"
_NOTHING = "No results yet: `mmnb build` records them."
_MEANING = (
    "*Reproduced* is said of a paper's sentence, *holds* of one of ours: a rule accepts our number and its interval, and rejects what a broken "
    "run or the strongest cheap baseline would give. *Not reproduced* needs evidence against; where the interval allows both, or too few models "
    "were trained, the verdict is *undecided*. Checks are self-tests and are counted apart. A negative result is a result."
)


def results(root: Path) -> list[dict[str, Any]]:
    """The committed results of every notebook, by its number."""
    folder = root / "data" / "results"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.json"))]


def render_summary(results: Sequence[Mapping[str, Any]], root: Path, notebooks: str = "notebooks") -> str:
    """The number of verdicts of each kind, by notebook, as a Markdown table; its links lead to the folder `notebooks`."""
    if not results:
        return _NOTHING
    rows, total = [], {kind: Counter() for kind in claims.KINDS}
    for result in results:
        slug = result["notebook"]
        found = verdicts.count(claims.load(slug, root), result["records"])
        rows.append([_link(slug, root, notebooks), *verdicts.columns(found)])
        total = {kind: total[kind] + found[kind] for kind in total}
    return Table(["notebook", *verdicts.COLUMNS], [*rows, ["all", *verdicts.columns(total)]]).markdown()


def render_verdicts(results: Sequence[Mapping[str, Any]], root: Path, notebooks: str = "../notebooks") -> str:
    """A page with the counts, what did not reproduce, what is undecided, and every claim of every notebook, folded."""
    parts: list[str] = []
    missed: dict[str, list[tuple[str, ...]]] = {"✘": [], "?": []}
    for result in results:
        slug, records = result["notebook"], result["records"]
        known = claims.load(slug, root)
        for claim in known:
            one = verdicts.row(claim, records.get(claim.id))
            if claim.kind != claims.CHECK and (mark := claims.MARKS.get(one.verdict)) in missed:
                missed[mark].append((one.name, one.published, one.ours, one.rule))
        parts += [f"## {_link(slug, root, notebooks)}", answer(slug, root)]
        for table in verdicts.tables(known, records):
            table.caption, caption = None, table.caption
            parts.append(f"<details><summary>{caption}</summary>\n\n{table.markdown()}\n\n</details>")
    header = ("claim", "paper", "ours", "rule")
    failed, open_ = (Table(header, rows).markdown() if rows else "Nothing." for rows in missed.values())
    head = [
        "# Verdicts",
        _MEANING,
        render_summary(results, root, notebooks),
        "## What did not reproduce or hold",
        failed,
    ]
    head += ["## What is undecided", open_]
    return "\n\n".join(part for part in head + parts if part) + "\n"


def render_answers(root: Path, notebooks: str = "notebooks") -> str:
    """What each notebook found: its title as a link and the paragraph below it that begins with **Answer.**"""
    slugs = sorted(path.stem for path in (root / "notebooks").glob("[0-9]*.py"))
    found = ((_link(slug, root, notebooks), answer(slug, root)) for slug in slugs)
    return "\n".join(f"- {link}: {text}" for link, text in found if text) or "No notebooks."


def _link(slug: str, root: Path, notebooks: str) -> str:
    return f"[{title(slug, root)}]({notebooks}/{slug}.ipynb)"  # a title begins with its notebook's number


def render_gallery(results: Sequence[Mapping[str, Any]]) -> str:
    """The figures named in `PICTURES` with their alternative texts and captions, in Markdown."""
    known = {f"{result['notebook']}/{name}": figure for result in results for name, figure in result["figures"].items()}
    parts = []
    for path in PICTURES:
        if figure := known.get(path):
            slug = path.split("/")[0]
            alt = figure["alt"].replace("[", "(").replace("]", ")")
            caption = f"**Figure {figure['number']}.** {figure['caption']} · [notebook](notebooks/{slug}.ipynb)"
            parts.append(f"![{alt}](figures/{path}.png)\n\n{caption}")
    return "\n\n".join(parts) or _NOTHING


def title(slug: str, root: Path | None = None) -> str:
    """The question a notebook asks: the first heading of its source; without a source, its slug."""
    heading = re.search(r"^# # (.+)$", _source(slug, root), re.MULTILINE)
    return heading.group(1).strip() if heading else slug


def answer(slug: str, root: Path | None = None) -> str:
    """The paragraph of a notebook's source that begins with **Answer.**, without that word; empty if there is none."""
    found = re.search(r"^# \*\*Answer\.\*\*(.*\n(?:# .+\n)*)", _source(slug, root), re.MULTILINE)
    return " ".join(line.removeprefix("#").strip() for line in found.group(1).splitlines()).strip() if found else ""


def _source(slug: str, root: Path | None) -> str:
    source = (root or paths.root()) / "notebooks" / f"{slug}.py"
    return paths.read_text(source) if source.is_file() else ""


def render_readme(text: str, root: Path, name: str = "README.md") -> str:
    """`text` with fresh content between the markers of the file `name`. Raises ValueError where they are not in order."""
    found = results(root)
    content = {
        "answers": render_answers(root),
        "summary": render_summary(found, root),
        "gallery": render_gallery(found),
    }
    for part in READMES[name]:
        begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"{name}: expected {begin} and after it {end}, once each")
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{content[part]}\n{end}{after}"
    return text


def render_all(root: Path) -> dict[Path, str]:
    """File -> content of all that shows results: README.md, README.zh.md where it exists, docs/verdicts.md."""
    readmes = [root / name for name in READMES if name == "README.md" or (root / name).is_file()]
    texts = {file: render_readme(file.read_text(encoding="utf-8"), root, file.name) for file in readmes}
    return texts | {root / VERDICTS: render_verdicts(results(root), root)}


def update(root: Path | None = None) -> None:
    """Write what `render_all` gives for a checkout, by default the one in use."""
    for file, text in render_all(root or paths.root()).items():
        file.parent.mkdir(exist_ok=True)
        paths.write_text(file, text)
