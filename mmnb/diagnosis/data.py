"""What a user has: pairs or tuples of inputs, scores that were computed elsewhere, or embeddings; all under the user's own names."""

from collections.abc import Mapping
from typing import Any

import torch

from mmnb.instruments.batches import length
from mmnb.instruments.inputs import array, labels, numbers

_LABELS = ("y", "label", "labels")
_OTHERS = ("group", "options", "pair")


class Data:
    """Examples of two or more modalities that belong together, the i-th of each.

    Args:
        y: (n,) labels or targets, or None: what needs none is measured all the same.
        group: (n,) labels of examples that belong together, such as the picture that several questions are about: intervals go over groups.
        options: One list of answer options for each example, where they differ between examples.
        pair: (n,) labels of minimal pairs: each occurs twice, and of the two examples' four combinations the two given are right.
        **modalities: Name -> n examples: a tensor, an array, a list, a column or frame of pandas, a torch Dataset, or a dict or tuple of those.

    Raises:
        TypeError: Of what no examples can be picked.
        ValueError: Fewer than two modalities, or lengths that differ.

    Example:
        >>> data = Data(image=torch.zeros(3, 8), text=["a", "b", "c"], y=[0, 1, 1])
        >>> data.names, data.n
        (('image', 'text'), 3)
    """

    def __init__(self, *, y: Any = None, group: Any = None, options: Any = None, pair: Any = None, **modalities: Any):
        if len(modalities) < 2:
            raise ValueError(
                f"Data: got modalities {list(modalities)}; expected two or more, such as image=..., text=..."
            )
        self.modalities = {name: examples(batch, f"Data: {name}") for name, batch in modalities.items()}
        self.names = tuple(self.modalities)
        sizes = {name: length(batch, f"Data: {name}") for name, batch in self.modalities.items()}
        self.n = sizes[self.names[0]]
        sizes |= {
            name: len(v)
            for name, v in (("y", y), ("group", group), ("options", options), ("pair", pair))
            if v is not None
        }
        if len(set(sizes.values())) != 1:
            raise ValueError(f"Data: got lengths {sizes}; expected one common length")
        self.y = None if y is None else array(list(y) if isinstance(y, tuple | range) else y, "Data: y")
        self.group = None if group is None else labels(_plain(group), "Data: group", self.n)[0]
        self.pair = None if pair is None else labels(_plain(pair), "Data: pair", self.n)[0]
        self.options = None if options is None else [list(some) for some in options]

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Data({', '.join(self.names)}; {self.n} examples{'' if self.y is None else ' with labels'})"

    @property
    def options_differ(self) -> bool:
        """Whether an output means something else from one example to the next."""
        return self.options is not None and any(some != self.options[0] for some in self.options)

    @classmethod
    def read(
        cls, source: Any, *, y: Any = None, group: Any = None, options: Any = None, pair: Any = None, **names: Any
    ) -> "Data":
        """From a table of columns, or examples that are dicts or tuples.

        Args:
            source: A dict of columns, a DataFrame, a table of Hugging Face `datasets`, or a torch Dataset, DataLoader or list of dicts or tuples.
            y, group, options, pair: Key of each; y defaults to "y", "label" or "labels" where there is one.
            **names: Name of a modality -> its key, or a list of keys that the model takes as a dict. Without any, every other key is a modality.

        Example:
            >>> rows = [{"pixels": [0.0, 1.0], "ids": [1, 2], "mask": [1, 1], "label": 0}] * 3
            >>> Data.read(rows, image="pixels", text=["ids", "mask"]).modalities["text"]["mask"]
            [[1, 1], [1, 1], [1, 1]]
        """
        column, keys = _table(source)
        y = next((key for key in _LABELS if key in keys), None) if y is None else y
        known = {"group": group, "options": options, "pair": pair}
        known = {
            name: next((k for k in (name,) if k in keys), None) if key is None else key for name, key in known.items()
        }
        names = names or {key: key for key in keys if key != y and key not in known.values()}
        for key in [y, *known.values(), *(k for v in names.values() for k in (v if isinstance(v, list) else [v]))]:
            if key is not None and key not in keys:
                raise ValueError(f"Data.read: got key {key!r}; expected one of {list(keys)}")
        picked = {n: {k: column(k) for k in v} if isinstance(v, list) else column(v) for n, v in names.items()}
        rest = {name: column(key) for name, key in {"y": y, **known}.items() if key is not None}
        return cls(**rest, **{str(name): batch for name, batch in picked.items()})


