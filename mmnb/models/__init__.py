"""Floor 2: small models that train in seconds, and adapters to public ones."""

import importlib
from collections.abc import Sequence
from pathlib import Path
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


def from_hub(source: str | Path, caller: str, how: str, model: Any, *parts: Any, tied: tuple[str, ...] = (), **options: Any) -> list:  # fmt: skip
    """A model of transformers with all its weights, then its `parts` (processor, tokenizer), from the hub, its cache or a folder.

    Weights whose names end in one of `tied` may be missing. Raises DataUnavailable, saying `how` to get it, when it is not
    there or not complete; ValueError on a model of another type, or one without some of the weights.
    """
    wanted = model.config_class.model_type
    try:
        config, _ = model.config_class.get_config_dict(
            source, **options
        )  # plain JSON: the class would accept any model's
        if "model_type" not in config:
            raise FileNotFoundError(f"no config.json in {source}")
        if config["model_type"] != wanted:
            got = config["model_type"]
            raise ValueError(f"{caller}: {source} holds a model of type {got!r}; expected {wanted!r}")
        loaded, report = model.from_pretrained(source, output_loading_info=True, **options)
        found = [loaded, *(part.from_pretrained(source, **options) for part in parts)]
    except OSError as error:
        raise DataUnavailable(how) from error
    # transformers fills missing weights with random numbers and only logs it
    if missing := sorted(key for key in report["missing_keys"] if not key.endswith(tied)):
        lacks = f"lacks weights: {', '.join(missing[:3])} ({len(missing)} in all)"
        raise ValueError(f"{caller}: {source} {lacks}; expected all of a {model.__name__}")
    return found
