"""The pages of the instruments: from modules, signatures and docstrings, with links to the notebooks that use them."""

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import docstrings

from mmnb import paths
from mmnb.runner import convert, selection

_INSTRUMENTS = "mmnb.instruments"
_ABOUT_INSTRUMENTS = "Pure functions on tensors and callables. They know nothing of notebooks, data or plots, so they work on your model as they do on ours."


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
        told = docstrings.first_sentence(_own(importlib.import_module(f"{_INSTRUMENTS}.{name}")))
        rows.append(f"| [{name}](instruments/{name}.md) | {told} | {used_in(name)} |")
    table = "| instrument | what | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows)
    toc = "\n".join(f"instruments/{name}" for name in names)
    return f"# Instruments\n\n{_ABOUT_INSTRUMENTS}\n\n{table}\n\n```{{toctree}}\n:hidden:\n\n{toc}\n```\n"


def instrument(name: str) -> str:
    """One page: what the module is about, an index, then each public function or class with its signature and its docstring."""
    module = importlib.import_module(f"{_INSTRUMENTS}.{name}")
    public = public_names(module)
    parts = [
        f"# {name}",
        docstrings.markdown(_own(module)),
        f"```python\nfrom {module.__name__} import {public[0]}\n```",
        _index(module, public),
    ]
    parts += [part for key in public for part in _entry(key, getattr(module, key))]
    return "\n\n".join(part for part in parts if part) + "\n"


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
        told = docstrings.first_sentence(_own(value)) if _described(value) else "a constant"
        rows.append(
            f'| <a href="#api-{key}"><code>{key}</code></a> | {told} | {used_in(module.__name__.split(".")[2], key, "../notebooks/")} |'
        )
    return "| name | what | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows)


def used_in(name: str, member: str | None = None, prefix: str = "notebooks/") -> str:
    """Links to the notebooks whose code uses an instrument, or one member of it."""
    using = [slug for slug in built() if any(name == one and member in (None, other) for one, other in uses(slug))]
    return " ".join(f"[{slug[:2]}]({prefix}{slug}.ipynb)" for slug in using) or "–"


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


def anchor(name: str) -> str:
    """Where the entry of a function stands on its page."""
    return f'<span id="api-{name}"></span>'


def _described(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def _own(value: Any) -> str:
    """A docstring that was written for this very thing, not inherited from a library."""
    return inspect.cleandoc(getattr(value, "__doc__", None) or "")


def _entry(name: str, value: Any) -> list[str]:
    head = f"{anchor(name)}\n\n## {name}"
    if not _described(value):  # a constant, or the name of a type
        return [head, f"```python\n{name} = {_short(repr(value))}\n```"]
    parts = [head, f"```python\n{_signature(name, value)}\n```", _text(value)]
    if inspect.isclass(value):
        for key, member in vars(value).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if not key.startswith("_") and inspect.isfunction(function) and _own(function):
                shown = f"{name}.{key}" if isinstance(member, property) else _signature(f"{name}.{key}", function)
                parts += [
                    f"### {name}.{key}",
                    f"```python\n{shown}\n```",
                    _text(function),
                ]
    return parts


def _signature(name: str, value: Any) -> str:
    """On one line where it fits, else one parameter to a line; types by their short names."""
    found = inspect.signature(value)
    shown = [_short(str(parameter)) for parameter in found.parameters.values()]
    kinds = [parameter.kind for parameter in found.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        shown.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    given = found.return_annotation
    returns = "" if given is found.empty or inspect.isclass(value) else " -> " + _short(inspect.formatannotation(given))
    line = f"{name}({', '.join(shown)}){returns}"
    return line if len(line) <= 88 else f"{name}(\n    " + ",\n    ".join(shown) + f",\n){returns}"


def _short(text: str) -> str:
    text = re.sub(r"<(?:function|object|class)[^>]*>", "...", text)
    text = text.replace("torch.nn.modules.module.Module", "nn.Module").replace("numpy.", "np.")
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])(?<!np\.)(?<!nn\.)", "", text).replace("torch._C.Generator", "Generator")


def _text(value: Any) -> str:
    names = tuple(inspect.signature(value).parameters)
    return docstrings.markdown(_own(value), names) or "*Not described.*"
