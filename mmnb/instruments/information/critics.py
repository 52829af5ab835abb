"""Several independent critics T(x, y) trained in one pass, and the lower bounds of information that they maximise."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

CLIP = 5.0  # SMILE's tau
EMA_RATE = 0.01  # weight of the newest batch in MINE's moving average


class Side(NamedTuple):
    """One side of the pairs for s critics: `numbers` (s, m, d), `labels` (s, m, l) one-hot, l = 0 without labels."""

    numbers: Tensor
    labels: Tensor


class Critics(nn.Module):
    """s networks T(x, y): numbers of both sides into one hidden layer, labels added, a second hidden layer, a score.

    The first layer is a sum of two halves, so all pairs of m rows cost 2 m products there. Labels enter one-hot in the
    middle of the network, as in the complementarity paper.
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

    def cross(self, x: Side, y: Side) -> Tensor:
        """Scores (s, m, m) of all pairs; entry (i, j) is T(x_i, y_j)."""
        s, m, _ = x.numbers.shape
        first = (x.numbers @ self.x)[:, :, None] + (y.numbers @ self.y)[:, None] + self.bias[0][:, :, None]
        labels = (x.labels @ self.label_x + self.bias[1])[:, :, None] + (y.labels @ self.label_y)[:, None]
        return self._rest(first.reshape(s, m * m, -1), labels.reshape(s, m * m, -1)).view(s, m, m)

    def _rest(self, first: Tensor, labels: Tensor) -> Tensor:
        second = torch.baddbmm(labels, functional.relu(first), self.middle)
        return (functional.relu(second) @ self.out).squeeze(-1)


def log_mean_exp(scores: Tensor) -> Tensor:
    """log of the mean of exp over the last axis."""
    return scores.logsumexp(-1) - math.log(scores.shape[-1])


class Mine:
    """Donsker-Varadhan, with a moving average in place of the batch's own mean in the gradient's denominator.

    Formula: mean T(x, y) - log mean exp T(x, y'). Its gradient in a batch is biased, because the logarithm's argument is
    noisy; with an average m over batches it is that of mean T(x, y) - mean exp T(x, y') / m. Computed in logarithms; the
    current batch is part of m, so no ratio exceeds 1/rate.
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


def nwj(critics: Critics, x: Side, y: Side) -> Tensor:
    """-(mean T(x, y) - mean exp(T(x, y') - 1)) for each critic."""
    true, shuffled = critics(x, y)
    return (log_mean_exp(shuffled) - 1).exp() - true.mean(-1)


def infonce(critics: Critics, x: Side, y: Side) -> Tensor:
    """Cross-entropy of finding the partner among the batch, for each critic."""
    scores = critics.cross(x, y)
    return -(scores.diagonal(dim1=1, dim2=2) - scores.logsumexp(2)).mean(-1)


def jensen_shannon(critics: Critics, x: Side, y: Side) -> Tensor:
    """Loss of classifying true and shuffled pairs, for each critic; its optimum is the log ratio of densities."""
    true, shuffled = critics(x, y)
    return functional.softplus(-true).mean(-1) + functional.softplus(shuffled).mean(-1)


def value(method: str, critics: Critics, x: Side, y: Side, shuffles: list[int], batch: int) -> Tensor:
    """The bound, (s,) nats, on given rows: shuffled partners come from several rolls; InfoNCE works batch by batch."""
    if method == "infonce":
        m = min(batch, x.numbers.shape[1])
        starts = range(0, x.numbers.shape[1] - m + 1, m)
        parts = [(Side(*(t[:, k : k + m] for t in x)), Side(*(t[:, k : k + m] for t in y))) for k in starts]
        return torch.stack([math.log(m) - infonce(critics, *part) for part in parts]).mean(0)
    true, *others = critics(x, y, (0, *shuffles))
    true, shuffled = true.mean(-1), torch.cat(others, -1)
    if method == "nwj":
        return true - (log_mean_exp(shuffled) - 1).exp()
    return true - log_mean_exp(shuffled.clamp(-CLIP, CLIP) if method == "smile" else shuffled)


def objective(method: str) -> Callable[[Critics, Side, Side], Tensor]:
    """Training loss, (s,) per batch; SMILE trains by Jensen-Shannon and differs in the evaluation."""
    return {"mine": Mine, "nwj": lambda: nwj, "infonce": lambda: infonce, "smile": lambda: jensen_shannon}[method]()
