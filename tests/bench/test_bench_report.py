"""What the report costs beside EMAP: the same pass, read by more."""

import torch
from emap_worlds import world

import mmnb
from mmnb.instruments.emap import emap


def test_a_whole_report_costs_little_more_than_emap_alone(fastest, ratio):
    w = world("concat-mlp", 500)
    y = torch.randint(0, 10, (500,), generator=torch.Generator().manual_seed(0))
    data = mmnb.Data(image=w.a, text=w.b, y=y)
    seconds = fastest(
        3,
        emap=lambda: emap(w.f, w.a, w.b, batch_size=w.batch_size, progress=False),
        report=lambda: mmnb.diagnose(w.f, data, batch_size=w.batch_size, progress=False),
    )
    ratio("report / EMAP alone, late fusion, N=500", seconds["report"] / seconds["emap"], at_most=1.3)
