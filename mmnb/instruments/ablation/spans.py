"""Where a phrase stands among the wordpieces of its caption."""

from collections.abc import Sequence

import torch
from torch import Tensor


def phrase_span(
    caption: Sequence[int], phrase: Sequence[int], *, start: int = 0, limit: int | None = None
) -> tuple[int, int]:
    """First place, from `start` on, where all wordpieces of a phrase stand in a row.

    Args:    caption, phrase: wordpiece ids; start, the first place that may be used: give the end of the phrase before, so that a phrase that occurs
             twice is found twice; limit, how many wordpieces the model sees (None: all).
    Returns: (start, end), end behind the last piece; caption[start:end] == phrase.
    Raises:  ValueError when the phrase is empty, is not there, or does not lie wholly inside the limit: masking half a phrase, or none of it,
             would average over nothing.
    Example:
        >>> phrase_span([101, 1037, 2417, 4418, 102], [2417, 4418])
        (2, 4)

    Source:  Frank et al. 2021, released code, which searches in the same way but goes on when the phrase lies behind the limit (its loss is then NaN).
    """
    caption, phrase = list(caption), list(phrase)
    if not phrase:
        raise ValueError("phrase_span: got an empty phrase; expected at least one wordpiece")
    for place in range(max(start, 0), len(caption) - len(phrase) + 1):
        if caption[place : place + len(phrase)] == phrase:
            end = place + len(phrase)
            if limit is not None and end > limit:
                raise ValueError(
                    f"phrase_span: the phrase ends at wordpiece {end}; the caption is cut after {limit}; expected it inside"
                )
            return place, end
    raise ValueError(
        f"phrase_span: the phrase {phrase} is not in the caption from place {start} on; expected its wordpieces in a row"
    )


def span_mask(spans: Tensor, length: int) -> Tensor:
    """Spans (n, 2) as a mask (n, length), True from start to before end.

    Raises: ValueError when a span is empty or leaves the caption.
    Example:
        >>> span_mask(torch.tensor([[1, 3]]), 4).tolist()
        [[False, True, True, False]]
    """
    spans = torch.as_tensor(spans)
    if spans.ndim != 2 or spans.shape[1] != 2 or (spans[:, 0] < 0).any() or (spans[:, 1] > length).any():
        raise ValueError(
            f"span_mask: got spans of shape {tuple(spans.shape)} for captions of {length}; expected (n, 2) inside the caption"
        )
    if (spans[:, 1] <= spans[:, 0]).any():
        raise ValueError("span_mask: a span is empty; expected start < end")
    place = torch.arange(length, device=spans.device)
    return (place >= spans[:, :1]) & (place < spans[:, 1:])
