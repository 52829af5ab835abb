"""Which parts of an input are removed, and where a phrase stands among the wordpieces of its caption."""

from collections.abc import Sequence

import torch
from torch import Tensor

CONDITIONS = ("none", "aligned", "random", "all")


def ablation_mask(condition: str, aligned: Tensor, valid: Tensor, *, seed: int = 0) -> Tensor:
    """The parts to remove under one condition, (n, R) bool.

    "random" controls for the amount: parts that are *not* aligned, as many as are aligned (or all, if there are fewer).

    Args:
        condition: "none", "aligned", "random" or "all".
        aligned: (n, R) bool, parts that show the target.
        valid: (n, R) bool, parts that exist.
        seed: Seed of the condition "random".
    Example:
        >>> aligned, valid = torch.tensor([[True, False, False]]), torch.ones(1, 3, dtype=torch.bool)
        >>> ablation_mask("aligned", aligned, valid).sum().item(), ablation_mask("random", aligned, valid).sum().item()
        (1, 1)

    Source: none, aligned ("object", "phrase") and all: Frank et al. 2021. The control for the amount is ours.
    """
    return draw_mask(condition, aligned, valid, torch.Generator().manual_seed(seed))


def draw_mask(condition: str, aligned: Tensor, valid: Tensor, generator: torch.Generator) -> Tensor:
    """`ablation_mask` from a generator, so that several draws are independent."""
    if condition not in CONDITIONS:
        raise ValueError(f"ablation_mask: got condition {condition!r}; expected one of {', '.join(CONDITIONS)}")
    if aligned.dtype != torch.bool or valid.dtype != torch.bool:
        raise TypeError(f"ablation_mask: got {aligned.dtype} and {valid.dtype}; expected bool masks")
    if aligned.shape != valid.shape or aligned.ndim != 2:
        shapes = f"{tuple(aligned.shape)} and {tuple(valid.shape)}"
        raise ValueError(f"ablation_mask: got shapes {shapes}; expected one shape (n, R)")
    if condition == "none":
        return torch.zeros_like(valid)
    if condition == "all":
        return valid.clone()
    if condition == "aligned":
        return aligned & valid
    free = valid & ~aligned
    draw = torch.rand(free.shape, generator=generator).to(free.device).masked_fill(~free, 2.0)
    rank = draw.argsort(1).argsort(1)
    return free & (rank < (aligned & valid).sum(1, keepdim=True))


def phrase_span(
    caption: Sequence[int], phrase: Sequence[int], *, start: int = 0, limit: int | None = None
) -> tuple[int, int]:
    """The first (start, end), from `start` on, with caption[start:end] == phrase.

    Args:
        caption: Wordpiece ids.
        phrase: Wordpiece ids.
        start: First position allowed; pass the end of the previous phrase to find a repeated phrase twice.
        limit: Number of wordpieces that the model sees; None for all.
    Raises: ValueError when the phrase is empty, absent, or not wholly inside the limit, where its loss would be
        undefined.
    Example:
        >>> phrase_span([101, 1037, 2417, 4418, 102], [2417, 4418])
        (2, 4)

    Source: Frank et al. 2021, released code, which continues when the phrase lies beyond the limit (its loss is then
        NaN).
    """
    caption, phrase = list(caption), list(phrase)
    if not phrase:
        raise ValueError("phrase_span: got an empty phrase; expected at least one wordpiece")
    for place in range(max(start, 0), len(caption) - len(phrase) + 1):
        end = place + len(phrase)
        if caption[place:end] == phrase:
            if limit is not None and end > limit:
                raise ValueError(
                    f"phrase_span: the phrase ends at {end}, the caption is cut after {limit}; expected it inside"
                )
            return place, end
    raise ValueError(f"phrase_span: {phrase} is not in the caption from place {start} on; expected its pieces in a row")


def span_mask(spans: Tensor, length: int) -> Tensor:
    """Spans (n, 2) as a mask (n, length), True from start to before end.

    Example:
        >>> span_mask(torch.tensor([[1, 3]]), 4).tolist()
        [[False, True, True, False]]
    """
    spans = torch.as_tensor(spans)
    if spans.ndim != 2 or spans.shape[1] != 2 or (spans[:, 0] < 0).any() or (spans[:, 1] > length).any():
        raise ValueError(f"span_mask: got spans {tuple(spans.shape)} for {length} wordpieces; expected (n, 2) inside")
    if (spans[:, 1] <= spans[:, 0]).any():
        raise ValueError("span_mask: a span is empty; expected start < end")
    place = torch.arange(length, device=spans.device)
    return (place >= spans[:, :1]) & (place < spans[:, 1:])
