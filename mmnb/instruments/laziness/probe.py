"""Linear probes: what an encoder has learnt of its modality; and the decision rule of Du et al. that is built on them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmnb.instruments.batches import call, length, take
from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.inputs import labels, numbers, scores, whole
from mmnb.instruments.result import Result

_ALPHA = 0.05  # one-sided, for all rivals of the average together


@dataclass(frozen=True, eq=False)
class Probe(Result):
    """Test accuracy of a linear probe.

    Attributes:
        estimate: The accuracy with its 95 % Wilson interval over test examples. It does not cover the spread between
            trainings of the encoder: for that, repeat with several seeds.
        log_probabilities: (n, classes) of the test examples.
        classes: The label of each column, in order.
    """

    estimate: Estimate
    log_probabilities: Tensor
    classes: list

    def estimates(self) -> dict[str, Estimate]:
        """The accuracy."""
        return {"accuracy": self.estimate}

    @property
    def accuracy(self) -> float:
        """Share of test examples classified correctly."""
        return self.estimate.value

    @property
    def n(self) -> int:
        """Number of test examples."""
        return len(self.log_probabilities)


def encode(encoder: nn.Module, inputs: Any, *, batch_size: int = 1000) -> Tensor:
    """Features (n, d) in eval mode, without gradient, on the CPU.

    Raises: ValueError for an encoder in train mode, or features that are not a finite (n, d) table.
    """
    refuse_train_mode(encoder, "encode")
    with torch.no_grad():
        rows = torch.arange(length(inputs)).split(whole(batch_size, "encode: batch_size"))
        parts = [call(encoder, take(inputs, part)) for part in rows]
    if not isinstance(parts[0], Tensor) or not parts[0].is_floating_point():
        got = parts[0].dtype if isinstance(parts[0], Tensor) else type(parts[0]).__name__
        raise TypeError(f"encode: the encoder gave {got}; expected a tensor of real numbers")
    features = torch.cat([part.cpu() for part in parts])
    if features.ndim != 2 or not features.isfinite().all():
        raise ValueError(f"encode: got features of shape {tuple(features.shape)}; expected (n, d), all finite")
    return features


def probe(encoder: nn.Module, train: tuple[Any, Tensor], test: tuple[Any, Tensor], *, C: float = 1.0) -> Probe:
    """Accuracy of a new linear classifier on a frozen encoder.

    Args:
        encoder: In eval mode; inputs -> (n, d) features.
        train, test: (inputs, y) to fit the classifier on, and to score it on.
        C: As in `probe_features`.
    Raises: ValueError for an encoder in train mode, and as `probe_features`.
    Example:
        >>> x = torch.eye(4).repeat(5, 1)
        >>> probe(nn.Identity().eval(), (x, x.argmax(1)), (x, x.argmax(1))).accuracy
        1.0

    Source: Alain & Bengio 2016; Du et al. 2023 compare such accuracies of encoders trained jointly and alone.
    """
    (x, y), (x_test, y_test) = train, test
    return probe_features(encode(encoder, x), y, encode(encoder, x_test), y_test, C=C)


def probe_features(features: Tensor, y: Tensor, test: Tensor, test_y: Tensor, *, C: float = 1.0) -> Probe:
    """Multinomial logistic regression on features standardised by the training rows.

    Formula: minimise C sum_i CE_i + |W|^2 / 2 over weights for features (x - mean) / (sd + 1e-8), intercept free.
    Args:
        features, y: Training examples (n, d) and their labels (n,): whole numbers of any sign, bools or text.
        test, test_y: Test examples (m, d) and their labels (m,).
        C: Inverse strength of the regularisation, above 0, as in scikit-learn.
    Raises: ValueError when lengths or widths differ, there is only one class, or a test label is not in `y`.
    Example:
        >>> x = [[-1.0], [1.0]] * 5
        >>> probe_features(x, [-1, 1] * 5, x, [-1, 1] * 5).accuracy
        1.0

    Source: scikit-learn's LogisticRegression (L-BFGS).
    """
    x, x_test = numbers(features, "probe: features"), numbers(test, "probe: test")
    (y, classes), (test_y, asked) = labels(y, "probe: y", len(x)), labels(test_y, "probe: test_y", len(x_test))
    new = [label for label in asked if label not in classes]
    if x.shape[1] != x_test.shape[1] or len(classes) < 2 or new or not 0 < C < math.inf:
        got = f"{x.shape[1]} and {x_test.shape[1]} columns, {len(classes)} classes in training, {new} new in testing, C={C}"
        raise ValueError(f"probe: got {got}; expected one width, two classes or more, no new ones, C above 0")
    centre, spread = x.mean(0), x.std(0, correction=0) + 1e-8
    model = LogisticRegression(C=C, max_iter=2000)
    model.fit(((x - centre) / spread).numpy(), y)
    found = torch.from_numpy(model.decision_function(((x_test - centre) / spread).numpy()))
    if found.ndim == 1:  # two classes: one score
        found = torch.stack([torch.zeros_like(found), found], 1)
    log_p = found.log_softmax(1)
    right = log_p.argmax(1).numpy() == np.searchsorted(classes, asked)[test_y]
    return Probe(proportion(int(right.sum()), len(right)), log_p, classes)


@dataclass(frozen=True)
class Choice(Result):
    """Train two encoders jointly with teachers (UMT), or apart and average them (UME)? The advice, with its evidence.

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
        features, y: Modality -> (n, d_m) features of frozen uni-modal encoders, and labels of any kind: training examples.
        test, test_y: The same for m examples that no training has used; best a validation split.
        test_logits: Modality -> (m, classes), predictions of the uni-modal models on these. A column stands for each class of
            `y` in order; with more columns than that, column k is label k.
        joint: (m, classes), predictions of a jointly trained model.
        C: As in `probe_features`.
        resamples, seed: Of the bootstrap; at least 100 draws.
    Raises: ValueError on fewer than two modalities, different names, logits of another length or with NaN, few
        resamples, and as `probe_features` and `average`.
    Source: Du et al., ICML 2023, our reading of the abstract and of second-hand descriptions, which compare the linear
        classifier alone; the jointly trained rival, the order of the rule and `sure` are ours.
    """
    names = list(features)
    if len(names) < 2 or set(test) != set(names) or set(test_logits) != set(names):
        got = f"features of {names}, test of {list(test)}, logits of {list(test_logits)}"
        raise ValueError(f"choose: got {got}; expected the same two modalities or more in all three")
    whole(resamples, "choose: resamples", 100)
    train, held = (
        torch.cat([numbers(part[name], f"choose: {kind} of {name}") for name in names], 1)
        for kind, part in (("features", features), ("test", test))
    )
    probed = probe_features(train, y, held, test_y, C=C)
    (y, classes), (codes, asked) = labels(y, "choose: y"), labels(test_y, "choose: test_y")
    test_y = np.array(asked)[codes]
    averaged = average([_predictions(test_logits[name], f"choose: test_logits of {name}", len(held)) for name in names])
    rivals = {"frozen": probed.log_probabilities}
    rivals |= {} if joint is None else {"joint": _predictions(joint, "choose: joint", len(held))}
    right = {name: _predicted(rival, classes, f"choose: {name}") == test_y for name, rival in rivals.items()}
    averaged = _predicted(averaged, classes, "choose: test_logits") == test_y
    chance = test_y == np.array(classes)[np.bincount(y).argmax()]
    n, alpha = len(averaged), _ALPHA / len(rivals)
    draws = np.random.default_rng(seed).integers(n, size=(resamples, n))
    strongest = max(right, key=lambda name: right[name].sum())
    gains = (right[strongest].astype(float) - averaged)[draws].mean(1)
    over_chance = (averaged.astype(float) - chance)[draws].mean(1)
    low, high = np.quantile(gains, [alpha, 1 - alpha])
    nothing = not np.quantile(over_chance, _ALPHA) > 0
    because = strongest if low > 0 else "nothing" if nothing else "doubt"
    verdict = "UME" if because == "doubt" else "UMT"
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
        sure=float(for_umt if verdict == "UMT" else 1 - for_umt),
        nothing=nothing,
        p=min(1.0, len(rivals) * _mcnemar(right[strongest], averaged)),
    )


def _predictions(value: Any, name: str, n: int) -> Tensor:
    found = scores(value, name)
    if len(found) != n:
        raise ValueError(f"{name}: got shape {tuple(found.shape)}; expected ({n}, classes)")
    return found


def _predicted(given: Tensor, classes: list, name: str) -> np.ndarray:
    """The label with the highest score: columns are the classes in order, or, where there are more, the labels 0, 1, 2 and so on."""
    columns = given.shape[1]
    if columns != len(classes) and not (isinstance(classes[0], int) and classes[0] >= 0 and classes[-1] < columns):
        got = f"{columns} columns for the {len(classes)} classes {classes[:5]}"
        raise ValueError(f"{name}: got {got}; expected one for each class, or labels that are columns")
    return np.array(classes if columns == len(classes) else range(columns))[given.argmax(1).numpy()]


def _mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    """Exact two-sided p-value of equal chances among the examples on which just one is right; 1 if there are none."""
    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0


def average(parts: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
    """Uni-modal ensemble (UME): log of the weighted average of predicted probabilities, (…, classes).

    Formula: log sum_m w_m softmax(parts_m) / sum_m w_m.
    Args:
        parts: Logits (…, classes) of each modality, of one shape.
        weights: One for each modality, not negative, sum above 0; None: equal.
    Raises: ValueError on no logits, different shapes, NaN, or other weights.
    Example:
        >>> average([torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])]).exp()
        tensor([[0.5000, 0.5000]])

    Source: Du et al., ICML 2023, our reading of the abstract. Averaging probabilities, not logits, is our choice.
    """
    parts = [scores(part, f"average: part {k}", "(n, ...)") for k, part in enumerate(parts)]
    weights = [1.0] * len(parts) if weights is None else [float(w) for w in weights]
    if not parts or len({part.shape for part in parts}) != 1 or len(weights) != len(parts):
        shapes = [tuple(part.shape) for part in parts]
        raise ValueError(f"average: got shapes {shapes}, {len(weights)} weights; expected one shape, one weight each")
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"average: got weights {weights}; expected none below 0 and a sum above 0")
    kept = [(part.log_softmax(-1), w / sum(weights)) for part, w in zip(parts, weights, strict=True) if w > 0]
    return torch.stack([part + math.log(w) for part, w in kept]).logsumexp(0)
