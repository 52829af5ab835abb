"""What was measured, and whether it can be."""

import platform
from typing import Any

import torch

import mmnb
from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import Measured
from mmnb.diagnosis.parts import joined, section


def card(m: Measured) -> dict[str, Any]:
    """Model, data, price, versions."""
    facts = [("model", m.facts["model"]), ("modalities", joined(m.names)), ("examples", f"{m.n:,}")]
    if m.views or m.given:
        facts.append(("outputs", m.outputs.shape[1]))
    passes = {id(one): one for one, _ in m.views.values()}.values()
    if passes:
        scored = sum(one.true.n_evaluations for one in passes)
        how = "a sample of all pairs" if any(one.sampled for one in passes) else "all pairs"
        facts += [
            ("pairs scored", f"{scored:,} ({how})"),
            ("seconds for them", f"{sum(one.seconds for one in passes):.2f}"),
        ]
    facts += [(name, value) for name, value in m.facts.items() if name != "model"]
    facts += [
        ("seed", m.seed),
        ("versions", f"mmnb {mmnb.__version__}, torch {torch.__version__}, Python {platform.python_version()}"),
    ]
    return section("card", "", "", facts=facts)


def measurable(m: Measured) -> dict[str, Any]:
    """Repeatability, logits, ties, duplicates, options."""
    facts = []
    said = [text for one, _ in m.views.values() for text in one.said]
    refusal = m.options.get("refused", "")
    if "fixed function" in refusal or "train mode" in refusal:
        facts.append(("same answer twice, alone and in a batch", f"no: {refusal}"))
        m.alerts.append(
            alert(
                "batch",
                "the model's answer to the same example changes from call to call, so no number about it "
                "is trustworthy",
            )
        )
    elif m.views and not m.given:
        checked = m.options.get("check", True)
        facts.append(("same answer twice, alone and in a batch", "yes" if checked else "not checked (check=False)"))
    if m.views or m.given:
        odd = [text for text in said if "look like probabilities" in text]
        facts.append(("logits", "no: they look like probabilities" if odd else "yes"))
        if odd:
            m.alerts.append(
                alert(
                    "probabilities",
                    "the scores look like probabilities: their softmax is itself an interaction, and "
                    "shares and gap count it",
                )
            )
        facts += [("said on the way", text) for text in sorted(set(said) - set(odd))]
        scores = m.outputs
        top = scores.topk(2, 1).values if scores.shape[1] > 1 else torch.cat([scores, torch.zeros_like(scores)], 1)
        facts.append(
            ("ties", f"{(top[:, 0] == top[:, 1]).double().mean():.1%} of the true pairs have no single best answer")
        )
    for name, distinct in m.options.get("distinct", {}).items():
        facts.append((f"different items of {name}", f"{distinct:,} of {m.n:,}"))
    grouped = m.options.get("grouped_by")
    if grouped:
        repeats = 1 - m.options["distinct"][grouped] / m.n
        facts.append(
            (
                "intervals",
                f"over {m.options['distinct'][grouped]:,} different items of {grouped}, as examples that "
                "share one are not independent",
            )
        )
        if repeats > threshold("duplicates"):
            m.alerts.append(
                alert(
                    "duplicates",
                    f"{repeats:.0%} of the examples repeat an item of {grouped}: intervals go over different items",
                    repeats,
                )
            )
    if m.options.get("options_differ"):
        facts.append(("answer options", "differ from example to example"))
        m.alerts.append(
            alert(
                "options",
                "answer options differ between examples: the mean over partners adds scores of options "
                "that mean different things, so there is no EMAP and there are no shares",
            )
        )
    whole = (
        "The checks found nothing that spoils the numbers."
        if not m.alerts
        else f"{len(m.alerts)} of the checks found something: see the warnings."
    )
    return section("measurable", "", "", whole, facts=facts)
