"""Both directions: remove vision and predict words, or remove words and predict a region."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from mmnb import aliases
from mmnb.instruments.ablation.losses import mlm_bits, mrc_kl_bits
from mmnb.instruments.ablation.removal import CONDITIONS, ablate_regions, ablation_mask
from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.inputs import as_given, mask, numbers, places, whole

Predict = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor | None, Tensor | None]]


class Inputs(NamedTuple):
    """n captions with their regions: (n, L) int64, (n, L) bool, (n, R, d), (n, R, 4), (n, R) bool."""

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
    seed: int = 0,
    conditions: Sequence[str] = CONDITIONS,
    replacement: str = "mean",
    mean: Tensor | None = None,
    global_index: int | None = None,
    recompute: bool = True,
    batch_size: int = 256,
    progress: bool | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Bits per wordpiece of a masked phrase when regions are removed: condition -> (n,), items in the same order.

    The adapter, for any model:

        def predict(tokens, token_mask, feature, box, region_mask):
            out = model(tokens, token_mask, feature, box, region_mask)
            return out.words, out.regions          # logits (b, L, V) and (b, R, C); None for what the model lacks

    Args:
        predict: As above, in eval mode.
        inputs: Captions with their regions.
        phrase: (n, L) bool, the wordpieces to predict; all become `mask_id`.
        aligned: (n, R) bool, the regions that show the phrase.
        mask_id: Id of the mask token.
        seed: Of the condition "random"; a `generator` in its place is deprecated.
        conditions: Some of "none", "aligned", "random", "all".
        replacement, mean, global_index, recompute: As in `ablate_regions`.
        batch_size: Captions per call of the model.
        progress: Whether a bar is shown; None shows it in a terminal.
    Source: Frank et al. 2021, `ablate_vis4lang.py`; the condition random is ours.
    """
    refuse_train_mode(predict, "vision_for_language")
    inputs, phrase, aligned = _checked(inputs, phrase, aligned, "vision_for_language")
    draw = _generator(seed, generator)
    masked = torch.where(phrase, mask_id, inputs.tokens)
    options = {"replacement": replacement, "mean": mean, "global_index": global_index, "recompute": recompute}
    valid = _without_global(inputs.region_mask, global_index)

    def changed(condition: str) -> Inputs:
        ablate = ablation_mask(condition, aligned, valid, seed=draw)
        feature, seen = ablate_regions(inputs.feature, inputs.region_mask, ablate, **options)
        return Inputs(masked, inputs.token_mask, feature, inputs.box, seen)

    def loss(rows: slice, words: Tensor) -> Tensor:
        return mlm_bits(words, inputs.tokens[rows], phrase[rows])

    return _measure(predict, "words", conditions, changed, loss, batch_size, progress)


