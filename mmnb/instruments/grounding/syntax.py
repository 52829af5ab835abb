"""Syntactic grounding: does a word attend to the region of the word that it depends on, or that depends on it?"""

from typing import NamedTuple

import torch
from torch import Tensor


class Arcs(NamedTuple):
    """m arcs, all (m,): number of the caption, position of the query word, number of the relation, whether the query is
    the head of the arc, and number of the phrase whose region counts as right."""

    item: Tensor
    query: Tensor
    relation: Tensor
    downwards: Tensor
    phrase: Tensor


def grounded_arcs(head: Tensor, relation: Tensor, phrase_of: Tensor) -> Arcs:
    """All arcs with an end that is the *last word* of a phrase; the other end is the query. Both ends may be.

    Args:
        head: (n, L) int64, position of each word's head, -1 for none.
        relation: (n, L) int64, relation of each word to its head.
        phrase_of: (n, L) int64, number of the phrase whose last word stands here, -1 elsewhere.
    Example:
        >>> head, relation = torch.tensor([[1, -1]]), torch.tensor([[4, 0]])  # word 1 -amod-> word 0, word 1 grounded
        >>> arcs = grounded_arcs(head, relation, torch.tensor([[-1, 0]]))
        >>> arcs.query.tolist(), arcs.relation.tolist(), arcs.downwards.tolist(), arcs.phrase.tolist()
        ([0], [4], [False], [0])

    Source: Li et al. 2020, arXiv 1908.03557, section 5.2 on syntactic grounding.
    """
    if not head.shape == relation.shape == phrase_of.shape or head.ndim != 2:
        shapes = ", ".join(str(tuple(part.shape)) for part in (head, relation, phrase_of))
        raise ValueError(f"grounded_arcs: got shapes {shapes}; expected one (n, L)")
    if (head >= head.shape[1]).any() or (head < -1).any():
        raise ValueError("grounded_arcs: a head lies outside its caption; expected positions from 0, -1 for none")
    item, child = (head >= 0).nonzero(as_tuple=True)
    parent, kind = head[item, child], relation[item, child]
    parts = []
    for query, other, down in ((parent, child, True), (child, parent, False)):
        phrase = phrase_of[item, other]
        columns = (item, query, kind, torch.full_like(item, down, dtype=torch.bool), phrase)
        parts.append([column[phrase >= 0] for column in columns])
    return Arcs(*(torch.cat(column) for column in zip(*parts, strict=True)))
