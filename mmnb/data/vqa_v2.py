"""VQA 2.0 validation from the official files: questions on COCO pictures, each answered by ten people. For the profile `paper`."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from mmnb.data import folders
from mmnb.errors import DataUnavailable

QUESTIONS = "v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "v2_mscoco_val2014_annotations.json"
PICTURES = "val2014"

_QUESTION = {"question_id": int, "image_id": int, "question": str}
_ANNOTATION = {"question_id": int, "question_type": str, "answer_type": str, "answers": list}
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {"none": "0"} | {word: str(i) for i, word in enumerate(_DIGITS)}
_ENDINGS = (  # of words that are nothing else without the apostrophe
    ("n't", "ai are ca could did does do had has have is might must need sha should was were wo would"),
    ("'s", "he how she somebody someone that there what where who"),
    *(("'d", "he how it they you"), ("'re", "they you"), ("'ve", "they we you"), ("'ll", "you")),
)
_CONTRACTIONS = {(start + end).replace("'", ""): start + end for end, starts in _ENDINGS for start in starts.split()}


@dataclass(frozen=True, eq=False, repr=False)
class VQAv2:
    """VQA 2.0 validation (or some rows of it); entry i of every field is question i; 214,354 questions on 40,504 pictures.

    picture        paths of JPEG files (open them with `pictures`)
    answers        tuples of ten normalised strings, one a person
    question_type  the question's first words ("how many"); answer_type: "yes/no", "number" or "other"

    Public checkpoints were trained on parts of the official validation split: see the card of the checkpoint.

    Source: Goyal et al. (2017), visualqa.org; CC BY 4.0, pictures: their own licence on Flickr (via COCO).
    """

    question: tuple[str, ...]
    picture: tuple[Path, ...]
    answers: tuple[tuple[str, ...], ...]
    question_id: Tensor
    question_type: tuple[str, ...]
    answer_type: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.question)

    def __repr__(self) -> str:  # the fields would fill the screen
        return f"VQAv2({len(self):,} questions on {len(set(self.picture)):,} pictures)"

    def subset(self, rows: Tensor | list[int]) -> "VQAv2":
        """The questions in `rows`, in that order, for example `torch.randperm(len(data), generator=g)[:500]`."""
        rows = torch.as_tensor(rows, dtype=torch.int64)
        fields = {name: values for name, values in vars(self).items() if name != "question_id"}
        chosen = {name: tuple(values[i] for i in rows.tolist()) for name, values in fields.items()}
        return VQAv2(question_id=self.question_id[rows], **chosen)

    def pictures(self) -> list[Image.Image]:
        """The pictures in RGB, one a question. Raises DataUnavailable if one is missing."""
        return [_open(file) for file in self.picture]

    def targets(self, labels: list[str] | tuple[str, ...]) -> Tensor:
        """Score of each label, an answer that a model can give, for each question: (n, labels) float32; see `vqa_accuracy`."""
        columns: dict[str, list[int]] = {}
        for column, label in enumerate(labels):
            columns.setdefault(normalise(label), []).append(column)
        scores = torch.zeros(len(self), len(labels))
        for row, given in enumerate(self.answers):
            for answer, count in Counter(given).items():
                scores[row, columns.get(answer, [])] = vqa_accuracy(count, len(given))
        return scores


def load(folder: Path | str | None = None) -> VQAv2:
    """Read the validation split; pictures are opened only when asked for.

    `folder` holds the two JSON files and `val2014` with `COCO_val2014_000000262148.jpg` and so on; None: `vqa-v2` in the
    cache folder (`MMNB_DATA`). Raises DataUnavailable when files are missing, ValueError when the two do not fit together.

    Source: https://visualqa.org/download.html, "Balanced Real Images", validation.
    """
    how = (
        "Download questions, annotations (60 MB) and the COCO pictures val2014 (6.6 GB) from https://visualqa.org/download.html "
        "and unpack all three there; licence CC BY 4.0 (pictures: their own on Flickr). Another place can be given as vqa_v2.load(folder)."
    )
    folder = folders.by_hand("vqa-v2", folder, (QUESTIONS, ANNOTATIONS, PICTURES), "VQA 2.0 validation", how)
    questions = _read(folder / QUESTIONS, "questions", _QUESTION)
    annotations = {row["question_id"]: row for row in _read(folder / ANNOTATIONS, "annotations", _ANNOTATION)}
    unanswered = [row["question_id"] for row in questions if row["question_id"] not in annotations]
    if unanswered or len(questions) != len(annotations):
        counts = f"{len(questions)} questions, {len(annotations)} annotations; {len(unanswered)} questions have none"
        raise ValueError(f"vqa_v2.load: got {counts}; expected {QUESTIONS} and {ANNOTATIONS} of one release")
    answered = [annotations[row["question_id"]] for row in questions]
    return VQAv2(
        question=tuple(row["question"] for row in questions),
        picture=tuple(folder / PICTURES / f"COCO_val2014_{row['image_id']:012d}.jpg" for row in questions),
        answers=tuple(tuple(normalise(given["answer"]) for given in row["answers"]) for row in answered),
        question_id=torch.tensor([row["question_id"] for row in questions], dtype=torch.int64),
        question_type=tuple(row["question_type"] for row in answered),
        answer_type=tuple(row["answer_type"] for row in answered),
    )


def vqa_accuracy(count: int, people: int = 10) -> float:
    """Official accuracy, 0 to 1, of an answer that `count` of the ten `people` gave.

    Formula: mean over the ten ways to leave one person out of min(agreeing among the other nine / 3, 1).

    Example:
        >>> [round(vqa_accuracy(count), 4) for count in range(6)]
        [0.0, 0.3, 0.6, 0.9, 1.0, 1.0]

    Source: visualqa.org/evaluation; the shorter min(count/3, 1) of the paper gives .33, .67, 1 instead.
    """
    if not 0 <= count <= people or people < 1:
        raise ValueError(f"vqa_accuracy: got {count} of {people}; expected 0 <= count <= people, people >= 1")
    left_out_agreed, left_out_differed = min(max(count - 1, 0) / 3, 1.0), min(count / 3, 1.0)
    return (count * left_out_agreed + (people - count) * left_out_differed) / people


def normalise(answer: str) -> str:
    """An answer in the form in which answers are compared: lower case, without articles and punctuation, numbers as digits.

    Example:
        >>> normalise("The Two dogs."), normalise("dont know"), normalise("3.5"), normalise("1,000"), normalise("black/white")
        ('2 dogs', "don't know", '3.5', '1000', 'black white')

    Source: the rules of the official evaluation (visualqa.org); of its table of contractions only the unambiguous ones.
    """
    text = answer.replace("\n", " ").replace("\t", " ").strip().lower()
    spaced = text
    for mark in _PUNCTUATION:
        glued = f"{mark} " not in text and f" {mark}" not in text and re.search(r"\d,\d", text) is None
        spaced = spaced.replace(mark, " " if glued else "")
    spaced = re.sub(r"\.(?!\d)", "", spaced)
    words = (_NUMBERS.get(word, word) for word in spaced.split() if word not in ("a", "an", "the"))
    return " ".join(_CONTRACTIONS.get(word, word) for word in words)


def _read(file: Path, field: str, kinds: dict[str, type]) -> list[dict]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))[field]
        if not isinstance(rows, list) or not rows:
            raise TypeError(f"{field} is {type(rows).__name__} without rows")
        for row in rows:
            for name, kind in kinds.items():
                if type(row[name]) is not kind or (kind is int and row[name] < 0) or (not row[name] and kind is list):
                    raise TypeError(f"{name} is {row[name]!r}")
            if not all(isinstance(given["answer"], str) for given in row.get("answers", ())):
                raise TypeError(f"an answer of question {row['question_id']} is no text")
        return rows
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:  # of JSON and of Unicode are ValueErrors
        what = f"{file} is not the official file ({type(error).__name__}: {error})"
        raise ValueError(
            f"vqa_v2.load: {what}; expected a JSON object with {field!r}, rows of {', '.join(kinds)}"
        ) from error


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except FileNotFoundError as error:
        how = "unpack COCO's val2014.zip (6.6 GB) completely"
        raise DataUnavailable(f"picture {file.name} of VQA 2.0 is missing in {file.parent}; {how}") from error
