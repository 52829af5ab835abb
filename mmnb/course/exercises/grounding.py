"""Exercises 03a to 03c: grounding accuracy of a head, its exact chance, and a head chosen on other items. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def accuracy(attention: np.ndarray, query: np.ndarray, words: int, match: np.ndarray) -> float:
    """Item by item: the most attended region of the query's row."""
    hits = [match[i, int(np.argmax(attention[i, q, words:]))] for i, q in enumerate(query)]
    return float(np.mean(hits))


def chance(match: np.ndarray, present: np.ndarray) -> float:
    """Mean over items of matching / present."""
    return float(np.mean([(m & p).sum() / p.sum() for m, p in zip(match, present, strict=True)]))


def held_out(correct: np.ndarray, first: np.ndarray) -> float:
    """Accuracy on the others of the head that is best on the first."""
    head = max(range(correct.shape[1]), key=lambda h: correct[first, h].mean())
    return float(correct[~first, head].mean())


@exercise("03a", "Where does a head look?", accuracy, atol=1e-12).against(  # shares of at most 50 items
    lambda A, query, T, match: float(match[np.arange(len(A)), A.transpose(0, 2, 1)[np.arange(len(A)), query, T:].argmax(1)].mean()),  # columns as queries
    lambda A, query, T, match: float(np.mean([k >= T and match[i, k - T] for i, k in enumerate(A[np.arange(len(A)), query].argmax(1))])),  # words take part
    lambda A, query, T, match: float(match[np.arange(len(A)), A[np.arange(len(A)), query, T:].argmin(1)].mean()),  # the least
)  # fmt: skip
def _cases_03a(rng):
    one = np.array([[[0.7, 0.1, 0.2], [0.2, 0.3, 0.5], [0.0, 0.9, 0.1]]])
    yield "one word, two regions", (one, np.array([0]), 1, np.array([[False, True]]))
    for n, words, regions in ((1, 1, 3), (3, 2, 2), (20, 5, 4), (50, 4, 7)):
        maps = rng.dirichlet(np.ones(words + regions), (n, words + regions))
        yield f"{n} items of {words} words and {regions} regions", (maps, rng.integers(0, words, n), words, rng.random((n, regions)) < 0.4)  # fmt: skip


@exercise("03b", "Chance, exactly", chance, atol=1e-12).against(  # as above
    lambda match, present: float((match & present).sum() / present.sum()),  # ratio of sums
    lambda match, present: float(match.mean()),  # absent regions counted
    lambda match, present: float((match & present).any(1).mean()),  # the ceiling
)
def _cases_03b(rng):
    yield "one of two, and both of two", (np.array([[True, False], [True, True]]), np.ones((2, 2), bool))
    yield "no match", (np.zeros((2, 3), bool), np.ones((2, 3), bool))
    yield "unequal numbers", (np.array([[True, False, False], [True, False, True]]), np.array([[True, False, False], [True, True, False]]))  # fmt: skip
    for n, regions in ((5, 4), (40, 9)):
        present = rng.random((n, regions)) < 0.7
        present[:, 0] = True
        yield f"{n} items, up to {regions} regions", (rng.random((n, regions)) < 0.3, present)


@exercise("03c", "Choose here, judge there", held_out, atol=1e-12).against(  # as above
    lambda correct, first: float(correct[first].mean(0).max()),  # judged where it was chosen
    lambda correct, first: float(correct[~first].mean(0).max()),  # chosen where it is judged
    lambda correct, first: float(correct[:, correct[first].mean(0).argmax()].mean()),  # judged on all
)
def _cases_03c(rng):
    yield "two heads", (np.array([[True, False], [True, False], [False, True], [False, False]]), np.array([True, True, False, False]))  # fmt: skip
    yield "equal heads", (np.array([[True, True], [False, True]]), np.array([True, False]))
    for n, heads in ((10, 3), (11, 144), (60, 12)):
        yield f"{n} items, {heads} heads", (rng.random((n, heads)) < 0.4, np.arange(n) % 2 == 0)
