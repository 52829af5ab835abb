"""The answer, and what is left without a side."""

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import ADDITIVE, MODEL, USUAL, Measured
from mmnb.diagnosis.parts import NotMeasured, joined, row, section, show
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.resampling import estimate_of

PARTNERS = "partners"


def metric_name(m: Measured) -> str:
    """What the metric is called in a sentence."""
    return m.metric if isinstance(m.metric, str) else getattr(m.metric, "__name__", "the metric")


def answer(m: Measured) -> dict[str, Any]:
    """Model, its additive part, each side alone, the most frequent answer; all differences paired."""
    found = {name: m.estimate(name) for name in m.predictors}
    metric, rows, notes = metric_name(m), {}, []
    sides = [name for name in found if name not in (MODEL, ADDITIVE, USUAL)]
    best = max(sides, key=lambda name: found[name].value)
    above = m.difference(MODEL, best)
    if ADDITIVE in found:
        gap = m.difference(MODEL, ADDITIVE)
        rows["gain from interaction"] = gap
        change = f"{metric} {m.values[ADDITIVE]:.3f} instead of {m.values[MODEL]:.3f}"
        if gap.low is not None and gap.low > 0:
            whole = f"Yes: without interaction between {joined(m.names)} it has {change}, a gain of {show(gap)}."
        else:
            whole = f"Not shown: without interaction between {joined(m.names)} it has {change}, a gain of {show(gap)}."
            m.alerts.append(
                alert("no-gain", f"no gain from interaction was shown: the additive part alone has {change}", gap)
            )
    else:
        whole = f"The model is {show(above)} above {best}; whether sides interact takes a grid of mixed pairs."
    rows |= {f"above {best}": above, **found}
    if above.low is not None and above.low <= threshold("single"):
        m.alerts.append(alert("single", f"the model is not shown to be better than {best}", above))
    notes.append(
        f"Intervals: 95 %, {m.resamples if m.metric == 'accuracy' else min(m.resamples, 500):,} paired "
        f"bootstrap draws over {m.facts.get('intervals over', 'examples')}; the model stays fixed."
    )
    if ADDITIVE in found:
        notes.append(
            "Without interaction: the additive function nearest to the model over all pairs (EMAP). A "
            "side alone: its mean over all partners."
        )
    figure = {
        "kind": "dots",
        "label": metric,
        "rows": [row(name, e) | {"colour": k} for k, (name, e) in enumerate(found.items())],
    }
    figure["alt"] = f"{metric} of " + joined(f"{name} {e.value:.3f}" for name, e in found.items())
    return section("answer", "", "", whole, rows=rows, figures=[figure], notes=notes)


def blind(m: Measured) -> dict[str, Any]:
    """What the model keeps without a side, in every way there is."""
    ways = ways_of(m)
    named = {f"without {name} ({way})": scores for name, some in ways.items() for way, scores in some.items()}
    measure, y, _ = m.reader
    values = {name: float(measure(scores.numpy(), y)) for name, scores in named.items()}
    draws = dict(zip(named, m.resampled(named).T, strict=True))
    found = {name: estimate_of(values[name], draws[name], m.n) for name in named}
    level, floor = m.values[MODEL], m.values.get(USUAL, 0.0)
    above = m.difference(MODEL, USUAL) if USUAL in m.values else m.estimate(MODEL)
    kept, gains, rows, sentences = {}, {}, {}, []
    for name, some in ways.items():
        keys = {way: f"without {name} ({way})" for way in some}
        first = next(iter(keys.values()))
        gains[f"gain from {name}"] = estimate_of(level - values[first], m.draws[MODEL] - draws[first], m.n)
        if above.low is not None and above.low > 0:
            kept[name] = (values[first] - floor) / (level - floor)
            sentences.append(f"without {name} it keeps {min(max(kept[name], 0), 9.99):.0%}")
            if kept[name] > threshold("blind"):
                what = f"without {name} it keeps {kept[name]:.0%} of what it has above the most frequent answer"
                m.alerts.append(alert("blind", what, Estimate(kept[name])) | {"side": name})
        _disagreement(m, name, keys, values, draws)
    rows |= gains | found | {f"kept without {name}": share for name, share in kept.items()}
    whole = (
        f"Of its {level - floor:.3f} above the most frequent answer, {joined(sentences)}."
        if sentences
        else "The model is not shown to be better than the most frequent answer, so nothing can be kept."
    )
    dots = [
        row(key, found[key]) | {"colour": k}
        for k, (name, some) in enumerate(ways.items())
        for key in (f"without {name} ({way})" for way in some)
    ]
    lines = [{"name": MODEL, "value": level}] + ([{"name": "frequent", "value": floor}] if USUAL in m.values else [])
    alt = joined(f"{key} {e.value:.3f}" for key, e in found.items())
    figure = {
        "kind": "dots",
        "rows": dots,
        "lines": lines,
        "label": metric_name(m),
        "alt": f"{metric_name(m)} {alt}; model {level:.3f}",
    }
    notes = [
        f"{PARTNERS}: averaged over other examples' items; blank: the mean item, or an empty text. More "
        f"ways: without={{'dropped': {{'{m.names[0]}': function of the rest}}}}."
    ]
    return section("blind", "", "", whole, rows=rows, figures=[figure], notes=notes)


def ways_of(m: Measured) -> dict[str, dict[str, Tensor]]:
    """Name -> way of leaving it out -> (n, C) scores."""
    if m.given:
        return {name: {"as given": m.given[f"without {name}"]} for name in m.names}
    if not m.views:
        raise NotMeasured(m.reason)
    found: dict[str, dict[str, Tensor]] = {name: {PARTNERS: m.without(name)} for name in m.names}
    for name in m.names if m.batches else ():
        blank = blank_of(m.batches[name])
        if blank is not None:
            found[name]["blank"] = m.extras["score"](m.batches | {name: blank})
    for way, functions in (m.extras.get("without") or {}).items():
        for name, function in functions.items():
            rest = {other: batch for other, batch in m.batches.items() if other != name}
            found[name][way] = m.extras["score"](rest, function)
    return found


def blank_of(batch: Any) -> Any:
    """The mean item, n times, of real numbers; empty texts; None of what has no blank."""
    if isinstance(batch, list) and all(isinstance(item, str) for item in batch):
        return [""] * len(batch)
    if hasattr(batch, "numpy") and not isinstance(batch, Tensor):
        return None
    real = (
        torch.as_tensor(batch)
        if isinstance(batch, Tensor) or getattr(getattr(batch, "dtype", None), "kind", "") == "f"
        else None
    )
    if real is None or not real.is_floating_point():
        return None
    mean = real.mean(0, keepdim=True).expand_as(real)
    return mean if isinstance(batch, Tensor) else mean.numpy()


def _disagreement(
    m: Measured, name: str, keys: dict[str, str], values: dict[str, float], draws: dict[str, Any]
) -> None:
    """Warn where two ways of leaving a modality out tell different stories."""
    for one, other in combinations(keys, 2):
        change = estimate_of(values[keys[one]] - values[keys[other]], draws[keys[one]] - draws[keys[other]], m.n)
        if change.low is not None and (change.low > 0 or change.high < 0) and abs(change.value) > threshold("ways"):
            what = (
                f"leaving out {name} by {one} or by {other} gives {values[keys[one]]:.3f} or {values[keys[other]]:.3f}"
            )
            m.alerts.append(alert("ways", what, change) | {"side": name})
            return
