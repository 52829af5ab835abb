"""What an estimator of information is given, and what it returns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from mmnb.instruments.batches import each_part
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import array, labels
from mmnb.instruments.inputs import numbers as read_numbers
from mmnb.instruments.result import Result

MOST_VALUES = 1000  # one-hot columns that any number of rows may have; with more rows, as many as rows


@dataclass(frozen=True, eq=False)
class MutualInformation(Result):
    """An estimated mutual information.

    Attributes:
        estimate: Nats, with the 95 % interval of the method where it has one.
        method, n: Name of the estimator, and number of rows.
        trace: (k,) nats: held-out values during training, means of five parts of the rows, or the value alone.
    """

    estimate: Estimate
    method: str
    n: int
    trace: np.ndarray = field(repr=False)

    def estimates(self) -> dict[str, Estimate]:
        """The information in nats."""
        return {"nats": self.estimate}

    @classmethod
    def of_terms(cls, terms: np.ndarray, method: str) -> "MutualInformation":
        """Mean of one term a row, with 1.96 standard errors on either side."""
        n, value = len(terms), float(terms.mean())
        half = float(1.96 * terms.std(ddof=1) / n**0.5)
        return cls(Estimate(value, value - half, value + half, n=n), method, n, np.array([value]))


@dataclass(frozen=True)
class Variable:
    """One variable: `numbers` (n, d) float64 with d >= 0, and `codes` (n, k) int64 with k >= 0 label columns."""

    numbers: np.ndarray
    codes: np.ndarray

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.numbers)

    @property
    def discrete(self) -> bool:
        """Whether it consists of labels alone."""
        return self.numbers.shape[1] == 0

    @property
    def continuous(self) -> bool:
        """Whether it consists of numbers alone."""
        return self.codes.shape[1] == 0

    def code(self) -> np.ndarray:
        """All label columns as one, numbered from 0."""
        return np.unique(self.codes, axis=0, return_inverse=True)[1].reshape(-1)

    def one_hot(self) -> np.ndarray:
        """All label columns as indicators side by side, (n, total number of values) float64."""
        columns = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in self.codes.T]
        values = sum(int(column.max()) + 1 for column in columns)
        if values > max(self.n, MOST_VALUES):
            got = f"{len(columns)} columns of whole numbers with {values} values in {self.n} rows"
            raise ValueError(f"mi: got {got}; expected labels. Pixels and counts are numbers: give them as floats")
        parts = [np.eye(column.max() + 1)[column] for column in columns]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.n, 0))


def parts_of(value: Any) -> list[Any]:
    """The parts of a variable: of a tuple, nested or not, of a DataFrame its columns; anything else is one part, a list N examples."""
    if isinstance(value, tuple):
        return [part for inner in value for part in parts_of(inner)]
    return [value.iloc[:, k] for k in range(value.shape[1])] if hasattr(value, "iloc") and value.ndim == 2 else [value]


def variable(value: Any, name: str) -> Variable:
    """Read a variable: whole numbers and text are labels, real numbers are numbers, a tuple of both is one joint variable.

    Every part is (n,) or (n, …), in any form that `inputs.array` reads, flattened to two axes; every column of labels is a
    label of its own. A list is N examples.

    Example:
        >>> v = variable((np.zeros((4, 3)), np.array([0, 1, 0, 2])), "a")
        >>> v.numbers.shape, v.codes.shape, v.one_hot().shape
        ((4, 3), (4, 1), (4, 3))
        >>> variable([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]], "a").numbers.shape
        (3, 2)
    """
    numbers, codes = [], []
    for part in parts_of(value):
        found = np.atleast_1d(array(part, name))
        if found.dtype.kind == "f":
            numbers.append(read_numbers(found, name, "(n, ...)").reshape(len(found), -1).numpy())
        else:
            columns = found.reshape(len(found), -1).T if found.size else [found]
            codes.append(np.stack([labels(column, name)[0] for column in columns], 1))
    lengths = {len(part) for part in (*numbers, *codes)}
    if len(lengths) != 1:
        raise ValueError(f"{name}: its parts have {sorted(lengths)} rows; expected one length")
    none = np.zeros((lengths.pop(), 0))
    return Variable(np.concatenate([none, *numbers], 1), np.concatenate([none.astype(np.int64), *codes], 1))


def modality(a: Any, name: str) -> Any:
    """Examples for a classifier: tensors, arrays and lists as they are, a DataFrame as an array; what `array` refuses is refused."""

    def checked(part: Any) -> Any:
        return (
            part
            if isinstance(part, list) or (found := array(part, name)) is part or isinstance(part, Tensor)
            else found
        )

    return each_part(a, checked)


def indices(value: Any, name: str, n: int | None = None) -> np.ndarray:
    """Labels (n,) int64 that count from 0 in columns which somebody else has numbered: kept as they are, none below 0."""
    codes, classes = labels(value, name, n)
    if not isinstance(classes[0], int) or classes[0] < 0:
        raise ValueError(f"{name}: got labels such as {classes[0]!r}; expected whole numbers from 0")
    return np.asarray(classes, dtype=np.int64)[codes]
