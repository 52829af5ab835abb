"""Which parts of an input are taken away: nothing, the part aligned with the target, as many others at random, or all of it."""

import torch
from torch import Tensor

CONDITIONS = ("none", "aligned", "random", "all")


def plan(condition: str, aligned: Tensor, present: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """The parts to ablate under one condition.

    "random" is the control by size: from the parts that are *not* aligned, as many as are aligned (all of them, where there are fewer).
    Args:    condition, one of none, aligned, random, all; aligned, present (n, R) bool: which parts show the target, and which exist at all;
             generator, required by "random".
    Returns: (n, R) bool, never True where `present` is False.
    Raises:  ValueError on another condition, unequal shapes, or "random" without generator; TypeError when the masks are not bool.
    Example:
        >>> aligned, present = torch.tensor([[True, False, False]]), torch.tensor([[True, True, True]])
        >>> plan("random", aligned, present, generator=torch.Generator().manual_seed(0)).sum().item()
        1

    Source:  none, aligned ("object", "phrase") and all: Frank et al. 2021. The control by size is ours; the released code has none.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"plan: got condition {condition!r}; expected one of {', '.join(CONDITIONS)}")
    if aligned.dtype != torch.bool or present.dtype != torch.bool:
        raise TypeError(f"plan: got {aligned.dtype} and {present.dtype}; expected bool masks")
    if aligned.shape != present.shape or aligned.ndim != 2:
        raise ValueError(
            f"plan: got shapes {tuple(aligned.shape)} and {tuple(present.shape)}; expected one shape (n, R)"
        )
    if condition == "none":
        return torch.zeros_like(present)
    if condition == "all":
        return present.clone()
    if condition == "aligned":
        return aligned & present
    if generator is None:
        raise ValueError("plan: got no generator; the condition random expects one")
    free = present & ~aligned
    lot = torch.rand(free.shape, generator=generator).to(free.device).masked_fill(~free, 2.0)
    rank = lot.argsort(1).argsort(1)
    return free & (rank < (aligned & present).sum(1, keepdim=True))
