"""One process of `torchrun emap_ranks.py FOLDER`: wall and CPU seconds of the slowest rank and the projection, written by rank 0."""

import json
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from emap_worlds import world

from mmnb.instruments.emap import emap

if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    w = world("concat-mlp", 1000)
    options = {"batch_size": w.batch_size, "progress": False, "distributed": True}
    emap(w.f, w.a[:100], w.b[:100], **options)  # the first call of anything is slow
    dist.barrier()
    wall, cpu = time.perf_counter(), time.process_time()
    result = emap(w.f, w.a, w.b, **options)
    seconds = torch.tensor([time.perf_counter() - wall, time.process_time() - cpu])
    dist.all_reduce(seconds, op=dist.ReduceOp.MAX)
    if dist.get_rank() == 0:
        torch.save(result.projected, Path(sys.argv[1]) / "projected.pt")
        Path(sys.argv[1], "seconds.json").write_text(json.dumps(seconds.tolist()), encoding="utf-8")
    dist.destroy_process_group()
