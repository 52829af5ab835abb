"""What the shorter ways save: linear ends, two towers, the closed form. Each is compared with the passes that it replaces."""

import pytest
import torch
from emap_baselines import bare_passes, one_pair_at_a_time
from emap_worlds import CLASSES, FEATURES, Tower, World, world
from torch import nn

from mmnb.instruments.emap import emap
from mmnb.instruments.emap.linear_ends import Concat
from mmnb.instruments.emap.two_tower import TwoTower
from mmnb.models.fusion import DotProduct, Film


def with_ends(w: World) -> Concat:
    """The same concat-MLP, offered in a form whose linear ends are recognised."""
    return Concat(w.f.layers).eval()


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_linear_ends_give_the_same_numbers(dtype, rtol, ratio):
    w = world("concat-mlp", 300)
    head, a, b = with_ends(w).to(dtype), w.a.to(dtype), w.b.to(dtype)
    exact = emap(head.double(), a.double(), b.double(), method="pairs", progress=False)
    short = emap(head.to(dtype), a, b, method="ends", progress=False)
    for name in ("original", "projected", "marginal_a", "marginal_b"):
        expected = getattr(exact, name)
        off = (getattr(short, name) - expected).abs().max() / expected.abs().max()
        ratio(f"linear ends, {str(dtype)[6:]}: relative error of {name}", off.item(), at_most=rtol)


def test_linear_ends_are_fast(fastest, ratio):
    w = world("concat-mlp", 1000)
    head = with_ends(w)
    seconds = fastest(
        3,
        bare=lambda: bare_passes(*w),
        ends=lambda: emap(head, w.a, w.b, method="ends", progress=False),
        means=lambda: emap(head, w.a, w.b, method="ends", shares=False, progress=False),
    )
    ratio("bare passes / linear ends without shares, N=1000", seconds["bare"] / seconds["means"], at_least=20)
    ratio(
        "bare passes / linear ends with shares, N=1000", seconds["bare"] / seconds["ends"]
    )  # squares need every output: no bound


def test_one_pair_at_a_time_against_linear_ends(fastest, ratio):
    w = world("concat-mlp", 300)
    head = with_ends(w)
    slow = fastest(1, slow=lambda: one_pair_at_a_time(*w))["slow"]
    ends = fastest(5, ends=lambda: emap(head, w.a, w.b, method="ends", progress=False))["ends"]
    ratio("one pair at a time / ours, linear ends, N=300", slow / ends, at_least=100)


def test_two_towers_against_all_pairs(fastest, ratio):
    """Convolutional encoders at N = 1000. Encoding 10^6 pairs takes minutes: 20 of the 1000 rows are timed, and the rest follows."""
    torch.manual_seed(0)
    n, rows = 1000, 20
    encode_a, encode_b = Tower().eval(), Tower().eval()
    head = nn.Sequential(nn.Linear(2 * FEATURES, 64), nn.ReLU(), nn.Linear(64, CLASSES)).eval()
    a, b = torch.randn(n, 3, 32, 32), torch.randn(n, 3, 32, 32)
    f = TwoTower.from_modules(encode_a, encode_b, head)

    def some_rows() -> None:
        with torch.no_grad():
            for i in range(rows):
                f(a[i : i + 1].expand(n, -1, -1, -1), b)

    seconds = fastest(2, rows=some_rows, towers=lambda: emap(f, a, b, progress=False))
    ratio("all pairs / two towers, convolutional, N=1000", seconds["rows"] * n / rows / seconds["towers"], at_least=20)


def test_closed_form_at_twenty_thousand(fastest, ratio):
    torch.manual_seed(0)
    n = 20_000
    a, b = torch.randn(n, FEATURES), torch.randn(n, FEATURES)
    same = nn.Identity().eval()
    joined = {
        "concat-linear": ("concat", nn.Linear(2 * FEATURES, CLASSES)),
        "product, then linear": ("multiply", nn.Linear(FEATURES, CLASSES)),
    }
    functions = {
        name: TwoTower.from_modules(same, same, head.eval(), join=join) for name, (join, head) in joined.items()
    }
    functions["dot product"] = TwoTower(same, same, DotProduct(FEATURES).eval())
    functions["FiLM, then linear"] = TwoTower(same, same, Film(FEATURES, CLASSES).eval())
    for name, f in functions.items():
        seconds = fastest(2, closed=lambda f=f: emap(f, a, b, method="closed", progress=False))
        ratio(f"closed form of {name}, N=20,000, CPU seconds", seconds["closed"], at_most=2)
