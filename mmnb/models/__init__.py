"""Floor 2: small models that train in seconds, and adapters to public ones."""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from mmnb.errors import DataUnavailable


def need(package: str, install: str = "") -> ModuleType:
    """An optional package, imported. Raises: DataUnavailable with the command that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as missing:
        raise DataUnavailable(f"this model needs the package {package}: pip install {install or package}") from missing


def listed(values: Sequence[Any], kind: type, caller: str, expected: str) -> list[Any]:
    """`values` as a list. Raises: TypeError unless all are of one kind, ValueError when there are none."""
    wrong = sorted({type(value).__name__ for value in values if not isinstance(value, kind)})
    if isinstance(values, str) or wrong:
        raise TypeError(f"{caller}: got {', '.join(wrong) or 'one string'}; expected a list of {expected}")
    if not values:
        raise ValueError(f"{caller}: got an empty list; expected at least one of {expected}")
    return list(values)
