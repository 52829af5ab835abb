"""EMAP against closed forms and brute force, then every refusal."""

import functools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from mmnb.instruments.emap import Concat, emap, project

WORKED = torch.tensor([[-1.3, 0.3, -0.2], [0.8, 3.0, 1.1], [1.1, -0.1, 0.7]], dtype=torch.float64)


def lookup(grid):
    """The model whose grid is `grid`: it looks its answer up."""
    return lambda i, j: grid[i, j]


def run(grid, **options):
    n = len(grid)
    return emap(lookup(grid), torch.arange(n), torch.arange(n), **options)


def close(left, right, atol=1e-10):
    left, right = (torch.as_tensor(side, dtype=torch.float64) for side in (left, right))
    torch.testing.assert_close(left, right, rtol=0, atol=atol)


def random_grid(n, c=3, seed=0):
    return torch.randn(n, n, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


grids = st.builds(
    lambda n, c, seed, scale, level: random_grid(n, c, seed) * scale + level,
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 2**31),
    st.sampled_from([1.0, 0.01, 100.0]),
    st.sampled_from([0.0, -3.0, 50.0]),
)


def test_worked_example():
    result = run(WORKED)
    close(result.projected[:, 0], [-0.8, 2.1, 0.5], atol=1e-12)
    close(result.grand_mean, [0.6], atol=1e-12)
    surface = [[-0.8, 0.0667, -0.4667], [1.2333, 2.1, 1.5667], [0.1667, 1.0333, 0.5]]
    close(project(WORKED), surface, atol=5e-5)  # the sheet prints four decimals


@given(grids)
def test_projection_is_least_squares_over_all_pairs(grid):
    n, _, c = grid.shape
    i, j = np.divmod(np.arange(n * n), n)
    design = np.concatenate([np.eye(n)[i], np.eye(n)[j]], axis=1)
    assert np.linalg.matrix_rank(design) == 2 * n - 1
    solution, *_ = np.linalg.lstsq(design, grid.reshape(n * n, c).numpy(), rcond=None)
    fitted = torch.from_numpy(design @ solution).view(n, n, c)
    scale = grid.abs().max().item()
    close(project(grid) / scale, fitted / scale)
    close(run(grid).projected / scale, fitted[range(n), range(n)] / scale)


@given(grids, st.integers(1, 100))
def test_streaming_equals_dense(grid, batch_size):
    n, scale = len(grid), grid.abs().max().item()
    result = run(grid, batch_size=batch_size)
    close(result.original, grid[range(n), range(n)], atol=0)
    for ours, dense in [
        (result.projected, project(grid)[range(n), range(n)]),
        (result.marginal_a, grid.mean(1)),
        (result.marginal_b, grid.mean(0)),
        (result.grand_mean, grid.mean((0, 1))),
    ]:
        close(ours / scale, dense / scale)


@given(grids)
def test_projection_is_idempotent_and_residual_sums_vanish(grid):
    scale = grid.abs().max().item()
    surface = project(grid)
    close(project(surface) / scale, surface / scale)
    close((grid - surface).sum(0) / scale, torch.zeros_like(grid[0]))
    close((grid - surface).sum(1) / scale, torch.zeros_like(grid[0]))


@given(grids.filter(lambda grid: len(grid) > 1))
def test_sums_of_squares_add_up_and_shares_sum_to_one(grid):
    result, surface, mean = run(grid), project(grid), grid.mean((0, 1))
    brute = {
        "a": (grid.mean(1, keepdim=True) - mean).expand_as(grid).square().sum((0, 1)),
        "b": (grid.mean(0, keepdim=True) - mean).expand_as(grid).square().sum((0, 1)),
        "interaction": (grid - surface).square().sum((0, 1)),
    }
    total = (grid - mean).square().sum((0, 1))
    close(sum(result.sums_of_squares.values()) / total, torch.ones_like(total))
    for name, part in brute.items():
        close(result.sums_of_squares[name] / total, part / total)
        assert 0 <= result.shares[name] <= 1
    assert abs(sum(result.shares.values()) - 1) < 1e-12
    separate = run(grid, outputs="separate").shares
    close([*separate.values()], [(part.sum() / total.sum()).item() for part in brute.values()])


