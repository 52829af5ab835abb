"""Conflict: in mixed pairs whose sides say different things, whom does the model follow? No labels."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mmnb.instruments.emap.result import Emap
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid.accumulators import TruePairs
from mmnb.instruments.reliance.accumulators import Others, Predictions, probabilities_and_entropy
from mmnb.instruments.reliance.cells import additive_predictions, predicted, ratio_of_cells
from mmnb.instruments.resampling import influence_estimate
from mmnb.instruments.result import Result


@dataclass(frozen=True, eq=False)
class Conflict(Result):
    """What `conflict` returns.

    Attributes:
        cells: Mixed cells whose two marginals predict different classes.
        preference: Of those in which the model follows one of the two, the share that follows a.
        additive: The same of the additive projection: the null, what the sizes of the two sides alone give.
        excess: preference - additive.
        follows: Shares of the cells in conflict: "a", "b", "neither".
        per_example: (n,), among the conflicts with a_i or b_i, how many follow the example's own side less those that do not, over
            their number; NaN without conflict.
    """

    cells: int
    preference: Estimate
    additive: Estimate
    excess: Estimate
    follows: dict[str, Estimate]
    per_example: Tensor = field(repr=False)

    def estimates(self) -> dict[str, Estimate]:
        names = {f"follows {side}": share for side, share in self.follows.items()}
        return {"preference for a": self.preference, "additive": self.additive, "excess": self.excess} | names


def conflict(predictions: Predictions, result: Emap, group: Any = None) -> Conflict:
    """Whom the model follows where the two sides of a mixed pair disagree.

    Formula: over cells i != j with p_a(i) != p_b(j), the classes of the marginals of a_i and b_j:
        preference = #[f(a_i, b_j) = p_a(i)] / #[f(a_i, b_j) in {p_a(i), p_b(j)}].

    Args:
        predictions: Of a pass over the grid.
        result: EMAP of the same pass.
        group: (n,) labels of examples that belong together, or None.

    Raises:
        ValueError: If the two sides never disagree, or the model never follows either.

    Example:
        >>> from mmnb.instruments.emap import emap
        >>> from mmnb.instruments.grid import Sums, sweep
        >>> from mmnb.instruments.emap.result import from_sums
        >>> a = torch.tensor([-2.0, 2.0, 1.0]); b = torch.tensor([0.5, -0.5, 0.5])
        >>> sums, kept = Sums(), Predictions()
        >>> true = sweep(lambda a, b: a + b, a, b, {"sums": sums, "kept": kept})
        >>> found = conflict(kept, from_sums(sums, true))
        >>> found.preference.value, found.additive.value  # a always wins, as it does by its size
        (1.0, 1.0)

    Source:
        The text preference ratio of Deng et al. 2025 (arXiv 2503.02199), there on planted conflicts; the additive null is ours.
    """
    table = predictions.without_true_pairs()
    of_a, of_b = predicted(result.marginal_a)[:, None], predicted(result.marginal_b)[None]
    apart = (table > 0) & (of_a != of_b)
    if not apart.any():
        raise ValueError("conflict: the two sides never disagree in a mixed pair; expected marginals that differ")

    def preference(said: Tensor):
        with_a, with_b = apart & (said == of_a), apart & (said == of_b)
        return with_a, with_b, ratio_of_cells(with_a, with_a | with_b)

    with_a, with_b, model = preference(table.long() - 1)
    *_, additive = preference(additive_predictions(result))
    if model is None or additive is None:
        who = "model" if model is None else "projection"
        raise ValueError(f"conflict: the {who} never follows either side; expected it to in some cell")
    neither = apart & ~with_a & ~with_b
    shares = {"a": with_a, "b": with_b, "neither": neither}
    count = apart.sum(1) + apart.sum(0)
    own = with_a.sum(1) - with_b.sum(1) + with_b.sum(0) - with_a.sum(0)
    return Conflict(
        cells=int(apart.sum()),
        preference=model.estimate(group),
        additive=additive.estimate(group),
        excess=(model - additive).estimate(group),
        follows={side: ratio_of_cells(found, apart).estimate(group) for side, found in shares.items()},
        per_example=own.double() / torch.where(count > 0, count, torch.nan),
    )


@dataclass(frozen=True, eq=False)
class Surprise(Result):
    """What `surprise` returns: entropies of the model's answer over their greatest, log(classes).

    Attributes:
        true, mixed: Means over the true pairs and over the false ones.
        change: mixed - true.
        bins_true, bins_mixed: (20,) histograms from 0 to 1.
    """

    true: Estimate
    mixed: Estimate
    change: Estimate
    bins_true: Tensor = field(repr=False)
    bins_mixed: Tensor = field(repr=False)

    def estimates(self) -> dict[str, Estimate]:
        return {"change": self.change, "true pairs": self.true, "mixed pairs": self.mixed}


def surprise(others: Others, true: TruePairs, group: Any = None) -> Surprise:
    """Whether the model is less sure of mixed pairs: a sign that they look odd to it, so that means over partners mislead.

    Formula: mean entropy over the false cells - mean entropy over the true pairs, each entropy over log(classes).

    Args:
        others: Of a pass over the grid.
        true: Its true pairs.
        group: (n,) labels of examples that belong together, or None.
    """
    entropy = probabilities_and_entropy(true)[1].double().cpu()
    n, cells = len(entropy), others.count.sum().item()
    level = others.entropy_row.sum().item() / cells
    sums = (others.entropy_row + others.entropy_column).cpu()
    mixed = ((sums - 2 * level * others.count.cpu()) / cells * n).numpy()
    own = (entropy - entropy.mean()).numpy()
    value = entropy.mean().item()
    bins = others.bins.cpu()
    return Surprise(
        true=influence_estimate(value, own, group),
        mixed=influence_estimate(level, mixed, group),
        change=influence_estimate(level - value, mixed - own, group),
        bins_true=entropy.mul(len(bins)).long().clamp(0, len(bins) - 1).bincount(minlength=len(bins)),
        bins_mixed=bins,
    )
