"""Fingerprints of data and models tell different ones apart, and only those."""

import torch

from mmnb.instruments.identity import fingerprint, fingerprint_of_model


def test_fingerprints_tell_structures_apart():
    from PIL import Image

    different = [
        torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32), torch.zeros(4).numpy(), torch.zeros(4, dtype=torch.bfloat16),
        torch.zeros(0), [], {}, (None,), "", "0", b"0", 0, 0.0, True, ["a", "b"], ["ab"], {"a": "b"}, {"b": "a"}, [["a"], "b"], ["a", ["b"]],
        Image.new("L", (2, 3)), Image.new("L", (3, 2)), Image.new("L", (2, 3), 1),
    ]  # fmt: skip
    assert len({fingerprint(value) for value in different}) == len(different)


def test_fingerprints_do_not_depend_on_layout():
    x = torch.arange(6.0).view(2, 3)
    assert fingerprint(x.T.contiguous()) == fingerprint(x.T)
    assert fingerprint(x.numpy().T.copy()) == fingerprint(x.numpy().T)


def test_fingerprint_of_a_model_sees_parameters_and_buffers():
    norm = torch.nn.BatchNorm1d(3).eval()
    before = fingerprint_of_model(lambda a, b: norm(a + b))
    norm.running_mean += 1
    assert fingerprint_of_model(lambda a, b: norm(a + b)) != before
    assert fingerprint_of_model(lambda a, b: a + b) == "none"
