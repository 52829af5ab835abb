"""Late fusion of small networks, all seeds in one pass: each seed has its own split of the data, initial weights and order of examples."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmnb.instruments import laziness
from mmnb.recipes import late


@dataclass(frozen=True)
class Replicas:
    """r splits of one world: train, validation and test, each (inputs, label): inputs name -> (r, n, d) float32, label (r, n) int64."""

    train: tuple[dict[str, Tensor], Tensor]
    validation: tuple[dict[str, Tensor], Tensor]
    test: tuple[dict[str, Tensor], Tensor]
    seeds: tuple[int, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train[1].max()) + 1

    def only(self, names: Sequence[str]) -> "Replicas":
        """The same splits with some of the modalities."""
        parts = [({n: inputs[n] for n in names}, label) for inputs, label in (self.train, self.validation, self.test)]
        return Replicas(*parts, self.seeds)

    def with_label(self, label: Tensor) -> "Replicas":
        """The same splits with other training labels, (r, n)."""
        return Replicas((self.train[0], label), self.validation, self.test, self.seeds)


def stack(splits: Sequence[Sequence[tuple[Mapping[str, Tensor], Tensor]]], seeds: Sequence[int]) -> Replicas:
    """Splits of equal sizes side by side: for each seed (train, validation, test), each (inputs name -> (n, d), label (n,))."""
    parts = []
    for which in zip(*splits, strict=True):
        names = list(which[0][0])
        parts.append(
            (
                {n: torch.stack([inputs[n] for inputs, _ in which]).float() for n in names},
                torch.stack([y for _, y in which]),
            )
        )
    return Replicas(*parts, tuple(seeds))


def mlp(width: int, features: int = 64) -> nn.Module:
    """Two layers with ReLU: (b, width) -> (b, features)."""
    return nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features), nn.ReLU())


def build(
    data: Replicas,
    names: Sequence[str],
    *,
    features: int = 64,
    head: type[nn.Module] = late.Concat,
    stream: int = 0,
) -> late.LateModel:
    """Untrained models of all seeds side by side: an `mlp` for every name, a `Concat` (or other) head, a linear head for each modality.

    The weights of a seed depend on the seed, `stream` and the sizes of the layers only: another way of training starts from the same.
    """
    return late.side_by_side(
        [plain(data, names, seed, features=features, head=head, stream=stream) for seed in data.seeds]
    )


def plain(
    data: Replicas,
    names: Sequence[str],
    seed: int,
    *,
    features: int = 64,
    head: type[nn.Module] = late.Concat,
    stream: int = 0,
) -> late.LateModel:
    """One of the models that `build` puts side by side. torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 * seed + stream)
        encoders = {name: mlp(data.train[0][name].shape[2], features) for name in names}
        heads = {name: nn.Linear(features, data.classes) for name in names}
        return late.LateModel(encoders, head([features] * len(names), data.classes), heads).eval()


def train(
    model: late.LateModel,
    data: Replicas,
    way: late.Way | None = None,
    *,
    epochs: int,
    batch_size: int = 60,
    **options,
) -> tuple[late.LateModel, late.Curves]:
    """Train a copy of `model` on all seeds at once; options go to `late.fit`. Returns the trained copy and its curves."""
    model = copy.deepcopy(model)
    inputs = {name: data.train[0][name] for name in model.names}
    batches = late.shuffled_side_by_side(inputs, data.train[1], batch_size, data.seeds)
    curves = late.fit(model, batches, way, epochs=epochs, progress=False, **options)
    return model, curves


@torch.no_grad()
def accuracy(logits: Tensor, label: Tensor) -> Tensor:
    """Share of right answers of each seed: logits (r, n, classes), label (r, n) -> (r,) float64."""
    return (logits.argmax(-1) == label).double().mean(-1)


@torch.no_grad()
def probes(encoder: nn.Module, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], **options) -> Tensor:
    """Accuracy of a new linear head on a stacked encoder, seed by seed: (r,) float64. Options go to `laziness.probe_features`."""
    (x, y), (x_test, y_test) = train, test
    rows = zip(encoder(x), y, encoder(x_test), y_test, strict=True)
    return torch.tensor([laziness.probe_features(*row, **options).accuracy for row in rows], dtype=torch.float64)


@torch.no_grad()
def predict(model: late.LateModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Logits (r, n, classes) of the joint head ("joint"), of each modality's head, and the average of the latter ("average")."""
    logits = model.logits({name: inputs[name] for name in model.names})
    return logits | {"average": laziness.average([logits[name] for name in model.names])}


@torch.no_grad()
def choices(
    model: late.LateModel, data: Replicas, together: late.LateModel | None = None, **options
) -> list[laziness.Choice]:
    """The choosing trick for each seed, from encoders trained alone; judged on the test split.

    `together`, if given, is the jointly trained rival of the average. Options go to `laziness.choose`.
    """
    inputs, inputs_test = ({n: part[0][n] for n in model.names} for part in (data.train, data.test))
    features, test = model.features(inputs), model.features(inputs_test)
    logits = {name: model.heads[name](test[name]) for name in model.names}
    joint = None if together is None else together(inputs_test)
    return [
        laziness.choose(
            {n: f[k] for n, f in features.items()},
            data.train[1][k],
            {n: f[k] for n, f in test.items()},
            data.test[1][k],
            {n: z[k] for n, z in logits.items()},
            joint=None if joint is None else joint[k],
            **options,
        )
        for k in range(len(data.seeds))
    ]
