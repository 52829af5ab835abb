"""Complementarity of two modalities, and robustness when one of them fails: `mmnb.complementarity.from_table(p).metric`.

`metric` measures the data (from a table, from classifiers' losses, by the paper's MINE pipeline), `bounds` relates it to
the smallest possible error, `robustness` measures a model.

Source: the "modality complementarity" paper (OpenReview gfHLOC35Zh).
"""

from mmnb.instruments.complementarity.bounds import bayes_error, fano, fano_exact, feder_merhav, squared_error_gap
from mmnb.instruments.complementarity.metric import (
    Complementarity,
    from_classifiers,
    from_losses,
    from_table,
    from_three_terms,
)
from mmnb.instruments.complementarity.robustness import Robustness, retrained, robustness

__all__ = [
    "Complementarity", "Robustness", "bayes_error", "fano", "fano_exact", "feder_merhav", "from_classifiers",
    "from_losses", "from_table", "from_three_terms", "retrained", "robustness", "squared_error_gap",
]  # fmt: skip
