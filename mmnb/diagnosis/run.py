"""`diagnose(model, data)`: one pass over the mixed pairs, and the sections that read it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.data import Data
from mmnb.diagnosis.measured import Measured, hits_of
from mmnb.diagnosis.parts import NotMeasured, joined, section
from mmnb.diagnosis.passes import Pass, run_pass, views_of_many
from mmnb.diagnosis.plan import Plan, planned
from mmnb.diagnosis.report import SCHEMA, Report
from mmnb.diagnosis.sections import CLOSING, OPT_IN, REGISTRY, Entry
from mmnb.diagnosis.sections.pairs import partners
from mmnb.diagnosis.setup import facts_of_data, read, thin
from mmnb.instruments.batches import call, take
from mmnb.instruments.grid.cells import as_scores, automatic_batch_size
from mmnb.instruments.grid.strategy import pick
from mmnb.instruments.metrics import read_metric

_REFUSALS = ("fixed function", "train mode")


def diagnose(
    model: Any,
    data: Any = None,
    *,
    metric: Any = "accuracy",
    threshold: float | None = None,
    shifts: int | None = None,
    budget: float | str | None = None,
    plan: bool = False,
    also: Collection[str] = (),
    without: Mapping[str, Mapping[str, Callable]] | None = None,
    encoders: Mapping[str, Any] | None = None,
    train: Any = None,
    check: bool = True,
    batch_size: int | None = None,
    strategy: str = "auto",
    checkpoint: Any = None,
    save_every: float = 30.0,
    distributed: Any = None,
    progress: bool | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Report | Plan:
    """One report on whether a model uses its modalities together: one pass over mixed pairs, many readers, every number with its interval.

    Args:
        model: f(image, text, ...) -> (B, C) logits, called by name where its arguments are called as the modalities, else in their order;
            a torch module in eval mode, a dual encoder of open_clip or transformers, or a fitted estimator of scikit-learn on the features
            side by side. Or `Scores` or `Embeddings`, without `data`.
        data: `mmnb.Data`, or what `Data.read` reads.
        metric, threshold: As in `Emap.score`.
        shifts: This many false partners for each example, at least 2, instead of all n - 1.
        budget: Time for the pass, such as "20 min": partners are drawn to fit. A model with two towers encodes each example once anyway.
        plan: Run nothing but two batches, and return a `Plan`: sections, passes, seconds, memory.
        also: Sections that train or score again and so run only when they are named: "data", "words", "robustness".
        without: More ways to leave a modality out: way -> modality -> function of the batches that remain, as in
            {"dropped": {"image": lambda text: text_model(text)}}.
        encoders: Name -> encoder of the joint model, or (that, an encoder trained alone), in eval mode: for linear probes.
        train: As `data`, of the training split: for the probes.
        check, batch_size, strategy, checkpoint, save_every, distributed, progress: As in `mmnb.emap`.
        resamples: Bootstrap draws.
        seed: Of every draw.

    Returns:
        A `Report`. What cannot be measured is a line in it, with the reason. Ctrl-C during the pass stops it (with `checkpoint` the same
        call goes on later); after the pass it skips the sections that are left.

    Raises:
        TypeError, ValueError: For inputs that nothing can be measured on: no model, lengths that differ, a model that returns no scores.

    Example:
        >>> a, b = torch.randn(2, 200, generator=torch.Generator().manual_seed(0)).sign()
        >>> model = lambda image, text: torch.stack([0 * image, image * text], 1)
        >>> report = diagnose(model, Data(image=a, text=b, y=(a * b > 0).long()), progress=False)
        >>> report["answer"].value > 0.2, [one.id for one in report.warnings]
        (True, [])
    """
    m = read(model, data)
    m.metric, m.seed, m.resamples = metric, seed, resamples
    m.options |= {"threshold": threshold, "check": check}
    m.extras |= {"without": without, "encoders": encoders, "also": _opted(also)}
    m.extras["train"] = None if train is None else train if isinstance(train, Data) else Data.read(train)
    how = dict(batch_size=batch_size, check=check, strategy=strategy, seed=seed, progress=progress)
    how |= dict(checkpoint=checkpoint, save_every=save_every, distributed=distributed)
    if m.f is not None:
        thin(m)
        if plan or budget is not None:
            cost = planned(m, shifts, budget, how)
            if plan:
                return cost
            shifts = cost.shifts
            m.facts["budget"] = f"{budget}: {cost}".splitlines()[0]
        facts_of_data(m)
        _measure(m, shifts, how)
    elif plan:
        raise ValueError(
            f"diagnose: got plan=True with {type(model).__name__}, which costs no passes; expected a model and data"
        )
    return Report(_assembled(m))


def _opted(also: Collection[str]) -> set[str]:
    named = {also} if isinstance(also, str) else set(also)
    if not named <= set(OPT_IN):
        raise ValueError(f"diagnose: got also={sorted(named)}; expected some of {', '.join(OPT_IN)}")
    return named


def _measure(m: Measured, shifts: int | None, how: dict[str, Any]) -> None:
    """Run the pass; what the checks refuse becomes the reason that its sections are missing."""
    m.extras["score"] = lambda batches, f=None: _scored(
        m.f if f is None else f, list(batches.values()), m.n, how["batch_size"]
    )
    if m.options.get("options_differ"):
        m.reason = (
            "one answer set for all examples: the mean over partners would add scores of options that mean "
            "different things"
        )
        return
    try:
        if m.y is not None:  # labels that do not fit are refused before anything long runs
            one = torch.zeros(1, dtype=torch.int64)
            outputs = _scored(m.f, [take(batch, one) for batch in m.batches.values()], 1, 1).shape[1]
            read_metric(m.metric, m.y, m.n, outputs, m.options["threshold"])
        if len(m.names) > 2:
            if how["checkpoint"] is not None or shifts is not None:
                raise ValueError(f"diagnose: got {len(m.names)} modalities with checkpoint or shifts; expected neither")
            alone = {name: how[name] for name in ("batch_size", "check", "strategy", "seed", "progress")}
            m.views, m.many = views_of_many(m.f, m.batches, m.n, **alone)
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
    size = (
        f"{m.n:,} examples of {joined(m.names)}. Every interval is 95 % over "
        f"{m.facts.get('intervals over', 'examples')}."
    )
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
        if m.options.get("interrupted") and entry not in CLOSING:
            raise NotMeasured("an uninterrupted run")
        if entry.id in OPT_IN and entry.id not in m.extras["also"]:
            raise NotMeasured(f"also=('{entry.id}',), as it trains or scores again")
        return entry.make(m) | head
    except NotMeasured as reason:
        return section(entry.id, "", "", f"needs {reason}", status="not measured") | head
    except KeyboardInterrupt:
        m.options["interrupted"] = True
        return section(entry.id, "", "", "interrupted", status="not measured") | head
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
