"""Exercises 01a to 01f: the projection, its shares, three modalities, CLIP, a test of additivity, two parts of a gain. Arrays are NumPy's."""

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


def emap_of_clip(a: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    """EMAP's scores of the N true pairs for s_ij = scale * (a_i . b_j): means of the embeddings instead of means of a grid."""
    mean_a, mean_b = a.mean(0), b.mean(0)
    return scale * (a @ mean_b + b @ mean_a - mean_a @ mean_b)


def largest_double_difference(grid: np.ndarray) -> float:
    """Largest |F_ij - F_ij' - F_i'j + F_i'j'|: for each pair of rows, their difference may not depend on the column."""
    return max(float(np.ptp(first - second)) for first in grid for second in grid)


def owed_and_needed(model: float, emap: float, additive: float, alone: float) -> np.ndarray:
    """Parts of the gain over the better modality: lost by EMAP, and missing in a trained additive model."""
    gain = model - alone
    return np.array([max(0.0, model - emap) / gain, max(0.0, model - additive) / gain])


def _grids(rng: np.random.Generator, *shapes: tuple[int, ...]):
    """Grids of the given shapes: centred and not, additive and not."""
    for shape in shapes:
        noise = rng.normal(size=shape)
        yield f"shape {shape}, mean 0", (noise - noise.mean(),)
        yield f"shape {shape}, mean about 3", (noise + 3,)
        yield f"shape {shape}, additive", (additive_part(noise) + 1.0,)


# tolerance: sums of fewer than 1,000 numbers near 1 in float64, rounding below 1e-13
@exercise("01a", "The projection without loops", additive_part, atol=1e-10).against(
    lambda F: F.mean(1, keepdims=True) + F.mean(0, keepdims=True) + F.mean(),  # the sign of course notes
    lambda F: F.mean(0, keepdims=True) + F.mean(0, keepdims=True) - F.mean() + 0 * F,  # one marginal twice
    lambda F: F.mean(1) + F.mean(0) - F.mean(),  # the true pairs only, and square grids only
)
def _cases_01a(rng):
    yield "one pair", (np.array([[2.0]]),)
    yield "one text", (np.array([[1.0, 2.0, 4.0]]),)
    yield "zeros", (np.zeros((3, 3)),)
    yield from _grids(rng, (2, 2), (3, 5), (8, 4), (20, 20))
    yield "a transposed view", (rng.normal(size=(6, 9)).T,)


# tolerance: a difference of sums of squares near their size, rounding below 1e-12
@exercise("01b", "The shares", shares, atol=1e-9).against(
    lambda F: shares(F)[[1, 0, 2]],  # rows and columns exchanged
    lambda F: shares(F) * ((F - F.mean()) ** 2).sum(),  # not normalised
    lambda F: np.array([*shares(F)[:2], 1.0]),  # the total for the interaction
)
def _cases_01b(rng):
    yield "rows only", (np.arange(4.0)[:, None] + np.zeros((4, 3)),)
    yield "columns only", (np.arange(5.0)[None, :] + np.zeros((2, 5)),)
    yield "interaction only", (np.array([[1.0, -1.0], [-1.0, 1.0]]),)
    yield from _grids(rng, (2, 3), (7, 7), (4, 12))


@exercise("01c", "Three modalities", additive_part, atol=1e-10).against(  # as in 01a
    lambda F: sum(_marginals(F)) - F.mean() + 0 * F,  # the published error: one mean instead of two
    lambda F: sum(_marginals(F)) - 3 * F.mean() + 0 * F,
    lambda F: sum(F.mean(axis, keepdims=True) for axis in range(3)) - 2 * F.mean(),  # means over one axis, not two
)
def _cases_01c(rng):
    yield "one cell", (np.array([[[5.0]]]),)
    yield from _grids(rng, (2, 2, 2), (3, 4, 5), (6, 1, 3))


# tolerance: scores up to 100 in float64, rounding below 1e-12
@exercise("01d", "EMAP of CLIP in five lines", emap_of_clip, atol=1e-9).against(
    lambda a, b, scale: scale * (a * b).sum(1),  # the model itself, not its projection
    lambda a, b, scale: scale * (a @ b.mean(0) + b @ a.mean(0) + a.mean(0) @ b.mean(0)),  # the sign of the mean
    lambda a, b, scale: scale * (a @ a.mean(0) + b @ b.mean(0) - a.mean(0) @ b.mean(0)),  # each with its own side
    lambda a, b, scale: a @ b.mean(0) + b @ a.mean(0) - a.mean(0) @ b.mean(0),  # the temperature forgotten
)
def _cases_01d(rng):
    yield "one pair", (np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]]), 2.0)
    yield "orthogonal pairs", (np.eye(3), np.eye(3), 100.0)
    for n, d in ((2, 5), (7, 3), (20, 16), (3000, 8)):  # the last one is quick only without the grid
        a, b = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in rng.normal(0.3, 1, size=(2, n, d)))
        yield f"{n} pairs of {d} numbers", (a, b, float(rng.uniform(1, 100)))


# tolerance: sums of four numbers near 1 in float64
@exercise("01e", "Which of these models interact?", largest_double_difference, atol=1e-10).against(
    lambda F: float(np.abs(F[0, 0] - F[0] - F[:, :1] + F).max()),  # one corner held fixed
    lambda F: float(np.abs(np.diff(np.diff(F, axis=0), axis=1)).max(initial=0.0)),  # neighbours only
    lambda F: float(np.abs(F - additive_part(F)).max()),  # the residual of the projection
)
def _cases_01e(rng):
    yield "one cell", (np.array([[3.0]]),)
    yield "interaction only", (np.array([[1.0, -1.0], [-1.0, 1.0]]),)
    yield from _grids(rng, (1, 4), (3, 5), (8, 4))


# tolerance: quotients of numbers near 1 in float64
@exercise("01f", "Two questions, two numbers", owed_and_needed, atol=1e-10).against(
    lambda model, emap, additive, alone: owed_and_needed(model, emap, additive, alone)[::-1],  # exchanged
    lambda model, emap, additive, alone: np.array([model - emap, model - additive]).clip(0) / model,  # no gain
    lambda model, emap, additive, alone: owed_and_needed(model, emap, emap, alone),  # EMAP taken for the task's need
)
def _cases_01f(rng):
    yield "as in the figure", (0.985, 0.695, 0.871, 0.673)
    yield "nothing owed, nothing needed", (0.9, 0.9, 0.95, 0.6)
    for alone in rng.uniform(0.2, 0.6, 8):
        emap, additive = rng.uniform(alone, 0.95, 2)
        yield f"alone {alone:.2f}", (0.9, float(emap), float(additive), float(alone))
