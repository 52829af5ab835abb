"""VQA 2.0 from three questions in the official files' own layout, and the official accuracy by brute force."""

import json

import pytest
import torch
from PIL import Image

from mmnb import DataUnavailable
from mmnb.data import vqa_v2


def ten(*counts):
    """Ten annotators as the official file lists them, from (answer, count) pairs."""
    given = [answer for answer, count in counts for _ in range(count)]
    assert len(given) == 10
    return [{"answer": answer, "answer_confidence": "yes", "answer_id": i + 1} for i, answer in enumerate(given)]


@pytest.fixture
def folder(tmp_path):
    questions = [
        {"image_id": 262148, "question": "Where is he looking?", "question_id": 262148000},
        {"image_id": 262148, "question": "What are the people in the background doing?", "question_id": 262148001},
        {"image_id": 393225, "question": "Is this a dog?", "question_id": 393225000},
    ]
    answers = [
        ten(("down", 6), ("at table", 2), ("Skateboard.", 1), ("the table", 1)),
        ten(("watching", 3), ("spectating", 7)),
        ten(("yes", 10)),
    ]
    kinds = [("none of the above", "other"), ("what are the", "other"), ("is this a", "yes/no")]
    annotations = [
        {
            "question_type": kind,
            "multiple_choice_answer": given[0]["answer"],
            "answers": given,
            "image_id": question["image_id"],
            "answer_type": answer_type,
            "question_id": question["question_id"],
        }
        for question, given, (kind, answer_type) in zip(questions, answers, kinds, strict=True)
    ]
    head = {
        "info": {"version": "2.0"},
        "data_type": "mscoco",
        "data_subtype": "val2014",
        "license": {"name": "CC BY 4.0"},
    }
    write(tmp_path / vqa_v2.QUESTIONS, head | {"task_type": "Open-Ended", "questions": questions})
    write(
        tmp_path / vqa_v2.ANNOTATIONS, head | {"annotations": annotations[::-1]}
    )  # the order of one file is not that of the other
    (tmp_path / "val2014").mkdir()
    Image.new("RGB", (64, 48), "red").save(tmp_path / "val2014" / "COCO_val2014_000000262148.jpg")
    Image.new("L", (32, 32), 128).save(tmp_path / "val2014" / "COCO_val2014_000000393225.jpg")  # COCO has grey pictures
    return tmp_path


def write(file, content):
    file.write_text(json.dumps(content), encoding="utf-8")


def test_questions_meet_their_answers_and_pictures(folder):
    data = vqa_v2.load(folder)
    assert len(data) == 3 and repr(data) == "VQAv2(3 questions on 2 pictures)"
    assert data.question_id.tolist() == [262148000, 262148001, 393225000]
    assert data.answer_type == ("other", "other", "yes/no") and data.question_type[2] == "is this a"
    assert data.answers[0] == ("down",) * 6 + ("at table",) * 2 + ("skateboard", "table")
    assert [(picture.size, picture.mode) for picture in data.pictures()] == [
        ((64, 48), "RGB"),
        ((64, 48), "RGB"),
        ((32, 32), "RGB"),
    ]


def test_targets_are_the_official_accuracy(folder):
    data = vqa_v2.load(folder)
    targets = data.targets(["yes", "down", "at table", "table", "watching", "spectating", "cat"])
    expected = torch.tensor(
        [[0, 1, 0.6, 0.3, 0, 0, 0], [0, 0, 0, 0, 0.9, 1, 0], [1, 0, 0, 0, 0, 0, 0]], dtype=torch.float32
    )
    torch.testing.assert_close(targets, expected, rtol=0, atol=1e-6)  # float32 rounding of .3, .6, .9


