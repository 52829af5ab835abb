"""easy-VQA against the counts its author publishes, and against itself: pictures, questions and answers must still belong together."""

import importlib.util
import json
import time

import numpy as np
import pytest
import torch

from mmnb import DataUnavailable, complementarity
from mmnb.data import easyvqa


@pytest.fixture(scope="module")
def data():
    return easyvqa.load()


def splits(data):
    return {"train": data.train, "validation": data.validation, "test": data.test}


def test_published_counts(data):
    assert tuple(data.images.shape) == (5000, 3, 64, 64) and data.images.dtype == torch.uint8
    assert len(data.train) + len(data.validation) == 38_575 and len(data.test) == 9_673 and len(data.answers) == 13
    yes_no = {data.answers.index("yes"), data.answers.index("no")}
    official_train = torch.cat([data.train.answer, data.validation.answer]).tolist()
    assert sum(answer in yes_no for answer in official_train) == 28_407
    assert sum(answer in yes_no for answer in data.test.answer.tolist()) == 7_136


def test_no_image_is_in_two_splits(data):
    images = {name: set(questions.image.tolist()) for name, questions in splits(data).items()}
    assert images == {"train": set(range(3500)), "validation": set(range(3500, 4000)), "test": set(range(4000, 5000))}
    pictures = {name: {data.images[row].numpy().tobytes() for row in rows} for name, rows in images.items()}
    assert (
        not pictures["train"] & pictures["test"]
        and not pictures["train"] & pictures["validation"]
        and not pictures["validation"] & pictures["test"]
    )


def test_shapes_and_tokens(data):
    assert (
        data.vocabulary[0] == "<pad>"
        and len(data.vocabulary) == 27
        and list(data.vocabulary[1:]) == sorted(data.vocabulary[1:])
    )
    for questions in splits(data).values():
        n = len(questions)
        assert questions.tokens.shape == (n, 9)
        for field in (questions.image, questions.tokens, questions.length, questions.answer, questions.question_type):
            assert field.dtype == torch.int64 and len(field) == n
        assert torch.equal((questions.tokens > 0).sum(1), questions.length)
        for row in range(0, n, 997):
            said = " ".join(data.vocabulary[token] for token in questions.tokens[row, : questions.length[row]].tolist())
            assert said + "?" == questions.text[row]


def test_rows_are_those_of_the_package(data):
    folder = easyvqa.folder()
    for name, offset, parts in (("train", 0, (data.train, data.validation)), ("test", 4000, (data.test,))):
        published = {tuple(row) for row in json.loads((folder / name / "questions.json").read_text(encoding="utf-8"))}
        ours = {
            (text, data.answers[answer], image - offset)
            for part in parts
            for text, answer, image in zip(part.text, part.answer.tolist(), part.image.tolist(), strict=True)
        }
        assert ours == published


def test_shown_in_one_line(data):
    assert repr(data) == "EasyVQA(5,000 pictures; questions: train 33,742, validation 4,833, test 9,673; 13 answers)"
    assert repr(data.test) == "Questions(9,673 about 1,000 pictures)"


def test_question_types_agree_with_the_answers(data):
    colors = {"teal", "black", "green", "blue", "gray", "yellow", "red", "brown"}
    expected = {"what color": colors, "what shape": set(easyvqa.SHAPES)}
    for questions in splits(data).values():
        for kind, answer in set(zip(questions.question_type.tolist(), questions.answer.tolist(), strict=True)):
            assert data.answers[answer] in expected.get(data.question_types[kind], {"yes", "no"})
        assert len(questions.question_type.unique()) == 6


def test_pictures_belong_to_their_questions(data):
    """The shape's colour, as pixels have it, is the answer to "what color": a shift by one row would fail."""
    channel = {"red": 0, "green": 1, "blue": 2}
    asked = data.question_types.index("what color")
    n = 0
    for questions in splits(data).values():
        for row in (questions.question_type == asked).nonzero().squeeze(1).tolist():
            color = data.answers[questions.answer[row]]
            if color not in channel:
                continue
            picture = data.images[questions.image[row]].flatten(1).float()
            background = picture.mode(dim=1, keepdim=True).values
            shape = picture[:, ((picture - background).abs().amax(0) > 30)].mean(1)
            n += 1
            assert shape.argmax().item() == channel[color], (
                f"{questions.text[row]} {color}: mean colour {shape.tolist()}"
            )
    assert n > 1000


def test_decoding_is_fast_and_the_cache_gives_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    start = time.process_time()
    fresh = easyvqa.load()
    assert time.process_time() - start < 5
    cached = easyvqa.load()
    assert torch.equal(fresh.images, cached.images) and torch.equal(fresh.images, data.images)
    cached.images.zero_()
    assert torch.equal(easyvqa.load().images, data.images)


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataUnavailable, match=r"MIT licence.*pip install"):
        easyvqa.load()


def _given_away(data):
    """(n, 3, 8) bool: the shapes and colours that a picture's questions and answers leave possible."""
    colours = sorted(easyvqa.NAMED)
    possible = np.ones((len(data.images), len(easyvqa.SHAPES), len(colours)), dtype=bool)
    for part in (data.train, data.validation, data.test):
        for image, answer, kind, text in zip(part.image, part.answer, part.question_type, part.text, strict=True):
            said, answer = easyvqa.words(text), data.answers[answer]
            shapes = [easyvqa.SHAPES.index(word) for word in said if word in easyvqa.SHAPES]
            named = [colours.index(word) for word in said if word in colours]
            kind = easyvqa.QUESTION_TYPES[kind]
            right = np.ones(possible.shape[1:], dtype=bool)
            right &= np.isin(np.arange(3), shapes)[:, None] if shapes else True
            right &= np.isin(np.arange(8), named) if named else True
            if kind.startswith("what"):
                right &= np.isin(easyvqa.SHAPES, answer)[:, None] if kind == "what shape" else np.isin(colours, answer)
            elif (answer == "yes") == kind.startswith("lacks"):
                right = ~right
            possible[image] &= right
    return possible


def test_pixels_show_what_the_questions_give_away(data):
    possible = _given_away(data)
    known = possible.sum((1, 2)) == 1
    shape, colour = easyvqa.shown(data)
    assert known.sum() == 4466 and possible[np.arange(len(shape)), shape, colour].all()


def test_answers_follow_from_what_is_shown_and_asked(data):
    table = easyvqa.joint_table(data)
    assert table.shape == (24, 107, 13) and ((table > 0).sum(2) <= 1).all()
    found = complementarity.from_table(table)
    # computed once by other code from the same definitions; six digits
    assert found.metric == pytest.approx(1.192299, abs=1e-6) and found.information == pytest.approx(1.689816, abs=1e-6)
    what, yes_no = (complementarity.from_table(easyvqa.joint_table(data, only=kind)) for kind in ("what", "yes/no"))
    assert what.metric == pytest.approx(0.999168, abs=1e-6) and yes_no.metric == pytest.approx(1.637574, abs=1e-6)
    with pytest.raises(ValueError, match=r"got only='why'"):
        easyvqa.joint_table(data, only="why")


def test_a_region_is_the_box_of_the_shape_at_its_place(data):
    images = torch.full((1, 3, 64, 64), 240, dtype=torch.uint8)
    images[0, :, 10:18, 40:56] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    found = easyvqa.regions(images)
    assert found.shape == (1, 3, 8, 8) and torch.equal(found[0, :, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert (found == found[:, :, :1, :1]).all()
    assert easyvqa.regions(data.images[:5], side=4).shape == (5, 3, 4, 4)
