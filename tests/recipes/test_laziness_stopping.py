"""Early stopping: against trainings of every length, planted losses, modalities and replicates one by one, and after kill -9."""

import copy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmnb.recipes import late


def data(n=40, seed=0):
    """Two modalities of which one example in four has a wrong label: training on and on must do harm."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=draw)
    inputs = {m: torch.nn.functional.one_hot(label, 3) + 0.7 * torch.randn(n, 3, generator=draw) for m in "ab"}
    return inputs, torch.where(torch.rand(n, generator=draw) < 0.25, torch.randint(3, (n,), generator=draw), label)


def model(seed=0, dropout=0.0):
    torch.manual_seed(seed)

    def encoder():
        middle = [nn.Dropout(dropout)] if dropout else []
        return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), *middle, nn.Linear(16, 8), nn.ReLU())

    heads = {m: nn.Linear(8, 3) for m in "ab"}
    return late.LateModel({m: encoder() for m in "ab"}, late.Concat([8, 8], 3), heads).eval()


def batches(seed=0):
    return late.shuffled(*data(), batch_size=10, seed=seed)


def stop(patience=None, seed=1):
    return late.EarlyStop(late.held_out(*data(200, seed)), patience)


def quick(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def trained(way=None, epochs=20, start=None, **options):
    net = copy.deepcopy(start) if start is not None else model()
    curves = late.fit(net, batches(), way, epochs=epochs, optimiser=quick, progress=False, **options)
    return net, curves


def same(one, two):
    left, right = one.state_dict(), two.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_the_best_epoch_comes_back_bit_for_bit():
    """Brute force: a training of every length from 1 to 20 epochs; the one with the lowest held-out loss is what comes back."""
    lengths = [trained(epochs=n)[0] for n in range(1, 21)]
    losses = [stop().held_out(net)["joint"].item() for net in lengths]
    best = int(np.argmin(losses))
    assert 0 < best < 19, "the world must overfit, else nothing is tested"
    kept = stop()
    net, curves = trained(stop=kept)
    assert same(net, lengths[best]) and not same(net, lengths[-1])
    assert kept.found["joint"].item() == best and not net.training
    assert curves["held out joint"] == pytest.approx(losses, rel=1e-12) and len(curves["loss"]) == 20
    patient = stop(patience=3)
    again, short = trained(epochs=500, stop=patient)
    assert same(again, net) and len(short["loss"]) == best + 4  # three epochs in vain, then the end
    assert short["loss"] == curves["loss"][: best + 4]


@pytest.mark.parametrize(
    ("losses", "patience", "best", "epochs"),
    [
        ([3, 2, 1, 2, 0, 5], None, 4, 6),
        ([3, 2, 1, 2, 0, 5], 1, 2, 4),  # the second dip comes too late
        ([3, 2, 1, 2, 0, 5], 2, 4, 6),
        ([1, 1, 1, 1, 1, 1], 3, 0, 4),  # equals do not count as lower
        ([6, 5, 4, 3, 2, 1], 1, 5, 6),
    ],
)
def test_patience_on_planted_losses(losses, patience, best, epochs):
    waiting = iter(losses)
    planted = late.EarlyStop(lambda net: {"joint": float(next(waiting))}, patience)
    net, curves = trained(epochs=6, stop=planted)
    assert planted.found["joint"].item() == best and len(curves["held out joint"]) == epochs
    assert same(net, trained(epochs=best + 1)[0])


def test_modalities_alone_stop_one_by_one():
    waiting = iter([{"a": 3, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 3}, {"a": 2, "b": 4}, {"a": 3, "b": 5}])
    planted = late.EarlyStop(lambda net: next(waiting), patience=2)
    net, curves = trained(late.Unimodal(), stop=planted)
    assert {m: epoch.item() for m, epoch in planted.found.items()} == {"a": 2, "b": 0} and len(curves["loss"]) == 5
    for m, epochs in (("a", 3), ("b", 1)):
        other, _ = trained(late.Unimodal(), epochs=epochs)
        assert same(net.encoders[m], other.encoders[m]) and same(net.heads[m], other.heads[m])


def test_lambda_0_is_joint_training_with_early_stopping_too():
    teachers = {m: encoder for m, encoder in model(7).encoders.items()}
    joint, umt = stop(patience=4), stop(patience=4)
    one, curves = trained(epochs=60, stop=joint)
    two, of_umt = trained(late.UnimodalTeachers(teachers, 0.0), epochs=60, stop=umt)
    assert same(one, two) and curves["held out joint"] == of_umt["held out joint"] and joint.found == umt.found
    three, _ = trained(late.UnimodalTeachers(teachers, 5.0), epochs=60, stop=stop(patience=4))
    assert not same(one, three)


def test_blended_and_frozen_stop_by_the_joint_loss():
    for way in (late.GradientBlending({"joint": 0.4, "a": 0.3, "b": 0.3}), late.LinearHead()):
        kept = stop()
        net, curves = trained(way, epochs=15, stop=kept)
        assert kept.found["joint"].item() == int(np.argmin(curves["held out joint"]))
        assert same(net, trained(way, epochs=kept.found["joint"].item() + 1)[0])


@pytest.mark.parametrize("way", [late.Joint(), late.Unimodal()])
def test_replicates_stop_one_by_one(way):
    """In float64, so that the order of sums inside a product cannot move a best epoch."""
    seeds, unseen = (0, 1, 2), [data(200, seed) for seed in (11, 12, 13)]
    models, worlds = [model(seed).double() for seed in seeds], [data(seed=seed) for seed in seeds]
    as_double = lambda inputs: {m: x.double() for m, x in inputs.items()}  # noqa: E731 (used three times, here only)
    apart, chosen = [], []
    for net, (x, y), (v, of_v), seed in zip(models, worlds, unseen, seeds, strict=True):
        kept = late.EarlyStop(late.held_out(as_double(v), of_v), patience=5)
        one = copy.deepcopy(net)
        order = late.shuffled(as_double(x), y, 10, seed)
        late.fit(one, order, way, epochs=60, optimiser=quick, stop=kept, progress=False)
        apart.append(one)
        chosen.append({name: epoch.item() for name, epoch in kept.found.items()})
    stacked = late.stack_models(models)
    x, v = ({m: torch.stack([part[0][m] for part in parts]).double() for m in "ab"} for parts in (worlds, unseen))
    y, of_v = (torch.stack([part[1] for part in parts]) for parts in (worlds, unseen))
    kept = late.EarlyStop(late.held_out(v, of_v), patience=5)
    together = late.shuffled_stacked(x, y, 10, seeds)
    late.fit(stacked, together, way, epochs=60, optimiser=quick, stop=kept, progress=False)
    assert [{name: epoch[k].item() for name, epoch in kept.found.items()} for k in range(3)] == chosen
    assert len({str(c) for c in chosen}) > 1, "all alike: nothing is tested"
    for k, one in enumerate(apart):
        for name, value in late.unstack(stacked, models[k], k).state_dict().items():
            torch.testing.assert_close(value, one.state_dict()[name], rtol=0, atol=1e-9)


class Stop(Exception):
    """Planted."""


@pytest.mark.parametrize("broken_at", [2, 6, 9])
def test_an_interrupted_training_goes_on_and_ends_with_the_same_bits(tmp_path, broken_at):
    options = {"epochs": 80, "optimiser": quick, "progress": False}
    whole, kept = model(dropout=0.2), stop(patience=4)
    curves = late.fit(whole, batches(), epochs=80, optimiser=quick, stop=kept, progress=False)
    assert 3 < kept.found["joint"].item() < 70
    file = tmp_path / "run.safetensors"

    def breaks(epoch):
        if epoch == broken_at:
            raise Stop
        return batches()(epoch)

    def nothing(epoch):
        if epoch:
            raise Stop
        return batches()(epoch)  # read to see whether it is the same training

    if broken_at < len(curves["loss"]):
        with pytest.raises(Stop):
            late.fit(model(dropout=0.2), breaks, stop=stop(patience=4), checkpoint=file, **options)
    again, found = model(dropout=0.2), stop(patience=4)
    assert late.fit(again, batches(), stop=found, checkpoint=file, **options) == curves
    assert same(again, whole) and found.found == kept.found
    finished = model(dropout=0.2)
    assert late.fit(finished, nothing, stop=stop(patience=4), checkpoint=file, **options) == curves
    assert same(finished, whole)
    elsewhere = late.EarlyStop(late.held_out(*data(seed=77)), patience=4)
    for other, words in (
        (stop(patience=5), "stop was 'EarlyStop\\(patience=4\\)'"),
        (None, "stop was"),
        (elsewhere, "belongs to another run: held-out data was"),
    ):
        with pytest.raises(ValueError, match=words):
            late.fit(model(dropout=0.2), batches(), stop=other, checkpoint=file, **options)


PROGRAM = """
import sys, time
sys.path.insert(0, {folder!r})
import test_laziness_stopping as t
from mmnb.recipes import late


