"""Grounding of public checkpoints on three pictures in the real layout (H5 and NPZ), with tiny random checkpoints of both kinds."""

import numpy as np
import pytest
import torch
import transformers

from mmnb import DataUnavailable
from mmnb.models import vl
from mmnb.models.pretrained import minilm
from mmnb.models.vl_attention import maps
from mmnb.recipes.flickr import grounding as fg

LINES = {"1": "[/EN#4/people A girl] holds [/EN#5/other a trampoline] .", "2": "[/EN#7/clothing A red hat] .", "3": "[/EN#0/notvisual It] rains on [/EN#9/other a roof] ."}  # fmt: skip
GOLD = {"1": {"4": [(0, 0, 50, 100)], "5": [(50, 0, 100, 100), (0, 0, 100, 100)]}, "2": {"7": [(10, 10, 40, 40)]}, "3": {"9": [(0, 0, 100, 50)]}}  # fmt: skip
BOXES = np.array(
    [[0, 0, 100, 100], [0, 0, 49, 100], [60, 0, 100, 100], [10, 10, 40, 26]]
)  # the last: IoU .53 with the hat


def arrays(draw, boxes):
    n = len(boxes)
    return {"features": draw.normal(size=(n, 7)).astype(np.float32), "boxes": boxes.astype(np.float32), "img_w": 100, "img_h": 100, "obj_conf": np.linspace(0.9, 0.1, n).astype(np.float32), "obj_id": np.arange(n)}  # fmt: skip


@pytest.fixture(params=["h5", "npz"])
def folder(request, tmp_path):
    for name in ("Sentences", "Annotations"):
        (tmp_path / name).mkdir()
    draw, regions = np.random.default_rng(0), {}
    for number, line in LINES.items():
        (tmp_path / "Sentences" / f"{number}.txt").write_text(line + "\n", encoding="utf-8")
        things = "".join(f"<object><name>{k}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>" for k, boxes in GOLD[number].items() for a, b, c, d in boxes)  # fmt: skip
        (tmp_path / "Annotations" / f"{number}.xml").write_text(f"<annotation><size><width>100</width><height>100</height></size>{things}</annotation>", encoding="utf-8")  # fmt: skip
        regions[number] = arrays(draw, BOXES if number != "3" else BOXES[1:3])
    (tmp_path / "val.txt").write_text("1\n2\n3\n", encoding="utf-8")
    if request.param == "h5":
        h5py = pytest.importorskip("h5py", reason="h5py is not installed")
        with h5py.File(tmp_path / "regions.h5", "w") as made:
            for number, own in regions.items():
                for name, value in own.items():
                    made[f"{number}/{name}"] = value
    else:
        (tmp_path / "regions").mkdir()
        for number, own in regions.items():
            np.savez(tmp_path / "regions" / f"{number}.npz", **own)
    return tmp_path


@pytest.fixture(scope="module")
def tokenizer():
    return minilm(pretrained=False).tokenizer


