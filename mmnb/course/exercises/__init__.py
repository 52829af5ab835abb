"""Exercises: a student's function is run beside the reference on many inputs, and told what differs.

One module per topic registers its exercises. The decorated function draws the inputs:

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
from typing import Any

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
    wrong: Iterable[Callable],
    reference: Callable | None = None,
    cases: Cases | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> Callable[[Callable], Callable]:
    """Register an exercise. Decorates its `cases`, or with `cases=` given its `reference`, or with both given any function.

    Args:    exercise_id, such as "01a"; title; wrong, two or more plausible wrong answers, for the test that they fail;
             reference, the right function; cases, rng -> (name, arguments) of every input, edge cases included; rtol xor
             atol, the tolerance of every number.
    Returns: a decorator that gives the function back unchanged.
    Raises:  ValueError on an id that is taken, fewer than two wrong answers, an empty title, both tolerances or none.
    """
    wrong = tuple(wrong)
    if len(wrong) < 2 or not title.strip():
        raise ValueError(
            f"exercise {exercise_id}: got title {title!r} and {len(wrong)} wrong answers; expected a title and two or more"
        )
    if (rtol is None) == (atol is None):
        raise ValueError(f"exercise {exercise_id}: got rtol={rtol}, atol={atol}; expected exactly one of them")
    if reference is None and cases is None:
        raise ValueError(
            f"exercise {exercise_id}: got neither reference nor cases; expected at least one, the other is decorated"
        )

    def register(function: Callable) -> Callable:
        topic = function.__module__
        known = _registry.get(exercise_id)
        if known is not None and known.topic != topic:  # the same module again is a reload
            raise ValueError(f"exercise {exercise_id} is already registered by {known.topic}; expected a new id")
        _registry[exercise_id] = Exercise(
            exercise_id, title, reference or function, cases or function, wrong, rtol, atol, topic
        )
        return function

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
    """Exercises by their id, sorted; imports the modules of these topics, by default of all."""
    for topic in topics:
        importlib.import_module(f"{__name__}.{TOPICS[topic]}")
    return dict(sorted(_registry.items()))


class _Case:
    """Adds the name of the input to any error that a student's function raises, and lets it pass."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        if error is not None:
            error.add_note(f"raised on the input: {self.name}")


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
    topic = exercise_id[:2]  # a notebook depends on its own exercises, not on everybody's
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
        with _Case(name):
            answer = function(*given)
        told = difference(answer, expected, rtol=entry.rtol, atol=entry.atol)
        if told:
            raise WrongAnswer(f"{exercise_id}, input {name!r}: {told}")
        _refuse_changes(exercise_id, name, given, arguments)
        checks += 1
    if not checks:
        raise ValueError(f"check {exercise_id}: its cases gave no input; expected at least one")
    return Passed(exercise_id, checks)


def _refuse_changes(exercise_id: str, name: str, given: tuple, before: tuple) -> None:
    """A function that changes its inputs in place is wrong even where its answer is right."""
    for index, (now, then) in enumerate(zip(given, before, strict=True), start=1):
        if hasattr(then, "shape") and difference(now, then, atol=0.0):
            raise WrongAnswer(
                f"{exercise_id}, input {name!r}: your function changed its argument {index} in place; expected it untouched"
            )
