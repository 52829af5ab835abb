"""Shared input checks: eval mode, deterministic outputs, logits rather than probabilities."""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator

import torch

_CHANGE_TOLERANCE = 1e-3  # of the largest score: batch shapes change it by about 1e-6, dropout by about 1e-1


def modules_behind(f: Callable) -> Iterator[torch.nn.Module]:
    """Torch modules that `f` is, belongs to, holds as an attribute, closes over, names as a global or has bound with `partial`.

    Wrappers are followed: callables that are held, closed over or bound are searched in the same way.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> [type(m).__name__ for m in modules_behind(lambda a, b: model(a + b))]
        ['Linear']
    """
    seen, waiting = set(), [f]
    while waiting:
        f, inner, named = waiting.pop(0), [], []
        while isinstance(f, functools.partial):
            inner += [*f.args, *f.keywords.values()]
            f = f.func
        owner = getattr(f, "__self__", f)
        inner += getattr(owner, "__dict__", {}).values()
        if inspect.isfunction(function := getattr(f, "__func__", f)):
            names = inspect.getclosurevars(function)
            inner += names.nonlocals.values()
            named += names.globals.values()  # not searched further: these may lead into whole libraries
        for value in (f, owner, *inner, *named):
            if isinstance(value, torch.nn.Module) and id(value) not in seen:
                seen.add(id(value))
                yield value
        for value in inner:
            if callable(value) and not isinstance(value, type | torch.nn.Module) and id(value) not in seen:
                seen.add(id(value))
                waiting.append(value)


def check_eval_mode(f: Callable, caller: str) -> None:
    """Raise ValueError if a torch module behind `f` (or a part of it) is in train mode: dropout and batch statistics would be on."""
    for module in modules_behind(f):
        if any(part.training for part in module.modules()):
            raise ValueError(
                f"{caller}: {type(module).__name__} is in train mode; expected eval mode, call .eval() first"
            )


refuse_train_mode = check_eval_mode  # its name before


def check_deterministic(before: torch.Tensor, after: torch.Tensor, how: str, caller: str) -> None:
    """Raise ValueError if scores of the same inputs differ by more than rounding: by over 1/1000 of the largest score in `before`.

    Dropout, augmentation and batch statistics change the answer between calls; padding that is not masked does so between batches.
    """
    change, scale = (after - before).abs().max().item(), before.abs().max().item()
    if change > _CHANGE_TOLERANCE * scale:
        raise ValueError(
            f"{caller}: the same pair scored {how} changed by {change:.3g} (largest score {scale:.3g}); expected a fixed function: "
            "turn off dropout and augmentation, mask the padding, or pass check=False if you know why"
        )


def warn_about_probabilities(scores: torch.Tensor, caller: str) -> None:
    """Warn if every row of `scores` (n, C > 1) is non-negative and sums to 1 to within 0.001: probabilities, where logits are meant."""
    n, c = scores.shape
    if c > 1 and (scores >= 0).all() and (scores.sum(1) - 1).abs().max() < 1e-3:
        warnings.warn(
            f"{caller}: every row of scores is non-negative and sums to 1 ({n} rows of {c}): these look like probabilities. The softmax of "
            "an additive model is not additive, so a false interaction appears; give logits (log-probabilities have the same EMAP answers, but other shares)",
            UserWarning,
            stacklevel=3,
        )
