"""Pairs of variables whose mutual information is known in closed form: a test bench for estimators."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import digamma, gammaln

Pair = tuple[np.ndarray, np.ndarray]
Sampler = Callable[[int, np.random.Generator], Pair]


@dataclass(frozen=True)
class Task:
    """One bench: nats, the true I(X;Y) · dimension of X and of Y · sample(n, rng) -> x, y; x is whole numbers where a label."""

    name: str
    nats: float
    dimension: int
    sample: Sampler


def gaussian_nats(rho: float, d: int = 1) -> float:
    """I of d independent pairs of normal numbers with correlation rho: -(d/2) log(1 - rho^2)."""
    return -0.5 * d * float(np.log1p(-(rho**2)))


def uniform_noise_nats(e: float) -> float:
    """I of X uniform on (0, 1) and X + noise uniform on (-e, e): 1/(4e) if e > 1/2, else e - log 2e."""
    return 1 / (4 * e) if e > 0.5 else e - float(np.log(2 * e))


def discrete_uniform_nats(m: int) -> float:
    """I of a label X of m equal values 0 … m-1 and Y uniform on (X, X + 2): log m - (m-1)/m log 2."""
    return float(np.log(m) - (m - 1) / m * np.log(2))


def student_nats(rho: float, nu: float) -> float:
    """I of the two sides of a bivariate Student distribution: the normal value + f(nu) + f(nu + 2) - 2 f(nu + 1).

    f(v) = log Gamma(v/2) - (v/2) psi(v/2). With rho = 0 it is above 0: uncorrelated Student pairs are not independent.
    """

    def f(v: float) -> float:
        return float(gammaln(v / 2) - v / 2 * digamma(v / 2))

    return gaussian_nats(rho) + f(nu) + f(nu + 2) - 2 * f(nu + 1)


def _gaussian(n: int, rng: np.random.Generator, rho: float, d: int) -> Pair:
    x = rng.normal(size=(n, d))
    return x, rho * x + (1 - rho**2) ** 0.5 * rng.normal(size=(n, d))


def _mapped(n: int, rng: np.random.Generator, base: Sampler, of_x: Callable, of_y: Callable) -> Pair:
    x, y = base(n, rng)
    return of_x(x), of_y(y)


def _uniform_noise(n: int, rng: np.random.Generator, e: float) -> Pair:
    x = rng.uniform(size=(n, 1))
    return x, x + rng.uniform(-e, e, size=(n, 1))


def _discrete_uniform(n: int, rng: np.random.Generator, m: int) -> Pair:
    x = rng.integers(m, size=n)
    return x, (x + rng.uniform(0, 2, size=n))[:, None]


def _student(n: int, rng: np.random.Generator, rho: float, nu: float) -> Pair:
    x, y = _gaussian(n, rng, rho, 1)
    scale = np.sqrt(nu / rng.chisquare(nu, size=(n, 1)))  # one for both sides
    return x * scale, y * scale


def _half_cube(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.abs(x) ** 1.5


def _spiral(x: np.ndarray) -> np.ndarray:
    """Each point of the plane turned by its own distance from the origin: invertible, as the distance does not change."""
    angle = np.linalg.norm(x, axis=1)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], axis=1)


def suite(rho: float = 0.75) -> dict[str, Task]:
    """The bench, by name; `rho` is the correlation of the normal tasks, -1 < rho < 1.

    Normal pairs in 1, 5, 20 dimensions; three invertible maps of a normal pair, which change nothing; a Student pair;
    uniform noise, wide, narrow and almost none; labels against a number.

    Example:
        >>> {name: round(task.nats, 3) for name, task in suite().items()}["gaussian, d = 5"]
        2.067

    Source: closed forms collected by Czyz et al. 2023 (normal, Student, maps); uniform and label tasks by integration.
    """
    if not -1 < rho < 1:
        raise ValueError(f"known_information.suite: got rho={rho}; expected a correlation between -1 and 1")
    one, two = gaussian_nats(rho), gaussian_nats(rho, 2)
    pair, plane = partial(_gaussian, rho=rho, d=1), partial(_gaussian, rho=rho, d=2)
    normal = (
        Task(f"gaussian, d = {d}", gaussian_nats(rho, d), d, partial(_gaussian, rho=rho, d=d)) for d in (1, 5, 20)
    )
    noise = ((".75", 0.75), (".25", 0.25), (".001", 0.001))
    tasks = [
        *normal,
        Task("gaussian, asinh", one, 1, partial(_mapped, base=pair, of_x=np.arcsinh, of_y=np.arcsinh)),
        Task("gaussian, half-cube", one, 1, partial(_mapped, base=pair, of_x=_half_cube, of_y=_half_cube)),
        Task("gaussian, spiral", two, 2, partial(_mapped, base=plane, of_x=_spiral, of_y=lambda y: y)),
        Task("student, 3 degrees", student_nats(rho, 3), 1, partial(_student, rho=rho, nu=3)),
        *(Task(f"uniform noise, {name}", uniform_noise_nats(e), 1, partial(_uniform_noise, e=e)) for name, e in noise),
        *(Task(f"{m} labels", discrete_uniform_nats(m), 1, partial(_discrete_uniform, m=m)) for m in (5, 10)),
    ]
    return {task.name: task for task in tasks}
