"""Six examples each of what is most interactive, least informative, most contested, and wrong though interactive."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.measured import ADDITIVE, MODEL, Measured
from mmnb.diagnosis.parts import NotMeasured, section
from mmnb.instruments.reliance.cells import predicted

_EACH, _PIXELS, _LETTERS = 6, 64, 90


def examples(m: Measured) -> dict[str, Any]:
    """Index, thumbnail and text of the most telling examples, and what model, additive part and sides say."""
    if not m.batches or m.many is not None:
        raise NotMeasured("a model and data of two modalities")
    score, groups = m.first.emap.interaction_score, {}
    groups["most interactive"] = score
    said = predicted(m.outputs)
    if m.y is not None:
        try:
            wrong = said != m.codes
            groups["wrong, though interactive"] = torch.where(wrong, score, torch.nan)
        except NotMeasured:
            pass
    for name, bits in m.extras.get("bits", {}).items():
        groups[f"least bits from {name}"] = -bits
    if "conflict" in m.extras:
        groups["sides most often overruled"] = -m.extras["conflict"]
    found = {title: _lines(m, values) for title, values in groups.items()}
    notes = [
        "Thumbnails and the first words of texts of these examples are the only data in this file: leave "
        "the section out before you share what may not be shared."
    ]
    return section(
        "examples",
        "",
        "",
        "Extremes are chosen after the fact: they show what to look at, not how often it happens.",
        items={k: v for k, v in found.items() if v},
        notes=notes,
    )


def _lines(m: Measured, values: Tensor) -> list[dict[str, Any]]:
    order = [i for i in torch.nan_to_num(values, -torch.inf).argsort(descending=True).tolist() if values[i].isfinite()][
        :_EACH
    ]
    voices = {MODEL: m.outputs, ADDITIVE: m.first.emap.projected} | {f"{name} alone": m.alone(name) for name in m.names}
    said = {name: predicted(scores) for name, scores in voices.items()}
    lines = []
    for i in order:
        parts = [f"label {m.y[i]}"] if m.y is not None and np.ndim(m.y) == 1 else []
        parts += [f"{name}: {int(classes[i])}" for name, classes in said.items()]
        words = [
            f"“{batch[i][:_LETTERS]}”"
            for batch in m.batches.values()
            if isinstance(batch, list) and isinstance(batch[i], str)
        ]
        picture = next((url for batch in m.batches.values() if (url := thumbnail(batch, i)) is not None), None)
        lines.append({"index": i, "text": " · ".join([*words, *parts]), "picture": picture})
    return lines


def thumbnail(batch: Any, i: int) -> str | None:
    """A PNG of at most 64 x 64 pixels as a data address, of (3, h, w), (1, h, w), (h, w, 3), (h, w) or a picture of Pillow."""
    if not isinstance(batch, Tensor | np.ndarray | list) or (
        isinstance(batch, list) and not hasattr(batch[i], "convert")
    ):
        return None
    pixels = (
        np.asarray(batch[i].convert("RGB"))
        if isinstance(batch, list)
        else np.asarray(torch.as_tensor(batch[i]).detach().cpu().float())
    )
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and min(pixels.shape[1:]) > 4:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 2 and min(pixels.shape) > 4:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or min(pixels.shape[:2]) <= 4:
        return None
    step = -(-max(pixels.shape[:2]) // _PIXELS)
    pixels = pixels[::step, ::step].astype(np.float64)
    low, high = pixels.min(), pixels.max()
    pixels = (255 * (pixels - low) / (high - low or 1)).round().astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(np.repeat(pixels, 3 // pixels.shape[2], 2))).decode()


def _png(pixels: np.ndarray) -> bytes:
    """(h, w, 3) bytes as a PNG."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
