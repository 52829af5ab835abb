"""Two towers: every example is encoded once, and open_clip and transformers models need no adapter."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from mmnb.instruments.emap import TwoTower, emap, project
from mmnb.models.encoders import BagOfTokens, ConvEncoder
from mmnb.models.fusion import ConcatMLP, LateFusion, Multiplicative


def close(left, right, atol):
    torch.testing.assert_close(left, torch.as_tensor(right, dtype=torch.float64), rtol=0, atol=atol)


class Counting:
    """An encoder that counts the examples it sees."""

    def __init__(self, encode):
        self.encode, self.seen, self.largest = encode, 0, 0

    def __call__(self, batch):
        features = self.encode(batch)
        self.seen += len(batch)
        self.largest = max(self.largest, len(batch))
        return features


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10**6), st.sampled_from([None, 1, 4, 30]), st.sampled_from(["pairs", "auto"]))
def test_it_equals_the_dense_definition_and_encodes_each_example_once(n, seed, batch_size, strategy):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    encode_a, encode_b = Counting(torch.sin), Counting(lambda x: (x, x.exp()))
    f = TwoTower(encode_a, encode_b, lambda u, v: (u * v[0] + v[1]).tanh())
    grid = (a.sin()[:, None] * b[None] + b.exp()[None]).tanh()
    result = emap(f, a, b, batch_size=batch_size, strategy=strategy, check=False)
    close(result.projected, project(grid)[range(n), range(n)], 1e-12)
    if strategy == "auto":
        assert encode_a.largest <= (batch_size or 10**6)
        # once, and two batches of pairs that compare the short way with f itself
        assert encode_a.seen == encode_b.seen == n + 2 * min(n, 32, batch_size or 64)


def test_late_fusion_offers_its_towers():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    tokens = torch.randint(1, 9, (20, 5))
    for head in (ConcatMLP(6, 3), Multiplicative(6, 3)):
        model = LateFusion(ConvEncoder(3, 16, 6, width=2), BagOfTokens(9, 6, 4), head).eval()
        seen = []
        handle = model.encode_a.register_forward_hook(lambda *call, seen=seen: seen.append(len(call[2])))
        fast = emap(model, images, tokens)
        assert sum(seen) == (20 + 5) + (2 * 20 + 25) + (20 + 5)  # the encodings, the comparison, the check
        handle.remove()
        plain = emap(model, images, tokens, strategy="pairs")
        for name in ("original", "projected", "marginal_a", "marginal_b", "grand_mean"):
            scale = getattr(plain, name).abs().max().item()
            close(getattr(fast, name), getattr(plain, name), 1e-5 * scale)  # float32
        assert fast.shares == pytest.approx(plain.shares, rel=0, abs=1e-5)


def small_open_clip(bias):
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    return CLIP(
        8,
        CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=16),
        CLIPTextCfg(context_length=6, vocab_size=50, width=16, heads=2, layers=1),
        init_logit_bias=bias,
    ).eval()


@pytest.mark.parametrize("bias", [None, -2.0])
def test_an_open_clip_model_works_as_it_is(bias):
    torch.manual_seed(0)
    model = small_open_clip(bias)
    images, tokens = torch.randn(9, 3, 16, 16), torch.randint(1, 50, (9, 6))
    with torch.no_grad():
        grid = model.get_logits(images, tokens)[0]
    result = emap(model, images, tokens)
    close(result.projected[:, 0], project(grid).diagonal(), 1e-5 * grid.abs().max().item())
    swapped = emap(model, tokens, images, strategy="pairs")
    close(swapped.projected[:, 0], project(grid).diagonal(), 1e-5 * grid.abs().max().item())
    with pytest.raises(ValueError, match="CLIP is in train mode"):
        emap(model.train(), images, tokens)


TOWER = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def small_clip():
    from transformers import CLIPConfig, CLIPModel

    text, vision = (
        TOWER | {"vocab_size": 50, "projection_dim": 8},
        TOWER | {"image_size": 16, "patch_size": 8, "projection_dim": 8},
    )
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))


def small_siglip():
    from transformers import SiglipConfig, SiglipModel

    text = TOWER | {"vocab_size": 50, "max_position_embeddings": 6, "projection_size": 16}
    return SiglipModel(SiglipConfig(text_config=text, vision_config=TOWER | {"image_size": 16, "patch_size": 8}))


@pytest.mark.parametrize("make", [small_clip, small_siglip])
def test_a_dual_encoder_of_transformers_works_as_it_is(make):
    torch.manual_seed(0)
    model = make().eval()
    text = {"input_ids": torch.randint(1, 50, (8, 6)), "attention_mask": torch.ones(8, 6, dtype=torch.long)}
    pixels = torch.randn(8, 3, 16, 16)
    with torch.no_grad():
        grid = model(**text, pixel_values=pixels).logits_per_text
    for images in ({"pixel_values": pixels}, pixels):
        result = emap(model, text, images)
        scale = grid.abs().max().item()
        close(result.original[:, 0], grid.diagonal(), 1e-5 * scale)
        close(result.projected[:, 0], project(grid).diagonal(), 1e-5 * scale)


def small_aimv2():
    from transformers import Aimv2Config, Aimv2Model

    text = TOWER | {"vocab_size": 50, "max_position_embeddings": 6, "eos_token_id": 49}
    vision = TOWER | {"image_size": 16, "patch_size": 8}
    return Aimv2Model(Aimv2Config(text_config=text, vision_config=vision, projection_dim=8))


def test_a_clamped_temperature_is_clamped():
    torch.manual_seed(0)
    model = small_aimv2().eval()
    torch.nn.init.constant_(model.logit_scale, 6.0)  # above log(100)
    text, pixels = torch.randint(1, 49, (8, 6)), torch.randn(8, 3, 16, 16)
    text[:, -1] = 49
    with torch.no_grad():
        diagonal = model(input_ids=text, pixel_values=pixels).logits_per_text.diagonal()
    close(emap(model, text, pixels).original[:, 0], diagonal, 1e-5 * diagonal.abs().max().item())


def test_an_open_clip_model_takes_arrays_and_lists_of_preprocessed_images_and_says_so():
    torch.manual_seed(0)
    model, images, tokens = small_open_clip(None), torch.randn(9, 3, 16, 16), torch.randint(1, 50, (9, 6))
    expected = emap(model, images, tokens).projected
    for same in (list(images), images.numpy(), images.double().numpy(), [one.numpy() for one in images]):
        assert torch.equal(emap(model, same, tokens.numpy()).projected, expected)
    raw = (images.clamp(0, 1) * 255).byte()
    pictures = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in raw]
    for other, got in (
        (["a cat"] * 9, "a list of str"),
        (pictures, "a list of Image"),
        ({"image": images}, "got dict"),
        (raw, "uint8"),
    ):
        with pytest.raises(TypeError, match=rf"{got}.* expected what it is given in use: preprocessed images"):
            emap(model, other, tokens)


def test_refusals():
    x = torch.randn(4, 3)
    with pytest.raises(TypeError, match="encode_b is int"):
        TwoTower(torch.sin, 3, torch.add)
    with pytest.raises(TypeError, match="expected a dual encoder"):
        TwoTower.from_hugging_face(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="encode_b returned 3 rows for 4 examples"):
        emap(TwoTower(torch.sin, lambda v: v[:3], torch.add), x, x)
    with pytest.raises(ValueError, match="Dropout is in train mode"):
        emap(TwoTower(nn.Dropout(), torch.sin, torch.add), x, x)
    noise = torch.Generator().manual_seed(0)
    noisy = TwoTower(lambda u: u + torch.randn(u.shape, generator=noise), torch.sin, torch.maximum)
    for check, message in ((True, "scored by encode_a in a batch and alone"), (False, "does more than its parts")):
        with pytest.raises(ValueError, match=message):
            emap(noisy, x, x, check=check)
