"""The numbers that papers print: data/published/*.yaml, nested mappings whose leaves give value and place."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mmnb import paths
from mmnb.lab import rules
from mmnb.lab.rules import Value

KEY = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_LEAF = {"value", "unit", "place", "source", "note", "unverified"}


@dataclass(frozen=True)
class Published:
    """One published number; `place` is the table, figure or section (or result file) it was read from."""

    key: str
    value: Value
    place: str
    unit: str | None = None
    source: str | None = None
    note: str | None = None
    unverified: bool = False

    @property
    def file(self) -> str:
        """The file that holds it, relative to the root."""
        return f"data/published/{self.key.split('.')[0]}.yaml"


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file: a repeated key is an error, `no` is a word, `1e-10` a number.

    Args:
        path: The file.
        where: Its name for error messages.

    Raises:
        ValueError: The file is not valid YAML, repeats a key, or holds anything but a mapping.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where}: got {type(content).__name__} at the top; expected a mapping")
    return content


def read(path: Path) -> dict[str, Published]:
    """All numbers of one file by their key, unverified ones included.

    Raises:
        ValueError: A leaf has an unknown key, lacks value or place, or its value is not finite.
    """
    where = f"data/published/{path.name}"
    found: dict[str, Published] = {}
    _collect(read_yaml(path, where), path.stem, where, found)
    return found


def _collect(node: Any, key: str, where: str, found: dict[str, Published]) -> None:
    if not isinstance(node, dict) or not node:
        raise ValueError(f"{where}, {key}: got {node!r}; expected a mapping")
    if "value" not in node:
        for name, child in node.items():
            if "." in str(name) or not KEY.fullmatch(str(name)):
                raise ValueError(f"{where}, {key}: got the key {name!r}; expected a-z, 0-9, hyphen and underscore")
            _collect(child, f"{key}.{name}", where, found)
        return
    where = f"{where}, {key}"
    unknown = sorted(map(str, set(node) - _LEAF))
    if unknown:
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}; expected {', '.join(sorted(_LEAF))}")
    texts = {name: node[name] for name in ("place", "unit", "source", "note") if name in node}
    if "place" not in texts or not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise ValueError(
            f"{where}: got {texts!r}; expected texts, and always a `place` (table, figure, section or file)"
        )
    if not isinstance(node.get("unverified", False), bool):
        raise ValueError(f"{where}, unverified: got {node['unverified']!r}; expected true or false")
    found[key] = Published(key, rules.plain(node["value"], where), unverified=node.get("unverified", False), **texts)


def look_up(key: str, where: str = "published", root: Path | None = None) -> Published:
    """The published number with this key.

    Args:
        key: The file's name, then the path inside it, such as "emap.lxmert.vqa.gap".
        where: Who asks, for error messages.
        root: The checkout; by default the one in use.

    Raises:
        ValueError: The file or key does not exist, or the number is marked as unverified.
    """
    folder = (root or paths.root()) / "data" / "published"
    name = key.split(".")[0]
    path = folder / f"{name}.yaml"
    if not KEY.fullmatch(key) or not path.is_file():
        files = ", ".join(sorted(file.name for file in folder.glob("*.yaml"))) or "no files"
        raise ValueError(f"{where}: no published number {key!r}: there is no data/published/{name}.yaml, only {files}")
    numbers = read(path)
    if key not in numbers:
        raise ValueError(
            f"{where}: no published number {key!r} in data/published/{name}.yaml; it has {', '.join(numbers)}"
        )
    if numbers[key].unverified:
        raise ValueError(f"{where}: {key!r} is marked as unverified; check it against the paper before a claim uses it")
    return numbers[key]
