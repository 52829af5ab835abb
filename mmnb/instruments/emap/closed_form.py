"""Closed form for heads that are affine in each side while the other is held: E_b f(a, b) = f(a, E b), so O(N) evaluations suffice.

Concatenation and a linear layer, sums of logits, dot products, bilinear forms, products and FiLM without a non-linearity after them are
such heads. With A = a - E a and B = b - E b what is left of the scores after taking off the marginals is bilinear, r_ij = M(A_i, B_j).
Its sum of squares over all N^2 cells is that of M over the columns of L_a and L_b, where L_a L_a' = sum_i A_i A_i': at most d_a d_b
evaluations, however large N is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from mmnb.instruments.emap.grid import as_scores
from mmnb.instruments.emap.result import Emap

_ROUNDING = 1000  # units of rounding of the largest score: summing over features costs some ten of them, a non-linearity thousands
_WEIGHTS = (2.0, -1.5, 0.5)  # of three examples; they sum to 1 and reach outside the data
_PROBES, _VARIED = 4, 1000  # examples held, examples of the other side that vary


def closed_form(
    head: Callable,
    a: Tensor,
    b: Tensor,
    batch_size: int = 8192,
    *,
    shares: bool = True,
    generator: torch.Generator | None = None,
) -> Emap:
    """EMAP of a head that is affine in each side, from features a, b (n, ...): exact, O(n) evaluations.

    Raises: TypeError unless both sides are one float32 or float64 tensor; ValueError if the head turns out not to be affine.
    """
    for name, side in (("a", a), ("b", b)):
        if not isinstance(side, Tensor) or side.dtype not in (torch.float32, torch.float64) or side.ndim < 2:
            found = f"{side.dtype} {tuple(side.shape)}" if isinstance(side, Tensor) else type(side).__name__
            raise TypeError(
                f"emap: the features of {name} are {found}; the closed form expects one float32 or float64 tensor (n, d)"
            )
    head = _Batched(head, batch_size)
    mean_a, mean_b = (side.double().mean(0, keepdim=True).to(side) for side in (a, b))
    refuse_not_affine(head, a, b, generator or torch.Generator().manual_seed(0))
    original, mu = head(a, b), head(mean_a, mean_b)
    marginal_a, marginal_b = head.against_one(a, mean_b), head.against_one(mean_a, b)
    n = len(a)
    parts = {"a": n * (marginal_a - mu).square().sum(0), "b": n * (marginal_b - mu).square().sum(0)}
    if shares:
        parts["interaction"] = _interaction(head, a, b, mean_a, mean_b)
    return Emap(
        original=original,
        projected=marginal_a + marginal_b - mu,
        marginal_a=marginal_a,
        marginal_b=marginal_b,
        grand_mean=mu[0],
        sums_of_squares=parts,
        passes=head.calls,
    )


def refuse_not_affine(head: "_Batched", a: Tensor, b: Tensor, generator: torch.Generator) -> None:
    """Raise ValueError unless, on these features, scores of means are means of scores, to within rounding, and `cross` is true to them.

    For some examples the mean over the other side, or over 1000 of it, is taken both ways, which is the very claim; then random
    combinations of three examples, with weights that reach outside the data.
    """
    n = len(a)
    weights = torch.tensor(_WEIGHTS, dtype=torch.float64)
    for name, flip in (("b", False), ("a", True)):
        varied, held = (a, b) if flip else (b, a)
        varied = varied[torch.randperm(n, generator=generator)[:_VARIED].to(varied.device)]

        def scores(varied: Tensor, held: Tensor, flip: bool = flip) -> Tensor:
            return head(varied, held) if flip else head(held, varied)

        for i in torch.randint(n, (_PROBES,), generator=generator).tolist():
            one = held[i : i + 1]
            every = scores(varied, one)
            # scores may be small because their terms cancel; not so at other lengths of the features as well
            lengths = [scores(s * varied[:8], t * one) for s, t in ((1, 2), (2, 1), (2, 2))]
            allowed = _ROUNDING * torch.finfo(a.dtype).eps * torch.cat([every, *lengths]).abs().max().item()
            _compare(every.mean(0), scores(varied.double().mean(0, keepdim=True).to(varied), one)[0], allowed, name)
            chosen = torch.randint(len(varied), (len(weights),), generator=generator).to(varied.device)
            three = every[chosen.to(every.device)]
            mixed = torch.einsum("k,k...->...", weights.to(varied), varied[chosen])[None]
            _compare((weights[:, None] * three).sum(0), scores(mixed, one)[0], 4 * allowed, name)
    few_a, few_b = a[: _PROBES + 1], b[:_PROBES]
    one_by_one = torch.stack([head(few_a, few_b[j : j + 1]) for j in range(len(few_b))], 1)
    off, scale = (head.cross(few_a, few_b) - one_by_one).abs().max().item(), one_by_one.abs().max().item()
    if not off <= max(allowed, _ROUNDING * torch.finfo(a.dtype).eps * scale):
        raise ValueError(
            f"emap: cross() of the head and the head itself differ by {off:.3g} on the same pairs; expected rounding"
        )


def _compare(expected: Tensor, found: Tensor, allowed: float, name: str) -> None:
    off = (expected - found).abs().max().item()
    if not off <= allowed:
        raise ValueError(
            f"emap: the head is not affine in {name}: mean of scores and score of mean differ by {off:.3g}, of which rounding explains "
            f"{allowed:.1g}; the closed form does not hold here, use method='auto' or 'pairs'"
        )


def _interaction(head: "_Batched", a: Tensor, b: Tensor, mean_a: Tensor, mean_b: Tensor) -> Tensor:
    """Sum over all cells of the squared residual, for each output."""
    factor_a, size_a = _factor(a - mean_a)
    factor_b, size_b = _factor(b - mean_b)
    mu = head(mean_a, mean_b)
    if not len(factor_a) or not len(factor_b):  # one side never varies
        return torch.zeros_like(mu[0])
    left, right = mean_a + factor_a, mean_b + factor_b
    alone_a, alone_b = head.against_one(left, mean_b), head.against_one(mean_a, right)
    total = torch.zeros_like(mu[0])
    for rows in torch.arange(len(left)).split(max(1, head.batch_size // max(1, len(right)))):
        cells = head.cross(left[rows], right) - alone_a[rows, None] - alone_b[None] + mu
        total += (cells * size_a[rows, None, None] * size_b[None, :, None]).square().sum((0, 1))
    return total


def _factor(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (r, ...) as long as a typical example, and sizes (r,): centred' centred = sum of (size * direction) (size * direction)'."""
    flat = centred.flatten(1)
    n, d = flat.shape
    if n <= d:
        _, values, vectors = torch.linalg.svd(flat.double(), full_matrices=False)
    else:
        squares, columns = torch.linalg.eigh((flat.T @ flat).double())
        values, vectors = squares.clamp(min=0).sqrt(), columns.T
    kept = values > values.max() * torch.finfo(centred.dtype).eps  # what is below adds less than rounding
    length = values.square().sum().sqrt() / n**0.5
    directions = (vectors[kept] * length).to(centred).view(-1, *centred.shape[1:])
    return directions, (values[kept] / length).cpu() if kept.any() else values[kept].cpu()


