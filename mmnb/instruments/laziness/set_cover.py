"""A toy of the theory: features as sets of examples they explain, and learners that stop when the training set is covered.

A feature gives the correct label of an example with probability p and no label otherwise. A learner takes features one
after another, first the one that explains most of the examples still open, until every training example is explained. One
that sees all modalities needs no more features than the better of those that see one,
k_1 + k_2 + k_paired <= min(b_1, b_2), so it learns fewer of each. Greedy covers need not be smallest, so the inequality can
fail; `violated` reports it.

Source: Du et al., ICML 2023, our reading of second-hand descriptions; pools, order of learning and all sizes are ours.
"""

from dataclasses import dataclass

import numpy as np

from mmnb import aliases
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import array, mask
from mmnb.instruments.result import Result


@dataclass(frozen=True)
class Covers(Result):
    """How many features each learner needed, and how well they generalise.

    Attributes:
        alone: (b_1, b_2), features learnt by the two uni-modal learners.
        joint, paired: (k_1, k_2) and k_paired, uni-modal and paired features learnt by the joint learner.
        ensemble_test, joint_test: Share of new examples explained by a feature of the uni-modal or the joint learners.
    """

    alone: tuple[int, int]
    joint: tuple[int, int]
    paired: int
    ensemble_test: float
    joint_test: float

    def estimates(self) -> dict[str, Estimate]:
        """Features that the joint learner left out, then both shares of new examples explained."""
        shares = {name: Estimate(getattr(self, name)) for name in ("ensemble_test", "joint_test")}
        return {"features left out": Estimate(sum(self.lazy))} | shares

    @property
    def violated(self) -> bool:
        """Whether the joint learner needed more features than the better of the two alone."""
        return sum(self.joint) + self.paired > min(self.alone)

    @property
    def lazy(self) -> tuple[int, int]:
        """(b_1 - k_1, b_2 - k_2): features of each modality that the joint learner left out."""
        return self.alone[0] - self.joint[0], self.alone[1] - self.joint[1]


def greedy_cover(explains: np.ndarray, *, order: np.ndarray | None = None) -> np.ndarray:
    """Indices of features in the order in which they are learnt, until every example is explained.

    Args:
        explains: (features, examples) bool.
        order: None: always the feature that explains most open examples, the first of equals; else indices in the order
            to try, where features that explain nothing new are skipped.
    Raises: ValueError when some example is explained by no feature, or the array is not 2-D bool.
    Example:
        >>> greedy_cover(np.array([[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]], dtype=bool)).tolist()
        [1, 2]
    """
    explains = array(explains, "greedy_cover: explains")
    explains = mask(explains, "greedy_cover: explains", explains.shape).numpy()
    if explains.ndim != 2 or not explains.any(0).all():
        got = f"{explains.dtype} of shape {explains.shape}"
        raise ValueError(f"greedy_cover: got {got}; expected (features, examples) bool, every example explained")
    open_, learnt = np.ones(explains.shape[1], dtype=bool), []
    for step in range(len(explains)):
        if not open_.any():
            break
        best = int(explains[:, open_].sum(1).argmax()) if order is None else int(order[step])
        if explains[best, open_].any():
            learnt.append(best)
            open_ &= ~explains[best]
    return np.array(learnt, dtype=int)


def simulate(
    rng: np.random.Generator | None = None,
    *,
    p: tuple[float, float, float] = (0.3, 0.3, 0.0),
    pool: tuple[int, int, int] = (200, 200, 200),
    n: int = 300,
    n_test: int = 2000,
    greedy: bool = True,
    seed: int = 0,
) -> Covers:
    """Draw features of two modalities and paired ones, and let three learners cover the same training examples.

    Args:
        p: Probability that a feature of modality 1, of modality 2, or a paired one explains an example.
        pool: Number of features of each kind; each uni-modal pool must cover the n examples.
        n, n_test: Training examples, and new ones.
        greedy: Strongest feature first, or (False) in random order.
        seed, rng: Of all draws; the generator is deprecated.
    Raises: ValueError on probabilities outside [0, 1) (the first two above 0), sizes below 1, or an uncovered example.
    """
    if not (0 < p[0] < 1 and 0 < p[1] < 1 and 0 <= p[2] < 1) or min(n, n_test, *pool) < 1:
        got = f"p={p}, pool={pool}, n={n}, n_test={n_test}"
        raise ValueError(f"simulate: got {got}; expected p above 0 (third from 0) and below 1, sizes >= 1")
    if rng is not None:
        aliases.warn("laziness.simulate(rng)", "simulate(seed=…)")
    rng = np.random.default_rng(seed) if rng is None else rng
    draws = [rng.random((size, n + n_test)) < share for size, share in zip(pool, p, strict=True)]
    train, test = ([part[:, rows] for part in draws] for rows in (slice(n), slice(n, None)))

    def learn(explains: np.ndarray) -> np.ndarray:
        return greedy_cover(explains, order=None if greedy else rng.permutation(len(explains)))

    alone = [learn(train[m]) for m in (0, 1)]
    joint = learn(np.concatenate(train))
    kinds = np.searchsorted(np.cumsum(pool), joint, side="right")
    *k, paired = np.bincount(kinds, minlength=3).tolist()
    ensemble = test[0][alone[0]].any(0) | test[1][alone[1]].any(0)
    return Covers(
        alone=(len(alone[0]), len(alone[1])),
        joint=tuple(k),
        paired=paired,
        ensemble_test=float(ensemble.mean()),
        joint_test=float(np.concatenate(test)[joint].any(0).mean()),
    )
