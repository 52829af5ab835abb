"""Trainings that are looked at: the same model as without looking, curves that can be made again, and the stored ones."""

import json

import pytest
import torch

from mmnb import DataUnavailable
from mmnb.data import scenes
from mmnb.instruments import grounding
from mmnb.models.vl_attention import word_to_regions
from mmnb.recipes.vl import curves as vl_curves
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items
from mmnb.recipes.vl.train import Recipe, fit_vl

SMALL = {"n": 256, "epochs": 2, "width": 16, "layers": 2, "probe": 40}


def test_looking_changes_nothing_and_happens_when_it_should():
    world = scenes.make(256, zoo.PLAIN, seed=1)
    regions = scenes.detect(world, seed=1)
    recipe, steps = Recipe(width=16, layers=1, epochs=2), []

    def look(model, step):
        assert not model.training and not torch.is_grad_enabled()
        steps.append(step)

    one, _ = fit_vl(recipe, world, regions, seed=3, callback=look, every=3)
    two, _ = fit_vl(recipe, world, regions, seed=3)
    assert steps == [0, 3, 6, 8]  # eight steps of 64, and the end
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not one.training
    with pytest.raises(ValueError, match="every=0"):
        fit_vl(recipe, world, regions, seed=3, every=0)


def test_a_training_can_begin_with_the_weights_of_another():
    world = scenes.make(64, zoo.PLAIN, seed=1)
    regions, recipe = scenes.detect(world, seed=1), Recipe(width=16, layers=1, epochs=1, learning_rate=1e-9)
    first, _ = fit_vl(recipe, world, regions, seed=3)
    second, _ = fit_vl(recipe, world, regions, seed=4, start=first)
    other, _ = fit_vl(recipe, world, regions, seed=4)
    weight = {name: m.state_dict()["backbone.cls.predictions.transform.dense.weight"] for name, m in (("first", first), ("second", second), ("other", other))}  # fmt: skip
    torch.testing.assert_close(weight["second"], weight["first"], rtol=0, atol=1e-6)  # steps of 1e-9 move nothing
    assert (weight["other"] - weight["first"]).abs().max() > 0.01
    more = scenes.recaption(world, seed=0, templates=(0.0, 1.0, 0.0))
    third, _ = fit_vl(recipe, more, regions, seed=4, start=first)
    known, longer = (m.backbone.visual_bert.embeddings.word_embeddings.weight for m in (first, third))
    assert len(longer) == len(known) + 3
    torch.testing.assert_close(longer[: len(known)], known, rtol=0, atol=1e-6)


def test_a_smoke_size_curve_can_be_repeated_and_says_what_the_model_does():
    entry = vl_curves.recipes()["visualbert-0"]
    (one, model), (two, _) = (vl_curves.watch(entry, every=4, **SMALL) for _ in range(2))
    assert one == two and [c["step"] for c in one] == [0, 4, 8] and all(len(c["heads"]) == 2 for c in one)
    own = items(*entry.world(40, 2_000_000), measure="iou")
    present = own.inputs.region_mask.clone()
    present[:, 0] = False
    rows = [max(i for i, inside in enumerate(row) if inside) for row in own.phrase.tolist()]
    last = grounding.entity_grounding(word_to_regions(model, own.inputs, torch.tensor(rows)), own.aligned, present)
    assert one[-1]["heads"] == pytest.approx(last.accuracy.max(1).values.tolist(), abs=5e-4)  # kept to three places
    assert one[0]["bits"] > one[-1]["bits"]


def test_recorded_again_a_variant_keeps_what_it_was_made_of():
    found = vl_curves.record("noise of features × 2", **SMALL)
    assert found["detector"]["noise"] == 0.4 and found["seed"] == 30 and found["curve"][-1]["step"] == 8
    assert json.loads(json.dumps(found)) == found
    with pytest.raises(ValueError, match="expected one of"):
        vl_curves.record("warmer weather")


def test_the_stored_curves_are_those_of_the_recipes():
    stored, known = vl_curves.load(), vl_curves.recipes()
    assert set(stored) == set(known)
    for name, kept in stored.items():
        assert {k: v for k, v in kept.items() if k != "curve"} == known[name].settings(), name
        steps = [c["step"] for c in kept["curve"]]
        assert steps == sorted(set(steps)) and steps[0] == 0 and len(steps) >= 10
        assert all(0 <= a <= 1 for c in kept["curve"] for a in c["heads"]) and all(
            c["bits"] >= 0 for c in kept["curve"]
        )
        assert len(kept["curve"][0]["heads"]) == kept["recipe"]["layers"]
    for name in set(stored) & set(zoo.STORED):  # the last look is that of the stored weights, but for half precision
        look, curve = vl_curves.follow(known[name])
        with torch.no_grad():
            look(zoo.load(name), 0)
        assert curve[0]["heads"] == pytest.approx(stored[name]["curve"][-1]["heads"], abs=0.01)


def test_kept_curves_and_weights_stand_beside_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(vl_curves, "file", lambda: tmp_path / "curves.json")
    for name in ("one layer, seed 1", "visualbert-0"):
        vl_curves.keep(name, **SMALL)
    stored = vl_curves.load("one layer, seed 1", "visualbert-0")
    assert (
        list(stored) == ["visualbert-0", "one layer, seed 1"] and stored["one layer, seed 1"]["curve"][0]["step"] == 0
    )
    before = zoo.load("visualbert-1")
    copy = tmp_path / "scenes.safetensors"
    copy.write_bytes(zoo.file("scenes").read_bytes())
    monkeypatch.setattr(zoo, "file", lambda weights: copy)
    zoo.keep("visualbert-0", before)
    assert set(zoo.stored("scenes")) == {name for name in zoo.STORED if zoo.entry(name).weights == "scenes"}
    states = [zoo.load(name).state_dict() for name in ("visualbert-0", "visualbert-1")]
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=True))
    with pytest.raises(ValueError, match="expected one of"):
        zoo.keep("bert", before)


def test_without_the_file_or_a_curve(monkeypatch, tmp_path):
    with pytest.raises(DataUnavailable, match="lacks warmer weather"):
        vl_curves.load("visualbert-0", "warmer weather")
    monkeypatch.setattr(vl_curves, "file", lambda: tmp_path / "curves.json")
    with pytest.raises(DataUnavailable, match=r"record\(name\)"):
        vl_curves.load()
