"""One call for all estimators: `mi(x, y, method=…)`, and which of them can treat what."""

from typing import Any

import numpy as np

from mmnb.instruments.information.copula import copula
from mmnb.instruments.information.exact import joint_table, mutual_information
from mmnb.instruments.information.held_out import held_out_losses
from mmnb.instruments.information.ksg import ksg
from mmnb.instruments.information.neural import METHODS as NEURAL
from mmnb.instruments.information.neural import neural
from mmnb.instruments.information.residual import residual
from mmnb.instruments.information.trained import mlp
from mmnb.instruments.information.variables import Estimate, Variable, labels, variable

METHODS = ("table", "classifier", "ksg", "residual", "copula", *NEURAL)
DRAWS = 500  # of the bootstrap


def mi(x: Any, y: Any, z: Any = None, *, method: str, seed: int = 0, **options: Any) -> Estimate:
    """Mutual information I(X;Y), or I(X;Y|Z), in nats, estimated from n rows.

    | method | X | Y | given Z | interval (95 %) | options |
    |---|---|---|---|---|---|
    | table | labels | labels | labels | bootstrap of the rows | `bias_corrected` (Miller-Madow, default True) |
    | classifier | anything | labels | anything | bootstrap of the held-out losses | `classifier`, `folds`, `floor` |
    | ksg | numbers | numbers or labels | numbers (then Y numbers, too) | standard error of its terms | `k` |
    | residual | numbers | numbers | numbers | standard error of its terms | `k` |
    | copula | numbers | numbers | numbers | – | – |
    | mine, nwj, infonce, smile | anything | anything, numbers on one side | – | Student-t over critics | see `neural` |

    Args:    x, y, z, arrays or tensors (n,) or (n, …): whole numbers are labels, real numbers are numbers, a tuple is several of them
             together; method, from the table; seed; options of the method.
    Returns: `Estimate`.
    Raises:  ValueError on an unknown method, lengths that differ, NaN, constant labels, or variables that the method cannot treat, with what
             to use instead; TypeError where numbers are given and labels are meant.
    Example:
        >>> a = np.repeat([0, 0, 1, 1], 25)
        >>> round(mi(a, a, method="table", bias_corrected=False).value, 4)
        0.6931

    Source:  the module of each method names it. "classifier" is H(Y|Z) - H(Y|X,Z) of held-out losses: a difference of two upper bounds,
             neither an upper nor a lower bound itself.
    """
    if method not in METHODS:
        raise ValueError(f"mi: got method {method!r}; expected one of {', '.join(METHODS)}")
    read = [variable(v, f"mi: {name}") for name, v in (("x", x), ("y", y), ("z", z)) if v is not None]
    if len({v.n for v in read}) != 1:
        raise ValueError(f"mi: got {[v.n for v in read]} rows; expected one length")
    for name, v in zip("xyz", read, strict=False):
        if v.discrete and len(np.unique(v.codes, axis=0)) < 2 and name != "z":
            raise ValueError(f"mi: all {v.n} labels of {name} are equal; expected two values or more")
    if method == "table":
        return _table(*read, seed=seed, **options)
    if method == "classifier":
        return _classifier(x, y, z, seed=seed, **options)
    if method in ("ksg", "residual", "copula"):
        return {"ksg": ksg, "residual": residual, "copula": copula}[method](*read, **options)
    if z is not None:
        raise ValueError(
            f"mi: method {method!r} has no conditional form; expected no z. Take mi(x, (y, z)) - mi(x, z), as the complementarity paper does"
        )
    return neural(*read, method, seed=seed, **options)


