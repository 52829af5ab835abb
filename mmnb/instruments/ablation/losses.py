"""Losses of masked prediction in bits, and the losses of answers that ignore the input, to compare a rise with."""

import math

import torch
from torch import Tensor


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
    if logits.ndim != 3 or not target.shape == where.shape == logits.shape[:2]:
        shapes = ", ".join(str(tuple(part.shape)) for part in (logits, target, where))
        raise ValueError(f"mlm_bits: got shapes {shapes}; expected (n, L, V), (n, L), (n, L)")
    _check_masked(where)
    if logits[where].isnan().any():
        raise ValueError("mlm_bits: logits are NaN; expected numbers")
    bits = torch.zeros(where.shape, dtype=torch.float64)
    right = logits[where].double().log_softmax(-1).gather(-1, target[where][:, None]).squeeze(-1)
    bits[where] = -right / math.log(2)
    return bits.sum(1) / where.sum(1)


def _check_masked(where: Tensor) -> None:
    empty = int((~where.any(1)).sum())
    if empty:
        raise ValueError(f"masked words: {empty} items have none (beyond the length limit?); expected one each")


def mrc_kl_bits(target: Tensor, logits: Tensor) -> Tensor:
    """Divergence of the model's region classes from the detector's, `KL(target || softmax(logits))` in bits, (n,).

    Args:
        target: (n, C), distributions over the detector's classes.
        logits: (n, C).
    Example:
        >>> mrc_kl_bits(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.zeros(1, 4)).item()
        2.0
    """
    if target.shape != logits.shape or target.ndim != 2:
        raise ValueError(f"mrc_kl_bits: got shapes {[*target.shape]} and {[*logits.shape]}; expected one shape (n, C)")
    if logits.isnan().any() or target.isnan().any():
        raise ValueError("mrc_kl_bits: got NaN; expected numbers")
    if (target < 0).any() or ((target.double().sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("mrc_kl_bits: targets are negative or do not sum to 1; expected distributions")
    p, log_q = target.double(), logits.double().log_softmax(-1)
    return (torch.special.xlogy(p, p) - p * log_q).sum(-1) / math.log(2)


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
    _check_masked(where)
    weight = (where.double() / where.sum(1, keepdim=True))[where]
    share = torch.zeros(n_words, dtype=torch.float64).index_add_(0, target[where], weight) / len(target)
    return float(-torch.special.xlogy(share, share).sum() / math.log(2))


def marginal_kl(target: Tensor) -> float:
    """Mean divergence in bits of distributions (n, C) from their mean: `mrc_kl_bits` of the best constant answer.

    `mean_i KL(p_i || mean_j p_j)`, the Jensen-Shannon divergence of n distributions.

    Example:
        >>> marginal_kl(torch.eye(4))
        2.0
    """
    target = torch.as_tensor(target).double()
    return float(mrc_kl_bits(target, target.mean(0).clamp(min=1e-300).log().expand_as(target)).mean())


def relative_change(none: Tensor, ablated: Tensor) -> float:
    """Rise of the mean loss relative to the loss without ablation: `(mean ablated - mean none) / mean none`.

    Example:
        >>> relative_change(torch.tensor([2.0, 2.0]), torch.tensor([3.0, 2.0]))
        0.25
    """
    return normalized_drop(none, ablated, float(torch.as_tensor(none).double().mean()))


def normalized_drop(none: Tensor, ablated: Tensor, ceiling: float) -> float:
    """Rise of the mean loss relative to that of the best constant answer: `(mean ablated - mean none) / ceiling`.

    0 = the removed input did not matter; 1 = a perfect model lost everything; above 1 = it is misled. It can be
    compared across modalities, and stays finite where the loss without ablation is near 0.

    Args:
        none, ablated: Losses in bits without ablation, and with it.
        ceiling: From `unigram_entropy` or `marginal_kl`.
    Example:
        >>> normalized_drop(torch.tensor([1.0]), torch.tensor([2.0]), 4.0)
        0.25
    """
    none, ablated = (torch.as_tensor(v).double() for v in (none, ablated))
    if none.numel() == 0 or ablated.numel() == 0 or not ceiling > 0:
        given = f"{none.numel()} and {ablated.numel()} losses and a ceiling of {ceiling}"
        raise ValueError(f"normalized_drop: got {given}; expected losses and a ceiling above 0")
    return float((ablated.mean() - none.mean()) / ceiling)
