"""Attention grounding: do the heads of a vision-and-language model look from a word to the region it names?

A query word's attention is cut down to the regions (`to_regions`), its largest entry compared with the regions that show the phrase
(`entity_grounding`); beside accuracy stand the attention that reaches regions at all, the baselines that need no model (`random_accuracy`,
`confident_accuracy`, `nearest_to_mean_accuracy`), the `ceiling`, and the choice of a head on other items than those it is judged by (`best_head`).
`grounded_arcs` asks the same along dependency arcs.

Source: Li, Yatskar, Yin, Hsieh and Chang, What Does BERT with Vision Look At?, ACL 2020.
"""

from mmnb.instruments.grounding.baselines import (
    ceiling,
    confident_accuracy,
    nearest_to_mean_accuracy,
    random_accuracy,
)
from mmnb.instruments.grounding.entity import Grounding, entity_grounding, to_regions
from mmnb.instruments.grounding.heads import BestHead, best_head, wilson
from mmnb.instruments.grounding.syntax import Arcs, by_relation, grounded_arcs

__all__ = [
    "Arcs",
    "BestHead",
    "Grounding",
    "best_head",
    "by_relation",
    "ceiling",
    "confident_accuracy",
    "entity_grounding",
    "grounded_arcs",
    "nearest_to_mean_accuracy",
    "random_accuracy",
    "to_regions",
    "wilson",
]
