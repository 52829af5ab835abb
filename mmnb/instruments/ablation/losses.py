"""Losses of masked prediction in bits, and the losses of answers that ignore the input, to compare a rise with."""

import math

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments import inputs


def mlm_bits(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Bits per wordpiece of each item's masked phrase, (n,) float64.

    `b_i = mean_t -log2 softmax(logits_it)[target_it]` over masked places t. The mean of the b_i weighs phrases equally
    (macro), a mean over all places would weigh long phrases more (micro).

    Args:
        logits: (n, L, V).
        target, where: (n, L) int64, the original wordpieces; (n, L) bool, the masked places.
    Example:
        >>> mlm_bits(torch.zeros(1, 3, 8), torch.tensor([[0, 5, 1]]), torch.tensor([[False, True, True]])).tolist()
        [3.0]
    """
    if not isinstance(logits, Tensor) or not logits.is_floating_point():  # a tensor keeps its gradient
        logits = inputs.scores(logits, "mlm_bits: logits", "(n, L, V)")
    if logits.ndim != 3:
        raise ValueError(f"mlm_bits: logits: got shape {tuple(logits.shape)}; expected (n, L, V)")
    where = _masked(where, tuple(logits.shape[:2]), "mlm_bits")
    right = _words(target, where, logits.shape[2], "mlm_bits")
    asked = logits[where.to(logits.device)].cpu().double()
    if not asked.amax(-1).isfinite().all():
        raise ValueError("mlm_bits: logits are NaN or infinite; expected numbers")
    bits = torch.zeros(where.shape, dtype=torch.float64)
    bits[where] = -asked.log_softmax(-1).gather(-1, right[:, None]).squeeze(-1) / math.log(2)
    return bits.sum(1) / where.sum(1)


def _masked(where: Tensor, shape: tuple[int, ...], caller: str) -> Tensor:
    where = inputs.mask(where, f"{caller}: where", shape)
    empty = int((~where.any(1)).sum())
    if empty:
        raise ValueError(f"{caller}: {empty} items have no masked words (beyond the length limit?); expected one each")
    return where


def _words(target: Tensor, where: Tensor, n_words: int, caller: str) -> Tensor:
    """The ids at the masked places; elsewhere they may be anything, such as -100."""
    found = inputs.array(target, f"{caller}: target")
    if found.shape != tuple(where.shape) or found.dtype.kind not in "iu":
        got = f"{found.dtype} of shape {found.shape}"
        raise ValueError(f"{caller}: target: got {got}; expected whole numbers of shape {tuple(where.shape)}")
    asked = torch.from_numpy(found[where.numpy()].astype(np.int64))
    if asked.min() < 0 or asked.max() >= n_words:
        got = f"ids from {int(asked.min())} to {int(asked.max())}"
        raise ValueError(f"{caller}: target: got {got} at masked places; expected 0 to {n_words - 1}")
    return asked


def mrc_kl_bits(target: Tensor, logits: Tensor) -> Tensor:
    """Divergence of the model's region classes from the detector's, `KL(target || softmax(logits))` in bits, (n,).

    Args:
        target: (n, C), distributions over the detector's classes.
        logits: (n, C).
    Example:
        >>> mrc_kl_bits(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.zeros(1, 4)).item()
        2.0
    """
    p, given = inputs.numbers(target, "mrc_kl_bits: target"), inputs.scores(logits, "mrc_kl_bits: logits")
    if p.shape != given.shape:
        raise ValueError(f"mrc_kl_bits: got shapes {[*p.shape]} and {[*given.shape]}; expected one shape (n, C)")
    if (p < 0).any() or ((p.sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("mrc_kl_bits: targets are negative or do not sum to 1; expected distributions")
    log_q = given.double().log_softmax(-1)
    cross = torch.where(p > 0, p * log_q, 0.0)  # a class that both rule out costs nothing
    return (torch.special.xlogy(p, p) - cross).sum(-1) / math.log(2)


def unigram_entropy(target: Tensor, where: Tensor, n_words: int) -> float:
    """Entropy in bits of the masked wordpieces' frequencies: `mlm_bits` of the best answer that ignores the input.

    Frequencies have the weights of `mlm_bits`, so no other single distribution has a lower loss.

    Args:
        target, where: As in `mlm_bits`.
        n_words: Size of the vocabulary.
    Example:
        >>> unigram_entropy(torch.tensor([[0, 1], [2, 3]]), torch.ones(2, 2, dtype=torch.bool), 8)
        2.0
    """
    target = inputs.array(target, "unigram_entropy: target")
    if target.ndim != 2:
        raise ValueError(f"unigram_entropy: target: got shape {target.shape}; expected (n, L)")
    where = _masked(where, target.shape, "unigram_entropy")
    words = _words(target, where, inputs.whole(n_words, "unigram_entropy: n_words"), "unigram_entropy")
    weight = (where.double() / where.sum(1, keepdim=True))[where]
    share = torch.zeros(n_words, dtype=torch.float64).index_add_(0, words, weight) / len(where)
    return float(-torch.special.xlogy(share, share).sum() / math.log(2))


def marginal_kl(target: Tensor) -> float:
    """Mean divergence in bits of distributions (n, C) from their mean: `mrc_kl_bits` of the best constant answer.

    `mean_i KL(p_i || mean_j p_j)`, the Jensen-Shannon divergence of n distributions.

    Example:
        >>> marginal_kl(torch.eye(4))
        2.0
    """
    target = inputs.numbers(target, "marginal_kl: target")
    return float(mrc_kl_bits(target, target.mean(0).clamp(min=1e-300).log().expand_as(target)).mean())


def relative_change(none: Tensor, ablated: Tensor) -> float:
    """Rise of the mean loss relative to the loss without ablation: `(mean ablated - mean none) / mean none`.

    Example:
        >>> relative_change(torch.tensor([2.0, 2.0]), torch.tensor([3.0, 2.0]))
        0.25
    """
    none, ablated = _of_same_items(none, ablated, "relative_change")
    before = float(none.mean())
    if before <= 0:
        raise ValueError(f"relative_change: got a mean loss without ablation of {before}; expected it above 0")
    return float(ablated.mean()) / before - 1


def normalized_drop(none: Tensor, ablated: Tensor, ceiling: float, unit: float | None = None) -> float:
    """Share of what the remaining input leaves open that is lost with the removed one: `(min(mean ablated, c) - min(mean none, c)) / unit`.

    The ceiling c is the loss of the best answer that uses what *remains* after the ablation: for a masked word the rest
    of the caption, for a masked region the rest of the picture. A perfect model loses 1 in both directions, so shares
    may be compared across modalities. Losses above the ceiling count as the ceiling: they are errors on unusual input,
    not information that was lost. An answer that ignores all input (`unigram_entropy`) is no such ceiling: where a
    grammar tells part of the word, a perfect model loses far less than that.

    Args:
        none, ablated: Losses in bits without ablation, and with it.
        ceiling: Bits that the remaining input costs: from an ideal observer where there is one, else from a model trained
            without the removed modality, whose loss is an upper estimate.
        unit: What counts as 1, by default the ceiling; give that of another data set to compare several on one scale.
    Example:
        >>> normalized_drop(torch.tensor([0.5]), torch.tensor([7.0]), 2.0)
        0.75
    """
    none, ablated = _of_same_items(none, ablated, "normalized_drop")
    unit = ceiling if unit is None else unit
    for name, bits in (("ceiling", ceiling), ("unit", unit)):
        if not 0 <= bits < math.inf or (name == "unit" and bits == 0):
            raise ValueError(f"normalized_drop: got a {name} of {bits}; expected it above 0 and finite")
    return float((ablated.mean().clamp(max=ceiling) - none.mean().clamp(max=ceiling)) / unit)


def _of_same_items(none: Tensor, ablated: Tensor, caller: str) -> tuple[Tensor, Tensor]:
    none, ablated = (
        inputs.numbers(losses, f"{caller}: {name}", "(n,)") for name, losses in (("none", none), ("ablated", ablated))
    )
    if len(none) != len(ablated):
        raise ValueError(f"{caller}: got {len(none)} and {len(ablated)} losses; expected those of the same items")
    return none, ablated
