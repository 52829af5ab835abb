"""The handwritten digits against scikit-learn's own, and the stratified split."""

import pytest
import torch
from sklearn.datasets import load_digits

from mmnb.data import digits


@pytest.fixture(scope="module")
def data():
    return digits.load()


def test_pictures_and_labels_are_those_of_the_package(data):
    raw = load_digits()
    assert data.images.dtype == torch.uint8 and data.images.shape == (1797, 1, 8, 8)
    assert data.images[:, 0].numpy().tolist() == raw.images.tolist()
    assert data.digit.tolist() == raw.target.tolist()
    assert len(data.images.flatten(1).unique(dim=0)) == len(data)  # no picture can be in two splits


def test_splits_share_every_class_out(data):
    rows = [data.rows(name) for name in digits.SPLITS]
    assert torch.cat(rows).sort().values.tolist() == list(range(1797))
    for part, share in zip(rows, digits.SHARES, strict=True):
        counts, of_all = data.digit[part].bincount(), data.digit.bincount()
        assert ((counts - share * of_all).abs() <= 1).all()
    assert torch.equal(data.split, digits.load().split)
    with pytest.raises(ValueError, match="expected one of train"):
        data.rows("dev")


def test_stratified_deals_each_class_out_at_random():
    label = torch.arange(3).repeat(40)
    part = digits.stratified(label, (0.25, 0.75))
    for value in range(3):
        assert part[label == value].bincount().tolist() == [10, 30]
    assert not torch.equal(part, digits.stratified(label, (0.25, 0.75), seed=1))
    for shares in ((0.5, 0.6), (1.0, 0.0), ()):
        with pytest.raises(ValueError, match="expected numbers above 0 with sum 1"):
            digits.stratified(label, shares)
