"""Shift, centring, rotation, loss, retrieval and cones: closed forms and brute force first, the authors' files after."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from torch import nn

from mmnb.data import remote
from mmnb.instruments import gap


def unit(n, d, seed=0, push=0.0):
    """n random unit rows in d dimensions, pushed along the first axis."""
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x[:, 0] += push
    return gap.normalize(x)


def close(left, right, atol=1e-10):
    left, right = (torch.as_tensor(side, dtype=torch.float64) for side in (left, right))
    torch.testing.assert_close(left, right, rtol=0, atol=atol)


@pytest.fixture
def clip(remote_files):
    return tuple(gap.normalize(side) for side in remote.array("modality-gap/features_clip.npy"))


def test_shift_by_hand():
    """x on the first axis, y on the second: Delta = (1, -1), so lam = .25 gives (.75, .25) and its mirror, normalised."""
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    a, b = gap.shift(x, y, 0.25)
    close(a, [[0.75 / math.hypot(0.75, 0.25), 0.25 / math.hypot(0.75, 0.25)]])
    close(b, a.flip(1))
    close(gap.shift(x, y, 1.0)[0], y)  # one whole gap: the sides have changed places
    close(gap.shift(x, y, 0.3, sides="a")[1], y)
    close(gap.shift(x, y, 0.3, sides="b")[0], x)
    close(gap.shift(x, y, 0.5, vector=torch.zeros(2))[0], x)


def test_paper_form_and_code_form_agree():
    """The released code: x - delta/2 Delta/|Delta|, then normalised."""
    x, y = unit(20, 6, 0, 2.0), unit(20, 6, 1, -1.0)
    delta = gap.gap_vector(x, y)
    for step in (-1.0, -0.25, 0.5):
        by_code = gap.normalize(x - step / 2 * delta / delta.norm())
        close(gap.shift(x, y, gap.lam_from_delta(x, y, step))[0], by_code, atol=1e-12)
    before = x.clone()
    gap.shift(x, y, 1.0)
    assert torch.equal(x, before)  # the released code changes its arrays in place


def test_signed_gap_turns_negative_when_the_sides_change_places():
    x, y = unit(50, 6, 0, 3.0), unit(50, 6, 1, -3.0)
    reference = gap.gap_vector(x, y)
    assert gap.signed_gap(x, y, reference) == gap.modality_gap(x, y)
    assert gap.signed_gap(*gap.shift(x, y, 1.0), reference) < -0.5


def test_centring_uses_the_mean_of_the_rows_given():
    x, other = unit(30, 5, 0, 2.0), unit(10, 5, 3, 2.0)
    close(gap.center(x), gap.normalize(x - x.mean(0)))
    close(gap.center(x, of=other), gap.normalize(x - other.mean(0)))


def test_procrustes_finds_a_planted_rotation_and_is_the_best_of_many():
    x = unit(40, 6)
    turn = torch.from_numpy(ortho_group.rvs(6, random_state=0))
    found = gap.procrustes(x, x @ turn.T)
    close(found, turn)
    close(found @ found.T, torch.eye(6), atol=1e-10)
    y = unit(40, 6, 1)
    best = (x - y @ gap.procrustes(x, y)).square().sum()
    for seed in range(50):
        other = torch.from_numpy(ortho_group.rvs(6, random_state=seed))
        assert (x - y @ other).square().sum() >= best - 1e-9


@pytest.mark.parametrize("batch", [1, 3, 4, 12])
@pytest.mark.parametrize("tau", [0.01, 0.5, 1.0])
def test_contrastive_loss_by_brute_force(batch, tau):
    x, y = unit(12, 5), unit(12, 5, 1)
    forward = backward = 0.0
    for start in range(0, 12, batch):
        rows = range(start, start + batch)
        for i in rows:
            forward += math.log(sum(math.exp(float(x[i] @ y[j] - x[i] @ y[i]) / tau) for j in rows)) / 12
            backward += math.log(sum(math.exp(float(x[j] @ y[i] - x[i] @ y[i]) / tau) for j in rows)) / 12
    close(gap.contrastive_loss(x, y, tau, batch=batch), [(forward + backward) / 2, forward, backward])
    if batch > 1:
        assert abs(forward - backward) > 1e-6  # the halves are different numbers, so a transposed half is seen
    swapped = gap.contrastive_loss(y, x, tau, batch=batch)
    close([swapped.a_to_b, swapped.b_to_a], [backward, forward])


def test_constant_embeddings_have_a_loss_of_ln_n():
    same = unit(1, 5).expand(7, 5)
    close(gap.contrastive_loss(same, same, 0.1), [math.log(7)] * 3)


def test_recall_by_brute_force_and_with_ties():
    x, y = unit(11, 7), unit(11, 7, 1)
    for k in (1, 3, 11):
        by_hand = []
        for a, b in ((x, y), (y, x)):
            ranks = [sum(float(a[i] @ b[j]) >= float(a[i] @ b[i]) for j in range(11) if j != i) for i in range(11)]
            by_hand.append(sum(rank < k for rank in ranks) / 11)
        close(gap.retrieval_recall(x, y, k), by_hand)
    same = unit(1, 5).expand(7, 5)
    with pytest.warns(UserWarning, match="repeat"):
        assert gap.retrieval_recall(same, same) == (0.0, 0.0)  # all tied: a constant encoder finds nothing


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gap.contrastive_loss(x, x, 0.0), "temperature above 0"),
        (lambda x: gap.contrastive_loss(x, x, 0.1, batch=5), "a divisor of n"),
        (lambda x: gap.retrieval_recall(x, x, 7), "from 1 to n = 6"),
        (lambda x: gap.shift(x, x, 0.1, sides="z"), "expected 'both', 'a' or 'b'"),
        (lambda x: gap.shift(x, x, 0.1, vector=torch.zeros(3)), "one per dimension"),
        (lambda x: gap.lam_from_delta(x, x, 0.1), "two different means"),
        (lambda x: gap.center(x, of=unit(4, 5)), "one common space"),
        (lambda x: gap.center(x[:1]), "1 of 1 rows are 0"),
        (lambda x: gap.cosine_by_depth([], x, diagonal=True), "expected at least one"),
        (lambda x: gap.cosine_by_depth([torch.relu], [], diagonal=True), "at least one batch"),
        (lambda x: gap.cosine_by_depth([nn.Dropout()], x, diagonal=True), "train mode"),
        (lambda x: gap.cosine_by_depth([lambda h: 0 * h], x, diagonal=True), "rows are 0"),
        (lambda x: gap.relu_cosine(1.5), "from -1 to 1"),
        (lambda x: gap.relu_recursion(-1, square=1, bias=True), "depth >= 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(unit(6, 4))


def test_cosine_by_depth_streams_and_equals_the_dense_way():
    torch.manual_seed(0)
    stack = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5)).eval().double()
    x = torch.randn(13, 1, 6, 6, dtype=torch.float64)
    dense, h = [gap.average_cosine(gap.normalize(x.flatten(1)), diagonal=False)], x
    with torch.no_grad():
        for layer in stack:
            h = layer(h)
            dense.append(gap.average_cosine(gap.normalize(h.flatten(1)), diagonal=False))
    close(gap.cosine_by_depth(list(stack), x.split(5), diagonal=False), dense, atol=1e-12)
    close(gap.cosine_by_depth(list(stack), x, diagonal=False), dense, atol=1e-12)


def test_the_kernel_of_relu_by_numerical_expectation():
    """E relu(u) relu(v) / E relu(u)^2 for two Gaussians of correlation c, on a grid fine enough for 1e-4."""
    z = np.linspace(-7, 7, 1401)
    weight = np.exp(-(z[:, None] ** 2 + z[None] ** 2) / 2)
    for c in (-0.9, 0.0, 0.3, 0.95):
        u, v = z[:, None] + 0 * z[None], c * z[:, None] + math.sqrt(1 - c * c) * z[None]
        expected = (np.maximum(u, 0) * np.maximum(v, 0) * weight).sum() / (np.maximum(u, 0) ** 2 * weight).sum()
        assert abs(gap.relu_cosine(c) - expected) < 1e-4
    assert (gap.relu_cosine(-1.0), gap.relu_cosine(1.0)) == (0.0, 1.0)


def test_the_recursion_gives_the_known_values():
    no_bias, bias = (gap.relu_recursion(25, square=512, bias=bias) for bias in (False, True))
    close([no_bias[n] for n in (1, 2, 3, 4, 5, 10, 25)], [0.3183, 0.4937, 0.6048, 0.6810, 0.7359, 0.8715, 0.9629], atol=6e-5)  # fmt: skip
    close([bias[n] for n in (1, 2, 3, 4, 5, 8, 10, 15, 20)], [0.3193, 0.4959, 0.6089, 0.6880, 0.7480, 0.8822, 0.9502, 0.9980, 0.99994], atol=6e-5)  # fmt: skip


def test_a_wide_random_network_follows_the_recursion():
    """512 wide, two layers, 5 networks; the sd of one network is .013 at layer 2, so the mean of 5 is within .03 (5 sd)."""
    found = []
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        layers = [
            (torch.randn(512, 512, generator=draw) / 512**0.5, torch.randn(512, generator=draw) / 512**0.5)
            for _ in range(2)
        ]
        stack = [lambda h, w=w, b=b: torch.relu(h @ w + b) for w, b in layers]
        found.append(gap.cosine_by_depth(stack, torch.randn(300, 512, generator=draw), diagonal=False))
    close(np.mean(found, axis=0), gap.relu_recursion(2, square=512, bias=True), atol=0.03)


# the authors' files: values computed once, independently
def test_shift_and_centring_on_clip(clip):
    start = gap.retrieval_recall(*clip)
    close(start, [0.552, 0.506], atol=0.004)
    for step, size in ((-1, 1.429), (-0.5, 1.196), (0.25, 0.632), (0.75, 0.115)):
        close(gap.modality_gap(*gap.shift(*clip, gap.lam_from_delta(*clip, step))), size, atol=0.002)
    closed, centred = gap.shift(*clip, 0.5), tuple(map(gap.center, clip))
    close(gap.modality_gap(*closed), 0.0078, atol=0.001)
    close(gap.modality_gap(*centred), 0.028, atol=0.002)
    assert start.a_to_b - gap.retrieval_recall(*closed).a_to_b > 0.1
    assert start.a_to_b - gap.retrieval_recall(*centred).a_to_b < 0.02


def test_loss_on_clip(clip):
    close(gap.contrastive_loss(*clip, 1 / 100, batch=50), [0.566, 0.523, 0.609], atol=0.002)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    assert gap.contrastive_loss(clip[0], clip[1][order], 1 / 100, batch=50).symmetric > 11


def test_rotation_keeps_the_gap_and_spreads_it(clip):
    turn = torch.from_numpy(ortho_group.rvs(512, random_state=0))
    turned = clip[0] @ turn, clip[1] @ turn
    close(gap.modality_gap(*turned), gap.modality_gap(*clip), atol=1e-9)
    assert abs(gap.share_per_dimension(*clip).sort().values[-2:].sum() - 0.686) < 0.002
    assert gap.share_per_dimension(*turned).sort().values[-2:].sum() < 0.08


def test_procrustes_closes_the_random_gap_without_knowing_the_pairs(remote_files):
    x, y = (gap.normalize(side) for side in remote.array("modality-gap/features_clip_random.npy"))
    close(gap.modality_gap(x, gap.normalize(y @ gap.procrustes(x, y))), 0.0117, atol=0.001)
    shuffled = y[torch.randperm(500, generator=torch.Generator().manual_seed(0))]
    assert gap.modality_gap(x, gap.normalize(y @ gap.procrustes(x, shuffled))) < 0.02
    assert gap.modality_gap(x, gap.normalize(y @ gap.procrustes(x, y).T)) > 1.0  # the wrong one of the two
