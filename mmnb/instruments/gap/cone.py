"""The cone effect: how narrow embeddings get on their way through a network, layer by layer, and what theory says for random ones."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.gap.measures import cosine_from_sum
from mmnb.instruments.gap.sides import normalize


def cosine_by_depth(
    layers: Sequence[Callable[[Tensor], Tensor]], batches: Tensor | Iterable[Tensor], *, diagonal: bool
) -> list[float]:
    """Average cosine of the inputs and after each layer; any stack, any number of inputs, memory for one batch and one vector per depth.

    Formula: with h the flattened output of a layer, (|sum h/|h||^2 - n) / (n (n-1)), or |sum h/|h||^2 / n^2 with the diagonal; see
             `average_cosine`. The sums run over batches, in float64.
    Args:    layers, L functions or modules (in eval mode), each taking the output of the one before, (b, ...) to (b, ...); batches, a tensor, or
             an iterable of tensors; diagonal, as in `average_cosine`.
    Returns: L + 1 numbers, the first for the inputs.
    Raises:  ValueError on no layers, no rows, a module in train mode, an output of 0 or NaN, or one row without diagonal.
    Example:
        >>> [round(c, 3) for c in cosine_by_depth([torch.relu], torch.tensor([[1.0, 0.0], [0.0, 1.0]]), diagonal=False)]
        [0.0, 0.0]

    Source:  Liang et al. 2022, figure 2b (with diagonal, one batch).
    """
    if not layers:
        raise ValueError("cosine_by_depth: got no layers; expected at least one")
    for layer in layers:
        refuse_train_mode(layer, "cosine_by_depth")
    sums: list[Tensor | None] = [None] * (len(layers) + 1)
    n = 0
    with torch.no_grad():
        for h in [batches] if isinstance(batches, Tensor) else batches:
            n += len(h)
            for depth in range(len(layers) + 1):
                h = layers[depth - 1](h) if depth else h
                part = normalize(h.reshape(len(h), -1)).sum(0)
                sums[depth] = part if sums[depth] is None else sums[depth] + part
    if not n:
        raise ValueError("cosine_by_depth: got no inputs; expected at least one batch")
    return [cosine_from_sum(total, n, diagonal, "cosine_by_depth") for total in sums]


def relu_cosine(c: float | np.ndarray) -> float | np.ndarray:
    """Cosine of two vectors after one infinitely wide random ReLU layer without bias, from their cosine before it.

    Formula: kappa(c) = (sqrt(1 - c^2) + (pi - arccos c) c) / pi; kappa(-1) = 0, kappa(1) = 1, and kappa(c) > c between.
    Raises:  ValueError outside of [-1, 1].
    Example:
        >>> round(relu_cosine(0.0), 4), relu_cosine(1.0)
        (0.3183, 1.0)

    Source:  Cho & Saul 2009, the arc-cosine kernel of order 1.
    """
    c = np.asarray(c, dtype=float)
    if not (np.abs(c) <= 1).all():
        raise ValueError(f"relu_cosine: got {c}; expected cosines from -1 to 1")
    result = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi
    return result if result.ndim else float(result)


def relu_recursion(depth: int, *, square: float, bias: bool, c: float = 0.0) -> list[float]:
    """Expected cosine of two inputs after 0, 1, ..., `depth` wide random ReLU layers, weights and biases N(0, 1/width).

    Formula: without bias c' = kappa(c). With bias c' = kappa((1 + q c)/(1 + q)), q' = (1 + q)/2: the shared bias adds 1 to every inner product
             and every squared length q.
    Args:    depth >= 0; square, the inputs' squared length q; bias; c, the inputs' cosine.
    Returns: depth + 1 numbers. Raises: ValueError on a depth below 0 or a length of 0.
    Example:
        >>> [round(value, 4) for value in relu_recursion(2, square=512, bias=True)]
        [0.0, 0.3193, 0.4959]

    Source:  ours, from Cho & Saul 2009; Liang et al. 2022 prove the direction (theorem 1), not the value.
    """
    if depth < 0 or not square > 0:
        raise ValueError(f"relu_recursion: got depth = {depth}, square = {square}; expected depth >= 0 and square > 0")
    values = [float(c)]
    for _ in range(depth):
        inner = (1 + square * values[-1]) / (1 + square) if bias else values[-1]
        values.append(relu_cosine(inner))
        square = (1 + square) / 2
    return values
