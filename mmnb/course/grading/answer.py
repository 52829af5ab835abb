"""The process that runs one exercise of one submission: `python -m mmnb.course.grading.answer < request.json`, in an empty folder of its own.

It draws the inputs, runs the submitted function on each and writes the answers to answers.json. It judges nothing, and nothing it says is
believed beyond the answers themselves.
"""

import copy
import importlib
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import numpy as np

from mmnb.course.grading.encoding import encode

try:
    import resource
except ImportError:  # Windows: the parent alone watches
    resource = None

READY, ANSWERS = "ready", "answers.json"
FILE_LIMIT = 64 * 2**20  # bytes of any file that a submission writes
_EQUAL = np.array_equal  # kept: a submission may replace it
_REFUSED = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")  # fmt: skip


def main() -> None:
    """Read the request from standard input, answer, write."""
    request = json.load(sys.stdin)
    entry = _exercise(request["exercise"], request["topic"])
    inputs = list(entry.cases(np.random.default_rng(request["seed"])))
    _hide_the_package()
    _limit(request["memory_mb"])
    Path(READY).touch()
    answers, function, caught = [], None, _Caught()
    with caught:
        function = _define(request["source"], request["function"])
        for _, arguments in inputs:
            given = copy.deepcopy(arguments)
            answer = function(*given)
            changed = [number for number, pair in enumerate(zip(given, arguments, strict=True), 1) if _changed(*pair)]
            answers.append({"answer": encode(answer), "changed": changed})
    name = None if function is None or caught.error is None else inputs[len(answers)][0]
    error = None if caught.error is None else _described(caught.error, name)
    Path(ANSWERS).write_text(json.dumps({"error": error, "answers": answers}), encoding="utf-8")


class _Caught:
    """Keeps whatever is raised inside, SystemExit too: all that a submission raises is part of its answer."""

    error: BaseException | None = None

    def __enter__(self) -> "_Caught":
        return self

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> bool:
        self.error = error
        return True


def _exercise(exercise_id: str, topic: str) -> Any:
    from mmnb.course import exercises

    importlib.import_module(topic)
    return exercises._registry[exercise_id]


def _hide_the_package() -> None:
    """The exercises' module becomes an empty one: the solutions are not an import away, and a check left in a cell checks nothing."""
    import mmnb

    for name in [name for name in sys.modules if name.startswith("mmnb.course.exercises")]:
        del sys.modules[name]
    empty = types.ModuleType("mmnb.course.exercises")
    empty.check = lambda *_: None
    empty.__path__ = []
    sys.modules["mmnb.course.exercises"] = mmnb.course.exercises = empty


def _limit(memory_mb: int) -> None:
    """No network, no other programs, no files elsewhere, and no more memory than allowed."""
    sys.dont_write_bytecode = True
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
        if sys.platform == "linux":  # elsewhere the parent alone watches
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    here = Path.cwd().resolve()

    def refuse(event: str, arguments: tuple) -> None:
        if event in _REFUSED:
            raise PermissionError(f"{event} is not allowed while a submission is graded")
        if event == "open" and _writes(*arguments[1:3]) and not isinstance(arguments[0], int):
            target = Path(os.fsdecode(arguments[0])).resolve()
            if here not in (target, *target.parents) and str(target) != os.devnull:
                raise PermissionError(f"writing to {target} is not allowed while a submission is graded")

    sys.addaudithook(refuse)


def _writes(mode: str | None, flags: int) -> bool:
    return bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))


def _define(source: str, function: str) -> Any:
    import mmnb

    namespace = {"mmnb": mmnb, "np": np, "__name__": "submission"}
    exec(compile(source, "your cell", "exec"), namespace)
    return namespace[function]


def _changed(now: Any, then: Any) -> bool:
    return isinstance(then, np.ndarray) and not _EQUAL(now, then, equal_nan=True)


def _described(error: BaseException, name: str | None) -> dict[str, Any]:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "your cell"]
    text = ""
    with _Caught():  # an error whose own text fails is an error all the same
        text = str(error)[:500]
    return {"kind": type(error).__name__, "text": text, "line": lines[-1] if lines else None, "input": name}


if __name__ == "__main__":
    main()
