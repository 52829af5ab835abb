"""Exercises 01a to 01c: the projection, its shares, and three modalities. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def _marginals(grid: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each axis, the mean over all others, shaped to broadcast."""
    axes = range(grid.ndim)
    return tuple(grid.mean(tuple(other for other in axes if other != axis), keepdims=True) for axis in axes)


def additive_part(grid: np.ndarray) -> np.ndarray:
    """Best additive approximation of a grid of any number of modalities: sum of the marginals minus (modalities - 1) means."""
    return np.broadcast_to(sum(_marginals(grid)) - (grid.ndim - 1) * grid.mean(), grid.shape)


def shares(grid: np.ndarray) -> np.ndarray:
    """Shares of rows, columns and interaction of a two-way grid, from the fitted parts."""
    rows, columns = (np.broadcast_to(m - grid.mean(), grid.shape) for m in _marginals(grid))
    parts = [rows, columns, grid - additive_part(grid)]
    return np.array([(part**2).sum() for part in parts]) / ((grid - grid.mean()) ** 2).sum()


def _grids(rng: np.random.Generator, *shapes: tuple[int, ...]):
    """Grids of the given shapes: centred and not, additive and not."""
    for shape in shapes:
        noise = rng.normal(size=shape)
        yield f"shape {shape}, mean 0", (noise - noise.mean(),)
        yield f"shape {shape}, mean about 3", (noise + 3,)
        yield f"shape {shape}, additive", (additive_part(noise) + 1.0,)


@exercise(
    "01a",
    title="The projection without loops",
    reference=additive_part,
    wrong=[
        lambda F: F.mean(1, keepdims=True) + F.mean(0, keepdims=True) + F.mean(),  # the sign of course notes
        lambda F: F.mean(0, keepdims=True) + F.mean(0, keepdims=True) - F.mean() + 0 * F,  # one marginal twice
        lambda F: F.mean(1) + F.mean(0) - F.mean(),  # the true pairs only, and square grids only
    ],
    atol=1e-10,  # sums of fewer than 1,000 numbers near 1 in float64: rounding below 1e-13
)
def _cases_01a(rng):
    yield "one pair", (np.array([[2.0]]),)
    yield "one text", (np.array([[1.0, 2.0, 4.0]]),)
    yield "zeros", (np.zeros((3, 3)),)
    yield from _grids(rng, (2, 2), (3, 5), (8, 4), (20, 20))
    yield "a transposed view", (rng.normal(size=(6, 9)).T,)


@exercise(
    "01b",
    title="The shares",
    reference=shares,
    wrong=[
        lambda F: shares(F)[[1, 0, 2]],  # rows and columns exchanged
        lambda F: shares(F) * ((F - F.mean()) ** 2).sum(),  # not normalised
        lambda F: np.array([*shares(F)[:2], 1.0]),  # the total for the interaction
    ],
    atol=1e-9,  # a difference of sums of squares near their size: rounding below 1e-12
)
def _cases_01b(rng):
    yield "rows only", (np.arange(4.0)[:, None] + np.zeros((4, 3)),)
    yield "columns only", (np.arange(5.0)[None, :] + np.zeros((2, 5)),)
    yield "interaction only", (np.array([[1.0, -1.0], [-1.0, 1.0]]),)
    yield from _grids(rng, (2, 3), (7, 7), (4, 12))


@exercise(
    "01c",
    title="Three modalities",
    reference=additive_part,
    wrong=[
        lambda F: sum(_marginals(F)) - F.mean() + 0 * F,  # the published error: one mean instead of two
        lambda F: sum(_marginals(F)) - 3 * F.mean() + 0 * F,
        lambda F: sum(F.mean(axis, keepdims=True) for axis in range(3)) - 2 * F.mean(),  # means over one axis, not two
    ],
    atol=1e-10,  # as in 01a
)
def _cases_01c(rng):
    yield "one cell", (np.array([[[5.0]]]),)
    yield from _grids(rng, (2, 2, 2), (3, 4, 5), (6, 1, 3))
