"""What an estimator of information is given, and what it returns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.result import Result


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
        parts = [np.eye(column.max() + 1)[column] for column in columns]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.n, 0))


def variable(value: Any, name: str) -> Variable:
    """Read a variable: whole numbers are labels, real numbers are numbers, a tuple or list of both is one joint variable.

    Arrays and tensors are (n,) or (n, …), flattened to two axes; every column of whole numbers is a label of its own.

    Example:
        >>> v = variable((np.zeros((4, 3)), np.array([0, 1, 0, 2])), "a")
        >>> v.numbers.shape, v.codes.shape, v.one_hot().shape
        ((4, 3), (4, 1), (4, 3))
    """
    parts = value if isinstance(value, tuple | list) and len(value) and not np.isscalar(value[0]) else (value,)
    numbers, codes = [], []
    for part in parts:
        array = part.detach().cpu().numpy() if isinstance(part, torch.Tensor) else np.asarray(part)
        if array.ndim == 0 or not len(array):
            raise ValueError(f"{name}: got shape {array.shape}; expected (n,) or (n, …) with n >= 1")
        flat = array.reshape(len(array), -1)
        if np.issubdtype(array.dtype, np.floating):
            if not np.isfinite(flat).all():
                bad = int((~np.isfinite(flat)).any(axis=1).sum())
                raise ValueError(f"{name}: {bad} of {len(flat)} rows hold NaN or infinity; expected finite numbers")
            numbers.append(flat.astype(np.float64))
        elif np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
            codes.append(flat.astype(np.int64))
        else:
            raise TypeError(f"{name}: got {array.dtype}; expected real numbers, or whole numbers as labels")
    lengths = {len(part) for part in (*numbers, *codes)}
    if len(lengths) != 1:
        raise ValueError(f"{name}: its parts have {sorted(lengths)} rows; expected one length")
    none = np.zeros((lengths.pop(), 0))
    return Variable(np.concatenate([none, *numbers], 1), np.concatenate([none.astype(np.int64), *codes], 1))


def labels(y: Any, name: str, fewest: int = 2) -> np.ndarray:
    """`y` as (n,) int64 labels numbered from 0; raises an error unless every class has `fewest` examples or more."""
    array = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    if not (np.issubdtype(array.dtype, np.integer) or array.dtype == bool):
        raise TypeError(f"{name}: got labels of {array.dtype}; expected whole numbers, one per class")
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name}: got labels of shape {array.shape}; expected (n,)")
    values, code, count = np.unique(array, return_inverse=True, return_counts=True)
    if len(values) < 2:
        raise ValueError(f"{name}: all {len(array)} labels are {values[0]}; expected two classes or more")
    if count.min() < fewest:
        rare, few = values[count.argmin()], int(count.min())
        raise ValueError(f"{name}: class {rare} has {few} example{'s' * (few != 1)}; expected at least {fewest} each")
    return code.reshape(-1)
