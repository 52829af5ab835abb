"""The work behind `mmnb emap`: find model and data, measure, write the result; alone or as one of many processes."""

import contextlib
import importlib
import json
import os
import pickle
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from click import UsageError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mmnb import paths
from mmnb.instruments.batches import each_part, for_module, length, take
from mmnb.instruments.checks import modules_behind
from mmnb.instruments.emap import Emap, emap
from mmnb.instruments.grid.strategy import pick
from mmnb.instruments.grid.two_tower import TwoTower, two_tower_of
from mmnb.instruments.metrics import read_metric

_NAMES = ("a", "b", "labels")


def run(job: SimpleNamespace) -> tuple[list[str], list[str]]:
    """Do the job that the options of `mmnb emap` describe and write its files.

    Returns the lines to show, none but on process 0, and what the result lacks.

    What cannot be computed from a finished pass (shares of a constant model, a metric that fails) is left out of the result, and the
    lines say so. Raises click.UsageError when model, data or metric cannot be loaded, and what `emap` raises.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "30")  # a log wants a line now and then, not ten a second
    sys.path.insert(0, os.getcwd())  # as `python -m` does: `mmnb` and `torchrun` do not
    with processes() as (rank, world):
        device = device_of(job.device)
        metric = found(job.metric, "metric") if ":" in job.metric else job.metric
        f = factory(job.model, "model")
        if not callable(f):
            raise UsageError(
                f"--model {job.model}: it returned {type(f).__name__}; expected a function or a torch module"
            )
        a, b, labels = load_data(job.data)
        model, modules = f, [module.to(device) for module in modules_behind(f)]
        like = modules[0] if modules else None
        if job.move_batches:
            f = _moving(model, a, b, device, like)
        else:
            a, b = moved((a, b), device, like)
        dtype = None if job.precision is None else getattr(torch, job.precision)
        start = time.monotonic()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype not in (None, torch.float32)):
            options = {name: getattr(job, name) for name in ("batch_size", "strategy", "save_every", "outputs")}
            options |= {"checkpoint": job.out / "checkpoint.safetensors", "distributed": world > 1, "progress": True}
            if labels is not None:
                _check_labels(f, a, b, labels, metric, job)
            result = emap(f, a, b, check=not job.no_check, **options)
        if rank:
            return [], []
        how = {"processes": world, "device": str(device), "seconds": round(time.monotonic() - start, 3)}
        return _write(job, result, labels, metric, how)


def moved(batch: Any, device: torch.device, like: torch.nn.Module | None = None) -> Any:
    """The batch with all its tensors on the device; arrays become tensors, too, where a torch module is behind the model."""
    batch = batch if like is None else for_module(batch, like)
    return each_part(batch, lambda part: part.to(device) if isinstance(part, torch.Tensor) else part)


def _moving(model: Any, a: Any, b: Any, device: torch.device, like: torch.nn.Module | None) -> Any:
    """The model, or its two towers, with every batch moved to the device first."""

    def on_device(part: Any) -> Any:
        return lambda *batches: part(*moved(batches, device, like))

    first = torch.zeros(1, dtype=torch.int64)
    towers = two_tower_of(model, *moved((take(a, first), take(b, first)), device, like))
    if towers is None:
        return on_device(model)
    return TwoTower(on_device(towers.encode_a), on_device(towers.encode_b), towers.head)


def _check_labels(f: Any, a: Any, b: Any, labels: Any, metric: Any, job: SimpleNamespace) -> None:
    """Refuse labels or a metric before the pass: one pair tells how many outputs there are."""
    n, first = length(a, "emap: a"), torch.zeros(1, dtype=torch.int64)
    length(b, "emap: b")
    with torch.no_grad():
        _, cells = pick(f, take(a, first), take(b, first), None, strategy=job.strategy)
        outputs = cells.outputs(cells.pairs(first, first)).shape[1]
    read_metric(metric, labels, n, outputs, job.threshold)


def found(name: str, option: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"--{option} {name}: expected MODULE:NAME, for instance my_model:load")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise  # the module is there, what it imports is not
        text = f"--{option} {name}: no module {error.name!r} in {os.getcwd()} or among the installed ones"
        raise UsageError(text) from error
    if not hasattr(loaded, attribute):
        raise UsageError(f"--{option} {name}: {module} has no {attribute!r}")
    return getattr(loaded, attribute)


def factory(name: str, option: str) -> Any:
    """What the function that "module:function" names returns."""
    function = found(name, option)
    if not callable(function):
        raise UsageError(f"--{option} {name}: it is a {type(function).__name__}; expected a function without arguments")
    return function()


def content(name: str) -> Any:
    """What a file holds, as a dict of its names, with parts such as `a.input_ids` put together; or what a factory returns."""
    readers = {
        ".npz": lambda path: dict(np.load(path, allow_pickle=False)),
        ".safetensors": load_file,
        ".pt": lambda path: torch.load(path, weights_only=True, map_location="cpu"),
    }
    path = Path(name)
    if path.suffix not in readers:
        return factory(name, "data")
    if not path.is_file():
        raise UsageError(f"--data {name}: no such file")
    try:
        return readers[path.suffix](path)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise UsageError(f"--data {name}: it cannot be read ({type(error).__name__}: {error})") from error


def put_together(parts: Mapping[str, Any]) -> dict[str, Any]:
    """{"a.x": 1, "a.y": 2, "b": 3} as {"a": {"x": 1, "y": 2}, "b": 3}."""
    found: dict[str, Any] = {}
    for key, part in parts.items():
        top, _, inner = key.partition(".")
        found[top] = found.get(top, {}) | {inner: part} if inner else part
    return found


def load_data(name: str) -> tuple[Any, Any, Any]:
    """(a, b, labels or None) from a file or a factory."""
    given = content(name)
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        given = dict(zip(_NAMES, given, strict=False))
    if not isinstance(given, Mapping):
        raise UsageError(
            f"--data {name}: got {type(given).__name__}; expected (a, b), (a, b, labels) or a dict with these names"
        )
    parts = put_together(given)
    if not {"a", "b"} <= set(parts) <= set(_NAMES):
        raise UsageError(
            f"--data {name}: it has {sorted(given)}; expected a, b and perhaps labels (parts of a dict: a.NAME)"
        )
    return parts["a"], parts["b"], parts.get("labels")


@contextlib.contextmanager
def processes() -> Iterator[tuple[int, int]]:
    """(rank, number of processes); under torchrun the process group exists inside."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield 0, 1
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield dist.get_rank(), dist.get_world_size()
    finally:
        dist.destroy_process_group()