def centred_shares(grid):
    """The definition: take off each pair's mean over the classes, then split the squared deviations."""
    grid = grid - grid.mean(2, keepdim=True)
    mean = grid.mean((0, 1))
    effects = ((grid.mean(axis, keepdim=True) - mean).expand_as(grid) for axis in (1, 0))
    parts = [part.square().sum().item() for part in (*effects, grid - project(grid))]
    return [part / sum(parts) for part in parts]


def shift_of_pairs(n, seed=7):
    return 5 * torch.randn(n, n, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(grids.filter(lambda grid: len(grid) > 1 and grid.shape[2] > 1), st.integers(1, 100))
def test_a_shift_that_no_prediction_sees_moves_no_share(grid, batch_size):
    grid, n = (grid - grid.mean()) / grid.std(), len(grid)  # so that the shift is five times as large as the scores
    shifted, wanted = run(grid + shift_of_pairs(n), batch_size=batch_size), centred_shares(grid)
    # a difference of sums of squares some 50 times as large: 2.2e-16 x 50 x 81 cells x 4 classes = 4e-12; 25 x that
    close([*run(grid, batch_size=batch_size).shares.values()], wanted)
    close([*shifted.shares.values()], wanted)
    close([*run(grid.log_softmax(2)).shares.values()], wanted)
    close(shifted.interaction_score, run(grid).interaction_score, atol=1e-9)
    close([*run(grid, shifts=n - 1).shares.values()] if n > 2 else wanted, wanted)


@pytest.mark.parametrize("outputs", [2, 3, 20])
def test_the_last_layer_and_the_split_head_give_centred_shares_too(outputs):
    torch.manual_seed(0)
    hidden, index = random_grid(20, 6), torch.arange(20)
    last = torch.nn.Linear(6, outputs).double()
    with torch.no_grad():
        wanted = centred_shares(last(hidden))
    close([*emap(lookup(hidden), index, index, last=last).shares.values()], wanted)
    head = Concat(torch.nn.Sequential(torch.nn.Linear(7, 6), torch.nn.ReLU(), last)).double().eval()
    a, b = torch.randn(20, 4, dtype=torch.float64), torch.randn(20, 3, dtype=torch.float64)
    split, pairs = (emap(head, a, b, strategy=strategy).shares for strategy in ("split", "pairs"))
    close([*split.values()], [*pairs.values()])


def test_an_additive_model_interacts_in_probabilities_only():
    grid = project(random_grid(12, 4))
    assert run(grid).shares["interaction"] < 1e-12
    assert run(grid.log_softmax(2)).shares["interaction"] < 1e-12
    assert run(grid.log_softmax(2), outputs="separate").shares["interaction"] > 0.001
    with pytest.warns(UserWarning, match="look like probabilities"):
        assert run(grid.softmax(2)).shares["interaction"] > 0.01


def test_classes_that_never_differ_have_no_shares():
    with pytest.raises(ValueError, match="all classes have the same score"):
        _ = run(random_grid(5, 1).expand(-1, -1, 3)).shares
    assert sum(run(random_grid(5, 1).expand(-1, -1, 3), outputs="separate").shares.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="outputs='labels'; expected 'classes' or 'separate'"):
        run(random_grid(5), outputs="labels")


def test_residual_mean_on_the_true_pairs_is_not_forced_to_zero():
    result = run(torch.eye(4, dtype=torch.float64))  # a model that only says whether the pair is a true one
    close(result.residual, torch.full((4, 1), 0.75))


@given(grids, st.randoms(use_true_random=False))
def test_permuting_examples_permutes_the_answer(grid, random):
    order = list(range(len(grid)))
    random.shuffle(order)
    scale = grid.abs().max().item()
    close(run(grid[order][:, order]).projected / scale, run(grid).projected[order] / scale)


@given(grids)
def test_swapping_the_modalities_swaps_the_marginals(grid):
    one, two = run(grid), run(grid.transpose(0, 1))
    scale = grid.abs().max().item()
    close(one.projected / scale, two.projected / scale)
    close(one.marginal_a / scale, two.marginal_b / scale)


def test_large_level_does_not_drown_small_shares():
    grid = random_grid(30)
    close([*run(grid + 1e7).shares.values()], [*run(grid).shares.values()], atol=1e-7)  # 1e7 costs 7 of 16 digits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_additive_head_has_no_interaction(dtype):
    torch.manual_seed(0)
    a, b = torch.randn(40, 6, dtype=dtype), torch.randn(40, 5, dtype=dtype)
    model = torch.nn.Linear(11, 4, dtype=dtype).eval()
    result = emap(lambda x, y: model(torch.cat([x, y], 1)), a, b)
    close(result.residual, torch.zeros(40, 4), atol=1e-6 if dtype == torch.float32 else 1e-12)
    assert result.shares["interaction"] < 1e-10
    assert result.score("accuracy", torch.randint(4, (40,))).gap.value == 0.0
    with pytest.warns(UserWarning, match="look like probabilities"):
        trap = emap(lambda x, y: model(torch.cat([x, y], 1)).softmax(1), a, b)
    assert trap.residual.abs().max() > 1e-3  # the same model, in probabilities, seems to interact
    shifted = emap(lambda x, y: model(torch.cat([x, y], 1)).log_softmax(1), a, b)  # by one number for each pair
    close(shifted.projected.argmax(1), result.projected.argmax(1), atol=0)
    assert shifted.shares["interaction"] < 1e-10  # a shift that no prediction sees


def test_logits_and_log_softmax_choose_the_same_class():
    grid = random_grid(12, 5)
    close(run(grid).projected.argmax(1), run(grid.log_softmax(2)).projected.argmax(1), atol=0)


def test_product_model_is_all_interaction():
    """f = a * b with both balanced: the marginals are 0, so everything is interaction."""
    a = torch.tensor([1.0, -1, 1, -1])
    result = emap(lambda x, y: x * y, a, a)
    assert result.shares == {"a": 0.0, "b": 0.0, "interaction": 1.0}
    close(result.projected, torch.zeros(4, 1))


def test_degree_two_svm_residual_has_its_closed_form():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 4)), rng.normal(size=(60, 3))
    x = np.concatenate([a, b], 1)
    svm = SVC(kernel="poly", degree=2, gamma=0.3, coef0=1.0).fit(x, (a[:, 0] * b[:, 0] > 0).astype(int))
    result = emap(lambda t, v: svm.decision_function(np.concatenate([t, v], 1)), a, b)
    # (g(t.t' + v.v') + c)^2: the only term that mixes t with v is 2 g^2 (t.t')(v.v')
    mixed = 2 * 0.3**2 * (a @ svm.support_vectors_[:, :4].T * svm.dual_coef_) @ (b @ svm.support_vectors_[:, 4:].T).T
    centred = mixed - mixed.mean(0) - mixed.mean(1, keepdims=True) + mixed.mean()
    close(result.residual[:, 0], np.diag(centred).copy())
    share = (centred**2).sum() / sum(part.sum().item() for part in result.sums_of_squares.values())
    assert result.shares["interaction"] == pytest.approx(share, rel=1e-9, abs=0)


