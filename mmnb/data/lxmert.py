"""What removing the cross-modal interactions of LXMERT did to its accuracy: the EMAP authors' own numbers, split by split."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmnb.data import remote

TASKS = ("vqa", "gqa")
_LINE = re.compile(r"orig/add/image/text/mean(?:, n points=\d+)?: ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+)")


@dataclass(frozen=True)
class LxmertSplits:
    """Accuracy of LXMERT in per cent on 15 random splits of 500 questions; entry i of every field is split i.

    original  (15,) float64, the model itself
    additive  (15,) float64, its EMAP: the best additive approximation of its logits
    image     (15,) float64, the image marginal: logits averaged over all questions of the split
    text      (15,) float64, the text marginal: logits averaged over all images of the split
    mean      (15,) float64, the constant: logits averaged over all pairs
    task      "vqa" (VQA 2.0 minival, soft accuracy) or "gqa" (GQA testdev, accuracy)

    The splits are drawn from one set with different seeds, so they overlap. Source: github.com/jmhessel/lxmert (MIT licence), the
    files `results.txt` behind the sanity check of Hessel and Lee (2020); 2 kB in all.
    """

    original: np.ndarray
    additive: np.ndarray
    image: np.ndarray
    text: np.ndarray
    mean: np.ndarray
    task: str

    def __len__(self) -> int:
        return len(self.original)


def load(task: str = "vqa") -> LxmertSplits:
    """The accuracies of one task, "vqa" or "gqa". Raises DataUnavailable when they are neither cached nor to be downloaded."""
    if task not in TASKS:
        raise ValueError(f"lxmert.load: got task={task!r}; expected 'vqa' or 'gqa'")
    return LxmertSplits(*read(remote.fetch(f"emap-lxmert/{task}_results.txt")), task=task)


def read(path: Path) -> np.ndarray:
    """Read a results file: one split a line, its five accuracies as a column of the (5, n) result.

    Raises ValueError naming the line that is not of the form "orig/add/image/text/mean: 71.12/41.44/25.86/36.28/25.86".
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            found = _LINE.fullmatch(line.strip())
            if found is None:
                expected = "orig/add/image/text/mean: and five numbers"
                raise ValueError(f"{path.name}, line {number}: got {line!r}; expected {expected}")
            rows.append([float(value) for value in found.groups()])
    if not rows:
        raise ValueError(f"{path.name} holds no split; expected one a line")
    return np.array(rows).T
