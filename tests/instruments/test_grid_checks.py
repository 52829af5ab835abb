"""What a pass over the grid refuses or says about a model: answers that depend on the batch, probabilities, masks, tables of all pairs."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from torch import nn

from mmnb.instruments.emap import Concat, TwoTower, emap, emap_of_many, project

EMBEDDING = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0], [-2.0, 1.0]])


def encode(texts):
    """Mean over tokens with an unmasked pad token: the answer depends on the longest text of the batch."""
    tokens = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    for i, text in enumerate(texts):
        tokens[i, : len(text)] = torch.tensor(text)
    return EMBEDDING[tokens].mean(1)


LONGEST_FIRST = [[1, 2, 3, 1, 2, 3, 3, 3], [1], [2], [3]]
IMAGES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0]])
# the first, the last and the middle ones are as long as any: alone they answer as in any batch
HIDDEN = [[1, 2, 3] if i in (0, 6, 7, 8, 11) else [1 + i % 3] for i in range(12)]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("strategy", ["auto", "pairs"])
def test_an_encoder_that_depends_on_its_batch_is_refused_and_named(order, strategy):
    model, texts = TwoTower(encode, lambda v: v, lambda u, v: u * v), LONGEST_FIRST[::order]
    named = "by encode_a in a batch and alone" if strategy == "auto" else "same pair"
    with pytest.raises(ValueError, match=named):
        emap(model, texts, IMAGES, strategy=strategy)
    assert emap(model, texts, IMAGES, batch_size=1, strategy=strategy).shares["interaction"] == pytest.approx(
        0.392, abs=5e-4, rel=0
    )


@pytest.mark.parametrize("batch_size", [None, 1024, 8192, 40000])
def test_texts_sorted_by_length_do_not_hide_it(batch_size):
    generator = torch.Generator().manual_seed(0)
    texts = [torch.randint(1, 4, (12 - i * 12 // 200,), generator=generator).tolist() for i in range(200)]
    with pytest.raises(ValueError, match="mask the padding"):
        emap(lambda t, v: encode(t) * v, texts, torch.randn(200, 2, generator=generator), batch_size=batch_size)


def test_every_true_pair_is_met_a_second_time():
    f, b = (lambda t, v: encode(t) * v), torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="scored in two different batches changed"):
        emap(f, HIDDEN, b, batch_size=12)
    with pytest.raises(ValueError, match="the same tuple scored in two different batches changed"):
        emap_of_many(f, {"text": HIDDEN, "image": b}, batch_size=12)
    emap(f, HIDDEN, b, batch_size=12, check=False)


def test_noise_is_seen_on_a_high_level():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 40, generator=generator)
    with pytest.raises(ValueError, match="changed by"):
        emap(lambda x, y: 1e4 + x + y + torch.randn(len(x), generator=generator), a, b)
    emap(lambda x, y: 1e4 + x + y, a, b)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_of_half_precision_is_no_dropout(dtype):
    """Scores that round differently in every call, by up to 1 %, also where the model gives float32 in the end or runs under autocast."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3, dtype=dtype).eval()
    a, b = torch.randn(30, 4, dtype=dtype), torch.randn(30, 4, dtype=dtype)
    for f in (lambda x, y: layer(x + y), lambda x, y: layer(x + y).float()):
        emap(lambda x, y, f=f: (s := f(x, y)) * (1 + 0.01 * torch.rand(s.shape)).to(s), a, b)
    whole = nn.Linear(4, 3).eval()
    with torch.autocast("cpu", dtype=dtype):
        emap(lambda x, y: (s := whole(x + y).float()) * (1 + 0.01 * torch.rand(s.shape)), a.float(), b.float())
    with pytest.raises(ValueError, match="turn off dropout"):
        emap(lambda x, y: nn.functional.dropout(layer(x + y)), a, b)


@pytest.mark.parametrize("n", [6, 70])
def test_a_table_of_all_pairs_of_a_batch_is_named(n):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="every a with every b of the batch; take its diagonal"):
        emap(lambda a, b: a @ b.T, x, x, batch_size=32)


@pytest.mark.parametrize(
    "squash",
    [
        lambda z: z.sigmoid()[:, 0],
        lambda z: z.sigmoid(),
        lambda z: torch.cat([z, 1 - z], 1).softmax(1),
        lambda z: z.sigmoid().numpy(),
    ],
)
def test_probabilities_are_called_so(squash):
    a, b = torch.randn(2, 60, 1, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="look like probabilities"):
        emap(lambda x, y: squash(4 * (x + y)), a, b)


