"""Mutual information as a difference of entropies, after the linear part of the dependence has been taken out: neighbours where neighbours alone fail."""

import numpy as np

from mmnb.instruments.information.ksg import neighbour_distance, pair_terms, standard
from mmnb.instruments.information.variables import Estimate, Variable

SMALLEST = 1e-13  # a direction with this share of the variance it is compared with counts as empty


def residual(x: Variable, y: Variable, z: Variable | None = None, *, k: int = 3) -> Estimate:
    """I(X;Y) or I(X;Y|Z) of numbers: entropy of Y less that of what a linear fit on X leaves of it, plus what X still says about that rest.

    Formula: with the least-squares residual R = Y - B X - c, which is Y moved by something that X fixes, h(Y|X) = h(R|X) = h(R) - I(X;R), so
    I(X;Y) = h(Y) - h(R) + I(X;R), whatever B is. The entropies are those of k-th neighbours, h = psi(n) - psi(k) + d log 2 + d mean log e_i with
    e_i the distance (largest coordinate) to the k-th neighbour, Y and R each made white first, which adds its log determinant; I(X;R) is `ksg`.
    Given Z: I(X,Z;Y) - I(Z;Y).

    Args:    x, y, z, variables of (n, d) numbers, n larger than all columns together; k, neighbours, >= 1.
    Returns: `Estimate`; the interval is value +- 1.96 standard errors of the rows' terms: sampling, not bias. Neighbours of h(Y) and h(R) err alike where Y and
             R have like shapes, so the bias of large information and many dimensions that `ksg` has largely cancels. Where the dependence is not
             linear, I(X;R) is as hard as I(X;Y) was, and nothing is gained or lost.
    Raises:  ValueError on labels, too few rows, columns that determine one another (infinite information), or as `ksg`.
    Example:
        >>> from mmnb.instruments.information.variables import variable
        >>> rng = np.random.default_rng(0)
        >>> x, noise = rng.normal(size=(2, 2000, 1))
        >>> close = residual(variable(x, "x"), variable(x + 0.001 * noise, "y"))  # the truth is log(1 + 10^6) / 2 = 6.9
        >>> round(close.value, 1)
        6.9

    Source:  the identity is the chain rule; entropies by Kozachenko & Leonenko 1987; differences of entropies in place of bounds: McAllester & Stratos 2020.
    """
    parts = [v for v in (x, y, z) if v is not None]
    if not all(v.continuous for v in parts):
        raise ValueError(
            "residual: got labels; expected numbers for all variables. For labels use method 'table', 'classifier' or 'ksg'"
        )
    if x.n <= sum(v.numbers.shape[1] for v in parts) + 1 or x.n <= k or k < 1:
        raise ValueError(f"residual: got {x.n} rows, k={k}; expected n > k >= 1, and more rows than columns")
    if z is None:
        terms = _terms(x.numbers, y.numbers, k)
    else:
        terms = _terms(np.concatenate([x.numbers, z.numbers], 1), y.numbers, k) - _terms(z.numbers, y.numbers, k)
    value, half = float(terms.mean()), float(1.96 * terms.std(ddof=1) / len(terms) ** 0.5)
    return Estimate(value, (value - half, value + half), np.array([value]), "residual", x.n)


def _terms(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    x, y = standard(x), _white(standard(y))[0]  # h(Y) and h(R) change alike, so Y may start white:
    # what is left of it is then a share of 1, and a share of nothing is an exact copy, whatever the units
    rest, log_rest = _white(y - x @ np.linalg.lstsq(x, y, rcond=None)[0], largest=1.0)
    return y.shape[1] * (_log_distance(y, k) - _log_distance(rest, k)) - log_rest + pair_terms(x, rest, k)


def _log_distance(points: np.ndarray, k: int) -> np.ndarray:
    distance = neighbour_distance(points, k)
    return np.log(np.maximum(distance, distance[distance > 0].min()))  # rounding repeats a few rows


def _white(columns: np.ndarray, largest: float | None = None) -> tuple[np.ndarray, float]:
    """The columns turned and scaled to the unit covariance, and the log volume that this took out.

    Raises: ValueError when a direction's variance is next to nothing beside `largest` (default: the largest of these columns).
    """
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(columns, rowvar=False)))
    if values.min() <= SMALLEST * (values.max() if largest is None else largest):
        raise ValueError("residual: some columns determine others; expected finite information")
    return columns @ vectors / np.sqrt(values), float(0.5 * np.log(values).sum())