def containers(x):
    yield "tensor", x, lambda part: part
    yield "array", x.numpy(), torch.from_numpy
    yield "list", list(x), torch.stack
    yield "dict", {"x": x, "ignored": [str(i) for i in range(len(x))]}, lambda part: part["x"]
    yield "tuple", (x.numpy(), x), lambda part: part[1]
    yield "nested", {"deep": (x, {"y": x})}, lambda part: part["deep"][1]["y"]


@pytest.mark.parametrize("kind", ["tensor", "array", "list", "dict", "tuple", "nested"])
def test_every_kind_of_input_gives_the_same_answer(kind):
    x, y = random_grid(7)[:, 0], random_grid(7, seed=1)[:, 0]
    a, unpack = next((made, unpack) for name, made, unpack in containers(x) if name == kind)
    expected = emap(lambda p, q: p * q, x, y).projected
    close(emap(lambda p, q: unpack(p) * q, a, y, batch_size=5).projected, expected)
    close(emap(lambda p, q: (unpack(q) * p).numpy(), y, a, batch_size=20).projected, expected)


def test_hugging_face_model_with_dict_inputs():
    from transformers import BatchEncoding, CLIPConfig, CLIPModel

    torch.manual_seed(0)
    tower = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 8,
    }
    model = CLIPModel(
        CLIPConfig(
            text_config=tower | {"vocab_size": 50},
            vision_config=tower | {"image_size": 16, "patch_size": 8},
            projection_dim=8,
        )
    ).eval()
    mask = torch.ones(5, 6, dtype=torch.long)
    mask[2, 4:] = 0
    text = BatchEncoding({"input_ids": torch.randint(1, 50, (5, 6)), "attention_mask": mask})
    pixels = torch.randn(5, 3, 16, 16)

    def similarity(batch, image):
        output = model(**batch, pixel_values=image)
        return output.logits_per_text.diagonal()

    with torch.no_grad():
        grid = model(**text, pixel_values=pixels).logits_per_text
    result = emap(similarity, text, {"pixel_values": pixels}["pixel_values"], batch_size=7)
    close(result.projected, project(grid).diagonal()[:, None], atol=1e-5 * grid.abs().max().item())  # float32 model
    with pytest.raises(TypeError, match=r"return its `\.logits`"):
        emap(lambda batch, image: model(**batch, pixel_values=image), text, pixels)


