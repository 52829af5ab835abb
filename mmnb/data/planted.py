"""Models with one planted fault each, and a control that has none: what a report's warnings are tested and set with.

Two sides, "image" and "text": each a sign and a number. The label is the sign of 1.2 s t + 0.6 u + 0.6 v + noise, s and t the two signs, u and v
the two numbers: both sides and their interaction matter. The control's logits are that sum without the noise, times two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

SIDES = ("image", "text")


@dataclass(frozen=True)
class Planted:
    """A model and its data.

    Attributes:
        model: f(image, text) -> (B, 2) logits.
        data: Keywords of `mmnb.Data`.
        fault: What was planted; "none" for the control.
    """

    model: Callable[[Tensor, Tensor], Tensor]
    data: dict[str, Any] = field(repr=False)
    fault: str


def two(score: Tensor) -> Tensor:
    """Logits of two classes from the score of the second."""
    return torch.stack([torch.zeros_like(score), score], -1)


def control(image: Tensor, text: Tensor) -> Tensor:
    """The model without a fault."""
    return two(2 * (1.2 * image[:, 0] * text[:, 0] + 0.6 * image[:, 1] + 0.6 * text[:, 1]))


def _blind_to_image(image: Tensor, text: Tensor) -> Tensor:
    return two(2 * text[:, 1] + 0 * image[:, 1])


def _blind_to_text(image: Tensor, text: Tensor) -> Tensor:
    return two(2 * image[:, 1] + 0 * text[:, 1])


def _additive(image: Tensor, text: Tensor) -> Tensor:
    return two(2 * image[:, 1] + 2 * text[:, 1])


def _xor(image: Tensor, text: Tensor) -> Tensor:
    return two(2 * image[:, 0] * text[:, 0])


def _saturated(image: Tensor, text: Tensor) -> Tensor:
    return 3 * _additive(image, text)


def _of_the_batch(image: Tensor, text: Tensor) -> Tensor:
    scores = control(image, text)
    return scores - scores.mean(0)


def _never_twice_the_same(image: Tensor, text: Tensor) -> Tensor:
    scores = control(image, text)
    return scores + torch.randn_like(scores)


def _probabilities(image: Tensor, text: Tensor) -> Tensor:
    return control(image, text).softmax(-1)


def _blank_is_special(image: Tensor, text: Tensor) -> Tensor:
    """Reads the text, and says the contrary where the image is blank, as nothing in training forbade."""
    dim = (image.abs().sum(1) < 1.5).double()
    return two(2 * text[:, 1] * (1 - 2 * dim))


def _image_wins(image: Tensor, text: Tensor) -> Tensor:
    """Follows the image wherever the two sides disagree, though barely: sizes do not explain it."""
    u, v = image[:, 1], text[:, 1]
    return two(2 * torch.where(u * v < 0, 0.3 * u.sign(), u + v))


def _off_its_pairs(image: Tensor, text: Tensor) -> Tensor:
    """Sure of pairs that belong together, lost with others."""
    together = (image[:, 2] - text[:, 2]).abs() < 1e-9
    return control(image, text) * torch.where(together, 4.0, 0.1)[:, None]


def _misled(image: Tensor, text: Tensor) -> Tensor:
    return two(2 * text[:, 1] + 6 * image[:, 2])


def _match(image: Tensor, text: Tensor) -> Tensor:
    """How well the two belong together: one score, a product of codes."""
    return (image[:, 3:] * text[:, 3:]).sum(1)


def _match_of_sides(image: Tensor, text: Tensor) -> Tensor:
    return image[:, 3:].sum(1) + text[:, 3:].sum(1)


MODELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": control,
    "blind to image": _blind_to_image,
    "blind to text": _blind_to_text,
    "additive": _additive,
    "xor": _xor,
    "random labels": control,
    "depends on the batch": _of_the_batch,
    "noisy": _never_twice_the_same,
    "probabilities": _probabilities,
    "duplicated pictures": control,
    "options per example": control,
    "blank is special": _blank_is_special,
    "saturated": _saturated,
    "image wins": _image_wins,
    "off its pairs": _off_its_pairs,
    "misled by the image": _misled,
    "binds": _match,
    "does not bind": _match_of_sides,
}


def planted(fault: str, n: int, seed: int = 0) -> Planted:
    """A model with this fault, and n examples.

    Args:
        fault: One of `MODELS`; "none" is the control.
        n: Examples; even for minimal pairs.
        seed: Of everything that is drawn.

    Raises:
        ValueError: For another fault.

    Example:
        >>> world = planted("none", 200)
        >>> scores = world.model(world.data["image"], world.data["text"])
        >>> (scores.argmax(1) == world.data["y"]).double().mean().item() > 0.8
        True
    """
    if fault not in MODELS:
        raise ValueError(f"planted: got fault {fault!r}; expected one of {', '.join(MODELS)}")
    g = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(n, 8, generator=g, dtype=torch.float64) for _ in SIDES)
    image[:, 0], text[:, 0] = image[:, 0].sign(), text[:, 0].sign()
    text[:, 2] = image[:, 2]  # what only a pair that belongs together shares
    if fault == "duplicated pictures":
        image = image[torch.arange(n) // 3]
    noise = 0.5 * torch.randn(n, generator=g, dtype=torch.float64)
    y = (1.2 * image[:, 0] * text[:, 0] + 0.6 * image[:, 1] + 0.6 * text[:, 1] + noise > 0).long()
    if fault == "xor":
        y = (image[:, 0] * text[:, 0] + 0.5 * noise > 0).long()
    elif fault in ("additive", "saturated", "image wins"):
        y = (image[:, 1] + text[:, 1] + noise > 0).long()
    elif fault in ("blind to image", "misled by the image", "blank is special"):
        y = (text[:, 1] + noise > 0).long()
    elif fault == "blind to text":
        y = (image[:, 1] + noise > 0).long()
    elif fault == "random labels":
        y = y[torch.randperm(n, generator=g)]
    data: dict[str, Any] = {"image": image, "text": text, "y": y}
    if fault == "options per example":
        data["options"] = [["yes", "no"] if i % 2 else ["no", "yes"] for i in range(n)]
    if fault in ("binds", "does not bind"):
        text[:, 3:] = image[:, 3:] + 0.2 * text[:, 3:]
        data = {"image": image, "text": text, "pair": torch.arange(n) // 2}
    return Planted(MODELS[fault], data, fault)
