"""The choosing trick: should two encoders be trained together with teachers (UMT), or apart and averaged (UME)?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from mmnb.instruments.laziness.late import average
from mmnb.instruments.laziness.probe import probe_features

UMT, UME = "UMT", "UME"


@dataclass(frozen=True)
class Choice:
    """What `choose` advises and why.

    verdict    "UMT" or "UME"
    fused      accuracy of the multimodal linear head on frozen uni-modal features
    averaged   accuracy of the averaged uni-modal predictions
    chance     accuracy of always giving the most frequent training label
    sure       share of the bootstrap draws of the test examples that lead to the same verdict, 0 to 1
    p          exact two-sided p-value of "both are right equally often" (McNemar)
    nothing    True where the averaged predictions are not shown to beat chance: then there is nothing uni-modal to average
    """

    verdict: str
    fused: float
    averaged: float
    chance: float
    sure: float
    p: float
    nothing: bool


def choose(
    features: Mapping[str, Tensor],
    label: Tensor,
    test: Mapping[str, Tensor],
    test_label: Tensor,
    test_logits: Mapping[str, Tensor],
    *,
    strength: float = 1.0,
    resamples: int = 1000,
    seed: int = 0,
) -> Choice:
    """Compare a linear classifier on the concatenated features of uni-modal encoders with the average of their own predictions.

    Rule: fused shown to be better -> "UMT", else "UME", which is simpler; shown: the paired bootstrap's lower 95 % bound is above 0. But where the averaged predictions do not beat the most frequent
    class in the same sense, no uni-modal features were found and averaging is pointless: "UMT". Without this exception of ours a purely
    paired task, such as XOR, is decided by a coin: both accuracies are at chance, since no linear head on separate features can see it.

    Args:
        features: modality -> (n, d_m), frozen uni-modal encoders on the training examples; label (n,) int64.
        test, test_label: the same on held-out examples, (m, d_m) and (m,). Held out from everything, best a validation split.
        test_logits: modality -> (m, classes), what the uni-modal models themselves predict there.
        strength: of the linear classifier, see `probe_features`. resamples, at least 100, and seed, of the bootstrap.
    Returns: a `Choice`.
    Raises: ValueError on fewer than two modalities, other names, fewer than 100 resamples, and as `probe_features` and `average`.
    Source: Du et al., ICML 2023, our reading of the abstract and of second-hand descriptions; the benefit of doubt, the exception and `sure` are ours.
    """
    names = list(features)
    if len(names) < 2 or set(test) != set(names) or set(test_logits) != set(names) or resamples < 100:
        raise ValueError(
            f"choose: got features of {names}, test of {list(test)}, logits of {list(test_logits)}, resamples={resamples}; expected the "
            "same two modalities or more in all three, resamples >= 100"
        )
    head = probe_features(
        torch.cat([features[name] for name in names], 1),
        label,
        torch.cat([test[name] for name in names], 1),
        test_label,
        strength=strength,
    )
    fused = (head.log_probabilities.argmax(1) == test_label).numpy()
    averaged = (average([test_logits[name] for name in names]).argmax(1) == test_label).numpy()
    chance = (test_label == label.bincount().argmax()).numpy()
    draws = np.random.default_rng(seed).integers(len(fused), size=(resamples, len(fused)))
    gain = (fused.astype(float) - averaged)[draws].mean(1)
    over_chance = (averaged.astype(float) - chance)[draws].mean(1)
    nothing, shown = not np.quantile(over_chance, 0.05) > 0, bool(np.quantile(gain, 0.05) > 0)
    verdict = UMT if nothing or shown else UME
    for_umt = (over_chance <= 0) | (gain > 0) if nothing else gain > 0
    same = for_umt.mean() if verdict == UMT else 1 - for_umt.mean()
    only_fused, only_averaged = int((fused & ~averaged).sum()), int((averaged & ~fused).sum())
    p = stats.binomtest(only_fused, only_fused + only_averaged).pvalue if only_fused + only_averaged else 1.0
    return Choice(
        verdict, float(fused.mean()), float(averaged.mean()), float(chance.mean()), float(same), float(p), nothing
    )
