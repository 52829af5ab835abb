"""Attention maps of a vision-and-language model: of one stream, and of both directions between two streams.

transformers returns all maps of VisualBERT, but of LXMERT's cross-attention only language → vision: vision → language is computed with the same weights
and dropped. Hooks get both; they live inside a `with` block and are always removed. `head_gates` scales what each head of VisualBERT writes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mmnb.models.vl import VisionLanguage


@dataclass
class CrossMaps:
    """One tensor per cross-modal layer of the last call: language_to_vision (b, heads, L, R), vision_to_language (b, heads, R, L); rows sum to 1."""

    language_to_vision: list[Tensor] = field(default_factory=list)
    vision_to_language: list[Tensor] = field(default_factory=list)


@contextmanager
def cross_attention(model: nn.Module) -> Iterator[CrossMaps]:
    """Collect both directions of LXMERT's cross-attention within the block; outputs do not change.

    Each call of the model, any module with `x_layers`, replaces the maps.
    """
    layers = next((m.x_layers for m in model.modules() if hasattr(m, "x_layers")), None)
    if layers is None:
        raise ValueError(f"cross_attention: {type(model).__name__} has no x_layers; expected an LXMERT")
    maps, calls, hooks = CrossMaps(), [0], []

    def force(_module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        return args, kwargs | {"output_attentions": True}

    def keep(_module: nn.Module, _args: tuple, output: tuple) -> None:
        if calls[0] % (2 * len(layers)) == 0:
            maps.language_to_vision.clear()
            maps.vision_to_language.clear()
        side = maps.language_to_vision if calls[0] % 2 == 0 else maps.vision_to_language
        side.append(output[1].detach())
        calls[0] += 1

    try:
        for layer in layers:
            attention = layer.visual_attention.att
            hooks.append(attention.register_forward_pre_hook(force, with_kwargs=True))
            hooks.append(attention.register_forward_hook(keep))
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def maps(model: VisionLanguage, tokens: Tensor, token_mask: Tensor, feature: Tensor, box: Tensor, region_mask: Tensor, *, batch_size: int = 256) -> Tensor:  # fmt: skip
    """Attention of VisualBERT, (n, layers, heads, L + R, L + R): rows = queries, words first, then regions."""
    if model.kind != "visualbert":
        raise ValueError("maps: got a model of two streams; expected VisualBERT (for LXMERT there is cross_attention)")
    _need_eval(model)
    parts, inputs = [], (tokens, token_mask, feature, box, region_mask)
    for batch in zip(*(part.split(batch_size) for part in inputs), strict=True):
        states = model.backbone.visual_bert(**model.inputs(*batch), output_attentions=True)
        parts.append(torch.stack(states.attentions, dim=1))
    return torch.cat(parts)


@torch.no_grad()
def word_to_regions(
    model: VisionLanguage, inputs: tuple[Tensor, ...], query: Tensor, *, batch_size: int = 256
) -> Tensor:
    """Attention from one word per item to all regions, (n, layers, heads, R): rows of `maps`, or LXMERT's language → vision.

    `inputs` are as the model takes them, `query` (n,) int64 the places of the words. Raises ValueError in train mode.
    """
    length = inputs[0].shape[1]
    if (query < 0).any() or (query >= length).any():
        raise ValueError(f"word_to_regions: a query lies outside the {length} words; expected every query among them")
    if model.kind == "visualbert":
        found = maps(model, *inputs, batch_size=batch_size)
        return found[torch.arange(len(query)), :, :, query, length:]
    _need_eval(model)
    parts = []
    with cross_attention(model) as cross:
        for rows in torch.arange(len(query)).split(batch_size):
            model(*(part[rows] for part in inputs))
            layers = torch.stack(cross.language_to_vision, dim=1)
            parts.append(layers[torch.arange(len(rows)), :, :, query[rows]])
    return torch.cat(parts)


@contextmanager
def head_gates(model: VisionLanguage, gates: Tensor) -> Iterator[None]:
    """Multiply what each attention head of VisualBERT hands to the output projection by its gate within the block: 1 leaves a head, 0 ablates it.

    `gates` (layers, heads), or (layers, heads, L + R) for one per place of the sequence; if it requires a gradient it gets one. Maps of the layer
    itself do not change, those of later layers may. Raises: ValueError on a model of two streams, or another shape of gates.

    Source: Michel, Levy & Neubig 2019, with a gate per head.
    """
    if model.kind != "visualbert":
        raise ValueError("head_gates: got a model of two streams; expected VisualBERT")
    layers = model.backbone.visual_bert.encoder.layer
    expected = (len(layers), layers[0].attention.self.num_attention_heads)
    if tuple(gates.shape[:2]) != expected or gates.ndim > 3:
        raise ValueError(
            f"head_gates: got gates {tuple(gates.shape)}; expected (layers, heads) = {expected}, perhaps with places"
        )

    def scale(row: Tensor) -> Callable[[nn.Module, tuple[Tensor]], tuple[Tensor]]:
        row = row[:, None] if row.ndim == 1 else row.T[..., None]  # over (b, L + R, heads, width)
        return lambda _module, args: ((args[0].unflatten(-1, (expected[1], -1)) * row).flatten(-2),)

    hooks = []
    try:
        for layer, row in zip(layers, gates, strict=True):
            hooks.append(layer.attention.output.dense.register_forward_pre_hook(scale(row)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _need_eval(model: VisionLanguage) -> None:
    if model.training:
        raise ValueError("attention: the model is in train mode, its dropout would be in the maps; call .eval() first")
