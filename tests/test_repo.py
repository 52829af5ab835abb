"""The repository as a whole: no traces of a computer, one set of packages, floors that import downwards only."""

import ast
import graphlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BINARY = {".png", ".npz", ".npy", ".safetensors", ".gz", ".wav", ".jpg", ".pt"}
NOT_OURS = {".git", ".venv", "build", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis"}

# no letter, digit, dot, tilde or `}` in front: a URL, a relative path, ~/... and $NAME/... name no computer
MACHINE_PATH = re.compile(
    r"(?<![\w.~}$-])(?:/(?:home|root|Users|work|workspace|mnt|scratch)/\w[\w.-]*|[A-Z]:\\{1,2}Users\\)"
)
REGISTRY = re.compile(
    r"(?:--?(?:extra-)?index-url|--find-links|trusted-host|\bpypi\.org/simple|pythonhosted\.org|artifactory|/simple/?\s)",
    re.IGNORECASE,
)


def text_files() -> list[Path]:
    """What git tracks or would add; without git, all files that are not made by tools."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True).stdout
        files = [ROOT / name for name in listed.split("\0") if name]
    else:
        files = [file for file in ROOT.rglob("*") if not NOT_OURS & set(file.relative_to(ROOT).parts)]
    return sorted(file for file in files if file.is_file() and file.suffix not in BINARY)


def lines(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        found = pattern.search(line)
        if found:
            yield number, found[0]


def hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{file.relative_to(ROOT).as_posix()}:{number}: {found}"
        for file in text_files()
        if file != Path(__file__)
        for number, found in lines(pattern, file.read_text(encoding="utf-8"))
    ]


def test_the_search_looks_at_the_files_that_matter():
    names = {file.relative_to(ROOT).as_posix() for file in text_files()}
    assert {"pyproject.toml", "README.md", "mmnb/paths.py", "tests/test_repo.py"} <= names


def test_no_path_of_a_machine_in_any_file():
    assert hits(MACHINE_PATH) == []


def test_no_package_registry_in_any_file():
    assert hits(REGISTRY) == []


def test_the_package_index_of_this_computer_is_named_nowhere():
    """A mirror that pip uses here must not leak into constraints or notebooks; pypi.org itself is public."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    urls = [
        configured,
        *(os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL")),
    ]
    hosts = {urlsplit(url).hostname for value in urls for url in value.split()} - {None, "pypi.org"}
    for host in hosts:
        assert hits(re.compile(re.escape(host))) == []


SLASH = chr(47)  # so that the planted faults below are none of this file's own


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"open('{SLASH}home/someone/data')", True),
        (f"cd {SLASH}root/x", True),
        (rf"C:{chr(92)}Users\someone", True),
        ("https://a.org/home/x", False),
        (f"./home/x ~{SLASH}work/x $HOME{SLASH}work/x ${{A}}{SLASH}work/x", False),
        ("/homes/x", False),
    ],
)
def test_what_counts_as_a_path_of_a_machine(text, found):
    assert bool(MACHINE_PATH.search(text)) is found


def test_what_counts_as_a_registry():
    for text in (
        "pip install --index-url https://x",
        "--extra-index-url=x",
        f"https:{SLASH * 2}files.pythonhosted.org/p",
        f"https:{SLASH * 2}pypi.org/simple/a",
    ):
        assert REGISTRY.search(text), text
    assert not REGISTRY.search(f"see https:{SLASH * 2}pypi.org/project/easy-vqa, a simple package")


# packages
def requirements() -> list[Requirement]:
    """Every direct dependency, extras included, but not the extra that lists the others."""
    project = PYPROJECT["project"]
    extras = [line for name, group in project["optional-dependencies"].items() if name != "all" for line in group]
    return [Requirement(line) for line in [*project["dependencies"], *extras]]


def constraints() -> dict[str, str]:
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==" and "*" not in specifier.version, f"{line}: expected name==version"
            assert canonicalize_name(requirement.name) not in pinned, f"{requirement.name} is pinned twice"
            pinned[canonicalize_name(requirement.name)] = specifier.version
    return pinned


def test_every_direct_dependency_is_pinned_inside_its_range():
    pinned = constraints()
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"constraints.txt has no {name}"
        assert requirement.specifier.contains(pinned[name], prereleases=True), (
            f"{name}=={pinned[name]} is not in {requirement}"
        )


def test_the_torch_of_the_results():
    assert (constraints()["torch"], constraints()["torchvision"]) == ("2.14.1", "0.29.1")


