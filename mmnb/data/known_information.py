"""Pairs of variables whose mutual information is known in closed form: a test bench for estimators."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

Sampler = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """One bench: name · nats, the true I(X;Y) · dimension of X and of Y · sample(n, rng) -> x, y; x is whole numbers where it is a label."""

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


def _gaussian(rho: float, d: int) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(n, d))
        return x, rho * x + (1 - rho**2) ** 0.5 * rng.normal(size=(n, d))

    return sample


def _mapped(base: Sampler, of_x: Callable, of_y: Callable) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = base(n, rng)
        return of_x(x), of_y(y)

    return sample


def _uniform_noise(e: float) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-e, e, size=(n, 1))

    return sample


def _discrete_uniform(m: int) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.integers(m, size=n)
        return x, (x + rng.uniform(0, 2, size=n))[:, None]

    return sample


def _student(rho: float, nu: float) -> Sampler:
    def sample(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = _gaussian(rho, 1)(n, rng)
        scale = np.sqrt(nu / rng.chisquare(nu, size=(n, 1)))  # one for both sides
        return x * scale, y * scale

    return sample


def _half_cube(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.abs(x) ** 1.5


def _spiral(x: np.ndarray) -> np.ndarray:
    """Each point of the plane turned by its own distance from the origin: invertible, as the distance does not change."""
    angle = np.linalg.norm(x, axis=1)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], axis=1)


def suite(rho: float = 0.75) -> dict[str, Task]:
    """The bench, by name.

    Args:
        rho: Correlation of the normal tasks, -1 < rho < 1.

    Returns:
        Name -> `Task`: normal pairs in 1, 5, 20 dimensions; three invertible maps of a normal pair, which change
        nothing; a Student pair; uniform noise, wide, narrow and almost none; labels against a number.

    Example:
        >>> {name: round(task.nats, 3) for name, task in suite().items()}["gaussian, d = 5"]
        2.067

    Source: closed forms collected by Czyz et al. 2023 (normal, Student, maps); uniform and label tasks by integration.
    """
    if not -1 < rho < 1:
        raise ValueError(f"known_information.suite: got rho={rho}; expected a correlation between -1 and 1")
    pair, plane = _gaussian(rho, 1), _gaussian(rho, 2)
    one, two = gaussian_nats(rho), gaussian_nats(rho, 2)
    tasks = [Task(f"gaussian, d = {d}", gaussian_nats(rho, d), d, _gaussian(rho, d)) for d in (1, 5, 20)]
    tasks += [
        Task("gaussian, asinh", one, 1, _mapped(pair, np.arcsinh, np.arcsinh)),
        Task("gaussian, half-cube", one, 1, _mapped(pair, _half_cube, _half_cube)),
        Task("gaussian, spiral", two, 2, _mapped(plane, _spiral, lambda y: y)),
        Task("student, 3 degrees", student_nats(rho, 3), 1, _student(rho, 3)),
        Task("uniform noise, .75", uniform_noise_nats(0.75), 1, _uniform_noise(0.75)),
        Task("uniform noise, .25", uniform_noise_nats(0.25), 1, _uniform_noise(0.25)),
        Task("uniform noise, .001", uniform_noise_nats(0.001), 1, _uniform_noise(0.001)),
        Task("5 labels", discrete_uniform_nats(5), 1, _discrete_uniform(5)),
        Task("10 labels", discrete_uniform_nats(10), 1, _discrete_uniform(10)),
    ]
    return {task.name: task for task in tasks}
