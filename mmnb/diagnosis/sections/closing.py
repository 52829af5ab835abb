"""How sure the numbers are, what was not measured, and what is not used on purpose."""

from typing import Any

import numpy as np

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import ADDITIVE, MODEL, Measured, hits_of
from mmnb.diagnosis.parts import NotMeasured, section
from mmnb.instruments.resampling import clusters, influence_estimate

NOT_USED = (
    ("shares of attention", "removing the tokens with most attention often changes nothing (visual attention sinks)"),
    ("raw CKA between encoders", "width and depth inflate it; calibrated by permutation its trend vanishes"),
    (
        "the modality gap as a fault",
        "its size says nothing about a task; here it counts only through a task that it costs",
    ),
    ("token-SHAP shares", "they do not see interaction: a sum and XOR get the same share"),
    ("gains of contrastive decoding", "one-sided shifts of the answers explain them"),
    ("one single score of multimodality", "gap and share differ for good reasons: a model may interact without gain"),
)


def sure(m: Measured) -> dict[str, Any]:
    """Two random halves of the data, the smallest gain that could be found, how many intervals are shown."""
    other = ADDITIVE if ADDITIVE in m.predictors else next(name for name in m.predictors if name != MODEL)
    measure, y, _ = m.reader
    draws = m.draws[MODEL] - m.draws[other]
    smallest = 2.8 * float(np.nanstd(draws))  # 80 % power at 5 %: 1.96 + 0.84 standard errors
    rows, facts = {}, []
    if m.metric == "accuracy":
        change = hits_of(measure, m.predictors[MODEL].numpy(), y) - hits_of(measure, m.predictors[other].numpy(), y)
        codes = clusters(m.group, m.n)
        half = np.random.default_rng(m.seed).permutation(codes.max() + 1)[codes] % 2
        parts = [change[half == k] for k in (0, 1)]
        group = [None if m.group is None else codes[half == k] for k in (0, 1)]
        if min(map(len, parts)) > 1:
            halves = [influence_estimate(x.mean(), x - x.mean(), g) for x, g in zip(parts, group, strict=True)]
            rows = {"gain in a random half": halves[0], "gain in the other": halves[1]}
    if draws.any():  # a model equal to its additive part has no spread
        rows["smallest gain that would be found in 4 of 5 repetitions"] = smallest
        if smallest > threshold("few"):
            m.alerts.append(
                alert(
                    "few",
                    f"with {m.n:,} examples only a gain of {smallest:.2f} or more would be found reliably",
                    smallest,
                )
            )
    shown = m.options["intervals shown"]
    facts += [
        ("intervals in this report", f"{shown}; of so many, about {shown / 20:.0f} miss their number by chance"),
        ("intervals over", m.facts.get("intervals over", "examples")),
    ]
    whole = (
        f"A gain below {smallest:.3f} would often go unnoticed with {m.n:,} examples."
        if draws.any()
        else "The model equals its additive part in every example: there is no noise in the gain."
    )
    return section(
        "sure",
        "",
        "",
        whole,
        rows=rows,
        facts=facts,
        notes=[
            "Intervals cover other examples of the same kind, not another training run: repeat the "
            "report for models of other seeds."
        ],
    )


def not_measured(m: Measured) -> dict[str, Any]:
    """One line for every section that is missing."""
    found = m.options["not measured"]
    if not found:
        raise NotMeasured("nothing: every section was measured")
    return section("not-measured", "", "", f"{len(found)} sections are not in this report.", facts=found)


def not_used(m: Measured) -> dict[str, Any]:
    """Popular numbers that do not show what they are taken for."""
    return section("not-used", "", "", facts=NOT_USED)
