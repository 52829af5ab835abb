"""The pages that are rendered from what the repository holds: notebooks, verdicts, pictures, times, instruments."""

import importlib
import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat

from mmnb import listing, paths, selection
from mmnb.lab import report

_INSTRUMENTS = "mmnb.instruments"


def write(folder: Path) -> None:
    """Write all of them into `folder`, which is made anew."""
    root = paths.root()
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("notebooks", "instruments", "figures"):
        (folder / part).mkdir(parents=True)
    built = [slug for slug in selection.available() if (root / "notebooks" / f"{slug}.ipynb").is_file()]
    for slug in built:
        _write(folder / "notebooks" / f"{slug}.ipynb", notebook(root / "notebooks" / f"{slug}.ipynb"))
        if (root / "figures" / slug).is_dir():
            shutil.copytree(root / "figures" / slug, folder / "figures" / slug)
    found = report.results(root)
    table = re.sub("^### ", "## ", report.render_verdict_table(*found, root=root), flags=re.MULTILINE)
    _write(folder / "verdicts.md", f"# Verdicts\n\n{_VERDICTS}\n\n{table}\n")
    _write(folder / "gallery.md", f"# Pictures\n\n{report.render_gallery(*found)}\n")
    _write(folder / "times.md", times(root, built))
    names = instruments()
    for name in names:
        _write(folder / "instruments" / f"{name}.md", instrument(name))
    toc = "\n".join(f"instruments/{name}" for name in names)
    _write(
        folder / "instruments.md",
        f"# Instruments\n\n{_ABOUT_INSTRUMENTS}\n\n```{{toctree}}\n:maxdepth: 1\n\n{toc}\n```\n",
    )
    toc = "\n".join(f"notebooks/{slug}" for slug in built)
    _write(
        folder / "notebooks.md", f"# Notebooks\n\n{_ABOUT_NOTEBOOKS}\n\n```{{toctree}}\n:maxdepth: 1\n\n{toc}\n```\n"
    )


_VERDICTS = (
    "*Reproduced* means that a rule written down beforehand accepts our number, and that the same rule rejects what a broken run would "
    "give. A negative result is a result."
)
_ABOUT_NOTEBOOKS = "Each asks one question, and shows next to every claim the paper's number, ours, and a verdict. They are shown as they were executed."
_ABOUT_INSTRUMENTS = "Pure functions on tensors and callables. They know nothing of notebooks, data or plots, so they work on your model as they do on ours."


def notebook(file: Path) -> str:
    """A committed notebook for the site: alternative texts where MyST-NB looks for them."""
    content = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
    for cell in content.cells:
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return nbformat.writes(content)


def instruments() -> list[str]:
    """The public instruments: modules and packages directly on floor 1."""
    folder = Path(importlib.import_module(_INSTRUMENTS).__path__[0])
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return sorted(name for name in names if not name.startswith("_"))


def instrument(name: str) -> str:
    """One page: what the module is about, then each public function or class with its signature and its docstring."""
    module = importlib.import_module(f"{_INSTRUMENTS}.{name}")
    public = getattr(module, "__all__", None) or [
        key for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == module.__name__ and callable(value)
    ]  # fmt: skip
    parts = [f"# {name}", _text(module), *(part for key in public for part in _entry(key, getattr(module, key)))]
    return "\n\n".join(parts) + "\n"


def _entry(name: str, value: Any) -> list[str]:
    if not (inspect.isclass(value) or inspect.isroutine(value)):  # a constant, or the name of a type
        return [f"## {name}", f"```python\n{name} = {value!r}\n```"]
    parts = [f"## {name}", f"```python\n{_signature(name, value)}\n```", _text(value)]
    if inspect.isclass(value):
        for key, member in vars(value).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if not key.startswith("_") and inspect.isfunction(function) and inspect.getdoc(function):
                shown = f"{name}.{key}" if isinstance(member, property) else _signature(f"{name}.{key}", function)
                parts += [f"### {name}.{key}", f"```python\n{shown}\n```", _text(function)]
    return parts


def _signature(name: str, value: Any) -> str:
    return name + re.sub(r"<(?:function|object|class)[^>]*>", "...", str(inspect.signature(value)))


def _text(value: Any) -> str:
    return f"```text\n{inspect.getdoc(value) or 'Not described.'}\n```"


def times(root: Path, built: list[str]) -> str:
    """CPU seconds of every notebook at its last build, and what EMAP costs by the recorded bench."""
    rows = [listing.notebook(slug) for slug in built]
    lines = [
        "# Times and memory",
        "",
        "CPU minutes at profile laptop, one thread, when the notebook was last built.",
        "",
    ]
    lines += ["| notebook | CPU minutes | claims |", "|:---|---:|---:|"]
    lines += [f"| {row['question']} | {row['cpu_minutes']} | {row['claims']} |" for row in rows]
    bench = json.loads((root / "data" / "results" / "bench_emap.json").read_text(encoding="utf-8"))
    lines += ["", "## What EMAP costs", "", "Ratios measured in one run of `make bench`.", ""]
    lines += ["| what | measured | must be |", "|:---|---:|:---|"]
    for name, ratio in bench["ratios"].items():
        wanted = " ".join(f"{key.replace('_', ' ')} {ratio[key]:g}" for key in ("at_most", "at_least") if key in ratio)
        lines.append(f"| {name} | {ratio['value']:.4g} | {wanted or '–'} |")
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")
