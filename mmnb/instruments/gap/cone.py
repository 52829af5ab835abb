"""The cone effect: the mean cosine of embeddings, layer by layer, and its theory for random networks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.gap.embeddings import normalize
from mmnb.instruments.gap.measures import cosine_from_sum
from mmnb.instruments.inputs import array, as_given


def cosine_by_depth(
    layers: Sequence[Callable[[Tensor], Tensor]], batches: Tensor | Iterable[Tensor], *, diagonal: bool
) -> list[float]:
    """`average_cosine` of the inputs and of the flattened output of each of L layers, L + 1 numbers, batch by batch.

    Args:
        layers: L functions or modules in eval mode, each taking the output of the one before, (b, ...) to (b, ...).
        batches: A tensor, or an iterable of tensors.
        diagonal: As in `average_cosine`.
    Raises: ValueError on no layers or rows, a module in train mode, an output of 0 or NaN, or one row without diagonal.
    Example:
        >>> [round(c, 3) for c in cosine_by_depth([torch.relu], torch.tensor([[1.0, 0.0], [0.0, 1.0]]), diagonal=False)]
        [0.0, 0.0]

    Source: Liang et al. 2022, figure 2b (with diagonal, one batch).
    """
    if not layers:
        raise ValueError("cosine_by_depth: got no layers; expected at least one")
    for layer in layers:
        refuse_train_mode(layer, "cosine_by_depth")
    sums, n = [0.0] * (len(layers) + 1), 0
    with torch.no_grad():
        for h in _batches(batches):
            n += len(h)
            for depth in range(len(layers) + 1):
                h = layers[depth - 1](h) if depth else h
                sums[depth] = sums[depth] + normalize(h.reshape(len(h), -1)).sum(0)
    if not n:
        raise ValueError("cosine_by_depth: got no inputs; expected at least one batch")
    return [cosine_from_sum(total, n, diagonal) for total in sums]


def _batches(batches: Any) -> Iterator[Tensor]:
    """One tensor, array or list of rows is one batch; anything else holds batches."""
    if batches is None or (isinstance(batches, list) and batches and not hasattr(batches[0], "ndim")):
        batches = array(batches, "cosine_by_depth")
    one = isinstance(batches, Tensor | np.ndarray) or hasattr(batches, "to_numpy")
    for batch in [batches] if one else batches:
        yield as_given(batch, "cosine_by_depth: a batch", "(b, d, ...)")


def relu_cosine(c: float | np.ndarray) -> float | np.ndarray:
    """Cosine of two vectors after one infinitely wide random ReLU layer without bias, from their cosine before it.

    `kappa(c) = (sqrt(1 - c^2) + (pi - arccos c) c) / pi`; `kappa(-1) = 0`, `kappa(1) = 1`, and `kappa(c) > c` between.

    Example:
        >>> round(relu_cosine(0.0), 4), relu_cosine(1.0)
        (0.3183, 1.0)

    Source: Cho & Saul 2009, the arc-cosine kernel of order 1.
    """
    c = array(c, "relu_cosine")
    if c.dtype.kind == "U" or not c.size or not (np.abs(c := c.astype(float)) <= 1).all():
        raise ValueError(f"relu_cosine: got {c}; expected cosines from -1 to 1")
    result = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi
    return result if result.ndim else float(result)


def relu_recursion(depth: int, *, square: float, bias: bool, c: float = 0.0) -> list[float]:
    """Expected cosine of two inputs after 0, 1, ..., `depth` wide random ReLU layers, weights and biases N(0, 1/width).

    Without bias `c' = kappa(c)`. With bias `c' = kappa((1 + q c)/(1 + q))` and `q' = (1 + q)/2`, as the shared bias
    adds 1 to every inner product and every squared length q.

    Args:
        depth: At least 0.
        square, c: Squared length q of the inputs, above 0, and their cosine.
        bias: Whether the layers have biases.
    Example:
        >>> [round(value, 4) for value in relu_recursion(2, square=512, bias=True)]
        [0.0, 0.3193, 0.4959]

    Source: Ours, from Cho & Saul 2009; Liang et al. 2022 prove the direction (theorem 1), not the value.
    """
    if depth < 0 or not square > 0:
        raise ValueError(f"relu_recursion: got depth = {depth}, square = {square}; expected depth >= 0 and square > 0")
    values = [float(c)]
    for _ in range(depth):
        inner = (1 + square * values[-1]) / (1 + square) if bias else values[-1]
        values.append(relu_cosine(inner))
        square = (1 + square) / 2
    return values
