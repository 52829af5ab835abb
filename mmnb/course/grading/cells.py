"""The cells of one exercise as a program: IPython's additions understood, definitions of the neighbouring cells included."""

import ast
import asyncio
import contextlib
import inspect
import re
from typing import Any

ANSWER, NEIGHBOUR, ELSEWHERE = "answer", "neighbour", "elsewhere"  # elsewhere: imports only
_OTHER_LANGUAGES = (
    "bash",
    "sh",
    "script",
    "html",
    "javascript",
    "js",
    "latex",
    "markdown",
    "svg",
    "perl",
    "ruby",
    "writefile",
    "file",
    "cmd",
)
_IMPORTS = ast.Import | ast.ImportFrom
_DEFINES = _IMPORTS | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.Try
_FILES = {ANSWER: "your cell", NEIGHBOUR: "another cell", ELSEWHERE: "another cell"}


class Program:
    """The submitted cells, read but not run. `load` runs them; `function` is what they define then."""

    def __init__(self, cells: list[tuple[str, str]], function: str):
        import mmnb

        self._name = function
        self._cells = [(role, python(source)) for role, source in cells]
        wait = any("await" in source for _, source in self._cells)
        self._loop = asyncio.new_event_loop() if wait else None  # made here: its socket is refused later
        shell = _Shell(self._run)
        import numpy as np

        self.namespace = {"mmnb": mmnb, "np": np, "__name__": "submission"}
        self.namespace |= {"display": lambda *_, **__: None, "get_ipython": lambda: shell}

    def load(self) -> None:
        """Run the answer; of neighbouring cells what they define, of others the imports that the exercise uses."""
        used = set(re.findall(r"\w+", "\n".join(source for role, source in self._cells if role != ELSEWHERE)))
        for role, source in self._cells:
            if role == ANSWER:
                self._run(source, _FILES[role])
                continue
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                for statement in ast.parse(source).body:
                    if _wanted(statement, role, used):
                        self._quietly(statement, _FILES[role])

    def function(self) -> Any:
        """The function that the exercise asks for. Raises: KeyError."""
        return self.namespace[self._name]

    def _quietly(self, statement: ast.stmt, file: str) -> None:
        try:
            exec(compile(ast.Module([statement], []), file, "exec"), self.namespace)
        except Exception:  # noqa: BLE001  a trial of the student's; if the answer needs it, that says so
            return

    def _run(self, source: str, file: str = "your cell") -> None:
        code = compile(source, file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        found = eval(code, self.namespace)
        if inspect.iscoroutine(found):
            self._loop.run_until_complete(found)


class _Shell:
    """What `get_ipython()` returns: `%%time` runs its cell; other magics and shell commands do nothing here."""

    def __init__(self, run: Any):
        self._run = run

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        if name not in _OTHER_LANGUAGES:
            self._run("\n" + python(cell))  # the line of the magic counts

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> None:
        if name == "time":
            self._run(line)

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        return []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def python(source: str) -> str:
    """`source` itself where it is Python; else as IPython turns it into Python."""
    try:
        compile(source, "your cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        with contextlib.suppress(SyntaxError):  # then it is neither, and running it says where
            return TransformerManager().transform_cell(source)
    except (ValueError, RecursionError, MemoryError):
        return source
    return source


def _wanted(statement: ast.stmt, role: str, used: set[str]) -> bool:
    if role == NEIGHBOUR:
        return isinstance(statement, _DEFINES)
    names = (
        {(one.asname or one.name).split(".")[0] for one in statement.names}
        if isinstance(statement, _IMPORTS)
        else set()
    )
    return bool(used & names)
