"""The two directions: take vision away and predict words, take words away and predict a region."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmnb.instruments.ablation.losses import mlm_bits, mrc_kl_bits
from mmnb.instruments.ablation.plans import CONDITIONS, plan
from mmnb.instruments.ablation.replace import ablate_regions
from mmnb.instruments.checks import refuse_train_mode

Predict = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor | None, Tensor | None]]


class Inputs(NamedTuple):
    """n captions with their regions. tokens (n, L) int64 · token_mask (n, L) bool · feature (n, R, d) · box (n, R, 4) · region_mask (n, R) bool."""

    tokens: Tensor
    token_mask: Tensor
    feature: Tensor
    box: Tensor
    region_mask: Tensor


def vision_for_language(
    predict: Predict,
    inputs: Inputs,
    phrase: Tensor,
    aligned: Tensor,
    *,
    mask_id: int,
    generator: torch.Generator,
    conditions: Sequence[str] = CONDITIONS,
    replacement: str = "mean",
    mean: Tensor | None = None,
    global_index: int | None = None,
    recompute: bool = True,
    batch_size: int = 256,
) -> dict[str, Tensor]:
    """Bits per wordpiece of a masked phrase when regions are taken away.

    The adapter, for any model:

        def predict(tokens, token_mask, feature, box, region_mask):
            out = model(tokens, token_mask, feature, box, region_mask)
            return out.words, out.regions          # logits (b, L, V) and (b, R, C); None for what the model lacks

    Args:    predict, as above, in eval mode; inputs; phrase (n, L) bool, the wordpieces to predict (all become `mask_id`); aligned (n, R) bool, the regions
             that show it; generator, for the condition random; conditions, some of none, aligned, random, all; the rest as in `ablate_regions`.
    Returns: condition -> (n,) bits, the same items in the same order: compare them in pairs.
    Raises:  ValueError as the parts do, on a model in train mode, or when it gives no logits over words.
    Source:  Frank et al. 2021, `ablate_vis4lang.py`; the condition random is ours.
    """
    refuse_train_mode(predict, "vision_for_language")
    masked = torch.where(phrase, mask_id, inputs.tokens)
    present = _without_global(inputs.region_mask, global_index)
    found = {}
    for condition in conditions:
        taken = plan(condition, aligned, present, generator=generator)
        options = {"replacement": replacement, "mean": mean, "global_index": global_index, "recompute": recompute}
        feature, seen = ablate_regions(inputs.feature, inputs.region_mask, taken, **options)
        bits = []
        for rows, (words, _) in _batches(predict, (masked, inputs.token_mask, feature, inputs.box, seen), batch_size):
            if words is None:
                raise ValueError("vision_for_language: the model gave no logits over words; expected (b, L, V)")
            bits.append(mlm_bits(words.cpu(), inputs.tokens[rows], phrase[rows]))
        found[condition] = torch.cat(bits)
    return found


def language_for_vision(
    predict: Predict,
    inputs: Inputs,
    phrase: Tensor,
    aligned: Tensor,
    target: Tensor,
    label: Tensor,
    *,
    mask_id: int,
    generator: torch.Generator,
    special: Sequence[int] = (),
    conditions: Sequence[str] = CONDITIONS,
    global_index: int | None = None,
    recompute: bool = True,
    replacement: str = "zero",
    mean: Tensor | None = None,
    batch_size: int = 256,
) -> dict[str, Tensor]:
    """Divergence in bits at a masked region when words are taken away. The adapter is that of `vision_for_language`.

    All aligned regions lose their feature; one of them is scored. Conditions: none = the full caption; aligned = the phrase becomes `mask_id`; random = as many
    other words; all = every word but the special ones.
    Args:    phrase (n, L) bool; aligned (n, R) bool; target (n,) int64, the region to score, one of the aligned; label (n, C), its distribution;
             special, ids that are never masked; recompute=False leaves the global region's feature from before the masking, as the released code does.
    Returns: condition -> (n,) bits. Raises: ValueError as the parts do, or when a target is not aligned, or the model gives no logits over regions.
    Source:  Frank et al. 2021, `ablate_lang4vis.py`; recomputing and the condition random are ours.
    """
    refuse_train_mode(predict, "language_for_vision")
    if not aligned.gather(1, target[:, None]).all():
        raise ValueError("language_for_vision: a target is not among the aligned regions; expected one of them")
    options = {"replacement": replacement, "mean": mean, "global_index": global_index, "recompute": recompute}
    feature, seen = ablate_regions(inputs.feature, inputs.region_mask, aligned & _without_global(inputs.region_mask, global_index), **options)  # fmt: skip
    words = inputs.token_mask & ~torch.isin(inputs.tokens, torch.tensor(list(special), dtype=inputs.tokens.dtype))
    found = {}
    for condition in conditions:
        tokens = torch.where(plan(condition, phrase, words, generator=generator), mask_id, inputs.tokens)
        bits = []
        for rows, (_, regions) in _batches(predict, (tokens, inputs.token_mask, feature, inputs.box, seen), batch_size):
            if regions is None:
                raise ValueError("language_for_vision: the model gave no logits over regions; expected (b, R, C)")
            own = torch.arange(len(regions), device=regions.device), target[rows].to(regions.device)
            bits.append(mrc_kl_bits(label[rows], regions[own].cpu()))
        found[condition] = torch.cat(bits)
    return found


def _without_global(region_mask: Tensor, global_index: int | None) -> Tensor:
    present = region_mask.clone()
    if global_index is not None:
        present[:, global_index] = False
    return present


def _batches(predict: Predict, inputs: tuple[Tensor, ...], size: int) -> Iterator[tuple[slice, tuple[Tensor | None, Tensor | None]]]:  # fmt: skip
    """Rows and what the model says of them, one batch after the other: logits over a large vocabulary are never kept."""
    for start in range(0, len(inputs[0]), size):
        rows = slice(start, start + size)
        with torch.no_grad():
            answer = predict(*(part[rows] for part in inputs))
        yield rows, answer
