"""Late fusion of small networks for several seeds in one pass: each seed has its own split of the data, initial weights and order of examples."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmnb.instruments import laziness
from mmnb.recipes import late


@dataclass(frozen=True)
class Replicas:
    """r splits of one data set: train, validation and test, each (inputs, label): inputs name -> (r, n, d) float32, label (r, n) int64."""

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
    """Stack splits of equal sizes: for each seed (train, validation, test), each (inputs name -> (n, d), label (n,))."""
    parts = []
    for which in zip(*splits, strict=True):
        inputs = {name: torch.stack([x[name] for x, _ in which]).float() for name in which[0][0]}
        parts.append((inputs, torch.stack([y for _, y in which])))
    return Replicas(*parts, tuple(seeds))


def mlp(width: int, features: int = 64) -> nn.Module:
    """Two layers with ReLU: (N, width) -> (N, features)."""
    return nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features), nn.ReLU())


def plain(
    data: Replicas, names: Sequence[str], seed: int, *, features: int = 64, head: type = late.Concat, stream: int = 0
) -> late.LateModel:
    """An untrained model of one seed: an `mlp` for every name, a joint head, and a linear head for each modality.

    The weights depend on the seed, `stream` and the sizes of the layers only: every objective starts from the same.
    """

    def encoders() -> dict[str, nn.Module]:
        return {name: mlp(data.train[0][name].shape[2], features) for name in names}

    return late.build(encoders, features, data.classes, seed=1000 * seed + stream, head=head)


def build(data: Replicas, names: Sequence[str], **options) -> late.LateModel:
    """The models that `plain` gives for all seeds, stacked. Options as in `plain`."""
    return late.stack_models([plain(data, names, seed, **options) for seed in data.seeds])


def train(
    model: late.LateModel, data: Replicas, objective: late.Objective | None = None, *, epochs: int, **options
) -> tuple[late.LateModel, late.Curves]:
    """Train a copy of `model` on all seeds at once; options go to `late.fit`. Returns the trained copy and its curves."""
    model = copy.deepcopy(model)
    inputs = {name: data.train[0][name] for name in model.names}
    batches = late.shuffled_stacked(inputs, data.train[1], 60, data.seeds)
    return model, late.fit(model, batches, objective, epochs=epochs, progress=False, **options)


def accuracy(logits: Tensor, label: Tensor) -> Tensor:
    """Share of correct predictions of each seed: logits (r, n, classes), label (r, n) -> (r,) float64."""
    return (logits.argmax(-1) == label).cpu().double().mean(-1)


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
    """`laziness.choose` for each seed, from encoders trained by themselves with `Unimodal`; judged on the test split.

    The average is also compared with the jointly trained model `together`, if given.
    """
    inputs, inputs_test = ({n: part[0][n] for n in model.names} for part in (data.train, data.test))
    features, test = model.features(inputs), model.features(inputs_test)
    logits = {name: model.heads[name](test[name]) for name in model.names}
    joint = [None] * len(data.seeds) if together is None else together(inputs_test)

    def one(k: int) -> laziness.Choice:
        x, x_test, z = ({name: value[k] for name, value in part.items()} for part in (features, test, logits))
        return laziness.choose(x, data.train[1][k], x_test, data.test[1][k], z, joint=joint[k], **options)

    return [one(k) for k in range(len(data.seeds))]
