"""What a linear classifier can read from an encoder's features: the measure of how much of its modality an encoder has learnt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmnb.instruments.batches import length, take
from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.estimate import Estimate, mean_interval


@dataclass(frozen=True, eq=False)
class Probe:
    """accuracy, its 95 % Wilson interval over the n test examples, and the log-probabilities (n, classes) behind it.

    The interval speaks of the test examples only; how much a new training would change is for several seeds to say.
    """

    accuracy: float
    interval: tuple[float, float]
    n: int
    log_probabilities: Tensor


def encode(encoder: nn.Module, inputs: Any, batch_size: int = 1000) -> Tensor:
    """Features (n, d) in eval mode without gradient. Raises: ValueError for an encoder in train mode, or features that are no finite table."""
    refuse_train_mode(encoder, "encode")
    with torch.no_grad():
        rows = torch.arange(length(inputs)).split(batch_size)
        features = torch.cat([encoder(take(inputs, part)) for part in rows])
    if features.ndim != 2 or not features.isfinite().all():
        raise ValueError(f"encode: got features of shape {tuple(features.shape)}; expected (n, d), all finite")
    return features


def probe(encoder: nn.Module, train: tuple[Any, Tensor], test: tuple[Any, Tensor], *, strength: float = 1.0) -> Probe:
    """Accuracy of a new linear head on a frozen encoder.

    Args:    encoder, in eval mode; train, test, each (inputs, label); strength as in `probe_features`.
    Returns: a `Probe`.
    Raises:  ValueError for an encoder in train mode, and as `probe_features`.
    Example:
        >>> x = torch.eye(4).repeat(5, 1)
        >>> probe(nn.Identity().eval(), (x, x.argmax(1)), (x, x.argmax(1))).accuracy
        1.0

    Source:  Alain & Bengio 2016, linear classifier probes; Du et al. 2023 compare such accuracies of joint and uni-modal encoders.
    """
    (x, y), (x_test, y_test) = train, test
    return probe_features(encode(encoder, x), y, encode(encoder, x_test), y_test, strength=strength)


def probe_features(
    features: Tensor, label: Tensor, test: Tensor, test_label: Tensor, *, strength: float = 1.0
) -> Probe:
    """Multinomial logistic regression on features standardised by the training rows.

    Formula: minimise C sum_i CE_i + |W|^2 / 2 over weights for features (x - mean) / (sd + 1e-8), C = strength, intercept free.

    Args:    features (n, d), label (n,) int64; test (m, d), test_label (m,); strength C above 0, larger is freer.
    Raises:  ValueError when lengths or widths differ, only one class is left, or a test label never occurs in training.
    Source:  scikit-learn's LogisticRegression (L-BFGS).
    """
    if (
        len(features) != len(label)
        or len(test) != len(test_label)
        or features.shape[1:] != test.shape[1:]
        or not len(test)
    ):
        raise ValueError(
            f"probe: got features {tuple(features.shape)}, {len(label)} labels, test {tuple(test.shape)}, {len(test_label)} labels; "
            "expected (n, d), n, (m, d), m, m > 0"
        )
    known = label.unique()
    if len(known) < 2 or not torch.isin(test_label, known).all() or strength <= 0:
        raise ValueError(
            f"probe: got {len(known)} classes in training, {test_label.unique().tolist()} in testing, strength={strength}; expected two "
            "classes or more, no new ones in testing, strength above 0"
        )
    x, x_test = features.double(), test.double()
    centre, spread = x.mean(0), x.std(0, correction=0) + 1e-8
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(((x - centre) / spread).numpy(), label.numpy())
    scores = torch.from_numpy(model.decision_function(((x_test - centre) / spread).numpy()))
    scores = (
        torch.stack([torch.zeros_like(scores), scores], 1) if scores.ndim == 1 else scores
    )  # two classes: one score
    classes = int(known.max()) + 1
    log_p = torch.full((len(test), classes), -torch.inf, dtype=torch.float64)
    log_p[:, known] = scores.log_softmax(1)
    accuracy = float((log_p.argmax(1) == test_label).double().mean())
    return Probe(accuracy, wilson(accuracy, len(test)), len(test), log_p)


@dataclass(frozen=True)
class Diagnosis:
    """joint, alone: what the probe reads from an encoder trained jointly and from one trained alone; difference: joint minus alone.

    The interval of the difference is paired over the test examples of this one training: seeds are for the caller to repeat.
    """

    joint: Probe
    alone: Probe
    difference: Estimate


def diagnose(
    joint: Mapping[str, nn.Module],
    alone: Mapping[str, nn.Module],
    train: tuple[Mapping[str, Any], Tensor],
    test: tuple[Mapping[str, Any], Tensor],
    *,
    strength: float = 1.0,
) -> dict[str, Diagnosis]:
    """Probe every encoder of a jointly trained model beside its counterpart trained alone: below 0 it is lazy.

    Formula: difference = mean_i (right_joint(i) - right_alone(i)) with its t interval over the test examples i.

    Args:    joint, alone, name -> encoder in eval mode, the same names; train, test, each (inputs name -> n examples, label (n,)).
    Returns: name -> `Diagnosis`.
    Raises:  ValueError on different names or none, names without inputs, an encoder in train mode, and as `probe`.
    Example:
        >>> x = torch.eye(4).repeat(5, 1)
        >>> blind = nn.Sequential(nn.Linear(4, 4)).eval()
        >>> _ = [nn.init.zeros_(parameter) for parameter in blind.parameters()]
        >>> part = ({"a": x}, x.argmax(1))
        >>> diagnose({"a": blind}, {"a": nn.Identity().eval()}, part, part)["a"].difference.value
        -0.75

    Source:  Du et al., ICML 2023, compare such accuracies; the paired interval is ours.
    """
    if not joint or set(joint) != set(alone) or not set(joint) <= set(train[0]) & set(test[0]):
        raise ValueError(
            f"diagnose: got joint {sorted(joint)}, alone {sorted(alone)}, inputs {sorted(train[0])} and {sorted(test[0])}; expected the same "
            "encoders in both, one or more, and inputs for each"
        )
    found = {}
    for name in joint:
        parts = (train[0][name], train[1]), (test[0][name], test[1])
        ours, theirs = (probe(encoders[name], *parts, strength=strength) for encoders in (joint, alone))
        right = [(p.log_probabilities.argmax(1) == test[1]).double() for p in (ours, theirs)]
        found[name] = Diagnosis(ours, theirs, mean_interval((right[0] - right[1]).tolist()))
    return found


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for a share of n independent examples.

    Formula: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z the normal quantile of (1 + level) / 2.

    Example:
        >>> tuple(round(end, 3) for end in wilson(0.5, 100))
        (0.404, 0.596)
    """
    if not 0 <= share <= 1 or n < 1 or not 0 < level < 1:
        raise ValueError(
            f"wilson: got share={share}, n={n}, level={level}; expected 0 to 1, n >= 1, level between 0 and 1"
        )
    z = float(stats.norm.ppf((1 + level) / 2))
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float((middle - half) / (1 + z**2 / n))), min(1.0, float((middle + half) / (1 + z**2 / n)))
