"""Models of variants and of pixels with proposals: smoke-size trainings, what comes with the repository, and refusals."""

from dataclasses import replace

import pytest
import torch

from mmnb.data import scenes
from mmnb.instruments.ablation import language_for_vision, vision_for_language
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items


def bits(model, own, **options):
    common = {"mask_id": scenes.MASK, "global_index": 0, "conditions": ["none", "all"]}  # fmt: skip
    parts = model.predict, own.inputs, own.phrase, own.aligned
    words = vision_for_language(*parts, mean=own.mean, **common)
    regions = language_for_vision(*parts, own.target, own.label, special=range(4), **common | options)
    return {"words": words, "regions": regions}


# variants
@pytest.mark.parametrize("world", zoo.VARIANTS)
def test_each_variant_differs_from_the_plain_one_in_one_thing(world):
    plain, own = zoo.entry("visualbert-0"), zoo.entry(f"{world}-0")
    recipe = replace(plain.recipe, epochs=own.recipe.epochs)
    assert sum([own.knobs != plain.knobs, own.detector != plain.detector, own.recipe != recipe]) == 1


def test_a_smoke_size_training_can_be_repeated():
    one, two = (zoo.train("parts-0", n=256, epochs=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not one.training


def test_the_weights_of_variants_that_come_with_the_repository():
    files = ("scenes", "worlds", "pixels", "grounding")
    assert sorted(zoo.STORED) == sorted(name for weights in files for name in zoo.stored(weights))
    assert sum(zoo.file(weights).stat().st_size for weights in files) <= 6_000_000
    own = items(*zoo.entry("parts-0").world(100, seed=77))
    found = bits(zoo.load("parts-0"), own)
    assert found["words"]["none"].mean() + 1 < found["words"]["all"].mean()  # words look at the picture


def test_worlds_that_are_none():
    for name in ("parts", "parts-x", "moon-0"):
        with pytest.raises(ValueError, match="expected one of"):
            zoo.load(name)


# pixels and proposals
def test_several_captions_for_each_picture():
    made, regions = zoo.captioned(*zoo.entry("codes-0").world(20, seed=3), 3)
    assert len(made) == len(regions) == 60
    assert torch.equal(made.box[:20], made.box[40:]) and torch.equal(regions.feature[:20], regions.feature[20:40])
    assert len({made.caption(number) for number in (0, 20, 40)}) > 1
    unequal = scenes.make(20, scenes.Knobs(mentions=8, sized=0.5), seed=3)
    joined, _ = zoo.captioned(unequal, scenes.detect(unequal, seed=3), 2)
    again = scenes.recaption(unequal, seed=1)
    assert [joined.caption(20 + i) for i in range(20)] == [again.caption(i) for i in range(20)]
    assert torch.equal(joined.phrase[:20], unequal.phrase)


def test_a_smoke_size_training_on_pixels(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    one, two = (zoo.train("pixels-0", n=12, captions=2, epochs=1, layers=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    codes = zoo.train("codes-0", n=12, captions=2, epochs=1, layers=1)
    assert any(not torch.equal(a, b) for a, b in zip(one.state_dict().values(), codes.state_dict().values(), strict=True))  # fmt: skip


def test_the_weights_on_pixels_that_come_with_the_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    for name, n in (("codes-0", 100), ("pixels-0", 24)):
        found = bits(zoo.load(name), items(*zoo.entry(name).world(n, seed=78)))
        assert found["words"]["none"].mean() < 1.25 < found["words"]["all"].mean()  # 1.25: the text alone, at best


def test_kinds_that_are_none():
    for name in ("pixels", "sounds-0", "codes-x"):
        with pytest.raises(ValueError, match="such as parts-0"):
            zoo.load(name)