def test_a_mask_for_some_pairs_is_called_so_and_infinity_is_refused_with_its_output():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 40, 5, generator=generator)
    allowed = torch.rand(40, 5, generator=generator) > 0.6
    allowed[:, 0] = True

    def masked(value):
        return lambda i, j: (a[i] * b[j]).masked_fill(~allowed[j], value)

    index = torch.arange(40)
    for value in (-1e9, -65504.0, torch.finfo(torch.float32).min):
        with pytest.warns(UserWarning, match="a mask for what is impossible dominates"):
            emap(masked(value), index, index)
    with pytest.raises(ValueError, match=r"-inf in outputs \[1, 2, 3, 4\]: what is impossible has no mean"):
        emap(masked(-torch.inf), index, index)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emap(lambda i, j: 100 * a[i] * b[j] - 500, index, index)  # sums of log-probabilities are low, too


class Fusion(nn.Module):
    """Has the encoders of a dual encoder, and does more than compare them."""

    def __init__(self, outputs, table=False):
        super().__init__()
        self.image, self.text, self.head = nn.Linear(4, 3), nn.Linear(5, 3), nn.Linear(6, outputs)
        self.logit_scale, self.table = nn.Parameter(torch.tensor(1.0)), table

    def encode_image(self, x, normalize=False):
        return nn.functional.normalize(self.image(x.float()), dim=-1) if normalize else self.image(x.float())

    def encode_text(self, t):  # as OpenAI's clip: no option `normalize`
        return self.text(t.float())

    def forward(self, x, t):
        if self.table:
            return (
                self.logit_scale.exp()
                * self.encode_image(x, True)
                @ nn.functional.normalize(self.encode_text(t), dim=-1).T
            )
        return self.head(torch.cat([self.image(x), self.text(t.float())], 1).relu())


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_model_that_merely_has_encoders_is_run_as_it_runs(outputs):
    torch.manual_seed(0)
    model, x, t = Fusion(outputs).eval(), torch.randn(9, 4), torch.randint(50, (9, 5))
    found, direct = emap(model, x, t), emap(lambda a, b: model(a, b), x, t)
    assert torch.equal(found.original, direct.original) and found.shares == direct.shares
    assert torch.equal(emap(model, x, t, strategy="pairs").projected, direct.projected)
    dual = Fusion(1, table=True).eval()  # its forward is the table of all pairs: two towers, as OpenAI's clip
    with torch.no_grad():
        grid = dual(x, t)
    torch.testing.assert_close(emap(dual, x, t).projected[:, 0], project(grid).diagonal(), rtol=0, atol=1e-5)
    dual.forward = None
    with pytest.warns(UserWarning, match="cannot be called as"):
        emap(dual, x, t)


def test_a_module_takes_arrays_on_its_device_and_in_its_precision():
    torch.manual_seed(0)
    model, a, b = nn.Bilinear(4, 3, 2).eval(), np.random.randn(7, 4), np.random.randn(7, 3)
    expected = emap(model, torch.tensor(a).float(), torch.tensor(b).float())
    assert torch.equal(emap(model, a, b).projected, expected.projected)
    towers = TwoTower(nn.Linear(4, 2).eval(), nn.Linear(3, 2).eval(), lambda u, v: u * v)
    emap(towers, a, b)


@pytest.mark.parametrize("kind", [pd.DataFrame, scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_frames_and_sparse_matrices_arrive_as_such(kind):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    seen = set()

    def f(x, y):
        seen.add(type(x))
        x = x.to_numpy() if hasattr(x, "to_numpy") else x.toarray()
        return x * y

    found = emap(f, kind(a), b)
    assert torch.equal(found.projected, emap(lambda x, y: x * y, a, b).projected) and all(
        "tolist" not in dir(k) for k in seen
    )


def test_a_checkpoint_of_other_frames_or_sparse_rows_is_refused(tmp_path):
    a, b = np.random.default_rng(0).normal(size=(2, 6, 3))
    for kind in (pd.DataFrame, scipy.sparse.csr_array):
        f = lambda x, y: np.asarray(y)  # noqa: E731  (the scores do not tell the data apart)
        emap(f, kind(a), b, checkpoint=tmp_path / kind.__name__)
        with pytest.raises(ValueError, match="data was"):
            emap(f, kind(a[::-1]), b, checkpoint=tmp_path / kind.__name__)


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (torch.eye(3).to_sparse(), "torch.sparse_coo tensor"),
        (torch.eye(3, device="meta"), "tensor on meta"),
        (torch.utils.data.DataLoader([1, 2, 3]), "got DataLoader"),
        (None, "got NoneType"),
        (("a", "b", "c"), "got str; expected a tensor, an array, a DataFrame, a list of N examples"),
    ],
)
def test_other_inputs_are_refused(a, message):
    with pytest.raises(TypeError, match=message):
        emap(lambda x, y: y, a, torch.zeros(3))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda x: torch.ones(len(x), 1).to_sparse(), "sparse_coo"),
        (lambda x: np.array([None] * len(x)), "NoneType"),
        (lambda x: x * 1j, "complex"),
        (lambda x: np.array(["cat"] * len(x)), "expected real-valued scores, not class labels"),
    ],
)
def test_other_outputs_are_refused(output, message):
    with pytest.raises(TypeError, match=message):
        emap(lambda x, y: output(x), torch.ones(3), torch.ones(3))


