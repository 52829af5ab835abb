"""From what a user gives to what the sections read: names, batches, hashes, and what belongs together."""

from typing import Any

import numpy as np
import torch

from mmnb.diagnosis.data import Data, Embeddings, Scores
from mmnb.diagnosis.measured import MODEL, Measured
from mmnb.diagnosis.model import name_of, scorer
from mmnb.instruments.batches import take
from mmnb.instruments.checks import modules_behind
from mmnb.instruments.identity import fingerprint, fingerprint_of_model

_FEWEST_GROUPS = 30
_MOST_TUPLES = 10**6  # of three modalities or more: 100 examples of three, 31 of four


def read(model: Any, data: Any) -> Measured:
    """What was given, in one form."""
    if isinstance(model, Scores | Embeddings):
        if data is not None:
            raise TypeError(f"diagnose: got {type(model).__name__} and data; expected {type(model).__name__} alone")
        m = Measured(model.names, model.n, model.y, model.group, data=model)
        m.facts = {"model": f"{type(model).__name__.lower()} that were computed elsewhere"}
        if isinstance(model, Scores) and model.grid is not None:
            index = torch.arange(model.n)
            m.f, m.batches = lambda i, j: model.grid[i, j], dict.fromkeys(model.names, index)
        elif isinstance(model, Scores):
            m.given = {MODEL: model.true} | {f"without {name}": part for name, part in model.without.items()}
            m.reason = "scores of mixed pairs: Scores(grid=), or a model and data"
        return m
    if data is None:
        raise TypeError(
            f"diagnose: got {type(model).__name__} without data; expected data, or Scores or Embeddings alone"
        )
    data = data if isinstance(data, Data) else Data.read(data)
    f, order = scorer(model, data.names)
    m = Measured(order, data.n, data.y, data.group, f=f, data=data)
    m.batches = {name: data.modalities[name] for name in order}
    m.facts = {"model": name_of(model)}
    m.options["options_differ"] = data.options_differ
    return m


def thin(m: Measured) -> None:
    """Of three modalities or more keep as many examples, drawn at random, as can all be combined."""
    fits = int(_MOST_TUPLES ** (1 / len(m.names)) + 1e-9)
    if len(m.names) < 3 or m.n <= fits:
        return
    kept = torch.randperm(m.n, generator=torch.Generator().manual_seed(m.seed))[:fits].sort().values
    m.facts["examples drawn"] = f"{fits:,} of {m.n:,}, as all combinations of {len(m.names)} modalities are scored"
    m.batches = {name: take(batch, kept) for name, batch in m.batches.items()}
    m.y, m.group = (None if part is None else np.asarray(part)[kept.numpy()] for part in (m.y, m.group))
    m.n = fits


def facts_of_data(m: Measured) -> None:
    """Hashes, repeated items, and what the intervals go over."""
    if isinstance(m.data, Data):
        m.facts["hash of the data"] = fingerprint([*m.batches.values(), m.y])
        modules = list(modules_behind(m.f))
        m.facts["hash of the model"] = fingerprint_of_model(m.f)
        first = next((p for module in modules for p in module.parameters()), None)
        m.facts["device"] = "cpu" if first is None else f"{first.device}, {str(first.dtype).removeprefix('torch.')}"
        codes = {name: _items(batch, m.n) for name, batch in m.batches.items()}
        m.options["distinct"] = {name: int(found.max()) + 1 for name, found in codes.items()}
        repeated = {name: d for name, d in m.options["distinct"].items() if _FEWEST_GROUPS <= d < m.n}
        if m.group is None and repeated:  # the most different items: pictures rather than templates of questions
            m.options["grouped_by"] = name = max(repeated, key=repeated.__getitem__)
            m.group = codes[name]
    if m.group is not None:
        m.facts["intervals over"] = f"{len(np.unique(m.group)):,} groups of examples"


def _items(batch: Any, n: int) -> np.ndarray:
    """Codes (n,): equal items get the same."""
    seen: dict[Any, int] = {}
    if isinstance(batch, torch.Tensor | np.ndarray) and getattr(batch, "dtype", None) not in (object, torch.bfloat16):
        rows = np.ascontiguousarray(batch.detach().cpu().numpy() if isinstance(batch, torch.Tensor) else batch).reshape(
            n, -1
        )
        return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows])
    return np.array([seen.setdefault(fingerprint(take(batch, torch.tensor([i]))), len(seen)) for i in range(n)])
