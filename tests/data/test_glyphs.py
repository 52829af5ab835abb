"""The glyph world: counts, splits that do not leak, and pictures that show what their names say."""

import time
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from mmnb import DataUnavailable
from mmnb.data import glyphs, lookalikes, typeset


@pytest.fixture(scope="module")
def data():
    return glyphs.load()


def row(data, name, face="DejaVuSans"):
    at = (data.character == data.names.index(name)) & (data.face == data.faces.index(face))
    return at.nonzero().item()


def test_counts_and_shapes(data):
    n, c = 46_939, 6_668
    assert len(data) == n and tuple(data.images.shape) == (n, 32, 32) and data.images.dtype == torch.uint8
    assert len(data.names) == c == len(set(data.names)) and data.tokens.shape == (c, 11)
    assert len(data.faces) == 12 == len(data.face.unique())
    assert len(data.vocabulary) == 2002 and data.vocabulary[:2] == ("<pad>", "<unk>")
    for field in (data.character, data.codepoint, data.face, data.face_split, data.character_split):
        assert field.shape == (n,) and field.dtype == torch.int64
    for field in (data.length, data.category, data.script, data.lookalike):
        assert field.shape == (c,) and field.dtype == torch.int64
    assert data.images.amax((1, 2)).min() > 0  # no blank picture


def test_names_categories_and_tokens_are_unicodes(data):
    for k in range(0, len(data), 501):
        char, character = chr(data.codepoint[k]), data.character[k]
        assert unicodedata.name(char) == data.names[character]
        assert unicodedata.category(char) == data.categories[data.category[character]]
        tokens = data.tokens[character, : data.length[character]].tolist()
        for word, token in zip(data.names[character].split(), tokens, strict=True):
            assert data.vocabulary[token] in (word, "<unk>")
    known = (data.tokens > 1).sum() / (data.tokens > 0).sum()
    assert known > 0.99


def test_scripts(data):
    def script(name):
        return data.scripts[data.script[data.names.index(name)]]

    assert script("LATIN SMALL LETTER E WITH ACUTE") == "LATIN" and script("GREEK SMALL LETTER ALPHA") == "GREEK"
    assert script("BLACK SQUARE") == "COMMON" and script("MATHEMATICAL BOLD CAPITAL A") == "COMMON"


def test_new_characters_never_seen_in_training(data):
    parts = [data.rows(split, by="character") for split in glyphs.SPLITS]
    assert sorted(torch.cat(parts).tolist()) == list(range(len(data)))
    for field in (data.character, data.codepoint, data.lookalike[data.character]):
        sets = [set(field[part].tolist()) for part in parts]
        assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
    pictures = [{data.images[k].numpy().tobytes() for k in part.tolist()} for part in parts]
    assert not pictures[0] & pictures[1] and not pictures[0] & pictures[2] and not pictures[1] & pictures[2]
    shares = [len(part) / len(data) for part in parts]
    assert 0.75 < shares[0] < 0.85 and 0.07 < shares[1] < 0.13 and 0.07 < shares[2] < 0.13


def test_new_faces_never_seen_in_training(data):
    parts = [data.rows(split, by="face") for split in glyphs.SPLITS]
    faces = [set(data.face[part].tolist()) for part in parts]
    assert (
        [len(group) for group in faces] == [8, 2, 2]
        and not faces[0] & faces[1]
        and not faces[0] & faces[2]
        and not faces[1] & faces[2]
    )
    pairs = [{(data.character[k].item(), data.images[k].numpy().tobytes()) for k in part.tolist()} for part in parts]
    assert not pairs[0] & pairs[1] and not pairs[0] & pairs[2] and not pairs[1] & pairs[2]
    left_out = (data.face_split == lookalikes.REPEATED).nonzero().squeeze(1)
    assert len(left_out) == len(data) - sum(map(len, parts)) > 1000  # box drawings are not slanted: the leak is real
    assert set(data.face[left_out].tolist()) <= faces[1] | faces[2]


