"""How far apart two modalities lie, what kind of distance it is, and whether pairs find each other.

The gap is the distance of the two means, which lie *inside* the sphere and must not be normalised again. It can be
written in mean cosines alone (n pairs)

    gap^2 = (1 + (n-1) c_a) / n + (1 + (n-1) c_b) / n - 2 (m + (n-1) u) / n

where c_a, c_b are the mean cosines of two different rows of one modality, m that of pairs and u that of rows that are
no pair. So a gap means that items of one modality are closer to each other than to the other modality.
"""

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from torch import Tensor
from torch.nn import functional

from mmnb.aliases import renamed_field
from mmnb.instruments import inputs
from mmnb.instruments.gap.embeddings import (
    EPS,
    Embeddings,
    check_embeddings,
    mean_rounding,
    off_unit,
    unit_rows,
    warn_about_repeats,
)

_CELLS = 2**20  # of the n x n table of cosines that are held at a time: 8 MB


class Cosines(NamedTuple):
    """Mean cosines: within a, within b, of the pairs, and of rows that are no pair."""

    a: float
    b: float
    matched: float
    unmatched: float

    x, y = renamed_field("x", "a"), renamed_field("y", "b")


def gap_vector(a: Embeddings, b: Embeddings, *, paired: bool = True) -> Tensor:
    """Difference of the two means, `Delta = mean_i a_i - mean_i b_i`, (d,) float64; the means are not normalised again.

    Args:
        a, b: (n, d) unit rows of one space.
        paired: False allows different numbers of rows.
    Example:
        >>> gap_vector(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        tensor([ 1., -1.], dtype=torch.float64)

    Source: Liang et al. 2022, section 4.2.
    """
    a, b = check_embeddings(a, b, paired=paired)
    return a.mean(0) - b.mean(0)


def modality_gap(a: Embeddings, b: Embeddings, *, paired: bool = True) -> float:
    """Distance of the two modalities' means, `|Delta|` of `gap_vector`, from 0 to 2 ("L2M" in later papers).

    Two independent isotropic samples have `E gap^2 = 2/n`, so the gap is never exactly 0.

    Example:
        >>> round(modality_gap(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])), 4)
        1.4142

    Source: Liang et al. 2022, section 4.2. Normalising the means first is a mistake: .851 becomes 1.176 on CLIP.
    """
    return gap_vector(a, b, paired=paired).norm().item()


def pair_distance(a: Embeddings, b: Embeddings) -> float:
    """Mean distance of the two members of a pair, `mean_i |a_i - b_i|`, from the gap to 2 ("L2I", Schrodi et al. 2025).

    Example:
        >>> pair_distance(torch.eye(2), -torch.eye(2))
        2.0
    """
    a, b = check_embeddings(a, b)
    return (a - b).norm(dim=1).mean().item()


def average_cosine(a: Embeddings, *, diagonal: bool) -> float:
    """Mean cosine of the rows of one modality, the width of its cone: 0 = all directions, 1 = all rows are the same.

    `mean_{i != j} a_i . a_j = (|sum_i a_i|^2 - n) / (n (n-1))`; with the diagonal `|sum_i a_i|^2 / n^2`. O(n d).

    Args:
        a: (n, d) unit rows.
        diagonal: Whether pairs of a row with itself count, which adds (1 - c)/n. Papers differ, so there is no default.
    Example:
        >>> a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> average_cosine(a, diagonal=False), average_cosine(a, diagonal=True)
        (0.0, 0.5)

    Source: Liang et al. 2022, section 2.1 (without diagonal; their figure 2b has it).
    """
    a = unit_rows(a, "a")
    return cosine_from_sum(a.sum(0), len(a), diagonal)


def cosine_from_sum(total: Tensor, n: int, diagonal: bool) -> float:
    """Mean cosine of n unit vectors from their sum alone."""
    if n < 2 and not diagonal:
        raise ValueError(f"mean cosine: got n = {n}; expected two or more rows, or diagonal=True")
    square = total.square().sum().item()
    return square / n**2 if diagonal else (square - n) / (n * (n - 1))


