"""What the sections read: the pass, the predictors made from it, and their metric in the same bootstrap draws."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.parts import NotMeasured
from mmnb.diagnosis.passes import Pass
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid.cells import automatic_batch_size
from mmnb.instruments.grid.two_tower import encode_all, two_tower_of
from mmnb.instruments.metrics import Metric, read_metric
from mmnb.instruments.resampling import bootstrap, bootstrap_means, estimate_of

MODEL, ADDITIVE, USUAL = "model", "without interaction", "most frequent answer"


@dataclass
class Measured:
    """All that the sections read. A refusal (`reason`) stands where there is no pass.

    Attributes:
        names: Of the modalities, as the user calls them.
        views: Name -> (pass, side): the pass in which that modality is exchanged, and whether it is its "a" or "b".
    """

    names: tuple[str, ...]
    n: int
    y: Any = None
    group: Any = None
    metric: Any = "accuracy"
    seed: int = 0
    resamples: int = 2000
    f: Any = None
    batches: dict[str, Any] = field(default_factory=dict)
    data: Any = None
    extras: dict[str, Any] = field(default_factory=dict)
    views: dict[str, tuple[Pass, str]] = field(default_factory=dict)
    many: Any = None
    given: dict[str, Tensor] = field(default_factory=dict)
    reason: str = "a model and data"
    alerts: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> Pass:
        """The pass; refuses where there is none."""
        if not self.views:
            raise NotMeasured(self.reason)
        return next(iter(self.views.values()))[0]

    @property
    def both(self) -> tuple[str, str]:
        """The two names; refuses where there are more."""
        if len(self.names) != 2:
            raise NotMeasured(f"two modalities; got {len(self.names)}")
        return self.names

    def without(self, name: str) -> Tensor:
        """(n, C) scores with that modality averaged over its partners."""
        found, side = self.views[name]
        return found.emap.marginal_b if side == "a" else found.emap.marginal_a

    def alone(self, name: str) -> Tensor:
        """(n, C) scores with all other modalities averaged over their partners."""
        found, side = self.views[name]
        return found.emap.marginal_a if side == "a" else found.emap.marginal_b

    @cached_property
    def embeddings(self) -> dict[str, Tensor] | None:
        """Name -> (n, d) in one space: given, or of a model with two towers; None where there is none."""
        if hasattr(self.data, "modalities") and not self.batches:
            return self.data.modalities
        if len(self.names) != 2 or not self.batches:
            return None
        towers = two_tower_of(self.f, *self.batches.values())
        if towers is None:
            return None
        size = automatic_batch_size(*self.batches.values())
        with torch.no_grad():
            sides = zip((towers.encode_a, towers.encode_b), self.batches.items(), strict=True)
            found = {name: encode_all(encode, batch, size, name) for encode, (name, batch) in sides}
        flat = all(isinstance(x, Tensor) and x.ndim == 2 for x in found.values())
        same = flat and len({x.shape for x in found.values()}) == 1
        return {name: x.detach().double().cpu() for name, x in found.items()} if same else None

    @cached_property
    def features(self) -> dict[str, np.ndarray] | None:
        """Name -> (n, d) numbers to train small classifiers on: embeddings, or the inputs where they are numbers."""
        if self.embeddings is not None:
            return {name: x.numpy() for name, x in self.embeddings.items()}
        kinds = (Tensor, np.ndarray)
        if not self.batches or not all(
            isinstance(x, kinds) and torch.as_tensor(x).is_floating_point() for x in self.batches.values()
        ):
            return None
        return {
            name: np.asarray(torch.as_tensor(x).detach().cpu().double()).reshape(self.n, -1)
            for name, x in self.batches.items()
        }

    @cached_property
    def outputs(self) -> Tensor:
        """(n, C), of the true pairs."""
        return self.given[MODEL] if self.given else self.first.emap.original

    @property
    def matches(self) -> bool:
        """Whether the model's only output says how well two items go together: no labels, one score."""
        return self.y is None and bool(self.views) and self.outputs.shape[1] == 1

    @cached_property
    def reader(self) -> Metric:
        """The metric with its labels; refuses without labels."""
        if self.matches:
            raise NotMeasured(
                "labels: y=. For retrieval the additive part ranks all candidates alike for every query, "
                "so EMAP says nothing there: see "
                "geometry, minimal pairs, words and order"
            )
        if self.y is None:
            raise NotMeasured("labels: y=")
        return read_metric(self.metric, self.y, *self.outputs.shape, self.options.get("threshold"))

    @cached_property
    def codes(self) -> Tensor:
        """Labels as classes, (n,); refuses what is no single label per example."""
        if self.y is None:
            raise NotMeasured("labels: y=")
        try:
            return torch.from_numpy(read_metric("accuracy", self.y, *self.outputs.shape).y)
        except (ValueError, TypeError) as error:
            raise NotMeasured(f"one label for each example ({error})") from error

    @cached_property
    def predictors(self) -> dict[str, Tensor]:
        """Name -> (n, C): model, without interaction, each side alone, the most frequent answer."""
        if self.given:
            found = dict(self.given)
        else:
            additive = self.many.projected if self.many is not None else self.first.emap.projected
            found = {MODEL: self.outputs, ADDITIVE: additive} | {
                f"{name} alone": self.alone(name) for name in self.names
            }
        y = self.reader.y
        usual = torch.zeros_like(self.outputs)
        if y.ndim == 1 and y.dtype.kind in "iu":
            k = np.bincount(y).argmax()
            usual[:, k if usual.shape[1] > 1 else 0] = 1.0 if usual.shape[1] > 1 else float(2 * k - 1)
            return found | {USUAL: usual}
        if y.ndim == 2 and y.shape[1] == usual.shape[1]:
            return found | {
                USUAL: usual + torch.from_numpy(y.mean(0) - (0.5 if self.reader.reads == "classes" else 0.0))
            }
        return found

    @cached_property
    def values(self) -> dict[str, float]:
        """Metric of every predictor."""
        measure, y, _ = self.reader
        return {name: float(measure(scores.numpy(), y)) for name, scores in self.predictors.items()}

    @cached_property
    def draws(self) -> dict[str, np.ndarray]:
        """Name -> (resamples,): metric of every predictor in the same bootstrap draws."""
        found = self.resampled(self.predictors)
        return {name: found[:, k] for k, name in enumerate(self.predictors)}

    def resampled(self, predictors: dict[str, Tensor]) -> np.ndarray:
        """(resamples, k): metric of other predictors in the draws of `draws`, so that differences are paired."""
        measure, y, _ = self.reader
        arrays = [scores.numpy() for scores in predictors.values()]
        if self.metric == "accuracy":
            hits = np.stack([hits_of(measure, scores, y) for scores in arrays], 1)
            return bootstrap_means(hits, self.group, resamples=self.resamples, seed=self.seed)
        count = min(self.resamples, 500)
        return bootstrap(
            lambda i: [measure(scores[i], y[i]) for scores in arrays],
            self.n,
            self.group,
            resamples=count,
            seed=self.seed,
        )

    def estimate(self, name: str) -> Estimate:
        """The metric of a predictor."""
        return estimate_of(self.values[name], self.draws[name], self.n)

    def difference(self, one: str, other: str) -> Estimate:
        """The metric of one predictor less that of another."""
        return estimate_of(self.values[one] - self.values[other], self.draws[one] - self.draws[other], self.n)

    def gain(self) -> Estimate | None:
        """Model less its additive part; None where labels or metric give no such number, which the section on it says."""
        try:
            return self.difference(MODEL, ADDITIVE)
        except Exception:  # noqa: BLE001  whatever a metric of the user's raises: other sections go on
            return None


def hits_of(measure: Callable, scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 for every example that is right, else 0, as accuracy counts them."""
    if scores.shape[1] > 1:
        return (scores.argmax(1) == y).astype(np.float64)
    return np.array([measure(scores[i : i + 1], y[i : i + 1]) for i in range(len(y))])
