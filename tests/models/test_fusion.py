"""The small models: what each head can and cannot do, known by construction."""

import pytest
import torch

from mmnb.instruments.emap import emap
from mmnb.models.encoders import BagOfTokens, Blind, ConvEncoder
from mmnb.models.fusion import (
    ConcatMLP,
    DotProduct,
    LateFusion,
    Multiplicative,
    OnlyA,
    OnlyB,
    SumOfLogits,
)

FEATURES, CLASSES, N = 6, 3, 25


def share(head):
    torch.manual_seed(1)
    return emap(head.double().eval(), torch.randn(N, FEATURES).double(), torch.randn(N, FEATURES).double()).shares


@pytest.mark.parametrize(("head", "silent"), [(OnlyA, "b"), (OnlyB, "a"), (SumOfLogits, None)])
def test_additive_heads_have_no_interaction(head, silent):
    torch.manual_seed(0)
    shares = share(head(FEATURES, CLASSES))
    assert shares["interaction"] < 1e-13  # a difference of sums of 1,875 squares: rounding, about 1e-15 of the total
    for side in "ab":
        assert (shares[side] < 1e-20) == (side == silent)


@pytest.mark.parametrize("head", [ConcatMLP, Multiplicative, lambda features, classes: DotProduct(features)])
def test_interactive_heads_interact(head):
    torch.manual_seed(0)
    assert share(head(FEATURES, CLASSES))["interaction"] > 0.02


def test_concat_mlp_is_one_layer_on_the_concatenation():
    torch.manual_seed(0)
    head = ConcatMLP(FEATURES, CLASSES, hidden=7).double()
    a, b = torch.randn(4, FEATURES).double(), torch.randn(4, FEATURES).double()
    weight = torch.cat([head.linear_a.weight, head.linear_b.weight], 1)
    hidden = torch.relu(torch.cat([a, b], 1) @ weight.T + head.linear_a.bias)
    torch.testing.assert_close(head(a, b), hidden @ head.out[1].weight.T + head.out[1].bias, rtol=0, atol=1e-14)


def test_dot_product_is_a_scaled_inner_product():
    head = DotProduct(2).double()
    with torch.no_grad():
        for layer in (head.linear_a, head.linear_b):
            layer.weight.copy_(torch.eye(2))
        head.log_scale.fill_(torch.log(torch.tensor(3.0)))
        head.bias.fill_(1)
    a, b = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[5.0, 7.0]]).double()
    torch.testing.assert_close(head(a, b), torch.tensor([[58.0]]).double(), rtol=1e-7, atol=0)  # log 3 is a float32


def test_late_fusion_encodes_each_item_once_and_pairs_them_as_told():
    torch.manual_seed(0)
    model = LateFusion(
        ConvEncoder(3, 16, FEATURES, width=2), BagOfTokens(9, FEATURES, 4), Multiplicative(FEATURES, CLASSES)
    ).eval()
    images, tokens = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8), torch.randint(1, 9, (2, 5))
    of_a, of_b = torch.tensor([2, 0, 0, 1]), torch.tensor([1, 1, 0, 0])
    seen = []
    model.encode_a.register_forward_hook(lambda *call: seen.append(len(call[2])))
    picked = model(images, tokens, of_a, of_b)
    assert seen == [3]
    torch.testing.assert_close(
        picked, model(images[of_a], tokens[of_b]), rtol=0, atol=1e-5
    )  # float32, other batch shapes


def test_bag_of_tokens_sees_words_but_not_their_order_or_the_padding():
    encoder = BagOfTokens(vocabulary=9, features=4).eval()
    one, other, shorter = encoder(torch.tensor([[1, 2, 3, 0], [3, 1, 2, 0], [1, 2, 0, 0]]))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert (one - shorter).abs().max() > 1e-3


def test_conv_encoder_refuses_sizes_it_cannot_halve_four_times():
    with pytest.raises(ValueError, match="size=28"):
        ConvEncoder(1, 28, 8)


def test_a_blind_encoder_tells_nothing_of_its_items():
    assert torch.equal(Blind(4)(torch.randint(0, 256, (3, 2, 2), dtype=torch.uint8)), torch.zeros(3, 4))
