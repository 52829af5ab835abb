"""Seeds side by side: equal to the same seeds one by one, from data to probes, and learnt from it."""

import numpy as np
import pytest
import torch

from mmnb import laziness
from mmnb.data import av_digits, remote, spoken_digits, two_codes
from mmnb.recipes import late
from mmnb.recipes.late import av as av_late
from mmnb.recipes.late import seeds as replicas

SEEDS = (3, 4)


@pytest.fixture(scope="module")
def data():
    return replicas.stack([two_codes.sample("apart", (60, 10, 40), seed) for seed in SEEDS], SEEDS)


def test_stacked_models_start_as_their_plain_ones(data):
    stacked = replicas.build(data, ["a", "b"], features=8)
    for k, seed in enumerate(SEEDS):
        plain = replicas.plain(data, ["a", "b"], seed, features=8)
        again = late.unstack(stacked, replicas.plain(data, ["a", "b"], 99, features=8), k)
        assert all(torch.equal(v, again.state_dict()[name]) for name, v in plain.state_dict().items())
        x = {name: part[k] for name, part in data.test[0].items()}
        torch.testing.assert_close(stacked(data.test[0])[k], plain(x), rtol=0, atol=1e-5)
    other = replicas.build(data, ["a", "b"], features=8, stream=1)
    assert not torch.equal(other.head.bias, stacked.head.bias)


def test_training_beats_chance_and_leaves_the_start_alone(data):
    start = replicas.build(data, ["a", "b"], features=16)
    kept = {name: value.clone() for name, value in start.state_dict().items()}
    model, curves = replicas.train(start, data, late.Unimodal(), epochs=300)
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in kept.items())
    assert curves["a"][-1] < 0.75 * curves["a"][0]  # silent examples keep half of it
    logits, label = replicas.predict(model, data.test[0]), data.test[1]
    assert set(logits) == {"joint", "a", "b", "average"}
    # half of the examples are silent: 0.55 at best on one side, 0.775 on both; chance 0.1
    assert replicas.accuracy(logits["average"], label).mean() > replicas.accuracy(logits["a"], label).mean() > 0.25
    probed = replicas.probes(model.encoders["a"], (data.train[0]["a"], data.train[1]), (data.test[0]["a"], label))
    alone = late.unstack(model.encoders["a"], replicas.plain(data, ["a"], 0, features=16).encoders["a"], 1).eval()
    one = laziness.probe(alone, (data.train[0]["a"][1], data.train[1][1]), (data.test[0]["a"][1], label[1]))
    assert probed[1].item() == pytest.approx(one.accuracy, rel=0, abs=0.026)  # rounding may turn one of 40
    assert [choice.verdict in ("UMT", "UME") for choice in replicas.choices(model, data)] == [True, True]


def test_accuracy_and_other_labels(data):
    logits = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
    assert replicas.accuracy(logits, torch.tensor([[0, 1], [1, 0]])).tolist() == [0.5, 1.0]
    assert data.with_label(data.train[1] * 0).train[1].eq(0).all() and data.only(["b"]).train[0].keys() == {"b"}


def test_av_models_depend_on_their_seed_alone_and_learn(remote_files):
    if not remote.files()[spoken_digits.KEY].present:
        pytest.skip(f"fsdd/recordings is not in {remote_files}: fetch it with `mmnb data fsdd --fetch`")
    world = av_digits.sample((100, 50, 100), np.random.default_rng(0))
    state = torch.get_rng_state()
    one, two, other = (av_late.build(seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.head.bias, two.head.bias) and not torch.equal(one.head.bias, other.head.bias)
    model, curves = av_late.train(world, late.Unimodal(), 1, epochs=60, callback=lambda net: av_late.losses(net, world))
    assert curves["train image"][-1] < 0.5 * curves["train image"][0] and len(curves["held_out audio"]) == 60
    assert av_late.accuracy(av_late.logits_of(model, world)["image"], world.test.label) > 0.5
    assert av_late.probe_both(model, world)["image"] > 0.5