def mean_cosines(a: Embeddings, b: Embeddings) -> Cosines:
    """The four mean cosines that make up the gap of n >= 2 pairs, without the diagonal. Warns of repeated rows.

    Example:
        >>> mean_cosines(torch.eye(2), torch.eye(2))
        Cosines(a=0.0, b=0.0, matched=1.0, unmatched=0.0)
    """
    a, b = check_embeddings(a, b)
    warn_about_repeats(a, b)
    n, sums = len(a), (a.sum(0), b.sum(0))
    within = [cosine_from_sum(total, n, False) for total in sums]
    matched = (a * b).sum().item()
    return Cosines(*within, matched / n, ((sums[0] @ sums[1]).item() - matched) / (n * (n - 1)))


def relative_gap(a: Embeddings, b: Embeddings) -> float:
    """Distance of pairs relative to all distances ("RMG"): 0 = pairs coincide, 1/2 = as far as rows of one modality.

    `m / (m + w)` with `d = (1 - cos)/2`, m the mean d of pairs and w the mean of d within a and within b.

    Example:
        >>> relative_gap(torch.eye(2), torch.eye(2)), relative_gap(torch.eye(2), -torch.eye(2))
        (0.0, 0.6666666666666666)

    Source: Schrodi et al. 2025. Ours has one caption per image; theirs leaves out captions of the same image.
    """
    a, b = check_embeddings(a, b)
    c = mean_cosines(a, b)
    m, w = (1 - c.matched) / 2, ((1 - c.a) / 2 + (1 - c.b) / 2) / 2
    # a cosine is off by the two lengths, and by one rounding for each of the n d products that are added up
    if m + w <= 4 * max(off_unit(a).max().item(), off_unit(b).max().item()) + a.numel() * EPS:
        raise ValueError("relative_gap: all rows are the same point up to rounding; expected some distance")
    return m / (m + w)


