"""What a run depended on, as hashes, so that a stale output can be distinguished from a fresh one."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmnb import paths

PACKAGE = Path(__file__).resolve().parents[1]
_TEXT = {".py", ".yaml", ".toml", ".json", ".csv", ".txt", ".md"}


def sha256(path: Path) -> str | None:
    r"""Hash of a file, None when there is none. Text is hashed with `\n` line ends, so that a Windows checkout agrees."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return sha256_bytes(content.replace(b"\r\n", b"\n") if path.suffix in _TEXT else content)


def sha256_bytes(content: bytes) -> str:
    """Hash of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def module_file(name: str) -> Path:
    """Source file of the module `mmnb...`, without importing it; the path may not exist."""
    folder = PACKAGE.joinpath(*name.split(".")[1:])
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def fingerprint(slug: str, modules: list[str], data_files: list[str]) -> dict[str, Any]:
    """Hashes of a notebook's source, of the `mmnb` modules it used and of the data files it read (paths below the checkout).

    All of `mmnb.lab` is added, because it judges and renders the results. The hash of a missing file is None.
    """
    root = paths.root()
    lab = (f"mmnb.lab.{file.stem}" for file in (PACKAGE / "lab").glob("*.py") if file.stem != "__init__")
    return {
        "source_sha256": sha256(root / "notebooks" / f"{slug}.py"),
        "package_sha256": {name: sha256(module_file(name)) for name in sorted({*modules, *lab, "mmnb.lab"})},
        "data_sha256": {name: sha256(root / name) for name in sorted(set(data_files) | {f"data/claims/{slug}.yaml"})},
    }


def everything(slug: str) -> dict[str, Any]:
    """The fingerprint over all modules and all data files there are: taken before a run, which tells afterwards what it used."""
    root = paths.root()
    modules = [".".join(("mmnb", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in PACKAGE.rglob("*.py")]
    yaml = [file for part in ("claims", "published") for file in (root / "data" / part).glob("*.yaml")]
    data = [file.relative_to(root).as_posix() for file in yaml]
    return fingerprint(slug, [name.removesuffix(".__init__") for name in modules], data)


def restrict(before: dict[str, Any], slug: str, modules: list[str], data_files: list[str]) -> dict[str, Any]:
    """The part of `before` that a run used, so that a file edited while it ran makes its result stale, not fresh."""
    used = fingerprint(slug, modules, data_files)
    for part in ("package_sha256", "data_sha256"):
        used[part] = {name: before[part].get(name, value) for name, value in used[part].items()}
    return used | {"source_sha256": before["source_sha256"]}


def cache_listing() -> str:
    """Hash of names and sizes of the remote files that are here: a claim that lacked its data is tried again when they change."""
    folder = paths.cache()
    files = [file for file in folder.rglob("*") if file.is_file()]
    names = sorted(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}" for file in files)
    return sha256_bytes("\n".join(names).encode())


def products(slug: str, folder: Path) -> dict[str, str | None]:
    """Hashes of what a run of a notebook left in its folder, by file: its records, the executed notebook, the figures."""
    files = [folder / "records.json", folder / f"{slug}.ipynb", *(folder / "figures").glob("[!.]*")]
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files if not file.is_dir()}


def changes(slug: str, recorded: dict[str, Any]) -> list[str]:
    """What changed since `recorded` was made: one phrase for each file; an empty list means fresh."""
    try:
        now = fingerprint(slug, list(recorded["package_sha256"]), list(recorded["data_sha256"]))
        found = [] if now["source_sha256"] == recorded["source_sha256"] else [f"notebooks/{slug}.py changed"]
        for part in ("package_sha256", "data_sha256"):
            for name in sorted({*now[part], *recorded[part]}):
                old, new = recorded[part].get(name), now[part].get(name)
                file = name if part == "data_sha256" else module_file(name).relative_to(PACKAGE.parent).as_posix()
                if old != new:
                    found.append(f"{file} {'is gone' if new is None else 'is new' if old is None else 'changed'}")
    except (KeyError, TypeError, AttributeError):
        return ["it carries no readable fingerprint"]
    return found


@dataclass(frozen=True)
class Status:
    """State of the committed products of one notebook: `fresh`, `stale` or `missing`, and why."""

    slug: str
    state: str
    reasons: tuple[str, ...] = ()


def status(slug: str) -> Status:
    """Compare the committed notebook, results and pictures with the files they were made from."""
    root = paths.root()
    product, results = root / "notebooks" / f"{slug}.ipynb", root / "data" / "results" / f"{slug}.json"
    absent = [f"no {file.relative_to(root).as_posix()}" for file in (product, results) if not file.is_file()]
    if absent:
        return Status(slug, "missing", (*absent, f"`mmnb build {slug}` makes it"))
    try:
        metadata = json.loads(product.read_text(encoding="utf-8"))["metadata"]["mmnb"]
        built = metadata["results_sha256"]
        stored = json.loads(results.read_text(encoding="utf-8"))
        figures = {name: entry["sha256"] for name, entry in stored["figures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Status(slug, "stale", (f"its products cannot be read ({type(error).__name__}: {error})",))
    interrupted = (root / "build" / "publish" / slug).is_dir()
    reasons = [*changes(slug, metadata), *["its build was interrupted: `mmnb build` finishes it"] * interrupted]
    if built != sha256(results):
        reasons.append(f"{results.relative_to(root).as_posix()} differs from the one that was built")
    folder = root / "figures" / slug
    drawn = {file.stem for file in folder.glob("*.png")}
    faults = dict.fromkeys(sorted(drawn - figures.keys()), "is not drawn by the notebook any more")
    for name, expected in sorted(figures.items()):
        if (found := sha256(folder / f"{name}.png")) != expected:
            faults[name] = "is gone" if found is None else "differs from the one that was built"
    reasons += [f"figures/{slug}/{name}.png {fault}" for name, fault in faults.items()]
    return Status(slug, "stale" if reasons else "fresh", tuple(reasons))
