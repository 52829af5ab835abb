"""Planted faults that need no mixed pairs: embedding spaces, texts, and encoders of a model trained jointly or alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

_CLASSES, _WIDTH = 4, 32
SPACES = ("closed gap", "gap that costs", "hubs", "narrow")
TEXTS = ("reads order", "bag of words")
ENCODERS = ("learnt as much", "lazy image")


def planted_space(fault: str, n: int, seed: int = 0) -> dict[str, Any]:
    """Keywords of `mmnb.Embeddings`: pairs around class centres; "closed gap" is the control.

    Args:
        fault: One of `SPACES`: an offset of one modality that separates it from the other, one text that lies near all images, or
            embeddings that use two directions of 32.
        n: Pairs.
        seed: Of everything that is drawn.

    Raises:
        ValueError: For another fault.

    Example:
        >>> planted_space("closed gap", 20)["image"].shape
        torch.Size([20, 32])
    """
    _known("planted_space", fault, SPACES)
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % _CLASSES
    centres = 1.5 * torch.randn(_CLASSES, _WIDTH, generator=g, dtype=torch.float64)
    shared = torch.randn(n, _WIDTH, generator=g, dtype=torch.float64)
    if fault == "narrow":
        basis = torch.randn(2, _WIDTH, generator=g, dtype=torch.float64)
        centres, shared = centres[:, :2] @ basis, shared[:, :2] @ basis
    image, text = (centres[y] + shared + 0.3 * shared.std() * torch.randn(n, _WIDTH, generator=g, dtype=torch.float64) * (fault != "narrow") for _ in range(2))  # fmt: skip
    if fault == "gap that costs":
        offset = torch.randn(_WIDTH, generator=g, dtype=torch.float64)
        image, text = image + 3 * offset, text - 3 * offset
    if fault == "hubs":
        image = image + 12  # all images share a direction, and a few texts lie along it
        text[: max(1, n // 30)] = 12 + 0.1 * text[: max(1, n // 30)]
    return {"image": image, "text": text, "y": y}


@dataclass(frozen=True)
class PlantedTexts:
    """A model of numbers and texts, and keywords of `mmnb.Data`."""

    model: Callable[[Tensor, list[str]], Tensor]
    data: dict[str, Any] = field(repr=False)


def planted_texts(fault: str, n: int, seed: int = 0) -> PlantedTexts:
    """A model that reads which of two words comes first, or one that only reads which words there are.

    Example:
        >>> planted_texts("reads order", 2).data["text"]
        ['blue near red', 'red near blue']
    """
    _known("planted_texts", fault, TEXTS)
    g = torch.Generator().manual_seed(seed)
    first = torch.randint(0, 2, (n,), generator=g)
    image = torch.randn(n, 1, generator=g, dtype=torch.float64)
    if fault == "reads order":
        texts = ["red near blue" if one else "blue near red" for one in first.tolist()]

        def signs(batch: list[str]) -> list[float]:
            return [
                1.0 if "red" in text.split() and text.split().index("red") < text.split().index("blue") else -1.0
                for text in batch
            ]
    else:
        texts = ["red near here" if one else "blue near here" for one in first.tolist()]

        def signs(batch: list[str]) -> list[float]:
            return [1.0 if "red" in text.split() else -1.0 for text in batch]

    def model(image: Tensor, text: list[str]) -> Tensor:
        sides = torch.tensor([signs([one])[0] if one else 0.0 for one in text], dtype=torch.float64)
        score = 2 * image[:, 0] * sides + sides
        return torch.stack([torch.zeros_like(score), score], 1)

    y = (image[:, 0] * (2 * first - 1) + 0.5 * (2 * first - 1) > 0).long()
    return PlantedTexts(model, {"image": image, "text": texts, "y": y})


@dataclass(frozen=True)
class PlantedEncoders:
    """Encoders (of the joint model, trained alone) for each side, keywords of `mmnb.Data` for testing, and the same for training."""

    encoders: dict[str, tuple[nn.Module, nn.Module]]
    data: dict[str, Any] = field(repr=False)
    train: dict[str, Any] = field(repr=False)


def planted_encoders(fault: str, n: int, seed: int = 0) -> PlantedEncoders:
    """Encoders of 8 numbers, of which the first tells the class; the lazy one of the joint model lets little of it through.

    Example:
        >>> sorted(planted_encoders("lazy image", 10).encoders)
        ['image', 'text']
    """
    _known("planted_encoders", fault, ENCODERS)
    g = torch.Generator().manual_seed(seed)

    def split(rows: int) -> dict[str, Any]:
        y = torch.randint(0, 2, (rows,), generator=g)
        image, text = (torch.randn(rows, 8, generator=g) for _ in range(2))
        image[:, 0] += 4.0 * y - 2
        text[:, 0] += 4.0 * y - 2
        return {"image": image, "text": text, "y": y}

    def encoder(lazy: bool) -> nn.Module:
        weight = torch.linalg.qr(torch.randn(8, 8, generator=g))[0]
        if lazy:
            weight[:, 0] = 0
        layer = nn.Linear(8, 8, bias=False).requires_grad_(False)
        layer.weight.copy_(weight)
        return layer.eval()

    sides = {"image": (encoder(fault == "lazy image"), encoder(False)), "text": (encoder(False), encoder(False))}
    return PlantedEncoders(sides, split(n), split(2 * n))


def _known(name: str, fault: str, faults: tuple[str, ...]) -> None:
    if fault not in faults:
        raise ValueError(f"{name}: got fault {fault!r}; expected one of {', '.join(faults)}")
