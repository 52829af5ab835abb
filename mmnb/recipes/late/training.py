"""One call that trains a late-fusion model in any of the `ways`: deterministic under a seed, resumable, with learning curves.

Whatever is random in epoch e (order of examples, dropout, noise) is drawn from (seed, e) alone. So a training that is killed after epoch e
and started again goes on with the very numbers that an unbroken one would have drawn, and torch's global generator is left as it was.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from mmnb.instruments.batches import length, take
from mmnb.recipes.late import checkpoint as on_disk
from mmnb.recipes.late.model import LateModel
from mmnb.recipes.late.objectives import Joint, Way
from mmnb.recipes.late.stopping import EarlyStop, Keeper

Batches = Callable[[int], Iterable[tuple[Mapping[str, Any], Tensor]]]
Curves = dict[str, list[float]]


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Adam, learning rate 2e-3, weight decay 1e-4 (in the gradient), one fused pass over all weights."""
    return torch.optim.Adam(parameters, lr=2e-3, weight_decay=1e-4, fused=True)


def fit(
    model: LateModel,
    batches: Batches,
    way: Way | None = None,
    *,
    epochs: int,
    seed: int = 0,
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] = adam,
    schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler] | None = None,
    watch: Callable[[LateModel], Mapping[str, float]] | None = None,
    stop: EarlyStop | None = None,
    checkpoint: Any = None,
    save_every: int = 1,
    progress: bool | None = None,
) -> Curves:
    """Train `model` in place; it comes back in eval mode.

    Args:
        batches: `batches(epoch)` gives (inputs, label) one after another: inputs name -> batch, label (b,) int64. See `shuffled`.
        way: `Joint()` (None), `Alone()`, `Umt(teachers, lam)`, `Frozen()`, `Modulated(alpha)`, `Dropout(p)`, `Blended(weights)`.
        epochs, at least 1; seed, 0 or above, of dropout and noise (the order of the examples belongs to `batches`).
        optimiser: parameters -> optimiser, `adam` by default. schedule: optimiser -> learning-rate schedule, stepped after every epoch.
        watch: called after every epoch in eval mode without gradient; its numbers join the curves.
        stop: early stopping: the best epoch's weights come back, and the training may end before `epochs`; "held out NAME" joins the curves.
        checkpoint: path of a safetensors file, written whole every `save_every` epochs and at the end; if it is there, the training goes on from it.
        progress: True shows a bar, False never does, None does on a terminal.
    Returns: curves, name -> one number an epoch: the mean over the epoch's examples (and replicates) of "loss" and of its parts, and whatever `watch` gives.
    Raises: ValueError on counts out of range, no batches, a model without what the way needs, a checkpoint of another training;
        FloatingPointError when the loss is no longer finite, before it reaches the weights.
    Source: the training of Du et al. 2023, Wang et al. 2020 and Peng et al. 2022 in one loop; each way says how it differs.
    """
    way = Joint() if way is None else way
    if epochs < 1 or save_every < 1 or seed < 0:
        raise ValueError(
            f"fit: got epochs={epochs}, save_every={save_every}, seed={seed}; expected epochs and save_every >= 1, seed >= 0"
        )
    way.check(model)
    stepper = optimiser(list(way.parameters(model)))
    plan = schedule(stepper) if schedule else None
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    identity = {"way": repr(way), "seed": seed, "epochs": epochs, "shapes": shapes, "optimiser": type(stepper).__name__}
    keeper = None if stop is None else Keeper(stop, way.units(model))
    if stop is not None:
        identity["stop"] = repr(stop)
    file = None if checkpoint is None else on_disk.file(checkpoint)
    curves: Curves = {}
    start = 0
    if file is not None and (done := on_disk.load(file, identity, model, stepper)) is not None:
        start, curves = done["epochs"], done["curves"]
        if plan is not None:
            plan.load_state_dict(done["plan"])
        if keeper is not None:
            keeper.load(done["kept"])
    hidden = None if progress is None else not progress
    for epoch in tqdm(
        range(start, epochs), initial=start, total=epochs, desc="fit", unit="epoch", disable=hidden, leave=False
    ):
        if keeper is not None and keeper.over(epoch):
            break
        for name, value in _epoch(model, batches, way, stepper, epoch, seed).items():
            curves.setdefault(name, []).append(value)
        if plan is not None:
            plan.step()
        model.eval()
        with torch.no_grad():
            seen = keeper.look(model, epoch) if keeper is not None else {}
            seen |= watch(model) if watch is not None else {}
        for name, value in seen.items():
            curves.setdefault(name, []).append(float(value))
        last = epoch + 1 == epochs or (keeper is not None and keeper.over(epoch + 1))
        if file is not None and (last or (epoch + 1) % save_every == 0):
            state = {"epochs": epoch + 1, "curves": curves, "plan": plan.state_dict() if plan is not None else None}
            on_disk.save(file, identity, model, stepper, state, keeper.state() if keeper is not None else {})
    if keeper is not None:
        keeper.restore()
    model.eval()
    return curves


