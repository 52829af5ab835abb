"""What contrastive training minimises, and what retrieval counts, on stored embeddings."""

from typing import NamedTuple

import torch
from torch.nn import functional

from mmnb.instruments.gap.sides import Rows, two_sides, warn_about_repeats


class Loss(NamedTuple):
    """Symmetric loss, and its two halves: x looks for its y, y looks for its x."""

    symmetric: float
    x_to_y: float
    y_to_x: float


class Recall(NamedTuple):
    """Share of rows that find their partner: x among the y, and y among the x."""

    x_to_y: float
    y_to_x: float


def contrastive_loss(x: Rows, y: Rows, tau: float, batch: int | None = None) -> Loss:
    """The symmetric InfoNCE loss of CLIP, in nats; ln(batch) is what a model that knows nothing pays.

    Formula: logits l_ij = x_i . y_j / tau within a batch; x_to_y = mean_i -log softmax_j(l_ij)_i, y_to_x likewise over columns; the
             symmetric loss is their mean. Batches are consecutive rows, as in the paper's landscape.
    Args:    x, y, (n, d) unit rows, pairs; tau > 0, the temperature (CLIP ends at 1/100); batch, a divisor of n, None: all n at once.
    Returns: `Loss`. Raises: as `gap_vector`; ValueError on another tau or batch.
    Example:
        >>> [round(value, 4) for value in contrastive_loss(torch.eye(2), torch.eye(2), tau=1.0)]  # ln(1 + 1/e)
        [0.3133, 0.3133, 0.3133]

    Source:  Radford et al. 2021. The landscape of Liang et al. 2022 averages x_to_y with itself: their code transposes twice.
    """
    a, b = two_sides(x, y, "contrastive_loss")
    n = len(a)
    batch = n if batch is None else batch
    if not tau > 0:
        raise ValueError(f"contrastive_loss: got tau = {tau}; expected a temperature above 0")
    if not 1 <= batch <= n or n % batch:
        raise ValueError(f"contrastive_loss: got batch = {batch} for n = {n}; expected a divisor of n")
    logits = a.view(-1, batch, a.shape[1]) @ b.view(-1, batch, b.shape[1]).transpose(1, 2) / tau
    target = torch.arange(batch, device=a.device).expand(len(logits), batch)
    halves = [functional.cross_entropy(side, target).item() for side in (logits.transpose(1, 2), logits)]
    # cross_entropy takes classes on axis 1: transposed, these are the columns, so x looks for its y
    return Loss(sum(halves) / 2, *halves)


def retrieval_recall(x: Rows, y: Rows, k: int = 1) -> Recall:
    """R@k: the share of rows whose partner is among the k nearest rows of the other side; a tie is never a hit.

    Formula: mean_i [#{j != i: s_ij >= s_ii} < k], s = x y^T, and the same over columns. Chance is k/n.
    Args:    x, y, (n, d) unit rows, pairs; k from 1 to n.
    Returns: `Recall`. Raises: as `gap_vector`; ValueError on another k. Warns: where a row repeats.
    Example:
        >>> retrieval_recall(torch.eye(3), torch.eye(3)), retrieval_recall(torch.eye(3), torch.eye(3).roll(1, 0))
        (Recall(x_to_y=1.0, y_to_x=1.0), Recall(x_to_y=0.0, y_to_x=0.0))
    """
    a, b = two_sides(x, y, "retrieval_recall")
    if not 1 <= k <= len(a):
        raise ValueError(f"retrieval_recall: got k = {k}; expected a whole number from 1 to n = {len(a)}")
    warn_about_repeats(a, b, "retrieval_recall")
    similarity = a @ b.T
    own = similarity.diagonal()
    found = []
    for scores in (similarity, similarity.T):
        better = (scores >= own[:, None]).sum(1) - 1
        found.append((better < k).to(torch.float64).mean().item())
    return Recall(*found)
