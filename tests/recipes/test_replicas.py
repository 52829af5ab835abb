"""Seeds side by side: equal to the same seeds one by one, from data to probes, and learnt from it."""

import numpy as np
import pytest
import torch

from mmnb import laziness
from mmnb.data import av_digits, mfeat, remote, spoken_digits, two_codes
from mmnb.recipes import late
from mmnb.recipes.late import seeds as replicas
from mmnb.recipes.late import splits

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


def test_av_digits_and_numerals_for_several_seeds(remote_files):
    if not remote.files()[spoken_digits.KEY].present:
        pytest.skip(f"fsdd/recordings is not in {remote_files}: fetch it with `mmnb data fsdd --fetch`")
    av = splits.av((1, 2), (60, 20, 30))
    assert av.train[0]["image"].shape == (2, 60, 64) and av.test[0]["audio"].shape == (2, 30, 256)
    one = av_digits.sample((60, 20, 30), np.random.default_rng(7002))
    assert torch.equal(av.validation[0]["audio"][1], one.validation.audio.flatten(1))
    moved = splits.shuffle(av, "audio", torch.Generator().manual_seed(0))
    assert torch.equal(moved.train[0]["image"], av.train[0]["image"]) and torch.equal(moved.train[1], av.train[1])
    rows = [{tuple(row.tolist()) for row in part.train[0]["audio"][0]} for part in (av, moved)]
    assert rows[0] == rows[1] and not torch.equal(moved.train[0]["audio"], av.train[0]["audio"])


def test_numerals_are_split_by_groups_and_standardised_in_training():
    found = splits.numerals(mfeat.load(), ["fou", "mor"], (5,), most=200)
    assert [part[1].shape[1] for part in (found.train, found.validation, found.test)] == [200, 200, 200]
    assert found.train[0]["fou"][0].mean(0).abs().max() < 1e-5


def test_one_weight_per_replica_trains_each_as_it_would_alone(data):
    weights = [{"joint": 0.5, "a": 0.5, "b": 0.0}, {"joint": 0.2, "a": 0.3, "b": 0.5}]
    together = {name: torch.tensor([w[name] for w in weights]) for name in weights[0]}
    stacked, _ = replicas.train(replicas.build(data, ["a", "b"]), data, late.GradientBlending(together), epochs=3)
    for k, seed in enumerate(SEEDS):
        single = replicas.plain(data, ["a", "b"], seed)
        inputs, label = {n: x[k] for n, x in data.train[0].items()}, data.train[1][k]
        # SGD would leave the idle head alone in any case; Adam's weight decay would not
        late.fit(
            single, late.shuffled(inputs, label, 60, seed), late.GradientBlending(weights[k]), epochs=3, progress=False
        )
        own = {n: x[k] for n, x in data.test[0].items()}
        assert torch.allclose(stacked(data.test[0])[k], single(own), rtol=0, atol=1e-4)


def test_the_distance_to_a_teacher_has_no_unit_with_its_variance(data):
    start, inputs, label = replicas.build(data, ["a", "b"]), *data.train
    teachers = {n: replicas.build(data, ["a", "b"], stream=1).encoders[n].eval() for n in ("a", "b")}
    variance = late.feature_variance(teachers, inputs)
    assert variance["a"].shape == (2,)
    plain, scaled = (late.UnimodalTeachers(teachers, 1.0, v).loss(start, inputs, label, 0)[1] for v in (None, variance))
    features = start.features(inputs)["a"] - teachers["a"](inputs["a"])
    each = features.square().mean((-2, -1))
    assert torch.allclose(plain["distance a"], each.sum(), rtol=1e-5, atol=0)
    assert torch.allclose(scaled["distance a"], (each / variance["a"]).sum(), rtol=1e-5, atol=0)
    with pytest.raises(ValueError, match="variances of"):
        late.UnimodalTeachers(teachers, 1.0, {"a": 1.0}).check(start)
