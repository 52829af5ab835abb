"""The decision rule of Du et al.: train two encoders jointly with teachers (UMT), or apart and average them (UME)?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.laziness.probe import probe_features
from mmnb.instruments.result import Result

UMT, UME = "UMT", "UME"
_ALPHA = 0.05  # one-sided, for all rivals together


@dataclass(frozen=True)
class Choice(Result):
    """The advice of `choose`, with its evidence.

    Attributes:
        verdict: "UMT" or "UME".
        because: "frozen" or "joint": this rival is significantly better than the average · "nothing": the average is not
            significantly better than chance · "doubt": neither holds.
        gain: Accuracy of the strongest rival minus that of the average, with its paired bootstrap interval over test
            examples. The lower end decides: above 0, the rival is better.
        fused, joint: Accuracy of the linear classifier on frozen features, and of the jointly trained model if given.
        averaged, chance: Accuracy of the averaged uni-modal predictions, and of the most frequent training label.
        sure: Share of bootstrap draws that lead to the same verdict, 0 to 1.
        nothing: Whether the average is not significantly better than chance.
        p: Exact two-sided p-value (McNemar) of "the average and its strongest rival are correct equally often", times
            the number of rivals.
    """

    verdict: str
    because: str
    gain: Estimate
    fused: float
    joint: float | None
    averaged: float
    chance: float
    sure: float
    nothing: bool
    p: float

    def estimates(self) -> dict[str, Estimate]:
        """The gain of the strongest rival over the average, then every accuracy."""
        shares = {name: getattr(self, name) for name in ("fused", "joint", "averaged", "chance")}
        n = self.gain.n
        return {"gain": self.gain} | {k: proportion(round(s * n), n) for k, s in shares.items() if s is not None}


def choose(
    features: Mapping[str, Tensor],
    y: Tensor,
    test: Mapping[str, Tensor],
    test_y: Tensor,
    test_logits: Mapping[str, Tensor],
    *,
    joint: Tensor | None = None,
    C: float = 1.0,
    resamples: int = 1000,
    seed: int = 0,
) -> Choice:
    """Compare the average of uni-modal predictions with classifiers that saw both modalities.

    Rule, in this order:
    1. A rival is significantly better than the average -> "UMT". The rivals: a linear classifier on the concatenated
       features of the frozen uni-modal encoders (the rule as described), and, if given, a jointly trained model.
       Significant: the lower end of the paired bootstrap interval of the gain is above 0, one-sided 5 % for all rivals.
    2. The average is not significantly better than the most frequent class -> "UMT": there is nothing to average.
    3. Else -> "UME", the simpler one.

    Why a jointly trained rival: paired features are those that are learnt *only* when modalities are trained together.
    Frozen uni-modal encoders need not represent them, and a linear classifier on separate features is a sum over
    modalities, so on a task such as XOR both sides of the rule as described are at chance, and step 2 decides without
    evidence. A joint model whose head lets modalities interact provides the evidence.

    Args:
        features: Modality -> (n, d_m) features of frozen uni-modal encoders, training examples.
        y: (n,) int64 labels.
        test: Modality -> (m, d_m) features of examples that no training has used; best a validation split.
        test_y: (m,) int64 labels.
        test_logits: Modality -> (m, classes), predictions of the uni-modal models on the same examples.
        joint: (m, classes), predictions of a jointly trained model.
        C: As in `probe_features`.
        resamples, seed: Of the bootstrap; at least 100 draws.
    Raises: ValueError on fewer than two modalities, different names, a `joint` of another length or with NaN, fewer
        than 100 resamples, and as `probe_features` and `average`.
    Source: Du et al., ICML 2023, our reading of the abstract and of second-hand descriptions, which compare the linear
        classifier alone; the jointly trained rival, the order of the rule and `sure` are ours.
    """
    names = list(features)
    if len(names) < 2 or set(test) != set(names) or set(test_logits) != set(names) or resamples < 100:
        got = f"features of {names}, test of {list(test)}, logits of {list(test_logits)}, resamples={resamples}"
        raise ValueError(f"choose: got {got}; expected the same two modalities or more in all three, resamples >= 100")
    if joint is not None and (joint.ndim != 2 or len(joint) != len(test_y) or joint.isnan().any()):
        got = f"joint of shape {tuple(joint.shape)} with {int(joint.isnan().sum())} NaN"
        raise ValueError(f"choose: got {got}; expected ({len(test_y)}, classes), none")
    whole, held = (torch.cat([part[name] for name in names], 1) for part in (features, test))
    rivals = {"frozen": probe_features(whole, y, held, test_y, C=C).log_probabilities}
    rivals |= {} if joint is None else {"joint": joint}
    right = {name: (scores.argmax(1) == test_y).numpy() for name, scores in rivals.items()}
    averaged = (average([test_logits[name] for name in names]).argmax(1) == test_y).numpy()
    chance = (test_y == y.bincount().argmax()).numpy()
    n, alpha = len(averaged), _ALPHA / len(rivals)
    draws = np.random.default_rng(seed).integers(n, size=(resamples, n))
    strongest = max(right, key=lambda name: right[name].sum())
    gains = (right[strongest].astype(float) - averaged)[draws].mean(1)
    over_chance = (averaged.astype(float) - chance)[draws].mean(1)
    low, high = np.quantile(gains, [alpha, 1 - alpha])
    nothing = not np.quantile(over_chance, _ALPHA) > 0
    because = strongest if low > 0 else "nothing" if nothing else "doubt"
    verdict = UME if because == "doubt" else UMT
    for_umt = ((gains > 0) | (over_chance <= 0)).mean()
    gain = float(right[strongest].mean() - averaged.mean())
    return Choice(
        verdict=verdict,
        because=because,
        gain=Estimate(gain, float(low), float(high), n=n, level=1 - 2 * alpha),
        fused=float(right["frozen"].mean()),
        joint=None if joint is None else float(right["joint"].mean()),
        averaged=float(averaged.mean()),
        chance=float(chance.mean()),
        sure=float(for_umt if verdict == UMT else 1 - for_umt),
        nothing=nothing,
        p=min(1.0, len(rivals) * _mcnemar(right[strongest], averaged)),
    )


def _mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    """Exact two-sided p-value of equal chances among the examples on which just one is right; 1 if there are none."""
    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0


def average(logits: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
    """Uni-modal ensemble (UME): log of the weighted average of predicted probabilities, (…, classes).

    Formula: log sum_m w_m softmax(logits_m) / sum_m w_m.
    Args:
        logits: (…, classes) for each modality, of one shape.
        weights: One for each modality, not negative, sum above 0; None: equal.
    Raises: ValueError on no logits, different shapes, or other weights.
    Example:
        >>> average([torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])]).exp()
        tensor([[0.5000, 0.5000]])

    Source: Du et al., ICML 2023, our reading of the abstract. Averaging probabilities, not logits, is our choice.
    """
    weights = [1.0] * len(logits) if weights is None else [float(w) for w in weights]
    if not logits or len({part.shape for part in logits}) != 1 or len(weights) != len(logits):
        shapes = [tuple(part.shape) for part in logits]
        raise ValueError(f"average: got shapes {shapes}, {len(weights)} weights; expected one shape, one weight each")
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"average: got weights {weights}; expected none below 0 and a sum above 0")
    kept = [(part.log_softmax(-1), w / sum(weights)) for part, w in zip(logits, weights, strict=True) if w > 0]
    return torch.stack([part + math.log(w) for part, w in kept]).logsumexp(0)
