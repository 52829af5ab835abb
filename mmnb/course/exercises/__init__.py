"""Exercises: a student's function is compared with the reference on many inputs.

One module per notebook registers its exercises. The decorated function draws the inputs:

    @exercise("01a", title="The projection by hand", reference=project, wrong=[forgets_the_mean, wrong_axis], atol=1e-10)
    def cases(rng):
        yield "one pair", (np.ones((1, 1)),)
        for n in range(2, 30):
            yield f"{n} pairs", (rng.normal(size=(n, n)),)

In the notebook `mmnb.exercises.check("01a", my_projection)` says whether `my_projection` is right.
"""

import copy
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mmnb.course.exercises.differences import difference
from mmnb.course.exercises.solutions import strip_solutions

__all__ = ["Exercise", "Passed", "WrongAnswer", "check", "exercise", "registered", "strip_solutions"]

Cases = Callable[[np.random.Generator], Iterable[tuple[str, tuple]]]


class WrongAnswer(ValueError):
    """The student's function ran and gave something else than expected; the message says on which input, and what differs."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: the right answer, the inputs it is tried on, the tolerance, and planted wrong answers that must fail."""

    id: str
    title: str
    reference: Callable
    cases: Cases
    wrong: tuple[Callable, ...]
    rtol: float | None
    atol: float | None
    topic: str


@dataclass(frozen=True)
class Passed:
    """What a right answer displays."""

    id: str
    checks: int

    def __repr__(self) -> str:
        return f"{self.id}: all {self.checks} checks passed"

    def _repr_markdown_(self) -> str:
        return f"✔ **{self.id}**: all {self.checks} checks passed"


_registry: dict[str, Exercise] = {}


def exercise(
    exercise_id: str,
    *,
    title: str,
    reference: Callable,
    wrong: Iterable[Callable],
    rtol: float | None = None,
    atol: float | None = None,
) -> Callable[[Cases], Cases]:
    """Register an exercise; decorates the function that draws its inputs.

    Args:
        exercise_id: Such as "01a".
        title: Shown in handouts and reports.
        reference: The right function.
        wrong: Two or more plausible wrong answers; a test checks that they fail.
        rtol: Tolerance of every number relative to the expected one; give either this or `atol`.
        atol: Absolute tolerance of every number.

    Returns:
        A decorator for a function rng -> (name, arguments) of every input, edge cases included.

    Raises:
        ValueError: On an id that is taken, fewer than two wrong answers, an empty title, both tolerances or none.
    """
    wrong = tuple(wrong)
    if len(wrong) < 2 or not title.strip():
        raise ValueError(
            f"exercise {exercise_id}: got title {title!r} and {len(wrong)} wrong answers; expected a title and two or more"
        )
    if (rtol is None) == (atol is None):
        raise ValueError(f"exercise {exercise_id}: got rtol={rtol}, atol={atol}; expected exactly one of them")

    def register(cases: Cases) -> Cases:
        topic = cases.__module__
        known = _registry.get(exercise_id)
        if known is not None and known.topic != topic:  # the same module again is a reload
            raise ValueError(f"exercise {exercise_id} is already registered by {known.topic}; expected a new id")
        _registry[exercise_id] = Exercise(exercise_id, title, reference, cases, wrong, rtol, atol, topic)
        return cases

    return register


TOPICS = {  # number of the notebook -> module of this package
    "00": "start",
    "01": "emap",
    "02": "ablation",
    "03": "grounding",
    "04": "gap",
    "05": "complementarity",
    "06": "laziness",
    "07": "blending",
}


def registered(topics: Iterable[str] = tuple(TOPICS)) -> dict[str, Exercise]:
    """Exercises by id, sorted. Imports the modules of `topics`, such as ["01"]; by default all."""
    for topic in topics:
        importlib.import_module(f"{__name__}.{TOPICS[topic]}")
    return dict(sorted(_registry.items()))


def check(exercise_id: str, function: Callable, *, seed: int = 0) -> Passed:
    """Compare `function` with the reference on the exercise's inputs.

    Args:
        exercise_id: Such as "01a".
        function: The student's function.
        seed: Seed of the inputs; notebooks always use 0, `mmnb grade` draws its own.

    Returns:
        A note that displays the number of checks passed.

    Raises:
        WrongAnswer: Names the input and what differs: shape, sign, scale, axes or value.
        ValueError: On an unknown id.
        TypeError: When `function` cannot be called.
        Exception: Whatever `function` itself raises, such as `NotAttempted`.
    """
    topic = exercise_id[:2]  # a notebook depends on its own exercises only
    known = registered([topic] if topic in TOPICS else [])
    if exercise_id not in known:
        raise ValueError(f"unknown exercise {exercise_id!r}; there are {', '.join(known) or 'none'}")
    if not callable(function):
        raise TypeError(f"check {exercise_id}: got {function!r}; expected your function itself, without parentheses")
    entry = known[exercise_id]
    checks = 0
    for name, arguments in entry.cases(np.random.default_rng(seed)):
        expected = entry.reference(*copy.deepcopy(arguments))
        given = copy.deepcopy(arguments)
        try:
            answer = function(*given)
        except BaseException as error:
            error.add_note(f"raised on the input: {name}")
            raise
        message = difference(answer, expected, rtol=entry.rtol, atol=entry.atol)
        for index, (now, then) in enumerate(zip(given, arguments, strict=True), start=1):
            if not message and hasattr(then, "shape") and difference(now, then, atol=0.0):
                message = f"your function changed its argument {index} in place; expected it untouched"
        if message:
            raise WrongAnswer(f"{exercise_id}, input {name!r}: {message}")
        checks += 1
    if not checks:
        raise ValueError(f"check {exercise_id}: its cases gave no input; expected at least one")
    return Passed(exercise_id, checks)
