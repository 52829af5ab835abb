"""The modality gap and the cone effect: `mmnb.gap.modality_gap(x, y)` and everything around it.

Two modalities in one embedding space do not mix: each keeps to a narrow cone of its own. `sides` checks and normalises, `measures` says
how far apart and how narrow, `moves` brings the sides together, `contrast` says what training and retrieval think of it, `cone` follows a
network layer by layer. All functions are pure; all sums are in float64.

Source: Liang, Zhang, Kwon, Yeung & Zou, "Mind the gap", NeurIPS 2022, and the papers named in each function.
"""

from mmnb.instruments.gap.cone import cosine_by_depth, relu_cosine, relu_recursion
from mmnb.instruments.gap.contrast import Loss, Recall, contrastive_loss, retrieval_recall
from mmnb.instruments.gap.measures import (
    Cosines,
    alignment,
    average_cosine,
    effective_rank,
    gap_vector,
    mean_cosines,
    modality_gap,
    pair_distance,
    relative_gap,
    separability,
    share_per_dimension,
    uniformity,
)
from mmnb.instruments.gap.moves import center, lam_from_delta, procrustes, shift, signed_gap
from mmnb.instruments.gap.sides import normalize

__all__ = [
    "Cosines",
    "Loss",
    "Recall",
    "alignment",
    "average_cosine",
    "center",
    "contrastive_loss",
    "cosine_by_depth",
    "effective_rank",
    "gap_vector",
    "lam_from_delta",
    "mean_cosines",
    "modality_gap",
    "normalize",
    "pair_distance",
    "procrustes",
    "relative_gap",
    "relu_cosine",
    "relu_recursion",
    "retrieval_recall",
    "separability",
    "share_per_dimension",
    "shift",
    "signed_gap",
    "uniformity",
]
