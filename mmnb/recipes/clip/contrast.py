"""Contrastive training: the symmetric loss of CLIP, at a fixed or a learnt temperature."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mmnb.instruments.gap import normalize
from mmnb.models.clip import SmallClip
from mmnb.recipes.fit import History, fit


def symmetric_loss(image_features: Tensor, text_features: Tensor, tau: float | Tensor) -> Tensor:
    """The symmetric InfoNCE loss of unit rows (b, d), in nats, with gradient; the float64 instrument is `mmnb.gap.contrastive_loss`.

    Example:
        >>> round(symmetric_loss(torch.eye(2), torch.eye(2), 1.0).item(), 4)  # ln(1 + 1/e)
        0.3133
    """
    logits = image_features @ text_features.T / tau
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def fit_contrastive(
    model: SmallClip,
    images: Tensor,
    tokens: Tensor,
    *,
    tau: float,
    seed: int,
    epochs: int,
    batch_size: int = 100,
    learn_tau: bool = False,
    **options: Any,
) -> History:
    """Train `model` in place on pairs (images[i], tokens[i]); the last weights are kept, in eval mode.

    It carries its temperature as `model.temperature`; with `learn_tau` -ln tau is trained with the rest, from `tau` on, as in CLIP (no weight
    decay, no bound). The seed is that of the order of the pairs. Options go to `fit`; learning_rate is 3e-3, weight_decay 0.1 and
    largest_gradient 1.0 unless given. n must be a multiple of batch_size: a short batch has an easier task.
    """
    if len(images) != len(tokens) or len(images) % batch_size or not tau > 0:
        raise ValueError(
            f"fit_contrastive: got {len(images)} images, {len(tokens)} texts, batch_size {batch_size}, tau {tau}; expected pairs, a multiple of the "
            "batch size, and a temperature above 0"
        )
    scale = model.model.logit_scale  # -ln tau
    scale.requires_grad_(learn_tau)  # AdamW leaves alone what has no gradient
    with torch.no_grad():
        scale.fill_(-math.log(tau))

    def loss(rows: Tensor) -> Tensor:
        now = (-scale).exp() if learn_tau else tau
        return symmetric_loss(model.encode_image(images[rows]), model.encode_text(tokens[rows]), now)

    # at a low temperature early gradients are a hundred times larger
    options = {"learning_rate": 3e-3, "weight_decay": 0.1, "largest_gradient": 1.0} | options
    options |= {"batch_size": batch_size, "undecayed": scale if learn_tau else None}
    return fit(model, loss, len(images), epochs=epochs, generator=torch.Generator().manual_seed(seed), **options)


@torch.no_grad()
def embed(model: SmallClip, images: Tensor, tokens: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Image and text rows of a model in eval mode, float64, of length 1. Raises: ValueError in train mode."""
    if model.training:
        raise ValueError("embed: the model is in train mode; expected eval mode, call `.eval()`")
    sides = ((model.encode_image, images), (model.encode_text, tokens))
    a, b = (torch.cat([encode(part) for part in side.split(batch_size)]) for encode, side in sides)
    return normalize(a), normalize(b)
