"""The exercise framework on toy exercises, then every registered exercise: the reference passes, planted mistakes do not."""

import re

import numpy as np
import pytest
import torch

import mmnb
from mmnb.course import exercises
from mmnb.course.exercises.differences import difference, shown


def centre(x):
    return x - x.mean(axis=0)


def cases(rng):
    yield "one row", (np.ones((1, 2)),)
    for n in range(2, 6):
        yield f"{n} rows", (rng.normal(size=(n, 3)),)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(exercises, "_registry", {})
    monkeypatch.setattr(exercises, "TOPICS", {})
    wrong = [lambda x: x - x.mean(axis=1, keepdims=True), lambda x: x - x.mean()]
    exercises.exercise("99a", "Centre", centre, atol=1e-12).against(*wrong)(cases)


def test_a_right_answer_passes_and_says_how_often(toy):
    passed = exercises.check("99a", lambda x: x - np.mean(x, 0))
    assert repr(passed) == "99a: all 5 checks passed"
    assert passed._repr_markdown_() == "✔ **99a**: all 5 checks passed"
    exercises.check("99a", lambda x: torch.tensor(x - np.mean(x, 0), requires_grad=True))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: centre(x)[0], r"input 'one row'.* the shape differs: got \(2,\), expected \(1, 2\)"),
        (lambda x: -centre(x), "input '2 rows'.* the sign differs"),
        (lambda x: 2 * centre(x), "the scale differs: every number is 2 times"),
        (lambda x: centre(x) + 1, "every number is 1 too large"),
        (
            lambda x: centre(x) + (np.arange(x.size).reshape(x.shape) == 4),
            r"differs in 1 of 6 numbers, most at \(1, 1\): got .*, expected",
        ),
        (lambda x: centre(x) * np.nan, "2 of 2 numbers are NaN or infinite"),
        (lambda x: None, "got None; .* Is a `return` missing?"),
        (lambda x: "text", "got str; expected numbers of shape"),
    ],
)
def test_a_wrong_answer_hears_what_differs(toy, function, words):
    with pytest.raises(exercises.WrongAnswer, match=words):
        exercises.check("99a", function)


def test_the_failing_input_is_shown(toy):
    with pytest.raises(exercises.WrongAnswer, match=r"; called with array\(\[\[1\., 1\.\]\]\)$"):
        exercises.check("99a", lambda x: x)
    assert shown((np.zeros((90, 90)), 0.5)).endswith("of shape (90, 90), 0.5")
    assert len(shown((np.zeros((2, 3)), "x" * 10**6))) <= 401


def test_a_function_that_changes_its_input_is_wrong(toy):
    def in_place(x):
        x -= x.mean(axis=0)
        return x

    with pytest.raises(exercises.WrongAnswer, match="changed its argument 1 in place"):
        exercises.check("99a", in_place)


def test_errors_of_the_student_pass_through_with_the_name_of_the_input(toy):
    def stub(x):
        raise mmnb.NotAttempted("99a")

    for function, kind in ((stub, mmnb.NotAttempted), (lambda x: x.nothing, AttributeError), (lambda: 1, TypeError)):
        with pytest.raises(kind) as caught:
            exercises.check("99a", function)
        assert caught.value.__notes__ == ["raised on the input: one row, called with array([[1., 1.]])"]


def test_the_inputs_are_the_same_every_time(toy):
    def seen():
        inputs = []
        exercises.check("99a", lambda x: (inputs.append(x), centre(x))[1])
        return inputs

    assert all(np.array_equal(a, b) for a, b in zip(seen(), seen(), strict=True))


def test_misuse_is_explained(toy):
    with pytest.raises(ValueError, match="unknown exercise '98a'; there are 99a"):
        exercises.check("98a", centre)
    with pytest.raises(TypeError, match="without parentheses"):
        exercises.check("99a", 3)
    for title, tolerances in ((" ", {"atol": 1e-9}), ("T", {}), ("T", {"atol": 1e-9, "rtol": 0.1})):
        with pytest.raises(ValueError, match="expected a title and exactly one tolerance"):
            exercises.exercise("99b", title, centre, **tolerances)
    made = exercises.exercise("99b", "T", centre, atol=1e-9)
    with pytest.raises(ValueError, match="1 wrong answers"):
        made.against(abs)
    made.against(abs, max)(lambda rng: [])
    with pytest.raises(ValueError, match="gave no input"):
        exercises.check("99b", centre)

    def elsewhere(rng):
        return []

    elsewhere.__module__ = "another.topic"
    with pytest.raises(ValueError, match="already registered"):
        made.against(abs, max)(elsewhere)


