"""Gap, cosines and their relatives: closed forms, brute force, the authors' files, then every refusal."""

import math
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


def brute_cosine(x, y):
    """Mean of x_i . y_j over i != j, one by one."""
    return float(np.mean([float(x[i] @ y[j]) for i in range(len(x)) for j in range(len(y)) if i != j]))


sides = st.builds(
    lambda n, d, seed, a, b: (unit(n, d, seed, a), unit(n, d, seed + 1, b)),
    st.integers(2, 9),
    st.integers(1, 7),
    st.integers(0, 2**20),
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([0.0, -3.0]),
)


@settings(deadline=None)  # the first call of a process is slow
@given(sides)
def test_the_gap_is_its_four_mean_cosines(pair):
    """Squared gap = (1 + (n-1) c_a)/n + (1 + (n-1) c_b)/n - 2 (m + (n-1) u)/n, with cosines by brute force."""
    x, y = pair
    n = len(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in one dimension rows repeat
        c = gap.mean_cosines(x, y)
    close([c.a, c.b, c.unmatched], [brute_cosine(x, x), brute_cosine(y, y), brute_cosine(x, y)])
    close(c.matched, np.mean([float(x[i] @ y[i]) for i in range(n)]))
    square = (1 + (n - 1) * c.a) / n + (1 + (n - 1) * c.b) / n - 2 * (c.matched + (n - 1) * c.unmatched) / n
    close(gap.modality_gap(x, y) ** 2, square, atol=1e-9)


@settings(deadline=None)
@given(sides)
def test_properties_that_hold_for_any_two_sides(pair):
    x, y = pair
    n, d = x.shape
    assert 0 <= gap.modality_gap(x, y) <= gap.pair_distance(x, y) + 1e-12 <= 2 + 1e-9
    close(gap.gap_vector(x, y), -gap.gap_vector(y, x))
    turn = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(n), dtype=torch.float64))[0]
    close(gap.modality_gap(x @ turn, y @ turn), gap.modality_gap(x, y), atol=1e-9)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(d))
    close(gap.modality_gap(x[order], y), gap.modality_gap(x, y))  # the gap does not depend on pairs
    close(gap.pair_distance(x[order], y[order]), gap.pair_distance(x, y))
    if gap.modality_gap(x, y) > 0:
        close(gap.share_per_dimension(x, y).sum(), 1.0)


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(1, 9), st.integers(0, 999))
def test_average_cosine_with_and_without_diagonal(n, d, seed):
    x = unit(n, d, seed)
    without, with_diagonal = (gap.average_cosine(x, diagonal=diagonal) for diagonal in (False, True))
    close(without, brute_cosine(x, x))
    close(with_diagonal - without, (1 - without) / n)


def test_two_independent_samples_have_the_gap_of_noise():
    """E gap^2 = 2/n for isotropic unit rows. One square has relative sd sqrt(2/d) = .0625, the mean of 20 has .014: 5 sd."""
    n, d, draws = 200, 512, 20
    squares = [gap.modality_gap(unit(n, d, 2 * k), unit(n, d, 2 * k + 1)) ** 2 for k in range(draws)]
    assert abs(np.mean(squares) * n / 2 - 1) < 0.07


def test_relative_gap_and_uniformity_by_brute_force():
    x, y = unit(7, 4, 0, 1.0), unit(7, 4, 1, -1.0)
    d = [(1 - float(x[i] @ y[i])) / 2 for i in range(7)]
    w = [[(1 - float(s[i] @ s[j])) / 2 for i in range(7) for j in range(7) if i != j] for s in (x, y)]
    m, w = np.mean(d), np.mean([np.mean(side) for side in w])
    close(gap.relative_gap(x, y), m / (m + w))
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    close(gap.uniformity(x), math.log(np.mean([math.exp(-2 * float((x[i] - x[j]).square().sum())) for i, j in pairs])))
    close(gap.uniformity(x, y, t=3.0), math.log(np.mean([math.exp(-3 * float((x[i] - y[j]).square().sum())) for i, j in pairs])))  # fmt: skip


