"""Labelled pairs of items from two modalities, items stored once however many pairs use them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """n labelled pairs: pair k is (a[of_a[k]], b[of_b[k]]) with label[k].

    a      (n_a, …) items of the first modality        of_a   (n,) int64, row in `a`
    b      (n_b, …) items of the second modality       of_b   (n,) int64, row in `b`
    label  (n,) int64, row in `classes`                classes  names
    train, validation, test  int64 rows of pairs; disjoint

    Example:
        >>> pairs = Pairs(a=torch.eye(2), b=torch.eye(3), of_a=torch.tensor([0, 1, 1]), of_b=torch.tensor([2, 0, 1]),
        ...     label=torch.tensor([0, 1, 1]), classes=("no", "yes"),
        ...     train=torch.tensor([0]), validation=torch.tensor([1]), test=torch.tensor([2]))
        >>> pairs.items(pairs.test)[1]
        tensor([[0., 1., 0.]])
    """

    a: Tensor
    b: Tensor
    of_a: Tensor
    of_b: Tensor
    label: Tensor
    classes: tuple[str, ...]
    train: Tensor
    validation: Tensor
    test: Tensor

    def __post_init__(self) -> None:
        n = len(self.label)
        for name, limit in (("of_a", len(self.a)), ("of_b", len(self.b)), ("label", len(self.classes))):
            rows = getattr(self, name)
            if len(rows) != n or (n and not 0 <= int(rows.min()) <= int(rows.max()) < limit):
                raise ValueError(f"Pairs: {name} has {len(rows)} entries; expected {n}, each from 0 to {limit - 1}")
        rows = torch.cat([self.train, self.validation, self.test])
        if len(rows) and (rows.unique().numel() != len(rows) or not 0 <= int(rows.min()) <= int(rows.max()) < n):
            named = f"{len(rows)} pairs, {rows.unique().numel()} different"
            raise ValueError(f"Pairs: the splits name {named}; expected disjoint rows below {n}")

    def items(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The two items of each pair in `rows`."""
        return self.a[self.of_a[rows]], self.b[self.of_b[rows]]

    def one_per_item(self, rows: Tensor, of: Tensor, generator: torch.Generator) -> Tensor:
        """From `rows`, in random order, one random pair for each different value of `of[rows]` (`self.of_a`, say)."""
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        first = torch.full((int(of.max()) + 1,), len(shuffled))
        first.scatter_reduce_(0, of[shuffled], torch.arange(len(shuffled)), reduce="amin")
        return shuffled[first[first < len(shuffled)].sort().values]