def test_one_example_is_its_own_projection():
    result = emap(lambda x, y: x * y, torch.tensor([2.0]), torch.tensor([3.0]))
    close(result.projected, [[6.0]])
    with pytest.raises(ValueError, match="same in every cell"):
        _ = result.shares


# --- refusals ---------------------------------------------------------------------------------------------------------------


def test_refuses_different_lengths():
    with pytest.raises(ValueError, match="a has 3 examples and b has 4"):
        emap(lambda x, y: x, torch.zeros(3), torch.zeros(4))


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (torch.zeros(0, 2), ValueError, "got 0 examples"),
        ([], ValueError, "got 0 examples"),
        (torch.tensor(1.0), ValueError, "got a scalar"),
        ("text", TypeError, "got str"),
        (7, TypeError, "got int"),
        ({"x": torch.zeros(3), "y": [1, 2]}, ValueError, "one common length"),
    ],
)
def test_refuses_inputs_it_cannot_read(a, error, message):
    with pytest.raises(error, match=message):
        emap(lambda x, y: y, a, torch.zeros(3))


class Adapter:
    def __init__(self, model):
        self.model = model

    def __call__(self, x, y):
        return self.model(x) * y

    def method(self, x, y):
        return self(x, y)


def test_refuses_train_mode_wherever_the_module_hides():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout())
    adapter, x = Adapter(model), torch.randn(4, 1)

    def closure(p, q):
        return model(p) * q

    default = lambda p, q, m=model: m(p) * q  # noqa: E731
    keyword = lambda p, q, *, m=model: m(p) * q  # noqa: E731
    hidden = [closure, adapter, adapter.method, functools.partial(lambda m, p, q: m(p) * q, model), default, keyword]
    for f in hidden:
        with pytest.raises(ValueError, match="Sequential is in train mode"):
            emap(f, x, x)
    model.eval()
    for f in hidden:
        emap(f, x, x)
    model[1].train()  # one part is enough
    with pytest.raises(ValueError, match="train mode"):
        emap(closure, x, x)


def test_refuses_outputs_that_change_unless_told_not_to_look():
    x = torch.randn(20, 3)
    noisy = lambda p, q: torch.nn.functional.dropout(p * q, 0.5)  # noqa: E731  (no module to find: only the repeat shows it)
    with pytest.raises(ValueError, match="twice in the same batch changed"):
        emap(noisy, x, x)
    emap(noisy, x, x, check=False)
    with pytest.raises(ValueError, match="in a batch and alone changed"):
        emap(lambda p, q: p * q - (p * q).mean(0), x, x)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("cell", [(2, 2), (1, 3)])
