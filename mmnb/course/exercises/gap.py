"""Exercises 04a to 04f of notebooks 04 and 04b. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def axis_angles(cosines: np.ndarray) -> np.ndarray:
    """Angles to the mean direction, in degrees: the mean x has x_i . x = mean of row i, |x|^2 = mean of all."""
    return np.degrees(np.arccos(np.clip(cosines.mean(1) / np.sqrt(cosines.mean()), -1, 1)))


def best_angle(scale: float, tau: float) -> float:
    """The height in degrees at which cos(height) / tau is nearest to `scale`."""
    return float(np.degrees(np.arccos(min(1.0, scale * tau))))


def share_along(x: np.ndarray, y: np.ndarray, v: np.ndarray) -> float:
    """Squared component of the gap vector along v, relative to its squared length."""
    delta = x.mean(0) - y.mean(0)
    return float((delta @ v / np.linalg.norm(v)) ** 2 / (delta**2).sum())


def _log_sum_exp(logits: np.ndarray, axis: int) -> np.ndarray:
    return np.logaddexp.reduce(logits, axis=axis)


def pull_and_push(a: np.ndarray, b: np.ndarray, tau: float) -> tuple[float, float]:
    """The two parts of the symmetric contrastive loss: minus the mean logit of the pairs, and the mean log-sum-exp of rows and columns."""
    logits = a @ b.T / tau
    push = (_log_sum_exp(logits, 1).mean() + _log_sum_exp(logits, 0).mean()) / 2
    return float(-np.trace(logits) / len(a)), float(push)


def rise_and_fall(gaps: np.ndarray) -> tuple[float, float]:
    """How far a path rises above its start, and how far it ends below its highest point."""
    return float(gaps.max() - gaps[0]), float(gaps.max() - gaps[-1])


def closed_since(steps: np.ndarray, gaps: np.ndarray, level: float) -> float:
    """The first measured step from which on the gap stays below `level`; infinity if it ends above."""
    above = np.flatnonzero(gaps >= level)
    if not len(above):
        return float(steps[0])
    return float(steps[above[-1] + 1]) if above[-1] + 1 < len(steps) else float("inf")


# tolerance: arccos near 1 loses half of the digits, 1e-8 radians
@exercise("04a", "The angle to the axis from cosines alone", axis_angles, atol=1e-5).against(
    lambda C: np.degrees(np.arccos(np.clip(C.mean(1), -1, 1))),  # the length of the mean forgotten
    lambda C: np.full(
        len(C), np.degrees(np.arccos(np.clip(C.mean(), -1, 1))) / 2
    ),  # half of the typical angle, as in the plane
    lambda C: np.arccos(np.clip(C.sum(1) / np.sqrt(C.sum()), -1, 1)),  # radians
)
def _cases_04a(rng):
    yield "three edges of a cube", (np.eye(3),)
    yield "one vector twice", (np.ones((2, 2)),)
    for n, d in ((2, 2), (5, 3), (30, 7), (40, 100)):
        rows = _unit(rng.normal(size=(n, d)) + 1.0)
        yield f"{n} vectors in {d} dimensions", (rows @ rows.T,)


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


# tolerance: sums of fewer than 1,000 products near 1 in float64, divided by a squared gap above 0.01
@exercise("04c", "The gap along a direction", share_along, atol=1e-10).against(
    lambda X, Y, v: (lambda d: (d @ v) ** 2 / (d @ d))(X.mean(0) - Y.mean(0)),  # v not scaled to length 1
    lambda X, Y, v: (lambda d: abs(d @ v) / np.sqrt((d @ d) * (v @ v)))(X.mean(0) - Y.mean(0)),  # not squared
    lambda X, Y, v: (lambda d: (d @ v) ** 2 / (v @ v))(X.mean(0) - Y.mean(0)),  # not relative to the gap
)
def _cases_04c(rng):
    for n, m, d in ((1, 1, 2), (5, 5, 3), (3, 2, 9), (30, 40, 6)):
        x, y = (_unit(rng.normal(size=(k, d)) + place) for k, place in ((n, 1.0), (m, -1.0)))
        yield f"{n} and {m} rows, any direction", (x, y, rng.normal(size=d) * 3)
        yield f"{n} and {m} rows, along the gap", (x, y, 0.5 * (x.mean(0) - y.mean(0)))


# tolerance: float64, at most 20 logits of at most 100
@exercise("04d", "Pull and push", pull_and_push, atol=1e-9).against(
    lambda a, b, tau: tuple(part * tau for part in pull_and_push(a, b, tau)),  # without the temperature
    lambda a, b, tau: (
        pull_and_push(a, b, tau)[0],
        float(_log_sum_exp(a @ b.T / tau, 1).mean()),
    ),  # images to texts alone
    lambda a, b, tau: (
        pull_and_push(a, b, tau)[0],
        float(np.log(np.exp(a @ b.T / tau).mean(1)).mean()),
    ),  # a mean for the sum
)
def _cases_04d(rng):
    yield "two orthogonal pairs", (np.eye(2), np.eye(2), 1.0)
    for n, d, tau in ((1, 3, 0.5), (4, 3, 0.1), (9, 5, 0.05), (20, 8, 0.01)):
        yield f"{n} pairs, tau {tau}", (_unit(rng.normal(size=(n, d))), _unit(rng.normal(size=(n, d))), tau)


@exercise("04e", "Rise and fall", rise_and_fall, atol=1e-12).against(  # one subtraction of numbers below 2
    lambda gaps: (gaps[-1] - gaps[0], gaps[0] - gaps[-1]),  # start and end alone
    lambda gaps: (gaps.max() - gaps.min(), gaps.max() - gaps[-1]),  # above its lowest point
    lambda gaps: (gaps.max() - gaps[0], gaps[0] - gaps[-1]),  # the fall from the start
)
def _cases_04e(rng):
    yield "up, then down", (np.array([1.1, 1.3, 0.7]),)
    yield "only down", (np.array([1.0, 0.5, 0.2]),)
    for n in (2, 5, 12):
        yield f"{n} steps", (rng.uniform(0, 1.5, n),)


@exercise("04f", "Closed for good", closed_since, atol=0.0).against(  # a number of the input, or infinity
    lambda steps, gaps, level: float(steps[np.argmax(gaps < level)]),  # the first step below, though it may rise again
    lambda steps, gaps, level: float(np.argmax(np.minimum.accumulate(gaps) < level)),  # its place for its number
    lambda steps, gaps, level: float(steps[-1]) if gaps[-1] < level else float("inf"),  # the last step
)
def _cases_04f(rng):
    steps = np.array([0, 1, 2, 4, 8, 16, 32])
    yield "closed, open, closed again", (steps, np.array([0.1, 0.3, 0.9, 0.7, 0.4, 0.2, 0.1]), 0.5)
    yield "never closed", (steps, np.full(7, 0.9), 0.5)
    yield "always closed", (steps, np.full(7, 0.1), 0.5)
    for k in range(5):
        yield f"path {k}", (steps, rng.uniform(0, 1, 7) * np.linspace(1, 0.2, 7), 0.4)