class _Batched:
    """The head in batches, a single row on one side standing for all of the other; scores as float64 on the CPU."""

    def __init__(self, head: Any, batch_size: int) -> None:
        self.head, self.batch_size, self.calls = head, batch_size, 0

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.cat(list(self._parts(a, b)))

    def _parts(self, a: Tensor, b: Tensor) -> Iterator[Tensor]:
        n = max(len(a), len(b))
        for start in range(0, n, self.batch_size):
            size = min(self.batch_size, n - start)
            one, two = (
                side.expand(size, *side.shape[1:]) if len(side) == 1 else side[start : start + size] for side in (a, b)
            )
            self.calls += size
            yield as_scores(self.head(one, two), size).cpu().double()

    def against_one(self, a: Tensor, b: Tensor) -> Tensor:
        """As a call where one side is a single row: a head that can cross need not work that row out again for each of the other."""
        if not hasattr(self.head, "cross"):
            return self(a, b)
        if len(b) == 1:
            return torch.cat([self.cross(part, b)[:, 0] for part in a.split(self.batch_size)])
        return torch.cat([self.cross(a, part)[0] for part in b.split(self.batch_size)])

    def cross(self, a: Tensor, b: Tensor) -> Tensor:
        """Scores of all pairs, (P, Q, C)."""
        if hasattr(self.head, "cross"):
            self.calls += len(a) * len(b)
            return self.head.cross(a, b).cpu().double()
        return self(a.repeat_interleave(len(b), 0), b.repeat(len(a), *[1] * (b.ndim - 1))).view(len(a), len(b), -1)
