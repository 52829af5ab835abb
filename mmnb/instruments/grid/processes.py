"""Several processes, one result: rows are striped over the processes of `torch.distributed`, sums added up, errors shared.

Every process holds the whole model and all data. No scores travel: at the end the sums do.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class ProcessGroup:
    """This process among those of a process group: `rank` of `world`. `ProcessGroup()` is a process on its own.

    As a context manager it holds the processes together: what one of them raises inside, all of them raise on leaving. All must enter
    equally often. `group` is None for a process alone, True for all processes, or a `torch.distributed` process group to which this
    process belongs, else ValueError.

    Example:
        >>> alone = ProcessGroup()
        >>> alone.rank, alone.world, list(alone.rounds(5, step=2))
        (0, 1, [range(0, 2), range(2, 4), range(4, 5)])
    """

    def __init__(self, group: Any = None) -> None:
        self.rank, self.world, self._group = 0, 1, None
        if group is None or group is False:
            return
        if not (dist.is_available() and dist.is_initialized()):
            raise ValueError(
                f"grid: got distributed={group!r}, but torch.distributed is not initialised; expected a program started by torchrun "
                "that calls torch.distributed.init_process_group() first"
            )
        self._group = None if group is True else group
        self.rank, self.world = dist.get_rank(self._group), dist.get_world_size(self._group)
        if self.rank < 0:
            raise ValueError("grid: this process is not in the group given as distributed; expected a member of it")

    def rounds(self, n: int, step: int) -> Iterator[range]:
        """This process's rows: in each round `step` for everyone; in the last what is left, no share larger than another by two.

        Every process has equally many rounds; in the last one its range may be empty.
        """
        for start in range(0, n, step * self.world):
            rows = min(step * self.world, n - start)
            yield range(start + rows * self.rank // self.world, start + rows * (self.rank + 1) // self.world)

    def __enter__(self) -> "ProcessGroup":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if self.world == 1:
            return
        failed = torch.tensor([error is not None], dtype=torch.int64, device=self._device())
        dist.all_reduce(failed, group=self._group)
        if not failed.item():
            return
        errors = self._gather(None if error is None else (type(error).__name__, str(error)))
        if error is None:  # a process with an error of its own raises that
            rank, (name, text) = next((rank, found) for rank, found in enumerate(errors) if found is not None)
            known = {"ValueError": ValueError, "TypeError": TypeError}
            raise known.get(name, RuntimeError)(f"grid: rank {rank} of {self.world} failed with {name}: {text}")

    def check_same(self, identity: dict[str, Any]) -> None:
        """Raise ValueError everywhere unless all processes have the same `identity`: the same model, data and plan."""
        if self.world == 1:
            return
        for rank, other in enumerate(found := self._gather(identity)):
            differs = [name for name in identity if other[name] != found[0][name]]
            if differs:
                raise ValueError(
                    f"grid: rank {rank} of {self.world} differs from rank 0 in {', '.join(differs)}; expected the same model, data and "
                    "options on all ranks (seed what is drawn at random)"
                )

    def broadcast(self, tensor: Tensor) -> None:
        """Replace the tensor, in place, by that of rank 0."""
        if self.world > 1:
            self._send(tensor, dist.broadcast, group_src=0)

    def add_up(self, *tensors: Tensor) -> None:
        """Replace each tensor, in place, by its sum over all processes."""
        for tensor in tensors if self.world > 1 else ():
            self._send(tensor, dist.all_reduce)

    def _send(self, tensor: Tensor, how: Callable, **options: int) -> None:
        travelling = tensor.to(self._device())
        how(travelling, group=self._group, **options)
        tensor.copy_(travelling)

    def _gather(self, what: Any) -> list[Any]:
        found = [None] * self.world
        dist.all_gather_object(found, what, group=self._group)
        return found

    def _device(self) -> torch.device:
        """Where tensors must be to travel: nccl knows only the GPU."""
        on_gpu = dist.get_backend(self._group) == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
