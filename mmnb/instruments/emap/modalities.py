"""More than two modalities: additive part, pairwise, three-way and higher interactions of f(a, b, c, ...).

Over the grid of all N^M combinations let m_S be the mean with the modalities in S held and all others averaged out. The additive part is

    f~ = sum of the M one-modality means - (M - 1) * mu,

with M - 1, not 1: subtracting mu once, as published code does, is off by (M - 2) mu even for an additive f. What order k adds is found
by inclusion and exclusion, g_S = sum over T in S of (-1)^(|S| - |T|) m_T: it sums to 0 along every modality in S, the g_S are
orthogonal over the grid, and so the squared deviations from mu split into a part for every set of modalities.

Source: M = 3 as in Wörtwein et al., "Beyond Additive Fusion: Learning Non-Additive Multimodal Interactions", Findings of EMNLP 2022 (its
UC, BI and TI are orders 1, 2 and 3 here); the general case is the functional analysis of variance of a full factorial grid.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from mmnb.instruments.batches import call, length, take
from mmnb.instruments.checks import check_deterministic, check_eval_mode, warn_about_scores
from mmnb.instruments.emap.result import check_outputs, pooled
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid.cells import Cells, as_scores, check_finite
from mmnb.instruments.grid.strategy import allowed_change_of, check_stable
from mmnb.instruments.inputs import whole
from mmnb.instruments.result import Result


@dataclass(frozen=True, eq=False)
class EmapOfMany(Result):
    """What `emap_of_many` returns; float64 on the CPU, N examples, C scores, M modalities under their names.

    Attributes:
        original: (N, C), f on the true tuples.
        up_to: {k: (N, C)}, the best function with interactions of at most k modalities; up_to[1] is the EMAP, up_to[M] is f.
        marginals: {name: (N, C)}, mean over all others, uncentred.
        grand_mean: (C,).
        sums_of_squares: {(name, ...): (C,)} for every set of modalities; together the squared deviations from mu.
        shared: {(name, ...): ()}, how much of them, outputs pooled, is of the mean over the outputs of a tuple.
        outputs: "classes" or "separate", as given: whether the shares leave `shared` out.
    """

    original: Tensor
    up_to: dict[int, Tensor]
    marginals: dict[str, Tensor]
    grand_mean: Tensor
    sums_of_squares: dict[tuple[str, ...], Tensor] = field(repr=False)
    shared: dict[tuple[str, ...], Tensor] = field(default_factory=dict, repr=False)
    outputs: str = "classes"

    @property
    def projected(self) -> Tensor:
        """The additive part on the true tuples, (N, C)."""
        return self.up_to[1]

    @property
    def shares(self) -> dict[tuple[str, ...], float]:
        """Share of the grid's variance for every set of modalities, outputs pooled; they sum to 1. ValueError if f is constant.

        Several classes are centred first, as in `Emap.shares`.
        """
        parts = pooled(self.sums_of_squares, self.shared if self.outputs == "classes" else {})
        total = sum(parts.values())
        return {names: part / total for names, part in parts.items()}

    @property
    def shares_of_orders(self) -> dict[int, float]:
        """The same, pooled by order: 1 for single modalities, 2 for pairs, 3 for three-way interactions, and so on."""
        pooled = dict.fromkeys(self.up_to, 0.0)
        for names, share in self.shares.items():
            pooled[len(names)] += share
        return pooled

    def estimates(self) -> dict[str, Estimate]:
        """Share of all interactions, then of each order. Raises as `shares`."""
        orders = {f"order {k}": Estimate(share, n=len(self.original)) for k, share in self.shares_of_orders.items()}
        return {"interaction share": Estimate(1 - orders["order 1"].value, n=len(self.original))} | orders


def emap_of_many(
    f: Callable[..., Any],
    modalities: Mapping[str, Any],
    *,
    batch_size: int = 1024,
    check: bool = True,
    progress: bool | None = None,
    outputs: str = "classes",
    max_cells: int = 10**8,
) -> EmapOfMany:
    """Split a model of M modalities into additive part and interactions of every order (exact, N^M forward passes).

    Formula: up_to[k] = sum over sets S of at most k modalities of g_S, with g_S = sum over T in S of (-1)^(|S| - |T|) m_T.

    Args:
        f: Called with one batch per modality, in order; (B, C) or (B,) raw scores. As in `emap`.
        modalities: Name -> N examples, at least 2 of them, whatever `emap` takes; the k-th examples of all belong together.
        batch_size: Tuples per call.
        check, progress, outputs: As in `emap`.
        max_cells: Largest N^M to start on; 10^8 are months on a real model. Memory is that of the means with one modality averaged out, M N^(M-1) C numbers.

    Raises:
        ValueError: For lengths that differ, fewer than 2 modalities, a grid that is too large; and as `emap`.

    Example:
        >>> x = torch.tensor([0.0, 1.0])
        >>> result = emap_of_many(lambda a, b, c: a + 10 * b + a * c, {"a": x, "b": x, "c": x})
        >>> result.projected.flatten().tolist()  # a c becomes a/2 + c/2 - 1/4
        [-0.25, 11.75]
        >>> [names for names, share in result.shares.items() if share > 0]
        [('a',), ('b',), ('c',), ('a', 'c')]
    """
    if not isinstance(modalities, Mapping):
        raise TypeError(f"emap_of_many: got {type(modalities).__name__}; expected a dict: name -> N examples")
    sizes = {name: length(part, f"emap_of_many: {name}") for name, part in modalities.items()}
    n, m = next(iter(sizes.values()), 0), len(sizes)
    if m < 2 or len(set(sizes.values())) != 1:
        raise ValueError(f"emap_of_many: got {sizes}; expected at least 2 modalities of equal length")
    batch_size, outputs = whole(batch_size, "emap_of_many: batch_size"), check_outputs(outputs, "emap_of_many")
    if n**m > max_cells:
        raise ValueError(
            f"emap_of_many: {n}^{m} = {n**m:.3g} cells; expected at most max_cells={max_cells:.3g}: take fewer examples"
        )
    check_eval_mode(f, "emap_of_many")
    cells = _TupleCells(f, tuple(modalities.values()), n, batch_size)
    true, others = torch.arange(n), n ** (m - 1)
    columns = true * sum(n**k for k in range(m - 1))  # the true tuples among all of the other modalities
    step = sum(n**k for k in range(m))  # and among all tuples

    def score(rows: Tensor, columns: Tensor) -> Tensor:
        scores = cells.pairs(rows, columns)
        check_finite(scores, rows, columns % n)
        return scores

    with torch.no_grad():
        scores = score(true, columns)
        original = scores.double().cpu()
        allowed = allowed_change_of(cells, cells, scores) if check else float("inf")
        if check:
            check_stable(cells, original, allowed, columns)
        warn_about_scores(original, "emap_of_many")
        pivot = original.mean(0)
        tables, squares = [pivot.new_zeros(others, len(pivot)) for _ in range(m)], torch.zeros_like(pivot)
        of_mean = pivot.new_zeros(())
        hidden = None if progress is None else not progress
        with tqdm(total=n**m, unit="tuple", unit_scale=True, desc="emap", disable=hidden, leave=False) as bar:
            for place in (torch.arange(i, min(i + batch_size, n**m)) for i in range(0, n**m, batch_size)):
                values = score(place // others, place % others).double().cpu()
                met = place % step == 0  # the true tuples, met a second time, in other company
                if met.any():
                    again = original[place[met] // step]
                    check_deterministic(again, values[met], allowed, "in two different batches", "grid", "tuple")
                values = values - pivot
                squares += values.square().sum(0)
                of_mean += values.mean(1).square().sum()
                for k, table in enumerate(tables):  # summed over modality k: its digit of the place drops out
                    low = n ** (m - 1 - k)
                    table.index_add_(0, place // (low * n) * low + place % low, values)
                bar.update(len(place))
    tables = [(table / n).view(*[n] * (m - 1), -1) for table in tables]
    return _split(original, tables, squares, of_mean, pivot, tuple(modalities), outputs)


class _TupleCells(Cells):
    """A grid of two sides: examples of the first modality, and all tuples of examples of the others, by their number."""

    def __init__(self, f: Callable, data: tuple, n: int, batch_size: int) -> None:
        super().__init__(n, batch_size)
        self.f, self.data = f, data

    def _pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        index = rows, *torch.unravel_index(columns, (self.n,) * (len(self.data) - 1))
        return as_scores(call(self.f, *map(take, self.data, index)), len(rows))


def _split(
    original: Tensor,
    leave_one_out: list[Tensor],
    squares: Tensor,
    of_mean: Tensor,
    pivot: Tensor,
    names: tuple[str, ...],
    outputs: str,
) -> EmapOfMany:
    n, m = len(original), len(names)
    everything = tuple(range(m))
    # set of modalities held -> mean over all others, axes in order, then C
    means = {tuple(j for j in everything if j != k): table for k, table in enumerate(leave_one_out)}
    for size in range(m - 2, -1, -1):
        for held in itertools.combinations(everything, size):
            extra = next(j for j in everything if j not in held)
            larger = tuple(sorted((*held, extra)))
            means[held] = means[larger].mean(larger.index(extra))
    true = torch.arange(n)
    up_to, sums, shared, so_far, c = {}, {}, {}, means[()].expand(n, -1), len(pivot)
    for order in range(1, m):
        for held in itertools.combinations(everything, order):
            component = 0
            for part in (part for size in range(order + 1) for part in itertools.combinations(held, size)):
                mean = means[part].reshape(*(n if j in part else 1 for j in held), -1)
                component = component + (-1) ** (order - len(part)) * mean
            so_far = so_far + component[(true,) * order]
            held_names = tuple(names[j] for j in held)
            sums[held_names] = n ** (m - order) * component.square().sum(tuple(range(order)))
            shared[held_names] = c * n ** (m - order) * component.mean(-1).square().sum()
        up_to[order] = so_far + pivot
    up_to[m] = original
    total = squares - n**m * means[()].square()
    sums[names] = (total - sum(sums.values())).clamp(min=0)  # below 0 only by rounding
    shared[names] = (c * (of_mean - n**m * means[()].mean().square()) - sum(shared.values())).clamp(min=0)
    return EmapOfMany(
        original=original,
        up_to=up_to,
        marginals={name: means[(j,)] + pivot for j, name in enumerate(names)},
        grand_mean=means[()] + pivot,
        sums_of_squares=sums,
        shared=shared if c > 1 else {},
        outputs=outputs,
    )
