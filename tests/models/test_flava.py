"""FLAVA as a model of words and patches: the numbers of its own class, patches in their places, mask tokens, tiny checkpoints from disk."""

import pytest
import torch
import transformers
from PIL import Image

from mmnb import DataUnavailable
from mmnb.instruments.ablation import Inputs, language_for_vision, vision_for_language
from mmnb.models import flava

SIDE, PATCH, WORDS, CODES = 4, 8, 60, 40


def save_tiny(folder, **changes):
    """A tiny random checkpoint on the disk: pictures of 32 × 32, 4 × 4 patches, 40 entries in the codebook."""
    common = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    config = transformers.FlavaConfig(
        image_config=common | {"image_size": 32, "patch_size": PATCH, "vocab_size": CODES, "mask_token": True},
        text_config=common | {"vocab_size": changes.get("words", WORDS), "max_position_embeddings": 40},
        multimodal_config=common,
        image_codebook_config={"vocab_size": CODES, "hidden_size": 8},
        hidden_size=16,
        projection_dim=8,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    transformers.FlavaForPreTraining(config).save_pretrained(folder)
    square = {"height": SIDE * PATCH, "width": SIDE * PATCH}
    sizes = {"size": square, "crop_size": square, "codebook_size": square, "codebook_crop_size": square}
    transformers.FlavaImageProcessor(**sizes | changes.get("sizes", {})).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return flava.load(save_tiny(tmp_path_factory.mktemp("flava")))


@pytest.fixture(scope="module")
def given(model):
    """Two pictures, two captions of unequal length, and two patches hidden."""
    draw = torch.Generator().manual_seed(1)
    noise = (torch.rand(2, 40, 60, 3, generator=draw) * 255).byte().numpy()
    feature, codes = model.prepare([Image.fromarray(picture) for picture in noise])
    tokens, seen = torch.randint(4, WORDS, (2, 6), generator=draw), torch.ones(2, 6, dtype=torch.bool)
    tokens[1, 4:], seen[1, 4:] = 0, False
    mask = torch.ones(2, SIDE**2, dtype=torch.bool)
    mask[0, 3] = mask[1, 7] = False
    return Inputs(tokens, seen, feature, model.box.expand(2, -1, -1), mask), codes, noise


def test_the_logits_are_those_of_its_own_class(model, given):
    inputs, _, noise = given
    ready = model.image_processor([Image.fromarray(picture) for picture in noise], return_tensors="pt")
    with torch.no_grad():
        theirs = model.model(
            input_ids=inputs.tokens,
            input_ids_masked=inputs.tokens,
            attention_mask=inputs.token_mask.float(),
            pixel_values=ready["pixel_values"],
            bool_masked_pos=~inputs.region_mask,
            return_loss=False,
        )
    words, regions = model(*inputs)
    assert words.shape == (2, 6, WORDS) and regions.shape == (2, SIDE**2, CODES)
    torch.testing.assert_close(words, theirs.mmm_text_logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(regions, theirs.mmm_image_logits, rtol=0, atol=1e-5)


def test_codes_and_patches_stand_where_their_boxes_say(model):
    """One white cell in a black picture: only the patch with that box is bright, and only codes near it differ."""
    for number in (0, 6, 13):
        left, top, right, bottom = (model.box[number] * SIDE * PATCH).int().tolist()
        picture = Image.new("RGB", (SIDE * PATCH, SIDE * PATCH))
        picture.paste((255, 255, 255), (left, top, right, bottom))
        feature, codes = model.prepare([picture])
        assert feature[0].mean(1).argmax().item() == number
        assert len(feature[0].mean(1).unique()) == 2 and codes.shape == (1, SIDE**2) and codes.max() < CODES
    with torch.no_grad():
        ready = model.image_processor([picture], return_codebook_pixels=True, return_tensors="pt")
        logits = model.model.image_codebook(ready["codebook_pixel_values"])
        assert torch.equal(logits.argmax(1).flatten(1), codes)


def test_a_hidden_patch_tells_nothing_and_a_hidden_word_neither(model, given):
    inputs, *_ = given
    other = inputs.feature.clone()
    other[0, 3] += 5
    a, b = model(*inputs), model(*inputs._replace(feature=other))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    shown = inputs._replace(region_mask=inputs.region_mask | True)
    assert (model(*shown)[0][0] - a[0][0]).abs().max() > 1e-4  # but the mask token is not the patch
    padded = inputs.tokens.clone()
    padded[1, 5] = 7
    torch.testing.assert_close(model(*inputs._replace(tokens=padded))[1][1], a[1][1], rtol=0, atol=1e-5)


def test_both_directions(model, given):
    inputs, codes, _ = given
    inputs = inputs._replace(region_mask=inputs.region_mask | True)
    phrase, aligned = torch.zeros(2, 6, dtype=torch.bool), torch.zeros(2, SIDE**2, dtype=torch.bool)
    phrase[:, 1:3], aligned[:, 5:7] = True, True
    target, label = torch.tensor([5, 6]), model.one_hot(codes[torch.arange(2), torch.tensor([5, 6])])
    options = {"mask_id": 3, "replacement": "drop"}
    words = vision_for_language(model, inputs, phrase, aligned, **options)
    back = language_for_vision(model, inputs, phrase, aligned, target, label, special=[0, 1, 2, 3], **options)
    for bits in (words, back):
        assert all(b.shape == (2,) and (b > 0).all() for b in bits.values()) and not torch.equal(bits["none"], bits["all"])  # fmt: skip
    hidden = inputs._replace(region_mask=~aligned)
    at = model(*hidden)[1][torch.arange(2), target].double()
    wanted = torch.nn.functional.cross_entropy(at, label.argmax(1), reduction="none") / torch.log(torch.tensor(2.0))
    torch.testing.assert_close(back["none"], wanted.double(), rtol=0, atol=1e-6)  # FLAVA's own loss, in bits


def test_what_is_refused(model, given, tmp_path):
    inputs, *_ = given
    with pytest.raises(ValueError, match="order of grid_boxes"):
        model(*inputs._replace(box=inputs.box.flip(1)))
    with pytest.raises(TypeError, match="PIL"):
        model.prepare([torch.zeros(3, 8, 8)])
    with pytest.raises(ValueError, match="at least one"):
        model.prepare([])
    with pytest.raises(DataUnavailable, match="hf download"):
        flava.load(tmp_path / "nothing")
    (tmp_path / "bert").mkdir()
    transformers.BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match="'bert'"):
        flava.load(tmp_path / "bert")
    with pytest.raises(ValueError, match="without cropping"):
        flava.load(save_tiny(tmp_path / "crop", sizes={"size": {"height": 48, "width": 48}}))
    transformers.FlavaModel.from_pretrained(save_tiny(tmp_path / "bare")).save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match="lacks weights"):
        flava.load(tmp_path / "bare")
