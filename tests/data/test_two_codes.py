"""Worlds with known answers: what each modality tells, and what is refused."""

import pytest
import torch

from mmnb.data import two_codes


def test_paired_codes_tell_nothing_alone_and_all_together():
    inputs, label = two_codes.sample("paired", (20_000, 1, 1), seed=0, noise=0.0)[0]
    a, b = (inputs[name].argmax(1) for name in "ab")
    assert torch.equal((a + b) % 2, label)
    for digit in (a, b):  # sd of a share of 2,000: 0.011
        assert max(abs(label[digit == k].float().mean() - 0.5) for k in range(10)) < 0.045


def test_codes_apart_show_the_label_or_nothing():
    for inputs, label in two_codes.sample("apart", (2000, 50, 70), seed=1, noise=0.0):
        for x in inputs.values():
            silent = x.eq(0).all(1)
            assert torch.equal(x[~silent].argmax(1), label[~silent])
            assert abs(silent.float().mean() - 0.5) < 5 * 0.5 / len(label) ** 0.5
        both = torch.stack([x.eq(0).all(1) for x in inputs.values()]).float()
        assert len(label) < 2000 or abs(both.prod(0).mean() - 0.25) < 0.05


def test_seeds_and_refusals():
    one, again, other = (two_codes.sample("paired", (9, 2, 2), seed=s)[0][0]["a"] for s in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    for task, sizes, noise in (("xor", (1, 1, 1), 0.1), ("paired", (1, 0, 1), 0.1), ("paired", (1, 1, 1), -1)):
        with pytest.raises(ValueError, match=r"two_codes\.sample: got"):
            two_codes.sample(task, sizes, 0, noise)


def test_mixed_codes_tell_half_alone_and_all_together():
    (inputs, label), *_ = two_codes.sample("mixed", (2000, 1, 1), seed=3, noise=0.0)
    a, b = (inputs[name].argmax(1) for name in ("a", "b"))
    assert torch.equal(label, 2 * (a >= 4) + (a + b) % 2) and torch.equal(a >= 4, b >= 4)
    for digit in range(8):  # given one digit, its half is certain and the parity a coin
        there = label[a == digit]
        assert there.unique().tolist() == [2 * (digit >= 4), 2 * (digit >= 4) + 1]
        assert abs(float((there % 2).float().mean()) - 0.5) < 0.15


def test_codes_of_nothing_do_not_depend_on_the_label():
    (inputs, label), *_ = two_codes.sample("nothing", (4000, 1, 1), seed=3, noise=0.0)
    share = label.float()[inputs["a"].argmax(1) == 3].mean()
    assert label.unique().tolist() == [0, 1] and abs(float(share) - 0.5) < 0.1
