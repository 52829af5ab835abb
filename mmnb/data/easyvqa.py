"""easy-VQA: questions about one coloured shape on a 64 × 64 picture; real images, real questions, known answers.

Two modalities are needed for most yes/no questions ("is there a teal shape?"), while "what color is the shape?" can be
answered from the picture alone once the question is known to ask for a colour.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmnb.data import derived, folders
from mmnb.data.pairs import Pairs
from mmnb.data.rows import SPLITS, padded
from mmnb.errors import DataUnavailable

QUESTION_TYPES = ("what color", "what shape", "has color", "has shape", "lacks color", "lacks shape")
SHAPES = ("circle", "rectangle", "triangle")
N_VALIDATION_IMAGES = 500
PADDING = "<pad>"
LONGEST = 9  # words in the longest question
NAMED = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}  # the colours of the shapes, before the author's noise
EDGE = 40  # a pixel this far from the ground in some channel belongs to the shape
FILLED = (0.71, 0.93)  # share of its bounding box that a triangle stays below, and that a rectangle exceeds


@dataclass(frozen=True, eq=False, repr=False)
class Questions:
    """The questions of one split; row i of every field is question i.

    image          (n,)    int64, row in `EasyVQA.images`
    tokens         (n, 9)  int64, rows of `EasyVQA.vocabulary`, padded with 0 on the right
    length         (n,)    int64, number of tokens before the padding
    answer         (n,)    int64, row in `EasyVQA.answers`
    question_type  (n,)    int64, row in `EasyVQA.question_types`
    text           n strings, as published ("is there not a blue shape in the image?")
    """

    image: Tensor
    tokens: Tensor
    length: Tensor
    answer: Tensor
    question_type: Tensor
    text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.text)

    def __repr__(self) -> str:  # the fields would fill the screen
        return f"Questions({len(self):,} about {len(self.image.unique()):,} pictures)"


@dataclass(frozen=True, eq=False, repr=False)
class EasyVQA:
    """easy-VQA as tensors, with the official test split and a validation split taken from the training images.

    images          (5000, 3, 64, 64) uint8, red, green, blue from 0 to 255; 0-3999 official training, 4000-4999 test images
    train           33,742 questions on images 0-3499
    validation      4,833 questions on images 3500-3999 (the last 500 official training images, always the same)
    test            9,673 questions on images 4000-4999
    vocabulary      26 words and, in front, `<pad>`
    answers         13 answers, in the order of the package
    question_types  6 names: what/has/lacks × color/shape ("lacks": the question contains "not" or "no")

    No image is in two splits. The same *sentences* do occur in all splits: there are only 107 different ones.

    Source: Victor Zhou, easy-VQA 1.0 (PyPI `easy-vqa`, MIT licence).
    """

    images: Tensor
    train: Questions
    validation: Questions
    test: Questions
    vocabulary: tuple[str, ...]
    answers: tuple[str, ...]
    question_types: tuple[str, ...]

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in SPLITS)
        return f"EasyVQA({len(self.images):,} pictures; questions: {splits}; {len(self.answers)} answers)"

    def sentence(self, tokens: Tensor) -> str:
        """The words behind one row of tokens."""
        return " ".join(self.vocabulary[token] for token in tokens.tolist() if token)

    def pairs(self, images: tuple[int, int, int] | None = None) -> Pairs:
        """Pictures (a, at half the side: 32 x 32) with questions (b, the 107 different ones) and answers.

        `images`: how many of the training, validation and test pictures to use, the first ones; None: all. Row k is row
        k of the training, then validation, then test questions, whatever `images` is.
        """
        parts = (self.train, self.validation, self.test)
        there = tuple(int(part.image.max() - part.image.min()) + 1 for part in parts)
        images = there if images is None else images
        if len(images) != 3 or not all(1 <= n <= limit for n, limit in zip(images, there, strict=True)):
            raise ValueError(f"EasyVQA.pairs: got images={images}; expected three numbers from 1 to {there}")
        tokens, of_b = torch.cat([part.tokens for part in parts]).unique(dim=0, return_inverse=True)
        rows = torch.arange(len(of_b)).split([len(part) for part in parts])
        used = [part.image < part.image.min() + n for part, n in zip(parts, images, strict=True)]
        return Pairs(
            a=torch.nn.functional.avg_pool2d(self.images.float(), 2).round().to(torch.uint8),
            b=tokens,
            of_a=torch.cat([part.image for part in parts]),
            of_b=of_b,
            label=torch.cat([part.answer for part in parts]),
            classes=self.answers,
            **{name: r[u] for name, r, u in zip(SPLITS, rows, used, strict=True)},
        )


def folder() -> Path | None:
    """Data folder inside the installed `easy-vqa` package, found without importing it; None if it is not installed."""
    package = folders.of_package("easy_vqa")
    return package / "data" if package and (package / "data" / "answers.txt").is_file() else None


def load() -> EasyVQA:
    """Load easy-VQA; the pictures are decoded once and kept as one file.

    Raises DataUnavailable if the package `easy-vqa` is not installed.

    Example:
        >>> data = load()
        >>> data.train.text[0], data.answers[data.train.answer[0]], data.images[data.train.image[0]].shape
        ('what is the blue shape?', 'rectangle', torch.Size([3, 64, 64]))
    """
    data = folder()
    if data is None:
        raise DataUnavailable(
            "easy-VQA is not here: 5,000 pictures with 48,248 questions (5 MB, MIT licence). "
            'Install it with `pip install "easy-vqa==1.0"` or `pip install "mmnb[worlds]"`; nothing else is downloaded.'
        )
    packages = ("easy-vqa", "numpy", "pillow")
    drawn = derived.arrays("easyvqa", lambda: {"images": _decode(data)}, source=__file__, packages=packages)
    files = (data / split / "questions.json" for split in ("train", "test"))
    official, test = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    answers = tuple((data / "answers.txt").read_text(encoding="utf-8").split())
    vocabulary = (PADDING, *sorted({word for text, _, _ in official + test for word in words(text)}))
    n_train = _n_images(data, "train")
    border = n_train - N_VALIDATION_IMAGES
    split = {
        "train": [row for row in official if row[2] < border],
        "validation": [row for row in official if row[2] >= border],
        "test": [(text, answer, image + n_train) for text, answer, image in test],
    }
    return EasyVQA(
        images=torch.from_numpy(drawn["images"]),
        vocabulary=vocabulary,
        answers=answers,
        question_types=QUESTION_TYPES,
        **{name: _tensors(rows, vocabulary, answers) for name, rows in split.items()},
    )


def words(text: str) -> list[str]:
    """Lower-case words of a question, without the question mark.

    Example:
        >>> words("Is there not a blue shape?")
        ['is', 'there', 'not', 'a', 'blue', 'shape']
    """
    return text.lower().replace("?", " ").split()


def question_type(text: str) -> str:
    """Which of `QUESTION_TYPES` a question is: what it asks for and whether it is negated.

    Example:
        >>> question_type("what is the blue shape?"), question_type("is no circle present?"), question_type("is there a red shape?")
        ('what shape', 'lacks shape', 'has color')
    """
    said = words(text)
    if said[0] == "what":  # "what is the blue shape?", "what shape is present?", "what color is the circle?"
        return "what color" if "color" in said else "what shape"
    about = "shape" if any(shape in said for shape in SHAPES) else "color"
    return f"lacks {about}" if "not" in said or "no" in said else f"has {about}"


def _n_images(data: Path, split: str) -> int:
    return sum(1 for _ in (data / split / "images").glob("*.png"))


def _decode(data: Path) -> np.ndarray:
    """All pictures, training before test, as (n, 3, 64, 64) uint8."""
    files = [data / split / "images" / f"{i}.png" for split in ("train", "test") for i in range(_n_images(data, split))]
    return np.stack([np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file in files])


def _tensors(rows: list, vocabulary: tuple[str, ...], answers: tuple[str, ...]) -> Questions:
    """Rows (text, answer, image) as tensors; all splits are padded to the same length."""
    texts, names, images = zip(*rows, strict=True)
    token = {word: i for i, word in enumerate(vocabulary)}
    said = [[token[word] for word in words(text)] for text in texts]
    return Questions(
        image=torch.tensor(images),
        tokens=padded(said, length=LONGEST),
        length=torch.tensor([len(line) for line in said]),
        answer=torch.tensor([answers.index(name) for name in names]),
        question_type=torch.tensor([QUESTION_TYPES.index(question_type(text)) for text in texts]),
        text=texts,
    )


def shown(data: EasyVQA) -> tuple[np.ndarray, np.ndarray]:
    """What each picture shows, from its pixels, (n,) int64: row in `SHAPES`, row in the sorted names of `NAMED`.

    Shape: by how much of its bounding box it fills. Colour: the named one nearest to the pixel furthest from the ground.
    A test compares both with what the questions of 4,466 pictures give away: they agree on every one.
    """
    pixels = data.images.numpy().astype(np.int64)
    away, found, box = _shapes(pixels)
    filled = found.sum((1, 2)) / ((box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]))
    shape = np.where(filled < FILLED[0], SHAPES.index("triangle"), SHAPES.index("circle"))
    shape = np.where(filled > FILLED[1], SHAPES.index("rectangle"), shape)
    furthest = away.sum(1).reshape(len(pixels), -1).argmax(1)
    pixel = pixels.reshape(len(pixels), 3, -1)[np.arange(len(pixels)), :, furthest]
    names = np.array([NAMED[name] for name in sorted(NAMED)])
    return shape, ((pixel[:, None] - names) ** 2).sum(2).argmin(1)


def regions(images: Tensor, side: int = 8) -> Tensor:
    """What a detector hands over: the bounding box of the shape, averaged down to (n, 3, side, side) float32, 0 to 1."""
    box = _shapes(images.numpy().astype(np.int64))[2].tolist()
    cut = [image[:, top:bottom, left:right] for image, (top, bottom, left, right) in zip(images, box, strict=True)]
    return torch.stack([torch.nn.functional.adaptive_avg_pool2d(part.float() / 255, side) for part in cut])


def _shapes(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance of each channel from the ground, the pixels (n, h, w) of the shape, and its box: top, bottom, left, right."""
    away = np.abs(pixels - pixels[:, :, :1, :1])  # the corner is ground
    found = away.max(1) > EDGE
    edges = [found.any(axis) for axis in (2, 1)]
    ends = [(edge.argmax(1), edge.shape[1] - edge[:, ::-1].argmax(1)) for edge in edges]
    return away, found, np.stack([end for pair in ends for end in pair], 1)


def joint_table(data: EasyVQA, *, only: str | None = None) -> np.ndarray:
    """Shares (24 kinds of picture, sentences, answers) among all 48,248 questions: all that pictures and questions say of the answers.

    `only`: "what" or "yes/no" keeps these questions alone. The answer is a function of the kind of picture and the sentence.
    """
    if only not in (None, "what", "yes/no"):
        raise ValueError(f"easyvqa.joint_table: got only={only!r}; expected None, 'what' or 'yes/no'")
    shape, colour = shown(data)
    parts = (data.train, data.validation, data.test)
    image, answer, kind = (
        np.concatenate([getattr(part, name).numpy() for part in parts]) for name in ("image", "answer", "question_type")
    )
    sentence = np.unique([text for part in parts for text in part.text], return_inverse=True)[1]
    keep = np.ones(len(image), dtype=bool) if only is None else (kind < 2) == (only == "what")
    columns = (shape * len(NAMED) + colour)[image[keep]], sentence[keep], answer[keep]
    codes = [np.unique(column, return_inverse=True)[1] for column in columns]
    table = np.zeros([code.max() + 1 for code in codes])
    np.add.at(table, tuple(codes), 1.0)
    return table / table.sum()
