"""What a run of notebook 04 does not execute: its sliders, and the cells of profile `paper`, on a tiny CLIP and three pictures in COCO's layout."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from mmnb import paths
from mmnb.instruments import gap

pytest.importorskip("ipywidgets", reason='needs `pip install "mmnb[notebooks]"`')
pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')
pytest.importorskip("pycocotools", reason='needs `pip install "mmnb[models]"`')

from mmnb.data import coco
from mmnb.lab import slider as slider_module
from mmnb.models import clip
from mmnb.recipes.clip import finetune


@pytest.fixture
def notebook(notebook_code):
    """The notebook's functions, with the plain values that they need."""
    return notebook_code("04_modality_gap", ("TAUS", "ANGLES", "device"))


class Size:
    """Sizes of the notebook, as it asks for them."""

    def __init__(self, **values):
        self.__dict__.update(values)


@pytest.fixture
def shown(monkeypatch):
    """The pictures that a slider has shown."""
    pictures = []
    monkeypatch.setattr(slider_module, "display", pictures.append)
    return pictures


def pngs(shown):
    assert all(picture.data.startswith(b"\x89PNG") for picture in shown)
    return [picture.data for picture in shown]


def test_explore_draws_the_loss_at_every_stop(notebook, shown):
    draw = torch.Generator().manual_seed(0)
    x, y = (gap.normalize(torch.randn(50, 8, generator=draw) + place) for place in (0.5, -0.5))
    notebook |= {"CLIP": (x, y), "size": Size(step=0.25)}
    notebook["curves"] = notebook["landscape"](x, y)
    box = notebook["explore"]()
    lam, k = box.children[:2]
    assert (lam.min, lam.max, lam.step, tuple(k.options)) == (-0.5, 1.5, 0.05, notebook["TAUS"])
    for value in (-0.5, 0.0, 1.5):
        lam.value = value
    for value in notebook["TAUS"][1:]:
        k.value = value
    seen = pngs(shown)
    assert len(seen) == 1 + 3 + 5 and len(set(seen)) == len(seen)  # another picture after each move
    assert not any(getattr(output, "output_type", "") == "error" or output.get("output_type") == "error" for output in box.children[-1].outputs)  # fmt: skip


def test_the_mark_of_explore_lies_on_the_curve(notebook):
    """At λ = ½ the two sides meet: the mark stands where the gap is nearly 0, at the loss of the moved sides."""
    draw = torch.Generator().manual_seed(0)
    x, y = (gap.normalize(torch.randn(50, 8, generator=draw) + place) for place in (0.5, -0.5))
    notebook |= {"CLIP": (x, y), "size": Size(step=0.05)}
    curves = notebook["curves"] = notebook["landscape"](x, y)
    _, ax = notebook["plot"].subplots("column")
    notebook["draw_landscape"](ax, 10, [0.5])
    at, loss = next(line.get_xydata()[0] for line in ax.lines if line.get_marker() == "|")
    assert abs(at) < 0.1 < gap.modality_gap(x, y)
    assert abs(np.interp(at, curves.gap[::-1], curves[10][::-1]) - loss) < 0.01


def test_explore_six_moves_the_minimum(notebook, shown):
    six = np.radians([-20, 0, 20, 40, 60, 80])
    notebook["swapped"] = notebook["cosines_of"](six, (0, 1))
    box = notebook["explore_six"]()
    k = box.children[0]
    assert (k.min, k.max) == (1, 100)
    for value in (1, 21, 22, 100):
        k.value = value
    seen = pngs(shown)
    assert len(seen) == 5 and len(set(seen)) == 5
    losses = {
        k: [notebook["toy_loss"](k * math.cos(t), notebook["swapped"]) for t in notebook["ANGLES"]] for k in (21, 22)
    }
    assert np.argmin(losses[21]) == 90  # at 0 degrees: 21 < 21.216
    assert np.argmin(losses[22]) != 90


def test_a_half_swap_is_refused(notebook):
    six = np.radians([-20, 0, 20, 40, 60, 80])
    whole = notebook["cosines_of"](six, (0, 1))
    assert np.allclose(whole[:, 0], np.cos(six - six[1]), rtol=0, atol=1e-15)
    with pytest.raises(AssertionError):
        notebook["cosines_of"](six, (0, 0, 1))  # leaves somebody out


def test_the_public_clips_take_the_captions_that_the_paper_took(notebook, coco_folder, tiny_clip, monkeypatch):
    loaded = clip.load("tiny-for-tests", tiny_clip[0])
    monkeypatch.setattr(clip, "load", lambda name, pretrained, device: loaded)
    plain = coco.load
    monkeypatch.setattr(coco, "load", lambda **options: plain(coco_folder, **options))
    notebook["size"] = Size(coco_pairs=3)
    found = notebook["public_clip"]()
    for key, which in (("b32", "first"), ("b16", "last")):
        for side, expected in zip(found[key], clip.embed_pairs(loaded, plain(coco_folder, which=which)), strict=True):
            assert torch.equal(side, expected)
    assert not torch.equal(found["b32"][1], found["b16"][1])


def test_fine_tuning_at_six_temperatures(notebook, coco_folder, tiny_clip, tmp_path, monkeypatch):
    """The whole cell: 1 row per temperature and epoch, runs kept below build/, a second call reads them."""
    plain, asked = coco.load, []
    load = clip.load

    def tiny(name, pretrained, device):
        asked.append((name, pretrained))
        return load("tiny-for-tests", tiny_clip[0])

    monkeypatch.setattr(clip, "load", tiny)
    monkeypatch.setattr(coco, "load", lambda **options: plain(coco_folder, **options))
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    settings = []

    def small(*args, workers):
        """Three pictures make no batch of 64; and no further processes here."""
        settings.append(args[3])
        kept = finetune.Settings(**(args[3].__dict__ | {"batch_size": 3}))
        return finetune.finetune(*args[:3], kept, args[4], progress=False)

    notebook |= {"size": Size(coco_pairs=3, tune=(3, 2)), "finetune": small}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = notebook["fine_tuned"]()
    assert [(row["1/tau"], row.epoch) for _, row in rows.iterrows()] == [
        (k, e) for k in notebook["TAUS"] for e in (1, 2)
    ]
    assert {s for s in asked} == {("ViT-B-16-quickgelu", "openai")}
    assert [round(1 / s.tau) for s in settings] == list(notebook["TAUS"])
    assert {(s.epochs, s.batch_size, s.learning_rate, s.betas, s.eps, s.weight_decay) for s in settings} == {(2, 64, 1e-5, (0.9, 0.98), 1e-6, 0.2)}  # fmt: skip
    assert {"gap", "a_to_b", "b_to_a", "loss", "tau"} <= set(rows) and rows.gap.between(0, 2).all()
    folders = sorted(folder.name for folder in (tmp_path / "build" / "fine-tuned").iterdir())
    assert folders == sorted(f"seed-0-tau-1-{k}" for k in notebook["TAUS"])
    pd.testing.assert_frame_equal(notebook["fine_tuned"](), rows)


def test_without_the_profile_paper_both_say_what_is_missing(notebook):
    notebook["size"] = Size(coco_pairs=0, tune=(0, 0))
    for name, what in (("public_clip", "1.1 GB of pictures"), ("fine_tuned", "19 GB of pictures")):
        with pytest.raises(notebook["mmnb"].DataUnavailable, match=what):
            notebook[name]()