@pytest.mark.parametrize(
    ("yours", "expected", "words"),
    [
        ({"a": 1.0}, {"a": 1.0}, None),
        ({"a": 1.0}, {"b": 1.0}, "expected a dict with the keys"),
        ({"a": {"b": 2.0}}, {"a": {"b": 1.0}}, "the answer, 'a', 'b': the value differs"),
        ((1.0, [2.0]), (1.0, np.array([2.0])), None),
        ((1.0, "x"), (1.0, "y"), "part 2: got 'x'; expected 'y'"),
        ((1.0,), (1.0, "y"), "got 1 parts; expected 2 parts"),
        ("x", "x", None),
        (1.0, "x", "got 1.0; expected 'x'"),
        ([1.0, float("nan")], [1.0, float("nan")], None),
        ([1.0, 2.0], [1.0, float("nan")], "the value differs in 1 of 2"),
        ([1.0, float("inf")], [1.0, float("inf")], None),
        ([1.0, 2.0], [1.0, float("inf")], "the value differs"),
        (np.array([[1.0, 2.0], [3.0, 4.0]]).T, np.array([[1.0, 2.0], [3.0, 4.0]]), "transposed"),
        (np.ones((3, 2)), np.ones((2, 3)), "shape differs.*transposed"),
        (torch.tensor([1.0], dtype=torch.bfloat16), [1.0], None),
        (2.0, 1.0, "the value differs: got 2, expected 1"),
        (-1.0, 1.0, "the sign differs"),
        (np.zeros((0, 2)), np.zeros((0, 2)), None),
        (1j, 1.0, "got complex; expected a number"),
        ([[1.0, 2.0], [3.0, 4.0]], np.array([[1.0, 2.0], [3.0, 4.0]]), None),
        ([[1.0, 2.0], [3.0]], np.array([[1.0, 2.0], [3.0, 4.0]]), "got list; expected numbers of shape"),
        (np.array(["x", "y"])[0], "x", None),
        (np.float32(0.1), 0.1, "got 0.100000001, expected 0.1$"),
    ],
)
def test_differences(yours, expected, words):
    message = difference(yours, expected, atol=1e-9)
    if words is None:
        assert message is None
    else:
        assert message is not None
        assert re.search(words, message), message


def test_one_tolerance_only():
    assert difference(101.0, 100.0, rtol=0.011) is None
    assert difference(1e-9, 0.0, rtol=0.5), "a relative tolerance has no width at 0"
    for both in ({}, {"rtol": 0.1, "atol": 0.1}):
        with pytest.raises(ValueError, match="exactly one"):
            difference(1.0, 1.0, **both)


SOURCE = """def f(x):
    \"\"\"Doc.\"\"\"
    # BEGIN SOLUTION
    y = x
    return y
    # END SOLUTION


def g(x):
    if x:
        # BEGIN SOLUTION
        return 1
        # END SOLUTION
    return 2
"""


def test_solutions_are_stripped_and_the_stub_raises():
    stripped = exercises.strip_solutions(SOURCE, "01a")
    assert "return y" not in stripped
    assert "SOLUTION" not in stripped
    assert '        raise mmnb.NotAttempted("01a")\n    return 2\n' in stripped
    names = {"mmnb": mmnb}
    exec(stripped, names)
    for call in (lambda: names["f"](1), lambda: names["g"](1)):
        with pytest.raises(mmnb.NotAttempted, match="01a"):
            call()
    assert names["g"](0) == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", "there is no solution"),
        ("# BEGIN SOLUTION\nx", "does not end"),
        ("x\n# END SOLUTION", "line 2: got '# END SOLUTION'"),
        ("# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION", "line 2: got '# BEGIN SOLUTION'"),
        ("x = 1  # BEGIN SOLUTION\n# END SOLUTION", "alone on its line"),
    ],
)
def test_broken_markers_are_refused(source, words):
    with pytest.raises(ValueError, match=words):
        exercises.strip_solutions(source, "01a")


REGISTERED = exercises.registered()


def test_there_are_exercises():
    assert REGISTERED


@pytest.mark.parametrize("exercise_id", REGISTERED)
def test_the_reference_passes_its_own_check(exercise_id):
    assert exercises.check(exercise_id, REGISTERED[exercise_id].reference).checks >= 5


@pytest.mark.parametrize(
    ("exercise_id", "index"), [(name, index) for name, one in REGISTERED.items() for index in range(len(one.wrong))]
)
def test_every_planted_mistake_fails_with_a_reason(exercise_id, index):
    with pytest.raises(exercises.WrongAnswer, match=r"shape|sign|scale|axes|value|got"):
        exercises.check(exercise_id, REGISTERED[exercise_id].wrong[index])
