"""Exercises 03a to 03d: grounding accuracy of a head, what its word alone gives, a head chosen on other items, and one switched off. Arrays are NumPy's."""

import numpy as np

from mmnb.course.exercises import exercise


def accuracy(attention: np.ndarray, query: np.ndarray, words: int, match: np.ndarray) -> float:
    """Item by item: the most attended region of the query's row."""
    hits = [match[i, int(np.argmax(attention[i, q, words:]))] for i, q in enumerate(query)]
    return float(np.mean(hits))


def word_alone(shape: np.ndarray, present: np.ndarray, target: np.ndarray) -> float:
    """Mean over items of 1 / the present regions of the target's shape."""
    return float(np.mean([1 / (p & (s == s[t])).sum() for s, p, t in zip(shape, present, target, strict=True)]))


def held_out(correct: np.ndarray, first: np.ndarray) -> float:
    """Accuracy on the others of the head that is best on the first."""
    head = max(range(correct.shape[1]), key=lambda h: correct[first, h].mean())
    return float(correct[~first, head].mean())


def without_head(context: np.ndarray, weight: np.ndarray, bias: np.ndarray, head: int) -> np.ndarray:
    """The bias, and what every other head adds."""
    n, heads, d = context.shape
    others = [context[:, h] @ weight[h * d : (h + 1) * d] for h in range(heads) if h != head]
    return sum(others, np.zeros((n, weight.shape[1]))) + bias


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


def _fits(shape, present, target):
    return present & (shape == shape[np.arange(len(shape)), target][:, None])


@exercise("03b", "What the word alone gives", word_alone, atol=1e-12).against(  # as above
    lambda shape, present, target: float(len(shape) / _fits(shape, present, target).sum()),  # ratio of sums
    lambda shape, present, target: float(
        (1 / _fits(shape, present | True, target).sum(1)).mean()
    ),  # absent regions too
    lambda shape, present, target: float((1 / present.sum(1)).mean()),  # any region, whatever its shape
    lambda shape, present, target: float(
        (_fits(shape, present, target).sum(1) / present.sum(1)).mean()
    ),  # how often it fits
)
def _cases_03b(rng):
    yield "two circles and a square", (np.array([[0, 0, 1]]), np.ones((1, 3), bool), np.array([0]))
    yield "a circle that is absent", (np.array([[0, 0, 1]]), np.array([[True, False, True]]), np.array([0]))
    for n, regions in ((1, 1), (6, 3), (40, 7)):
        present = rng.random((n, regions)) < 0.7
        target = rng.integers(0, regions, n)
        present[np.arange(n), target] = True
        yield f"{n} items, up to {regions} regions", (rng.integers(0, 4, (n, regions)), present, target)


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


def _all_heads(context, weight, bias):
    return context.reshape(len(context), -1) @ weight + bias


@exercise("03d", "Switch a head off", without_head, atol=1e-10).against(  # sums of at most 40 products of size 1
    lambda context, weight, bias, head: without_head(context, weight, bias, head) - bias,  # the bias gone as well
    lambda context, weight, bias, head: bias + (without_head(context, weight, bias, head) - bias) * context.shape[1] / max(context.shape[1] - 1, 1),  # rescaled, as dropout does
    lambda context, weight, bias, head: _all_heads(context, weight, bias) - without_head(context, weight, bias, head) + bias,  # that head alone
    lambda context, weight, bias, head: _all_heads(np.where(np.arange(context.shape[2]) == head, 0, context), weight, bias),  # a number of every head
)  # fmt: skip
def _cases_03d(rng):
    yield "two heads of one number", (np.array([[[1.0], [10.0]]]), np.array([[1.0], [2.0]]), np.array([0.5]), 1)
    for n, heads, d, width in ((1, 1, 3, 2), (5, 4, 2, 3), (7, 3, 5, 15)):
        context, weight = rng.normal(size=(n, heads, d)), rng.normal(size=(heads * d, width))
        yield f"{heads} heads of {d} numbers", (context, weight, rng.normal(size=width), int(rng.integers(heads)))
