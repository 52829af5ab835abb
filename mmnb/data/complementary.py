"""Worlds with a known amount of complementarity: the paper's synthetic generator, and averaged pairs of digits."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from mmnb.data.dot_product import DotProduct, unit


@dataclass(frozen=True)
class Overlap(DotProduct):
    """The same two views and label, and the share of the draws that passed the margin."""

    accepted: float


def overlap(
    n: int,
    alpha: float,
    rng: np.random.Generator,
    *,
    dim: int = 10,
    dim_a: int = 100,
    dim_b: int = 50,
    margin: float = 0.25,
    redraw: str = "both",
) -> Overlap:
    """The paper's synthetic data: the sign of the cosine of two hidden vectors that share more the larger alpha is.

    Formula: x, z ~ N(0, I); z <- P((1 - alpha) z + alpha x); both to length 1; kept if |x . z| > margin; y = [x . z >
    0]; seen through a = P_a x, b = P_b z, all matrices uniform on [-.5, .5] and drawn once. alpha = 0: neither side
    alone predicts y. alpha = 1: z follows from x.

    `dim` is that of the hidden vectors, `margin` 0 to below 1. `redraw` says what is drawn again when a pair fails it:
    "both" vectors, or "second" only, as the paper prints it ("back to step 2"). With "second" and alpha = 1 a failing
    pair never passes; after 1,000 rounds with a pair left, the ValueError says so instead of hanging.

    Example:
        >>> world = overlap(100, 0.0, np.random.default_rng(0))
        >>> world.a.shape, world.b.shape, sorted(world.y.unique().tolist())
        (torch.Size([100, 100]), torch.Size([100, 50]), [0, 1])

    Source: section 5.1 of the complementarity paper. Sizes are ours (its main text prints none), and both vectors are
    redrawn unless asked otherwise.
    """
    if min(n, dim, dim_a, dim_b) < 1 or not 0 <= alpha <= 1 or not 0 <= margin < 1 or redraw not in ("both", "second"):
        raise ValueError(
            f"overlap: got n={n}, alpha={alpha}, dim={dim}, dim_a={dim_a}, dim_b={dim_b}, margin={margin}, redraw={redraw!r}; "
            "expected sizes >= 1, 0 <= alpha <= 1, 0 <= margin < 1, redraw 'both' or 'second'"
        )
    p_a, p_b, p = (rng.uniform(-0.5, 0.5, shape) for shape in ((dim_a, dim), (dim_b, dim), (dim, dim)))
    x, z = np.zeros((n, dim)), np.zeros((n, dim))
    waiting, drawn = np.arange(n), 0
    fresh = rng.normal(size=(n, dim))
    for _ in range(1000):
        if redraw == "both" and drawn:
            fresh[waiting] = rng.normal(size=(len(waiting), dim))
        second = ((1 - alpha) * rng.normal(size=(len(waiting), dim)) + alpha * fresh[waiting]) @ p.T
        x[waiting], z[waiting] = unit(fresh[waiting]), unit(second)
        drawn += len(waiting)
        waiting = waiting[np.abs((x[waiting] * z[waiting]).sum(1)) <= margin]
        if not len(waiting):
            break
    else:
        raise ValueError(
            f"overlap: after 1,000 rounds {len(waiting)} of {n} pairs still have |x . z| <= {margin} (alpha={alpha}, dim={dim}, redraw={redraw!r}); "
            "expected all to pass. At alpha = 1 redrawing z alone changes nothing: the loop would never end"
        )
    y = ((x * z).sum(1) > 0).astype(np.int64)
    seen = (torch.from_numpy((side @ map_.T).astype(np.float32)) for side, map_ in ((x, p_a), (z, p_b)))
    return Overlap(*seen, torch.from_numpy(y), n / drawn)


def averaged_label(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """round((x + y) / 2) with halves rounded up: the label of a pair of digits.

    Example:
        >>> averaged_label(np.array([0, 2, 9]), np.array([1, 5, 9])).tolist()
        [1, 4, 9]
    """
    return np.floor((np.asarray(x) + np.asarray(y)) / 2 + 0.5).astype(np.int64)


def averaged_pairs(std: float, *, half: str = "up") -> np.ndarray:
    """Joint table (10, 10, 10) of the first digit, the second one, and their average, when the second is the first + rounded noise.

    Formula: p(x) = 1/10; y = (x + delta) mod 10 with delta = N(0, std^2) rounded; t = round((x + y) / 2), halves "up",
    or to "even" as Python's round does it. Probabilities, axes x, y, t.

    Example:
        >>> float(averaged_pairs(0.0)[3, 3, 3])
        0.1

    Source: section 5.2 of the complementarity paper (AAV-MNIST).
    """
    if not std >= 0 or half not in ("up", "even"):
        raise ValueError(f"averaged_pairs: got std={std}, half={half!r}; expected std >= 0 and 'up' or 'even'")
    reach = int(np.ceil(10 * std)) + 10
    delta = np.arange(-reach, reach + 1)
    p = norm.cdf((delta + 0.5) / std) - norm.cdf((delta - 0.5) / std) if std else (delta == 0).astype(float)
    of_shift = np.bincount(delta % 10, weights=p / p.sum(), minlength=10)
    table = np.zeros((10, 10, 10))
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(10), np.arange(10), indexing="ij"))
    t = averaged_label(x, y) if half == "up" else np.round((x + y) / 2).astype(np.int64)
    table[x, y, t] = of_shift[(y - x) % 10] / 10
    return table


def draw_pairs(
    digit_a: Tensor, digit_b: Tensor, std: float, n: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """n pairs of items by that rule: each a drawn with replacement, b any item that shows the digit the noise asks for.

    Takes the digits (n_a,), (n_b,) that the items show; returns of_a, of_b, rows of the items, and the label t, all (n,)
    int64. Raises ValueError when a modality lacks a digit, or as `averaged_pairs`.
    """
    counts = [torch.bincount(d, minlength=10) for d in (digit_a, digit_b)]
    if n < 1 or any(len(count) != 10 or count.min() < 1 for count in counts):
        found = [count.tolist() for count in counts]
        raise ValueError(f"draw_pairs: got n={n}, digits {found}; expected n >= 1 and all ten digits on both sides")
    joint = averaged_pairs(std).sum(2).ravel()
    x, y = np.divmod(rng.choice(100, size=n, p=joint), 10)
    rows = []
    for digit, wanted in ((digit_a.numpy(), x), (digit_b.numpy(), y)):
        order = np.argsort(digit, kind="stable")
        count = np.bincount(digit, minlength=10)
        rows.append(torch.from_numpy(order[(np.cumsum(count) - count)[wanted] + rng.integers(count[wanted])]))
    return rows[0], rows[1], torch.from_numpy(averaged_label(x, y))