@pytest.fixture
def checkpoints(tmp_path, tokenizer):
    common = {"vocab_size": tokenizer.vocab_size, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    one = transformers.VisualBertForPreTraining(transformers.VisualBertConfig(**common, num_hidden_layers=3, visual_embedding_dim=7))  # fmt: skip
    two = transformers.LxmertForPreTraining(transformers.LxmertConfig(**common, l_layers=1, r_layers=1, x_layers=2, visual_feat_dim=7, num_object_labels=9))  # fmt: skip
    for name, backbone in (("one", one), ("two", two)):
        backbone.save_pretrained(tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def test_every_phrase_with_a_gold_box_and_the_regions_that_match_it(folder, tokenizer):
    own = fg.phrases(tokenizer, folder)
    assert own.picture.tolist() == [0, 0, 1, 2]  # “It” has no box; the roof has one, though no region matches it
    words = [tokenizer.convert_ids_to_tokens(int(own.inputs.tokens[i, own.query[i]])) for i in range(4)]
    assert words[0] == "girl" and words[2] == "hat" and words[3] == "roof"
    assert tokenizer.tokenize("trampoline")[-1] == words[1] and len(tokenizer.tokenize("trampoline")) > 1
    assert own.match.tolist() == [
        [True, True, False, False],  # half the picture: IoU .5 with all of it, .98 with its own half
        [True, False, True, False],  # two gold boxes: any counts
        [False, False, False, True],
        [False, False, False, False],
    ]
    assert own.inputs.region_mask.sum(1).tolist() == [4, 4, 4, 2]
    assert len(fg.phrases(tokenizer, folder, most=1)) == 1


def test_baselines_by_hand(folder, tokenizer):
    found = fg.baselines(fg.phrases(tokenizer, folder))
    assert found["at random"] == pytest.approx((2 / 4 + 2 / 4 + 1 / 4 + 0) / 4, abs=1e-12)
    assert found["most confident box"] == pytest.approx(2 / 4, abs=1e-12)  # region 0 everywhere
    assert found["ceiling"] == pytest.approx(3 / 4, abs=1e-12)


def test_heads_of_both_kinds_against_their_maps(folder, tokenizer, checkpoints):
    own = fg.phrases(tokenizer, folder)
    found = fg.heads(checkpoints[0], own, visual_type=0)
    assert found.accuracy.shape == (3, 2) and fg.heads(checkpoints[1], own).accuracy.shape == (2, 2)
    attention, length = maps(vl.load(checkpoints[0], visual_type=0), *own.inputs), own.inputs.tokens.shape[1]
    for layer in range(3):
        for head in range(2):
            hits = 0
            for i in range(4):
                row = attention[i, layer, head, own.query[i], length:][own.inputs.region_mask[i]]
                hits += bool(own.match[i, int(row.argmax())])
            assert found.accuracy[layer, head].item() == pytest.approx(hits / 4, abs=1e-12)
    assert not torch.equal(
        found.attention_to_regions, fg.heads(checkpoints[0], own, visual_type=1).attention_to_regions
    )  # the token type is not idle


def test_the_table_of_all_checkpoints(folder, tokenizer, checkpoints):
    own = fg.phrases(tokenizer, folder)
    rows = fg.public(own, ((checkpoints[0], 0), (checkpoints[0], 1), (checkpoints[1], 0)))
    assert [(r["model"], r["type of regions"], r["layer"].partition(":")[0]) for r in rows] == [
        *(("one", kind, layer) for kind in "01" for layer in ("1", "2", "3", "held out")),
        *(("two", "0", layer) for layer in ("1", "2", "held out")),
    ]
    assert all(0 <= r["accuracy"] <= 0.75 and 0 < r["attention to regions"] <= 1 + 1e-6 for r in rows if r["layer"].isdigit())  # fmt: skip


def test_what_is_missing_or_does_not_fit_is_said(folder, tokenizer, checkpoints):
    own = fg.phrases(tokenizer, folder)
    wide = fg.Phrases(own.inputs._replace(feature=own.inputs.feature[:, :, :5]), own.query, own.match, None, own.picture)  # fmt: skip
    with pytest.raises(ValueError, match="wants regions of 7 numbers, the features have 5"):
        fg.heads(checkpoints[0], wide)
    assert "most confident box" not in fg.baselines(wide)
    with pytest.raises(DataUnavailable, match="hf download"):
        fg.heads(folder / "nothing", own)
    with pytest.raises(ValueError, match="cut after 4"):
        fg.phrases(tokenizer, folder, limit=4)
    with pytest.raises(DataUnavailable, match=r"test\.txt"):
        fg.phrases(tokenizer, folder, split="test")
    for store in ("regions.h5", "regions"):
        if (folder / store).exists():
            (folder / store).rename(folder / f"no-{store}")
    with pytest.raises(DataUnavailable, match=r"regions\.h5"):
        fg.phrases(tokenizer, folder)
