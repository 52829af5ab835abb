"""Neural estimates of mutual information: MINE, NWJ, InfoNCE and SMILE, with one stopping rule that was fixed beforehand."""

import numpy as np
import torch
from torch import Tensor

from mmnb.instruments.estimate import mean_interval
from mmnb.instruments.information.critics import Critics, Side, objective, value
from mmnb.instruments.information.ksg import standard
from mmnb.instruments.information.variables import Estimate, Variable

METHODS = ("mine", "nwj", "infonce", "smile")
EVALUATIONS = 40  # held-out values taken during training; the answer is the mean of the last fifth of them
LAST = EVALUATIONS // 5
LARGEST_GRADIENT = 1.0
SHUFFLES = 5
MOST_HELD_OUT = 2048  # rows: more would make evaluation dearer than training


def neural(
    x: Variable,
    y: Variable,
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
) -> Estimate:
    """I(X;Y) as the value that a trained critic gives a lower bound, or SMILE's estimate, at the end of a training of fixed length.

    Formula (T the critic, y' of another row; CLIP = 5):
      mine    : mean T(x, y) - log mean exp T(x, y'), trained with a moving average in the gradient
      nwj     : mean T(x, y) - mean exp(T(x, y') - 1)
      infonce : log(batch) less the loss of finding a row's partner in its batch; never above log(batch)
      smile   : mine with T(x, y') cut to +-CLIP, from a critic trained to tell true pairs from shuffled ones

    Args:    x, y, variables, numbers standardised here, at least one of them with numbers; labels enter one-hot in the middle of the critic.
             seeds, critics with their own weights, split and batches, whose answers are averaged; steps and batch, of Adam; hidden, width of
             both layers; learning_rate; held_out, share of rows kept for evaluation (2,048 of them are used at most), 0: evaluate on the training rows, as the
             complementarity paper does; seed of everything; device, of torch.
    Returns: `Estimate`: mean over critics; interval = 95 % Student-t over critics (None for one), which covers neither the bias nor what
             another sample would give; trace = mean held-out value at 40 moments. The answer is the mean of the last fifth of the trace, a
             rule without choice: the best of all evaluations would be biased upwards.
    Raises:  ValueError on labels alone on both sides, too few rows for a batch, other sizes; FloatingPointError when training diverges.
    Source:  Belghazi et al. 2018 (MINE); Nguyen, Wainwright & Jordan 2010; van den Oord et al. 2018 (InfoNCE); Song & Ermon 2020 (SMILE).
             Ours computes averages in logarithms, cuts gradients to norm 1 for each critic, and trains all critics in one pass.
    """
    if x.discrete and y.discrete:
        raise ValueError(
            f"{method}: got labels on both sides; expected numbers on one, as for labels alone method 'table' is exact"
        )
    n_test = round(held_out * x.n)
    n_train = x.n - n_test
    if min(seeds, steps, hidden) < 1 or steps < EVALUATIONS or not 0 <= held_out < 1:
        raise ValueError(
            f"{method}: got seeds={seeds}, steps={steps}, hidden={hidden}, held_out={held_out}; expected seeds, hidden >= 1, "
            f"steps >= {EVALUATIONS}, 0 <= held_out < 1"
        )
    if n_train < batch or batch < 2 or 0 < n_test < 2 * SHUFFLES:
        raise ValueError(
            f"{method}: got n={x.n}, {n_train} to train on, batch={batch}; expected at least one batch of 2 or more"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(x, y, method, seeds, steps, batch, hidden, learning_rate, n_train, device)


def _train(
    x: Variable,
    y: Variable,
    method: str,
    seeds: int,
    steps: int,
    batch: int,
    hidden: int,
    rate: float,
    n_train: int,
    device: str,
) -> Estimate:
    sides = [Side(*(part.to(device) for part in _side(v))) for v in (x, y)]
    critics = Critics(seeds, tuple(s.numbers.shape[1] for s in sides), tuple(s.labels.shape[1] for s in sides), hidden)
    critics.to(device)
    optimiser = torch.optim.Adam(critics.parameters(), lr=rate, fused=True)
    loss_of = objective(method)
    order = torch.stack([torch.randperm(x.n) for _ in range(seeds)])
    train, test = order[:, :n_train], order[:, n_train:] if n_train < x.n else order
    test = test[:, :MOST_HELD_OUT]
    shuffles = [1 + k * (test.shape[1] - 1) // SHUFFLES for k in range(SHUFFLES)]
    every, trace = steps // EVALUATIONS, []
    for step in range(1, every * EVALUATIONS + 1):
        rows = train.gather(1, torch.randint(n_train, (seeds, batch)))
        losses = loss_of(critics, *(_rows(side, rows) for side in sides))
        if not losses.isfinite().all():
            raise FloatingPointError(
                f"{method}: the loss is {losses.tolist()} at step {step}; try a smaller learning_rate"
            )
        optimiser.zero_grad()
        losses.sum().backward()
        _cut(critics)
        optimiser.step()
        if step % every == 0:
            with torch.no_grad():
                trace.append(value(method, critics, *(_rows(side, test) for side in sides), shuffles, batch))
    path = torch.stack(trace).double().cpu().numpy()  # (evaluations, seeds)
    if not np.isfinite(path).all():
        raise FloatingPointError(f"{method}: a held-out value is not finite; expected a critic that does not diverge")
    answers = path[-LAST:].mean(0)
    interval = mean_interval(answers).interval if seeds > 1 else None
    return Estimate(float(answers.mean()), interval, path.mean(1), method, x.n)


def _side(v: Variable) -> Side:
    return Side(torch.from_numpy(standard(v.numbers)).float(), torch.from_numpy(v.one_hot()).float())


def _rows(side: Side, rows: Tensor) -> Side:
    rows = rows.to(side.numbers.device)
    return Side(side.numbers[rows], side.labels[rows])


def _cut(critics: Critics) -> None:
    """Cut each critic's gradient to norm 1; the first axis of every parameter but the biases counts critics."""
    used = [p for p in critics.parameters() if p.grad is not None]  # without labels their weights have none
    pieces = [p.grad if p is not critics.bias else p.grad.transpose(0, 1) for p in used]
    norm = torch.stack([piece.flatten(1).square().sum(1) for piece in pieces]).sum(0).sqrt()
    factor = (LARGEST_GRADIENT / (norm + 1e-12)).clamp(max=1)
    for piece in pieces:
        piece.mul_(factor.view(-1, *[1] * (piece.ndim - 1)))
