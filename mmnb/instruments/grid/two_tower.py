"""Two-tower models: each example is encoded once, 2 n encodings in all; only the head, which is small, runs on all n^2 pairs."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmnb.instruments.batches import length, take
from mmnb.instruments.grid.cells import Limit


class TwoTower:
    """head(encode_a(a), encode_b(b)): a model whose two sides meet only in its head.

    Use it like any f(a, b). A model of one's own may offer its parts through a method `two_tower()` that returns this.

    Args:
        encode_a, encode_b: From a batch of one modality to features: a tensor, or a dict or tuple of tensors, first axis = examples.
        head: `head(features_a, features_b)` -> (B, C) or (B,) scores of B pairs.

    Raises:
        TypeError: If one of the three cannot be called.

    Example:
        >>> f = TwoTower(torch.sin, torch.cos, lambda u, v: u * v)
        >>> f(torch.zeros(2), torch.zeros(2))
        tensor([0., 0.])
    """

    def __init__(self, encode_a: Callable, encode_b: Callable, head: Callable) -> None:
        for name, part in (("encode_a", encode_a), ("encode_b", encode_b), ("head", head)):
            if not callable(part):
                raise TypeError(f"TwoTower: {name} is {type(part).__name__}; expected a module or function")
        self.encode_a, self.encode_b, self.head = encode_a, encode_b, head

    def __call__(self, a: Any, b: Any) -> Tensor:
        return self.head(self.encode_a(a), self.encode_b(b))

    @classmethod
    def from_open_clip(cls, model: nn.Module) -> "TwoTower":
        """Similarity logits of an open_clip model: scale * cosine (+ bias), one score a pair; a and b in either order.

        Whole numbers are token ids and go to `encode_text`, anything else to `encode_image`.
        """
        scale = model.logit_scale.detach().exp()
        bias = getattr(model, "logit_bias", None)

        def encode(batch: Tensor) -> Tensor:
            encoder = model.encode_image if batch.is_floating_point() else model.encode_text
            return encoder(batch, normalize=True)

        return cls(encode, encode, ScaledDot(scale, bias))

    @classmethod
    def from_hugging_face(cls, model: nn.Module) -> "TwoTower":
        """Similarity logits of a dual encoder from transformers (CLIP, SigLIP, ALIGN, CLAP, ...), one score a pair; a, b in either order.

        A batch is what the processor returns for one modality: a dict with "input_ids" is text, and so is a tensor of whole numbers.
        """
        other = next((kind for kind in ("image", "audio") if hasattr(model, f"get_{kind}_features")), None)
        names = ("logit_scale", "logit_scale_t", "temperature")
        level = next((getattr(model, name) for name in names if hasattr(model, name)), None)
        if other is None or level is None:
            raise TypeError(
                f"TwoTower.from_hugging_face: {type(model).__name__} has no get_image_features or get_audio_features with a logit scale; "
                "expected a dual encoder"
            )
        level = torch.as_tensor(level).detach()
        scale = 1 / level if hasattr(model, "temperature") else level.exp()

        def encode(batch: Any) -> Tensor:
            text = "input_ids" in batch if isinstance(batch, Mapping) else not batch.is_floating_point()
            if not isinstance(batch, Mapping):
                batch = {"input_ids" if text else "pixel_values" if other == "image" else "input_features": batch}
            output = getattr(model, "get_text_features" if text else f"get_{other}_features")(**batch)
            return nn.functional.normalize(getattr(output, "pooler_output", output), dim=-1)

        return cls(encode, encode, ScaledDot(scale, getattr(model, "logit_bias", None)))


class ScaledDot:
    """scale * <a, b> + bias, (B, 1): how dual encoders compare."""

    def __init__(self, scale: Tensor, bias: Tensor | None = None) -> None:
        self.scale = scale.detach().reshape(())
        self.bias = self.scale.new_zeros(()) if bias is None else bias.detach().reshape(())

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.scale * (a * b).sum(-1) + self.bias)[:, None]

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """All pairs: (P, d), (Q, d) -> (P, Q, 1)."""
        return (self.scale * (a @ b.T) + self.bias)[:, :, None]


def two_tower_of(f: Any) -> TwoTower | None:
    """The towers of f where it is known to have them: a TwoTower, a model with `two_tower()`, of open_clip or a dual encoder."""
    if isinstance(f, TwoTower):
        return f
    if hasattr(f, "two_tower"):
        return f.two_tower()
    if hasattr(f, "encode_image") and hasattr(f, "encode_text") and hasattr(f, "logit_scale"):
        return TwoTower.from_open_clip(f)
    if hasattr(f, "get_text_features") and (hasattr(f, "get_image_features") or hasattr(f, "get_audio_features")):
        return TwoTower.from_hugging_face(f)
    return None


def encode_all(encode: Callable, batch: Any, batch_size: int, side: str) -> Any:
    """Features of all examples, batch by batch. Raises ValueError when an encoder does not give one row per example."""

    def encoded(part: slice) -> Any:
        features = encode(take(batch, torch.arange(part.start, part.stop)))
        found, wanted = length(features, f"grid: what encode_{side} returned"), part.stop - part.start
        if found != wanted:
            raise ValueError(f"grid: encode_{side} returned {found} rows for {wanted} examples; expected one each")
        return features

    return _join(Limit(batch_size).parts(encoded, length(batch), "examples"))


def _join(parts: list) -> Any:
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: _join([part[key] for part in parts]) for key in first}
    if isinstance(first, tuple):
        return tuple(_join([part[k] for part in parts]) for k in range(len(first)))
    if isinstance(first, list):
        return [item for part in parts for item in part]
    return torch.cat([torch.as_tensor(part) for part in parts])
