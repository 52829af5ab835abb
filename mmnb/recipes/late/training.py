"""The training loop of late fusion: `fit` minimises any of the `objectives`, deterministically under a seed, resumable, with learning curves.

Whatever is random in epoch e (order of examples, dropout, noise) is drawn from (seed, e) alone. So a training that is killed after epoch e
and started again continues with the numbers that an unbroken one would have drawn; torch's global generator is left as it was.

A checkpoint belongs to one training, which `_identity` describes: starting weights, examples, labels and their order, objective and teachers,
optimiser and schedule with all of their numbers, held-out data. Of code (a callback, a rate given as a function) only results are compared.
"""

import contextlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from mmnb.instruments.batches import length, take
from mmnb.instruments.checkpoint import Checkpoint, load_optimiser, optimiser_state
from mmnb.instruments.identity import fingerprint
from mmnb.recipes.fit import telling_small_batches
from mmnb.recipes.late.model import LateModel
from mmnb.recipes.late.objectives import Joint, Objective
from mmnb.recipes.late.stopping import BestWeights, EarlyStop

Batches = Callable[[int], Iterable[tuple[Mapping[str, Any], Tensor]]]
Curves = dict[str, list[float]]


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Adam, learning rate 2e-3, weight decay 1e-4 (in the gradient), one fused pass over all weights."""
    return torch.optim.Adam(parameters, lr=2e-3, weight_decay=1e-4, fused=True)


def fit(
    model: LateModel,
    batches: Batches,
    objective: Objective | None = None,
    *,
    epochs: int,
    seed: int = 0,
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] = adam,
    schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler] | None = None,
    callback: Callable[[LateModel], Mapping[str, float]] | None = None,
    stop: EarlyStop | None = None,
    checkpoint: Any = None,
    save_every: int = 1,
    progress: bool | None = None,
) -> Curves:
    """Train `model` in place; it comes back in eval mode.

    Args:
        model: A stacked one (see `stack_models`) trains all its replicas at once.
        batches: `batches(epoch)` gives (inputs, label) one after another: inputs name -> batch, label (N,) int64. See `shuffled`.
        objective: What is minimised; None is `Joint()`. See `objectives` for the others.
        seed: Of dropout and noise, 0 or above; the order of the examples belongs to `batches`.
        optimiser: Parameters -> optimiser.
        schedule: Optimiser -> learning-rate schedule, stepped after every epoch.
        callback: Called after every epoch in eval mode without gradient; the numbers it returns join the curves.
        stop: Early stopping: the best epoch's weights come back, and training may end before `epochs`; "held out NAME" joins the curves.
        checkpoint: Path of a safetensors file, written every `save_every` epochs and at the end; if it exists, training continues from it.
            `model` must then have the weights it had at first, and `batches(0)` is read once more, to see whether it is the same training.
        progress: True shows a bar, False never does, None does on a terminal.

    Returns:
        Curves: name -> one number an epoch, the mean over the examples (and replicas) of "loss" and of its parts, and the callback's numbers.

    Raises: ValueError on a model without a part that the objective needs, or a checkpoint of another training; FloatingPointError before a loss
    that is not finite reaches the weights.
    """
    objective = Joint() if objective is None else objective
    if epochs < 1 or save_every < 1 or seed < 0:
        raise ValueError(
            f"fit: got epochs={epochs}, save_every={save_every}, seed={seed}; expected epochs and save_every >= 1, seed >= 0"
        )
    objective.check(model)
    stepper = optimiser(list(objective.parameters(model)))
    plan = schedule(stepper) if schedule else None
    best = BestWeights(stop, objective.units(model))
    file = None
    if checkpoint is not None:
        identity = _identity(model, batches, objective, stepper, plan, stop, seed, epochs)
        file = Checkpoint(checkpoint, identity, caller="fit")
    start, curves = (0, {}) if file is None else _load(file, model, stepper, plan, best)
    hidden = None if progress is None else not progress
    left = range(start, epochs)
    for epoch in tqdm(left, initial=start, total=epochs, desc="fit", unit="epoch", disable=hidden, leave=False):
        if best.finished(epoch):
            break
        found = _epoch(model, batches, objective, stepper, epoch, seed)
        if plan is not None:
            plan.step()
        model.eval()
        with torch.no_grad():
            found |= best.update(model, epoch) | (callback(model) if callback is not None else {})
        for name, value in found.items():
            curves.setdefault(name, []).append(float(value))
        last = epoch + 1 == epochs or best.finished(epoch + 1)
        if file is not None and (last or (epoch + 1) % save_every == 0):
            _save(file, model, stepper, plan, best, curves)
    best.restore()
    model.eval()
    return curves


def _identity(
    model: LateModel, batches: Batches, objective: Objective, stepper: Any, plan: Any, stop: Any, seed: int, epochs: int
) -> dict[str, Any]:
    """What must agree for a training to be continued; numbers are told in words, tensors by their fingerprint."""
    with _drawn_from(seed, 0):
        examples = fingerprint([fingerprint([dict(inputs), label]) for inputs, label in batches(0)])
    groups = [
        {key: len(value) if key == "params" else value for key, value in group.items()}
        for group in stepper.param_groups
    ]
    rates = [[rate(epoch) for epoch in range(epochs)] for rate in getattr(plan, "lr_lambdas", [])]
    found = {
        "training": "fit",
        "starting weights": fingerprint(dict(model.state_dict())),
        "examples": examples,
        "objective": repr(objective),
        "weights of the objective": fingerprint([dict(part.state_dict()) for part in _modules(vars(objective))]),
        "optimiser": type(stepper).__name__,
        "options of the optimiser": repr(groups),
        "schedule": None if plan is None else f"{type(plan).__name__} {plan.state_dict()} {rates}",
        "seed": seed,
        "epochs": epochs,
    }
    if stop is not None:
        known = inspect.getclosurevars(stop.held_out).nonlocals if inspect.isfunction(stop.held_out) else None
        found |= {"stop": repr(stop), "held-out data": fingerprint(known)}
    return found


def _modules(value: Any) -> Iterator[nn.Module]:
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _modules(part)


def _save(file: Checkpoint, model: LateModel, stepper: Any, plan: Any, best: BestWeights, curves: Curves) -> None:
    tensors, rest = optimiser_state(stepper)
    tensors |= {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"kept.{name}": value for name, value in best.kept.items()}
    progress = {
        "epochs": len(curves["loss"]),
        "curves": curves,
        "plan": plan.state_dict() if plan is not None else None,
    }
    file.save(tensors, {"progress": progress, "optimiser": rest})


def _load(file: Checkpoint, model: LateModel, stepper: Any, plan: Any, best: BestWeights) -> tuple[int, Curves]:
    """Restore all that `_save` was given; epochs done and curves, (0, {}) where there is no file yet."""
    if (saved := file.load()) is None:
        return 0, {}
    tensors, found = saved
    own, best.kept = (
        {name.removeprefix(of): value for name, value in tensors.items() if name.startswith(of)}
        for of in ("model.", "kept.")
    )
    model.load_state_dict(own)
    load_optimiser(stepper, tensors, found["optimiser"])
    if plan is not None:
        plan.load_state_dict(_like(plan.state_dict(), found["progress"]["plan"]))
    return found["progress"]["epochs"], found["progress"]["curves"]


def _like(own: Any, kept: Any) -> Any:
    """`kept`, as it comes from JSON, with the keys and the types of `own`: the milestones of a schedule are counted by epoch, not by text."""
    if isinstance(own, Mapping):
        filled = type(own)()
        filled.update({key: _like(own[key], kept[str(key)]) for key in own})
        return filled
    if isinstance(own, list | tuple) and len(own) == len(kept):
        return type(own)(_like(*pair) for pair in zip(own, kept, strict=True))
    return kept


@contextlib.contextmanager
def _drawn_from(seed: int, epoch: int) -> Iterator[None]:
    """Torch's global generator as it is at the start of an epoch, and afterwards as it was."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(_stream(seed, epoch))
        yield