def slow(epoch):
    time.sleep(0.05)
    return t.batches()(epoch)

net = t.model(dropout=0.3)
late.fit(net, slow, late.ModalityDropout(0.4), epochs=100, stop=t.stop(), checkpoint={file!r}, progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_resume_after_kill_9_equals_an_unbroken_run(tmp_path):
    file = tmp_path / "run.safetensors"
    program = PROGRAM.format(folder=str(Path(__file__).parent), file=str(file))
    running = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 120
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    running.send_signal(signal.SIGKILL)
    assert running.wait(30) == -signal.SIGKILL, "it was over before it was killed"
    net, whole, kept = model(dropout=0.3), model(dropout=0.3), stop()
    options = {"epochs": 100, "progress": False}
    curves = late.fit(net, batches(), late.ModalityDropout(0.4), stop=kept, checkpoint=file, **options)
    unbroken = stop()
    assert late.fit(whole, batches(), late.ModalityDropout(0.4), stop=unbroken, **options) == curves
    assert same(net, whole) and kept.found == unbroken.found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": 1.0}, "expected a loss for each of \\['joint'\\]"),
        ({"joint": float("nan")}, "expected finite"),
        ({"joint": torch.zeros(2, 2)}, "expected finite, \\(\\) or \\(r,\\)"),
        ({"joint": torch.zeros(2)}, "2 losses for joint; expected one number for one model"),
    ],
)
def test_losses_that_decide_nothing_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        trained(stop=late.EarlyStop(lambda net: given))


def test_no_patience_is_refused():
    with pytest.raises(ValueError, match="patience=0; expected at least 1, or None"):
        stop(patience=0)