class Scores:
    """Scores that were computed elsewhere.

    Args:
        grid: (n, n, C) or (n, n): f(a_i, b_j), row = first modality. For all that one pass over the grid gives.
        true: (n, C), of the true pairs, for a comparison with `without_...` alone.
        y, group: As in `Data`.
        names: Of the two modalities of a grid.
        **without: `without_image=` (n, C): scores with that modality left out.

    Raises:
        TypeError, ValueError: For neither or both of grid and true, other shapes, or what is no finite number.

    Example:
        >>> Scores(true=torch.eye(2), without_image=torch.zeros(2, 2), y=[0, 1]).names
        ('image',)
    """

    def __init__(
        self,
        *,
        grid: Any = None,
        true: Any = None,
        y: Any = None,
        group: Any = None,
        names: Any = ("a", "b"),
        **without: Any,
    ):
        if (grid is None) == (true is None):
            raise ValueError(
                "Scores: expected either grid= (n, n, C) or true= (n, C) with without_NAME=; got neither or both"
            )
        strange = [key for key in without if not key.startswith("without_")]
        if strange or (grid is None) == (not without):
            raise ValueError(
                f"Scores: got {[*without]} beside {'true' if grid is None else 'grid'}; expected "
                "without_NAME= with true= only"
            )
        self.grid = None if grid is None else numbers(grid, "Scores: grid", "(n, n, ...)")
        if self.grid is not None and (self.grid.ndim > 3 or self.grid.shape[0] != self.grid.shape[1]):
            raise ValueError(f"Scores: got a grid of shape {tuple(self.grid.shape)}; expected (n, n, C)")
        self.true = None if true is None else _table_of_scores(true, "true")
        self.without = {key.removeprefix("without_"): _table_of_scores(part, key) for key, part in without.items()}
        for name, part in self.without.items():
            if part.shape != self.true.shape:
                raise ValueError(
                    f"Scores: without_{name} has shape {tuple(part.shape)}; expected {tuple(self.true.shape)}"
                )
        self.names = tuple(self.without) if grid is None else tuple(names)
        self.n = len(self.true if grid is None else self.grid)
        self.y = None if y is None else array(y, "Scores: y")
        self.group = None if group is None else labels(_plain(group), "Scores: group", self.n)[0]
        if self.y is not None and len(self.y) != self.n:
            raise ValueError(f"Scores: got {len(self.y)} labels for {self.n} examples; expected one each")


class Embeddings:
    """Embeddings of two or more modalities in one space, the i-th of each belonging together: what geometry needs.

    Args:
        y, group: As in `Data`.
        **modalities: Name -> (n, d), all with the same d.

    Example:
        >>> Embeddings(image=torch.ones(3, 4), text=torch.ones(3, 4)).n
        3
    """

    def __init__(self, *, y: Any = None, group: Any = None, **modalities: Any):
        if len(modalities) < 2:
            raise ValueError(f"Embeddings: got {list(modalities)}; expected two or more modalities")
        self.modalities = {name: numbers(x, f"Embeddings: {name}", "(n, d)") for name, x in modalities.items()}
        shapes = {name: tuple(x.shape) for name, x in self.modalities.items()}
        if len(set(shapes.values())) != 1:
            raise ValueError(f"Embeddings: got shapes {shapes}; expected one")
        self.names, self.n = tuple(shapes), next(iter(shapes.values()))[0]
        self.y = None if y is None else array(y, "Embeddings: y")
        self.group = None if group is None else labels(_plain(group), "Embeddings: group", self.n)[0]


def examples(batch: Any, name: str) -> Any:
    """A modality in a form that examples can be picked from."""
    batch = _plain(batch)
    if isinstance(batch, Mapping):
        return {key: examples(part, f"{name}[{key!r}]") for key, part in batch.items()}
    if isinstance(batch, torch.utils.data.Dataset):
        batch = [batch[i] for i in range(len(batch))]
    if isinstance(batch, list) and batch and isinstance(batch[0], torch.Tensor) and len({x.shape for x in batch}) == 1:
        batch = torch.stack(batch)
    length(batch, name)
    return batch


def _plain(batch: Any) -> Any:
    """A column of pandas as an array or a list, one of `datasets` as a list."""
    if hasattr(batch, "iloc") and not hasattr(batch, "columns"):
        return batch.tolist() if batch.dtype.kind not in "fiub" else batch.to_numpy()
    return list(batch) if type(batch).__module__.startswith("datasets.") else batch


def _table_of_scores(value: Any, name: str) -> torch.Tensor:
    found = numbers(value, f"Scores: {name}", "(n, ...)")
    return found[:, None] if found.ndim == 1 else found


def _table(source: Any) -> tuple[Any, list]:
    """A function from a key to its column, and all keys."""
    if hasattr(source, "column_names") or hasattr(source, "columns") or isinstance(source, Mapping):
        keys = list(source if isinstance(source, Mapping) else getattr(source, "column_names", None) or source.columns)
        return source.__getitem__, keys
    if isinstance(source, torch.utils.data.DataLoader):
        rows = [row for batch in source for row in _rows_of(batch)]
    elif isinstance(source, list) or (hasattr(source, "__getitem__") and hasattr(source, "__len__")):
        rows = [source[i] for i in range(len(source))]
    else:
        raise TypeError(
            f"Data.read: got {type(source).__name__}; expected a table, a Dataset, a DataLoader or a list of dicts"
        )
    if not rows or not isinstance(rows[0], Mapping | tuple | list):
        found = type(rows[0]).__name__ if rows else "no examples"
        raise TypeError(f"Data.read: got {found}; expected examples that are dicts or tuples")
    keys = list(rows[0]) if isinstance(rows[0], Mapping) else list(range(len(rows[0])))
    return lambda key: [_number(row[key]) for row in rows], keys


def _rows_of(batch: Any) -> list:
    """The examples of one batch of a DataLoader."""
    if isinstance(batch, Mapping):
        return [{key: part[i] for key, part in batch.items()} for i in range(length(dict(batch)))]
    return [tuple(part[i] for part in batch) for i in range(length(tuple(batch)))]


def _number(value: Any) -> Any:
    """A label that came as a tensor or array of one number."""
    return value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value
