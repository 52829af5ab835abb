"""The numbers that papers print: data/published/*.yaml, nested mappings whose leaves give value and place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import YAMLError

from mmnb import paths
from mmnb.lab import rules
from mmnb.lab.rules import Value, is_text, require

_KEY = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_LEAF = {"value", "unit", "place", "source", "note", "unverified"}


_DEEPEST = 20  # levels


class _Composer(Composer):
    level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.level += 1
        if self.level > _DEEPEST:
            raise ComposerError(None, None, f"got more than {_DEEPEST} levels", self.parser.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        return node

    def return_alias(self, node: Any) -> Any:
        raise ComposerError(None, None, "got an alias; expected the value itself", node.start_mark)


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
    """The mapping in a YAML 1.2 file, called `where` in errors: a repeated key is an error, `no` is a word, `1e-10` a number.

    Raises:
        ValueError: The file is not valid YAML in UTF-8, repeats a key, has an alias (some bytes of them unfold to gigabytes) or
            more than 20 levels, or holds anything but a mapping.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _Composer
    try:
        content = reader.load(paths.read_text(path))
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}: not valid YAML: {error}") from error
    require(isinstance(content, dict), where, f"{type(content).__name__} at the top", "a mapping")
    return content


def read(path: Path) -> dict[str, Published]:
    """All numbers of one file by their key, unverified ones included.

    Raises:
        ValueError: A leaf has an unknown key, lacks value or place, or its value is not finite.
    """
    where = f"data/published/{path.name}"
    return dict(_leaves(read_yaml(path, where), path.stem, where))


def _leaves(node: Any, key: str, where: str) -> Iterator[tuple[str, Published]]:
    here = f"{where}, {key}"
    require(isinstance(node, dict) and bool(node), here, repr(node), "a mapping")
    if "value" not in node:
        for name, child in node.items():
            right = "." not in str(name) and bool(_KEY.fullmatch(str(name)))
            require(right, here, f"the key {name!r}", "a-z, 0-9, hyphen and underscore")
            yield from _leaves(child, f"{key}.{name}", where)
        return
    unknown = ", ".join(sorted(map(str, set(node) - _LEAF)))
    if unknown:
        raise ValueError(f"{here}: unknown keys {unknown}; expected {', '.join(sorted(_LEAF))}")
    texts = {name: node[name] for name in ("place", "unit", "source", "note") if name in node}
    right = "place" in texts and all(map(is_text, texts.values()))
    require(right, here, repr(texts), "texts, and always a `place` (table, figure, section or file)")
    unverified = node.get("unverified", False)
    require(isinstance(unverified, bool), f"{here}, unverified", repr(unverified), "true or false")
    yield key, Published(key, rules.plain(node["value"], here), unverified=unverified, **texts)


def look_up(key: str, where: str = "published", root: Path | None = None) -> Published:
    """The published number with a key: the file's name, then the path inside it, such as "emap.lxmert.vqa.gap".

    `where` says in errors who asks; `root` is the checkout, by default the one in use.

    Raises:
        ValueError: The file or key does not exist, or the number is marked as unverified.
    """
    folder = (root or paths.root()) / "data" / "published"
    path = folder / f"{key.split('.')[0]}.yaml"
    missing, file = f"{where}: no published number {key!r}", f"data/published/{path.name}"
    if not _KEY.fullmatch(key) or not path.is_file():
        files = ", ".join(sorted(file.name for file in folder.glob("*.yaml"))) or "no files"
        raise ValueError(f"{missing}: there is no {file}, only {files}")
    numbers = read(path)
    if key not in numbers:
        raise ValueError(f"{missing} in {file}; it has {', '.join(numbers)}")
    if numbers[key].unverified:
        raise ValueError(f"{where}: {key!r} is marked as unverified; check it against the paper before a claim uses it")
    return numbers[key]
