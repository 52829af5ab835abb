"""The one pass that most sections read, and what is derived from it once."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.parts import NotMeasured
from mmnb.instruments.emap import emap_of_many
from mmnb.instruments.emap.result import Emap, ShiftMoments, from_shifts, from_sums
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.grid import Accumulator, Sums, TruePairs, sweep
from mmnb.instruments.metrics import Metric, read_metric
from mmnb.instruments.reliance import Others, Predictions
from mmnb.instruments.resampling import bootstrap, bootstrap_means, estimate_of

MODEL, ADDITIVE, USUAL = "model", "without interaction", "most frequent answer"


class Picked(Accumulator):
    """The outputs of one chosen false cell of each row, (n, C): row i with column partner[i]."""

    names = ("outputs",)

    def __init__(self, partner: Tensor) -> None:
        self.partner = partner

    def start(self, true: TruePairs) -> None:
        self.outputs = torch.zeros_like(true.outputs)
        self.partner = self.partner.to(true.cells.device)

    def add(self, block: Any) -> None:
        rows, columns = (block.j == self.partner[block.i]).nonzero(as_tuple=True)
        self.outputs[block.i.flatten()[rows]] += block.outputs[rows, columns].double()


@dataclass
class Pass:
    """What one sweep kept: a's examples against b's."""

    true: TruePairs
    emap: Emap
    others: Others
    predictions: Predictions | None = None
    picked: Picked | None = None
    sampled: bool = False
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)


def run_pass(
    f: Callable, a: Any, b: Any, n: int, *, partner: Tensor | None = None, shifts: int | None = None, **options: Any
) -> Pass:
    """One sweep with all readers. Raises what `sweep` raises."""
    sampled = shifts is not None and shifts < n - 1
    readers: dict[str, Accumulator] = {"sums": ShiftMoments() if sampled else Sums(), "others": Others()}
    if n * n * 4 <= Predictions().most_bytes:
        readers["predictions"] = Predictions()
    if partner is not None and not sampled:
        readers["picked"] = Picked(partner)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        true = sweep(f, a, b, readers, shifts=shifts, **options)
    sums = readers["sums"]
    made = from_shifts(sums, true) if sampled else from_sums(sums, true)
    texts = [str(one.message) for one in said if issubclass(one.category, UserWarning)]
    rest = readers.get("predictions"), readers.get("picked")
    return Pass(true, made, readers["others"], *rest, sampled, time.perf_counter() - start, texts)


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
    def outputs(self) -> Tensor:
        """(n, C), of the true pairs."""
        return self.given[MODEL] if self.given else self.first.emap.original

    @cached_property
    def reader(self) -> Metric:
        """The metric with its labels; refuses without labels."""
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


def views_of_many(
    f: Callable, batches: dict[str, Any], n: int, **options: Any
) -> tuple[dict[str, tuple[Pass, str]], Any]:
    """Three modalities or more: each against all others together, and the additive part over all tuples."""
    names = list(batches)

    def against_the_rest(name: str) -> Callable:
        def scored(one: Any, rest: tuple) -> Any:
            parts = dict(zip([n for n in names if n != name], rest, strict=True)) | {name: one}
            return f(*(parts[n] for n in names))

        return scored

    views = {}
    for name in names:
        rest = tuple(batches[n] for n in names if n != name)
        views[name] = run_pass(against_the_rest(name), batches[name], rest, n, **options), "a"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said in the passes before
        many = emap_of_many(
            f, batches, batch_size=options.get("batch_size") or 1024, check=False, progress=options.get("progress")
        )
    return views, many