def _epoch(
    model: LateModel, batches: Batches, way: Way, stepper: torch.optim.Optimizer, epoch: int, seed: int
) -> dict[str, float]:
    """Train for one epoch; mean of the loss and of its parts over the epoch's examples."""
    totals: dict[str, float] = {}
    count = 0
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(_stream(seed, epoch))
        way.mode(model)
        for inputs, label in batches(epoch):
            loss, parts = way.loss(model, inputs, label, epoch)
            if not loss.isfinite():
                raise FloatingPointError(
                    f"fit: the loss is {loss.item()} in epoch {epoch}; try a smaller learning rate"
                )
            stepper.zero_grad()
            loss.backward()
            way.after_backward(model, epoch)
            stepper.step()
            examples = label.shape[-1]  # with replicates the losses are sums over them
            replicates = label.numel() // examples
            for name, value in ({"loss": loss} | parts).items():
                totals[name] = totals.get(name, 0.0) + value.item() / replicates * examples
            count += examples
    if not count:
        raise ValueError(f"fit: batches({epoch}) gave no example; expected at least one batch")
    return {name: total / count for name, total in totals.items()}


def shuffled(inputs: Mapping[str, Any], label: Tensor, batch_size: int, seed: int = 0) -> Batches:
    """Batches of examples in an order that is new in every epoch and depends on (seed, epoch) alone; the last batch may be smaller.

    Args:    inputs, name -> n examples (tensor, array, list, or dict or tuple of those); label (n,); batch_size at least 1.
    Raises:  ValueError when lengths differ or batch_size is below 1.
    Example:
        >>> batches = shuffled({"a": torch.arange(5)}, torch.arange(5), batch_size=2)
        >>> [len(label) for _, label in batches(0)], sorted(torch.cat([label for _, label in batches(1)]).tolist())
        ([2, 2, 1], [0, 1, 2, 3, 4])
    """
    lengths = {name: length(batch, name) for name, batch in inputs.items()}
    if set(lengths.values()) != {len(label)} or batch_size < 1:
        raise ValueError(
            f"shuffled: got lengths {lengths}, {len(label)} labels, batch_size={batch_size}; expected one length, batch_size >= 1"
        )

    def batches(epoch: int) -> Iterable[tuple[dict[str, Any], Tensor]]:
        for rows in _order(len(label), seed, epoch).split(batch_size):
            yield {name: take(batch, rows) for name, batch in inputs.items()}, label[rows]

    return batches


def shuffled_side_by_side(
    inputs: Mapping[str, Tensor], label: Tensor, batch_size: int, seeds: Iterable[int]
) -> Batches:
    """As `shuffled` for r replicates: inputs (r, n, …), label (r, n); replicate k gets the order that `shuffled(…, seeds[k])` gives."""
    seeds = list(seeds)
    if (
        label.ndim != 2
        or len(seeds) != len(label)
        or any(x.shape[:2] != label.shape for x in inputs.values())
        or batch_size < 1
    ):
        raise ValueError(
            f"shuffled_side_by_side: got label {tuple(label.shape)}, inputs { {n: tuple(x.shape) for n, x in inputs.items()} }, {len(seeds)} "
            f"seeds, batch_size={batch_size}; expected (r, n), (r, n, …), r seeds, batch_size >= 1"
        )
    replicate = torch.arange(len(seeds))[:, None]

    def batches(epoch: int) -> Iterable[tuple[dict[str, Tensor], Tensor]]:
        order = torch.stack([_order(label.shape[1], seed, epoch) for seed in seeds])
        for rows in order.split(batch_size, dim=1):
            yield {name: x[replicate, rows] for name, x in inputs.items()}, label[replicate, rows]

    return batches


def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(_stream(seed, epoch)))


def _stream(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
