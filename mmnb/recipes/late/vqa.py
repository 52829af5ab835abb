"""Late fusion on easy-VQA: a small convolutional picture encoder, a question encoder, and probes of the trained picture encoder."""

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
    """Encode a picture once for all of its questions: (pictures (p, …), of (q,) int64) -> (q, features); `body` encodes pictures."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, given: tuple[Tensor, Tensor]) -> Tensor:
        pictures, of = given
        return self.body(pictures)[of]


def asked(data: EasyVQA, split: Questions, pictures: Tensor) -> Asked:
    """All questions of a split about `pictures`, rows of `data.images`: inputs "picture" and "question", and the answers."""
    place = torch.full((len(data.images),), -1)
    place[pictures] = torch.arange(len(pictures))
    rows = (place[split.image] >= 0).nonzero().squeeze(1)
    inputs = {"picture": (data.images[pictures], place[split.image[rows]]), "question": split.tokens[rows]}
    return inputs, split.answer[rows]


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
    """An untrained model whose head has a hidden layer; its weights depend on the seed alone."""

    def encoders() -> dict[str, nn.Module]:
        picture = OncePerPicture(ConvEncoder(3, data.images.shape[-1], FEATURES, width))
        return {"picture": picture, "question": BagOfTokens(len(data.vocabulary), FEATURES)}

    return late.build(encoders, FEATURES, len(data.answers), seed=seed, head=late.Hidden)


def train(
    data: EasyVQA, pictures: Tensor, objective: late.Objective, seed: int, *, epochs: int, **options
) -> late.LateModel:
    """Build and train one model on all training questions about `pictures`; a batch holds 25 pictures with their questions."""
    model = build(data, seed)

    def batches(epoch: int) -> Iterator[Asked]:
        order = np.random.default_rng([seed, epoch]).permutation(len(pictures))
        for some in torch.from_numpy(order.copy()).split(25):
            yield asked(data, data.train, pictures[some])

    late.fit(model, batches, objective, epochs=epochs, seed=seed, progress=False, **options)
    return model


def probe_picture(model: late.LateModel, data: EasyVQA, train: Tensor, test: Tensor) -> dict[str, float]:
    """Accuracy of a linear probe for colour and for shape on the frozen picture encoder, over the pictures whose answer is known."""
    body = model.encoders["picture"].body
    x, x_test = (laziness.encode(body, data.images[pictures]) for pictures in (train, test))
    answers, answers_test = facts(data.train, train), facts(data.test, test)
    accuracy = {}
    for name in ABOUT:
        y, y_test = answers[name], answers_test[name]
        known, known_test = y >= 0, y_test >= 0
        probe = laziness.probe_features(x[known], y[known], x_test[known_test], y_test[known_test])
        accuracy[name] = probe.accuracy
    return accuracy
