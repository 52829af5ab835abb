"""What a small run of notebooks 04 and 04b does not show: the cells of profile `paper`, on a tiny CLIP and three pictures, and that the loop learns."""

import warnings

import pandas as pd
import pytest
import torch

from mmnb import paths
from mmnb.instruments import gap

pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')
pytest.importorskip("pycocotools", reason='needs `pip install "mmnb[models]"`')

from mmnb.data import coco
from mmnb.models import clip
from mmnb.models.clip import SmallClip
from mmnb.recipes.clip import finetune
from mmnb.recipes.clip.contrast import embed


@pytest.fixture
def notebook(notebook_code):
    """The functions of notebook 04."""
    return notebook_code("04_modality_gap")


@pytest.fixture
def appendix(notebook_code):
    """The functions of notebook 04b, with the plain values that they need."""
    return notebook_code("04b_contrastive_training", ("TAUS", "device"))


class Size:
    """Sizes of the notebook, as it asks for them."""

    def __init__(self, **values):
        self.__dict__.update(values)


def test_the_public_clip_takes_the_captions_that_the_paper_took(notebook, coco_folder, tiny_clip, monkeypatch):
    loaded, asked = clip.load("tiny-for-tests", tiny_clip[0]), []
    monkeypatch.setattr(clip, "load", lambda name, pretrained, device: asked.append((name, pretrained)) or loaded)
    plain = coco.load
    monkeypatch.setattr(coco, "load", lambda **options: plain(coco_folder, **options))
    notebook["size"] = Size(coco_pairs=3)
    found = notebook["public_clip"]()
    first, last = (clip.embed_pairs(loaded, plain(coco_folder, which=which)) for which in ("first", "last"))
    assert all(torch.equal(side, expected) for side, expected in zip(found, first, strict=True))
    assert not torch.equal(found[1], last[1])
    assert asked == [("ViT-B-32-quickgelu", "openai")]


def test_fine_tuning_at_six_temperatures(appendix, coco_folder, tiny_clip, tmp_path, monkeypatch):
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

    appendix |= {"size": Size(coco_pairs=3, tune=(3, 2)), "finetune": small}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = appendix["fine_tuned"]()
    assert [(row["1/tau"], row.epoch) for _, row in rows.iterrows()] == [
        (k, e) for k in appendix["TAUS"] for e in (1, 2)
    ]
    assert {s for s in asked} == {("ViT-B-16-quickgelu", "openai")}
    assert [round(1 / s.tau) for s in settings] == list(appendix["TAUS"])
    assert {(s.epochs, s.batch_size, s.learning_rate, s.betas, s.eps, s.weight_decay) for s in settings} == {(2, 64, 1e-5, (0.9, 0.98), 1e-6, 0.2)}  # fmt: skip
    assert {"gap", "a_to_b", "b_to_a", "loss", "tau"} <= set(rows) and rows.gap.between(0, 2).all()
    folders = sorted(folder.name for folder in (tmp_path / "build" / "fine-tuned").iterdir())
    assert folders == sorted(f"seed-0-tau-1-{k}" for k in appendix["TAUS"])
    pd.testing.assert_frame_equal(appendix["fine_tuned"](), rows)


def test_without_the_profile_paper_both_say_what_is_missing(notebook, appendix):
    calls = ((notebook, "public_clip", "1.1 GB of pictures"), (appendix, "fine_tuned", "19 GB of pictures"))
    for space, name, what in calls:
        space["size"] = Size(coco_pairs=0, tune=(0, 0))
        with pytest.raises(space["mmnb"].DataUnavailable, match=what):
            space[name]()


@pytest.fixture
def learns(appendix):
    """`learns(seed, epochs)`: a tiny model and its path, trained by the notebook's loop on 100 pictures of one dot each."""
    place = torch.arange(100)
    images = torch.zeros(100, 32, 32, dtype=torch.uint8)
    for row in range(4):
        images[place, 8 * (place // 25) + row, place % 25] = 255
    tokens = torch.stack([1 + place // 25, 5 + place % 25], dim=1)

    def measure(model):
        a, b = embed(model, images, tokens)
        return {"gap": gap.modality_gap(a, b), "R@1": min(gap.retrieval_recall(a, b))}

    appendix |= {"IMAGES": images, "measure": measure, "MEASURED": {0, 1}, "size": Size()}

    def run(seed, epochs):
        appendix["size"].epochs = epochs
        torch.manual_seed(seed)
        model = SmallClip(words=30, length=2, patch=8, width=32, layers=1, dimensions=16).eval()
        return model, appendix["train"](model, tokens, 0.2, seed)

    return run


def test_the_loop_learns_pairs_and_measures_its_path(learns):
    model, path = learns(0, 300)
    assert path.step.tolist() == [0, 1, 300]
    assert path["R@1"].iloc[0] < 0.1 and path["R@1"].iloc[-1] > 0.5  # chance is 0.01
    assert path.gap.iloc[-1] < 0.5 * path.gap.iloc[0]
    assert not model.training


def test_equal_seeds_give_equal_paths(learns):
    one, two, other = (learns(seed, 3)[1] for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


def test_the_loss_of_the_appendix_is_the_instruments_and_has_a_gradient(appendix):
    """Central differences along one direction, and the value."""
    draw = torch.Generator().manual_seed(0)
    a, b, way = (gap.normalize(torch.randn(6, 4, generator=draw)) for _ in range(3))
    a.requires_grad_()
    appendix["contrastive_loss"](a, b, 0.3).backward()
    ends = [appendix["contrastive_loss"](a.detach() + step * way, b, 0.3).item() for step in (1e-5, -1e-5)]
    assert abs((ends[0] - ends[1]) / 2e-5 - (a.grad * way).sum().item()) < 1e-7
    assert (
        abs(appendix["contrastive_loss"](a, b, 0.3).item() - gap.contrastive_loss(a.detach(), b, 0.3).symmetric) < 1e-9
    )