def test_separability_of_sides_that_can_and_cannot_be_told_apart():
    apart = unit(60, 5, 0, 4.0), unit(60, 5, 1, -4.0)
    assert gap.separability(*apart) == 1.0
    same = unit(400, 3, 0), unit(400, 3, 1)  # 800 rows: one standard error of the accuracy is .018
    assert abs(gap.separability(*same) - 0.5) < 0.08
    assert gap.separability(*apart, center=True) < 0.8


@pytest.mark.usefixtures("remote_files")
@pytest.mark.parametrize(
    ("name", "size", "cosines"),
    [
        ("clip", 0.8514, (0.5315, 0.5152, 0.3099, 0.1616)),
        ("clip_random", 1.1361, (0.6814, 0.6635, 0.0285, 0.0278)),
        ("videoclip", 1.0669, (0.6889, 0.4947, 0.0915, 0.0261)),
        ("videoclip_random", 0.9544, (0.4440, 0.8402, 0.1916, 0.1903)),
        ("convirt", 0.8231, (0.7641, 0.1316, 0.2552, 0.1099)),
        ("convirt_random", 1.4030, (0.9956, 0.9011, -0.0358, -0.0358)),
        ("clasp", 1.0447, (0.6072, 0.7050, 0.1196, 0.1138)),
        ("clasp_random", 1.2893, (1.0000, 1.0000, 0.1689, 0.1689)),
    ],
)
def test_the_authors_files(name, size, cosines):
    """Values computed once, independently, from the released files; 5e-4 for the gap and .001 for the cosines."""
    x, y = (gap.normalize(side) for side in remote.array(f"modality-gap/features_{name}.npy"))
    close(gap.modality_gap(x, y), size, atol=5e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reports of ConVIRT repeat
        close(gap.mean_cosines(x, y), cosines, atol=1e-3)


@pytest.mark.usefixtures("remote_files")
def test_normalising_the_means_would_be_noticed():
    x, y = (gap.normalize(side) for side in remote.array("modality-gap/features_clip.npy"))
    wrong = gap.modality_gap(gap.normalize(x.mean(0)[None]), gap.normalize(y.mean(0)[None]))
    assert abs(wrong - 1.1757) < 1e-3 and abs(gap.modality_gap(x, y) - wrong) > 0.3


PAIRED = (gap.modality_gap, gap.gap_vector, gap.pair_distance, gap.mean_cosines, gap.relative_gap, gap.uniformity, gap.share_per_dimension, gap.separability, gap.procrustes, gap.retrieval_recall, partial(gap.contrastive_loss, tau=0.1))  # fmt: skip


@pytest.mark.parametrize("function", PAIRED, ids=lambda f: getattr(f, "__name__", "contrastive_loss"))
def test_every_function_refuses_what_it_cannot_measure(function):
    x = unit(12, 4)
    cases = [
        (TypeError, "half precision", (x.half(), x)),
        (TypeError, "expected real numbers", (x, x.numpy().astype(str))),
        (TypeError, "got NoneType; expected a tensor", (None, x)),
        (TypeError, "complex", (x, x.to(torch.complex128))),
        (ValueError, "not of length 1", (2 * x, x)),
        (ValueError, "NaN or infinity", (x, x * float("nan"))),
        (ValueError, "expected pairs", (x, x[:5])),
        (ValueError, "one common space", (x, unit(12, 3))),
        (ValueError, r"expected \(n, d\)", (x[0], x)),
        (ValueError, r"expected \(n, d\)", (x[:0], x[:0])),
    ]
    for error, message, arguments in cases:
        with pytest.raises(error, match=message):
            function(*arguments)


@pytest.mark.parametrize("function", PAIRED, ids=lambda f: getattr(f, "__name__", "contrastive_loss"))
def test_every_form_of_the_same_rows_gives_the_same_number(function):
    x, y = unit(12, 4), unit(12, 4, 1)
    forms = [x.tolist(), list(x), x.numpy(), pd.DataFrame(x.numpy()), x.clone().requires_grad_(), x.T.contiguous().T]
    for form in forms:
        close(function(form, y), function(x, y), atol=0)


def test_unequal_numbers_of_rows_where_pairs_do_not_matter():
    x, y = unit(5, 3), unit(8, 3, 1)
    close(gap.modality_gap(x, y, paired=False), (x.mean(0) - y.mean(0)).norm())
    assert gap.share_per_dimension(x, y, paired=False).shape == (3,)


@pytest.mark.parametrize(
    ("result", "old", "new"),
    [
        (gap.Cosines(0.1, 0.2, 0.3, 0.4), ("x", "y"), ("a", "b")),
        (gap.Loss(0.1, 0.2, 0.3), ("x_to_y", "y_to_x"), ("a_to_b", "b_to_a")),
        (gap.Recall(0.1, 0.2), ("x_to_y", "y_to_x"), ("a_to_b", "b_to_a")),
    ],
)
def test_old_names_of_fields_still_work_with_a_warning(result, old, new):
    for before, after in zip(old, new, strict=True):
        with pytest.warns(DeprecationWarning, match=f"{before} is now {after}"):
            assert getattr(result, before) == getattr(result, after)


def test_repeated_captions_are_mentioned():
    x, y = unit(6, 4), unit(6, 4, 1)
    y[3] = y[0]
    for function in (gap.mean_cosines, gap.relative_gap, gap.retrieval_recall):
        with pytest.warns(UserWarning, match="1 of 6 rows of b repeat"):
            function(x, y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gap.average_cosine(x[:1], diagonal=False), "two or more rows"),
        (lambda x: gap.uniformity(x[:1]), "two or more rows"),
        (lambda x: gap.share_per_dimension(x, x), "two different means"),
        (lambda x: gap.relative_gap(x[:1].expand(3, -1), x[:1].expand(3, -1)), "some distance"),
        (lambda x: gap.separability(x, x, folds=40), "2 <= folds <= n"),
        (lambda x: gap.normalize(0 * x), "6 of 6 rows are 0"),
        (lambda x: gap.normalize(x * 1e200), "beyond float64"),
        (lambda x: gap.uniformity(x, t=math.nan), "t above 0"),
        (lambda x: gap.contrastive_loss(x, x, tau=math.nan), "a temperature above 0"),
        (lambda x: gap.retrieval_recall(x, x, 7), "from 1 to n = 6"),
        (lambda x: gap.retrieval_recall(x, x, groups=([math.nan] * 6, [0] * 6)), "groups of a"),
        (lambda x: gap.retrieval_recall(x, x, groups=([0] * 6, [0] * 5 + [1])), "one side only"),
        (lambda x: gap.retrieval_recall(x, x, groups=([0] * 5, [0] * 6)), "5 labels for 6"),
        (lambda x: gap.retrieval_recall(x, x[:3]), "expected pairs"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*repeat")
def test_degenerate_inputs_are_errors_and_never_numbers(call, message):
    with pytest.raises(ValueError, match=message):
        call(unit(6, 4))


def test_normalize_takes_half_precision():
    x = unit(6, 4)
    close(gap.normalize(x.half()).norm(dim=1), torch.ones(6), atol=1e-12)
    close(gap.normalize(x.half()), x, atol=2e-3)  # half precision keeps 11 bits


@pytest.mark.parametrize("n", [3, 7, 12, 100])
@pytest.mark.parametrize("d", [3, 5])
@pytest.mark.filterwarnings("ignore:.*repeat")
def test_a_collapsed_encoder_is_refused_and_not_measured(n, d):
    """Equal rows, and the same rows in another order, differ by rounding alone: without a bound `relative_gap` is .25 or .6."""
    same, x = unit(1, d).expand(n, -1), unit(n, d)
    calls = [
        lambda: gap.relative_gap(same, same),
        lambda: gap.relative_gap(same.float(), same.float()),
        lambda: gap.center(same),
        lambda: gap.share_per_dimension(x, x.flip(0)),
        lambda: gap.lam_from_delta(x, x.flip(0), 1.0),
        lambda: gap.shift(same, -same, 0.5),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="up to rounding"):
            call()


def test_a_logit_scale_given_for_a_temperature_gets_a_word():
    x, y = unit(6, 4), unit(6, 4, 1)
    with pytest.warns(UserWarning, match="tau = 1/s"):
        assert abs(gap.contrastive_loss(x, y, tau=100).symmetric - math.log(6)) < 0.01


def images_with_captions(images=40, each=5, d=12):
    """Images, their captions near them, and the number of each caption's image."""
    x, of = unit(images, d), torch.arange(images).repeat_interleave(each)
    return x, gap.normalize(x[of] + 0.25 * torch.randn(len(of), d, generator=torch.Generator().manual_seed(1))), of


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize("name", [int, lambda i: -i, "image {}".format])
def test_recall_with_several_captions_an_image_by_the_definition_of_the_field(k, name):
    """R@k as for COCO: from an image, any of its captions among the k nearest; from a caption, its image."""
    x, y, of = images_with_captions()
    names = [name(i) for i in range(len(x))], [name(i) for i in of.tolist()]
    s = x @ y.T
    images = (of[s.topk(k, dim=1).indices] == torch.arange(len(x))[:, None]).any(1).double().mean()
    captions = (s.T.topk(k, dim=1).indices == of[:, None]).any(1).double().mean()
    close(gap.retrieval_recall(x, y, k, groups=names), [images, captions], atol=1e-12)
    assert captions > 0.3


def test_images_repeated_for_their_captions_are_no_misses():
    x, y, of = images_with_captions()
    with pytest.warns(UserWarning, match="repeat"):
        assert gap.retrieval_recall(x[of], y).b_to_a == 0  # ties: five copies of the right image
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(
            gap.retrieval_recall(x[of], y, groups=(of, of)), gap.retrieval_recall(x, y, groups=(torch.arange(40), of))
        )


@pytest.mark.parametrize("cells", [1, 50, 10**9])
def test_blocks_of_any_size_give_the_numbers_of_the_whole_table(cells, monkeypatch):
    """Bounds: a cosine of d products is off by d eps / 2, logits are 1/tau times larger, a log of a sum of n terms adds n eps / 2."""
    n, d, tau = 60, 9, 0.01
    x, y, t = unit(n, d, 0, 1.0), unit(n, d, 1, -1.0), 2.0
    s = x @ y.T
    own, target = s.diagonal(), torch.arange(n)
    halves = [torch.nn.functional.cross_entropy(side / tau, target) for side in (s, s.T)]
    spread = torch.logsumexp((-t * (2 - 2 * s))[~torch.eye(n, dtype=torch.bool)], 0) - math.log(n * (n - 1))
    monkeypatch.setattr("mmnb.instruments.gap.measures._CELLS", cells)
    eps = torch.finfo(torch.float64).eps
    close(gap.contrastive_loss(x, y, tau)[1:], torch.stack(halves), atol=2 * (d / tau + n + 1 / tau) * eps)
    close(gap.uniformity(x, y, t=t), spread, atol=2 * (2 * t * d + n**2) * eps)
    assert gap.retrieval_recall(x, y, 5) == tuple(
        ((side >= own[:, None]).sum(1) <= 5).double().mean().item() for side in (s, s.T)
    )
    for part in (10, 60):
        parts = [gap.contrastive_loss(x[i : i + part], y[i : i + part], tau)[1:] for i in range(0, n, part)]
        close(gap.contrastive_loss(x, y, tau, batch=part)[1:], np.mean(parts, 0), atol=2 * (d / tau + n) * eps)


@pytest.mark.parametrize("function", PAIRED, ids=lambda f: getattr(f, "__name__", "contrastive_loss"))
def test_a_device_without_float64_gives_the_numbers_of_the_cpu(function, far_away):
    x, y = unit(12, 4).float(), unit(12, 4, 1).float()
    close(function(x.as_subclass(far_away), y.as_subclass(far_away)), function(x, y), atol=0)
