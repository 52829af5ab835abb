"""Flickr30k Entities end to end on three pictures in the real layout, with tiny random checkpoints of both public kinds."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from mmnb import DataUnavailable
from mmnb.instruments.ablation import language_for_vision, vision_for_language
from mmnb.models import flava, vl
from mmnb.models.pretrained import minilm
from mmnb.recipes.flickr.items import flickr_items, without_background
from mmnb.recipes.flickr.patches import covered, patch_bits, patch_items

LINES = {"1": "[/EN#4/people A girl] holds [/EN#5/other a trampoline] .", "2": "[/EN#7/clothing A red hat] .", "3": "[/EN#0/notvisual It] rains ."}  # fmt: skip
BOXES = {"1": {"4": (0, 0, 50, 100), "5": (50, 0, 100, 100)}, "2": {"7": (10, 10, 40, 40)}, "3": {}}


@pytest.fixture
def folder(tmp_path):
    for name in ("Sentences", "Annotations", "regions"):
        (tmp_path / name).mkdir()
    draw = np.random.default_rng(0)
    for number, line in LINES.items():
        (tmp_path / "Sentences" / f"{number}.txt").write_text(line + "\n", encoding="utf-8")
        things = "".join(f"<object><name>{k}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>" for k, (a, b, c, d) in BOXES[number].items())  # fmt: skip
        (tmp_path / "Annotations" / f"{number}.xml").write_text(f"<annotation><size><width>100</width><height>100</height></size>{things}</annotation>", encoding="utf-8")  # fmt: skip
        boxes = np.array([[0, 0, 100, 100], [0, 0, 50, 100], [60, 0, 100, 100], [10, 10, 20, 20]])
        np.savez(tmp_path / "regions" / f"{number}.npz", features=draw.normal(size=(4, 7)).astype(np.float32), boxes=boxes, img_w=100, img_h=100, cls_prob=np.full((4, 9), 1 / 9, np.float32))  # fmt: skip
    (tmp_path / "val.txt").write_text("1\n2\n3\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def tokenizer():
    return minilm(pretrained=False).tokenizer


def test_items_are_the_phrases_with_a_box(folder, tokenizer):
    found = flickr_items(tokenizer, folder)
    assert len(found) == 3 and found.scene.tolist() == [0, 0, 1]
    said = [tokenizer.decode(found.inputs.tokens[i][found.phrase[i]]) for i in range(3)]
    assert said == ["a girl", "a trampoline", "a red hat"]
    assert found.aligned.tolist() == [[False, True, True, False, False], [False, True, False, True, False], [False, True, True, False, False]]  # fmt: skip
    assert found.label.shape == (3, 9) and len(flickr_items(tokenizer, folder, most=1)) == 1
    torch.testing.assert_close(found.inputs.feature[:, 0], found.inputs.feature[:, 1:].mean(1), rtol=0, atol=1e-6)


def test_both_directions_with_tiny_checkpoints(folder, tokenizer, tmp_path):
    found, common = flickr_items(tokenizer, folder), {"vocab_size": tokenizer.vocab_size, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}  # fmt: skip
    torch.manual_seed(0)
    one = transformers.VisualBertForPreTraining(transformers.VisualBertConfig(**common, num_hidden_layers=1, visual_embedding_dim=7))  # fmt: skip
    two = transformers.LxmertForPreTraining(transformers.LxmertConfig(**common, l_layers=1, r_layers=1, x_layers=1, visual_feat_dim=7, num_object_labels=9))  # fmt: skip
    parts = found.inputs, found.phrase, found.aligned
    options = {"mask_id": tokenizer.mask_token_id, "global_index": 0}
    for name, backbone in (("one", one), ("two", two)):
        backbone.save_pretrained(tmp_path / name)
        model = vl.load(tmp_path / name)

        def predict(*given, model=model):
            out = model(*given)
            return out.words, out.regions if model.kind == "lxmert" else None

        bits = vision_for_language(predict, *parts, mean=found.mean, **options)
        assert all(b.shape == (3,) and b.isfinite().all() for b in bits.values())
    back = language_for_vision(predict, *parts, found.target, found.label, special=tokenizer.all_special_ids, **options)
    assert all(b.shape == (3,) and (b >= 0).all() for b in back.values())


def test_a_phrase_behind_the_limit_and_missing_features_are_errors(folder, tokenizer):
    with pytest.raises(ValueError, match="cut after 5"):
        flickr_items(tokenizer, folder, limit=5)
    with pytest.raises(DataUnavailable, match="missing"):
        flickr_items(tokenizer, folder, split="test")
    (folder / "regions").rename(folder / "elsewhere")
    with pytest.raises(DataUnavailable, match=r"regions\.h5"):
        flickr_items(tokenizer, folder)


# patches
@pytest.fixture
def with_pictures(folder):
    """The same three pictures as JPEG files, 100 × 100, the hat in red."""
    (folder / "flickr30k-images").mkdir()
    for number in LINES:
        picture = Image.new("RGB", (100, 100), (90, 90, 90))
        picture.paste((220, 20, 20), (10, 10, 40, 40))
        picture.save(folder / "flickr30k-images" / f"{number}.jpg")
    return folder


def tiny_flava(folder, words):
    common = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    config = transformers.FlavaConfig(
        image_config=common | {"image_size": 32, "patch_size": 8, "vocab_size": 40, "mask_token": True},
        text_config=common | {"vocab_size": words, "max_position_embeddings": 40},
        multimodal_config=common,
        image_codebook_config={"vocab_size": 40, "hidden_size": 8},
        hidden_size=16,
        projection_dim=8,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    transformers.FlavaForPreTraining(config).save_pretrained(folder)
    square = {"height": 32, "width": 32}
    transformers.FlavaImageProcessor(size=square, crop_size=square, codebook_size=square, codebook_crop_size=square).save_pretrained(folder)  # fmt: skip
    return flava.load(folder)


def test_patches_that_show_a_phrase():
    grid = flava.grid_boxes(4)
    left_half = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
    show, best = covered(grid, left_half)
    assert show.view(4, 4).tolist() == [[True, True, False, False]] * 4
    assert best in (4, 5, 8, 9)  # covered whole, nearest to the middle
    tiny = torch.tensor([[0.8, 0.8, 0.85, 0.85]])  # a twenty-fifth of one patch: still shown by it alone
    show, best = covered(grid, tiny)
    assert show.nonzero().flatten().tolist() == [15] and best == 15
    half, _ = covered(grid, torch.tensor([[0.0, 0.0, 0.125, 1.0]]))
    assert half.sum() == 1  # half of each of four patches is not more than half; the best stays
    either, _ = covered(grid, torch.cat([left_half, torch.tensor([[0.75, 0.75, 1.0, 1.0]])]))
    assert either.sum() == 9


def test_flava_on_three_pictures_in_both_directions(with_pictures, tokenizer, tmp_path):
    model = tiny_flava(tmp_path / "flava", tokenizer.vocab_size)
    parts = list(patch_items(model, tokenizer, with_pictures, pictures=1))
    assert [len(part) for part in parts] == [2, 1]
    whole = next(patch_items(model, tokenizer, with_pictures))
    assert len(whole) == 3 and whole.scene.tolist() == [0, 0, 1]
    assert sum(len(part) for part in patch_items(model, tokenizer, with_pictures, most=1)) == 1
    said = [tokenizer.decode(whole.inputs.tokens[i][whole.phrase[i]]) for i in range(3)]
    assert said == ["a girl", "a trampoline", "a red hat"]
    assert whole.aligned.view(3, 4, 4)[:2].tolist() == [[[True, True, False, False]] * 4, [[False, False, True, True]] * 4]  # fmt: skip
    red = whole.inputs.feature[2].view(16, 3, 64).mean(2)
    redness = red[:, 0] - red[:, 1]
    assert redness[whole.target[2]] > 0.9 * redness.max() > 0.5 > redness.median()  # boxes and pixels have one frame
    one, three = (patch_bits(model, tokenizer, with_pictures, generator=torch.Generator().manual_seed(0), pictures=k) for k in (1, 16))  # fmt: skip
    options = {"mask_id": tokenizer.mask_token_id, "replacement": "drop"}
    words = vision_for_language(model, whole.inputs, whole.phrase, whole.aligned, **options)
    back = language_for_vision(model, whole.inputs, whole.phrase, whole.aligned, whole.target, whole.label, special=tokenizer.all_special_ids, **options)  # fmt: skip
    for side, direct in (("words", words), ("regions", back)):
        assert set(one[side]) == {"none", "aligned", "random", "all"}
        for condition in ("none", "aligned", "all"):
            torch.testing.assert_close(three[side][condition], direct[condition], rtol=0, atol=1e-5)
            torch.testing.assert_close(one[side][condition], direct[condition], rtol=0, atol=1e-5)
            assert direct[condition].shape == (3,) and direct[condition].isfinite().all()


def test_missing_pictures_and_a_phrase_behind_the_limit(with_pictures, tokenizer, tmp_path):
    model = tiny_flava(tmp_path / "flava", tokenizer.vocab_size)
    with pytest.raises(ValueError, match="cut after 5"):
        list(patch_items(model, tokenizer, with_pictures, limit=5))
    (with_pictures / "flickr30k-images" / "2.jpg").unlink()
    with pytest.raises(DataUnavailable, match=r"1 of 3 pictures .* 2\.jpg"):
        list(patch_items(model, tokenizer, with_pictures))


# classes
def test_classes_without_background():
    label = torch.tensor([[0.5, 0.1, 0.4]])
    torch.testing.assert_close(without_background(label, 2), torch.tensor([[0.2, 0.8]]))
    assert torch.equal(without_background(label, 3), label)
    with pytest.raises(ValueError, match="4 classes"):
        without_background(label, 4)
    with pytest.raises(ValueError, match="background alone"):
        without_background(torch.tensor([[1.0, 0.0]]), 1)
