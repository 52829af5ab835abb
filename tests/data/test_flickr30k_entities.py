"""Flickr30k Entities on three pictures written in the real on-disk layout."""

import numpy as np
import pytest

from mmnb import DataUnavailable
from mmnb.data import flickr30k_entities as f30k

SENTENCES = {
    "36979": ["[/EN#1/people A girl] with [/EN#2/bodyparts brown hair] sits .", "[/EN#1/people The girl] looks at [/EN#0/notvisual it] ."],
    "65567": ["[/EN#7/other/clothing A red   hat] ."],
    "72008": ["Nobody is here ."],
}  # fmt: skip
OBJECTS = {
    "36979": "<object><name>1</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax>110</xmax><ymax>220</ymax></bndbox></object>"
    "<object><name>2</name><name>1</name><bndbox><xmin>30</xmin><ymin>20</ymin><xmax>60</xmax><ymax>60</ymax></bndbox></object>"
    "<object><name>0</name><scene>0</scene><nobndbox>1</nobndbox></object>",
    "65567": "<object><name>7</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>9</ymax></bndbox></object>",
    "72008": "",
}


@pytest.fixture
def folder(tmp_path):
    for name in ("Sentences", "Annotations", "regions"):
        (tmp_path / name).mkdir()
    for number, lines in SENTENCES.items():
        (tmp_path / "Sentences" / f"{number}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = f"<annotation><filename>{number}.jpg</filename><size><width>200</width><height>300</height><depth>3</depth></size>{OBJECTS[number]}</annotation>"
        (tmp_path / "Annotations" / f"{number}.xml").write_text(text, encoding="utf-8")
        np.savez(tmp_path / "regions" / f"{number}.npz", features=np.ones((36, 8), np.float32), boxes=np.tile([0, 0, 100, 300], (36, 1)), img_w=200, img_h=300, cls_prob=np.full((36, 1601), 1 / 1601, np.float32))  # fmt: skip
    (tmp_path / "val.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    return tmp_path


def test_captions_boxes_and_links(folder):
    found = f30k.load(folder)
    assert list(found) == list(SENTENCES)
    captions, boxes = found["36979"]
    assert captions[0].text == "A girl with brown hair sits ."
    assert [(p.words, p.start, p.chain, p.kind) for p in captions[0].phrases] == [("A girl", 0, "1", "people"), ("brown hair", 3, "2", "bodyparts")]  # fmt: skip
    assert boxes.boxes["1"].tolist() == [[10, 20, 110, 220], [30, 20, 60, 60]] and "0" not in boxes.boxes
    assert (boxes.width, boxes.height) == (200, 300)
    (hat,), none = found["65567"][0], found["72008"]
    assert hat.text == "A red hat ." and hat.phrases[0].kind == "other"
    assert none[0][0].phrases == () and none[1].boxes == {}


def test_a_phrase_can_be_found_among_the_pieces_of_berts_tokenizer(folder):
    from mmnb.instruments.ablation import phrase_span
    from mmnb.models.pretrained import minilm

    tokenizer = minilm(pretrained=False).tokenizer
    caption = f30k.load(folder)["36979"][0][0]
    ids, end = tokenizer(caption.text)["input_ids"], 0
    for phrase in caption.phrases:
        start, end = phrase_span(ids, tokenizer(phrase.words, add_special_tokens=False)["input_ids"], start=end, limit=38)  # fmt: skip
        assert tokenizer.decode(ids[start:end]) == phrase.words.lower()


def test_regions_from_npz(folder):
    found = f30k.read_regions(folder / "regions", "65567")
    assert found.features.shape == (36, 8) and found.probabilities.shape == (36, 1601)
    assert found.boxes[0].tolist() == [0, 0, 0.5, 1]


def voltas(draw, n=36, width=2048):
    """The arrays of one picture as VOLTA's extraction writes them: float32, classes and attributes as int64, width and height as scalars."""
    corner = draw.uniform(0, 0.5, (n, 2))
    boxes = np.concatenate([corner, corner + draw.uniform(0.1, 0.5, (n, 2))], 1) * [200, 300, 200, 300]
    arrays = {"features": draw.normal(size=(n, width)).astype(np.float32), "boxes": boxes.astype(np.float32), "img_w": 200, "img_h": 300}  # fmt: skip
    for kind, most in (("obj", 1600), ("attr", 400)):
        arrays |= {f"{kind}_id": draw.integers(0, most, n), f"{kind}_conf": draw.uniform(0, 1, n).astype(np.float32)}
    return arrays


def test_the_same_regions_from_h5_and_from_npz(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    draw, file = np.random.default_rng(1), tmp_path / "regions.h5"
    (tmp_path / "regions").mkdir()
    written = {number: voltas(draw) for number in ("36979", "65567", "72008")}
    with h5py.File(file, "w") as made:
        for number, arrays in written.items():
            group = made.create_group(number)
            for name, value in arrays.items():
                group[name] = value
            np.savez(tmp_path / "regions" / f"{number}.npz", **arrays)
    for number, arrays in written.items():
        one, two = (f30k.read_regions(place, number) for place in (file, tmp_path / "regions"))
        for found in (one, two):
            assert found.features.dtype == found.boxes.dtype == np.float32 and found.probabilities is None
            assert np.array_equal(found.features, arrays["features"]) and np.array_equal(found.confidence, arrays["obj_conf"])  # fmt: skip
            assert found.boxes[:, 0] == pytest.approx(arrays["boxes"][:, 0] / 200, abs=1e-6)
            assert found.boxes[:, 3] == pytest.approx(arrays["boxes"][:, 3] / 300, abs=1e-6)
        assert np.array_equal(one.boxes, two.boxes)
    with pytest.raises(DataUnavailable, match="1234"):
        f30k.read_regions(file, "1234")
    with h5py.File(file, "a") as made:
        del made["36979"]["boxes"]
    with pytest.raises(ValueError, match="boxes missing"):
        f30k.read_regions(file, "36979")


def test_without_h5py_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(f30k.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataUnavailable, match="pip install h5py"):
        f30k.read_regions(tmp_path / "regions.h5", "65567")


GOOD = {"features": np.ones((2, 3)), "boxes": np.array([[0, 0, 10, 10], [5, 5, 20, 30]]), "img_w": 20, "img_h": 30}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"features": np.full((2, 3), np.nan)}, "NaN"),
        ({"features": np.ones((0, 3)), "boxes": np.ones((0, 4))}, "R >= 1"),
        ({"boxes": np.array([[0, 0, 10, 10], [5, 5, 40, 30]])}, "leaves the picture"),
        ({"boxes": np.array([[0, 0, 10, 10], [5, 5, 5, 30]])}, "no area"),
        ({"boxes": np.ones((3, 4))}, "expected"),
        ({"obj_conf": np.ones(3)}, "obj_conf"),
        ({"obj_conf": np.ones((2, 1))}, "obj_conf"),
        ({"cls_prob": np.full((2, 9), np.inf)}, "cls_prob"),
        ({"cls_prob": np.full((2, 9), 7.0)}, "cls_prob from 7.*expected probabilities"),
        ({"obj_conf": np.array([0.5, -0.1])}, "obj_conf from -0.1"),
        ({"img_w": np.nan}, "img_w is NaN"),
        ({"img_h": 0}, "two numbers above 0"),
        ({"img_w": np.ones(2)}, "two numbers above 0"),
        ({"features": np.array([["a"] * 3] * 2)}, "features is <U1"),
    ],
)
def test_bad_regions(change, word):
    with pytest.raises(ValueError, match=word):
        f30k.regions_of(GOOD | change, "1")
    with pytest.raises(ValueError, match="missing"):
        f30k.regions_of({"features": GOOD["features"]}, "1")


