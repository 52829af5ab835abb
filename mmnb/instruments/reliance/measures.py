"""`reliance(f, a, b, y)`: what each side is worth, in accuracy and in bits, with no pass beyond the grid of EMAP."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.batches import length
from mmnb.instruments.emap.result import Emap, ShiftMoments, from_shifts, from_sums
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid import Sums, TruePairs, sweep
from mmnb.instruments.inputs import whole
from mmnb.instruments.metrics import read_metric
from mmnb.instruments.reliance.accumulators import Others, Predictions
from mmnb.instruments.reliance.cells import Ratio, predicted, ratio_of_cells
from mmnb.instruments.resampling import bootstrap_means, estimate_of, influence_estimate
from mmnb.instruments.result import Result


@dataclass(frozen=True, eq=False)
class Reliance(Result):
    """What `reliance` returns.

    Attributes:
        accuracy: Of the true pairs.
        perceptual: "a", "b" -> accuracy lost when that side is exchanged for another example's.
        shapley: "a", "b" -> its part of the accuracy above the constant's; "synergy" -> what neither gives alone.
        bits: "a", "b" -> (n,), information of that side about y given the other, in bits; below 0 it misleads.
        gain: "a", "b" -> mean of `bits`.
    """

    accuracy: Estimate
    perceptual: dict[str, Estimate]
    shapley: dict[str, Estimate]
    gain: dict[str, Estimate]
    bits: dict[str, Tensor] = field(repr=False)

    def estimates(self) -> dict[str, Estimate]:
        found = {f"perceptual score of {side}": e for side, e in self.perceptual.items()}
        found |= {f"Shapley value of {side}" if side != "synergy" else side: e for side, e in self.shapley.items()}
        return found | {f"bits from {side}": e for side, e in self.gain.items()} | {"accuracy": self.accuracy}


def reliance(
    f: Callable[[Any, Any], Any],
    a: Any,
    b: Any,
    y: Any,
    *,
    group: Any = None,
    shifts: int | None = None,
    **options: Any,
) -> Reliance:
    """How much a classifier's accuracy and certainty lean on each of its two sides.

    Formula: perceptual score of b = acc - mean over i != j of [f(a_i, b_j) says y_i]; Shapley value of b = ((v_b - v_0) + (v_ab - v_a)) / 2
    and synergy = v_ab - v_a - v_b + v_0, v the accuracies of the model, its marginals and the constant; bits from b =
    log2 p(y | a_i, b_i) - log2 mean over j != i of p(y_i | a_i, b_j).

    Args:
        f, a, b: As in `mmnb.emap`; f gives logits of classes.
        y: (n,) labels: whole numbers from 0 to C - 1, or texts whose order by name is that of the outputs.
        group: (n,) labels of examples that belong together, such as questions about one picture: intervals go over groups.
        shifts: As in `mmnb.emap`: this many false partners each, instead of all.
        **options: batch_size, check, strategy, last, seed, progress, checkpoint, save_every and distributed of `mmnb.emap`.

    Raises:
        TypeError, ValueError, RuntimeError: As `mmnb.emap`; for labels that do not fit the outputs; above 32,000 examples (`Predictions`).

    Example:
        >>> F = torch.tensor([[[0.0, 2.0], [0.0, 2.0]], [[2.0, 0.0], [2.0, 0.0]]])  # b is not read
        >>> found = reliance(lambda i, j: F[i, j], torch.arange(2), torch.arange(2), [1, 0])
        >>> found.perceptual["a"].value, found.perceptual["b"].value, found.shapley["synergy"].value
        (1.0, 0.0, 0.0)

    Source:
        Gat, Schwartz & Schwing 2021 (perceptual score, there with single permutations; the mean over all that move every example is ours);
        Hu et al. 2022 (SHAPE, there with zeros for a missing side; ours are means over partners); arXiv 2602.17186 (information gain).
    """
    shifts = None if shifts is None else whole(shifts, "reliance: shifts", 2)
    sampled = shifts is not None and shifts < length(a, "reliance: a") - 1
    sums, kept, others = ShiftMoments() if sampled else Sums(squares=False), Predictions(), Others()
    true = sweep(f, a, b, {"sums": sums, "predictions": kept, "others": others}, shifts=shifts, **options)
    return from_pass(kept, others, true, from_shifts(sums, true) if sampled else from_sums(sums, true), y, group)


def from_pass(
    predictions: Predictions, others: Others, true: TruePairs, result: Emap, y: Any, group: Any = None
) -> Reliance:
    """The same from accumulators of a pass that was run, and EMAP of it.

    Args:
        predictions, others: Accumulators that saw the pass.
        true: What `sweep` returned.
        result: EMAP of the same pass.
        y, group: As in `reliance`.

    Raises:
        TypeError, ValueError: For labels that do not fit.
    """
    n, c = result.original.shape
    if n < 2:
        raise ValueError("reliance: got 1 example; expected at least 2, as others are its partners")
    y = torch.from_numpy(read_metric("accuracy", y, n, c).y)
    hit = (predicted(result.original) == y).double()
    own = hit - hit.mean()
    accuracy = Ratio(hit.mean().item(), own.numpy())
    table = predictions.without_true_pairs().long()
    scored = table > 0
    # a_i with another b is judged by y_i, the label of its row; b_j with another a by y_j, that of its column
    exchanged = {"b": table == y[:, None] + 1, "a": table == y[None] + 1}
    perceptual = {side: accuracy - ratio_of_cells(exchanged[side] & scored, scored) for side in ("a", "b")}
    bits = information_gain(others, true, y)
    return Reliance(
        accuracy=accuracy.estimate(group),
        perceptual={side: found.estimate(group) for side, found in perceptual.items()},
        shapley=shapley(result, y, group),
        gain={side: influence_estimate(x.mean().item(), (x - x.mean()).numpy(), group) for side, x in bits.items()},
        bits=bits,
    )


def information_gain(others: Others, true: TruePairs, y: Tensor) -> dict[str, Tensor]:
    """Bits about y (n,) that each side adds to the other: "a", "b" -> (n,) float64."""
    index = torch.arange(len(y))
    with_a, with_b = others.means()
    whole_pair = true.log_probabilities.cpu()[index, y] / np.log(2)
    tiny = torch.finfo(torch.float32).tiny
    return {side: whole_pair - mean[index, y].clamp(min=tiny).log2() for side, mean in (("a", with_b), ("b", with_a))}


def shapley(result: Emap, y: Tensor, group: Any = None, resamples: int = 2000) -> dict[str, Estimate]:
    """Shapley values of the two sides on accuracy, and their synergy, from the five predictors of an EMAP."""
    parts = (result.original, result.marginal_a, result.marginal_b, result.grand_mean.expand_as(result.original))
    hits = torch.stack([(predicted(part) == y).double() for part in parts], 1).numpy()

    def values(means: np.ndarray) -> np.ndarray:
        both, a, b, none = np.moveaxis(means, -1, 0)
        return np.stack([(a - none + both - b) / 2, (b - none + both - a) / 2, both - a - b + none], -1)

    found, draws = values(hits.mean(0)), values(bootstrap_means(hits, group, resamples=resamples))
    names = ("a", "b", "synergy")
    return {name: estimate_of(found[k], draws[:, k], len(hits)) for k, name in enumerate(names)}