def test_refuses_non_finite_scores_and_names_the_pair(poison, cell):
    grid = random_grid(5)
    grid[cell][1] = poison
    with pytest.raises(ValueError, match=rf"first for a\[{cell[0]}\] with b\[{cell[1]}\]"):
        run(grid, batch_size=3)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x, y: (x + y).long(), TypeError, "torch.int64"),
        (lambda x, y: [1.0] * len(x), TypeError, "list"),
        (lambda x, y: x.sum(), ValueError, r"shape \(\) for"),
        (lambda x, y: x[:1], ValueError, "shape"),
        (lambda x, y: x[:, None, None], ValueError, "shape"),
        (lambda x, y: torch.zeros(len(x), 0), ValueError, "shape"),
        (lambda x, y: torch.zeros(len(x), len(x)), ValueError, "expected one number"),
    ],
)
def test_refuses_outputs_it_cannot_use(f, error, message):
    with pytest.raises(error, match=message):
        emap(f, torch.ones(5), torch.ones(5), batch_size=3)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "all"])
def test_refuses_batch_sizes(batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        run(WORKED, batch_size=batch_size)


def test_never_asks_for_more_pairs_than_the_batch_size():
    seen = []

    def f(i, j):
        seen.append(len(i))
        return (i * j).double()

    emap(f, torch.arange(10), torch.arange(10), batch_size=25, check=False)
    assert max(seen) <= 25
    assert sum(seen) == 10 * 10 + 10  # the grid once, and the true pairs once before it


def test_is_silent_about_logits_and_leaves_no_gradient():
    weight = torch.ones(3, requires_grad=True)
    x = torch.randn(4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = emap(lambda p, q: p * q * weight, x, x)
    assert not result.original.requires_grad


def test_score_and_frame():
    """Two classes decided by a XOR: the model is right everywhere, its additive part knows nothing."""
    a, b = torch.tensor([0.0, 0, 1, 1] * 5), torch.tensor([0.0, 1, 0, 1] * 5)
    y = a.int() ^ b.int()
    result = emap(lambda p, q: (2 * p - 1) * (2 * q - 1) * -1, a, b)
    scores = result.score("accuracy", y)
    assert scores.values == {"original": 1.0, "projected": 0.5, "marginal_a": 0.5, "marginal_b": 0.5, "constant": 0.5}
    low, high = scores.gap.interval
    assert low < scores.gap.value == 0.5 < high
    with pytest.warns(DeprecationWarning, match=r"gap\.interval"):
        assert scores.gap_interval == (low, high)
    assert [*scores.estimates()] == ["gap", *scores.values]
    # n = 20, p = 0.5: the standard error is 0.112, so a 95 % interval is 0.44 wide; a percentile bootstrap moves in steps of 1/20
    assert high - low == pytest.approx(2 * 1.96 * 0.1118, rel=0, abs=0.1)
    frame = result.per_example()
    assert list(frame) == ["example", "output", "original", "projected", "residual", "marginal_a", "marginal_b"]
    close(frame["residual"].to_numpy(copy=True), result.residual.flatten())
    with pytest.raises(ValueError, match="expected whole numbers from 0 to 1"):
        result.score("accuracy", y + 1)
    with pytest.raises(ValueError, match="got 3 labels for 20"):
        result.score("accuracy", y[:3])
    with pytest.raises(ValueError, match="got metric 'f7'"):
        result.score("f7", y)
    with pytest.raises(ValueError, match="expected finite"):
        result.score(lambda s, t: float("nan"), y)


@settings(max_examples=20)
@given(st.integers(2, 40), st.integers(0, 1000))
def test_score_of_an_additive_model_has_gap_zero_and_interval_zero(n, seed):
    generator = torch.Generator().manual_seed(seed)
    u, v = torch.randn(n, 3, generator=generator), torch.randn(n, 3, generator=generator)
    scores = emap(lambda p, q: p + q, u, v).score(
        "accuracy", torch.randint(3, (n,), generator=generator), resamples=100
    )
    assert (scores.gap.value, scores.gap.interval) == (0.0, (0.0, 0.0))


def test_former_keywords_and_fields_work_one_release_more():
    grid = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    with pytest.warns(DeprecationWarning, match=r"emap\(pairs=...\) is now shifts=..."):
        old = emap(lambda i, j: grid[i, j], torch.arange(6), torch.arange(6), pairs=3)
    new = emap(lambda i, j: grid[i, j], torch.arange(6), torch.arange(6), shifts=3)
    assert torch.equal(old.projected, new.projected)
    with pytest.warns(DeprecationWarning, match=r"Emap.passes is now n_evaluations"):
        assert old.passes == new.n_evaluations
