"""The choosing trick: should two encoders be trained together with teachers (UMT), or apart and averaged (UME)?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from mmnb.instruments.laziness.probe import probe_features

UMT, UME = "UMT", "UME"


@dataclass(frozen=True)
class Choice:
    """What `choose` advises and why.

    verdict    "UMT" or "UME"
    because    "frozen" or "joint": this rival of the average is shown to beat it · "nothing": the average is not shown to beat chance ·
               "doubt": no rival is shown to beat an average that knows something
    fused      accuracy of the multimodal linear head on frozen uni-modal features
    joint      accuracy of the model trained jointly, None where none was given
    averaged   accuracy of the averaged uni-modal predictions
    chance     accuracy of always giving the most frequent training label
    sure       share of the bootstrap draws of the test examples that lead to the same verdict, 0 to 1
    nothing    True where the averaged predictions are not shown to beat chance
    p          exact two-sided p-value of "the average and its strongest rival are right equally often" (McNemar), times the number of rivals
    """

    verdict: str
    because: str
    fused: float
    joint: float | None
    averaged: float
    chance: float
    sure: float
    nothing: bool
    p: float


def choose(
    features: Mapping[str, Tensor],
    label: Tensor,
    test: Mapping[str, Tensor],
    test_label: Tensor,
    test_logits: Mapping[str, Tensor],
    *,
    joint: Tensor | None = None,
    strength: float = 1.0,
    resamples: int = 1000,
    seed: int = 0,
) -> Choice:
    """Compare the average of uni-modal predictions with classifiers that saw both modalities.

    Rule, in this order:
    1. a rival is shown to beat the average -> "UMT". The rivals: a linear head on the concatenated features of the frozen uni-modal encoders
       (the trick as described), and, if given, a model trained jointly. Shown: the paired bootstrap's lower bound of the gain is above 0,
       one-sided, at 5 % for all rivals together.
    2. the average is not shown to beat the most frequent class -> "UMT": there is nothing to average, so UME cannot be the better choice.
    3. else -> "UME", which is simpler: doubt counts for it.

    Why a jointly trained rival: paired features are by definition those that are learnt *only* when modalities are trained together. Frozen
    uni-modal encoders need not hold them, and a linear head on separate features is a sum over modalities, so on a task such as XOR both sides
    of the trick as described stand at chance. Step 2 then decides without evidence for UMT; a joint model with an interactive head gives it.

    Args:
        features: modality -> (n, d_m), frozen uni-modal encoders on the training examples; label (n,) int64.
        test, test_label: the same on held-out examples, (m, d_m) and (m,). Held out from everything, best a validation split.
        test_logits: modality -> (m, classes), what the uni-modal models themselves predict there.
        joint: (m, classes), what a model trained jointly predicts there, best one whose head can let modalities interact.
        strength: of the linear classifier, see `probe_features`. resamples, at least 100, and seed, of the bootstrap.
    Returns: a `Choice`.
    Raises: ValueError on fewer than two modalities, other names, a joint of another length, fewer than 100 resamples, and as
        `probe_features` and `average`.
    Source: Du et al., ICML 2023, our reading of the abstract and of second-hand descriptions, which compare the linear head alone; the
        jointly trained rival, the order of the rule, the benefit of doubt and `sure` are ours.
    """
    names = list(features)
    if len(names) < 2 or set(test) != set(names) or set(test_logits) != set(names) or resamples < 100:
        raise ValueError(
            f"choose: got features of {names}, test of {list(test)}, logits of {list(test_logits)}, resamples={resamples}; expected the "
            "same two modalities or more in all three, resamples >= 100"
        )
    if joint is not None and (joint.ndim != 2 or len(joint) != len(test_label) or joint.isnan().any()):
        raise ValueError(
            f"choose: got joint of shape {tuple(joint.shape)} with {int(joint.isnan().sum())} NaN; expected ({len(test_label)}, classes), none"
        )
    whole, held = (torch.cat([part[name] for name in names], 1) for part in (features, test))
    head = probe_features(whole, label, held, test_label, strength=strength)
    rivals = {"frozen": head.log_probabilities} | ({} if joint is None else {"joint": joint})
    right = {name: (scores.argmax(1) == test_label).numpy() for name, scores in rivals.items()}
    averaged = (average([test_logits[name] for name in names]).argmax(1) == test_label).numpy()
    chance = (test_label == label.bincount().argmax()).numpy()
    draws = np.random.default_rng(seed).integers(len(averaged), size=(resamples, len(averaged)))
    gain = {name: (found.astype(float) - averaged)[draws].mean(1) for name, found in right.items()}
    over_chance = (averaged.astype(float) - chance)[draws].mean(1)
    nothing = not np.quantile(over_chance, 0.05) > 0
    strongest = max(right, key=lambda name: right[name].sum())
    if np.quantile(gain[strongest], 0.05 / len(rivals)) > 0:
        verdict, because = UMT, strongest
    elif nothing:
        verdict, because = UMT, "nothing"
    else:
        verdict, because = UME, "doubt"
    for_umt = (gain[strongest] > 0) | (over_chance <= 0)
    p = len(rivals) * _mcnemar(right[strongest], averaged)
    return Choice(
        verdict=verdict,
        because=because,
        fused=float(right["frozen"].mean()),
        joint=None if joint is None else float(right["joint"].mean()),
        averaged=float(averaged.mean()),
        chance=float(chance.mean()),
        sure=float(for_umt.mean() if verdict == UMT else 1 - for_umt.mean()),
        nothing=nothing,
        p=min(1.0, p),
    )


def _mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    """Exact two-sided p-value of equal chances among the examples on which just one is right; 1 where there are none."""
    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0


def average(logits: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
    """Uni-modal ensemble (UME): log of the weighted average of the predicted probabilities.

    Formula: log sum_m w_m softmax(logits_m) / sum_m w_m, so that the average of identical predictions is that prediction.

    Args:    logits, one (…, classes) for each modality, of one shape; weights, not negative, sum above 0; None: equal.
    Returns: log-probabilities (…, classes).
    Raises:  ValueError on no logits, other shapes or weights.
    Example:
        >>> average([torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])]).exp()
        tensor([[0.5000, 0.5000]])

    Source:  Du et al., ICML 2023, our reading of the abstract; whether probabilities or logits are averaged, and the weights, we chose.
    """
    weights = [1.0] * len(logits) if weights is None else [float(w) for w in weights]
    if not logits or len({part.shape for part in logits}) != 1 or len(weights) != len(logits):
        raise ValueError(
            f"average: got shapes {[tuple(part.shape) for part in logits]} and {len(weights)} weights; expected equal shapes, one weight each"
        )
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"average: got weights {weights}; expected none below 0 and a sum above 0")
    kept = [(part.log_softmax(-1), w / sum(weights)) for part, w in zip(logits, weights, strict=True) if w > 0]
    return torch.stack([part + math.log(w) for part, w in kept]).logsumexp(0)
