"""Two-tower models: each example is encoded once, 2 n encodings in all; only the head, which is small, runs on all n^2 pairs."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmnb.instruments.batches import call, each_part, for_module, length, take
from mmnb.instruments.checks import allowed_change, check_deterministic, precision
from mmnb.instruments.grid.cells import Limit

_LIBRARIES = ("open_clip", "clip", "transformers")  # their models' forward is known to compare the two encoders


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
        return self.head(call(self.encode_a, a), call(self.encode_b, b))

    @classmethod
    def from_open_clip(cls, model: nn.Module) -> "TwoTower":
        """Similarity logits of a model of open_clip or OpenAI's clip: scale * cosine (+ bias), one score a pair; a, b in either order.

        Whole numbers are token ids and go to `encode_text`, real ones to `encode_image`: tensors, arrays, or lists of preprocessed images.
        """
        scale = model.logit_scale.detach().exp()
        bias = getattr(model, "logit_bias", None)

        def encode(batch: Any) -> Tensor:
            batch = _dense(batch, model)
            encoder = model.encode_image if batch.is_floating_point() else model.encode_text
            if "normalize" in inspect.signature(encoder).parameters:
                return encoder(batch, normalize=True)
            return nn.functional.normalize(encoder(batch), dim=-1)

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
        if hasattr(model, "max_log_logit_scale"):  # AIMv2
            level = level.clamp(0, model.max_log_logit_scale)
        scale = 1 / level if hasattr(model, "temperature") else level.exp()

        def encode(batch: Any) -> Tensor:
            batch = for_module(batch, model) if isinstance(batch, Mapping) else _dense(batch, model)
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


def two_tower_of(f: Any, a: Any, b: Any) -> TwoTower | None:
    """The towers of f where it has them: a TwoTower, a model with `two_tower()`, of open_clip or a dual encoder.

    A class that only has such encoders, or a subclass with a forward of its own, may do more with them. Where its f(a, b) gives one row
    per pair, that is the model, and it has no towers.
    """
    if isinstance(f, TwoTower):
        return f
    if hasattr(f, "two_tower"):
        return f.two_tower()
    if hasattr(f, "encode_image") and hasattr(f, "encode_text") and hasattr(f, "logit_scale"):
        made = TwoTower.from_open_clip
    elif hasattr(f, "get_text_features") and (hasattr(f, "get_image_features") or hasattr(f, "get_audio_features")):
        made = TwoTower.from_hugging_face
    else:
        return None
    known = getattr(type(f), "forward", f.__class__).__module__.partition(".")[0] in _LIBRARIES
    return None if not known and _scores_pairs(f, a, b) else made(f)


def _scores_pairs(f: Any, a: Any, b: Any) -> bool:
    """Whether f(a, b) gives one row per pair: (3, C) for three and (1, C) for one. A table of all pairs is (3, 3) and (1, 1)."""
    shapes = []
    for pairs in (3, 1):
        try:
            index = torch.zeros(pairs, dtype=torch.int64)
            found = call(f, take(a, index), take(b, index))
        except (TypeError, ValueError, RuntimeError, AttributeError, LookupError) as error:
            text = f"grid: {type(f).__name__} cannot be called as f(a, b) ({type(error).__name__}: {error}): its encoders are compared instead"
            warnings.warn(text, UserWarning, stacklevel=2)
            return False
        shapes.append(tuple(found.shape) if isinstance(found, Tensor | np.ndarray) else ())
    return (
        all(0 < len(shape) < 3 and shape[0] == n for shape, n in zip(shapes, (3, 1), strict=True))
        and shapes[0][1:] == shapes[1][1:]
    )


def _dense(batch: Any, model: nn.Module) -> Tensor:
    """Preprocessed images or token ids of a dual encoder as one tensor on its device."""
    if isinstance(batch, list) and all(isinstance(item, Tensor | np.ndarray) for item in batch):
        batch = torch.stack([torch.as_tensor(item) for item in batch])
        batch = batch.to(next(model.parameters()).device)
    batch = for_module(batch, model)
    got = f"a list of {type(batch[0]).__name__}" if isinstance(batch, list) else type(batch).__name__
    if isinstance(batch, Tensor) and batch.ndim > 2 and not batch.is_floating_point():
        got = f"{batch.dtype} of shape {tuple(batch.shape)}"
    elif isinstance(batch, Tensor):
        return batch
    raise TypeError(
        f"grid: got {got} for {type(model).__name__}; expected what it is given in use: preprocessed images (real numbers) and token ids, "
        "such as torch.stack([preprocess(image) for image in images]) and tokenizer(texts)"
    )


def probes(n: int, batch_size: int) -> list[Tensor]:
    """Examples to compute again in a small batch: the first, the last, and up to three in the middle."""
    middle = n // 2, min(n, n // 2 + 3, n // 2 + batch_size)
    return [torch.arange(start, stop) for start, stop in sorted({(0, 1), (n - 1, n), middle})]


def check_encoder(encode: Callable, batch: Any, features: Any, batch_size: int, side: str) -> None:
    """Raise ValueError if an encoder's features of an example depend on the batch around it."""
    kept = _tensors(features)
    allowed = [
        allowed_change(part.flatten(1) if part.ndim > 1 else part[:, None], precision(encode, part)) for part in kept
    ]
    for probe in probes(length(batch), batch_size):
        again = _tensors(call(encode, take(batch, probe)))
        for before, after, most in zip(kept, again, allowed, strict=True):
            before = before[probe.to(before.device)]
            check_deterministic(
                before.cpu(), after.cpu(), most, f"by encode_{side} in a batch and alone", "grid", "example"
            )


def _tensors(features: Any) -> list[Tensor]:
    """All tensors of real numbers in features."""
    found: list[Any] = []
    each_part(features, found.append)
    found = [torch.as_tensor(part) for part in found if isinstance(part, Tensor | np.ndarray)]
    return [part for part in found if part.is_floating_point()]


def encode_all(encode: Callable, batch: Any, batch_size: int, side: str) -> Any:
    """Features of all examples, batch by batch. Raises ValueError when an encoder does not give one row per example."""

    def encoded(part: slice) -> Any:
        features = call(encode, take(batch, torch.arange(part.start, part.stop)))
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
