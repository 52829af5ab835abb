"""The pages of the instruments: autodoc, with links to the notebooks that use them."""

import ast
import functools
import importlib
import inspect
from pathlib import Path
from typing import Any

import docstrings

from mmnb import paths
from mmnb.runner import convert, selection

_INSTRUMENTS = "mmnb.instruments"
_ABOUT_INSTRUMENTS = "Pure functions on tensors and callables. They need no notebook, data set or plot, so they work on your model as they do on ours."


def built() -> list[str]:
    """The notebooks that were executed, by number."""
    return [slug for slug in selection.available() if (paths.root() / "notebooks" / f"{slug}.ipynb").is_file()]


def instruments() -> list[str]:
    """The public instruments: modules and packages directly on floor 1."""
    folder = Path(importlib.import_module(_INSTRUMENTS).__path__[0])
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return sorted(name for name in names if not name.startswith("_"))


def overview(names: list[str]) -> str:
    """All instruments: what each measures, and where it is used."""
    rows = []
    for name in names:
        what = docstrings.first_sentence(importlib.import_module(f"{_INSTRUMENTS}.{name}").__doc__)
        rows.append(f"| [{name}](instruments/{name}.md) | {what} | {used_in(name)} |")
    table = "| instrument | what | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows)
    toc = "\n".join(f"instruments/{name}" for name in names)
    return f"# Instruments\n\n{_ABOUT_INSTRUMENTS}\n\n{table}\n\n```{{toctree}}\n:hidden:\n\n{toc}\n```\n"


def instrument(name: str) -> str:
    """One page: an index with links to the notebooks, then what sphinx.ext.autodoc makes of the module."""
    module = importlib.import_module(f"{_INSTRUMENTS}.{name}")
    imported = "   :imported-members:\n" if hasattr(module, "__all__") else ""
    rst = f".. automodule:: {module.__name__}\n   :members:\n{imported}"
    index = _index(module, public_names(module))
    return f"# {name}\n\n{index}\n\n```{{eval-rst}}\n{rst}```\n"


def public_names(module: Any) -> list[str]:
    """What a module offers (its `__all__`, or what it defines): functions, then classes, then constants."""
    own = [
        key for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == module.__name__ and callable(value)
    ]  # fmt: skip
    names = getattr(module, "__all__", None) or own
    return sorted(
        names,
        key=lambda name: (not inspect.isroutine(getattr(module, name)), not inspect.isclass(getattr(module, name))),
    )


def _index(module: Any, public: list[str]) -> str:
    rows = []
    for key in public:
        value = getattr(module, key)
        described = inspect.isclass(value) or inspect.isroutine(value)
        what = docstrings.first_sentence(value.__doc__ or "") if described else "a constant"
        code = f'<a href="#{module.__name__}.{key}"><code>{key}</code></a>' if described else f"`{key}`"
        rows.append(f"| {code} | {what} | {used_in(module.__name__.split('.')[2], key, '../notebooks/')} |")
    return "| name | what | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows)


def used_in(name: str, member: str | None = None, prefix: str = "notebooks/") -> str:
    """Links to the notebooks whose code uses an instrument, or one member of it."""
    using = [slug for slug in built() if any(name == one and member in (None, other) for one, other in uses(slug))]
    return " ".join(f"[{slug.split('_')[0]}]({prefix}{slug}.ipynb)" for slug in using) or "–"


@functools.cache
def uses(slug: str) -> frozenset[tuple[str, str]]:
    """(instrument, member) of everything in a notebook's code that belongs to floor 1, under whatever name it was imported."""
    known, aliases, found = set(instruments()), {}, set()
    cells = convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").cells
    nodes = [node for cell in cells if cell.cell_type == "code" for node in ast.walk(ast.parse(cell.source))]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module in ("mmnb", _INSTRUMENTS):
            aliases |= {one.asname or one.name: one.name for one in node.names if one.name in known}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_INSTRUMENTS}."):
            found |= {(node.module.split(".")[2], one.name) for one in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            whole = ast.unparse(node).split(".")
            if whole[0] == "mmnb" and whole[1] in known:  # mmnb.emap is the function itself, mmnb.gap.recall a member
                found.add((whole[1], whole[2] if len(whole) > 2 else whole[1]))
            elif whole[0] in aliases:
                found.add((aliases[whole[0]], whole[1]))
    return frozenset(found)
