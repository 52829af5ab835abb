"""The complementarity metric: how much of the information about a label only one modality has, or only both together."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmnb import aliases
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.information.classifiers import held_out_losses
from mmnb.instruments.information.exact import checked, entropy, mutual_information
from mmnb.instruments.information.methods import mi
from mmnb.instruments.inputs import array, labels, numbers
from mmnb.instruments.result import Result

MIN_INFORMATION = 0.02  # nats: below, the metric would be a ratio of noise
DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True)
class Complementarity(Result):
    """Complementary information of each modality, and the metric: their sum as a share of all information.

    Attributes:
        gain_a, gain_b: I(a;y|b) and I(b;y|a), nats. Estimates may be slightly negative.
        information: I(a,b;y), nats, or H(y) with denominator "labels".
        denominator, method: "information" or "labels"; "table", "classifiers" or the name of an estimator.
        min_information: Information, nats, below which there is no metric.
        n: Number of rows, None for a table.
        intervals: 95 % bootstrap intervals over rows, by name of the estimate.
    """

    gain_a: float
    gain_b: float
    information: float
    denominator: str
    method: str
    min_information: float = MIN_INFORMATION
    n: int | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict, repr=False)

    def estimates(self) -> dict[str, Estimate]:
        """The metric where there is one, the information, and both gains."""
        names = ["metric"] if self.has_metric else []
        return {name: self._of(name) for name in [*names, "information", "gain_a", "gain_b"]}

    def _of(self, name: str) -> Estimate:
        return Estimate(getattr(self, name), *self.intervals.get(name, ()), n=self.n)

    @property
    def headline(self) -> Estimate:
        """The metric; raises ValueError as `metric` does."""
        return self._of("metric")

    @property
    def has_metric(self) -> bool:
        """Whether there is enough information to divide by."""
        return self.information > self.min_information

    @property
    def metric(self) -> float:
        """(gain_a + gain_b) / information: 0 redundant, 1 unique, 2 only together. ValueError unless `has_metric`."""
        if not self.has_metric:
            wanted = f"expected more than {self.min_information}: a ratio of so little would be noise"
            raise ValueError(f"Complementarity.metric: got {self.information:.4f} nats about the label; {wanted}")
        return (self.gain_a + self.gain_b) / self.information


def from_table(table: np.ndarray) -> Complementarity:
    """The metric of a known joint distribution, exactly: without intervals, from 1e-9 nats of information.

    Formula: (I(a;y|b) + I(b;y|a)) / I(a,b;y) = (U_a + U_b + 2 S) / (R + U_a + U_b + S) in terms of `information.pid`.
    Args:
        table: (n_a, n_b, n_y), joint probabilities.
    Raises: ValueError when it is not a table of probabilities with three axes.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(from_table(xor).metric, 9)
        2.0

    Source: Section 3.1 of the complementarity paper; the identity with the atoms is ours.
    """
    p = checked(table, "complementarity.from_table", axes=3)
    gains = mutual_information(p, 0, 2, given=1), mutual_information(p, 1, 2, given=0)
    return Complementarity(*gains, mutual_information(p, (0, 1), 2), "information", "table", 1e-9)


def from_losses(
    loss_a: Any,
    loss_b: Any,
    loss_ab: Any,
    y: Any,
    *,
    denominator: str = "information",
    min_information: float = MIN_INFORMATION,
    seed: int = 0,
) -> Complementarity:
    """The metric from held-out losses of three classifiers on the same rows: of a, of b, and of both.

    Formula: with H(y|.) the mean loss, gain_a = H(y|b) - H(y|a,b), gain_b = H(y|a) - H(y|a,b), and the information is
    H(y) - H(y|a,b), or H(y) with denominator "labels", as if both together determined the label.
    Args:
        loss_a, loss_b, loss_ab: (n,) -log p of the true label, nats.
        y: (n,) labels.
        denominator: "information" or "labels".
        min_information: Smallest information for a ratio, nats.
        seed: Of the bootstrap (1000 resamples of rows, percentiles). It covers the test sample, not the training, and
            gives no interval of the metric if a resample has no information.
    Raises: TypeError on real-valued labels; ValueError on constant ones, lengths that differ, losses that are NaN, infinite
        or below 0 (log p?). Warns where a mean loss is far above H(y): bits, or overconfident classifiers.
    Example:
        >>> y, one, both = np.array([0, 1] * 50), np.full(100, 0.693), np.zeros(100)  # XOR
        >>> round(from_losses(one, one, both, y).metric, 2)
        2.0

    Source: Ours, in place of the paper's MINE: every term lies between 0 and H(y), up to noise.
    """
    name = "complementarity.from_losses"
    if array(loss_a, name).dtype.kind in "biu" and array(y, name).dtype.kind == "f":
        aliases.warn("complementarity.from_losses(y, loss_a, …)", "from_losses(loss_a, loss_b, loss_ab, y)")
        loss_a, loss_b, loss_ab, y = loss_b, loss_ab, y, loss_a
    code, classes = labels(y, f"{name}: y")
    if len(classes) < 2:
        raise ValueError(f"{name}: y: all {len(code)} labels are {classes[0]}; expected two classes or more")
    losses = [numbers(loss, f"{name}: losses", "(n,)").numpy() for loss in (loss_a, loss_b, loss_ab)]
    if any(len(loss) != len(code) for loss in losses):
        raise ValueError(
            f"{name}: got {[len(loss) for loss in losses]} losses for {len(code)} labels; expected one each"
        )
    if (least := min(loss.min() for loss in losses)) < -1e-6:
        raise ValueError(
            f"{name}: got a loss of {least:.3g}; expected -log p of the true label, which is never below 0"
        )
    h, most = entropy(np.bincount(code) / len(code)), max(loss.mean() for loss in losses)
    if most > 1.2 * h:
        wanted = "expected nats (not bits) of calibrated classifiers"
        warnings.warn(
            f"{name}: got a mean loss of {most:.3g} where knowing nothing costs {h:.3g}; {wanted}", stacklevel=2
        )
    return _from_losses(code, losses, denominator, min_information, seed)


def _from_losses(
    code: np.ndarray, losses: list[np.ndarray], denominator: str, min_information: float, seed: int
) -> Complementarity:
    if denominator not in ("information", "labels"):
        raise ValueError(f"from_losses: got denominator {denominator!r}; expected 'information' or 'labels'")
    stacked = np.stack(losses, axis=1)
    terms = _terms(code, stacked, denominator)
    rng = np.random.default_rng(seed)
    resamples = (rng.integers(len(code), size=len(code)) for _ in range(DRAWS))  # one at a time: memory
    draws = np.array([_terms(code[some], stacked[some], denominator) for some in resamples])
    columns = dict(zip(("gain_a", "gain_b", "information"), draws.T, strict=True))
    if terms[2] > min_information and draws[:, 2].min() > 0:
        columns["metric"] = (draws[:, 0] + draws[:, 1]) / draws[:, 2]
    values = dict(zip(columns, (*terms, (terms[0] + terms[1]) / (terms[2] or np.nan)), strict=False))
    ends = {name: np.quantile(column, [0.025, 0.975]) for name, column in columns.items()}
    intervals = {k: (min(float(low), values[k]), max(float(high), values[k])) for k, (low, high) in ends.items()}
    return Complementarity(*terms, denominator, "classifiers", min_information, len(code), intervals)


def _terms(code: np.ndarray, losses: np.ndarray, denominator: str) -> tuple[float, float, float]:
    h_a, h_b, h_ab = (float(h) for h in losses.mean(0))
    h = entropy(np.bincount(code) / len(code))
    return h_b - h_ab, h_a - h_ab, h - h_ab if denominator == "information" else h


def from_classifiers(
    a: Any,
    b: Any,
    y: Any,
    classifier: Any,
    *,
    folds: Any = 5,
    seed: int = 0,
    subtract_shuffled: bool = False,
    denominator: str = "information",
    min_information: float = MIN_INFORMATION,
    progress: bool | None = None,
) -> Complementarity:
    """The metric from three cross-fitted classifiers of the same kind: `from_losses` of `information.held_out_losses`.

    Args:
        a, b, y: (n, …), the two modalities, and (n,) labels.
        classifier, folds, progress: As for `held_out_losses`.
        seed: Of the folds and the bootstrap.
        subtract_shuffled: Subtract from each classifier's gain over H(y) its gain when the labels are shuffled.
        denominator, min_information: As for `from_losses`.
    Source: Ours; Liang et al. 2023 use differences of classifiers' losses in the same way.
    """
    options = dict(folds=folds, seed=seed, progress=progress)
    a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
    inputs = [a, b, (*a, *b)]
    code = labels(y, "complementarity.from_classifiers: y")[0]
    losses = [held_out_losses(x, y, classifier, **options) for x in inputs]
    if subtract_shuffled:
        shuffled = np.random.default_rng(seed).permutation(code)
        h = entropy(np.bincount(code) / len(code))
        seeming = [h - held_out_losses(x, shuffled, classifier, **options).mean() for x in inputs]
        losses = [loss + gain for loss, gain in zip(losses, seeming, strict=True)]
    return _from_losses(code, losses, denominator, min_information, seed)


def from_three_terms(a: Any, b: Any, y: Any, *, method: str = "mine", seed: int = 0, **options: Any) -> Complementarity:
    """The paper's own pipeline: three mutual informations by a neural estimator, and H(y) as the denominator.

    Formula: I(a;y|b) = I(a; b,y) - I(a;b), I(b;y|a) = I(b; a,y) - I(a;b), divided by H(y).

    Where a and b depend strongly on each other, a gain is the difference of two large and uncertain numbers: it may have
    any sign and size. The paper evaluates on the training set, as `held_out=0` does here.

    Args:
        a, b, y: (n, d) numbers, and (n,) labels.
        method, seed, options: As for `information.mi`.
    Source: Section 4.2 and figure 2 of the complementarity paper.
    """
    code = labels(y, "complementarity.from_three_terms: y", fewest=2)[0]
    ab = mi(a, b, method=method, seed=seed, **options).value
    gain_a = mi(a, (b, code), method=method, seed=seed + 1, **options).value - ab
    gain_b = mi(b, (a, code), method=method, seed=seed + 2, **options).value - ab
    h = entropy(np.bincount(code) / len(code))
    return Complementarity(gain_a, gain_b, h, "labels", method, n=len(code))
