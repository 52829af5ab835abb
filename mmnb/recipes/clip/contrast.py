"""Contrastive training: the symmetric loss of CLIP, and the embeddings of a small one. Notebook 04b has the loop."""

import torch
from torch import Tensor
from torch.nn import functional

from mmnb.instruments.gap import normalize
from mmnb.models.clip import SmallClip


def symmetric_loss(image_features: Tensor, text_features: Tensor, tau: float | Tensor) -> Tensor:
    """The symmetric InfoNCE loss of unit rows (b, d), in nats, with gradient; the float64 instrument is `mmnb.gap.contrastive_loss`.

    Example:
        >>> round(symmetric_loss(torch.eye(2), torch.eye(2), 1.0).item(), 4)  # ln(1 + 1/e)
        0.3133
    """
    logits = image_features @ text_features.T / tau
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


@torch.no_grad()
def embed(model: SmallClip, images: Tensor, tokens: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Image and text rows of a model in eval mode, float64, of length 1. Raises: ValueError in train mode."""
    if model.training:
        raise ValueError("embed: the model is in train mode; expected eval mode, call `.eval()`")
    sides = ((model.encode_image, images), (model.encode_text, tokens))
    a, b = (torch.cat([encode(part) for part in side.split(batch_size)]) for encode, side in sides)
    return normalize(a), normalize(b)
