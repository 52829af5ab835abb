"""Mutual information under one assumption: that ranks, read as normal numbers, are jointly normal. Fast, exact where it holds, too low elsewhere."""

import numpy as np
from scipy.stats import norm, rankdata

from mmnb.instruments.information.variables import Estimate, Variable


def copula(x: Variable, y: Variable, z: Variable | None = None) -> Estimate:
    """I(X;Y) or I(X;Y|Z) of numbers, as if all of them had a Gaussian copula.

    Formula: every column is replaced by the normal quantiles of its ranks; with C the correlation matrix of a set of columns,
    I = 1/2 (log|C_xz| + log|C_yz| - log|C_xyz| - log|C_z|).

    Args:    x, y, z, variables of (n, d) numbers, n larger than all columns together.
    Returns: `Estimate` without interval. For other copulas it misses what is not linear among normal scores.
    Raises:  ValueError on labels, too few rows, or columns that are constant or determine one another.
    Source:  Ince et al. 2017 (GCMI), without their bias correction.
    """
    parts = [v for v in (x, y, z) if v is not None]
    if not all(v.continuous for v in parts):
        raise ValueError(
            "copula: got labels; expected numbers for all variables. For labels use method 'table', 'classifier' or 'ksg'"
        )
    widths = [v.numbers.shape[1] for v in parts]
    if x.n <= sum(widths) + 1:
        raise ValueError(f"copula: got {x.n} rows of {sum(widths)} columns; expected more rows than columns")
    ranks = rankdata(np.concatenate([v.numbers for v in parts], 1), axis=0)
    with np.errstate(invalid="ignore"):  # of a constant column, refused below
        correlations = np.corrcoef(norm.ppf(ranks / (x.n + 1)), rowvar=False).reshape(sum(widths), -1)
    of = np.repeat(np.arange(len(parts)), widths)

    def log_det(*keep: int) -> float:
        sign, value = np.linalg.slogdet(correlations[np.ix_(np.isin(of, keep), np.isin(of, keep))])
        if not (sign > 0 and value >= -500):  # a constant column makes both NaN
            raise ValueError("copula: some columns are constant or determine others; expected finite information")
        return float(value)

    given = (2,) if z is not None else ()
    nats = 0.5 * (log_det(0, *given) + log_det(1, *given) - log_det(0, 1, *given) - (log_det(*given) if given else 0.0))
    return Estimate(nats, None, np.array([nats]), "copula", x.n)
