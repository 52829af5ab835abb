"""How far apart two modalities lie, and what kind of distance it is.

Both sides are rows on the unit sphere, row i of x belonging to row i of y. The gap is the distance of the two means, which lie
*inside* the sphere and must not be normalised again. It can be written in mean cosines alone (n pairs):

    gap^2 = (1 + (n-1) c_x) / n + (1 + (n-1) c_y) / n - 2 (m + (n-1) u) / n

with c_x, c_y the mean cosine of two different rows of one side, m that of pairs and u that of rows which are no pair. So a gap says:
items of one modality are closer to each other than to the other modality.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from torch import Tensor

from mmnb.instruments.gap.sides import Rows, finite_rows, two_sides, unit_rows, warn_about_repeats


class Cosines(NamedTuple):
    """Mean cosines: within x, within y, of the pairs, and of rows that are no pair."""

    x: float
    y: float
    matched: float
    unmatched: float


def gap_vector(x: Rows, y: Rows, *, paired: bool = True) -> Tensor:
    """Where x lies, seen from y: the difference of the means.

    Formula: Delta = mean_i x_i - mean_i y_i; the means are not normalised again.
    Args:    x, y, (n, d) unit rows in one space; paired=False allows different numbers of rows.
    Returns: (d,) float64. Raises: TypeError, ValueError on anything that is not unit rows of one space.
    Example:
        >>> gap_vector(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        tensor([ 1., -1.], dtype=torch.float64)

    Source:  Liang et al. 2022, section 4.2.
    """
    a, b = two_sides(x, y, "gap_vector", paired)
    return a.mean(0) - b.mean(0)


def modality_gap(x: Rows, y: Rows, *, paired: bool = True) -> float:
    """Distance of the two modalities' means, from 0 to 2 ("L2M" in later papers).

    Formula: |Delta|, see `gap_vector`. Two independent isotropic samples have E gap^2 = 2/n: never exactly 0.
    Args, Raises: as `gap_vector`.
    Example:
        >>> round(modality_gap(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])), 4)
        1.4142

    Source:  Liang et al. 2022, section 4.2. Normalising the means first is a common mistake: .851 becomes 1.176 on their CLIP file.
    """
    a, b = two_sides(x, y, "modality_gap", paired)
    return (a.mean(0) - b.mean(0)).norm().item()


def pair_distance(x: Rows, y: Rows) -> float:
    """Mean distance of the two members of a pair ("L2I"), from 0 to 2.

    Formula: mean_i |x_i - y_i| >= gap. Args, Raises: as `gap_vector`, equal n.
    Example:
        >>> pair_distance(torch.eye(2), -torch.eye(2))
        2.0

    Source:  Schrodi et al. 2025 (released code).
    """
    a, b = two_sides(x, y, "pair_distance")
    return (a - b).norm(dim=1).mean().item()


def average_cosine(x: Rows, *, diagonal: bool) -> float:
    """Mean cosine of the rows of one modality: 0 = all directions, 1 = a needle. The width of its cone.

    Formula: mean_{i != j} x_i . x_j = (|sum_i x_i|^2 - n) / (n (n-1)); with the diagonal |sum_i x_i|^2 / n^2. O(n d), not O(n^2 d).
    Args:    x, (n, d) unit rows; diagonal, whether each row meets itself as well (it must be said, papers differ; it adds (1 - c)/n).
    Returns: a number from -1/(n-1) to 1. Raises: ValueError also for n = 1 without diagonal.
    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> average_cosine(x, diagonal=False), average_cosine(x, diagonal=True)
        (0.0, 0.5)

    Source:  Liang et al. 2022, section 2.1 (without diagonal; their figure 2b has it).
    """
    a = unit_rows(x, "average_cosine: x")
    return cosine_from_sum(a.sum(0), len(a), diagonal, "average_cosine")


def cosine_from_sum(total: Tensor, n: int, diagonal: bool, caller: str) -> float:
    """Mean cosine of n unit vectors from their sum alone."""
    if n < 2 and not diagonal:
        raise ValueError(f"{caller}: got n = {n}; expected two or more rows, one has no other to be compared with")
    square = total.square().sum().item()
    return square / n**2 if diagonal else (square - n) / (n * (n - 1))


def mean_cosines(x: Rows, y: Rows) -> Cosines:
    """The four mean cosines that make up the gap; rows never meet themselves, pairs are kept apart from the rest. O(n d).

    Args:    x, y, (n, d) unit rows, pairs, n >= 2.
    Returns: `Cosines` (x, y, matched, unmatched). Raises: as `gap_vector`. Warns: where a row repeats.
    Example:
        >>> mean_cosines(torch.eye(2), torch.eye(2))
        Cosines(x=0.0, y=0.0, matched=1.0, unmatched=0.0)
    """
    a, b = two_sides(x, y, "mean_cosines")
    warn_about_repeats(a, b, "mean_cosines")
    n, sums = len(a), (a.sum(0), b.sum(0))
    within = [cosine_from_sum(total, n, False, "mean_cosines") for total in sums]
    matched = (a * b).sum().item()
    return Cosines(*within, matched / n, ((sums[0] @ sums[1]).item() - matched) / (n * (n - 1)))


def relative_gap(x: Rows, y: Rows) -> float:
    """Distance of the pairs in units of all distances ("RMG"): 0 = pairs coincide, 1/2 = a pair is like any two of one modality.

    Formula: m / (m + w) with d = (1 - cos)/2, m the mean d of pairs, w the mean of d within x and within y.
    Args, Raises, Warns: as `mean_cosines`; ValueError also when all rows of both sides are one point.
    Example:
        >>> relative_gap(torch.eye(2), torch.eye(2)), relative_gap(torch.eye(2), -torch.eye(2))
        (0.0, 0.6666666666666666)

    Source:  Schrodi et al. 2025. Ours has one caption per image; theirs leaves out captions of the same image.
    """
    c = mean_cosines(x, y)
    m, w = (1 - c.matched) / 2, ((1 - c.x) / 2 + (1 - c.y) / 2) / 2
    if m + w <= 0:
        raise ValueError("relative_gap: all rows of both sides are the same point; expected some distance")
    return m / (m + w)


def alignment(x: Rows, y: Rows, power: float = 2.0) -> float:
    """How close pairs are (lower is better): mean_i |x_i - y_i|^power.

    Example:
        >>> alignment(torch.eye(2), -torch.eye(2))
        4.0

    Source:  Wang & Isola 2020.
    """
    a, b = two_sides(x, y, "alignment")
    return (a - b).norm(dim=1).pow(power).mean().item()


def uniformity(x: Rows, y: Rows | None = None, t: float = 2.0) -> float:
    """How evenly rows cover the sphere (lower is better); with y, how far x is from the rows of y.

    Formula: log mean exp(-t |x_i - x_j|^2) over i != j (the diagonal is left out); with y over all i, j with i != j, no pair.
    Example:
        >>> round(uniformity(torch.eye(2)), 6)  # one distance, whose square is 2
        -4.0

    Source:  Wang & Isola 2020; the form across modalities is that of later papers. O(n^2 d).
    """
    a, b = two_sides(x, x if y is None else y, "uniformity")
    if len(a) < 2:
        raise ValueError(f"uniformity: got n = {len(a)}; expected two or more rows")
    exponent = -t * (2 - 2 * a @ b.T).clamp(min=0)
    off = ~torch.eye(len(a), dtype=torch.bool, device=a.device)
    return (torch.logsumexp(exponent[off], 0) - np.log(len(a) * (len(a) - 1))).item()


def share_per_dimension(x: Rows, y: Rows, *, paired: bool = True) -> Tensor:
    """Each dimension's part of the squared gap, (d,), adding up to 1. It belongs to the basis: a rotation spreads it, and leaves the gap.

    Raises: as `gap_vector`; ValueError when there is no gap to share.
    Example:
        >>> share_per_dimension(torch.tensor([[0.6, 0.8]]), torch.tensor([[-0.6, 0.8]]))
        tensor([1., 0.], dtype=torch.float64)
    """
    square = gap_vector(x, y, paired=paired).square()
    if square.sum() == 0:
        raise ValueError("share_per_dimension: the gap is 0; expected two different means")
    return square / square.sum()


def effective_rank(x: Rows, *, center: bool) -> float:
    """Number of directions that rows spread over, from 1 to min(n, d).

    Formula: exp(entropy of p), p = singular values / their sum; center, whether the mean is removed first (it must be said: on a cone
    the mean is the largest direction of all).
    Example:
        >>> round(effective_rank(torch.eye(5), center=False), 6)
        5.0

    Source:  Roy & Vetterli 2007.
    """
    a = finite_rows(x, "effective_rank: x")
    values = torch.linalg.svdvals(a - a.mean(0) if center else a)
    if values.sum() == 0:
        raise ValueError("effective_rank: all rows are the same; expected some spread")
    p = values / values.sum()
    return torch.special.entr(p).sum().exp().item()


def separability(x: Rows, y: Rows, *, center: bool = False, folds: int = 5, seed: int = 0) -> float:
    """Held-out accuracy of a linear classifier that tells the modalities apart; 1/2 = they cannot be told apart.

    Args:    x, y, (n, d) unit rows, pairs (a pair is never split between folds); center, whether each side's *training* mean is removed
             first: with means of all rows the answer falls far below 1/2, because fold means leak; folds; seed, of the folds.
    Raises:  as `gap_vector`; ValueError when n < folds.
    Example:
        >>> separability(torch.ones(10, 1), -torch.ones(10, 1))
        1.0

    Source:  Fahim et al. 2024 measure it on one split; logistic regression of scikit-learn with its default penalty.
    """
    a, b = (side.cpu().numpy() for side in two_sides(x, y, "separability"))
    n = len(a)
    if n < folds or folds < 2:
        raise ValueError(f"separability: got n = {n}, folds = {folds}; expected 2 <= folds <= n")
    order = np.random.default_rng(seed).permutation(n)
    right = 0
    for train, test in GroupKFold(folds).split(order, groups=order):
        means = (a[train].mean(0), b[train].mean(0)) if center else (0.0, 0.0)

        def rows(index, means=means):
            return np.concatenate([a[index] - means[0], b[index] - means[1]]), np.repeat([0, 1], len(index))

        model = LogisticRegression(max_iter=1000).fit(*rows(train))
        features, label = rows(test)
        right += int((model.predict(features) == label).sum())
    return right / (2 * n)
