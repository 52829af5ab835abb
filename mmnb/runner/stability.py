"""Runs of a notebook as other computers would do it: the same numbers, rounded in another order."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mmnb.runner import diff

MACHINES = {  # name -> environment of the kernel; the libraries read these when they are loaded
    "this-one": {},
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "oldest": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "one-thread": {"OMP_NUM_THREADS": "1"},
}


@contextlib.contextmanager
def environment(machine: str) -> Iterator[None]:
    """What starts inside computes as `machine` does, however long it takes."""
    before = dict(os.environ)
    os.environ.update({"MMNB_CPU_BUDGET": "inf"} | MACHINES[machine])
    # NumPy takes the names that it would use here, which differ between its versions
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    less = {"avx2": [name for name in found if "512" in name or name == "X86_V4"], "oldest": found}.get(machine)
    if less:
        os.environ["NPY_DISABLE_CPU_FEATURES"] = " ".join(less)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def markdown(folders: Mapping[str, Path]) -> tuple[str, int]:
    """What moved from the first folder of runs to each of the others, and how many verdicts did."""
    (_, first), *others = folders.items()
    parts, verdicts = [], 0
    for name, folder in others:
        text, moved = diff.markdown(diff.load(first), diff.load(folder))
        parts.append(f"## {name}\n\n{text}")
        verdicts += moved
    return "\n\n".join(parts), verdicts