def language_for_vision(
    predict: Predict,
    inputs: Inputs,
    phrase: Tensor,
    aligned: Tensor,
    target: Tensor,
    label: Tensor,
    *,
    mask_id: int,
    seed: int = 0,
    special: Sequence[int] = (),
    conditions: Sequence[str] = CONDITIONS,
    global_index: int | None = None,
    recompute: bool = True,
    replacement: str = "zero",
    mean: Tensor | None = None,
    batch_size: int = 256,
    progress: bool | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Divergence in bits at a masked region when words are removed: condition -> (n,).

    All aligned regions lose their feature; one of them is scored. "aligned" masks the words of the phrase, "random" as
    many other words, "all" every word but the special ones. The adapter is that of `vision_for_language`.

    Args:
        predict, inputs, phrase, aligned: As in `vision_for_language`.
        target, label: (n,) int64, the region to score, one of the aligned; (n, C), its distribution over classes.
        mask_id, seed, conditions, batch_size, progress: As in `vision_for_language`.
        special: Ids that are never masked.
        global_index, replacement, mean: As in `ablate_regions`.
        recompute: False keeps the global region's feature from before the masking, as the released code does.
    Source: Frank et al. 2021, `ablate_lang4vis.py`; recomputing and the condition random are ours.
    """
    refuse_train_mode(predict, "language_for_vision")
    inputs, phrase, aligned = _checked(inputs, phrase, aligned, "language_for_vision")
    target, label = places(target, "language_for_vision: target"), numbers(label, "language_for_vision: label")
    draw, n, regions = _generator(seed, generator), *aligned.shape
    if len(target) != n or len(label) != n:
        got = f"{target.dtype} target {tuple(target.shape)} and label {tuple(label.shape)}"
        raise ValueError(f"language_for_vision: got {got} for {n} captions; expected (n,) int64 and (n, C)")
    if target.min() < 0 or target.max() >= regions or not aligned.gather(1, target[:, None]).all():
        raise ValueError("language_for_vision: a target is not among the aligned regions; expected one of them")
    ablate = aligned & _without_global(inputs.region_mask, global_index)
    options = {"replacement": replacement, "mean": mean, "global_index": global_index, "recompute": recompute}
    feature, seen = ablate_regions(inputs.feature, inputs.region_mask, ablate, **options)
    words = inputs.token_mask & ~torch.isin(inputs.tokens, torch.tensor(list(special), dtype=inputs.tokens.dtype))

    def changed(condition: str) -> Inputs:
        tokens = torch.where(ablation_mask(condition, phrase, words, seed=draw), mask_id, inputs.tokens)
        return Inputs(tokens, inputs.token_mask, feature, inputs.box, seen)

    def loss(rows: slice, regions: Tensor) -> Tensor:
        own = torch.arange(len(regions), device=regions.device), target[rows].to(regions.device)
        return mrc_kl_bits(label[rows], regions[own].cpu())

    return _measure(predict, "regions", conditions, changed, loss, batch_size, progress)


def _checked(inputs: Inputs, phrase: Tensor, aligned: Tensor, caller: str) -> tuple[Inputs, Tensor, Tensor]:
    """All on the CPU, masks as bools; ValueError where the parts are not those of the same captions and regions."""
    given = Inputs(
        *(as_given(part, f"{caller}: {name}").cpu() for name, part in zip(Inputs._fields, inputs, strict=True))
    )
    shapes = [tuple(part.shape) for part in given]
    if given.tokens.ndim != 2 or given.feature.ndim != 3 or not len(given.tokens) or given.tokens.is_floating_point():
        got = f"tokens {shapes[0]} {given.tokens.dtype}, feature {shapes[2]}"
        raise ValueError(f"{caller}: got {got}; expected (n, L) int64 and (n, R, d), n >= 1")
    (n, words), regions = shapes[0], shapes[2][1]
    if shapes[2][0] != n or shapes[3] != (n, regions, 4):
        got = f"feature {shapes[2]}, box {shapes[3]}"
        raise ValueError(f"{caller}: got {got}; expected ({n}, R, d) and ({n}, R, 4)")
    masks = ("token_mask", given.token_mask, words), ("region_mask", given.region_mask, regions)
    masks += ("phrase", phrase, words), ("aligned", aligned, regions)
    tokens, seen, phrase, aligned = (mask(part, f"{caller}: {name}", (n, size)) for name, part, size in masks)
    return given._replace(token_mask=tokens, region_mask=seen), phrase, aligned


def _generator(seed: int, generator: torch.Generator | None) -> torch.Generator:
    if generator is None:
        return torch.Generator().manual_seed(seed)
    aliases.warn("ablation: generator=", "seed=, an int", stacklevel=3)
    return generator


def _without_global(region_mask: Tensor, global_index: int | None) -> Tensor:
    valid = region_mask.clone()
    if global_index is not None:
        valid[:, global_index] = False
    return valid


def _measure(
    predict: Predict, over: str, conditions: Sequence[str], changed: Callable, loss: Callable, size: int, progress: Any
) -> dict[str, Tensor]:
    """Losses over "words" or "regions" under each condition; logits are kept for one batch only."""
    if isinstance(conditions, str) or not conditions:
        raise ValueError(f"ablation: got conditions {conditions!r}; expected a list, some of {', '.join(CONDITIONS)}")
    result, hidden, size = {}, None if progress is None else not progress, whole(size, "ablation: batch_size")
    with torch.no_grad(), tqdm(desc="ablation", unit="caption", disable=hidden, leave=False) as bar:
        for condition in conditions:
            inputs, parts = changed(condition), []
            n = len(inputs.tokens)
            bar.reset(n)
            bar.set_postfix_str(condition)
            for rows in (slice(start, start + size) for start in range(0, n, size)):
                logits = predict(*(part[rows] for part in inputs))[over == "regions"]
                if logits is None:
                    raise ValueError(f"ablation: the model gave no logits over {over}; expected them from `predict`")
                parts.append(loss(rows, logits))
                bar.update(len(parts[-1]))
            result[condition] = torch.cat(parts)
    return result
