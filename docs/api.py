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

TASKS = (  # what somebody wants to know, the call, and its place: module.member
    ("how much of my model's accuracy needs both modalities at once", "mmnb.emap(f, a, b).score(…)", "emap.emap"),
    ("the same without labels: which share of its scores is interaction", "mmnb.emap(f, a, b).shares", "emap.emap"),
    ("the same for three modalities or more", "mmnb.emap_of_many(f, {…})", "emap.emap_of_many"),
    ("the same for a model of two encoders and a head, in less time", "mmnb.TwoTower(…)", "emap.TwoTower"),
    (
        "what predicting words loses when regions are removed",
        "ablation.vision_for_language(…)",
        "ablation.vision_for_language",
    ),
    (
        "what predicting regions loses when words are removed",
        "ablation.language_for_vision(…)",
        "ablation.language_for_vision",
    ),
    (
        "which attention heads point from a word to its region",
        "grounding.entity_grounding(…)",
        "grounding.entity_grounding",
    ),
    (
        "how good the best head is, chosen and scored on different items",
        "grounding.best_head(…)",
        "grounding.best_head",
    ),
    ("how far apart two modalities lie in one embedding space", "gap.modality_gap(a, b)", "gap.modality_gap"),
    ("whether a linear classifier tells them apart", "gap.separability(a, b)", "gap.separability"),
    ("how narrow the cone of one modality is", "gap.average_cosine(a, …)", "gap.average_cosine"),
    ("what closing the gap changes", "gap.shift(a, b, …)", "gap.shift"),
    (
        "how much two modalities need each other, from samples",
        "complementarity.from_classifiers(…)",
        "complementarity.from_classifiers",
    ),
    ("the same, exactly, from a known table", "complementarity.from_table(p)", "complementarity.from_table"),
    (
        "what breaks when one modality is missing, noisy or attacked",
        "complementarity.robustness(…)",
        "complementarity.robustness",
    ),
    ("which information is redundant, unique, synergistic", "information.pid(p)", "information.pid"),
    ("how much one variable tells about another", "information.mi(a, b, …)", "information.mi"),
    ("whether joint training left an encoder behind", "laziness.probe(…)", "laziness.probe"),
    ("whether to train with teachers or to average two models", "laziness.choose(…)", "laziness.choose"),
    (
        "which modality overfits, and how to weight the losses",
        "blending.from_curves(…), .weights(…)",
        "blending.from_curves",
    ),
    ("whether a difference over seeds is more than noise", "estimate.mean_interval(…)", "estimate.mean_interval"),
)


def built() -> list[str]:
    """The notebooks that were executed, by number."""
    return [slug for slug in selection.available() if (paths.root() / "notebooks" / f"{slug}.ipynb").is_file()]


def instruments() -> list[str]:
    """The public instruments: modules and packages directly on floor 1."""
    folder = Path(importlib.import_module(_INSTRUMENTS).__path__[0])
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return sorted(name for name in names if not name.startswith("_"))


def by_use() -> tuple[list[str], list[str]]:
    """The instruments that `TASKS` names, in its order; and those that are parts of them, by name."""
    wanted = list(dict.fromkeys(target.split(".")[0] for _, _, target in TASKS))
    return wanted, [name for name in instruments() if name not in wanted]


def tasks(folder: str = "instruments/", notebooks: str = "notebooks/") -> str:
    """The table "I want to know … → call …"."""
    rows = []
    for question, call, target in TASKS:
        module, member = target.split(".")
        where = f"{folder}{module}.html#{_anchor(module, member)}"
        rows.append(
            f'| {question} | <a href="{where}"><code>{call}</code></a> | {used_in(module, member, notebooks)} |'
        )
    return "| I want to know … | call | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows)


def _anchor(module: str, member: str) -> str:
    return f"{_INSTRUMENTS}.{module}.{member}"


def overview() -> str:
    """What to call for which question; then all instruments, those first that are called directly."""
    tables = []
    for names in by_use():
        rows = []
        for name in names:
            what = docstrings.first_sentence(importlib.import_module(f"{_INSTRUMENTS}.{name}").__doc__)
            rows.append(f"| [{name}](instruments/{name}.md) | {what} | {used_in(name)} |")
        tables.append("| instrument | what | in notebook |\n|:---|:---|:---|\n" + "\n".join(rows))
    names = [name for part in by_use() for name in part]
    toc = "\n".join(f"instruments/{name}" for name in names)
    parts = ["# Instruments", _ABOUT_INSTRUMENTS, "## What to call", tasks(), "## All instruments", tables[0]]
    parts += ["## Parts that they share", tables[1], f"```{{toctree}}\n:hidden:\n\n{toc}\n```"]
    return "\n\n".join(parts) + "\n"


def instrument(name: str) -> str:
    """One page: an index with links to the notebooks, then what sphinx.ext.autodoc makes of each name, the most used first."""
    module = importlib.import_module(f"{_INSTRUMENTS}.{name}")
    parts = [f"# {name}", _rst(f".. automodule:: {module.__name__}\n   :no-members:\n"), _index(module, ranked(module))]
    for title, names in grouped(module).items():
        directives = [f".. auto{_kind(module, key)}:: {module.__name__}.{key}\n" for key in names if _kind(module, key)]
        if directives:
            parts += [f"## {title}", _rst("\n".join(directives))]
    return "\n\n".join(parts) + "\n"


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}```"


def _kind(module: Any, key: str) -> str | None:
    """What autodoc calls a name: function, class or exception; None for a constant, which only the index names."""
    value = getattr(module, key)
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(value) else None


def ranked(module: Any) -> list[str]:
    """What a module offers, by use: what `TASKS` names, then by the number of notebooks that use it, then functions before classes."""
    name, public = module.__name__.split(".")[2], public_names(module)
    first = [target.split(".")[1] for _, _, target in TASKS if target.split(".")[0] == name]
    return sorted(
        public,
        key=lambda key: (first.index(key) if key in first else len(first), -len(using(name, key)), public.index(key)),
    )


def grouped(module: Any) -> dict[str, list[str]]:
    """Heading -> names: what one calls first, what notebooks use, results and all the rest."""
    name = module.__name__.split(".")[2]
    first = {target.split(".")[1] for _, _, target in TASKS if target.split(".")[0] == name}
    found: dict[str, list[str]] = {"Call first": [], "Used in the notebooks": [], "Results and parts": []}
    for key in ranked(module):
        found[
            "Call first" if key in first else "Used in the notebooks" if using(name, key) else "Results and parts"
        ].append(key)
    return found


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


def using(name: str, member: str | None = None) -> list[str]:
    """The notebooks whose code uses an instrument, or one member of it."""
    return [slug for slug in built() if any(name == one and member in (None, other) for one, other in uses(slug))]


def used_in(name: str, member: str | None = None, prefix: str = "notebooks/") -> str:
    """Links to the notebooks whose code uses an instrument, or one member of it."""
    return " ".join(f"[{slug.split('_')[0]}]({prefix}{slug}.ipynb)" for slug in using(name, member)) or "–"


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