def test_the_extra_all_holds_every_other_extra():
    groups = PYPROJECT["project"]["optional-dependencies"]
    assert groups["all"] == [f"mmnb[{','.join(name for name in groups if name != 'all')}]"]


def test_environment_yml_leads_to_the_same_packages_as_pyproject():
    """conda brings python and pip; everything else is what pyproject says, at the versions of constraints.txt."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    content = YAML(typ="safe", pure=True).load(text)
    assert len(text.splitlines()) <= 15, "a dozen lines, never an export"
    assert content["channels"] == ["conda-forge"] and "prefix" not in content
    python, pip, inner = content["dependencies"]
    assert pip == "pip"
    assert sorted(inner["pip"]) == ["-c constraints.txt", "-e .[all]"]
    offered = SpecifierSet(python.removeprefix("python").strip().replace(" ", ""))
    wanted = SpecifierSet(PYPROJECT["project"]["requires-python"])
    versions = [f"3.{minor}.{patch}" for minor in range(8, 16) for patch in (0, 5)]
    assert any(version in offered for version in versions)
    assert [version for version in versions if version in offered and version not in wanted] == []


def test_every_folder_of_the_package_is_installed():
    """A wheel without a package would only be noticed by whoever installs it."""
    assert PYPROJECT["tool"]["setuptools"]["packages"]["find"] == {"include": ["mmnb*"]}
    folders = {file.parent for file in (ROOT / "mmnb").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_base_install_is_what_the_instruments_need():
    names = {canonicalize_name(Requirement(line).name) for line in PYPROJECT["project"]["dependencies"]}
    assert names == {"click", "numpy", "safetensors", "scikit-learn", "scipy", "torch", "tqdm"}


# floors
FLOORS = {"errors": 0, "paths": 0, "aliases": 0, "instruments": 1, "data": 2, "models": 2, "lab": 3, "recipes": 3}
FLOORS |= {"diagnosis": 3, "runner": 4, "course": 4, "jobs": 4}  # any other: 5
NUMERICAL = {"torch", "numpy", "scipy", "sklearn", "cvxpy", "pandas", "tqdm"} | {
    "safetensors"
}  # tqdm: long work shows a bar
KEEPS_A_FILE = {  # the instrument parts that write: only where their caller says
    "instruments/checkpoint.py",
}
DRAWS = {"instruments/result.py"}  # a result shows itself: pandas and matplotlib, inside its methods
NO_BUSINESS = {
    "os",
    "pathlib",
    "io",
    "shutil",
    "tempfile",
    "json",
    "pickle",
    "subprocess",
    "logging",
    "socket",
    "urllib",
}


def imports(tree: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of all modules that a file imports, inside functions too; `package` is the one it stands in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def floor(module: str) -> int:
    parts = module.split(".")
    return FLOORS.get(parts[1], 5) if len(parts) > 1 else 0


def faults(name: PurePosixPath, source: str) -> list[str]:
    """What a file of the package imports although it must not; `name` is relative to the folder `mmnb`."""
    package = ("mmnb", *name.parent.parts)
    module = ".".join(("mmnb", *name.with_suffix("").parts))
    found = []
    for imported in imports(ast.parse(source), package):
        top = imported.split(".")[0]
        if top == "mmnb":
            names_us = imported.split(".")[1:2] in (
                [],
                ["DataUnavailable"],
                ["NotAttempted"],
                ["__version__"],
                ["aliases"],
            )
            if not names_us and floor(imported) > floor(module):
                found.append(f"{name} imports {imported} from a higher floor")
            elif (
                floor(module) == 1
                and not names_us
                and floor(imported) != 1
                and not imported.startswith(("mmnb.errors", "mmnb.aliases"))
            ):
                found.append(f"{name} imports {imported}; an instrument needs nothing of the house")
        elif (floor(module) == 1 and top in NO_BUSINESS and str(name) in KEEPS_A_FILE) or (
            str(name) in DRAWS and top == "matplotlib"
        ):
            continue
        elif floor(module) == 1 and top not in NUMERICAL and (top not in sys.stdlib_module_names or top in NO_BUSINESS):
            found.append(f"{name} imports {imported}; instruments need numerical libraries only")
    return found


PACKAGE_FILES = [file for file in sorted((ROOT / "mmnb").rglob("*.py")) if file != ROOT / "mmnb" / "__init__.py"]


@pytest.mark.parametrize("file", PACKAGE_FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports_point_downwards(file):
    name = PurePosixPath(file.relative_to(ROOT / "mmnb").as_posix())
    assert faults(name, file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("instruments/emap.py", "import matplotlib.pyplot as plt", True),
        ("instruments/emap.py", "def f():\n    from pathlib import Path", True),
        ("instruments/checkpoint.py", "import json, os\nfrom pathlib import Path\nfrom safetensors import safe_open", False),
        ("instruments/checkpoint.py", "from mmnb import paths", True),
        ("instruments/grid/sweep.py", "import os", True),
        ("instruments/emap.py", "from mmnb import paths", True),
        ("instruments/emap.py", "from mmnb.data import glyphs", True),
        ("instruments/emap.py", "from ..data import glyphs", True),
        ("instruments/emap.py", "import math, torch\nfrom mmnb.instruments import batches\nfrom . import batches\nfrom mmnb.errors import DataUnavailable", False),
        ("data/glyphs.py", "from mmnb.lab import plot", True),
        ("data/glyphs.py", "import mmnb.cli", True),
        ("data/glyphs.py", "import PIL\nfrom mmnb import paths\nfrom mmnb import DataUnavailable\nfrom mmnb.models import vilt", False),
        ("lab/run.py", "from mmnb.runner import pool", True),
        ("lab/run.py", "from mmnb.instruments.emap import emap\nimport matplotlib", False),
        ("runner/pool.py", "from mmnb.lab import claims\nfrom mmnb.course import handout", False),
        ("runner/pool.py", "from mmnb import cli", True),
    ],
)  # fmt: skip
def test_the_floor_rule_itself(name, source, found):
    assert bool(faults(PurePosixPath(name), source)) is found


# circles
def graph(files: dict[str, str], *, of_rooms: bool) -> dict[str, set[str]]:
    """Module -> modules that it needs while it is imported, or room -> rooms it uses anywhere; `files`: path in `mmnb` -> source."""
    modules = {
        ".".join(("mmnb", *PurePosixPath(name).with_suffix("").parts)).removesuffix(".__init__") for name in files
    }
    found: dict[str, set[str]] = {}
    for name, source in files.items():
        path = PurePosixPath(name)
        module = ".".join(("mmnb", *path.with_suffix("").parts)).removesuffix(".__init__")
        tree = ast.parse(source)
        if not of_rooms:  # what stands in a function is imported later
            tree = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])
        for imported in imports(tree, ("mmnb", *path.parent.parts)):
            while imported and imported not in modules:  # a name of a module: the module itself
                imported = imported.rpartition(".")[0]
            if imported.startswith("mmnb."):
                ends = [end.split(".")[1] if of_rooms else end for end in (module, imported)]
                if module != "mmnb" and ends[0] != ends[1]:
                    found.setdefault(ends[0], set()).add(ends[1])
    return found


def circle(needs: dict[str, set[str]]) -> list[str]:
    """One circle of the graph, its first member twice; empty if there is none."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("of_rooms", [False, True], ids=["modules", "rooms"])
