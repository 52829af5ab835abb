"""Exercises 06a to 06c: average two predictions, an honest choice of strength, the share of a repair; of the appendix, 06d to 06f:

the greedy learner of the set-cover simulation, what modalities tell alone and together, and a score that no constant rule can pass. Arrays are
NumPy's.
"""

import numpy as np

from mmnb.course.exercises import exercise
from mmnb.instruments.laziness import greedy_cover


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def ensemble(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean of two softmax predictions."""
    return (_softmax(first) + _softmax(second)) / 2


def honest(validation: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Test accuracy at the strength with the highest validation accuracy, for each seed."""
    return test[validation.argmax(0), np.arange(test.shape[1])]


def recovered(alone: np.ndarray, joint: np.ndarray, taught: np.ndarray) -> float:
    """Share of the mean loss of joint training that teachers bring back."""
    return float((taught - joint).mean() / (alone - joint).mean())


def priors(p: np.ndarray) -> np.ndarray:
    """Accuracy of the best guess of y from a, from b and from both, of the joint table p (A, B, Y)."""
    return np.array([p.sum(1).max(1).sum(), p.sum(0).max(1).sum(), p.max(2).sum()])


def balanced(advice: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the two true answers of the share that is advised rightly."""
    return float(np.mean([(advice[truth == answer] == answer).mean() for answer in (0, 1)]))


@exercise("06a", "Average two opinions", ensemble, atol=1e-12).against(  # sums of a few numbers below 1 in float64
    lambda a, b: _softmax((a + b) / 2),  # averaged too early: a product of opinions
    lambda a, b: (_softmax(a.T).T + _softmax(b.T).T) / 2,  # over examples instead of classes
    lambda a, b: _softmax(a) + _softmax(b),  # a sum
)
def _cases_06a(rng):
    yield "two that agree", (np.array([[3.0, 0.0]]), np.array([[3.0, 0.0]]))
    yield "two that contradict each other", (np.array([[5.0, 0.0]]), np.array([[0.0, 2.0]]))
    yield "logits of a thousand", (np.array([[1000.0, 0.0], [0.0, -1000.0]]), np.array([[0.0, 1.0], [2.0, 0.0]]))
    for n, classes in ((1, 3), (4, 4), (9, 2), (30, 10)):
        yield f"{n} examples, {classes} classes", (3 * rng.normal(size=(n, classes)), 3 * rng.normal(size=(n, classes)))


@exercise(
    "06b", "Choose a strength without looking at the test data", honest, atol=1e-12
).against(  # picked, not computed
    lambda validation, test: test.max(0),  # the best on test data
    lambda validation, test: test[validation.mean(1).argmax()],  # one strength for all seeds
    lambda validation, test: validation.max(0),  # the validation accuracy itself
    lambda validation, test: test.T[
        np.arange(test.shape[1]), len(test) - 1 - validation[::-1].argmax(0)
    ],  # last of equals
)
def _cases_06b(rng):
    yield (
        "best on validation is worst on test",
        (np.array([[0.9, 0.8], [0.7, 0.9]]), np.array([[0.1, 0.9], [0.8, 0.3]])),
    )
    yield "equals on validation", (np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([[0.1, 0.2], [0.3, 0.4]]))
    for strengths, seeds in ((3, 5), (6, 2), (4, 4)):
        yield f"{strengths} strengths, {seeds} seeds", (rng.random((strengths, seeds)), rng.random((strengths, seeds)))


@exercise(
    "06c", "How much do teachers bring back?", recovered, rtol=1e-9
).against(  # two means and a quotient in float64
    lambda alone, joint, taught: float(((taught - joint) / (alone - joint)).mean()),  # mean of ratios
    lambda alone, joint, taught: float((taught - alone).mean() / (alone - joint).mean()),  # from alone
    lambda alone, joint, taught: float((taught - joint).mean() / alone.mean()),  # relative to the accuracy
)
def _cases_06c(rng):
    yield "all of it", (np.array([80.0, 82.0]), np.array([76.0, 79.0]), np.array([80.0, 82.0]))
    yield "harm", (np.array([80.0, 82.0]), np.array([76.0, 79.0]), np.array([70.0, 75.0]))
    for n in (3, 7, 10):
        alone = rng.normal(80, 1, n)
        yield f"{n} seeds", (alone, alone - rng.uniform(0.5, 5, n), alone - rng.uniform(-0.5, 1, n))


@exercise("06d", "Learn until the training set is covered", greedy_cover, atol=0.5).against(  # whole numbers
    lambda e: np.argsort(-e.sum(1), kind="stable")[: len(greedy_cover(e))],  # counted once, not on what is open
    lambda e: greedy_cover(e)[:-1] if len(greedy_cover(e)) > 1 else greedy_cover(e),  # stops one too early
    lambda e: np.sort(greedy_cover(e)),  # not in the order learnt
)
def _cases_06d(rng):
    yield "one feature explains all", (np.array([[True, False], [True, True]]),)
    strong = np.array([[1, 0, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0]], dtype=bool)
    yield "a strong feature and what it leaves open", (strong,)
    for features, examples in ((3, 4), (8, 15), (20, 60), (40, 200)):
        explains = rng.random((features, examples)) < 0.3
        explains[rng.integers(features, size=examples), np.arange(examples)] = True
        yield f"{features} features, {examples} examples", (explains,)


@exercise(
    "06e", "What do modalities tell, alone and together?", priors, atol=1e-12
).against(  # sums of shares in float64
    lambda p: np.array([p.sum(0).max(1).sum(), p.sum(1).max(1).sum(), p.max(2).sum()]),  # a and b exchanged
    lambda p: np.array([p.sum((0, 1)).max()] * 2 + [p.max(2).sum()]),  # the most frequent answer
    lambda p: np.array([p.sum(1).max(), p.sum(0).max(), p.max()]),  # the most frequent pair
)
def _cases_06e(rng):
    parity = np.zeros((2, 2, 2))
    parity[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]] = 0.25
    yield "parity", (parity,)
    same = np.zeros((3, 3, 3))
    same[range(3), range(3), range(3)] = 1 / 3
    yield "both show the label", (same,)
    for shape in ((2, 3, 2), (4, 4, 5), (5, 2, 3)):
        yield f"a random table of {shape}", (rng.dirichlet(np.ones(int(np.prod(shape)))).reshape(shape),)


@exercise("06f", "A score that no constant rule can pass", balanced, atol=1e-12).against(  # means of 0 and 1
    lambda advice, truth: float((advice == truth).mean()),  # a constant rule passes where one answer is rare
    lambda advice, truth: float((advice[truth == 1] == 1).mean()),  # one answer only
    lambda advice, truth: float(
        np.mean([(truth[advice == k] == k).mean() if (advice == k).any() else 0 for k in (0, 1)])
    ),
)
def _cases_06f(rng):
    yield "always 1, where 1 is frequent", (np.ones(10, dtype=int), np.array([1] * 9 + [0]))
    yield "always right", (np.array([0, 1, 1]), np.array([0, 1, 1]))
    for n in (8, 15, 30):
        truth = np.array([0, 1, *rng.integers(2, size=n - 2).tolist()])
        yield f"{n} tasks", (rng.integers(2, size=n), truth)
