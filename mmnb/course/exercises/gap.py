"""Exercises 04a to 04c: the cone in O(n d), the optimum of six pairs, and closing the gap without losing ranks. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cone(rows: np.ndarray) -> float:
    """Mean cosine of two different rows, by the definition."""
    cosines = _unit(rows) @ _unit(rows).T
    return cosines[~np.eye(len(rows), dtype=bool)].mean()


def best_angle(scale: float, tau: float) -> float:
    """The height in degrees at which cos(height) / tau is nearest to `scale`."""
    return float(np.degrees(np.arccos(min(1.0, scale * tau))))


def close(x: np.ndarray, y: np.ndarray, x_train: np.ndarray, y_train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each side minus its own training mean, back on the sphere."""
    return _unit(x - x_train.mean(0)), _unit(y - y_train.mean(0))


def _shifted(x, y, x_train, y_train):
    delta = x_train.mean(0) - y_train.mean(0)
    return _unit(x - delta / 2), _unit(y + delta / 2)


# tolerance: sums of fewer than 10,000 products near 1 in float64, rounding below 1e-12
@exercise("04a", "A mean over all pairs without all pairs", cone, atol=1e-10).against(
    lambda X: (_unit(X).sum(0) ** 2).sum() / len(X) ** 2,  # with the diagonal
    lambda X: ((X.sum(0) ** 2).sum() - len(X)) / (len(X) * (len(X) - 1)),  # rows not normalised
    lambda X: (_unit(X).mean(0) ** 2).sum() - 1 / (len(X) - 1),  # the diagonal taken off at the wrong scale
)
def _cases_04a(rng):
    yield "two equal rows", (np.array([[1.0, 2.0], [1.0, 2.0]]),)
    yield "two opposite rows", (np.array([[1.0, 2.0], [-3.0, -6.0]]),)
    yield "unit rows", (np.eye(4),)
    for n, d in ((2, 1), (5, 3), (30, 7), (90, 2)):
        yield f"{n} rows in {d} dimensions", (rng.normal(size=(n, d)) + 0.5,)
    yield "a transposed view", (rng.normal(size=(4, 9)).T,)


@exercise("04b", "When does a gap pay?", best_angle, atol=1e-8).against(  # arccos near 1 loses half of the digits: 1e-8
    lambda scale, tau: float(np.arccos(min(1.0, scale * tau))),  # radians
    lambda scale, tau: float(np.degrees(np.arcsin(min(1.0, scale * tau)))),  # the height from the pole
    lambda scale, tau: float(np.degrees(np.arccos(min(1.0, 1 / (scale * tau))))),  # upside down
)
def _cases_04b(rng):
    yield "CLIP's temperature", (21.216, 0.01)
    yield "too hot for a gap", (21.216, 1.0)
    yield "at the edge", (20.0, 0.05)
    for scale, tau in zip(rng.uniform(2, 60, 12), rng.uniform(0.005, 0.2, 12), strict=True):
        yield f"scale {scale:.2f}, tau {tau:.3f}", (float(scale), float(tau))


@exercise("04c", "Close the gap and keep the ranks", close, atol=1e-10).against(  # as in 04a
    _shifted,  # along the gap, which costs ranks
    lambda x, y, x_train, y_train: close(x, y, x, y),  # the means of the rows to be judged
    lambda x, y, x_train, y_train: (x - x_train.mean(0), y - y_train.mean(0)),  # not on the sphere
)
def _cases_04c(rng):
    for n, m, d in ((2, 1, 2), (5, 5, 3), (3, 2, 9), (8, 20, 4), (30, 7, 6)):
        draw = [rng.normal(size=(k, d)) + place for k, place in ((n, 1.0), (n, -1.0), (m, 1.0), (m + 2, -1.0))]
        yield f"{n} rows, {m} to train on, {d} dimensions", tuple(map(_unit, draw))
