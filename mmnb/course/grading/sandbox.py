"""Run one exercise of one submission: `python -m mmnb.course.grading.sandbox`, started by `judge.py` in an empty folder.

Messages come on standard input: first the submitted cells, then one input after the other. What the submitted function answers goes to
standard output. Neither the reference nor the inputs still to come are ever in this process; it judges nothing.
"""

import contextlib
import copy
import functools
import os
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any

from mmnb.course.grading import isolation

FILE_LIMIT = 8 * 2**20  # bytes of any file that a submission writes, in memory too
_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill", "sqlite3.connect")
_ON_FILES = tuple(
    f"os.{name}"
    for name in ("remove", "rename", "rmdir", "mkdir", "link", "symlink", "truncate", "chmod", "chown", "utime")
)


def main() -> None:
    """Answer until standard input ends."""
    _end_with_parent()
    if sys.argv[1:] == ["isolated"]:
        isolation.enter()
    from numpy import array_equal, ndarray  # bound here, because a submission may replace them

    from mmnb.course.grading import cells, wire

    equal = functools.partial(array_equal, equal_nan=True)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 0)
    os.dup2(silent, 1)
    request = wire.receive(requests, sys.maxsize - 1)
    _hide_solutions()
    program = cells.Program(request["cells"], request["function"])
    _limit(request["memory_mb"])
    wire.send(answers, {"started": True})  # the submission's own time starts now
    reply = _attempt(program.load)
    while True:
        wire.send(answers, reply)
        try:
            given = [wire.decode(code) for code in wire.receive(requests)["arguments"]]
        except EOFError:
            os._exit(0)  # whatever the submission left running ends, too
        before = copy.deepcopy(given)
        reply = _attempt(lambda given=given: {"answer": wire.encode(program.function()(*given))})
        pairs = enumerate(zip(given, before, strict=True))
        reply["changed"] = [at for at, (now, then) in pairs if isinstance(then, ndarray) and not equal(now, then)]


def _attempt(step: Any) -> dict[str, Any]:
    try:
        return step() or {}
    except BaseException as raised:  # noqa: BLE001  whatever a submission raises, SystemExit too, is its answer
        return {"error": _described(raised)}


def _described(error: BaseException) -> dict[str, Any]:
    found = traceback.TracebackException.from_exception(error, lookup_lines=False)  # str(error) itself may raise
    frames = [frame for frame in found.stack if frame.filename in ("your cell", "another cell")]
    last = frames[-1] if frames else None
    where = f"line {last.lineno} of {last.filename}" if last else ""
    called = bool(frames) and frames[0].name != "<module>"
    return {"kind": type(error).__name__, "text": str(found)[:500], "where": where, "called": called}


def _end_with_parent() -> None:
    if sys.platform == "linux":
        isolation.end_with_parent()
        return
    import psutil

    def watch(parent: psutil.Process) -> None:
        parent.wait()
        os._exit(1)

    threading.Thread(target=watch, args=(psutil.Process(os.getppid()),), daemon=True).start()


def _hide_solutions() -> None:
    """Replace `mmnb.course.exercises` by an empty module: a check left in a cell does nothing."""
    import mmnb.course

    empty = types.ModuleType("mmnb.course.exercises")
    empty.check = lambda *_, **__: None
    empty.__path__ = []
    sys.modules["mmnb.course.exercises"] = mmnb.course.exercises = empty


def _limit(memory_mb: int) -> None:
    """No network, no other programs, no files outside this folder: a clear word for accidents. And limits where the system has them."""
    with contextlib.suppress(ImportError):  # Windows has none: the parent alone enforces its own
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # with the limit above: what files in memory can hold
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    here = Path.cwd().resolve()

    def inside(path: Any) -> bool:
        target = Path(os.fsdecode(path)).resolve()
        return here in (target, *target.parents) or str(target) == os.devnull

    def refuse(event: str, arguments: tuple, refused: tuple = _REFUSED, on_files: tuple = _ON_FILES) -> None:
        allowed = not event.startswith(refused)
        if event == "open" and not isinstance(arguments[0], int):
            path, mode, flags = arguments
            writes = set(mode) & set("wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
            allowed = not writes or inside(path)
        elif event in on_files:
            allowed = all(inside(path) for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike))
        if not allowed:
            raise PermissionError(f"{event} is not allowed while a submission is graded")

    sys.addaudithook(refuse)


if __name__ == "__main__":
    main()
