"""Attention grounding: do the heads of a vision-and-language model attend from a word to the region that it names?

`to_regions` cuts the attention of a query word down to the regions, `entity_grounding` compares its largest entry with
the regions that show the phrase, `best_head` selects a head on one half of the items and scores it on the other,
`grounded_arcs` lists the same questions along dependency arcs. References that need no model: `random_accuracy`,
`confident_accuracy`, `nearest_to_mean_accuracy`, and the upper bound `ceiling`.

Source: Li, Yatskar, Yin, Hsieh & Chang, "What Does BERT with Vision Look At?", ACL 2020.
"""

from mmnb import aliases
from mmnb.instruments.grounding.baselines import ceiling, confident_accuracy, nearest_to_mean_accuracy, random_accuracy
from mmnb.instruments.grounding.heads import BestHead, Grounding, best_head, entity_grounding, to_regions
from mmnb.instruments.grounding.syntax import Arcs, grounded_arcs

__all__ = [
    "Arcs",
    "BestHead",
    "Grounding",
    "best_head",
    "ceiling",
    "confident_accuracy",
    "entity_grounding",
    "grounded_arcs",
    "nearest_to_mean_accuracy",
    "random_accuracy",
    "to_regions",
]

__getattr__ = aliases.renamed(__name__, {"wilson": "mmnb.instruments.estimate.proportion"})  # an Estimate, not a pair
