"""The contrastive loss of CLIP and the recall of retrieval, on stored embeddings."""

from typing import NamedTuple

import torch
from torch.nn import functional

from mmnb.aliases import renamed_field
from mmnb.instruments.gap.embeddings import Embeddings, check_embeddings, warn_about_repeats


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
        a: (n, d) unit rows.
        b: (n, d) unit rows, row i the partner of row i of `a`.
        tau: Temperature, above 0 (CLIP ends at 1/100).
        batch: A divisor of n; None takes all n at once.
    Example:
        >>> [round(value, 4) for value in contrastive_loss(torch.eye(2), torch.eye(2), tau=1.0)]  # ln(1 + 1/e)
        [0.3133, 0.3133, 0.3133]

    Source: Radford et al. 2021. The code of Liang et al. 2022 transposes twice, so it averages a_to_b with itself.
    """
    a, b = check_embeddings(a, b)
    n = len(a)
    batch = n if batch is None else batch
    if not tau > 0:
        raise ValueError(f"contrastive_loss: got tau = {tau}; expected a temperature above 0")
    if not 1 <= batch <= n or n % batch:
        raise ValueError(f"contrastive_loss: got batch = {batch} for n = {n}; expected a divisor of n")
    logits = a.view(-1, batch, a.shape[1]) @ b.view(-1, batch, b.shape[1]).transpose(1, 2) / tau
    target = torch.arange(batch, device=a.device).expand(len(logits), batch)
    # cross_entropy takes classes on axis 1: transposed, these are the columns, so each a is matched to the b
    halves = [functional.cross_entropy(scores, target).item() for scores in (logits.transpose(1, 2), logits)]
    return Loss(sum(halves) / 2, *halves)


def retrieval_recall(a: Embeddings, b: Embeddings, k: int = 1) -> Recall:
    """R@k: the share of rows whose partner is among the k nearest rows of the other modality; a tie is never a hit.

    `mean_i [#{j != i: s_ij >= s_ii} < k]`, `s = a b^T`, and the same over columns. Chance is k/n. Warns of repeats.

    Args:
        a: (n, d) unit rows.
        b: (n, d) unit rows, row i the partner of row i of `a`.
        k: From 1 to n.
    Example:
        >>> retrieval_recall(torch.eye(3), torch.eye(3).roll(1, 0))
        Recall(a_to_b=0.0, b_to_a=0.0)
    """
    a, b = check_embeddings(a, b)
    if not 1 <= k <= len(a):
        raise ValueError(f"retrieval_recall: got k = {k}; expected a whole number from 1 to n = {len(a)}")
    warn_about_repeats(a, b)
    similarity = a @ b.T
    own = similarity.diagonal()
    better = [(scores >= own[:, None]).sum(1) - 1 for scores in (similarity, similarity.T)]
    return Recall(*((count < k).to(torch.float64).mean().item() for count in better))