def test_no_circles(of_rooms):
    files = {file.relative_to(ROOT / "mmnb").as_posix(): file.read_text(encoding="utf-8") for file in PACKAGE_FILES}
    assert circle(graph(files, of_rooms=of_rooms)) == []


def test_a_circle_is_found():
    files = {"lab/run.py": "from mmnb.recipes import fit", "recipes/fit.py": "from mmnb.lab.run import start"}
    assert set(circle(graph(files, of_rooms=False))) == {"mmnb.lab.run", "mmnb.recipes.fit"}
    assert set(circle(graph(files, of_rooms=True))) == {"lab", "recipes"}
    later = files | {"recipes/fit.py": "def f():\n    from mmnb.lab.run import start"}
    assert circle(graph(later, of_rooms=False)) == []
    assert set(circle(graph(later, of_rooms=True))) == {"lab", "recipes"}
    package = {"lab/__init__.py": "from mmnb.lab import run", "lab/run.py": "from . import start\nimport mmnb"}
    assert set(circle(graph(package, of_rooms=False))) == {"mmnb.lab", "mmnb.lab.run"}
    siblings = package | {
        "lab/run.py": "from mmnb.lab import plot",
        "lab/plot.py": "from mmnb.errors import NotAttempted",
    }
    assert circle(graph(siblings, of_rooms=False)) == circle(graph(siblings, of_rooms=True)) == []
