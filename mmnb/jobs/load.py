"""The work behind `mmnb emap`: find model and data, measure, write the result; alone or as one of many processes."""

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from mmnb import paths
from mmnb.instruments.emap import Emap, emap

_NAMES = ("a", "b", "labels")


class UsageError(ValueError):
    """What was asked for cannot be found or has the wrong form."""


@dataclass(frozen=True)
class Job:
    """The options of `mmnb emap`, see its help."""

    model: str
    data: str
    out: Path
    batch_size: int | None = None
    precision: str | None = None
    device: str | None = None
    strategy: str = "auto"
    move_batches: bool = False
    metric: str = "accuracy"
    save_every: float = 30.0
    no_check: bool = False


def run(job: Job) -> list[str]:
    """Do the job and write `result.json` and `result.safetensors`; returns the lines to show: none but on process 0.

    Raises: UsageError when model, data or metric cannot be loaded; what `emap` raises.
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "30")  # a log wants a line now and then, not ten a second
    sys.path.insert(0, os.getcwd())  # as `python -m` does: `mmnb` and `torchrun` do not
    with _processes() as (rank, world):
        device = _device(job.device)
        metric = found(job.metric, "metric") if ":" in job.metric else job.metric
        f = factory(job.model, "model")
        if not callable(f):
            raise UsageError(
                f"--model {job.model}: it returned {type(f).__name__}; expected a function or a torch module"
            )
        a, b, labels = load_data(job.data)
        if isinstance(f, torch.nn.Module):
            f = f.to(device)
        f, a, b = (OnDevice(f, device), a, b) if job.move_batches else (f, moved(a, device), moved(b, device))
        dtype = None if job.precision is None else getattr(torch, job.precision)
        start = time.monotonic()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype not in (None, torch.float32)):
            result = emap(
                f,
                a,
                b,
                batch_size=job.batch_size,
                check=not job.no_check,
                progress=True,
                strategy=job.strategy,
                checkpoint=job.out / "checkpoint.safetensors",
                save_every=job.save_every,
                distributed=world > 1,
            )
        if rank:
            return []
        seconds = time.monotonic() - start
        return _write(
            job, result, labels, metric, {"processes": world, "device": str(device), "seconds": round(seconds, 3)}
        )


class OnDevice:
    """f for batches that are moved to a device first."""

    def __init__(self, f: Callable, device: torch.device) -> None:
        self.f, self.device = f, device

    def __call__(self, a: Any, b: Any) -> Any:
        return self.f(moved(a, self.device), moved(b, self.device))


def moved(batch: Any, device: torch.device) -> Any:
    """The batch with all its tensors on the device; arrays and lists stay as they are."""
    if isinstance(batch, Mapping):
        return {key: moved(part, device) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(moved(part, device) for part in batch)
    return batch.to(device) if isinstance(batch, torch.Tensor) else batch


def found(name: str, option: str) -> Any:
    """The object that "module:attribute" names. Raises UsageError saying which half is missing."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"--{option} {name}: expected MODULE:NAME, for instance my_model:load")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise  # the module is there, what it imports is not
        raise UsageError(
            f"--{option} {name}: no module {error.name!r} in {os.getcwd()} or among the installed ones"
        ) from error
    if not hasattr(loaded, attribute):
        raise UsageError(f"--{option} {name}: {module} has no {attribute!r}")
    return getattr(loaded, attribute)


def factory(name: str, option: str) -> Any:
    """What the function that "module:function" names returns."""
    function = found(name, option)
    if not callable(function):
        raise UsageError(f"--{option} {name}: it is a {type(function).__name__}; expected a function without arguments")
    return function()


def load_data(name: str) -> tuple[Any, Any, Any]:
    """(a, b, labels or None) from a file or a factory. Raises UsageError for another form."""
    readers = {
        ".npz": lambda path: dict(np.load(path, allow_pickle=False)),
        ".safetensors": load_file,
        ".pt": lambda path: torch.load(path, weights_only=True, map_location="cpu"),
    }
    path = Path(name)
    if path.suffix in readers:
        if not path.is_file():
            raise UsageError(f"--data {name}: no such file")
        content = readers[path.suffix](path)
    else:
        content = factory(name, "data")
    if isinstance(content, tuple | list) and len(content) in (2, 3):
        content = dict(zip(_NAMES, content, strict=False))
    if not isinstance(content, Mapping):
        raise UsageError(
            f"--data {name}: got {type(content).__name__}; expected (a, b), (a, b, labels) or a dict with these names"
        )
    parts: dict[str, Any] = {}
    for key, part in content.items():
        top, _, inner = key.partition(".")
        if inner:
            parts.setdefault(top, {})[inner] = part
        else:
            parts[top] = part
    if not {"a", "b"} <= set(parts) <= set(_NAMES):
        raise UsageError(
            f"--data {name}: it has {sorted(content)}; expected a, b and perhaps labels (parts of a dict: a.NAME)"
        )
    return parts["a"], parts["b"], parts.get("labels")


@contextlib.contextmanager
def _processes() -> Iterator[tuple[int, int]]:
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


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: expected cpu, cuda, cuda:1 or mps") from error


def _write(job: Job, result: Emap, labels: Any, metric: Any, how: dict[str, Any]) -> list[str]:
    n, outputs = result.original.shape
    summary: dict[str, Any] = {"schema": 1, "examples": n, "outputs": outputs, "shares": result.shares}
    lines = [f"{n} examples, {outputs} outputs, {n * n} pairs", ""]
    lines += [f"share of the scores' variance due to {name:<12} {share:7.2%}" for name, share in result.shares.items()]
    if labels is not None:
        scores = result.score(metric, labels)
        summary["scores"] = {
            "metric": job.metric,
            **scores.values,
            "gap": scores.gap.value,
            "gap_interval": scores.gap.interval,
        }
        lines += ["", *(f"{job.metric} of {name:<12} {value:.4f}" for name, value in scores.values.items())]
        lines += [f"gap, original - projected, with its 95 % interval: {scores.gap:.4f}"]
    options = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(job).items()}
    summary |= {"options": options, "torch": str(torch.__version__), **how}
    tensors = {
        name: getattr(result, name) for name in ("original", "projected", "marginal_a", "marginal_b", "grand_mean")
    }
    tensors |= {f"sum_of_squares_{name}": part for name, part in result.sums_of_squares.items()}
    with paths.replace(job.out / "result.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    paths.write_text(job.out / "result.json", json.dumps(summary, indent=1) + "\n")
    return [*lines, "", f"written to {job.out / 'result.json'} and {job.out / 'result.safetensors'}"]
