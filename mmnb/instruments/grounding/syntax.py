"""Syntactic grounding: does a word attend to the region of the word it depends on, or that depends on it?"""

from typing import NamedTuple

import torch
from torch import Tensor


class Arcs(NamedTuple):
    """item (m,) number of the caption · query (m,) the word that looks · relation (m,) · downwards (m,) bool, True when the query is the head of the arc
    · region (m,) number of the phrase whose region counts as right."""

    item: Tensor
    query: Tensor
    relation: Tensor
    downwards: Tensor
    phrase: Tensor


def grounded_arcs(head: Tensor, relation: Tensor, phrase_of: Tensor) -> Arcs:
    """All arcs of which exactly one end is the *last word* of a phrase, or both are, with the other end as the query; both directions.

    For w1 -r-> w2: where w2 is grounded, w1 is asked (downwards); where w1 is grounded, w2 is asked (upwards).
    Args:    head (n, L) int64, place of each word's head, -1 for none; relation (n, L) int64; phrase_of (n, L) int64, number of the phrase whose last
             word stands here, -1 elsewhere.
    Returns: an `Arcs`.
    Raises:  ValueError on unequal shapes or heads outside the caption.
    Example:
        >>> head, relation = torch.tensor([[1, -1]]), torch.tensor([[4, 0]])  # word 1 -amod-> word 0, word 1 grounded
        >>> found = grounded_arcs(head, relation, torch.tensor([[-1, 0]]))
        >>> found.query.tolist(), found.relation.tolist(), found.downwards.tolist(), found.phrase.tolist()
        ([0], [4], [False], [0])

    Source:  Li et al. 2020, section on syntactic grounding (arXiv 1908.03557, section 5.2).
    """
    if not head.shape == relation.shape == phrase_of.shape or head.ndim != 2:
        raise ValueError(f"grounded_arcs: got shapes {tuple(head.shape)}, {tuple(relation.shape)}, {tuple(phrase_of.shape)}; expected one (n, L)")  # fmt: skip
    if (head >= head.shape[1]).any() or (head < -1).any():
        raise ValueError("grounded_arcs: a head lies outside its caption; expected places from 0, -1 for none")
    item, child = (head >= 0).nonzero(as_tuple=True)
    parent = head[item, child]
    parts = []
    for query, other, down in ((parent, child, True), (child, parent, False)):
        keep = phrase_of[item, other] >= 0
        parts.append((item[keep], query[keep], relation[item, child][keep], torch.full_like(item[keep], down).bool(), phrase_of[item, other][keep]))  # fmt: skip
    return Arcs(*(torch.cat(column) for column in zip(*parts, strict=True)))


def by_relation(correct: Tensor, arcs: Arcs, names: tuple[str, ...]) -> dict[tuple[str, str], Tensor]:
    """Mean of `correct` (m, layers, heads) over the arcs of each relation and direction: (name, "head looks" or "dependent looks") -> (layers, heads).

    Raises: ValueError when `correct` has another number of arcs.
    """
    if len(correct) != len(arcs.item):
        raise ValueError(f"by_relation: got {len(correct)} rows for {len(arcs.item)} arcs; expected one each")
    found = {}
    for number, name in enumerate(names):
        for down, direction in ((True, "head looks"), (False, "dependent looks")):
            rows = (arcs.relation == number) & (arcs.downwards == down)
            if rows.any():
                found[name, direction] = correct[rows].double().mean(0)
    return found
