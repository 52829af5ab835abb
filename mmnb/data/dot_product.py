"""The sign of a hidden dot product: a task that no additive model can solve, and any interactive one can."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class DotProduct:
    """a (n, dim_a) float32, b (n, dim_b) float32: two linear views; y (n,) int64, 1 where the hidden vectors point the same way."""

    a: Tensor
    b: Tensor
    y: Tensor


def sample(n: int, *, dim: int, dim_a: int, dim_b: int, margin: float, rng: np.random.Generator) -> DotProduct:
    """Draw n examples of y = [v . t > 0], seen through a = P v and b = Q t.

    Formula: v, t uniform on the unit sphere of `dim` dimensions, kept if |v . t| > margin, 0 <= margin < 1; P (dim_a,
    dim) and Q (dim_b, dim) with entries uniform on [-0.5, 0.5], one draw for the whole sample.

    Example:
        >>> world = sample(100, dim=20, dim_a=30, dim_b=10, margin=0.25, rng=np.random.default_rng(0))
        >>> world.a.shape, world.b.shape, sorted(world.y.unique().tolist())
        (torch.Size([100, 30]), torch.Size([100, 10]), [0, 1])

    Source: the synthetic experiment of Hessel & Lee 2020, by the recipe that later papers restate.
    """
    if min(n, dim, dim_a, dim_b) < 1 or not 0 <= margin < 1:
        got = f"n={n}, dim={dim}, dim_a={dim_a}, dim_b={dim_b}, margin={margin}"
        raise ValueError(f"dot_product.sample: got {got}; expected sizes >= 1 and 0 <= margin < 1")
    p, q = rng.uniform(-0.5, 0.5, (dim_a, dim)), rng.uniform(-0.5, 0.5, (dim_b, dim))
    kept, found, drawn = [], 0, 0
    while found < n:
        v, t = (unit(rng.normal(size=(10_000, dim))) for _ in range(2))
        keep = np.abs((v * t).sum(1)) > margin
        kept.append((v[keep], t[keep]))
        found, drawn = found + int(keep.sum()), drawn + len(keep)
        if found * 10_000 < drawn:
            passed = f"{found} of {drawn} draws have |v . t| > {margin} in {dim} dimensions"
            raise ValueError(f"dot_product.sample: {passed}; expected 1 in 10,000")
    v, t = (np.concatenate(side)[:n] for side in zip(*kept, strict=True))
    a, b = (torch.from_numpy((side @ matrix.T).astype(np.float32)) for side, matrix in ((v, p), (t, q)))
    return DotProduct(a, b, torch.from_numpy(((v * t).sum(1) > 0).astype(np.int64)))


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)
