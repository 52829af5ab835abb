"""YAML as its readers expect it: a key twice is an error, `1e-10` is a number, `no` is a word, the key `null` is the word null."""

import re
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1; this loader repairs the four points where that surprises people."""


_FLOAT = re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$")
_INT = re.compile(r"^[-+]?\d+$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")

_kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag in _kept]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
            raise ValueError(f"line {line}: got an empty or nested key; expected a word")
        key = key_node.value  # the text itself: the key `null` is a word here, as are `yes` and `2`
        if key in result:
            raise ValueError(f"line {line}: the key {key!r} stands twice in one mapping; expected once")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value)  # PyYAML would read 010 as octal


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse(text: str, where: str) -> Any:
    """The content of a YAML text.

    Args:    text; where: its name for error messages.
    Returns: dicts with text keys, lists, numbers, words, booleans, None.
    Raises:  ValueError, which names `where` and the line, on a syntax error, a repeated key or a key that is not a word.
    Example:
        >>> parse("null: 1e-10\\nanswer: no", "here")
        {'null': 1e-10, 'answer': 'no'}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: not valid YAML: {error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def read(path: Path, where: str) -> dict[str, Any]:
    """The mapping in a YAML file. Raises: ValueError when the file holds anything but a mapping."""
    content = parse(path.read_text(encoding="utf-8"), where)
    if not isinstance(content, dict):
        raise ValueError(f"{where}: got {type(content).__name__} at the top; expected a mapping")
    return content
