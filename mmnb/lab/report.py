"""README from results: summary, tables of verdicts and gallery stand between markers and are rendered, never typed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmnb import paths
from mmnb.lab import claims, verdicts
from mmnb.lab.tables import Table

PICTURES = 1  # per notebook in the gallery
READMES = {"README.md": ("summary", "gallery", "verdicts"), "README.zh.md": ("summary",)}  # what each of them shows


def results(root: Path) -> list[dict[str, Any]]:
    """The committed results of every notebook, by its number."""
    folder = root / "data" / "results"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.json"))]


def render_verdict_table(*found: Mapping[str, Any], root: Path | None = None) -> str:
    """The verdicts of one or more notebooks in Markdown: per notebook a heading that links to it, its answer, the counts, and its table, folded.

    Args:    found, contents of data/results/<slug>.json or of a run's records.json; root, the checkout,
             by default the one in use.
    Raises:  ValueError when a notebook has no claims file, or the file is not as it should be.
    """
    if not found:
        return "No results yet: `mmnb build` records them."
    parts = []
    for result in found:
        slug, records = result["notebook"], result["records"]
        kept = claims.load(slug, root)
        told = verdicts.count(_verdicts(result, root))
        heading = f"### [{title(slug, root)}](notebooks/{slug}.ipynb)"  # a title begins with its notebook's number
        table = verdicts.table(kept, records).markdown()
        lead = f"{answer(slug, root)}\n\n" if answer(slug, root) else ""
        parts.append(
            f"{heading}\n\n{lead}{told}\n\n<details><summary>The {len(kept)} claims</summary>\n\n{table}\n\n</details>"
        )
    return "\n\n".join(parts)


def render_summary(*found: Mapping[str, Any], root: Path | None = None) -> str:
    """How many verdicts of each kind every notebook has, and all together, as one small table in Markdown.

    Raises: ValueError when a notebook has no claims file, or the file is not as it should be.
    """
    if not found:
        return "No results yet: `mmnb build` records them."
    told = {f"[{title(r['notebook'], root)}](notebooks/{r['notebook']}.ipynb)": _verdicts(r, root) for r in found}
    told["all"] = [verdict for every in told.values() for verdict in every]
    kinds = [kind for kind in verdicts.MARKS if kind in told["all"]]
    kinds += sorted(set(told["all"]) - set(kinds))
    header = ["notebook", *(f"{verdicts.MARKS.get(kind, '?')} {kind}" for kind in kinds)]
    return Table(header, [[name, *map(every.count, kinds)] for name, every in told.items()]).markdown()


def _verdicts(result: Mapping[str, Any], root: Path | None) -> list[str]:
    """The verdict of every claim of a notebook, in the order of its claims file."""
    records = result["records"]
    kept = claims.load(result["notebook"], root)
    return [records[claim.id]["verdict"] if claim.id in records else "not recorded" for claim in kept]


def render_gallery(*found: Mapping[str, Any]) -> str:
    """The first figures of every notebook with their alternative texts and captions, in Markdown."""
    parts = []
    for result in found:
        slug = result["notebook"]
        for name, figure in sorted(result["figures"].items(), key=_place)[:PICTURES]:
            alt = figure["alt"].replace("[", "(").replace("]", ")")
            picture = f"![{alt}](figures/{slug}/{name}.png)"
            parts.append(
                f"{picture}\n\n**Figure {figure['number']}.** {figure['caption']} · [notebook](notebooks/{slug}.ipynb)"
            )
    return "\n\n".join(parts) or "No figures yet: `mmnb build` draws them."


def _place(item: tuple[str, Mapping[str, Any]]) -> tuple[int, ...]:
    """The number of a figure, as numbers: 1.10 comes after 1.9. The order inside a stored file says nothing."""
    return tuple(int(part) for part in item[1]["number"].split("."))


def title(slug: str, root: Path | None = None) -> str:
    """The question a notebook asks: the first heading of its source; without a source, its slug."""
    heading = re.search(r"^# # (.+)$", _source(slug, root), re.MULTILINE)
    return heading.group(1).strip() if heading else slug


def answer(slug: str, root: Path | None = None) -> str:
    """The paragraph of a notebook's source that begins with **Answer.**, without that word; empty where there is none."""
    found = re.search(r"^# \*\*Answer\.\*\*(.*\n(?:# .+\n)*)", _source(slug, root), re.MULTILINE)
    return " ".join(line.removeprefix("#").strip() for line in found.group(1).splitlines()).strip() if found else ""


def _source(slug: str, root: Path | None) -> str:
    source = (root or paths.root()) / "notebooks" / f"{slug}.py"
    return source.read_text(encoding="utf-8") if source.is_file() else ""


def render_readme(text: str, root: Path, name: str = "README.md") -> str:
    """`text` with fresh content between the markers that the file `name` has. Raises: ValueError when a pair of markers is missing, doubled or crossed."""
    found = results(root)
    content = {
        "summary": render_summary(*found, root=root),
        "gallery": render_gallery(*found),
        "verdicts": render_verdict_table(*found, root=root),
    }
    for part in READMES[name]:
        begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"{name}: expected {begin} and after it {end}, once each")
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{content[part]}\n{end}{after}"
    return text


def update_readme(root: Path | None = None) -> bool:
    """Render README.md anew from data/results, and README.zh.md where it exists.

    Args:    root, the checkout; by default the one in use.
    Returns: whether a file changed.
    Raises:  ValueError when a pair of markers is missing; FileNotFoundError without README.md.
    """
    root, changed = root or paths.root(), False
    for name in READMES:
        readme = root / name
        if name != "README.md" and not readme.is_file():
            continue
        old = readme.read_text(encoding="utf-8")
        new = render_readme(old, root, name)
        if new != old:
            paths.write_text(readme, new)
            changed = True
    return changed
