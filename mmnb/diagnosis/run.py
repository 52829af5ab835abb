"""`diagnose(model, data)`: one pass over the mixed pairs, and the sections that read it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.data import Data, Embeddings, Scores
from mmnb.diagnosis.model import name_of, scorer
from mmnb.diagnosis.parts import NotMeasured, joined, section
from mmnb.diagnosis.passes import MODEL, Measured, Pass, hits_of, run_pass, views_of_many
from mmnb.diagnosis.report import SCHEMA, Report
from mmnb.diagnosis.sections import CLOSING, REGISTRY, Entry
from mmnb.diagnosis.sections.pairs import partners
from mmnb.instruments.batches import call, take
from mmnb.instruments.checks import modules_behind
from mmnb.instruments.grid.cells import as_scores, automatic_batch_size
from mmnb.instruments.grid.strategy import pick
from mmnb.instruments.identity import fingerprint, fingerprint_of_model

_FEWEST_GROUPS = 30
_REFUSALS = ("fixed function", "train mode")


def diagnose(
    model: Any,
    data: Any = None,
    *,
    metric: Any = "accuracy",
    threshold: float | None = None,
    shifts: int | None = None,
    without: Mapping[str, Mapping[str, Callable]] | None = None,
    check: bool = True,
    batch_size: int | None = None,
    strategy: str = "auto",
    checkpoint: Any = None,
    progress: bool | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Report:
    """One report on whether a model uses its modalities together: one pass over mixed pairs, many readers, every number with its interval.

    Args:
        model: f(image, text, ...) -> (B, C) logits, called by name where its arguments are called as the modalities, else in their order;
            a torch module in eval mode, a dual encoder of open_clip or transformers, or a fitted estimator of scikit-learn on the features
            side by side. Or `Scores` or `Embeddings`, without `data`.
        data: `mmnb.Data`, or what `Data.read` reads.
        metric, threshold: As in `Emap.score`.
        shifts: This many false partners for each example, at least 2, instead of all n - 1.
        without: More ways to leave a modality out: way -> modality -> function of the batches that remain, as in
            {"dropped": {"image": lambda text: text_model(text)}}.
        check, batch_size, strategy, checkpoint, progress: As in `mmnb.emap`.
        resamples: Bootstrap draws.
        seed: Of every draw.

    Returns:
        A `Report`. What cannot be measured is a line in it, with the reason.

    Raises:
        TypeError, ValueError: For inputs that nothing can be measured on: no model, lengths that differ, a model that returns no scores.

    Example:
        >>> a, b = torch.randn(2, 200, generator=torch.Generator().manual_seed(0)).sign()
        >>> model = lambda image, text: torch.stack([0 * image, image * text], 1)
        >>> report = diagnose(model, Data(image=a, text=b, y=(a * b > 0).long()), progress=False)
        >>> report["answer"].value > 0.2, [one.id for one in report.warnings]
        (True, [])
    """
    m = _read(model, data)
    m.metric, m.seed, m.resamples = metric, seed, resamples
    m.options |= {"threshold": threshold, "check": check}
    m.extras["without"] = without
    how = dict(
        batch_size=batch_size, check=check, strategy=strategy, seed=seed, progress=progress, checkpoint=checkpoint
    )
    if m.f is not None:
        _facts_of_data(m)
        _measure(m, shifts, how)
    return Report(_assembled(m))


def _read(model: Any, data: Any) -> Measured:
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


def _facts_of_data(m: Measured) -> None:
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
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(fingerprint(take(batch, torch.tensor([i]))), len(seen)) for i in range(n)])


def _measure(m: Measured, shifts: int | None, how: dict[str, Any]) -> None:
    """Run the pass; what the checks refuse becomes the reason that its sections are missing."""
    m.extras["score"] = lambda batches, f=None: _scored(
        m.f if f is None else f, list(batches.values()), m.n, how["batch_size"]
    )
    if m.options.get("options_differ"):
        m.reason = "one answer set for all examples: the mean over partners would add scores of options that mean different things"
        return
    try:
        if len(m.names) > 2:
            if how["checkpoint"] is not None or shifts is not None:
                raise ValueError(f"diagnose: got {len(m.names)} modalities with checkpoint or shifts; expected neither")
            m.views, m.many = views_of_many(m.f, m.batches, m.n, **how)
            return
        pair = getattr(m.data, "pair", None)
        partner = None if pair is None else partners(pair, m.n)
        found: Pass = run_pass(m.f, *m.batches.values(), m.n, partner=partner, shifts=shifts, **how)
        m.views = dict(zip(m.names, ((found, "a"), (found, "b")), strict=True))
    except ValueError as error:
        if not any(words in str(error) for words in _REFUSALS):
            raise
        m.reason, m.options["refused"] = f"a model whose answers do not change ({error})", str(error)


def _scored(f: Callable, batches: list[Any], n: int, batch_size: int | None) -> Tensor:
    """(n, C) scores of the examples as they are."""
    size = batch_size or automatic_batch_size(batches[0], batches[-1])
    with torch.no_grad():
        if len(batches) == 2:
            _, cells = pick(f, *batches, size)
            index = torch.arange(n)
            return cells.outputs(cells.pairs(index, index)).cpu()
        parts = (torch.arange(start, min(start + size, n)) for start in range(0, n, size))
        return torch.cat(
            [as_scores(call(f, *(take(b, part) for b in batches)), len(part)).double().cpu() for part in parts]
        )


def _assembled(m: Measured) -> dict[str, Any]:
    """All sections in order: a refusal is a line, a failure is one, too."""
    found, missing = [], []
    for entry in (*REGISTRY, *CLOSING):
        m.options["intervals shown"] = sum(row["low"] is not None for part in found for row in part["rows"])
        m.options["not measured"] = missing
        part = _made(entry, m)
        if part["status"] != "measured" and entry.id != "not-measured":
            missing.append((entry.title, f"{part['status']}: {part['answer']}"))
        found.append(part)
    order = {"high": 0, "medium": 1, "low": 2}
    lead = next((p["answer"] for p in found if p["id"] == "answer" and p["status"] == "measured"), "")
    size = f"{m.n:,} examples of {joined(m.names)}. Every interval is 95 % over {m.facts.get('intervals over', 'examples')}."
    return {
        "schema": SCHEMA,
        "title": f"Does {m.facts['model']} use {joined(m.names)} together?",
        "lead": [line for line in (lead, size) if line],
        "names": list(m.names),
        "warnings": sorted(m.alerts, key=lambda one: order[one["severity"]]),
        "sections": found,
        "items": _per_item(m),
    }


def _made(entry: Entry, m: Measured) -> dict[str, Any]:
    head = {"id": entry.id, "title": entry.title, "question": entry.question}
    try:
        return entry.make(m) | head
    except NotMeasured as reason:
        return section(entry.id, "", "", f"needs {reason}", status="not measured") | head
    except Exception as error:  # noqa: BLE001  whatever a metric or model of the user's raises: the pass took hours
        return section(entry.id, "", "", f"{type(error).__name__}: {error}", status="refused") | head


def _per_item(m: Measured) -> dict[str, Any]:
    """What a paired comparison needs: which examples, and which of them each predictor has right."""
    if m.metric != "accuracy" or m.y is None or not (m.views or m.given):
        return {}
    try:
        measure, y, _ = m.reader
        predictors = m.predictors
    except (ValueError, TypeError, NotMeasured):
        return {}
    hits = {name: "".join(str(int(h)) for h in hits_of(measure, s.numpy(), y)) for name, s in predictors.items()}
    return {
        "hash": m.facts.get("hash of the data"),
        "hits": hits,
        "group": None if m.group is None else np.asarray(m.group).tolist(),
    }
