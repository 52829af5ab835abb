"""Late fusion on easy-VQA: a small convolutional picture encoder and a question encoder, and what the trained picture encoder can tell."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from mmnb.data.easyvqa import EasyVQA, Questions
from mmnb.instruments import laziness
from mmnb.models.encoders import BagOfTokens, ConvEncoder
from mmnb.recipes import late

FEATURES = 64
ABOUT = ("colour", "shape")
Asked = tuple[dict[str, Tensor | tuple[Tensor, Tensor]], Tensor]


class OncePerPicture(nn.Module):
    """Encodes a picture once for all of its questions: (pictures (p, …), of (q,) int64) -> (q, features); `body` encodes pictures."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, given: tuple[Tensor, Tensor]) -> Tensor:
        pictures, of = given
        return self.body(pictures)[of]


def asked(data: EasyVQA, split: Questions, pictures: Tensor) -> Asked:
    """All questions of a split about some pictures, rows of `data.images`: inputs "picture" and "question", and the answers."""
    place = torch.full((len(data.images),), -1)
    place[pictures] = torch.arange(len(pictures))
    rows = (place[split.image] >= 0).nonzero().squeeze(1)
    return {"picture": (data.images[pictures], place[split.image[rows]]), "question": split.tokens[rows]}, split.answer[
        rows
    ]


def facts(split: Questions, pictures: Tensor) -> dict[str, Tensor]:
    """Answers to "what color" and "what shape" about each picture, as "colour" and "shape", (p,) int64; -1 where nobody asked."""
    found = {}
    for kind, name in enumerate(ABOUT):
        known = torch.full((int(max(split.image.max(), pictures.max())) + 1,), -1)
        rows = split.question_type == kind
        known[split.image[rows]] = split.answer[rows]
        found[name] = known[pictures]
    return found


def build(data: EasyVQA, seed: int, width: int = 8) -> late.LateModel:
    """An untrained model whose head has a hidden layer; weights depend on the seed alone, torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoders = {
            "picture": OncePerPicture(ConvEncoder(3, data.images.shape[-1], FEATURES, width)),
            "question": BagOfTokens(len(data.vocabulary), FEATURES),
        }
        heads = {name: nn.Linear(FEATURES, len(data.answers)) for name in encoders}
        return late.LateModel(encoders, late.Hidden([FEATURES] * 2, len(data.answers)), heads).eval()


def train(
    data: EasyVQA, pictures: Tensor, way: late.Way, seed: int, *, epochs: int, per_batch: int = 25, **options
) -> late.LateModel:
    """Build and train one model on all training questions about `pictures`; a batch holds `per_batch` pictures with their questions."""
    model = build(data, seed)

    def batches(epoch: int) -> Iterator[Asked]:
        order = np.random.default_rng([seed, epoch]).permutation(len(pictures))
        for some in torch.from_numpy(order.copy()).split(per_batch):
            yield asked(data, data.train, pictures[some])

    late.fit(model, batches, way, epochs=epochs, seed=seed, progress=False, **options)
    return model


def probe_picture(model: late.LateModel, data: EasyVQA, train: Tensor, test: Tensor) -> dict[str, float]:
    """Accuracy of a linear probe for colour and for shape on the frozen picture encoder; pictures of which it is known."""
    body = model.encoders["picture"].body
    features = [laziness.encode(body, data.images[pictures]) for pictures in (train, test)]
    sides = facts(data.train, train), facts(data.test, test)
    found = {}
    for name in ABOUT:
        rows = [side[name] >= 0 for side in sides]
        x, y, x_test, y_test = (part[r] for r, pair in zip(rows, zip(features, (s[name] for s in sides), strict=True), strict=True) for part in pair)  # fmt: skip
        found[name] = laziness.probe_features(x, y, x_test, y_test).accuracy
    return found
