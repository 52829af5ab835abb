"""How badly a model predicts what was masked, in bits; and what a model would lose that knows nothing."""

import math

import torch
from torch import Tensor


def mlm_bits(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Bits per wordpiece that each item's masked phrase costs.

    Formula: b_i = mean over masked places t of -log2 softmax(logits_it)[target_it]. The mean of the b_i weighs phrases equally (macro), a mean over
             all places would weigh long phrases more (micro).
    Args:    logits (n, L, V); target (n, L) int64, the right wordpieces; where (n, L) bool, the masked places.
    Returns: (n,) float64.
    Raises:  ValueError on shapes that do not fit, NaN in logits that count, or an item with no masked place.
    Example:
        >>> mlm_bits(torch.zeros(1, 3, 8), torch.tensor([[0, 5, 1]]), torch.tensor([[False, True, True]])).tolist()
        [3.0]

    Source:  Frank et al. 2021, released code.
    """
    if logits.ndim != 3 or target.shape != logits.shape[:2] or where.shape != target.shape:
        raise ValueError(f"mlm_bits: got logits {tuple(logits.shape)}, target {tuple(target.shape)}, where {tuple(where.shape)}; expected (n, L, V), (n, L), (n, L)")  # fmt: skip
    if not where.any(1).all():
        raise ValueError(f"mlm_bits: {int((~where.any(1)).sum())} items have no masked place (a phrase behind the length limit?); expected at least one each")  # fmt: skip
    if logits[where].isnan().any():
        raise ValueError("mlm_bits: logits are NaN; expected numbers")
    bits = torch.zeros(where.shape, dtype=torch.float64)
    right = logits[where].double().log_softmax(-1).gather(-1, target[where][:, None]).squeeze(-1)
    bits[where] = -right / math.log(2)
    return bits.sum(1) / where.sum(1)


def mrc_kl_bits(label: Tensor, logits: Tensor) -> Tensor:
    """Divergence of the model's region classes from the detector's, in bits.

    Formula: KL(p || q) = sum_c p_c log2(p_c / q_c), q = softmax(logits), 0 log 0 = 0.
    Args:    label (n, C), distributions; logits (n, C).
    Returns: (n,) float64, 0 when they agree.
    Raises:  ValueError on unequal shapes, NaN, or labels that are no distribution (to 1e-3).
    Example:
        >>> mrc_kl_bits(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.zeros(1, 4)).item()
        2.0

    Source:  Frank et al. 2021, released code (MRC-KL).
    """
    if label.shape != logits.shape or label.ndim != 2:
        raise ValueError(
            f"mrc_kl_bits: got label {tuple(label.shape)}, logits {tuple(logits.shape)}; expected one shape (n, C)"
        )
    if logits.isnan().any() or label.isnan().any():
        raise ValueError("mrc_kl_bits: got NaN; expected numbers")
    if (label < 0).any() or ((label.double().sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("mrc_kl_bits: labels are negative or do not sum to 1; expected distributions")
    p, log_q = label.double(), logits.double().log_softmax(-1)
    return (torch.special.xlogy(p, p) - p * log_q).sum(-1) / math.log(2)


def no_information_bits(target: Tensor, where: Tensor, n_words: int) -> float:
    """Bits a phrase costs a model that knows only how often each wordpiece is masked: the ceiling of `mlm_bits`.

    Formula: mean_i mean_t -log2 f(target_it), f the relative frequencies under the same macro weights, so no other single distribution costs less.
    Args:    target, where as in `mlm_bits`; n_words, size of the vocabulary. Returns: bits. Raises: ValueError when nothing is masked.
    Example:
        >>> no_information_bits(torch.tensor([[0, 1], [2, 3]]), torch.ones(2, 2, dtype=torch.bool), 8)
        2.0
    """
    if not where.any(1).all():
        raise ValueError("no_information_bits: an item has no masked place; expected at least one each")
    weight = (where.double() / where.sum(1, keepdim=True))[where]
    share = torch.zeros(n_words, dtype=torch.float64).index_add_(0, target[where], weight) / len(target)
    return float(-torch.special.xlogy(share, share).sum() / math.log(2))


def no_information_kl(label: Tensor) -> float:
    """Mean divergence of a model that answers with the mean distribution whatever it sees: the ceiling of `mrc_kl_bits`.

    Formula: mean_i KL(p_i || mean_j p_j): no single answer does better.
    Args:    label (n, C). Returns: bits. Raises: ValueError as `mrc_kl_bits`.
    Example:
        >>> no_information_kl(torch.eye(4))
        2.0
    """
    label = torch.as_tensor(label).double()
    return float(mrc_kl_bits(label, label.mean(0).clamp(min=1e-300).log().expand_as(label)).mean())


def relative_change(none: Tensor, ablated: Tensor) -> float:
    """Rise of the mean loss in units of the loss without ablation: (mean ablated - mean none) / mean none.

    Raises: ValueError when nothing is given, or the loss without ablation is 0.
    Example:
        >>> relative_change(torch.tensor([2.0, 2.0]), torch.tensor([3.0, 2.0]))
        0.25
    """
    none, ablated = (torch.as_tensor(v).double() for v in (none, ablated))
    if none.numel() == 0 or none.mean() == 0:
        raise ValueError("relative_change: got no loss, or a loss of 0 without ablation; expected a loss above 0")
    return float((ablated.mean() - none.mean()) / none.mean())


def share_of_ceiling(none: Tensor, ablated: Tensor, ceiling: float) -> float:
    """Rise of the mean loss in units of the loss of a model that knows nothing: (mean ablated - mean none) / ceiling.

    0 = the ablated input did not matter; 1 = a perfect model lost everything; above 1 = it is misled as well. Unlike bits, this may be compared across
    modalities, and unlike the relative change it does not explode where the loss without ablation is near 0.
    Args:    none, ablated, losses in bits; ceiling, from `no_information_bits` or `no_information_kl`.
    Raises:  ValueError when nothing is given or the ceiling is not above 0.
    Example:
        >>> share_of_ceiling(torch.tensor([1.0]), torch.tensor([2.0]), 4.0)
        0.25
    """
    none, ablated = (torch.as_tensor(v).double() for v in (none, ablated))
    if none.numel() == 0 or ablated.numel() == 0 or not ceiling > 0:
        raise ValueError(
            f"share_of_ceiling: got {none.numel()} and {ablated.numel()} losses and a ceiling of {ceiling}; expected losses and a ceiling above 0"
        )
    return float((ablated.mean() - none.mean()) / ceiling)
