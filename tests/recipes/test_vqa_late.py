"""easy-VQA as a late-fusion world: pictures stay with their questions, facts are true, a picture is encoded once, probes learn from training."""

import pytest
import torch
from torch import nn

from mmnb.data import easyvqa
from mmnb.recipes import late
from mmnb.recipes.late import vqa as vqa_late


@pytest.fixture(scope="module")
def vqa():
    return easyvqa.load()


def test_questions_stay_with_their_pictures(vqa):
    pictures = torch.tensor([7, 3, 1200])
    inputs, answer = vqa_late.asked(vqa, vqa.train, pictures)
    images, of = inputs["picture"]
    rows = torch.isin(vqa.train.image, pictures).nonzero().squeeze(1)
    assert len(answer) == len(rows) > 10 and torch.equal(answer, vqa.train.answer[rows])
    assert torch.equal(images[of], vqa.images[vqa.train.image[rows]])
    assert torch.equal(inputs["question"], vqa.train.tokens[rows])


def test_facts_are_the_answers_of_their_pictures(vqa):
    pictures = torch.arange(4000, 4200)
    facts = vqa_late.facts(vqa.test, pictures)
    for name, kind in (("colour", "what color"), ("shape", "what shape")):
        rows = (vqa.test.question_type == vqa.question_types.index(kind)) & (vqa.test.image < 4200)
        assert (facts[name] >= 0).sum() == len(vqa.test.image[rows].unique()) > 50
        assert torch.equal(facts[name][vqa.test.image[rows] - 4000], vqa.test.answer[rows])
    shapes = {vqa.answers[k] for k in facts["shape"].tolist() if k >= 0}
    assert shapes == set(easyvqa.SHAPES)


def test_once_per_picture_is_the_encoder_on_every_question():
    body = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    pictures, of = torch.randn(3, 3, 2, 2), torch.tensor([2, 0, 2, 1])
    torch.testing.assert_close(vqa_late.OncePerPicture(body)((pictures, of)), body(pictures[of]), rtol=0, atol=1e-6)


def test_models_depend_on_their_seed_alone_and_learn_colours(vqa):
    state = torch.get_rng_state()
    one, two, other = (vqa_late.build(vqa, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    bias = [net.head.out.bias for net in (one, two, other)]
    assert torch.equal(bias[0], bias[1]) and not torch.equal(bias[0], bias[2])
    pictures, test = torch.arange(150), torch.arange(4000, 4300)
    net = vqa_late.train(vqa, pictures, late.Joint(), 1, epochs=6)
    again = vqa_late.train(vqa, pictures, late.Joint(), 1, epochs=6)
    assert all(torch.equal(v, again.state_dict()[name]) for name, v in net.state_dict().items())
    known, blank = (vqa_late.probe_picture(m, vqa, pictures, test) for m in (net, one))
    assert set(known) == {"colour", "shape"} and known["colour"] > blank["colour"] + 0.05
    inputs, answer = vqa_late.asked(vqa, vqa.test, test)
    with torch.no_grad():
        right = (net(inputs).argmax(1) == answer).float().mean().item()
    assert right > (answer == answer.bincount().argmax()).float().mean().item() + 0.1
