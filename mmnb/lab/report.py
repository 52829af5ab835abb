"""README from results: the table of verdicts and the gallery stand between markers and are rendered, never typed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmnb import paths
from mmnb.lab import claims, verdicts

PICTURES = 1  # per notebook in the gallery


def results(root: Path) -> list[dict[str, Any]]:
    """The committed results of every notebook, by its number."""
    folder = root / "data" / "results"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.json"))]


def render_verdict_table(*found: Mapping[str, Any], root: Path | None = None) -> str:
    """The verdicts of one or more notebooks in Markdown: per notebook a heading that links to it, the counts, and its table, folded.

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
        told = verdicts.count(
            [records[claim.id]["verdict"] if claim.id in records else "not recorded" for claim in kept]
        )
        heading = f"### [{title(slug, root)}](notebooks/{slug}.ipynb)"  # a title begins with its notebook's number
        table = verdicts.table(kept, records).markdown()
        parts.append(
            f"{heading}\n\n{told}\n\n<details><summary>The {len(kept)} claims</summary>\n\n{table}\n\n</details>"
        )
    return "\n\n".join(parts)


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
    source = (root or paths.root()) / "notebooks" / f"{slug}.py"
    if source.is_file():
        heading = re.search(r"^# # (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
        if heading:
            return heading.group(1).strip()
    return slug


def render_readme(text: str, root: Path) -> str:
    """`text` with fresh content between its markers. Raises: ValueError when a pair of markers is missing, doubled or crossed."""
    found = results(root)
    for name, content in (("verdicts", render_verdict_table(*found, root=root)), ("gallery", render_gallery(*found))):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"README.md: expected {begin} and after it {end}, once each")
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{content}\n{end}{after}"
    return text


def update_readme(root: Path | None = None) -> bool:
    """Render README.md anew from data/results.

    Args:    root, the checkout; by default the one in use.
    Returns: whether the file changed.
    Raises:  ValueError when a pair of markers is missing; FileNotFoundError without README.md.
    """
    readme = (root or paths.root()) / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = render_readme(old, readme.parent)
    if new == old:
        return False
    paths.write_text(readme, new)
    return True
