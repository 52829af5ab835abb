"""Flickr30k Entities end to end on three pictures in the real layout, with tiny random checkpoints of both public kinds."""

import numpy as np
import pytest
import torch
import transformers

from mmnb import DataUnavailable
from mmnb.instruments.ablation import language_for_vision, vision_for_language
from mmnb.lab.flickr_items import flickr_items
from mmnb.models import vl
from mmnb.models.pretrained import minilm

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
    options = {"mask_id": tokenizer.mask_token_id, "generator": torch.Generator().manual_seed(0), "global_index": 0}
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
