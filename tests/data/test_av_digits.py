"""Pairs of pictures and recordings: what they show, that splits stay apart, and that each rule gives away what it should."""

import numpy as np
import pytest
import torch

from mmnb import DataUnavailable
from mmnb.data import av_digits, digits, remote, spoken_digits


@pytest.fixture
def recordings(remote_files):
    if not remote.files()[spoken_digits.KEY].present:
        pytest.skip(f"fsdd/recordings is not in {remote_files}: fetch it with `mmnb data fsdd --fetch`")


@pytest.mark.parametrize("rule", ["same", "xor"])
def test_pairs_show_their_digits_and_splits_stay_apart(recordings, rule):
    data = av_digits.sample((300, 100, 200), np.random.default_rng(0), rule)
    pictures, spoken = digits.load(), spoken_digits.load()
    shown = {
        image.numpy().tobytes(): (d, s)
        for image, d, s in zip(pictures.images, pictures.digit.tolist(), pictures.split.tolist(), strict=True)
    }
    pooled = torch.nn.functional.avg_pool2d(spoken.log_mel, 2)
    for k, part in enumerate((data.train, data.validation, data.test)):
        assert len(part) == (300, 100, 200)[k] and part.inputs["audio"].shape == (len(part), 1, 16, 16)
        for i in range(0, len(part), 7):
            assert shown[(part.image[i] * 16).to(torch.uint8).numpy().tobytes()] == (part.seen[i], k)
            row = int((pooled - part.audio[i]).abs().sum((1, 2, 3)).argmin())
            assert (spoken.digit[row], spoken.split[row], spoken.speaker[row]) == (part.heard[i], k, part.speaker[i])
        assert torch.equal(part.label, part.seen if rule == "same" else (part.seen + part.heard) % 2)
        assert torch.equal(part.seen, part.heard) is (rule == "same")
    assert data.classes == int(data.train.label.max()) + 1
    again = av_digits.sample((300, 100, 200), np.random.default_rng(0), rule)
    assert torch.equal(again.test.audio, data.test.audio)


def test_neither_digit_tells_the_xor(recordings):
    """Of 20,000 pairs each share has standard deviation 0.011 (2,000 of each digit): four of them."""
    part = av_digits.sample((20_000, 1, 1), np.random.default_rng(1), "xor").train
    for digit in (part.seen, part.heard):
        for value in range(10):
            assert abs(part.label[digit == value].float().mean() - 0.5) < 0.045


def test_refusals(recordings, tmp_path, monkeypatch):
    for sizes, rule in (((1, 1), "same"), ((0, 1, 1), "same"), ((1, 1, 1), "sum")):
        with pytest.raises(ValueError, match=r"av_digits\.sample: got"):
            av_digits.sample(sizes, np.random.default_rng(0), rule)
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="fsdd"):
        av_digits.sample((1, 1, 1), np.random.default_rng(0))
