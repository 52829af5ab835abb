"""Run one exercise of one submission: `python -m mmnb.course.grading.sandbox`, started by `judge.py` in an empty folder.

Reads request.json, draws the inputs, calls the submitted function on each and writes answers.json. It judges nothing.
"""

import copy
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import numpy as np

try:
    import resource
except ImportError:  # Windows: the parent alone enforces the limits
    resource = None

REQUEST, READY, ANSWERS = "request.json", "ready", "answers.json"
FILE_LIMIT = 64 * 2**20  # bytes of any file that a submission writes
_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_equal = np.array_equal  # bound here, because a submission may replace it


class ChangedInPlace(Exception):
    """The submitted function changed one of its arguments."""


def main() -> None:
    """Answer the request in the current folder."""
    request = json.loads(Path(REQUEST).read_text(encoding="utf-8"))
    Path(REQUEST).unlink()
    from mmnb.course import exercises

    entry = exercises.registered([request["exercise"][:2]])[request["exercise"]]
    inputs = list(entry.cases(np.random.default_rng(request["seed"])))
    _hide_solutions()
    _limit(request["memory_mb"])
    Path(READY).touch()  # the submission's own time starts now
    answers: list[Any] = []
    error = None
    try:
        _answer(request["source"], request["function"], [arguments for _, arguments in inputs], answers)
    except BaseException as raised:  # noqa: BLE001  whatever a submission raises, SystemExit too, is its answer
        error = _described(raised)
    Path(ANSWERS).write_text(json.dumps({"error": error, "answers": answers}), encoding="utf-8")


def _answer(source: str, function: str, inputs: list[tuple], answers: list[Any]) -> None:
    """Append the encoded answer to each input to `answers`."""
    import mmnb

    namespace = {"mmnb": mmnb, "np": np, "__name__": "submission"}
    exec(compile(source, "your cell", "exec"), namespace)
    for arguments in inputs:
        given = copy.deepcopy(arguments)
        answer = encode(namespace[function](*given))
        for number, (now, then) in enumerate(zip(given, arguments, strict=True), start=1):
            if isinstance(then, np.ndarray) and not _equal(now, then, equal_nan=True):
                raise ChangedInPlace(f"your function changed its argument {number} in place; expected it untouched")
        answers.append(answer)


def encode(answer: Any) -> Any:
    """`answer` as something that json can write; an object that is no answer becomes the name of its type."""
    if hasattr(answer, "detach"):  # a tensor, without importing torch to ask
        answer = answer.detach().cpu()
        answer = (answer.double() if answer.is_floating_point() else answer).numpy()
    if isinstance(answer, np.ndarray | np.generic) and answer.dtype.kind in "biuf":
        return {"shape": answer.shape, "numbers": answer.ravel().tolist()}
    if isinstance(answer, list | tuple):
        return [encode(part) for part in answer]
    if isinstance(answer, dict):
        return {"items": {str(key): encode(value) for key, value in answer.items()}}
    plain = answer is None or isinstance(answer, bool | int | float | str)
    return answer if plain else {"type": type(answer).__name__}


def _hide_solutions() -> None:
    """Replace `mmnb.course.exercises` by an empty module: no solutions to import, and a check left in a cell does nothing."""
    import mmnb

    for name in [name for name in sys.modules if name.startswith("mmnb.course.exercises")]:
        del sys.modules[name]
    empty = types.ModuleType("mmnb.course.exercises")
    empty.check = lambda *_: None
    empty.__path__ = []
    sys.modules["mmnb.course.exercises"] = mmnb.course.exercises = empty


def _limit(memory_mb: int) -> None:
    """No network, no other programs, no files outside this folder, and a limit on memory where the system has one."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
        if sys.platform == "linux":  # elsewhere the parent alone enforces it
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    here = Path.cwd().resolve()

    def refuse(event: str, arguments: tuple) -> None:
        allowed = not event.startswith(_REFUSED)
        if event == "open" and not isinstance(arguments[0], int):
            _, mode, flags = arguments
            writes = set(mode) & set("wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
            target = Path(os.fsdecode(arguments[0])).resolve() if writes else here
            allowed = here in (target, *target.parents) or str(target) == os.devnull
        if not allowed:
            raise PermissionError(f"{event} is not allowed while a submission is graded")

    sys.addaudithook(refuse)


def _described(error: BaseException) -> dict[str, Any]:
    found = traceback.TracebackException.from_exception(error, lookup_lines=False)  # str(error) itself may raise
    frames = [frame for frame in found.stack if frame.filename == "your cell"]
    line, called = (frames[-1].lineno, frames[0].name != "<module>") if frames else (None, False)
    return {"kind": type(error).__name__, "text": str(found)[:500], "line": line, "called": called}


if __name__ == "__main__":
    main()
