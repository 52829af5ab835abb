"""From a successful laptop run to the committed products: notebooks/*.ipynb, figures/, data/results/, the tables of the README.

The products are the same whenever, wherever and in whatever folder they were built, except for what was measured (seconds).
Everything is checked and written to build/publish first; renaming that folder is the moment from which a notebook is refreshed. A build
that is killed before leaves all as it was; one killed later is brought to its end by the next: whole or not at all.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import filelock
import nbformat

from mmnb import paths
from mmnb.lab.show import portable
from mmnb.runner import convert, fingerprint, pool

LIMIT = 700 * 1000  # bytes of one committed notebook
_WIDGET = "application/vnd.jupyter.widget-view+json"
_FOREIGN_PATH = re.compile(
    r"(?<![\w.:/~$-])(?:/(?:home|root|Users|tmp|var|opt|mnt|work|usr|private)/[\w.-]+|[A-Za-z]:\\+\w+)"
)


def publish(slug: str, folder: Path) -> list[Path]:
    """Refresh the committed products of one notebook from the folder of a successful run; returns what was written.

    Raises ValueError if the run failed, was not made at laptop with seed 0 or from other sources than those on disk, if the notebook
    exceeds 700 KB, or if an absolute path of this computer stands in an output.
    """
    result, records = pool.read_json(folder / "result.json"), pool.read_json(folder / "records.json")
    made = (result.get("status"), result.get("profile"), result.get("seed"))
    if made != ("ok", "laptop", 0):
        raise ValueError(f"publish: {slug} has status, profile, seed = {made}; expected ('ok', 'laptop', 0)")
    if stale := fingerprint.changes(slug, result["fingerprint"]):
        raise ValueError(f"publish: {slug} was run from other files than those on disk: {'; '.join(stale)}")
    root = paths.root()
    executed = nbformat.read(folder / f"{slug}.ipynb", as_version=4)
    notebook = normalise(convert.to_notebook(root / "notebooks" / f"{slug}.py"), executed)
    stored = {key: value for key, value in records.items() if key != "cpu_seconds"}
    results = root / "data" / "results" / f"{slug}.json"
    results_text = json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    notebook.metadata["mmnb"] = {
        **result["fingerprint"],
        "profile": result["profile"],
        "seed": result["seed"],
        "versions": records["versions"],
        "cpu_seconds": round(result["cpu_seconds"]),
        "peak_memory_mb": round(result["peak_memory_mb"], -1),
        "results_sha256": fingerprint.sha256_bytes(results_text.encode()),
    }
    text = convert.dumps(notebook)
    if (size := len(text.encode())) > LIMIT:
        raise ValueError(
            f"publish: {slug}.ipynb would have {size // 1000} KB; at most {LIMIT // 1000} are allowed: fewer or smaller figures"
        )
    for name, found in ((f"{slug}.ipynb", foreign_path(notebook)), (results.name, _FOREIGN_PATH.search(results_text))):
        if found:
            raise ValueError(f"publish: {name} shows the path {found[0]} of this computer; expected none in an output")
    product = root / "notebooks" / f"{slug}.ipynb"
    written = {product: text.encode(), results: results_text.encode()}
    written |= {root / "figures" / slug / file.name: file.read_bytes() for file in (folder / "figures").glob("[!.]*")}
    prepared = _prepared() / f"{slug}.part"
    paths.sweep(prepared.parent, prepared.name)
    for file, content in written.items():
        paths.write_bytes(prepared / file.relative_to(root), content)
    prepared.replace(prepared.with_suffix(""))
    finish()
    return list(dict.fromkeys(file.parent if file.parent.name == slug else file for file in written))


def _prepared() -> Path:
    return paths.root() / "build" / "publish"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock under which products are written: whatever is half-written then was left by a process that was killed."""
    _prepared().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(_prepared() / ".lock", timeout=60):
        yield


def finish() -> list[str]:
    """Bring prepared builds to their end, remove what killed ones left, both inside `alone`; returns the notebooks of these builds."""
    root, done = paths.root(), []
    for folder in (root, root / "notebooks", root / "docs", root / "data" / "results", *(root / "figures").glob("*")):
        paths.sweep(folder, ".*.part*")
    paths.sweep(root / "figures", ".figures-*")  # of earlier versions
    for prepared in (folder for folder in sorted(_prepared().glob("[!.]*")) if folder.suffix != ".part"):
        new = {file.relative_to(prepared): file for file in prepared.rglob("*") if file.is_file()}
        for name, file in sorted(new.items()):
            paths.write_bytes(root / name, file.read_bytes())
        figures = root / "figures" / prepared.name
        for old in figures.glob("*"):
            if old.relative_to(root) not in new:
                old.unlink()
        if figures.is_dir() and not any(figures.iterdir()):
            figures.rmdir()
        prepared.replace(prepared.with_name(f"{prepared.name}.part"))  # removing takes more than one step
        done.append(prepared.name)
    paths.sweep(_prepared(), "*.part")
    return done


def normalise(source: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The source notebook with the outputs of the executed one, without anything that differs from run to run.

    Dropped: the injected parameters, times, standard error (progress bars, warnings) and widgets. Execution counts run 1, 2, 3, ...;
    folders of this computer get names. Raises ValueError if the two do not have the same cells.
    """
    cells = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    if [(cell.cell_type, cell.source) for cell in cells] != [(cell.cell_type, cell.source) for cell in source.cells]:
        raise ValueError("normalise: the executed notebook has other cells than its source; run it again")
    code = [(cell, ran) for cell, ran in zip(source.cells, cells, strict=True) if cell.cell_type == "code"]
    for count, (cell, ran) in enumerate(code, start=1):
        cell.execution_count = count
        cell.outputs = [kept for output in ran.outputs if (kept := _output(output, count))]
    return source


def _output(output: nbformat.NotebookNode, count: int) -> nbformat.NotebookNode | None:
    if output.output_type == "stream":
        return None if output.name == "stderr" else nbformat.from_dict({**output, "text": portable(output.text)})
    data = {kind: portable(content) if isinstance(content, str) else content for kind, content in output.data.items()}
    if _WIDGET in data:  # a progress bar: its plain text is a frozen bar
        return None
    kept = nbformat.from_dict({**output, "data": data})
    if output.output_type == "execute_result":
        kept.execution_count = count
    return kept


def foreign_path(notebook: nbformat.NotebookNode) -> re.Match[str] | None:
    """The first absolute path in the texts that a reader can see in the outputs; pictures are left out."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", "")})
            readable = [kind for kind in data if not kind.startswith("image/") or "svg" in kind]
            parts += [json.dumps(data[kind], ensure_ascii=False) for kind in readable]
    text = re.sub(r"data:image/[\w+]+;base64,[A-Za-z0-9+/=\\n]+", "", "\n".join(parts))
    return _FOREIGN_PATH.search(text)
