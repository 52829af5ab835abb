"""Write the generated pages of the site: notebooks, verdicts, pictures, times, instruments."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import api
import executed
import inputs
import repository
from PIL import Image

from mmnb import paths
from mmnb.lab import plot, report
from mmnb.runner import listing

_ABOUT_TIMES = (
    "At profile `laptop`, one thread, when the notebook was last built. Minutes are those of the processor, so a busy computer takes longer by the clock; "
    "memory is that of the whole kernel, of which importing torch takes the first half gigabyte. A run at profile `smoke` takes less than a minute each."
)


def write(folder: Path) -> None:
    """Write all of them into `folder`, after emptying it."""
    root = paths.root()
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("notebooks", "downloads", "instruments", "figures"):
        (folder / part).mkdir(parents=True)
    where = repository.find(root)
    for slug in api.built():
        file = root / "notebooks" / f"{slug}.ipynb"
        _write(folder / "notebooks" / f"{slug}.ipynb", executed.page(slug, file, where))
        for kind in ("ipynb", "py"):
            shutil.copyfile(root / "notebooks" / f"{slug}.{kind}", folder / "downloads" / f"{slug}.{kind}")
        if (root / "figures" / slug).is_dir():
            shutil.copytree(root / "figures" / slug, folder / "figures" / slug)
    found = report.results(root)
    _write(folder / "verdicts.md", report.render_verdicts(found, root, "notebooks"))
    _write(folder / "gallery.md", gallery(found))
    _write(folder / "times.md", times(root))
    for name in api.instruments():
        _write(folder / "instruments" / f"{name}.md", api.instrument(name))
    _write(folder / "instruments.md", api.overview())
    _write(folder / "inputs.md", inputs.page())
    _write(folder / "notebooks.md", notebooks(found))
    _write(folder / "answers.inc", answers(root))
    _write(folder / "first_figure.inc", first_figure(found))
    _write(folder / "tasks.inc", api.tasks("made/instruments/", "made/notebooks/"))
    _write(folder / "first_links.inc", first_links(where))
    _write(folder / "clone.inc", clone(where))
    _write(folder / "colab.inc", colab(where))


def answers(root: Path) -> str:
    """What each notebook found; one that was never executed has no page to link to, and is left out."""
    lines = report.render_answers(root, "made/notebooks").splitlines()
    return "\n".join(line for line in lines if any(f"/{slug}.ipynb)" in line for slug in api.built()))


def first_links(where: repository.Repository | None) -> str:
    """One line for the top of the start page; the repository is in it where it is known."""
    links = [
        "[Start reading](made/notebooks.md)",
        "[Install](installation.md)",
        "[Your own model](own_model.md)",
        "[Teach](teaching.md)",
    ]
    return "{.get}\n" + " ".join([*links, *([f"[Repository]({where.address})"] if where else [])]) + "\n"


def clone(where: repository.Repository | None) -> str:
    """The commands that fetch the source and open the notebooks."""
    name = where.address.rpartition("/")[2] if where else "mmnb"
    commands = f"git clone {where.address if where else repository.PLACEHOLDER} {name}\ncd {name}\nmake lab"
    return f"```console\n{commands}\n```\n"


def colab(where: repository.Repository | None) -> str:
    """The cell that installs the package on a computer that has none: by then the checkout is the current folder, and is imported from there."""
    address = where.address if where else repository.PLACEHOLDER
    return f'```text\n!git clone -q {address} mmnb\n%cd mmnb\n%pip install -q ".[notebooks,models,worlds]"\n```\n'


def first_figure(found: Sequence[Mapping[str, Any]]) -> str:
    """The first picture of the README's gallery, with its caption."""
    for path in report.PICTURES:
        slug, name = path.split("/")
        for figure in (result["figures"].get(name) for result in found if result["notebook"] == slug):
            if figure:
                return _figure(slug, name, figure, "made/")
    return ""


def width(file: Path) -> int:
    """At how many pixels of a page a committed figure is shown: it holds `plot.SHARP` pixels for each of them."""
    with Image.open(file) as picture:
        return picture.width // plot.SHARP


def _figure(slug: str, name: str, figure: Mapping[str, Any], prefix: str = "") -> str:
    caption = re.sub(r"([$\[\]{}<|~_\\*])", r"\\\1", figure["caption"])  # its characters mean only themselves
    file = paths.root() / "figures" / slug / f"{name}.png"
    options = f":alt: {figure['alt']}\n:width: {width(file)}px\n:target: {prefix}notebooks/{slug}.html"
    return (
        f":::{{figure}} {prefix}figures/{slug}/{name}.png\n{options}\n\n"
        f"**Figure {figure['number']}.** {caption} · [notebook]({prefix}notebooks/{slug}.ipynb)\n:::"
    )


_ABOUT_NOTEBOOKS = (
    "Each asks one question, and ends with a table of claims: our number, the rule, a verdict, and the paper's number where it prints one. "
    "They are shown as they were executed; long code is folded. A letter marks an appendix: it goes further, and can be left out."
)


def notebooks(found: Sequence[Mapping[str, Any]]) -> str:
    """All notebooks: question, answer, its first figure, what it takes, and the instruments that it uses."""
    root = paths.root()
    results = {result["notebook"]: result for result in found}
    parts = [f"# Notebooks\n\n{_ABOUT_NOTEBOOKS}"]
    for slug in api.built():
        row = listing.notebook(slug)
        links = [
            f"[{name}](instruments/{name}.md)" for name in api.by_use()[0] if name in {one for one, _ in api.uses(slug)}
        ]
        facts = [
            f"{row['cpu_minutes']} CPU minutes",
            f"{row['claims']} claims" if row["claims"] else "",
            "instruments: " + ", ".join(links) if links else "",
        ]
        parts.append(
            f"## [{executed.number(slug)} · {row['question']}](notebooks/{slug}.ipynb)\n\n{row['answer']}\n\n"
            f"{' · '.join(fact for fact in facts if fact)}"
        )
        figures = results.get(slug, {}).get("figures", {})
        if figures:
            name, figure = min(figures.items(), key=lambda item: place(item[1]))
            parts.append(
                f"```{{image}} figures/{slug}/{name}.png\n:alt: {figure['alt']}\n:width: {min(480, width(root / 'figures' / slug / f'{name}.png'))}px\n:target: notebooks/{slug}.html\n```"
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
            parts.append(_figure(slug, name, figure))
    return "\n\n".join(parts) + "\n"


def place(figure: Mapping[str, Any]) -> list[int]:
    """The number of a figure within its notebook, as numbers: 1.10 comes after 1.9, 5b.2 after 5b.1."""
    return [int(number) for number in re.findall(r"\d+", figure["number"])]


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
            f"| [{executed.number(slug)} · {row['question']}](notebooks/{slug}.ipynb) | {row['cpu_minutes']} | {memory} | {row['claims']} |"
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
