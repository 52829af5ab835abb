"""The sections of a report in their order: each a function of what was measured, which gives a section or says why not."""

from collections.abc import Callable
from typing import Any, NamedTuple

from mmnb.diagnosis.measured import Measured
from mmnb.diagnosis.sections.answers import answer, blind
from mmnb.diagnosis.sections.basics import card, measurable
from mmnb.diagnosis.sections.closing import not_measured, not_used, sure
from mmnb.diagnosis.sections.disturbed import robustness, words
from mmnb.diagnosis.sections.examples import examples
from mmnb.diagnosis.sections.geometry import geometry
from mmnb.diagnosis.sections.grid import conflict, reliance, shares
from mmnb.diagnosis.sections.pairs import pairs
from mmnb.diagnosis.sections.trained import data, encoders


class Entry(NamedTuple):
    """A section's place in the report.

    Attributes:
        id: Its name: `report[id]`.
        title: Its heading.
        question: What it answers.
        make: From what was measured to the section; raises `NotMeasured` with what it would need.
    """

    id: str
    title: str
    question: str
    make: Callable[[Measured], dict[str, Any]]


REGISTRY = (
    Entry("card", "Card", "What was measured, on what, at what price?", card),
    Entry("measurable", "Can it be measured?", "Are the numbers trustworthy?", measurable),
    Entry("answer", "Answer", "Does it use its modalities together?", answer),
    Entry("blind", "Blind", "What is left without a side?", blind),
    Entry("shares", "Shares", "Where does the output's variation come from?", shares),
    Entry("reliance", "Reliance", "How much does each side matter, per example?", reliance),
    Entry("conflict", "Conflict", "Who wins when the sides disagree?", conflict),
    Entry("pairs", "Minimal pairs", "Does it bind what belongs together?", pairs),
    Entry("data", "Data", "Is there anything to combine?", data),
    Entry("encoders", "Encoders", "Did a side learn less in company?", encoders),
    Entry("geometry", "Geometry", "Is the space shared, and does the gap cost anything?", geometry),
    Entry("words", "Words and order", "Does it read order, or a bag of words?", words),
    Entry("robustness", "Robustness", "How fast does it fail when a side gets worse?", robustness),
    Entry("examples", "Examples", "Which examples should I look at?", examples),
)
OPT_IN = ("data", "words", "robustness")  # they train, or score again
CLOSING = (
    Entry("sure", "How sure", "Could this be noise?", sure),
    Entry("not-measured", "Not measured", "Why not, and what would it need?", not_measured),
    Entry("not-used", "Not used", "Which popular numbers are missing on purpose?", not_used),
)