def device_of(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: expected cpu, cuda, cuda:1 or mps") from error


@contextlib.contextmanager
def _left_out(name: str, summary: dict[str, Any], lines: list[str]) -> Iterator[None]:
    """Let the rest of a result that took long be written, and say that this is not in it, whatever a metric of the user's raises."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  whatever a metric raises: the pass took hours
        summary["missing"][name] = f"{type(error).__name__}: {error}"
        lines += ["", f"no {name}: {summary['missing'][name]}"]


def _write(
    job: SimpleNamespace, result: Emap, labels: Any, metric: Any, how: dict[str, Any]
) -> tuple[list[str], list[str]]:
    n, outputs = result.original.shape
    summary: dict[str, Any] = {"schema": 1, "examples": n, "outputs": outputs, "missing": {}}
    lines = [f"{n} examples, {outputs} outputs, {n * n} pairs", ""]
    with _left_out("shares", summary, lines):
        summary["shares"] = result.shares
        lines += [
            f"share of the scores' variance due to {name:<12} {part:7.2%}" for name, part in result.shares.items()
        ]
    if labels is not None:
        with _left_out("scores", summary, lines):
            scores = result.score(metric, labels, threshold=job.threshold)
            gap = {"gap": scores.gap.value, "gap_interval": scores.gap.interval}
            summary["scores"] = {"metric": job.metric, **scores.values, **gap}
            lines += ["", *(f"{job.metric} of {name:<12} {value:.4f}" for name, value in scores.values.items())]
            lines += [f"gap, original - projected, with its 95 % interval: {scores.gap:.4f}"]
    summary |= {"options": vars(job) | {"out": str(job.out)}, "torch": str(torch.__version__), **how}
    names = ("original", "projected", "marginal_a", "marginal_b", "grand_mean")
    tensors = {name: getattr(result, name) for name in names}
    tensors |= {f"sum_of_squares_{name}": part for name, part in result.sums_of_squares.items()}
    tensors |= {f"shared_{name}": part for name, part in result.shared.items()}
    with paths.replace(job.out / "result.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    paths.write_text(job.out / "result.json", json.dumps(summary, indent=1) + "\n")
    lines += ["", f"written to {job.out / 'result.json'} and {job.out / 'result.safetensors'}"]
    return lines, list(summary["missing"])
