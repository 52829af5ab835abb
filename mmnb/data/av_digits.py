"""AV-digits: a picture of a digit and a recording of a spoken one, paired on the spot; the rule of the label decides what is needed.

The pictures are scikit-learn's, the recordings those of the Free Spoken Digit Dataset. Nobody recorded them together: a
pair is drawn at random, so that given the label the two sides know nothing of each other. The test recordings come from
speakers that training never heard.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmnb.data import digits, spoken_digits
from mmnb.data.rows import SPLITS

RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "same": lambda seen, heard: seen,  # both sides show one digit: each alone would do
    # whether one digit is even and the other odd: neither side alone tells anything
    "xor": lambda seen, heard: (seen + heard) % 2,
}


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """image (n, 1, 8, 8) float32 from 0 to 1; audio (n, 1, 16, 16) float32 from 0 to 1; label (n,); seen, heard (n,), the two digits; speaker (n,)."""

    image: Tensor
    audio: Tensor
    label: Tensor
    seen: Tensor
    heard: Tensor
    speaker: Tensor

    def __len__(self) -> int:
        return len(self.label)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The two modalities under their names."""
        return {"image": self.image, "audio": self.audio}


@dataclass(frozen=True, eq=False, repr=False)
class AvDigits:
    """Training, validation and test pairs; pictures and speakers of one are in no other."""

    train: Split
    validation: Split
    test: Split
    rule: str

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 10 if self.rule == "same" else 2

    def __repr__(self) -> str:
        return f"AvDigits({self.rule}: {len(self.train):,} training, {len(self.validation):,} validation, {len(self.test):,} test pairs)"


def sample(sizes: tuple[int, int, int], rng: np.random.Generator, rule: str = "same") -> AvDigits:
    """Draw training, validation and test pairs of a picture and a recording; `rng` draws everything.

    "same": both sides show the label; "xor": two independent digits, the label is the parity of their sum. Digits are
    uniform, pictures and recordings drawn with replacement within their split. The recordings' log-mel pictures are
    averaged over 2 x 2 cells, to 16 bands and 16 frames. Raises DataUnavailable without the recordings.
    """
    if rule not in RULES or len(sizes) != 3 or min(sizes) < 1:
        expected = f"three numbers >= 1, one of {', '.join(RULES)}"
        raise ValueError(f"av_digits.sample: got sizes={sizes}, rule={rule!r}; expected {expected}")
    pictures, spoken = digits.load(), spoken_digits.load()
    audio = torch.nn.functional.avg_pool2d(spoken.log_mel, 2)
    splits = []
    for name, n in zip(SPLITS, sizes, strict=True):
        seen = torch.from_numpy(rng.integers(10, size=n))
        heard = seen if rule == "same" else torch.from_numpy(rng.integers(10, size=n))
        a = _draw(pictures.rows(name), pictures.digit, seen, rng)
        b = _draw(spoken.rows(name), spoken.digit, heard, rng)
        label = RULES[rule](seen, heard)
        splits.append(Split(pictures.images[a].float() / 16, audio[b], label, seen, heard, spoken.speaker[b]))
    return AvDigits(*splits, rule)


def _draw(rows: Tensor, digit: Tensor, wanted: Tensor, rng: np.random.Generator) -> Tensor:
    """For every wanted digit one of the rows that show it."""
    chosen = torch.empty_like(wanted)
    for value in wanted.unique().tolist():
        there = rows[digit[rows] == value]
        places = wanted == value
        chosen[places] = there[torch.from_numpy(rng.integers(len(there), size=int(places.sum())))]
    return chosen