def uniformity(a: Embeddings, b: Embeddings | None = None, *, t: float = 2.0) -> float:
    """How evenly rows cover the sphere, lower is better; with `b`, how far the rows of a are from those of b. O(n^2 d).

    `log mean exp(-t |a_i - a_j|^2)` over i != j; with `b` it is `|a_i - b_j|`, and pairs are left out.

    Example:
        >>> round(uniformity(torch.eye(2)), 6)  # one distance, whose square is 2
        -4.0

    Source: Wang & Isola 2020; the form across modalities is that of later papers.
    """
    a, b = check_embeddings(a, a if b is None else b)
    if len(a) < 2 or not 0 < t < math.inf:
        raise ValueError(f"uniformity: got n = {len(a)}, t = {t}; expected two or more rows, t above 0")
    parts = []
    for rows, cosines in _blocks(a, b):
        exponent = cosines.mul_(2).sub_(2).clamp_(max=0).mul_(t)
        exponent.diagonal(rows.start).fill_(-torch.inf)
        parts.append(torch.logsumexp(exponent.flatten(), 0).item())  # a tensor would hold its whole block
    return (torch.logsumexp(torch.tensor(parts, dtype=a.dtype), 0) - np.log(len(a) * (len(a) - 1))).item()


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The table of cosines a b^T, some rows at a time."""
    size = max(1, _CELLS // len(b))
    for start in range(0, len(a), size):
        rows = slice(start, min(start + size, len(a)))
        yield rows, a[rows] @ b.T


def share_per_dimension(a: Embeddings, b: Embeddings, *, paired: bool = True) -> Tensor:
    """Each dimension's share of the squared gap, (d,) with sum 1; a common rotation changes it, but not the gap.

    Example:
        >>> share_per_dimension(torch.tensor([[0.6, 0.8]]), torch.tensor([[-0.6, 0.8]]))
        tensor([1., 0.], dtype=torch.float64)
    """
    square = gap_above_rounding(a, b, paired, "share_per_dimension").square()
    return square / square.sum()


def gap_above_rounding(a: Embeddings, b: Embeddings, paired: bool, caller: str) -> Tensor:
    """`gap_vector`, if it is longer than what rounding makes of two equal means."""
    delta = gap_vector(a, b, paired=paired)
    if delta.norm() <= mean_rounding(a, b):
        raise ValueError(f"{caller}: the gap is 0 up to rounding; expected two different means")
    return delta


def separability(a: Embeddings, b: Embeddings, *, center: bool = False, folds: int = 5, seed: int = 0) -> float:
    """Held-out accuracy of a linear classifier that separates the modalities; 1/2 = indistinguishable.

    Args:
        a, b: (n, d) unit rows; a pair is never split between folds.
        center: Whether the *training* mean of each modality is removed first; means of all rows would leak.
        folds, seed: From 2 to n folds, drawn with this seed.
    Example:
        >>> separability(torch.ones(10, 1), -torch.ones(10, 1))
        1.0

    Source: Fahim et al. 2024, on one split. Logistic regression of scikit-learn with its default penalty.
    """
    a, b = (rows.cpu().numpy() for rows in check_embeddings(a, b))
    n = len(a)
    if n < folds or folds < 2:
        raise ValueError(f"separability: got n = {n}, folds = {folds}; expected 2 <= folds <= n")
    order, label, right = np.random.default_rng(seed).permutation(n), np.repeat([0, 1], n), 0
    for train, test in GroupKFold(folds).split(order, groups=order):
        means = (a[train].mean(0), b[train].mean(0)) if center else (0.0, 0.0)
        rows = np.concatenate([a - means[0], b - means[1]])
        train, test = (np.concatenate([index, index + n]) for index in (train, test))
        model = LogisticRegression(max_iter=1000).fit(rows[train], label[train])
        right += int((model.predict(rows[test]) == label[test]).sum())
    return right / (2 * n)


class Loss(NamedTuple):
    """Contrastive loss in nats: mean of both directions, and each; `a_to_b` finds the partner of each a among the b."""

    symmetric: float
    a_to_b: float
    b_to_a: float

    x_to_y, y_to_x = renamed_field("x_to_y", "a_to_b"), renamed_field("y_to_x", "b_to_a")


class Recall(NamedTuple):
    """Share of rows whose partner is retrieved: from a among the b, and from b among the a."""

    a_to_b: float
    b_to_a: float

    x_to_y, y_to_x = renamed_field("x_to_y", "a_to_b"), renamed_field("y_to_x", "b_to_a")


def contrastive_loss(a: Embeddings, b: Embeddings, tau: float, *, batch: int | None = None) -> Loss:
    """The symmetric InfoNCE loss of CLIP, in nats; constant embeddings have a loss of ln(batch).

    With the logits `l_ij = a_i . b_j / tau` of a batch, `a_to_b = mean_i -log softmax_j(l_ij)_i`, and `b_to_a` is the
    same over columns. Batches are consecutive rows.

    Args:
        a, b: (n, d) unit rows, row i of both a pair.
        tau: Temperature, above 0 (CLIP ends at 1/100).
        batch: A divisor of n; None takes all n at once.
    Example:
        >>> [round(value, 4) for value in contrastive_loss(torch.eye(2), torch.eye(2), tau=1.0)]  # ln(1 + 1/e)
        [0.3133, 0.3133, 0.3133]

    Source: Radford et al. 2021. The code of Liang et al. 2022 transposes twice, so it averages a_to_b with itself.
    """
    a, b = check_embeddings(a, b)
    n = len(a)
    batch = n if batch is None else inputs.whole(batch, "contrastive_loss: batch")
    if not 0 < tau < math.inf:
        raise ValueError(f"contrastive_loss: got tau = {tau}; expected a temperature above 0")
    if tau > 1:
        got = f"got tau = {tau:g}, which makes nearly all losses ln({batch})"
        warnings.warn(f"contrastive_loss: {got}; a logit scale s is tau = 1/s", UserWarning, stacklevel=2)
    if n % batch:
        raise ValueError(f"contrastive_loss: got batch = {batch} for n = {n}; expected a divisor of n")
    parts = list(zip(a.split(batch), b.split(batch), strict=True))
    halves = [sum(_to_partner(*sides[::way], tau) for sides in parts) / n for way in (1, -1)]
    return Loss(sum(halves) / 2, *halves)


def _to_partner(queries: Tensor, items: Tensor, tau: float) -> float:
    """Sum over the queries of -log softmax at their own item."""
    total = 0.0
    for rows, cosines in _blocks(queries, items):
        own = torch.arange(rows.start, rows.stop)
        total += functional.cross_entropy(cosines.div_(tau), own, reduction="sum").item()
    return total


def retrieval_recall(a: Embeddings, b: Embeddings, k: int = 1, *, groups: tuple[Any, Any] | None = None) -> Recall:
    """R@k: the share of rows with a partner among the k nearest rows of the other modality; a tie is never a hit.

    `mean_i [#{j not a partner of i: s_ij >= s_i} < k]`, `s = a b^T`, s_i that of its nearest partner, and the same
    over columns. Cosines that differ by rounding alone are ties. Chance is k/n for n pairs.

    Args:
        a, b: (n, d) and (m, d) unit rows; without `groups` n = m and row i of both is a pair, with a warning of repeats.
        k: From 1 to the number of rows.
        groups: (n,) and (m,) labels of any kind, such as the numbers of the images: rows with the same label are partners.
            Give each image once and all of its captions: k copies of a wrong image would take up k places.
    Raises: ValueError where a label stands on one side only; and as all measures.
    Example:
        >>> retrieval_recall(torch.eye(3), torch.eye(3).roll(1, 0))
        Recall(a_to_b=0.0, b_to_a=0.0)
        >>> retrieval_recall(torch.eye(2), torch.eye(2)[[0, 0, 1]], groups=(["x", "y"], ["x", "x", "y"]))
        Recall(a_to_b=1.0, b_to_a=1.0)
    """
    a, b = check_embeddings(a, b, paired=groups is None)
    if not 1 <= inputs.whole(k, "retrieval_recall: k") <= min(len(a), len(b)):
        raise ValueError(f"retrieval_recall: got k = {k}; expected a whole number from 1 to n = {min(len(a), len(b))}")
    if groups is None:
        warn_about_repeats(a, b)
        of_a = of_b = torch.arange(len(a))
    else:
        if not isinstance(groups, tuple) or len(groups) != 2:
            got = f"{type(groups).__name__} of {len(groups)}"
            raise TypeError(f"retrieval_recall: groups: got {got}; expected a tuple (labels of a, labels of b)")
        sides = zip(groups, (a, b), ("a", "b"), strict=True)
        (of_a, left), (of_b, right) = (
            inputs.labels(own, f"retrieval_recall: groups of {name}", len(rows)) for own, rows, name in sides
        )
        if left != right:
            alone = sorted({*map(str, left)} ^ {*map(str, right)})
            raise ValueError(
                f"retrieval_recall: groups: {len(alone)} labels such as {alone[:3]} stand on one side only; expected partners"
            )
        of_a, of_b = torch.from_numpy(of_a), torch.from_numpy(of_b)
    return Recall(_recall(a, b, of_a, of_b, k), _recall(b, a, of_b, of_a, k))


def _recall(queries: Tensor, items: Tensor, of_query: Tensor, of_item: Tensor, k: int) -> float:
    hits, slack = 0, queries.shape[1] * EPS  # each of two products of unit rows is off by up to d eps/2
    for rows, cosines in _blocks(queries, items):
        partner = of_query[rows, None] == of_item
        nearest = cosines.masked_fill(~partner, -torch.inf).amax(1, keepdim=True)
        hits += int((((cosines >= nearest - slack) & ~partner).sum(1) < k).sum())
    return hits / len(queries)