def test_what_is_missing_is_said(folder, tmp_path):
    (folder / "Annotations" / "65567.xml").unlink()
    with pytest.raises(DataUnavailable, match=r"65567\.xml.*30 MB"):
        f30k.load(folder)
    with pytest.raises(DataUnavailable, match=r"test\.txt"):
        f30k.load(folder, "test")
    with pytest.raises(DataUnavailable, match=r"7\.npz"):
        f30k.read_regions(folder / "regions", "7")


def test_damaged_files(folder):
    file = folder / "Annotations" / "65567.xml"
    file.write_text(file.read_text(encoding="utf-8").replace("<xmax>5", "<xmax>900"), encoding="utf-8")
    with pytest.raises(ValueError, match="inside"):
        f30k.annotation(file)
    file.write_text("<annotation>", encoding="utf-8")
    with pytest.raises(ValueError, match="no XML"):
        f30k.annotation(file)
    with pytest.raises(ValueError, match="marks"):
        f30k.sentence("[/EN#12 A girl] sits")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"?" * 90], ids=["empty", "text", "no zip"])
@pytest.mark.parametrize("name", ["36979.npz", "regions.h5"])
def test_files_that_are_neither_npz_nor_h5_are_named(tmp_path, name, content):
    pytest.importorskip("h5py", reason='needs `pip install "mmnb[models]"`')
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"36979.* cannot be read .*expected an (NPZ|H5) file"):
        f30k.read_regions(tmp_path if name.endswith("npz") else tmp_path / name, "36979")


def test_a_group_in_the_place_of_an_array_and_links_in_a_circle_are_named(tmp_path):
    h5py = pytest.importorskip("h5py", reason='needs `pip install "mmnb[models]"`')
    with h5py.File(tmp_path / "regions.h5", "w") as file:
        file.create_group("1/features")
        file["2/features"] = h5py.SoftLink("/2/features")
        file["3"] = np.ones(3)
    for picture in "123":
        with pytest.raises(ValueError, match=f"picture {picture}.* cannot be read|regions of {picture}: features"):
            f30k.read_regions(tmp_path / "regions.h5", picture)
