"""The warnings: what each is compared with, how that was set, and where to look closer. One table, so that a report can print it."""

from typing import Any, NamedTuple

from mmnb.instruments.estimate import Estimate


class Rule(NamedTuple):
    """When a warning fires.

    Attributes:
        section: Where it belongs.
        severity: "high", "medium" or "low".
        threshold: What the number is compared with; None where an interval decides.
        set_by: How the threshold was set: the worlds of `mmnb.data.planted`, or what a convention says.
        look: How to look closer.
    """

    section: str
    severity: str
    threshold: float | None
    set_by: str
    look: str


WORLDS = "planted worlds: fires on its fault and is silent on its control at n = 100"
RULES = {
    "batch": Rule("measurable", "high", None, "rounding of the model's precision", "turn off dropout and batch statistics, mask the padding"),
    "probabilities": Rule("measurable", "high", None, "rows between 0 and 1 that sum to 1", "return logits: the softmax of an additive model is " "not additive"),
    "options": Rule("measurable", "high", None, "by algebra", "one answer set for all examples, or read the " "sections of the " "pictures' side alone"),
    "duplicates": Rule("measurable", "low", 0.05, "convention: 1 of 20 items", "pass group=, which says what belongs together"),
    "few": Rule("sure", "low", 0.1, "convention: a gap of .1 is what papers discuss", "measure more examples"),
    "no-gain": Rule("answer", "medium", 0.0, WORLDS, "notebook 01; a larger sample if the interval is wide"),
    "single": Rule("answer", "medium", 0.0, WORLDS, "compare with a model that was trained on that side alone"),
    "blind": Rule("blind", "medium", 0.8, WORLDS, "notebook 02; examples in which the two sides disagree"),
    "ways": Rule("blind", "low", 0.05, WORLDS, "the ways answer different questions: say which one a " "number comes from"),
    "unused": Rule("shares", "medium", 0.1, WORLDS, "held-out accuracy with the interaction taken out; more " "training data"),
    "softmax": Rule("shares", "low", 0.2, WORLDS, "read the share on logits"),
    "few-bits": Rule("reliance", "low", 0.5, WORLDS, "the histogram of bits; sort the examples by them"),
    "misled": Rule("reliance", "low", 0.3, WORLDS, "examples with the most negative bits"),
    "one-side": Rule("conflict", "medium", 0.8, WORLDS, "conflicts that you made on purpose, with a right answer"),
    "odd": Rule("conflict", "low", 0.1, WORLDS, "repeat with partners of the same label or kind"),
    "no-binding": Rule("pairs", "medium", 1 / 6, "chance of four independent scores; an additive model has 0", "the contrast of each group"),
    "estimators": Rule("data", "low", None, "the intervals of both exclude each other's value", "more data, or fewer bins"),
    "nothing": Rule("data", "low", None, WORLDS, "another data set: this one may not ask for both sides"),
    "lazy": Rule("encoders", "medium", 0.0, WORLDS, "notebook 06"),
    "gap-costs": Rule("geometry", "medium", 0.0, WORLDS, "subtract each modality's mean (fitted on other data) " "before you search"),
    "hubs": Rule("geometry", "low", 0.3, WORLDS, "normalise the scores of each query, or of each item"),
    "narrow": Rule("geometry", "low", 0.1, "convention: a tenth of the dimensions", "the spectrum of the embeddings"),
    "bag": Rule("words", "medium", 0.1, WORLDS, "minimal pairs that differ in word order alone"),
}  # fmt: skip


def alert(id: str, sentence: str, found: Estimate | float | None = None) -> dict[str, Any]:
    """A warning as plain data."""
    rule = RULES[id]
    value = None if found is None else float(found)
    low, high = (found.low, found.high) if isinstance(found, Estimate) else (None, None)
    known = {"id": id, "severity": rule.severity, "section": rule.section, "sentence": sentence, "look": rule.look}
    return known | {"value": value, "low": low, "high": high, "threshold": rule.threshold, "set_by": rule.set_by}


def threshold(id: str) -> float:
    """What the warning's number is compared with."""
    return RULES[id].threshold
