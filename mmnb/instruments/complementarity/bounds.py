"""The smallest possible error and its bounds by entropies: Fano, and Feder and Merhav."""

import math

import numpy as np
from scipy.optimize import brentq

from mmnb.instruments.information.exact import checked
from mmnb.instruments.inputs import real, whole


def bayes_error(table: np.ndarray, observed: str = "ab") -> float:
    """Error of the best possible classifier that observes a, b, both or neither, from 0 to 1 - 1/n_y.

    Formula: 1 - sum_x max_y p(x, y), x what is observed.
    Args:
        table: (n_a, n_b, n_y), joint probabilities.
        observed: "ab", "a", "b" or "".
    Raises: ValueError when it is not a table of probabilities with three axes, or on another `observed`.
    Example:
        >>> xor = np.zeros((2, 2, 2)); xor[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 1 / 4
        >>> bayes_error(xor), bayes_error(xor, "a")
        (0.0, 0.5)

    Source: Section 3.1 of the complementarity paper.
    """
    p = checked(table, "bayes_error", axes=3)
    if not isinstance(observed, str) or observed not in ("ab", "a", "b", ""):
        raise ValueError(f"bayes_error: got observed={observed!r}; expected 'ab', 'a', 'b' or ''")
    hidden = tuple(axis for axis, name in enumerate("ab") if name not in observed)
    return float(1 - p.sum(axis=hidden).max(axis=-1).sum()) + 0.0


def fano(nats: float, classes: int) -> float:
    """Lower bound of the error, as the paper prints it: (H - log 2) / log C. Empty (<= 0) for two classes.

    Args:
        nats: H(y | what is observed), 0 to log C.
        classes: C, at least 2.
    Example:
        >>> fano(math.log(2), 2), round(fano(math.log(10), 10), 3)
        (0.0, 0.699)

    Source: Fano 1961; theorem 3.1 of the complementarity paper.
    """
    _check(nats, classes, "fano")
    return (nats - math.log(2)) / math.log(classes)


def feder_merhav(nats: float) -> float:
    """Upper bound of the error: 1 - exp(-H), with H(y | what is observed) >= 0 in nats.

    Example:
        >>> round(feder_merhav(math.log(2)), 6)
        0.5

    Source: Feder & Merhav 1994; theorem 3.1 of the complementarity paper.
    """
    real(nats, "feder_merhav: nats", 0)
    return 1 - math.exp(-nats)


def fano_exact(nats: float, classes: int = 2) -> float:
    """The sharp form of Fano's bound: the smallest error e with h(e) + e log(C - 1) = H; for two classes h^-1(H).

    Args:
        nats, classes: As for `fano`.
    Example:
        >>> round(fano_exact(math.log(2)), 6), round(fano_exact(math.log(10), 10), 6)
        (0.5, 0.9)

    Source: Cover & Thomas, theorem 2.10.1, before it is weakened.
    """
    _check(nats, classes, "fano_exact")
    top = 1 - 1 / classes

    def excess(e: float) -> float:
        h = -sum(p * math.log(p) for p in (e, 1 - e) if p > 0)
        return h + e * math.log(classes - 1) - nats

    if excess(top) <= 0:
        return top
    return 0.0 if nats <= 0 else float(brentq(excess, 0.0, top, xtol=1e-14))


def squared_error_gap(gain: float, width: float) -> float:
    """Upper bound of the rise in mean squared error when a modality goes missing, for y in an interval.

    Formula: width^2 * gain / 2. For y in [0, 1] that is gain / 2; for y in [-1, 1] it is 2 gain (the paper: gain / 2).
    Args:
        gain: I(b; y | a) in nats, >= 0.
        width: Of the interval that holds y, > 0.
    Example:
        >>> squared_error_gap(0.5, width=2.0)
        1.0

    Source: Pinsker, |E[y|a,b] - E[y|a]| <= width * (total variation); total variation^2 <= gain / 2. Corrects eq. 4.
    """
    real(gain, "squared_error_gap: gain", 0)
    if real(width, "squared_error_gap: width", 0) == 0:
        raise ValueError("squared_error_gap: width: got 0; expected more than 0")
    return width**2 * gain / 2


def _check(nats: float, classes: int, caller: str) -> None:
    real(nats, f"{caller}: nats of {classes} classes", 0, math.log(whole(classes, f"{caller}: classes", 2)) + 1e-9)
