"""Exercises: a student's function is compared with the reference on many inputs.

One module per notebook registers its exercises. The decorated function draws the inputs:

    @exercise("01a", "The projection by hand", project, atol=1e-10).against(forgets_the_mean, wrong_axis)
    def cases(rng):
        yield "one pair", (np.ones((1, 1)),)
        for n in range(2, 30):
            yield f"{n} pairs", (rng.normal(size=(n, n)),)

In the notebook `mmnb.exercises.check("01a", my_projection)` says whether `my_projection` is right.
"""

import copy
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from mmnb.course.exercises.differences import difference, shown
from mmnb.course.exercises.solutions import strip_solutions

__all__ = ["Exercise", "Passed", "WrongAnswer", "check", "exercise", "registered", "strip_solutions"]

Cases = Callable[[np.random.Generator], Iterable[tuple[str, tuple]]]


class WrongAnswer(ValueError):
    """The student's function ran and gave something else than expected; the message says on which input, and what differs."""


_registry: dict[str, "Exercise"] = {}


@dataclass(frozen=True)
class Exercise:
    """One exercise: the right answer, the inputs it is tried on, one tolerance, and planted wrong answers that must fail."""

    id: str
    title: str
    reference: Callable
    rtol: float | None = None
    atol: float | None = None
    cases: Cases | None = None
    wrong: tuple[Callable, ...] = ()

    def against(self, *wrong: Callable) -> Callable[[Cases], Cases]:
        """A decorator for a function rng -> (name, arguments) of every input, edge cases included; registers the exercise.

        Args:
            wrong: Two or more plausible wrong answers; a test checks that they fail.

        Raises:
            ValueError: On fewer than two, or an id that is taken.
        """
        if len(wrong) < 2:
            raise ValueError(f"exercise {self.id}: got {len(wrong)} wrong answers; expected two or more")

        def register(cases: Cases) -> Cases:
            home = _registry[self.id].cases.__module__ if self.id in _registry else None
            if home not in (None, cases.__module__):  # the same module again is a reload
                raise ValueError(f"exercise {self.id} is already registered by {home}; expected a new id")
            _registry[self.id] = replace(self, cases=cases, wrong=wrong)
            return cases

        return register


def exercise(
    exercise_id: str, title: str, reference: Callable, *, rtol: float | None = None, atol: float | None = None
) -> Exercise:
    """Describe an exercise; `against` registers it.

    Args:
        exercise_id: Such as "01a".
        title: Shown above the expected figure.
        reference: The right function.
        rtol: Tolerance of every number relative to the expected one; give either this or `atol`.
        atol: Absolute tolerance of every number.

    Raises:
        ValueError: On an empty title, both tolerances or none.
    """
    if not title.strip() or (rtol is None) == (atol is None):
        got = f"title {title!r}, rtol={rtol}, atol={atol}"
        raise ValueError(f"exercise {exercise_id}: got {got}; expected a title and exactly one tolerance")
    return Exercise(exercise_id, title, reference, rtol, atol)


@dataclass(frozen=True)
class Passed:
    """What a right answer displays."""

    id: str
    checks: int

    def __repr__(self) -> str:
        return f"{self.id}: all {self.checks} checks passed"

    def _repr_markdown_(self) -> str:
        return f"✔ **{self.id}**: all {self.checks} checks passed"


# number of the notebook -> module of this package
_NAMES = ("start", "emap", "ablation", "grounding", "gap", "complementarity", "laziness", "blending")
TOPICS = {f"{number:02}": name for number, name in enumerate(_NAMES)}


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
    cases = list(entry.cases(np.random.default_rng(seed)))
    if not cases:
        raise ValueError(f"check {exercise_id}: its cases gave no input; expected at least one")
    for name, arguments in cases:
        expected = entry.reference(*copy.deepcopy(arguments))
        given = copy.deepcopy(arguments)
        try:
            answer = function(*given)
        except BaseException as error:
            error.add_note(f"raised on the input: {name}, called with {shown(arguments)}")
            raise
        message = difference(answer, expected, rtol=entry.rtol, atol=entry.atol)
        for index, (now, then) in enumerate(zip(given, arguments, strict=True), start=1):
            if not message and hasattr(then, "shape") and difference(now, then, atol=0.0):
                message = f"your function changed its argument {index} in place; expected it untouched"
        if message:
            raise WrongAnswer(f"{exercise_id}, input {name!r}: {message}; called with {shown(arguments)}")
    return Passed(exercise_id, len(cases))
