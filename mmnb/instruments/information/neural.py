"""Neural estimates of mutual information: MINE and SMILE, with one stopping rule that was fixed beforehand.

Several independent critics T(x, y) are trained in one pass; each maximises a lower bound of the information.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from mmnb.instruments.estimate import Estimate, mean_interval
from mmnb.instruments.information.training_free import standard
from mmnb.instruments.information.variables import MutualInformation, Variable
from mmnb.instruments.inputs import real, whole

CLIP = 5.0  # SMILE's tau
EMA_RATE = 0.01  # weight of the newest batch in MINE's moving average
EVALUATIONS = 40  # held-out values taken during training; the answer is the mean of the last fifth of them
LAST = EVALUATIONS // 5
RUNAWAY = -0.5  # nats: information is never below 0, so a held-out value this low is the critic's failure
SHUFFLES = 5
MOST_HELD_OUT = 2048  # rows: with more, evaluation would take longer than training


class Side(NamedTuple):
    """One side of the pairs for s critics: `numbers` (s, m, d), `labels` (s, m, l) one-hot, l = 0 without labels."""

    numbers: Tensor
    labels: Tensor


class Critics(nn.Module):
    """s networks T(x, y): numbers of both sides into one hidden layer, labels added, a second hidden layer, a score.

    The first layer is a sum of two halves, so all pairs of m rows cost 2 m products there. Labels enter in the middle, as
    in the complementarity paper.
    """

    def __init__(self, s: int, numbers: tuple[int, int], labels: tuple[int, int], hidden: int) -> None:
        super().__init__()
        self.x, self.y = (self._weights(s, d, hidden, sum(numbers)) for d in numbers)
        self.label_x, self.label_y = (self._weights(s, d, hidden, hidden + sum(labels)) for d in labels)
        self.middle = self._weights(s, hidden, hidden, hidden + sum(labels))
        self.out = self._weights(s, hidden, 1, hidden)
        self.bias = nn.Parameter(torch.zeros(2, s, 1, hidden))

    @staticmethod
    def _weights(s: int, inputs: int, outputs: int, fan_in: int) -> nn.Parameter:
        bound = math.sqrt(3 / max(fan_in, 1))
        return nn.Parameter(torch.empty(s, inputs, outputs).uniform_(-bound, bound))

    def forward(self, x: Side, y: Side, rolls: Sequence[int] = (0, 1)) -> tuple[Tensor, ...]:
        """Scores (s, m) for each roll: of the true pairs (x_i, y_i) for 0, of pairs (x_i, y_i-roll) for others."""
        of_x, of_y = torch.baddbmm(self.bias[0], x.numbers, self.x), y.numbers @ self.y
        if not x.labels.shape[2] + y.labels.shape[2]:
            return tuple(self._rest(of_x + of_y.roll(by, 1), self.bias[1]) for by in rolls)
        mid_x, mid_y = torch.baddbmm(self.bias[1], x.labels, self.label_x), y.labels @ self.label_y
        return tuple(self._rest(of_x + of_y.roll(by, 1), mid_x + mid_y.roll(by, 1)) for by in rolls)

    def _rest(self, first: Tensor, labels: Tensor) -> Tensor:
        second = torch.baddbmm(labels, functional.relu(first), self.middle)
        return (functional.relu(second) @ self.out).squeeze(-1)


def log_mean_exp(scores: Tensor) -> Tensor:
    """log of the mean of exp over the last axis."""
    return scores.logsumexp(-1) - math.log(scores.shape[-1])


class Mine:
    """mean T(x, y) - log mean exp T(x, y') (Donsker-Varadhan), its gradient made less biased.

    With a moving average m over batches, the gradient is that of mean T(x, y) - mean exp T(x, y') / m. Computed in
    logarithms; the current batch is part of m, so no ratio exceeds 1/rate.
    """

    def __init__(self) -> None:
        self.log_average: Tensor | None = None

    def __call__(self, critics: Critics, x: Side, y: Side) -> Tensor:
        true, scores = critics(x, y)
        shuffled = log_mean_exp(scores)
        now = shuffled.detach()
        before = now if self.log_average is None else self.log_average
        self.log_average = torch.logaddexp(before + math.log(1 - EMA_RATE), now + math.log(EMA_RATE))
        return (shuffled - self.log_average).exp() - true.mean(-1)


def jensen_shannon(critics: Critics, x: Side, y: Side) -> Tensor:
    """Loss of classifying true and shuffled pairs, for each critic; its optimum is the log ratio of densities."""
    true, shuffled = critics(x, y)
    return functional.softplus(-true).mean(-1) + functional.softplus(shuffled).mean(-1)


def value(method: str, critics: Critics, x: Side, y: Side, shuffles: list[int]) -> Tensor:
    """The bound, (s,) nats, on given rows: shuffled partners come from several rolls."""
    true, *others = critics(x, y, (0, *shuffles))
    true, shuffled = true.mean(-1), torch.cat(others, -1)
    return true - log_mean_exp(shuffled.clamp(-CLIP, CLIP) if method == "smile" else shuffled)


OBJECTIVES = {"mine": Mine, "smile": lambda: jensen_shannon}
METHODS = tuple(OBJECTIVES)  # SMILE trains by Jensen-Shannon and differs in the evaluation


def neural(
    a: Variable,
    b: Variable,
    method: str = "mine",
    *,
    seeds: int = 3,
    steps: int = 2000,
    batch: int = 256,
    hidden: int = 64,
    learning_rate: float = 1e-3,
    held_out: float = 1 / 3,
    seed: int = 0,
    device: str = "cpu",
    progress: bool | None = None,
) -> MutualInformation:
    """I(A;B) as the value that a trained critic gives a lower bound, or SMILE's estimate, after a training of fixed length.

    Formula (T the critic, b' of another row; CLIP = 5):
      mine  : mean T(a, b) - log mean exp T(a, b'), trained with a moving average in the gradient
      smile : mine with T(a, b') clipped to +-CLIP, from a critic trained to classify true and shuffled pairs

    The answer is the mean of the last fifth of the held-out values: the best of them would be biased upwards. The interval
    is Student-t over critics (None for one); it covers neither the bias nor the sample.

    Args:
        a, b: Numbers (standardised here), labels (one-hot, in the middle of the critic), or both; a or b has numbers.
        method: One of `METHODS`.
        seeds: Number of critics, each with its own weights, split and batches; their answers are averaged.
        steps, learning_rate, batch: Of Adam; rows a step.
        hidden: Width of both layers.
        held_out: Share of rows for evaluation (at most 2,048 are used); 0: evaluate on the training rows, as the
            complementarity paper does.
        seed, device: Of everything.
        progress: Show a bar over steps; None: on a terminal only.
    Raises: ValueError on labels alone on both sides, too few rows for a batch, or sizes out of range;
        FloatingPointError when a loss or a value is not finite. Warns when a critic's answer is below -0.5 nats.
    Source: Belghazi et al. 2018 (MINE); Song & Ermon 2020 (SMILE). Ours averages in logarithms and trains all critics in one pass. Gradients are not clipped: the
        rare shuffled pair with a huge score is all that holds T down. Measured (MINE, one sample, default settings):

        | normal pairs | true | moving average | the same, norm 1 | batch mean | the same, norm 1 |
        |---|---|---|---|---|---|
        | n = 1500, d = 3, rho .95 | 3.49 | 3.27 | -564 | 3.10 | 2.61 |
        | n = 1500, d = 10, rho .7 | 3.37 | 2.81 | -102 | 2.71 | 2.45 |
        | n = 6000, d = 20, rho .7 | 6.73 | 4.01 | -1302 | -1.37 | 3.70 |
        | n = 5000, d = 20, rho .75, 3000 steps at 3e-3 | 8.27 | 4.89 | -311040 | -587 | -56 |
    """
    if a.discrete and b.discrete:
        raise ValueError(f"{method}: got labels on both sides; expected numbers on one. For labels use method 'table'")
    seeds, hidden = whole(seeds, f"{method}: seeds"), whole(hidden, f"{method}: hidden")
    steps, batch = whole(steps, f"{method}: steps", EVALUATIONS), whole(batch, f"{method}: batch", 2)
    n_test = round(real(held_out, f"{method}: held_out", 0, 1) * a.n)
    real(learning_rate, f"{method}: learning_rate", 0)
    n_train = a.n - n_test
    if n_train < batch or 0 < n_test < 2 * SHUFFLES:
        raise ValueError(f"{method}: got {n_train} of {a.n} rows, batch={batch}; expected at least one batch of 2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sides = [_side(v, device) for v in (a, b)]
        widths = [tuple(getattr(side, kind).shape[1] for side in sides) for kind in ("numbers", "labels")]
        critics = Critics(seeds, *widths, hidden).to(device)
        optimiser = torch.optim.Adam(critics.parameters(), lr=learning_rate, fused=True)
        loss_of = OBJECTIVES[method]()
        order = torch.stack([torch.randperm(a.n) for _ in range(seeds)])
        train, test = order[:, :n_train], (order[:, n_train:] if n_test else order)[:, :MOST_HELD_OUT]
        shuffles = [1 + k * (test.shape[1] - 1) // SHUFFLES for k in range(SHUFFLES)]
        every, trace = steps // EVALUATIONS, []
        quiet = None if progress is None else not progress
        for step in tqdm(range(1, every * EVALUATIONS + 1), desc=method, unit="step", disable=quiet, leave=False):
            rows = train.gather(1, torch.randint(n_train, (seeds, batch)))
            losses = loss_of(critics, *(_rows(side, rows) for side in sides))
            if not losses.isfinite().all():
                raise FloatingPointError(f"{method}: the loss is {losses.tolist()} at step {step}; lower learning_rate")
            optimiser.zero_grad()
            losses.sum().backward()
            optimiser.step()
            if step % every == 0:
                with torch.no_grad():
                    trace.append(value(method, critics, *(_rows(side, test) for side in sides), shuffles))
    path = torch.stack(trace).cpu().double().numpy()  # (evaluations, seeds)
    if not np.isfinite(path).all():
        raise FloatingPointError(f"{method}: a held-out value is not finite; expected a critic that does not diverge")
    answers = path[-LAST:].mean(0)
    if answers.min() < RUNAWAY:
        got = f"{answers.round(2).tolist()} nats by critic, where information is never below 0"
        warnings.warn(f"{method}: got {got}: training ran away or overfitted; more rows, fewer steps?", stacklevel=3)
    ends = mean_interval(answers).interval if seeds > 1 else ()
    return MutualInformation(Estimate(float(answers.mean()), *ends, n=seeds, over="critics"), method, a.n, path.mean(1))


def _side(v: Variable, device: str) -> Side:
    return Side(*(torch.from_numpy(part).float().to(device) for part in (standard(v.numbers), v.one_hot())))


def _rows(side: Side, rows: Tensor) -> Side:
    rows = rows.to(side.numbers.device)
    return Side(side.numbers[rows], side.labels[rows])
