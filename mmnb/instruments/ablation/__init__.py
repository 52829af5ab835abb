"""Cross-modal input ablation: remove one modality, or its part aligned with the target, and predict the other.

The experiment has five choices, each an argument: which regions count as aligned (`aligned`: IoT or IoU, threshold),
what is removed (`ablation_mask`: nothing, the aligned part, as much at random, all), what replaces it
(`ablate_regions`: mean, zero, drop), the loss (`mlm_bits`, `mrc_kl_bits`), and the unit of a rise (`relative_change`,
`normalized_drop`). `vision_for_language` and `language_for_vision` combine them for any model behind a five-line
adapter.

Source: Frank, Bugliarello & Elliott, "Vision-and-Language or Vision-for-Language?", EMNLP 2021.
"""

from mmnb.aliases import renamed
from mmnb.instruments.ablation.directions import Inputs, language_for_vision, vision_for_language
from mmnb.instruments.ablation.losses import (
    marginal_kl,
    mlm_bits,
    mrc_kl_bits,
    normalized_drop,
    relative_change,
    unigram_entropy,
)
from mmnb.instruments.ablation.removal import (
    CONDITIONS,
    REPLACEMENTS,
    ablate_regions,
    ablation_mask,
    aligned,
    iot,
    iou,
    phrase_span,
    span_mask,
)

__all__ = [
    "CONDITIONS", "REPLACEMENTS", "Inputs", "ablate_regions", "ablation_mask", "aligned", "iot", "iou",
    "language_for_vision", "marginal_kl", "mlm_bits", "mrc_kl_bits", "normalized_drop", "phrase_span",
    "relative_change", "span_mask", "unigram_entropy", "vision_for_language",
]  # fmt: skip

_RENAMED = {
    "plan": "ablation_mask",
    "share_of_ceiling": "normalized_drop",
    "no_information_bits": "unigram_entropy",
    "no_information_kl": "marginal_kl",
}
__getattr__ = renamed(__name__, {old: f"{__name__}.{new}" for old, new in _RENAMED.items()})
