"""Cross-modal input ablation: take one modality away, all of it or only the part aligned with the target, and measure how much worse the other is predicted.

The experiment has five choices, and each is an argument here: which regions count as aligned (`aligned`: IoT or IoU, threshold), what is taken away
(`plan`: nothing, aligned, as many at random, all), what stands in its place (`ablate_regions`: mean, zero, drop; the whole picture's region recomputed or
not), which loss is read (`mlm_bits`, `mrc_kl_bits`), and against what a rise is judged (`relative_change`, `share_of_ceiling`).
`vision_for_language` and `language_for_vision` put them together for any model behind a five-line adapter.

Source: Frank, Bugliarello and Elliott, Vision-and-Language or Vision-for-Language?, EMNLP 2021.
"""

from mmnb.instruments.ablation.both import Inputs, language_for_vision, vision_for_language
from mmnb.instruments.ablation.losses import (
    mlm_bits,
    mrc_kl_bits,
    no_information_bits,
    no_information_kl,
    relative_change,
    share_of_ceiling,
)
from mmnb.instruments.ablation.overlap import aligned, iot, iou
from mmnb.instruments.ablation.plans import CONDITIONS, plan
from mmnb.instruments.ablation.replace import REPLACEMENTS, ablate_regions
from mmnb.instruments.ablation.spans import phrase_span, span_mask

__all__ = [
    "CONDITIONS",
    "REPLACEMENTS",
    "Inputs",
    "ablate_regions",
    "aligned",
    "iot",
    "iou",
    "language_for_vision",
    "mlm_bits",
    "mrc_kl_bits",
    "no_information_bits",
    "no_information_kl",
    "phrase_span",
    "plan",
    "relative_change",
    "share_of_ceiling",
    "span_mask",
    "vision_for_language",
]
