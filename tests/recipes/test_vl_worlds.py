"""Models of turned worlds and of pixels with proposals: smoke-size trainings, what comes with the repository, and refusals."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from mmnb.data import scenes
from mmnb.errors import DataUnavailable
from mmnb.instruments.ablation import language_for_vision, marginal_kl, unigram_entropy, vision_for_language
from mmnb.recipes.vl import pixels as vl_pixels
from mmnb.recipes.vl import worlds as vl_worlds
from mmnb.recipes.vl import zoo as vl_zoo
from mmnb.recipes.vl.items import items


def adapter(model):
    def predict(*given):
        out = model(*given)
        return out.words, out.regions

    return predict


def bits(model, own, **options):
    common = {"mask_id": scenes.MASK, "global_index": 0, "conditions": ["none", "all"]}  # fmt: skip
    parts = adapter(model), own.inputs, own.phrase, own.aligned
    words = vision_for_language(*parts, mean=own.mean, **common)
    regions = language_for_vision(*parts, own.target, own.label, special=range(4), **common | options)
    return {"words": words, "regions": regions}


# turned worlds
@pytest.mark.parametrize("world", [*vl_worlds.WORLDS, *vl_worlds.LATER])
def test_each_turned_world_differs_from_the_plain_one_in_one_thing(world):
    plain, own = vl_zoo.ZOO["visualbert-0"], vl_worlds.entry(f"{world}-0")
    recipe = replace(vl_worlds.FURTHER if world in vl_worlds.LATER else plain.recipe, epochs=own.recipe.epochs)
    assert sum([own.knobs != plain.knobs, own.detector != plain.detector, own.recipe != recipe]) == 1


def test_a_smoke_size_training_goes_on_from_the_plain_model_and_can_be_repeated():
    start = vl_zoo.load("visualbert-0")
    one, two = (vl_worlds.train("later-0", n=256, epochs=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    moved = [(a - b).abs().max().item() for a, b in zip(one.state_dict().values(), start.state_dict().values(), strict=True) if a.is_floating_point()]  # fmt: skip
    assert 0 < max(moved) < 0.2 and not one.training
    fresh = vl_worlds.train("parts-0", n=256, epochs=1)
    far = [(a - b).abs().max().item() for a, b in zip(fresh.state_dict().values(), start.state_dict().values(), strict=True) if a.is_floating_point()]  # fmt: skip
    assert max(far) > 0.5  # from the first step: nothing of the plain model


def test_the_weights_of_turned_worlds_that_come_with_the_repository():
    assert sorted(vl_worlds.KEPT) == vl_worlds.stored()
    weights = (vl_zoo.file(), vl_worlds.file(), vl_pixels.file())
    assert sum(file.stat().st_size for file in weights) <= 3_000_000
    own = items(*vl_worlds.entry("parts-0").world(100, seed=77))
    found = bits(vl_worlds.load("parts-0"), own)
    assert found["words"]["none"].mean() + 1 < found["words"]["all"].mean()  # words look at the picture


def test_further_seeds_are_kept_with_what_makes_them_again(tmp_path, monkeypatch):
    monkeypatch.setattr(vl_worlds, "seeds_file", lambda: tmp_path / "worlds.json")
    with pytest.raises(DataUnavailable, match="keep"):
        vl_worlds.further("parts")
    vl_worlds.keep("sparse-3", n=128, epochs=1)
    vl_worlds.keep("parts-7", vl_worlds.load("parts-0"))
    (found,) = vl_worlds.further("sparse").values()
    assert found["seed"] == 3 and found["knobs"]["mentions"] == 1 and found["scenes"] == vl_worlds.entry("sparse-3").n
    assert -0.2 < found["words"] < 1.2 and list(vl_worlds.further("parts")) == ["parts-7"]


def test_what_was_kept_of_a_further_seed_is_what_its_recipe_says():
    for world in vl_worlds.WORLDS:
        for name, found in vl_worlds.further(world).items():
            own = vl_worlds.entry(name)
            said = {"recipe": asdict(own.recipe), "knobs": asdict(own.knobs), "detector": asdict(own.detector), "scenes": own.n, "seed": own.seed}  # fmt: skip
            assert {key: found[key] for key in said} == json.loads(json.dumps(said))


def test_the_shares_are_those_of_the_losses_by_hand():
    own = items(*vl_worlds.entry("parts-0").world(200, seed=5))
    model = vl_worlds.load("parts-0")
    found, lost = bits(model, own), vl_worlds.measure("parts-0", model, 200, 5)
    assert lost["words"] == pytest.approx(float((found["words"]["all"] - found["words"]["none"]).mean()) / unigram_entropy(own.inputs.tokens, own.phrase, len(scenes.WORDS)), abs=1e-6)  # fmt: skip
    assert lost["regions"] == pytest.approx(float((found["regions"]["all"] - found["regions"]["none"]).mean()) / marginal_kl(own.label), abs=1e-6)  # fmt: skip


def test_worlds_that_are_none():
    for name in ("parts", "parts-x", "moon-0"):
        with pytest.raises(ValueError, match="expected one of"):
            vl_worlds.load(name)


# pixels and proposals
def test_several_captions_for_each_picture():
    made, regions = vl_pixels.captioned(*vl_pixels.world("codes", 20, seed=3), 3)
    assert len(made) == len(regions) == 60
    assert torch.equal(made.box[:20], made.box[40:]) and torch.equal(regions.feature[:20], regions.feature[20:40])
    assert len({made.caption(number) for number in (0, 20, 40)}) > 1
    unequal = scenes.make(20, scenes.Knobs(mentions=8, sized=0.5), seed=3)
    joined, _ = vl_pixels.captioned(unequal, scenes.detect(unequal, seed=3), 2)
    again = scenes.recaption(unequal, seed=1)
    assert [joined.caption(20 + i) for i in range(20)] == [again.caption(i) for i in range(20)]
    assert torch.equal(joined.phrase[:20], unequal.phrase)


def test_a_smoke_size_training_on_pixels(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    one, two = (vl_pixels.train("pixels-0", pictures=12, captions=2, epochs=1, layers=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    codes = vl_pixels.train("codes-0", pictures=12, captions=2, epochs=1, layers=1)
    assert any(not torch.equal(a, b) for a, b in zip(one.state_dict().values(), codes.state_dict().values(), strict=True))  # fmt: skip


def test_the_weights_on_pixels_that_come_with_the_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    assert vl_pixels.file().stat().st_size <= 1_500_000
    for kind, n in (("codes", 100), ("pixels", 24)):
        own = items(*vl_pixels.world(kind, n, seed=78))
        for name in vl_pixels.names(kind):
            found = bits(vl_pixels.load(name), own)
            assert found["words"]["none"].mean() < 1.25 < found["words"]["all"].mean()  # 1.25: the text alone, at best


def test_kinds_that_are_none():
    with pytest.raises(ValueError, match="expected one of"):
        vl_pixels.world("sounds", 3, seed=0)
    for name in ("pixels", "sounds-0", "codes-x"):
        with pytest.raises(ValueError, match="such as pixels-0"):
            vl_pixels.load(name)
