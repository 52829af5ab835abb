"""Several processes, one result: rows striped over the ranks of `torch.distributed`, sums added up, errors shared.

Every rank holds the whole model and all data, and is given its part of each round of rows. No scores travel: at the end O(N H) sums do.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mmnb.instruments.emap.sums import Sums


class Ranks:
    """This process among those of a process group: `rank` of `world`. `Ranks()` is a process on its own.

    As a context manager it holds the ranks together: what one of them raises inside, all of them raise on leaving. All ranks must enter
    equally often.

    Args: group, None for a process alone, True for all processes, or a `torch.distributed` process group.
    Raises: ValueError when no process group was initialised, or this process does not belong to it.

    Example:
        >>> alone = Ranks()
        >>> alone.rank, alone.world, list(alone.rounds(5, step=2))
        (0, 1, [range(0, 2), range(2, 4), range(4, 5)])
    """

    def __init__(self, group: Any = None) -> None:
        self.rank, self.world, self._group = 0, 1, None
        if group is None or group is False:
            return
        if not (dist.is_available() and dist.is_initialized()):
            raise ValueError(
                f"emap: got distributed={group!r}, but torch.distributed is not initialised; expected a program started by torchrun that "
                "calls torch.distributed.init_process_group() first"
            )
        self._group = None if group is True else group
        self.rank, self.world = dist.get_rank(self._group), dist.get_world_size(self._group)
        if self.rank < 0:
            raise ValueError("emap: this process is not in the group given as distributed; expected a member of it")

    def rounds(self, n: int, step: int) -> Iterator[range]:
        """This rank's rows: in each round `step` for every rank, in the last what is left, shared so that no rank has two rows more.

        Every rank has equally many rounds; in the last one its range may be empty.
        """
        for start in range(0, n, step * self.world):
            rows = min(step * self.world, n - start)
            yield range(start + rows * self.rank // self.world, start + rows * (self.rank + 1) // self.world)

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if self.world == 1:
            return
        failed = torch.tensor([error is not None], dtype=torch.int64, device=self._device())
        dist.all_reduce(failed, group=self._group)
        if not failed.item():
            return
        told = self._tell(None if error is None else (type(error).__name__, str(error)))
        if error is None:  # a rank with an error of its own raises that
            rank, (name, text) = next((rank, what) for rank, what in enumerate(told) if what is not None)
            known = {"ValueError": ValueError, "TypeError": TypeError}
            raise known.get(name, RuntimeError)(f"emap: rank {rank} of {self.world} failed with {name}: {text}")

    def refuse_differences(self, identity: dict[str, Any]) -> None:
        """Raise ValueError on every rank unless all of them have the same `identity`: the same model, data and plan."""
        if self.world == 1:
            return
        for rank, other in enumerate(told := self._tell(identity)):
            differs = [name for name in identity if other[name] != told[0][name]]
            if differs:
                raise ValueError(
                    f"emap: rank {rank} of {self.world} differs from rank 0 in {', '.join(differs)}; expected the same model, data and "
                    "batch size on every rank (seed random weights, and give each rank all examples: rows are shared out here)"
                )

    def make_same(self, *tensors: Tensor) -> None:
        """Replace each tensor, in place, by rank 0's."""
        if self.world == 1:
            return
        for tensor in tensors:
            travelling = tensor.to(self._device())
            dist.broadcast(travelling, group=self._group, group_src=0)
            tensor.copy_(travelling)

    def add_up(self, *tensors: Tensor) -> None:
        """Replace each tensor, in place, by its sum over all ranks."""
        if self.world == 1:
            return
        for tensor in tensors:
            travelling = tensor.to(self._device())
            dist.all_reduce(travelling, group=self._group)
            tensor.copy_(travelling)

    def merge(self, sums: Sums) -> Sums:
        """The sums over all ranks' cells, on every rank; in place."""
        cells = torch.tensor(sums.cells)
        self.add_up(sums.row, sums.column, sums.squares, cells)
        sums.cells = int(cells)
        return sums

    def _tell(self, what: Any) -> list[Any]:
        told = [None] * self.world
        dist.all_gather_object(told, what, group=self._group)
        return told

    def _device(self) -> torch.device:
        """Where tensors must be to travel: nccl knows only the GPU."""
        on_gpu = dist.get_backend(self._group) == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
