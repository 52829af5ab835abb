"""Reference accuracies that need no model: the most confident box, a random box (exact expectation), the upper bound.

`match` (n, R) bool are the regions that count as right for each phrase, `valid` (n, R) bool those that exist.
"""

import torch
from torch import Tensor


def random_accuracy(match: Tensor, valid: Tensor) -> float:
    """Expected accuracy of a region picked at random: the mean over phrases of (matching regions / regions).

    Example:
        >>> random_accuracy(torch.tensor([[True, False], [True, True]]), torch.ones(2, 2, dtype=torch.bool))
        0.75
    """
    check_masks(match, valid)
    return float(((match & valid).sum(1).double() / valid.sum(1)).mean())


def ceiling(match: Tensor, valid: Tensor) -> float:
    """Share of phrases for which any region counts as right, the upper bound of every head.

    Example:
        >>> ceiling(torch.tensor([[True, False], [False, False]]), torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    check_masks(match, valid)
    return float((match & valid).any(1).double().mean())


def confident_accuracy(confidence: Tensor, match: Tensor, valid: Tensor) -> float:
    """Accuracy of the detector's most confident box, the paper's baseline; `confidence` is (n, R).

    Example:
        >>> match = torch.tensor([[True, False], [True, False]])
        >>> confident_accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), match, torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    check_masks(match, valid)
    if confidence.shape != match.shape or confidence.isnan().any():
        shapes = f"{tuple(confidence.shape)} for {tuple(match.shape)} regions"
        raise ValueError(f"confident_accuracy: got confidence {shapes}, or NaN; expected one number per region")
    best = confidence.masked_fill(~valid, -torch.inf).argmax(1)
    return float((match & valid).gather(1, best[:, None]).double().mean())


def nearest_to_mean_accuracy(feature: Tensor, match: Tensor, valid: Tensor) -> float:
    """Accuracy of the region whose feature, of (n, R, d), is nearest to the image's mean: attention without a query.

    Example:
        >>> feature, match = torch.tensor([[[0.0], [1.0], [5.0]]]), torch.tensor([[False, True, False]])
        >>> nearest_to_mean_accuracy(feature, match, torch.ones(1, 3, dtype=torch.bool))
        1.0
    """
    check_masks(match, valid)
    if feature.shape[:2] != match.shape or feature.isnan().any():
        raise ValueError(f"nearest_to_mean_accuracy: got feature {tuple(feature.shape)}, NaN or not (n, R, d)")
    mean = (feature * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)
    distance = (feature - mean[:, None]).square().sum(-1)
    return confident_accuracy(-distance, match, valid)


def check_masks(match: Tensor, valid: Tensor) -> None:
    """Raise TypeError or ValueError unless both are bool of one shape (n, R), with a region for every phrase."""
    if match.dtype != torch.bool or valid.dtype != torch.bool:
        raise TypeError(f"grounding: got masks of {match.dtype} and {valid.dtype}; expected bool")
    if match.shape != valid.shape or match.ndim != 2 or not len(match):
        shapes = f"match {tuple(match.shape)} and valid {tuple(valid.shape)}"
        raise ValueError(f"grounding: got {shapes}; expected one shape (n, R), n >= 1")
    if not valid.any(1).all():
        raise ValueError(f"grounding: {int((~valid.any(1)).sum())} items have no region; expected at least one each")
