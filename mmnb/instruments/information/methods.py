"""One call for all estimators of mutual information: `mi(a, b, method=…)`."""

import warnings
from typing import Any

import numpy as np
from torch import Tensor

from mmnb.instruments.estimate import Estimate
from mmnb.instruments.information.classifiers import held_out_losses, mlp
from mmnb.instruments.information.exact import frequencies, mutual_information
from mmnb.instruments.information.neural import METHODS as NEURAL
from mmnb.instruments.information.neural import neural
from mmnb.instruments.information.training_free import ksg
from mmnb.instruments.information.variables import MutualInformation, Variable, parts_of, variable
from mmnb.instruments.inputs import array, labels

METHODS = ("table", "classifier", "ksg", *NEURAL)
DRAWS = 500  # of the bootstrap


def mi(
    a: Any, b: Any, *, method: str, given: Any = None, seed: int = 0, progress: bool | None = None, **options: Any
) -> MutualInformation:
    """Mutual information I(A;B), or I(A;B|Z), in nats, estimated from n rows.

    | method | A | B | given Z | interval (95 %) | options |
    |---|---|---|---|---|---|
    | table | labels | labels | labels | bootstrap of the rows | `bias_corrected` (Miller-Madow, default True) |
    | classifier | anything | labels | anything | bootstrap of the held-out losses | `classifier`, `folds`, `subtract_shuffled` |
    | ksg | numbers | numbers or labels | numbers (then B numbers, too) | standard error of its terms | `k` |
    | mine, smile | anything | anything, numbers on one side | – | Student-t over critics | see `neural` |

    Args:
        a, b, given: Arrays or tensors (n,) or (n, …): whole numbers and text are labels, real numbers are numbers. A list
            is n examples, a tuple is parts of one joint variable. `given` is the condition Z.
        method: From the table.
        seed: Of the bootstrap, the folds, and all training.
        progress: Show a bar while classifiers or critics are trained; None: on a terminal only.
        options: Of the method.
    Raises: ValueError on an unknown method, lengths that differ, NaN, constant labels, or variables that the method
        cannot treat, with what to use instead; TypeError on numbers where labels are needed.
    Example:
        >>> a = np.repeat([0, 0, 1, 1], 25)
        >>> round(mi(a, a, method="table", bias_corrected=False).value, 4)
        0.6931

    Source: Named in the module of each method. "classifier" is H(B|Z) - H(B|A,Z) of held-out losses: a difference of
        two upper bounds, itself neither an upper nor a lower bound.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"mi: got method {method!r}; expected one of {', '.join(METHODS)}")
    read_from = {"a": a, "b": b} | ({} if given is None else {"given": given})
    named = {name: variable(value, f"mi: {name}") for name, value in read_from.items()}
    read = tuple(named.values())
    if len({v.n for v in read}) != 1:
        raise ValueError(f"mi: got {[v.n for v in read]} rows; expected one length")
    for name in "ab":
        if named[name].discrete and len(np.unique(named[name].codes, axis=0)) < 2:
            raise ValueError(f"mi: all {read[0].n} labels of {name} are equal; expected two values or more")
    if method == "table":
        return _table(*read, seed=seed, **options)
    if method == "classifier":
        return _classifier(a, b, given, seed=seed, progress=progress, **options)
    if method == "ksg":
        return ksg(*read, **options)
    if given is not None:
        raise ValueError(f"mi: {method!r} has no conditional form; expected mi(a, (b, z)) - mi(a, z)")
    return neural(*read, method, seed=seed, progress=progress, **options)


def _table(
    a: Variable, b: Variable, given: Variable | None = None, *, seed: int, bias_corrected: bool = True
) -> MutualInformation:
    if not all(v is None or v.discrete for v in (a, b, given)):
        raise ValueError("mi: method 'table' counts labels; expected whole numbers. For numbers use 'ksg', or bin them")
    codes = [a.code(), b.code(), np.zeros(a.n, dtype=np.int64) if given is None else given.code()]
    sizes = [int(code.max()) + 1 for code in codes]

    cells = len(np.unique(np.stack(codes), axis=1).T)
    if cells > a.n / 5:
        got = f"{cells} occupied cells in {a.n} rows: information appears that is not there"
        warnings.warn(f"mi: method 'table' got {got}; expected five rows for each cell", stacklevel=3)

    def once(rows: np.ndarray) -> float:
        table = frequencies([code[rows] for code in codes], sizes)
        return mutual_information(table, 0, 1, given=2) - (_excess(table, len(rows)) if bias_corrected else 0.0)

    value = once(np.arange(a.n))
    rng = np.random.default_rng(seed)
    draws = np.array([once(rng.integers(a.n, size=a.n)) for _ in range(DRAWS)])
    low, high = np.quantile(draws - draws.mean(), [0.025, 0.975])  # around the estimate: resamples have their own bias
    estimate = Estimate(value, value + float(low), value + float(high), n=a.n)
    return MutualInformation(estimate, "table", a.n, np.array([value]))


def _excess(table: np.ndarray, n: int) -> float:
    """Bias of the plug-in estimate: (occupied cells of ABZ and Z less those of AZ and BZ) / 2n."""
    cells = [int((margin > 0).sum()) for margin in (table.sum(1), table.sum(0), table, table.sum((0, 1)))]
    return (cells[2] + cells[3] - cells[0] - cells[1]) / (2 * n)


def _classifier(
    a: Any,
    b: Any,
    given: Any,
    *,
    seed: int,
    progress: bool | None,
    classifier: Any = None,
    folds: Any = 5,
    subtract_shuffled: bool = False,
) -> MutualInformation:
    code = labels(b, "mi: b", fewest=2)[0]
    options = dict(classifier=mlp(seed=seed) if classifier is None else classifier, folds=folds, seed=seed)
    inputs, known = _numbers(a), None if given is None else _numbers(given)

    def gain(y: np.ndarray) -> np.ndarray:
        shares = np.bincount(y) / len(y)
        before = -np.log(shares[y]) if known is None else held_out_losses(known, y, progress=progress, **options)
        joint = inputs if known is None else (*inputs, *known)
        return before - held_out_losses(joint, y, progress=progress, **options)

    terms = gain(code)
    rng = np.random.default_rng(seed)
    if subtract_shuffled:
        terms = terms - gain(rng.permutation(code)).mean()
    n = len(terms)
    low, high = np.quantile([terms[rng.integers(n, size=n)].mean() for _ in range(DRAWS)], [0.025, 0.975])
    estimate = Estimate(float(terms.mean()), float(low), float(high), n=n)
    return MutualInformation(estimate, "classifier", n, np.array([part.mean() for part in np.array_split(terms, 5)]))


def _numbers(x: Any) -> tuple[Any, ...]:
    """What a classifier sees: numbers as they are, labels one-hot."""
    parts = [part if isinstance(part, Tensor) else array(part, "mi") for part in parts_of(x)]
    read = [variable(part, "mi") for part in parts]
    return tuple(part if v.continuous else v.one_hot() for part, v in zip(parts, read, strict=True))
