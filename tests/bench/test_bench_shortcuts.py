"""What the shorter strategies save: split heads, two towers, crossed heads. Each is compared with the passes that it replaces."""

import pytest
import torch
from emap_baselines import bare_passes, one_pair_at_a_time
from emap_worlds import CLASSES, FEATURES, Tower, World, world
from torch import nn

from mmnb.instruments.emap import Concat, TwoTower, emap
from mmnb.models.fusion import DotProduct, Multiplicative, SumOfLogits


def split(w: World) -> Concat:
    """The same concat-MLP, offered in a form whose first and last layer are recognised."""
    return Concat(w.f.layers).eval()


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_split_head_gives_the_same_numbers(dtype, rtol, ratio):
    w = world("concat-mlp", 300)
    head, a, b = split(w).to(dtype), w.a.to(dtype), w.b.to(dtype)
    exact = emap(head.double(), a.double(), b.double(), strategy="pairs", progress=False)
    short = emap(head.to(dtype), a, b, strategy="split", progress=False)
    for name in ("original", "projected", "marginal_a", "marginal_b"):
        expected = getattr(exact, name)
        off = (getattr(short, name) - expected).abs().max() / expected.abs().max()
        ratio(f"split head, {str(dtype)[6:]}: relative error of {name}", off.item(), at_most=rtol)


def test_a_split_head_is_fast(fastest, ratio):
    w = world("concat-mlp", 1000)
    head = split(w)
    seconds = fastest(
        3,
        bare=lambda: bare_passes(*w),
        ends=lambda: emap(head, w.a, w.b, strategy="split", progress=False),
        means=lambda: emap(head, w.a, w.b, strategy="split", shares=False, progress=False),
    )
    # measured 18 to 32: the bare passes alone take 4.4 to 7.8 s here, by where their memory lies
    ratio("bare passes / split head without shares, N=1000", seconds["bare"] / seconds["means"], at_least=10)
    ratio(
        "bare passes / split head with shares, N=1000", seconds["bare"] / seconds["ends"]
    )  # squares need every output: no bound


def test_one_pair_at_a_time_against_a_split_head(fastest, ratio):
    w = world("concat-mlp", 300)
    head = split(w)
    slow = fastest(1, slow=lambda: one_pair_at_a_time(*w))["slow"]
    ends = fastest(5, ends=lambda: emap(head, w.a, w.b, strategy="split", progress=False))["ends"]
    ratio("one pair at a time / ours, split head, N=300", slow / ends, at_least=50)  # measured 99 to 133


def test_two_towers_against_all_pairs(fastest, ratio):
    """Convolutional encoders at N = 1000. Encoding 10^6 pairs takes minutes: 20 of the 1000 rows are timed, and the rest follows."""
    torch.manual_seed(0)
    n, rows = 1000, 20
    encode_a, encode_b = Tower().eval(), Tower().eval()
    head = nn.Sequential(nn.Linear(2 * FEATURES, 64), nn.ReLU(), nn.Linear(64, CLASSES)).eval()
    a, b = torch.randn(n, 3, 32, 32), torch.randn(n, 3, 32, 32)
    f = TwoTower(encode_a, encode_b, Concat(head))

    def some_rows() -> None:
        with torch.no_grad():
            for i in range(rows):
                f(a[i : i + 1].expand(n, -1, -1, -1), b)

    seconds = fastest(2, rows=some_rows, towers=lambda: emap(f, a, b, progress=False))
    ratio("all pairs / two towers, convolutional, N=1000", seconds["rows"] * n / rows / seconds["towers"], at_least=20)


@pytest.mark.parametrize(
    "head", [SumOfLogits, Multiplicative, lambda d, c: DotProduct(d)], ids=["sum", "product", "dot"]
)
def test_crossed_heads(head, fastest, ratio, request):
    torch.manual_seed(0)
    n, head = 2000, head(FEATURES, CLASSES).eval()
    a, b = torch.randn(n, FEATURES), torch.randn(n, FEATURES)
    seconds = fastest(2, cross=lambda: emap(head, a, b, progress=False))
    ratio(f"crossed head, {request.node.callspec.id}, N=2,000, CPU seconds", seconds["cross"], at_most=5)
