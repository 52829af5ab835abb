"""OGM-GE: scale down the gradient of the modality that is ahead, and add noise with the gradient's standard deviation.

    s_u = sum over the batch of softmax(out_u)[label],   rho_u = mean over v != u of s_u / s_v,
    k_u = 1 - tanh(alpha rho_u) where rho_u > 1, else 1;   gradient of encoder u: g -> k_u g + N(0, std(g)^2)

With two modalities rho_u is the plain ratio of the paper. k_u jumps at rho = 1, from 1 to 1 - tanh(alpha). Every parameter of an encoder
is modulated; the published code changes 4-D tensors only, so that an MLP stays as it is.

Source: Peng et al., CVPR 2022, equation 10 and the description of the released code; written anew from the formulas. More than two
modalities: the mean of the pairwise ratios, as the authors advise. The noise has the standard deviation of each tensor's unscaled gradient.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def coefficients(scores: Mapping[str, float], alpha: float) -> dict[str, float]:
    """k_u for every modality.

    Args:
        scores: Name -> s_u above 0, for two or more modalities.
        alpha: 0 or above (published: 0.1 for VGGSound, 0.8 for CREMA-D).

    Returns:
        Name -> k_u, above 0 and at most 1.

    Raises:
        ValueError: Fewer than two scores, a score that is not above 0, alpha below 0.

    Example:
        >>> {name: round(k, 3) for name, k in coefficients({"audio": 3.0, "video": 2.0}, alpha=0.8).items()}
        {'audio': 0.166, 'video': 1}
    """
    if len(scores) < 2 or not all(math.isfinite(s) and s > 0 for s in scores.values()):
        raise ValueError(f"coefficients: got scores {dict(scores)}; expected two or more, all above 0")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"coefficients: got alpha={alpha}; expected 0 or above")
    found = {}
    for name, score in scores.items():
        rho = sum(score / other for v, other in scores.items() if v != name) / (len(scores) - 1)
        found[name] = 1 - math.tanh(alpha * rho) if rho > 1 else 1
    return found


def confidence(logits: Tensor, label: Tensor) -> float:
    """s_u, the batch's sum of the probability of the true class; logits (b, classes), label (b,) int64."""
    return logits.detach().softmax(-1).gather(-1, label[:, None]).sum().item()


def scale_gradients(
    parameters: Iterable[nn.Parameter], k: float, *, noise: bool, generator: torch.Generator | None = None
) -> int:
    """Replace every gradient g by k g, plus N(0, std(g)^2) with `noise`, from `generator` or torch's global one.

    Returns:
        The number of tensors changed; those without a gradient are left out.

    Raises:
        ValueError: No parameter has a gradient: the modulation would have no effect.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer(torch.ones(1, 2)).sum().backward()
        >>> scale_gradients(layer.parameters(), 0.5, noise=False), layer.weight.grad.tolist()
        (2, [[0.5, 0.5]])
    """
    count = 0
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None:
            continue
        spread = gradient.std().item() if noise and gradient.numel() > 1 else 0.0
        gradient.mul_(k)
        if spread > 0:
            gradient.add_(torch.randn(gradient.shape, generator=generator).to(gradient), alpha=spread)
        count += 1
    if not count:
        raise ValueError("scale_gradients: no parameter has a gradient; expected at least one, after backward()")
    return count
