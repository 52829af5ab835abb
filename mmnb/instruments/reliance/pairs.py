"""Minimal pairs: 2 x 2 groups in which only the right combination tells, and what an additive model can reach there."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.inputs import numbers
from mmnb.instruments.result import Result

CHANCE = {
    "a": 1 / 4,
    "b": 1 / 4,
    "group": 1 / 6,
}  # of scores that are independent draws from one continuous distribution


@dataclass(frozen=True, eq=False)
class MinimalPairs(Result):
    """What `minimal_pairs` returns.

    Attributes:
        group: Share of groups with every choice right. An additive model has 0.
        a: Share with the right a chosen for both b. With a the texts: Winoground's text score.
        b: Share with the right b chosen for both a.
        contrast: (G,), s_00 - s_01 - s_10 + s_11: 0 for an additive model, above 0 in every group solved.
    """

    group: Estimate
    a: Estimate
    b: Estimate
    contrast: Tensor = field(repr=False)

    def estimates(self) -> dict[str, Estimate]:
        return {"group score": self.group, "right a for each b": self.a, "right b for each a": self.b}


def minimal_pairs(scores: Any) -> MinimalPairs:
    """Text, image and group score of 2 x 2 minimal pairs, whose right combinations are (0, 0) and (1, 1).

    Formula: right a for each b: s_00 > s_10 and s_11 > s_01; right b for each a: s_00 > s_01 and s_11 > s_10; group: both. A tie is wrong.
    All four together need s_00 - s_01 - s_10 + s_11 > 0, which is 0 for s_ij = u_i + v_j: so the null of "it uses both" is 0, not chance
    (1/4, 1/4 and 1/6). And a score of one side alone has 0 in all three: for s_ij = u_i the first asks u_0 > u_1 > u_0.

    Args:
        scores: (G, 2, 2): group, a, b; how well a_i and b_j go together.

    Raises:
        TypeError, ValueError: For another shape, or what is no finite number.

    Example:
        >>> found = minimal_pairs([[[2.0, 1.0], [0.0, 1.5]], [[1.0, 2.0], [2.0, 3.0]]])  # the second is additive
        >>> found.group.value, found.a.value, found.contrast.tolist()
        (0.5, 0.5, [2.5, 0.0])

    Source:
        Thrush et al. 2022 (Winoground), which prints chance; that an additive model has 0 is two lines of algebra.
    """
    s = numbers(scores, "minimal_pairs: scores", "(groups, 2, 2)")
    if s.shape[1:] != (2, 2):
        raise ValueError(f"minimal_pairs: scores: got shape {tuple(s.shape)}; expected (groups, 2, 2)")
    s00, s01, s10, s11 = s[:, 0, 0], s[:, 0, 1], s[:, 1, 0], s[:, 1, 1]
    a, b = (s00 > s10) & (s11 > s01), (s00 > s01) & (s11 > s10)
    count = len(s)
    group, of_a, of_b = (proportion(int(hits.sum()), count, over="groups") for hits in (a & b, a, b))
    return MinimalPairs(group, of_a, of_b, (s00 - s01) - (s10 - s11))


def additive_groups(scores: Tensor) -> Tensor:
    """The additive part of every group (G, 2, 2): its own EMAP."""
    return scores.mean(2, keepdim=True) + scores.mean(1, keepdim=True) - scores.mean((1, 2), keepdim=True)
