"""Sections that disturb the inputs: words in another order, numbers with noise."""

from typing import Any

import numpy as np
import torch

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import MODEL, USUAL, Measured
from mmnb.diagnosis.parts import NotMeasured, joined, section, show
from mmnb.diagnosis.sections.answers import metric_name
from mmnb.instruments.resampling import estimate_of

_LEVELS = (0.25, 0.5, 1.0, 2.0)


def words(m: Measured) -> dict[str, Any]:
    """The score with the words of every text in random order."""
    texts = {
        name: batch
        for name, batch in m.batches.items()
        if isinstance(batch, list) and all(isinstance(t, str) for t in batch)
    }
    if not texts:
        raise NotMeasured("texts as a list of strings")
    rng, rows = np.random.default_rng(m.seed), {}
    for name, batch in texts.items():
        mixed = [" ".join(rng.permutation(text.split())) for text in batch]
        long = np.array([len(set(text.split())) > 1 for text in batch])
        if not long.any():
            raise NotMeasured("texts of more than one word")
        scores = m.extras["score"](m.batches | {name: mixed})
        measure, y, _ = m.reader
        draws = m.resampled({name: scores})[:, 0]
        value = float(measure(scores.numpy(), y))
        lost = estimate_of(m.values[MODEL] - value, m.draws[MODEL] - draws, m.n)
        rows |= {f"lost with the words of {name} in random order": lost, "so": estimate_of(value, draws, m.n)}
        above = m.values[MODEL] - m.values.get(USUAL, 0.0)
        share = lost.value / above if above > 0 else float("nan")
        rows[f"share of what is above the most frequent answer, {name}"] = share
        if share < threshold("bag") and m.difference(MODEL, USUAL).low > 0:
            m.alerts.append(
                alert(
                    "bag",
                    f"with the words of {name} in random order it loses {max(share, 0):.0%} of what it "
                    "has above the most frequent answer",
                    lost,
                )
                | {"side": name}
            )
    whole = joined(f"{name} {show(e)}" for name, e in rows.items() if name.startswith("lost")) + "."
    notes = ["One random order for each text. A task may not need order: then this is no fault of the model."]
    return section("words", "", "", whole[0].upper() + whole[1:], rows=rows, notes=notes)


def robustness(m: Measured) -> dict[str, Any]:
    """The score under Gaussian noise on one side at a time."""
    measure, y, _ = m.reader
    series, rows = {}, {}
    for name, batch in m.batches.items():
        real = (isinstance(batch, torch.Tensor) and batch.is_floating_point()) or (
            getattr(getattr(batch, "dtype", None), "kind", "") == "f" and hasattr(batch, "copy")
        )
        if not real:
            continue
        clean = torch.as_tensor(np.asarray(batch)) if not isinstance(batch, torch.Tensor) else batch
        spread = clean.double().std(0, keepdim=True).to(clean)
        points = [[0.0, m.values[MODEL]]]
        for level in _LEVELS:
            g = torch.Generator().manual_seed(m.seed)
            noisy = clean + level * spread * torch.randn(clean.shape, generator=g, dtype=torch.float64).to(clean)
            scores = m.extras["score"](m.batches | {name: noisy if isinstance(batch, torch.Tensor) else noisy.numpy()})
            points.append([level, float(measure(scores.numpy(), y))])
            if level == 1.0:
                draws = m.resampled({name: scores})[:, 0]
                rows[f"lost with noise of 1 sd on {name}"] = estimate_of(
                    m.values[MODEL] - points[-1][1], m.draws[MODEL] - draws, m.n
                )
        series[f"noise on {name}"] = points
    if not series:
        raise NotMeasured("a modality of real numbers, to which noise can be added")
    alt = joined(f"{name} {points[0][1]:.2f} to {points[-1][1]:.2f}" for name, points in series.items())
    figure = {
        "kind": "lines",
        "series": series,
        "label": f"noise, in standard deviations ({metric_name(m)})",
        "alt": f"{metric_name(m)} under {alt}",
    }
    notes = [
        "Noise moves inputs off what the model has seen; a fall is no proof that a side is used, the "
        "lack of one says that it is not."
    ]
    return section(
        "robustness",
        "",
        "",
        joined(f"{name} {show(e)}" for name, e in rows.items()).capitalize() + ".",
        rows=rows,
        figures=[figure],
        notes=notes,
    )
