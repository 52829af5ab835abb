"""MNIST from tiny files in the real format: magic number, sizes, bytes."""

import struct

import numpy as np
import pytest

from mmnb import DataUnavailable
from mmnb.data import mnist
from mmnb.instruments import complementarity, information
from mmnb.models.lenet import LeNet5


def write(folder, n_train=12, n_test=5, labels_short=0):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for (images, labels), n in zip(mnist.FILES.values(), (n_train, n_test), strict=True):
        pixels = rng.integers(0, 256, size=(n, 28, 28), dtype=np.uint8)
        (folder / images).write_bytes(struct.pack(">IIII", 0x803, n, 28, 28) + pixels.tobytes())
        m = n - labels_short
        (folder / labels).write_bytes(struct.pack(">II", 0x801, m) + bytes(k % 10 for k in range(m)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    return tmp_path / "mnist" / "MNIST" / "raw"


def test_files_in_the_real_format_are_read(folder):
    write(folder)
    data = mnist.load()
    assert tuple(data.images.shape) == (17, 1, 28, 28) and data.digit.tolist() == [*range(10), 0, 1, *range(5)]
    assert [len(data.rows(name)) for name in mnist.SPLITS] == [10, 2, 5] and data.rows("test").tolist() == [
        12,
        13,
        14,
        15,
        16,
    ]
    raw = (folder / "t10k-images-idx3-ubyte").read_bytes()[16 : 16 + 784]
    assert data.images[12].numpy().tobytes() == raw


def test_missing_files_say_what_to_get(folder):
    with pytest.raises(DataUnavailable, match=r"55 MB unpacked, CC BY-SA 3\.0.*train-images.*download=True"):
        mnist.load()


def test_pictures_without_labels_are_an_error(folder):
    write(folder, labels_short=1)
    with pytest.raises(ValueError, match="expected"):
        mnist.load()


def test_unknown_split(folder):
    write(folder)
    with pytest.raises(ValueError, match="got 'dev'"):
        mnist.load().rows("dev")


def test_the_paper_profile_trains_lenet_on_them_and_feeds_the_papers_pipeline(folder):
    """Two phases, as published: readers of single digits, then MINE on their outputs, here with the same pictures in reversed order as second modality."""
    write(folder, n_train=240, n_test=80)
    data = mnist.load()
    known, rest = data.rows("train"), (data.split > 0).nonzero().squeeze(1)
    read = information.trained(lambda x, classes: LeNet5(classes), epochs=1, batch_size=64)
    predict = read(data.images[known], data.digit[known].numpy())
    features = np.log(predict(data.images[rest]).clip(3e-4, 1))
    assert features.shape == (len(rest), 10) and np.allclose(np.exp(features).sum(1), 1, rtol=0, atol=0.01)
    options = dict(steps=40, batch=32, held_out=0.0, seeds=1)
    found = complementarity.from_three_terms(features, features[::-1].copy(), data.digit[rest].numpy(), **options)
    assert found.denominator == "labels" and found.method == "mine" and np.isfinite(found.metric)
