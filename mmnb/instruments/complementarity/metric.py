"""The complementarity metric: which part of what two modalities say about a label is said by one of them alone, or only by both together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnb.instruments.information.exact import checked, entropy, mutual_information
from mmnb.instruments.information.held_out import held_out_losses, rows
from mmnb.instruments.information.methods import mi
from mmnb.instruments.information.variables import labels

SMALLEST = 0.02  # nats of information below which a ratio would be noise over noise
DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True)
class Complementarity:
    """Complementary information of each modality and what both say together; `metric` is the ratio.

    gain_a, gain_b  I(a;y|b) and I(b;y|a), nats: what a modality adds to the other one. May be slightly negative when estimated
    information     I(a,b;y), nats, or H(y) where `denominator` says "labels"
    interval        95 % of the metric, or None
    denominator     "information" or "labels"
    method          "table", "classifiers" or the name of an estimator
    """

    gain_a: float
    gain_b: float
    information: float
    interval: tuple[float, float] | None
    denominator: str
    method: str
    smallest: float = SMALLEST

    @property
    def has_metric(self) -> bool:
        """Whether there is enough information to speak of parts of it."""
        return self.information > self.smallest

    @property
    def metric(self) -> float:
        """(gain_a + gain_b) / information, from 0 (redundant) over 1 (unique) to 2 (only together).

        Raises: ValueError when the information is too small to divide by.
        """
        if not self.has_metric:
            raise ValueError(
                f"Complementarity.metric: the modalities say {self.information:.4f} nats about the label; expected more than {self.smallest}: "
                "a ratio of so little would be noise"
            )
        return (self.gain_a + self.gain_b) / self.information


def from_table(table: np.ndarray) -> Complementarity:
    """The metric of a known joint distribution, exactly.

    Formula: (I(a;y|b) + I(b;y|a)) / I(a,b;y) = (U_a + U_b + 2 S) / (R + U_a + U_b + S) in terms of the four atoms of `information.pid`.

    Args:    table (n_a, n_b, n_y), joint probabilities.
    Returns: `Complementarity` without interval; its metric is refused below 1e-9 nats of information.
    Raises:  ValueError when it is no table of probabilities with three axes.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> round(from_table(xor).metric, 9)
        2.0

    Source:  section 3.1 of the complementarity paper; the identity with the atoms is ours.
    """
    p = checked(table, "complementarity.from_table", axes=3)
    gains = mutual_information(p, 0, 2, given=1), mutual_information(p, 1, 2, given=0)
    return Complementarity(*gains, mutual_information(p, (0, 1), 2), None, "information", "table", 1e-9)


def from_losses(
    y: Any,
    loss_a: Any,
    loss_b: Any,
    loss_ab: Any,
    *,
    denominator: str = "information",
    smallest: float = SMALLEST,
    seed: int = 0,
) -> Complementarity:
    """The metric from held-out losses, in nats, of three classifiers on the same rows: one sees a, one b, one both.

    Formula: H(y|.) is taken as the mean loss, so gain_a = H(y|b) - H(y|a,b), gain_b = H(y|a) - H(y|a,b), and the information is
    H(y) - H(y|a,b), or H(y) alone with denominator "labels", as if both together left nothing open.

    Args:    y, (n,) labels; loss_a, loss_b, loss_ab, (n,) -log p of the true label; denominator; smallest information for a ratio, nats; seed of
             the bootstrap.
    Returns: `Complementarity`; the interval resamples rows (1000 times, percentiles), so it covers the test sample, not the training. It is None
             when a resample has too little information.
    Raises:  ValueError on lengths that differ, losses that are not finite, constant labels, another denominator; TypeError on real labels.
    Example:
        >>> y = np.array([0, 1] * 50)
        >>> result = from_losses(y, np.full(100, 0.693), np.full(100, 0.693), np.zeros(100))  # XOR: only both together know
        >>> round(result.metric, 2)
        2.0

    Source:  our choice in place of the paper's MINE: three ordinary classifiers, and every term lies between 0 and H(y), up to noise.
    """
    code = labels(y, "complementarity.from_losses", fewest=1)
    losses = [np.asarray(loss, dtype=np.float64) for loss in (loss_a, loss_b, loss_ab)]
    if any(loss.shape != code.shape or not np.isfinite(loss).all() for loss in losses):
        raise ValueError(
            f"complementarity.from_losses: got losses of shapes {[loss.shape for loss in losses]}; expected finite ones of shape {code.shape}"
        )
    if denominator not in ("information", "labels"):
        raise ValueError(
            f"complementarity.from_losses: got denominator {denominator!r}; expected 'information' or 'labels'"
        )
    stacked = np.stack(losses, axis=1)
    terms = _terms(code, stacked, denominator)
    rng = np.random.default_rng(seed)
    resamples = (rng.integers(len(code), size=len(code)) for _ in range(DRAWS))  # one at a time: memory
    draws = np.array([_terms(code[some], stacked[some], denominator) for some in resamples])
    interval = None
    if terms[2] > smallest and draws[:, 2].min() > 0:
        low, high = np.quantile((draws[:, 0] + draws[:, 1]) / draws[:, 2], [0.025, 0.975])
        value = (terms[0] + terms[1]) / terms[2]
        interval = (min(float(low), value), max(float(high), value))
    return Complementarity(*terms, interval, denominator, "classifiers", smallest)


def _terms(code: np.ndarray, losses: np.ndarray, denominator: str) -> tuple[float, float, float]:
    h_a, h_b, h_ab = (float(h) for h in losses.mean(0))
    h = entropy(np.bincount(code) / len(code))
    return h_b - h_ab, h_a - h_ab, h - h_ab if denominator == "information" else h


def from_classifiers(
    a: Any, b: Any, y: Any, classifier: Any, *, folds: Any = 5, seed: int = 0, floor: bool = False, **options: Any
) -> Complementarity:
    """The metric from three cross-fitted classifiers of the same kind.

    Formula: `from_losses` on `information.held_out_losses` of a, of b, and of both. With `floor`, what the same classifiers seem to gain
    when the labels are shuffled is subtracted from each loss's gain: H(y) - mean shuffled loss.

    Args:    a, b, (n, …) each; y, (n,) labels; classifier, folds, seed, as for `held_out_losses`; floor; options of `from_losses`.
    Returns: `Complementarity`. Raises: as those two.
    Source:  ours; Liang et al. 2023 use differences of classifiers' losses in the same way.
    """
    if not rows(a) == rows(b) == rows(y):
        raise ValueError(
            f"complementarity.from_classifiers: got {rows(a)}, {rows(b)}, {rows(y)} rows; expected one length"
        )
    inputs = [(a,), (b,), (a, b)]
    losses = [held_out_losses(x, y, classifier, folds=folds, seed=seed) for x in inputs]
    if floor:
        code = labels(y, "complementarity.from_classifiers")
        shuffled = np.random.default_rng(seed).permutation(code)
        h = entropy(np.bincount(code) / len(code))
        losses = [
            loss + h - held_out_losses(x, shuffled, classifier, folds=folds, seed=seed).mean()
            for loss, x in zip(losses, inputs, strict=True)
        ]
    return from_losses(y, *losses, seed=seed, **options)


def from_three_terms(a: Any, b: Any, y: Any, *, method: str = "mine", seed: int = 0, **options: Any) -> Complementarity:
    """The paper's own pipeline: three mutual informations by a neural estimator, and H(y) for the denominator.

    Formula: I(a;y|b) = I(a; b,y) - I(a;b), I(b;y|a) = I(b; a,y) - I(a;b), divided by H(y).

    Args:    a, b, (n, d) numbers; y, (n,) labels, which enter the critics one-hot in the middle; method, seed, options as for `information.mi`.
    Returns: `Complementarity` with denominator "labels". Gains may have any sign and size: where a and b depend strongly on each other, it is the
             difference of two large and uncertain numbers.
    Raises:  as `information.mi`.
    Source:  section 4.2 and figure 2 of the paper. It evaluates on the training set: `held_out=0` does so here.
    """
    code = labels(y, "complementarity.from_three_terms")
    ab = mi(a, b, method=method, seed=seed, **options).value
    gain_a = mi(a, (b, code), method=method, seed=seed + 1, **options).value - ab
    gain_b = mi(b, (a, code), method=method, seed=seed + 2, **options).value - ab
    return Complementarity(gain_a, gain_b, entropy(np.bincount(code) / len(code)), None, "labels", method)
