"""Write the generated pages of the site: notebooks, verdicts, pictures, times, instruments."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import api
import inputs
import nbformat

from mmnb import paths
from mmnb.lab import report
from mmnb.runner import listing

_ABOUT_TIMES = (
    "At profile `laptop`, one thread, when the notebook was last built. Minutes are those of the processor, so a busy computer takes longer by the clock; "
    "memory is that of the whole kernel, of which importing torch takes the first half gigabyte. A run at profile `smoke` takes less than a minute each."
)


def write(folder: Path) -> None:
    """Write all of them into `folder`, after emptying it."""
    root = paths.root()
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("notebooks", "instruments", "figures"):
        (folder / part).mkdir(parents=True)
    for slug in api.built():
        _write(folder / "notebooks" / f"{slug}.ipynb", notebook(root / "notebooks" / f"{slug}.ipynb"))
        if (root / "figures" / slug).is_dir():
            shutil.copytree(root / "figures" / slug, folder / "figures" / slug)
    found = report.results(root)
    _write(folder / "verdicts.md", report.render_verdicts(found, root, "notebooks"))
    _write(folder / "gallery.md", gallery(found))
    _write(folder / "times.md", times(root))
    names = api.instruments()
    for name in names:
        _write(folder / "instruments" / f"{name}.md", api.instrument(name))
    _write(folder / "instruments.md", api.overview(names))
    _write(folder / "inputs.md", inputs.page())
    _write(folder / "notebooks.md", notebooks(found))


_ABOUT_NOTEBOOKS = "Each asks one question, and shows next to every claim the paper's number, ours, and a verdict. They are shown as they were executed."


def notebooks(found: Sequence[Mapping[str, Any]]) -> str:
    """All notebooks: question, answer, its first figure, what it takes, and the instruments that it uses."""
    results = {result["notebook"]: result for result in found}
    parts = [f"# Notebooks\n\n{_ABOUT_NOTEBOOKS}"]
    for slug in api.built():
        row = listing.notebook(slug)
        links = [
            f"[{name}](instruments/{name}.md)"
            for name in api.instruments()
            if name in {one for one, _ in api.uses(slug)}
        ]
        facts = [
            f"{row['cpu_minutes']} CPU minutes",
            f"{row['claims']} claims" if row["claims"] else "",
            "instruments: " + ", ".join(links) if links else "",
        ]
        parts.append(
            f"## [{slug.split('_')[0]} · {row['question']}](notebooks/{slug}.ipynb)\n\n{row['answer']}\n\n{' · '.join(fact for fact in facts if fact)}"
        )
        figures = results.get(slug, {}).get("figures", {})
        if figures:
            name, figure = min(figures.items(), key=lambda item: place(item[1]))
            parts.append(
                f"```{{image}} figures/{slug}/{name}.png\n:alt: {figure['alt']}\n:width: 480px\n:target: notebooks/{slug}.html\n```"
            )
    toc = "\n".join(f"notebooks/{slug}" for slug in api.built())
    return "\n\n".join(parts) + f"\n\n```{{toctree}}\n:hidden:\n\n{toc}\n```\n"


def gallery(found: Sequence[Mapping[str, Any]]) -> str:
    """Every figure of every notebook with its caption, by number."""
    parts = [
        "# Pictures",
        "Every figure of the executed notebooks. Image is blue, text vermilion, audio green, fused purple, controls grey.",
    ]
    for result in found:
        slug = result["notebook"]
        parts.append(f"## {report.title(slug)}")
        for name, figure in sorted(result["figures"].items(), key=lambda item: place(item[1])):
            caption = re.sub(r"([$\[\]{}<|~_\\*])", r"\\\1", figure["caption"])  # its characters mean only themselves
            parts.append(
                f":::{{figure}} figures/{slug}/{name}.png\n:alt: {figure['alt']}\n\n**Figure {figure['number']}.** {caption} · [notebook](notebooks/{slug}.ipynb)\n:::"
            )
    return "\n\n".join(parts) + "\n"


def place(figure: Mapping[str, Any]) -> list[int]:
    """The number of a figure, as numbers: 1.10 comes after 1.9."""
    return [int(number) for number in figure["number"].split(".")]


def notebook(file: Path) -> str:
    """A committed notebook for the site: alternative texts where MyST-NB looks for them."""
    content = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
    for cell in content.cells:
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return nbformat.writes(content)


def times(root: Path) -> str:
    """CPU minutes and memory of every notebook at its last build, and what EMAP costs by the recorded bench."""
    lines = [
        "# Times and memory",
        "",
        _ABOUT_TIMES,
        "",
        "| notebook | CPU minutes | peak memory | claims |",
        "|:---|---:|---:|---:|",
    ]
    for slug in api.built():
        row = listing.notebook(slug)
        kept = json.loads((root / "notebooks" / f"{slug}.ipynb").read_text(encoding="utf-8"))["metadata"].get(
            "mmnb", {}
        )
        memory = f"{kept['peak_memory_mb'] / 1000:.1f} GB" if "peak_memory_mb" in kept else "–"
        lines.append(
            f"| [{slug.split('_')[0]} · {row['question']}](notebooks/{slug}.ipynb) | {row['cpu_minutes']} | {memory} | {row['claims']} |"
        )
    bench = json.loads((root / "data" / "results" / "bench_emap.json").read_text(encoding="utf-8"))
    lines += ["", "## What EMAP costs", "", "Ratios measured in one run of `make bench`.", ""]
    lines += ["| what | measured | must be |", "|:---|---:|:---|"]
    for name, ratio in bench["ratios"].items():
        wanted = " ".join(f"{key.replace('_', ' ')} {ratio[key]:g}" for key in ("at_most", "at_least") if key in ratio)
        lines.append(f"| {name} | {ratio['value']:.4g} | {wanted or '–'} |")
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")
