"""A small training loop that keeps the weights of the best validation epoch, and late fusion on top of it."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from tqdm.auto import tqdm

from mmnb.data.pairs import Pairs
from mmnb.models.fusion import LateFusion


@dataclass(frozen=True)
class History:
    """Mean training loss and validation score per epoch, and the epoch (from 0) whose weights were kept."""

    loss: list[float]
    validation: list[float]
    best: int


def fit(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    n: int,
    *,
    epochs: int,
    generator: torch.Generator,
    validate: Callable[[], float] | None = None,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-4,
    largest_gradient: float | None = None,
    progress: bool | None = None,
) -> History:
    """Train `model` in place with AdamW and a one-cycle learning rate; it comes back in eval mode.

    Args:
        loss: `loss(index)` of a batch of units, index (b,) int64 on the CPU. A unit is what is drawn: one of n examples, or an image with all
            its questions.
        generator: Draws the order of the units; the model's own randomness comes from torch's global seed.
        validate: Called after each epoch in eval mode, without gradient; higher is better. The weights of the best epoch are restored, the
            earliest where several are equal. None keeps the last.
        learning_rate: Its peak.
        largest_gradient: Norm to which a step's gradient is clipped; None leaves it.
        progress: True shows a bar, False never does, None does on a terminal.
    """
    for name, value in {"n": n, "epochs": epochs, "batch_size": batch_size}.items():
        if value < 1:
            raise ValueError(f"fit: got {name}={value}; expected at least 1")
    steps = epochs * -(-n // batch_size)
    # fused: one pass over all weights; the plain loop over small tensors took half of the training time
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=max(steps, 2))
    losses, scores = [], []
    best, weights = epochs - 1, None
    hidden = None if progress is None else not progress
    clip = None if largest_gradient is None else lambda: clip_grad_norm_(model.parameters(), largest_gradient)
    bar = tqdm(total=steps, desc="fit", unit="step", disable=hidden, leave=False)
    with bar, telling_small_batches("fit"):
        for epoch in range(epochs):
            model.train()
            total = 0.0
            for index in torch.randperm(n, generator=generator).split(batch_size):
                total += step(loss(index), optimiser, f"fit, epoch {epoch}", clip) * len(index)
                schedule.step()
                bar.update()
            losses.append(total / n)
            model.eval()
            if validate is not None:
                with torch.no_grad():
                    scores.append(validate())
                if weights is None or scores[-1] > scores[best]:
                    best, weights = epoch, copy.deepcopy(model.state_dict())
    if weights is not None:
        model.load_state_dict(weights)
    return History(losses, scores, best)


@contextlib.contextmanager
def telling_small_batches(caller: str) -> Iterator[None]:
    """Say what torch means where batch normalisation meets a batch of one example."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        got = "got a batch of 1 example, which batch normalisation cannot train on"
        raise ValueError(
            f"{caller}: {got}; expected 2 or more: another batch size, or leave the last batch out"
        ) from error


def step(loss: Tensor, optimiser: Optimizer, caller: str, clip: Callable[[], Any] | None = None) -> float:
    """One step of the optimiser; the loss as a number. Raises: FloatingPointError before a loss that is not finite reaches the weights."""
    if not loss.isfinite():
        raise FloatingPointError(f"{caller}: the loss is {loss.item()}; try a smaller learning_rate")
    optimiser.zero_grad()
    loss.backward()
    if clip is not None:
        clip()
    optimiser.step()
    return loss.item()


def fit_pairs(
    model: LateFusion, pairs: Pairs, *, seed: int, epochs: int, items_per_batch: int = 32, **options
) -> History:
    """Train a late-fusion classifier on `pairs.train` by cross-entropy; the epoch is chosen by accuracy on `pairs.validation`.

    One batch holds `items_per_batch` items of `a` with all their pairs, so that an image with ten questions is encoded once. Options go to
    `fit`.
    """
    order = pairs.train[pairs.of_a[pairs.train].argsort(stable=True)]
    units = order.split(pairs.of_a[order].unique_consecutive(return_counts=True)[1].tolist())

    def loss(index: Tensor) -> Tensor:
        rows = torch.cat([units[i] for i in index.tolist()])
        return functional.cross_entropy(pair_logits(model, pairs, rows), pairs.label[rows])

    def validation_accuracy() -> float:
        rows = pairs.validation
        return (pair_logits(model, pairs, rows).argmax(1) == pairs.label[rows]).float().mean().item()

    options |= {"generator": torch.Generator().manual_seed(seed), "validate": validation_accuracy}
    return fit(model, loss, len(units), epochs=epochs, batch_size=items_per_batch, **options)


def pair_logits(model: LateFusion, pairs: Pairs, rows: Tensor) -> Tensor:
    """Logits (len(rows), classes) of the pairs `rows`, each different item encoded once."""
    (a, of_a), (b, of_b) = (of[rows].unique(return_inverse=True) for of in (pairs.of_a, pairs.of_b))
    return model(pairs.a[a], pairs.b[b], of_a, of_b)
