"""What accuracy is worth nothing: one box for all, a box at random with its exact expectation, and the ceiling."""

import torch
from torch import Tensor


def random_accuracy(match: Tensor, present: Tensor) -> float:
    """Expected accuracy of picking a region at random, exactly: mean over phrases of (matching regions / regions).

    Args:    match, present (n, R) bool. Raises: ValueError on unequal shapes or an item without region.
    Example:
        >>> random_accuracy(torch.tensor([[True, False], [True, True]]), torch.ones(2, 2, dtype=torch.bool))
        0.75

    Source:  our addition; the paper names no random baseline.
    """
    _check(match, present)
    return float(((match & present).sum(1).double() / present.sum(1)).mean())


def ceiling(match: Tensor, present: Tensor) -> float:
    """Share of phrases for which any region counts as right: no head can be better.

    Example:
        >>> ceiling(torch.tensor([[True, False], [False, False]]), torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    _check(match, present)
    return float((match & present).any(1).double().mean())


def confident_accuracy(confidence: Tensor, match: Tensor, present: Tensor) -> float:
    """Accuracy of always answering with the detector's most confident box, the paper's baseline.

    Args:    confidence (n, R) real; match, present as above. Raises: ValueError on NaN or shapes.
    Example:
        >>> match = torch.tensor([[True, False], [True, False]])
        >>> confident_accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), match, torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    _check(match, present)
    if confidence.shape != match.shape or confidence.isnan().any():
        raise ValueError(f"confident_accuracy: got confidence {tuple(confidence.shape)}, NaN or of another shape than {tuple(match.shape)}")  # fmt: skip
    best = confidence.masked_fill(~present, -torch.inf).argmax(1)
    return float((match & present).gather(1, best[:, None]).double().mean())


def nearest_to_mean_accuracy(feature: Tensor, match: Tensor, present: Tensor) -> float:
    """Accuracy of always answering with the region whose feature is nearest to the mean of the picture's regions: attention without a question.

    Args:    feature (n, R, d); match, present as above. Raises: ValueError on NaN or shapes.
    Example:
        >>> feature, match = torch.tensor([[[0.0], [1.0], [5.0]]]), torch.tensor([[False, True, False]])
        >>> nearest_to_mean_accuracy(feature, match, torch.ones(1, 3, dtype=torch.bool))
        1.0
    """
    _check(match, present)
    if feature.shape[:2] != match.shape or feature.isnan().any():
        raise ValueError(f"nearest_to_mean_accuracy: got feature {tuple(feature.shape)}, NaN or not (n, R, d)")
    mean = (feature * present[..., None]).sum(1) / present.sum(1, keepdim=True)
    distance = (feature - mean[:, None]).square().sum(-1)
    return confident_accuracy(-distance, match, present)


def _check(match: Tensor, present: Tensor) -> None:
    if match.shape != present.shape or match.ndim != 2 or not len(match):
        raise ValueError(f"baselines: got match {tuple(match.shape)} and present {tuple(present.shape)}; expected one shape (n, R), n >= 1")  # fmt: skip
    if not present.any(1).all():
        raise ValueError("baselines: an item has no region; expected at least one each")