def classifier_entropy(y: Any, x: Any, *, classifier: Any = None, folds: Any = 5, seed: int = 0) -> Estimate:
    """H(Y|X) in nats by a classifier: its mean loss on rows that it was not trained on, an upper bound up to sampling.

    Args:    y, (n,) labels; x, as for `mi`; classifier (default `mlp()`) and folds, as for `held_out_losses`; seed, of folds, training and bootstrap.
    Returns: `Estimate` with the bootstrap interval of the losses, which does not cover what a better classifier would still find.
    Raises:  as `held_out_losses` and `mi`.
    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> x, coin = np.random.default_rng(0).integers(2, size=(2, 2000))
        >>> round(classifier_entropy(x, x, classifier=LogisticRegression(C=1e4)).value, 2)
        0.0
        >>> round(classifier_entropy(coin, x, classifier=LogisticRegression()).value, 2)  # log 2
        0.69

    Source:  the module `held_out`.
    """
    labels(y, "classifier_entropy: y")
    seen = _numbers(x)
    losses = held_out_losses(seen, y, mlp(seed=seed) if classifier is None else classifier, folds=folds, seed=seed)
    return _mean(losses, np.random.default_rng(seed))


def _table(x: Variable, y: Variable, z: Variable | None = None, *, seed: int, bias_corrected: bool = True) -> Estimate:
    if not all(v is None or v.discrete for v in (x, y, z)):
        raise ValueError(
            "mi: method 'table' counts labels; expected whole numbers for all variables. For numbers: 'ksg', or bin them first"
        )
    codes = [x.code(), y.code(), np.zeros(x.n, dtype=np.int64) if z is None else z.code()]
    sizes = [int(code.max()) + 1 for code in codes]

    def once(rows: np.ndarray) -> float:
        table = joint_table(*(code[rows] for code in codes), sizes=sizes)
        return mutual_information(table, 0, 1, given=2) - (_excess(table, len(rows)) if bias_corrected else 0.0)

    found = once(np.arange(x.n))
    rng = np.random.default_rng(seed)
    draws = np.array([once(rng.integers(x.n, size=x.n)) for _ in range(DRAWS)])
    centred = np.quantile(draws - draws.mean(), [0.025, 0.975])  # around the estimate: a resample has a bias of its own
    return Estimate(found, (found + float(centred[0]), found + float(centred[1])), np.array([found]), "table", x.n)


def _excess(table: np.ndarray, n: int) -> float:
    """What the plug-in estimate is too high by: (cells found of XZ and YZ against XYZ and Z) / 2n."""
    seen = [int((margin > 0).sum()) for margin in (table.sum(1), table.sum(0), table, table.sum((0, 1)))]
    return (seen[2] + seen[3] - seen[0] - seen[1]) / (2 * n)


def _classifier(
    x: Any, y: Any, z: Any, *, seed: int, classifier: Any = None, folds: Any = 5, floor: bool = False
) -> Estimate:
    code = labels(y, "mi: y")
    classifier = mlp(seed=seed) if classifier is None else classifier
    inputs, known = _numbers(x), None if z is None else _numbers(z)

    def gain(y: np.ndarray) -> np.ndarray:
        shares = np.bincount(y) / len(y)
        before = -np.log(shares[y]) if known is None else held_out_losses(known, y, classifier, folds=folds, seed=seed)
        joint = inputs if known is None else (*inputs, *known)
        return before - held_out_losses(joint, y, classifier, folds=folds, seed=seed)

    terms = gain(code)
    rng = np.random.default_rng(seed)
    if floor:
        terms = terms - gain(rng.permutation(code)).mean()
    return _mean(terms, rng)


def _mean(terms: np.ndarray, rng: np.random.Generator) -> Estimate:
    draws = [terms[rng.integers(len(terms), size=len(terms))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    parts = np.array([part.mean() for part in np.array_split(terms, 5)])
    return Estimate(float(terms.mean()), (float(low), float(high)), parts, "classifier", len(terms))


def _numbers(x: Any) -> tuple[Any, ...]:
    """What a classifier sees: numbers as they are, labels one-hot."""
    parts = x if isinstance(x, tuple) else (x,)
    seen = [variable(part, "mi") for part in parts]
    return tuple(part if v.continuous else v.one_hot() for part, v in zip(parts, seen, strict=True))
