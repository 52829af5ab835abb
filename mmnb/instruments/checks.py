"""Shared checks of models: eval mode, outputs that do not change, logits rather than probabilities or masks."""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator

import torch

# the same inputs may differ by this much of the scores' spread: batch shapes change them by about 1e-6, dropout by about 1e-1;
_OF_SPREAD = 1e-3
# or by this many roundings of the largest score: a level of 10,000 costs float32 three digits of what varies; half precision: 5 %
_UNITS, _MOST = 100, 0.05
_MASK = 1e3  # times the typical best score: no logit is so low, a mask (-1e9, -65504) is


def modules_behind(f: Callable) -> Iterator[torch.nn.Module]:
    """Torch modules that `f` is, belongs to, holds as an attribute or default, closes over, names as a global or has bound with `partial`.

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
            inner += [
                *names.nonlocals.values(),
                *(function.__defaults__ or ()),
                *(function.__kwdefaults__ or {}).values(),
            ]
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


def precision(f: Callable, scores: torch.Tensor) -> float:
    """Relative rounding of what `f` computes: the coarsest of its scores, of the modules behind it and of autocast.

    Example:
        >>> precision(torch.nn.Linear(2, 1).bfloat16(), torch.zeros(3))  # a half-precision model that returns float32
        0.0078125
    """
    kinds = {part.dtype for module in modules_behind(f) for part in module.parameters() if part.is_floating_point()}
    kinds |= {torch.get_autocast_dtype(kind) for kind in ("cpu", "cuda", "mps") if torch.is_autocast_enabled(kind)}
    return max(torch.finfo(kind).eps for kind in kinds | {scores.dtype})


def allowed_change(values: torch.Tensor, eps: float, largest: float | None = None) -> float:
    """How far two computations of the same of `values` (n, C) may differ: 1/1000 of their spread, or rounding of the largest."""
    spread = (values.amax(0) - values.amin(0)).max().item()
    largest = values.abs().max().item() if largest is None else largest
    return max(_OF_SPREAD * spread, min(_UNITS * eps, _MOST) * largest)


def check_deterministic(
    before: torch.Tensor, after: torch.Tensor, allowed: float, how: str, caller: str, what: str = "pair"
) -> None:
    """Raise ValueError if scores of the same inputs differ by more than `allowed`.

    Dropout, augmentation and batch statistics change the answer between calls; padding that is not masked does so between batches.
    """
    same = before.shape == after.shape
    change = (after.double() - before.double()).abs().max().item() if same else float("inf")
    if change > allowed:
        found = f"changed by {change:.3g} (rounding: {allowed:.2g})" if same else f"has shape {tuple(after.shape[1:])}"
        raise ValueError(
            f"{caller}: the same {what} scored {how} {found}; expected a fixed function of each {what}, whatever else is in the batch: "
            "turn off dropout and augmentation, mask the padding, or pass check=False if you know why"
        )


def look_like_probabilities(scores: torch.Tensor) -> bool:
    """Whether all scores (n, C) lie in [0, 1], ten or more and not all 0: ten logits do so once in 50,000 (standard normal ones)."""
    return scores.numel() >= 10 and scores.min() >= 0 and 0 < scores.max() <= 1


def warn_about_scores(scores: torch.Tensor, caller: str) -> None:
    """Warn if `scores` (n, C) are probabilities, where logits are meant, or hold masks such as -1e9 for some pairs only."""
    n, c = scores.shape
    rows = c > 1 and (scores >= 0).all() and (scores.sum(1) - 1).abs().max() < 1e-3
    if rows or look_like_probabilities(scores):
        found = (
            f"is non-negative and sums to 1 ({n} rows of {c})" if rows else f"lies between 0 and 1 ({n} rows of {c})"
        )
        warnings.warn(
            f"{caller}: every row of scores {found}: these look like probabilities. Softmax and sigmoid of an additive model are not "
            "additive, so a false interaction appears; give logits (or log-probabilities, which have the same answers and shares)",
            UserWarning,
            stacklevel=3,
        )
    masked = scores < -_MASK * scores.amax(1).abs().median().clamp(min=1)
    if (masked.any(0) & ~masked.all(0)).any():
        warnings.warn(
            f"{caller}: {int(masked.any(1).sum())} of {n} pairs have scores down to {scores.min().item():.3g}: a mask for what is impossible "
            "dominates every mean and all shares; leave those outputs out, or give the scores before the mask",
            UserWarning,
            stacklevel=3,
        )