def test_lookalikes(data):
    def group(name):
        return data.lookalike[data.names.index(name)].item()

    capital_a = group("LATIN CAPITAL LETTER A")
    assert capital_a == group("GREEK CAPITAL LETTER ALPHA") == group("CYRILLIC CAPITAL LETTER A")
    assert capital_a != group("LATIN CAPITAL LETTER B") and capital_a != group("LATIN SMALL LETTER A")
    assert 1 < torch.bincount(data.lookalike).max() < 30


def test_pictures_show_their_characters(data):
    baseline = round(32 * typeset.BASELINE)
    x, p, acute = (data.images[row(data, f"LATIN SMALL LETTER {name}")] for name in ("X", "P", "E WITH ACUTE"))
    assert x[baseline - 1].any() and not x[baseline + 1 :].any()  # x stands on the baseline
    assert p[baseline + 1 :].any()  # p goes below it
    assert acute[:10].any() and not x[:10].any()  # an accent is above, where x has nothing
    block, dot = (data.images[row(data, name)].float().mean() for name in ("FULL BLOCK", "FULL STOP"))
    assert block > 50 > 5 > dot
    for name in ("LATIN CAPITAL LETTER H", "LATIN CAPITAL LETTER O", "BLACK SQUARE"):
        columns = data.images[row(data, name)].amax(0).nonzero()
        assert abs(columns[0].item() + columns[-1].item() - 31) <= 2  # centred from left to right
    bold, regular = (
        data.images[row(data, "LATIN CAPITAL LETTER H", face)].float().mean()
        for face in ("DejaVuSans-Bold", "DejaVuSans")
    )
    assert bold > regular


def test_every_picture_holds_its_own_ink_and_no_other(data):
    """Drawn one by one on a canvas with room on all sides; a neighbour's overflow, or a cut-off part, would change the sum."""
    face = data.faces.index("DejaVuSerif-BoldItalic")  # the widest and lowest letters
    font = ImageFont.truetype(
        typeset.font_files(["DejaVuSerif-BoldItalic"])[0], round(32 * typeset.EM), layout_engine=ImageFont.Layout.BASIC
    )
    drawn_smaller = 0
    for k in (data.face == face).nonzero().squeeze(1).tolist():
        canvas = Image.new("L", (128, 96))
        ImageDraw.Draw(canvas).text((48, 48), chr(data.codepoint[k]), fill=255, font=font, anchor="ls")
        ink = np.asarray(canvas, dtype=np.int64)
        rows, columns = ink.any(1).nonzero()[0], ink.any(0).nonzero()[0]
        above, below = 48 - rows[0], rows[-1] + 1 - 48
        if above > 25 or below > 7 or columns[-1] + 1 - columns[0] > 32:
            drawn_smaller += 1
            assert data.images[k].sum() < ink.sum()
        else:
            assert data.images[k].sum() == ink.sum(), data.names[data.character[k]]
    assert 0 < drawn_smaller < 100


def test_other_sizes():
    small = glyphs.load(size=16)
    assert tuple(small.images.shape[1:]) == (16, 16) and len(small) > 46_000
    for size in (7, 129, 32.0, True, "32"):
        with pytest.raises(ValueError, match="expected a whole number from 8 to 128"):
            glyphs.load(size=size)


def test_shown_in_one_line(data):
    assert repr(data) == "Glyphs(46,939 pictures of 32 x 32 pixels, 6,668 characters, 12 faces, 2,002 words)"


def test_rows_refuses_other_names(data):
    for split, by in (("valid", "face"), ("train", "font")):
        with pytest.raises(ValueError, match="expected split in"):
            data.rows(split, by=by)


def test_drawing_is_fast_repeatable_and_cached_whole(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    start = time.process_time()
    fresh = glyphs.load()
    assert time.process_time() - start < 5
    again = glyphs.load()
    for other in (fresh, again):
        for name in ("images", "codepoint", "face", "face_split", "character_split", "lookalike", "tokens"):
            assert torch.equal(getattr(other, name), getattr(data, name)), name


def test_fonts_that_a_distribution_stripped_are_named(monkeypatch, tmp_path):
    with pytest.raises(DataUnavailable, match=r"NoSuchFace\.ttf.*licence.*matplotlib"):
        typeset.font_files(["DejaVuSans", "NoSuchFace"])
