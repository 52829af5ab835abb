"""One process of `torchrun emap_ranks.py FOLDER shared|strangers`: wall seconds of the slowest rank and the projection, written by rank 0.

Shared: the ranks share one task. Strangers: they start together and each does the whole task.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from emap_worlds import world

from mmnb.instruments.emap import emap

BATCH = 512  # its inputs stay in a core's own cache: with larger ones two processes wait for one memory

if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    w = world("concat-mlp", 1000)
    options = {"batch_size": BATCH, "progress": False, "distributed": sys.argv[2] == "shared"}
    emap(w.f, w.a[:100], w.b[:100], **options)  # the first call of anything is slow
    dist.barrier()
    start = time.perf_counter()
    result = emap(w.f, w.a, w.b, **options)
    seconds = torch.tensor(time.perf_counter() - start)
    dist.all_reduce(seconds, op=dist.ReduceOp.MAX)
    if dist.get_rank() == 0:
        torch.save(result.projected, Path(sys.argv[1]) / "projected.pt")
        Path(sys.argv[1], "seconds.json").write_text(json.dumps(seconds.item()), encoding="utf-8")
    dist.destroy_process_group()
