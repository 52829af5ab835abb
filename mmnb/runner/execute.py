"""One notebook in one process: convert, execute through papermill, and judge the run strictly.

`python -m mmnb.runner.execute TASK` is what `mmnb run` starts for each notebook; TASK, in JSON, holds the arguments of `execute`. It reports progress and the result as JSON lines on
its standard output, and writes `<slug>.ipynb` and `result.json` into the run folder. It ends itself and its kernel when its standard
input closes, that is, when the runner is gone for whatever reason: nobody is left computing behind the user's back.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellControlSignal
from papermill import execute_notebook
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError

from mmnb import paths
from mmnb.lab import claims
from mmnb.lab.sizes import cpu_budget
from mmnb.runner import convert, fingerprint, pool, processes

OVERRUN = 1.5  # a budget overrun by half is a failure


class _Engine(NBClientEngine):
    """papermill's own engine, which also tells how far it is and keeps the notebook when the kernel dies."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, watch: SimpleNamespace, **kwargs: Any) -> None:
        watch.notebook, start, complete = nb_man.nb, nb_man.cell_start, nb_man.cell_complete
        shown = {"input_path": f"notebooks/{watch.slug}.py", "output_path": f"{watch.slug}.ipynb"}
        nb_man.nb.metadata.papermill |= shown

        def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            watch.cell = (cell_index or 0) + 1
            start(cell, cell_index=cell_index, **rest)

        def cell_complete(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            complete(cell, cell_index=cell_index, **rest)
            watch.report({"done": (cell_index or 0) + 1, "total": len(nb_man.nb.cells)})

        nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
        watch.report({"done": 0, "total": len(nb_man.nb.cells)})

        class Kernel(_Kernel):
            watching = watch

        kwargs["kernel_manager_class"] = Kernel
        # a kernel that ends a cell says so on two channels: nbclient gives the second 4 seconds, which a busy computer can take longer
        kwargs["iopub_timeout"] = 300
        super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


class _Kernel(AsyncKernelManager):
    """The kernel of this Python, whatever kernels are installed, without the user's IPython profile and start-up files."""

    watching: SimpleNamespace

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watching.kernel = self
        quiet = {"IPYTHONDIR": str(self.watching.profile), "PYTHONSTARTUP": "", "MATPLOTLIBRC": os.devnull}
        self._kernel_spec = KernelSpec(**get_kernel_dict(), env=quiet)


papermill_engines.register("mmnb", _Engine)


def execute(
    slug: str,
    folder: Path,
    parameters: dict[str, Any],
    *,
    timeout: float | None = None,
    report: Callable[[dict[str, int]], None] = lambda progress: None,
) -> dict[str, Any]:
    """Run `notebooks/<slug>.py` in a fresh kernel that works in `folder`, with `timeout` in wall seconds for all of it.

    `report` is called with `{"done": cells, "total": cells}`. What is returned is also written to `folder/result.json`.
    """
    began, before = time.monotonic(), fingerprint.everything(slug)
    with processes.metered() as used:
        reason, log = _run(slug, folder, parameters, timeout, report)
    records = pool.read_json(folder / "records.json")
    result = {
        "schema": 1,
        "notebook": slug,
        "profile": parameters.get("PROFILE"),
        "seed": parameters.get("SEED"),
        "wall_seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.cpu_seconds, 1),
        "peak_memory_mb": round(used.peak_memory_mb),
        "claims": dict(Counter(record["verdict"] for record in records.get("records", {}).values())),
        "fingerprint": fingerprint.restrict(before, slug, records.get("modules", []), records.get("data_files", [])),
        "cache_sha256": fingerprint.cache_listing(),
        "files_sha256": fingerprint.products(slug, folder),
    }
    reason = reason or judge_records(slug, records, parameters) or judge_cpu(used.cpu_seconds, result["profile"])
    result |= {"status": "failed" if reason else "ok", "reason": reason, "log": log}
    return pool.keep(result, folder)


def _run(
    slug: str, folder: Path, parameters: dict, timeout: float | None, report: Callable
) -> tuple[str | None, list[str]]:
    """Execute and save the notebook. Returns the reason of a failure, else None, and the end of a traceback."""
    try:
        notebook = convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py")
        convert.check_parameters(notebook, parameters)
    except ValueError as error:
        return str(error), []
    watch = SimpleNamespace(slug=slug, report=report, notebook=notebook, cell=0, kernel=None)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        with paths.replace(folder / f"{slug}.ipynb") as temporary, _profile(folder) as watch.profile:
            try:
                executed = execute_notebook(
                    notebook,
                    str(temporary).replace("{", "{{").replace("}", "}}"),  # papermill formats paths
                    parameters=parameters,
                    engine_name="mmnb",
                    request_save_on_cell_execute=False,  # one write at the end, and that under a temporary name
                    autosave_cell_every=0,
                    progress_bar=False,
                    cwd=folder,
                    watch=watch,
                    timeout_func=lambda cell: None if deadline is None else max(1, round(deadline - time.monotonic())),
                )
            except (PapermillException, CellControlSignal, RuntimeError) as error:  # a dead kernel is a RuntimeError
                if not temporary.stat().st_size:  # papermill saves a failed cell, not a dead kernel or a timeout
                    temporary.write_text(nbformat.writes(watch.notebook), encoding="utf-8", newline="\n")
                return _explain(error, timeout, watch, folder), str(error).strip().splitlines()[-30:]
    except OSError as error:
        return f"{_at(watch)}: {error.strerror or error}: {error.filename or folder}", []
    return judge_cells(executed), []


def _profile(folder: Path) -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(dir=folder, prefix=".ipython-", suffix=".part", ignore_cleanup_errors=True)


def _at(watch: SimpleNamespace) -> str:
    return f"cell {watch.cell}" if watch.cell else "before the first cell"


def _explain(error: Exception, timeout: float | None, watch: SimpleNamespace, folder: Path) -> str:
    """The cause and the cell in one line."""
    if isinstance(error, PapermillExecutionError):
        return f"cell {error.cell_index + 1} raised {error.ename}: {error.evalue}".strip()
    if isinstance(error, TimeoutError) and timeout is not None:
        return f"{_at(watch)} was not finished after the time limit of {timeout:g} s"
    process = getattr(getattr(watch.kernel, "provisioner", None), "process", None)
    code = process and process.poll()
    if not code:
        return f"{_at(watch)}: {type(error).__name__}: {error}".strip().partition("\nHere is a preview")[0]
    if not watch.cell:  # what the kernel wrote went to the log of its worker
        last = [line for line in pool.read_log(folder) if not line.startswith(" ")][-1:]
        return f"the kernel did not start (exit code {code}): " + (last[0] if last else str(error))
    memory = ": killed from outside, by the system if memory was full" if code == -getattr(signal, "SIGKILL", 9) else ""
    return f"cell {watch.cell}: the kernel died with exit code {code}{memory}"


def judge_cells(notebook: nbformat.NotebookNode) -> str | None:
    """Reason to reject an executed notebook: an error output, or a code cell that did not run; else None.

    papermill lets `sys.exit(0)` and the tag `skip-execution` pass, although cells are left out.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors:
            return f"cell {number} has an error output: {errors[0].ename}: {errors[0].evalue}"
        if cell.execution_count is None:
            return f"cell {number} was not executed: {cell.source.splitlines()[0]}"
    return None


def judge_records(slug: str, records: dict[str, Any], parameters: dict[str, Any]) -> str | None:
    """Reason to reject what a notebook recorded: nothing, another run's, incomplete, or a claim without verdict; else None."""
    if not records:
        return "no records.json: the notebook never called run.verdicts() and run.environment()"
    try:
        wanted = claims.load(slug)
    except ValueError as error:
        return str(error)
    expected = {"notebook": slug, "profile": parameters.get("PROFILE"), "seed": parameters.get("SEED")}
    for key, value in expected.items():
        if records.get(key) != value:
            return f"records.json says {key} {records.get(key)!r}; asked for {value!r}: pass PROFILE and SEED to mmnb.start"
    judged = {key for key, record in records.get("records", {}).items() if record.get("verdict")}
    if absent := [claim.id for claim in wanted if claim.id not in judged]:
        return f"claim not recorded: {', '.join(absent)}"
    complete = records.get("complete") is True
    return None if complete else "records.json is not complete: the last cell must call run.environment()"


def judge_cpu(cpu_seconds: float, profile: str | None) -> str | None:
    """Reason to reject a run that took over 1.5 times the CPU budget of its profile (`MMNB_CPU_BUDGET` overrides it)."""
    budget = cpu_budget(profile)
    if budget is None or cpu_seconds <= OVERRUN * budget:
        return None
    return f"took {cpu_seconds:.0f} CPU seconds; the budget of profile {profile} is {budget:g}, a failure from {OVERRUN * budget:g}"


def _die_with_the_runner() -> None:
    """Wait for the end of standard input; then kill the kernel, remove temporary files and end."""
    while os.read(0, 1024):  # not sys.stdin, whose lock this thread would still hold when the process ends
        pass
    processes.kill_children()
    processes.remove_temporary(Path.cwd())
    os._exit(1)  # sys.exit would end this thread only


def main() -> None:
    """Entry point of the worker process."""
    threading.Thread(target=_die_with_the_runner, daemon=True).start()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the kernel prints below Python goes to the log, not between the JSON lines

    def report(progress: dict[str, Any]) -> None:
        channel.write(json.dumps(progress) + "\n")
        channel.flush()

    report({"result": execute(**json.loads(sys.argv[1]), folder=Path.cwd(), report=report)})


if __name__ == "__main__":
    main()
