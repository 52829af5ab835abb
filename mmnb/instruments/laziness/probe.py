"""Linear probes: how much of its own modality an encoder has learnt, read from its frozen features."""

from dataclasses import dataclass
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmnb.instruments.batches import length, take
from mmnb.instruments.checks import refuse_train_mode
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.result import Result


@dataclass(frozen=True, eq=False)
class Probe(Result):
    """Test accuracy of a linear probe.

    Attributes:
        estimate: The accuracy with its 95 % Wilson interval over test examples. It does not cover the spread between
            trainings of the encoder: for that, repeat with several seeds.
        log_probabilities: (n, classes) of the test examples.
    """

    estimate: Estimate
    log_probabilities: Tensor

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
    """Features (n, d) in eval mode, without gradient.

    Raises: ValueError for an encoder in train mode, or features that are not a finite (n, d) table.
    """
    refuse_train_mode(encoder, "encode")
    with torch.no_grad():
        rows = torch.arange(length(inputs)).split(batch_size)
        features = torch.cat([encoder(take(inputs, part)) for part in rows])
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
        features, y: Training examples (n, d) and their int64 labels (n,).
        test, test_y: Test examples (m, d) and their labels (m,).
        C: Inverse strength of the regularisation, above 0, as in scikit-learn.
    Raises: ValueError when lengths or widths differ, there is only one class, or a test label is not in `y`.
    Source: scikit-learn's LogisticRegression (L-BFGS).
    """
    lengths_differ = len(features) != len(y) or len(test) != len(test_y)
    if lengths_differ or features.shape[1:] != test.shape[1:] or not len(test):
        got = f"features {tuple(features.shape)}, {len(y)} labels, test {tuple(test.shape)}, {len(test_y)} labels"
        raise ValueError(f"probe: got {got}; expected (n, d), n, (m, d), m, m > 0")
    known = y.unique()
    if len(known) < 2 or not torch.isin(test_y, known).all() or C <= 0:
        got = f"{len(known)} classes in training, {test_y.unique().tolist()} in testing, C={C}"
        raise ValueError(f"probe: got {got}; expected two classes or more, no new ones in testing, C above 0")
    x, x_test = features.double(), test.double()
    centre, spread = x.mean(0), x.std(0, correction=0) + 1e-8
    model = LogisticRegression(C=C, max_iter=2000)
    model.fit(((x - centre) / spread).numpy(), y.numpy())
    scores = torch.from_numpy(model.decision_function(((x_test - centre) / spread).numpy()))
    if scores.ndim == 1:  # two classes: one score
        scores = torch.stack([torch.zeros_like(scores), scores], 1)
    log_p = torch.full((len(test), int(known.max()) + 1), -torch.inf, dtype=torch.float64)
    log_p[:, known] = scores.log_softmax(1)
    return Probe(proportion(int((log_p.argmax(1) == test_y).sum()), len(test)), log_p)
