"""Old names that go on working for one release, each with a `DeprecationWarning` that says the new one."""

import functools
import importlib
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of the module `module` for names that it used to have: old name to the full new one."""

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", names[name], stacklevel=3)
        home, _, attribute = names[name].rpartition(".")
        return getattr(importlib.import_module(home), attribute)

    return __getattr__


def renamed_field(old: str, new: str) -> property:
    """A result's former attribute: reads `new`, which may be a path such as `accuracy.low`, and says so."""

    def read(self: Any) -> Any:
        warn(f"{type(self).__name__}.{old}", new, stacklevel=2)
        return operator.attrgetter(new)(self)

    return property(read, doc=f"Deprecated name of `{new}`.")


def renamed_keywords(**names: str) -> Callable[[Callable], Callable]:
    """Decorator: keywords that a function used to have, each with its name of today."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            for old in names.keys() & given.keys():
                warn(f"{function.__name__}({old}=...)", f"{names[old]}=...", stacklevel=2)
                given[names[old]] = given.pop(old)
            return function(*args, **given)

        return call

    return decorate


def warn(old: str, new: str, stacklevel: int = 2) -> None:
    """Say that `old` is now `new`; at the default level the warning points at the caller of the function that warns."""
    text = f"{old} is now {new}; the old name goes with the next release"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel + 1)
