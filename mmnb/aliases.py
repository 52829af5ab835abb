"""Old names that go on working for one release, each with a `DeprecationWarning` that says the new one."""

import importlib
import importlib.abc
import importlib.util
import operator
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = {  # modules that moved, old -> new; what lies below a package moves with it
    "mmnb.exercises": "mmnb.course.exercises",
    "mmnb.instruments.intervals": "mmnb.instruments.estimate",
    "mmnb.lab.claim": "mmnb.lab.claims",
    "mmnb.lab.train": "mmnb.recipes.fit",
    "mmnb.lab.finetune": "mmnb.recipes.clip.finetune",
    "mmnb.lab.values": "mmnb.lab.rules",
}


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` for names that it used to have.

    Args:
        module: The module's own `__name__`.
        names: Old name to the full new one, such as `{"fit": "mmnb.recipes.late.fit"}`.

    Returns:
        A function to be called `__getattr__` at the top level of the module.

    Example:
        >>> look_up = renamed("mmnb.old", {"sqrt": "math.sqrt"})
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     root = look_up("sqrt")(9.0)
        >>> root, str(caught[0].message)
        (3.0, 'mmnb.old.sqrt is now math.sqrt; the old name goes with the next release')
    """

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


def warn(old: str, new: str, stacklevel: int = 2) -> None:
    """Say that `old` is now `new`; at the default level the warning points at the caller of the function that warns."""
    text = f"{old} is now {new}; the old name goes with the next release"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel + 1)


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a moved module under its old name: the very same module object, not a second copy."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        known = any(name == old or name.startswith(f"{old}.") for old in MODULES)
        return importlib.util.spec_from_loader(name, self) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        old = next(old for old in MODULES if spec.name == old or spec.name.startswith(f"{old}."))
        new = MODULES[old] + spec.name.removeprefix(old)
        warn(spec.name, new, stacklevel=6)
        self._own = importlib.import_module(new).__spec__
        return sys.modules[new]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the import system set the old one


def install() -> None:
    """Make the old module names importable. Called once, by `import mmnb`."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
