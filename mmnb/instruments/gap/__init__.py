"""The modality gap and the cone effect: how two modalities lie in a shared embedding space.

`embeddings` checks and normalises, `measures` gives distances, cosines, the contrastive loss and the retrieval recall,
`transforms` moves the modalities together, `cone` follows the mean cosine through the layers of a network. `a` and `b`
are the two modalities, (n, d) rows of length 1, row i of both a pair; anything else is a TypeError or a ValueError.

Source: Liang, Zhang, Kwon, Yeung & Zou, "Mind the gap", NeurIPS 2022, and the papers named in each function.
"""

from mmnb.instruments.gap.cone import cosine_by_depth, relu_cosine, relu_recursion
from mmnb.instruments.gap.embeddings import normalize
from mmnb.instruments.gap.measures import (
    Cosines,
    Loss,
    Recall,
    average_cosine,
    contrastive_loss,
    gap_vector,
    mean_cosines,
    modality_gap,
    pair_distance,
    relative_gap,
    retrieval_recall,
    separability,
    share_per_dimension,
    uniformity,
)
from mmnb.instruments.gap.transforms import center, lam_from_delta, procrustes, shift, signed_gap

__all__ = [
    "Cosines", "Loss", "Recall", "average_cosine", "center", "contrastive_loss", "cosine_by_depth", "gap_vector",
    "lam_from_delta", "mean_cosines", "modality_gap", "normalize", "pair_distance", "procrustes", "relative_gap",
    "relu_cosine", "relu_recursion", "retrieval_recall", "separability", "share_per_dimension", "shift",
    "signed_gap", "uniformity",
]  # fmt: skip