def test_accuracy_equals_leaving_each_person_out():
    for people in (1, 3, 10):
        for count in range(people + 1):
            agrees = [True] * count + [False] * (people - count)
            others = [sum(agrees) - agrees[i] for i in range(people)]
            by_hand = sum(min(agreeing / 3, 1) for agreeing in others) / people
            assert vqa_v2.vqa_accuracy(count, people) == pytest.approx(by_hand, rel=0, abs=1e-12)
    for count, people in ((-1, 10), (11, 10), (0, 0)):
        with pytest.raises(ValueError, match="expected 0 <= count"):
            vqa_v2.vqa_accuracy(count, people)


def test_subset_keeps_rows_together(folder):
    data = vqa_v2.load(folder).subset(torch.tensor([2, 0]))
    assert data.question == ("Is this a dog?", "Where is he looking?") and data.question_id.tolist() == [
        393225000,
        262148000,
    ]
    assert data.pictures()[0].size == (32, 32) and data.answers[0] == ("yes",) * 10


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Yes!", "yes"),
        ("a Dog", "dog"),
        ("five", "5"),
        ("none", "0"),
        ("T-shirt", "t shirt"),
        ("2.5", "2.5"),
        ("U.S.", "us"),
        ("isnt", "isn't"),
    ],
)
def test_normalise(answer, normal):
    assert vqa_v2.normalise(answer) == normal == vqa_v2.normalise(normal)


def test_missing_files_are_named(folder, monkeypatch):
    (folder / vqa_v2.ANNOTATIONS).unlink()
    with pytest.raises(DataUnavailable, match=r"v2_mscoco_val2014_annotations\.json missing.*6\.6 GB.*CC BY 4\.0"):
        vqa_v2.load(folder)
    monkeypatch.setenv("MMNB_DATA", str(folder))
    with pytest.raises(DataUnavailable, match="vqa-v2"):
        vqa_v2.load()


def test_a_missing_picture_is_named(folder):
    (folder / "val2014" / "COCO_val2014_000000393225.jpg").unlink()
    data = vqa_v2.load(folder)
    assert len(data.subset([0, 1]).pictures()) == 2
    with pytest.raises(DataUnavailable, match=r"COCO_val2014_000000393225\.jpg"):
        data.pictures()


def test_files_that_do_not_fit_together(folder):
    questions = json.loads((folder / vqa_v2.QUESTIONS).read_text(encoding="utf-8"))
    questions["questions"][0]["question_id"] = 7
    write(folder / vqa_v2.QUESTIONS, questions)
    with pytest.raises(ValueError, match="1 questions have none"):
        vqa_v2.load(folder)
    (folder / vqa_v2.QUESTIONS).write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="not the official file"):
        vqa_v2.load(folder)


@pytest.mark.parametrize(
    ("file", "field", "change", "words"),
    [
        (vqa_v2.QUESTIONS, "questions", {"image_id": -1}, "image_id is -1"),
        (vqa_v2.QUESTIONS, "questions", {"image_id": "393225"}, "image_id is '393225'"),
        (vqa_v2.QUESTIONS, "questions", {"question": None}, "question is None"),
        (vqa_v2.ANNOTATIONS, "annotations", {"answers": []}, r"answers is \[\]"),
        (vqa_v2.ANNOTATIONS, "annotations", {"answers": [{"answer": 3}]}, "is no text"),
        (vqa_v2.ANNOTATIONS, "annotations", {"answers": ["yes"]}, "not the official file"),
        (vqa_v2.ANNOTATIONS, "annotations", {"question_id": [1]}, "question_id is"),
        (vqa_v2.QUESTIONS, "questions", None, "not the official file"),
    ],
)
def test_files_that_are_not_the_official_ones_are_named(folder, file, field, change, words):
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    content[field] = {} if change is None else [content[field][0] | change, *content[field][1:]]
    write(folder / file, content)
    with pytest.raises(ValueError, match=f"vqa_v2.load: .*{words}"):
        vqa_v2.load(folder)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"null", b"[" * 10000])
def test_files_of_another_kind_are_named(folder, content):
    (folder / vqa_v2.QUESTIONS).write_bytes(content)
    with pytest.raises(ValueError, match="not the official file"):
        vqa_v2.load(folder)