@pytest.mark.parametrize("form", [np.longdouble, np.float16, object])
def test_outputs_of_other_precisions(form):
    a = np.arange(4.0)
    assert torch.equal(
        emap(lambda x, y: (x * y).astype(form), a, a).projected, emap(lambda x, y: x * y, a, a).projected
    )
    assert torch.equal(emap(lambda x, y: pd.Series(x * y), a, a).projected, emap(lambda x, y: x * y, a, a).projected)


def test_whole_numbers_of_numpy_are_whole_numbers():
    a = torch.arange(5.0)
    expected = emap(lambda x, y: x * y, a, a, batch_size=4)
    assert torch.equal(emap(lambda x, y: x * y, a, a, batch_size=np.int64(4)).projected, expected.projected)
    emap(lambda x, y: x * y, a, a, shifts=np.int64(2))
    for option in ("batch_size", "shifts"):
        with pytest.raises(ValueError, match=f"{option}: got True; expected a whole number"):
            emap(lambda x, y: x * y, a, a, **{option: True})
    with pytest.raises(TypeError, match="got list; expected a dict"):
        emap_of_many(lambda x, y: x * y, [a, a])


def test_concat_has_the_mode_of_its_body():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    model, a, b = Concat(net), torch.randn(6, 3), torch.randn(6, 2)
    with pytest.raises(ValueError, match="train mode"):
        emap(model, a, b)
    net.eval()
    emap(model, a, b)
    assert model.train().training and net.training and not model.eval().training


@pytest.mark.parametrize("level", [1e200, 1e308])
def test_scores_whose_squares_overflow_are_refused_not_nan(level):
    a, b = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="overflow"):
        emap(lambda x, y: level * torch.tanh(x * y), a, b).shares  # noqa: B018


class OnApple(torch.Tensor):
    """Stands for a tensor on Apple's device, which has no float64."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function == torch.Tensor.device.__get__:
            return torch.device("mps")
        with torch._C.DisableTorchFunctionSubclass():
            if function is torch.Tensor.cpu:
                return args[0].as_subclass(torch.Tensor)
        found = super().__torch_function__(function, types, args, kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            if isinstance(found, OnApple) and found.dtype == torch.float64:
                raise TypeError("MPS framework doesn't support float64")
        return found


class Multiplied:
    """A head that crosses."""

    def __call__(self, u, v):
        return (u * v).sum(1, keepdim=True)

    def cross(self, u, v):
        return (u @ v.T)[..., None]


@pytest.mark.parametrize("kind", ["pairs", "cross", "split", "towers", "last", "many"])
def test_nothing_is_made_float64_on_a_device_without_it(kind, monkeypatch):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    models = {
        "pairs": lambda u, v: net(torch.cat([u, v], 1)),
        "cross": Multiplied(),
        "split": Concat(net),
        "towers": TwoTower(torch.tanh, torch.tanh, Concat(net)),
        "last": lambda u, v: net[:-1](torch.cat([u, v], 1)),
    }
    a, b = torch.randn(2, 15, 3)

    def run(a, b):
        if kind == "many":
            return emap_of_many(models["pairs"], {"a": a, "b": b})
        return emap(models[kind], a, b, last=net[-1] if kind == "last" else None)

    expected, to = run(a, b), torch.Tensor.to
    with pytest.raises(TypeError, match="MPS framework"):
        a.as_subclass(OnApple).double()

    def to_apple(tensor, *args, **kwargs):
        if torch.device("mps") in args:
            return tensor.as_subclass(OnApple)
        return to(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", to_apple)
    found = run(a.as_subclass(OnApple), b.as_subclass(OnApple))
    assert torch.equal(found.projected, expected.projected) and type(found.projected) is torch.Tensor
