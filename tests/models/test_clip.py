"""The small CLIP, public checkpoints through open_clip's own `pretrained=`, and COCO in its official layout: tiny, random, real code paths."""

import importlib.util
import json

import pytest
import torch

from mmnb import DataUnavailable
from mmnb.data import coco
from mmnb.instruments import gap
from mmnb.models import clip

open_clip = pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')


def pictures(n, size=32, seed=0):
    return torch.randint(0, 256, (n, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


TOKENS = torch.tensor([[3, 5, 7, 0], [3, 5, 0, 0], [9, 9, 9, 9], [0, 0, 0, 0]])


@pytest.fixture
def small():
    torch.manual_seed(0)
    return clip.SmallClip(words=20, length=4, width=32, layers=1, dimensions=8).eval()


def test_both_sides_are_unit_rows_of_one_space(small):
    with torch.no_grad():
        x, y = small.encode_image(pictures(5)), small.encode_text(TOKENS)
    assert x.shape == (5, 8) and y.shape == (4, 8)
    for side in (x, y):
        torch.testing.assert_close(side.norm(dim=1), torch.ones(len(side)), rtol=0, atol=1e-6)


def test_a_text_is_read_where_it_ends(small):
    """The embedding must not depend on padding: causal attention sees only what stands before the end token."""
    with torch.no_grad():
        whole = small.encode_text(TOKENS)
        for row, length in enumerate([3, 2, 4, 0]):
            changed = torch.cat([TOKENS[row, :length], torch.zeros(4 - length, dtype=torch.int64)])[None]
            torch.testing.assert_close(small.encode_text(changed), whole[row : row + 1], rtol=0, atol=1e-6)
    assert (whole[0] - whole[1]).abs().max() > 1e-3  # another word, another embedding


def test_a_rotation_turns_texts_only_and_is_not_trained(small):
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
    with torch.no_grad():
        x, y = small.encode_image(pictures(3)), small.encode_text(TOKENS)
        small.set_rotation(turn)
        torch.testing.assert_close(small.encode_text(TOKENS), y @ turn, rtol=0, atol=1e-6)
        assert torch.equal(small.encode_image(pictures(3)), x)
    assert "rotation" not in dict(small.named_parameters())
    for wrong in (2 * turn, turn[:4]):
        with pytest.raises(ValueError, match="not orthogonal"):
            small.set_rotation(wrong)


def test_a_checkpoint_comes_back_through_pretrained(tiny_clip):
    file, model = tiny_clip
    torch.manual_seed(1)
    loaded = clip.load("tiny-for-tests", file)
    other = clip.load("tiny-for-tests", None)
    tokens = loaded.tokenize(["a cat", "two dogs"])
    with torch.no_grad():
        assert torch.equal(loaded.model.encode_text(tokens), model.encode_text(tokens))
        assert not torch.equal(other.model.encode_text(tokens), model.encode_text(tokens))
    assert not loaded.model.training


def test_what_is_not_there_is_said(tmp_path, tiny_clip, monkeypatch):
    with pytest.raises(ValueError, match="list_models"):
        clip.load("no-such-model", None)
    with pytest.raises(DataUnavailable, match="there is no checkpoint"):
        clip.load("tiny-for-tests", tmp_path / "missing.pt")

    def no_network(
        *args, **kwargs
    ):  # as open_clip fails after minutes of trying, whatever this computer has in its cache
        raise OSError("no connection")

    monkeypatch.setattr("open_clip.create_model_and_transforms", no_network)
    with pytest.raises(DataUnavailable, match=r"could not be downloaded \(OSError: no connection\)"):
        clip.load("ViT-B-32-quickgelu", "openai")


needs_pycocotools = pytest.mark.skipif(
    importlib.util.find_spec("pycocotools") is None, reason='needs `pip install "mmnb[models]"`'
)


@needs_pycocotools
def test_coco_pairs_in_the_order_of_their_numbers(coco_folder, capsys):
    first, last = coco.load(coco_folder), coco.load(coco_folder, which="last")
    assert [first[k][1] for k in range(len(first))] == ["two dogs", "a red square", "a cat on a mat"]
    assert [last[k][1] for k in range(len(last))] == ["dogs that play", "a red square", "the cat"]
    assert [first[k][0].size for k in range(3)] == [(30, 23), (30, 25), (30, 27)]
    assert capsys.readouterr().out == ""  # pycocotools would print
    assert [coco.load(coco_folder, split="train2017")[k][1] for k in range(3)] == [first[k][1] for k in range(3)]
    with pytest.raises(ValueError, match="'first' or 'last'"):
        coco.load(coco_folder, which="middle")
    with pytest.raises(ValueError, match="val2017, train2017"):
        coco.load(coco_folder, split="test2017")


@needs_pycocotools
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: [], "not the official file"),
        (lambda content: {}, "got 0 pictures"),
        (lambda content: content | {"annotations": []}, "without a caption"),
        (lambda content: content | {"annotations": [{"id": 1, "image_id": content["images"][0]["id"]}]}, "KeyError"),
        (
            lambda content: content | {"images": [i | {"file_name": "../../secret.jpg"} for i in content["images"]]},
            "names without a folder",
        ),
        (None, "not the official file"),
    ],
)
def test_captions_that_are_not_the_official_file_are_named(coco_folder, change, words):
    file = coco_folder / "annotations" / "captions_val2017.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text("{" if change is None else json.dumps(change(content)), encoding="utf-8")
    with pytest.raises(ValueError, match=f"coco.load: .*{words}"):
        coco.load(coco_folder)


@needs_pycocotools
def test_embedding_coco_is_embedding_one_by_one(coco_folder, tiny_clip):
    loaded = clip.load("tiny-for-tests", tiny_clip[0])
    pairs = coco.load(coco_folder)
    x, y = clip.embed_pairs(loaded, pairs, batch_size=2)
    for k in range(3):
        image, text = pairs[k]
        with torch.no_grad():
            one = (
                loaded.model.encode_image(loaded.preprocess(image)[None]),
                loaded.model.encode_text(loaded.tokenize([text])),
            )
        for side, row in zip((x, y), one, strict=True):
            torch.testing.assert_close(
                side[k : k + 1], gap.normalize(row), rtol=0, atol=1e-5
            )  # batches round otherwise
    assert gap.modality_gap(x, y) > 0
    assert len(clip.embed_pairs(loaded, pairs, 2)[0]) == 2
    with pytest.raises(ValueError, match="expected 1 to 3"):
        clip.embed_pairs(loaded, pairs, 4)


def test_coco_that_is_not_there(tmp_path):
    with pytest.raises(DataUnavailable, match=r"captions_val2017\.json, val2017 missing"):
        coco.load(tmp_path)
    with pytest.raises(DataUnavailable, match=r"train2017\.zip \(18 GB\)"):
        coco.load(tmp_path, split="train2017")