def _epoch(
    model: LateModel, batches: Batches, objective: Objective, stepper: torch.optim.Optimizer, epoch: int, seed: int
) -> dict[str, float]:
    """Train for one epoch; mean of the loss and of its parts over the epoch's examples."""
    totals, count = defaultdict(float), 0
    with _drawn_from(seed, epoch), telling_small_batches("fit"):
        objective.mode(model)
        for inputs, label in batches(epoch):
            loss, parts = objective.loss(model, inputs, label, epoch)
            if not loss.isfinite():
                raise FloatingPointError(
                    f"fit: the loss is {loss.item()} in epoch {epoch}; try a smaller learning rate"
                )
            stepper.zero_grad()
            loss.backward()
            objective.after_backward(model, epoch)
            stepper.step()
            examples = label.shape[-1]  # with replicas the losses are sums over them
            replicas = label.numel() // examples
            for name, value in ({"loss": loss} | parts).items():
                totals[name] += value.item() / replicas * examples
            count += examples
    if not count:
        raise ValueError(f"fit: batches({epoch}) gave no example; expected at least one batch")
    return {name: total / count for name, total in totals.items()}


def shuffled(
    inputs: Mapping[str, Any], label: Tensor, batch_size: int, seed: int = 0, *, drop_last: bool = False
) -> Batches:
    """Batches of n examples in an order that is new in every epoch and depends on (seed, epoch) alone.

    `inputs` has a tensor, array, list, or dict or tuple of those, under each name. The last batch may be smaller; `drop_last` leaves it out
    then, as batch normalisation cannot train on one example.

    >>> batches = shuffled({"a": torch.arange(5)}, torch.arange(5), batch_size=2)
    >>> [len(label) for _, label in batches(0)], sorted(torch.cat([label for _, label in batches(1)]).tolist())
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """
    sizes = {name: length(batch, name) for name, batch in inputs.items()}
    if set(sizes.values()) != {len(label)} or batch_size < 1:
        raise ValueError(
            f"shuffled: got lengths {sizes}, {len(label)} labels, {batch_size=}; expected one length, batch_size >= 1"
        )

    def batches(epoch: int) -> Iterable[tuple[dict[str, Any], Tensor]]:
        used = len(label) - (len(label) % batch_size if drop_last else 0)
        for rows in _order(len(label), seed, epoch)[:used].split(batch_size):
            yield {name: take(batch, rows) for name, batch in inputs.items()}, label[rows]

    return batches


def shuffled_stacked(inputs: Mapping[str, Tensor], label: Tensor, batch_size: int, seeds: Iterable[int]) -> Batches:
    """As `shuffled` for r replicas: inputs (r, n, …), label (r, n); replica k gets the order that `shuffled(…, seeds[k])` gives."""
    seeds, shapes = list(seeds), {name: tuple(x.shape) for name, x in inputs.items()}
    fits = label.ndim == 2 and all(shape[:2] == label.shape for shape in shapes.values())
    if not fits or len(seeds) != len(label) or batch_size < 1:
        raise ValueError(
            f"shuffled_stacked: got label {tuple(label.shape)}, inputs {shapes}, {len(seeds)} seeds, batch_size={batch_size}; "
            "expected (r, n), (r, n, …), r seeds, batch_size >= 1"
        )
    replica = torch.arange(len(seeds))[:, None]

    def batches(epoch: int) -> Iterable[tuple[dict[str, Tensor], Tensor]]:
        order = torch.stack([_order(label.shape[1], seed, epoch) for seed in seeds])
        for rows in order.split(batch_size, dim=1):
            yield {name: x[replica, rows] for name, x in inputs.items()}, label[replica, rows]

    return batches


def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(_stream(seed, epoch)))


def _stream(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
