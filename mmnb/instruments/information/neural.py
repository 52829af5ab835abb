"""Neural estimates of mutual information: MINE, NWJ, InfoNCE and SMILE, with one stopping rule that was fixed beforehand."""

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmnb.instruments.estimate import Estimate, mean_interval
from mmnb.instruments.information.critics import Critics, Side, objective, value
from mmnb.instruments.information.training_free import standard
from mmnb.instruments.information.variables import MutualInformation, Variable

METHODS = ("mine", "nwj", "infonce", "smile")
EVALUATIONS = 40  # held-out values taken during training; the answer is the mean of the last fifth of them
LAST = EVALUATIONS // 5
LARGEST_GRADIENT = 1.0
SHUFFLES = 5
MOST_HELD_OUT = 2048  # rows: with more, evaluation would take longer than training


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
      mine    : mean T(a, b) - log mean exp T(a, b'), trained with a moving average in the gradient
      nwj     : mean T(a, b) - mean exp(T(a, b') - 1)
      infonce : log(batch) less the loss of finding a row's partner in its batch; never above log(batch)
      smile   : mine with T(a, b') clipped to +-CLIP, from a critic trained to classify true and shuffled pairs

    The answer is the mean of the last fifth of the held-out values: the best of them would be biased upwards. The interval
    is Student-t over critics (None for one); it covers neither the bias nor the sample.

    Args:
        a, b: Numbers (standardised here), labels (one-hot, in the middle of the critic), or both; a or b has numbers.
        method: "mine", "nwj", "infonce" or "smile".
        seeds: Number of critics, each with its own weights, split and batches; their answers are averaged.
        steps, learning_rate: Of Adam.
        batch: Rows a step.
        hidden: Width of both layers.
        held_out: Share of rows for evaluation (at most 2,048 are used); 0: evaluate on the training rows, as the
            complementarity paper does.
        seed: Of everything.
        device: Of torch.
        progress: Show a bar over steps; None: on a terminal only.
    Raises: ValueError on labels alone on both sides, too few rows for a batch, or sizes out of range;
        FloatingPointError when training diverges.
    Source: Belghazi et al. 2018 (MINE); Nguyen, Wainwright & Jordan 2010; van den Oord et al. 2018 (InfoNCE); Song &
        Ermon 2020 (SMILE). Ours averages in logarithms, clips each critic's gradient to norm 1, and trains all critics
        in one pass.
    """
    if a.discrete and b.discrete:
        raise ValueError(f"{method}: got labels on both sides; expected numbers on one. For labels use method 'table'")
    n_test = round(held_out * a.n)
    n_train = a.n - n_test
    if min(seeds, steps, hidden) < 1 or steps < EVALUATIONS or not 0 <= held_out < 1:
        raise ValueError(
            f"{method}: got seeds={seeds}, steps={steps}, hidden={hidden}, held_out={held_out}; expected seeds, hidden >= 1, "
            f"steps >= {EVALUATIONS}, 0 <= held_out < 1"
        )
    if n_train < batch or batch < 2 or 0 < n_test < 2 * SHUFFLES:
        got = f"n={a.n}, {n_train} to train on, batch={batch}"
        raise ValueError(f"{method}: got {got}; expected at least one batch of 2 or more")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sides = [_side(v, device) for v in (a, b)]
        widths = [tuple(getattr(side, kind).shape[1] for side in sides) for kind in ("numbers", "labels")]
        critics = Critics(seeds, *widths, hidden).to(device)
        optimiser = torch.optim.Adam(critics.parameters(), lr=learning_rate, fused=True)
        loss_of = objective(method)
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
            _clip_gradients(critics)
            optimiser.step()
            if step % every == 0:
                with torch.no_grad():
                    trace.append(value(method, critics, *(_rows(side, test) for side in sides), shuffles, batch))
    path = torch.stack(trace).double().cpu().numpy()  # (evaluations, seeds)
    if not np.isfinite(path).all():
        raise FloatingPointError(f"{method}: a held-out value is not finite; expected a critic that does not diverge")
    answers = path[-LAST:].mean(0)
    ends = mean_interval(answers).interval if seeds > 1 else ()
    return MutualInformation(Estimate(float(answers.mean()), *ends, n=seeds, over="critics"), method, a.n, path.mean(1))


def _side(v: Variable, device: str) -> Side:
    return Side(*(torch.from_numpy(part).float().to(device) for part in (standard(v.numbers), v.one_hot())))


def _rows(side: Side, rows: Tensor) -> Side:
    rows = rows.to(side.numbers.device)
    return Side(side.numbers[rows], side.labels[rows])


def _clip_gradients(critics: Critics) -> None:
    """Clip each critic's gradient to norm 1; the first axis of every parameter but the biases counts critics."""
    used = [p for p in critics.parameters() if p.grad is not None]  # without labels their weights have none
    pieces = [p.grad if p is not critics.bias else p.grad.transpose(0, 1) for p in used]
    norm = torch.stack([piece.flatten(1).square().sum(1) for piece in pieces]).sum(0).sqrt()
    factor = (LARGEST_GRADIENT / (norm + 1e-12)).clamp(max=1)
    for piece in pieces:
        piece.mul_(factor.view(-1, *[1] * (piece.ndim - 1)))
