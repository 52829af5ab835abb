"""Small VisualBERT and LXMERT: the same numbers as transformers' own classes, checkpoints from disk, attention with its hooks, training."""

import pytest
import torch
import transformers

from mmnb import DataUnavailable
from mmnb.data import scenes
from mmnb.instruments.ablation import vision_for_language
from mmnb.models import vl, vl_attention
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items
from mmnb.recipes.vl.train import Recipe, fit_vl, masked_batch, new, phrases_of, with_global


@pytest.fixture(scope="module")
def world():
    made = scenes.make(64, seed=3)  # captions of unequal length
    return made, scenes.detect(made, seed=3)


def inputs_of(world):
    made, regions = world
    return made.tokens, made.tokens != 0, *with_global(regions.feature, regions.box, regions.mask)


def test_visualbert_gives_the_numbers_of_its_own_class(world):
    torch.manual_seed(0)
    model, given = new(Recipe()), inputs_of(world)
    with torch.no_grad():
        ours, theirs = model(*given), model.backbone(**model.inputs(*given))
    assert torch.equal(ours.words, theirs.prediction_logits[:, : given[0].shape[1]])
    assert torch.equal(ours.match, theirs.seq_relationship_logits)
    assert ours.regions.shape == (64, given[2].shape[1], scenes.N_CLASSES)


def test_lxmert_gives_the_numbers_of_its_own_class(world):
    torch.manual_seed(0)
    model, (tokens, seen, feature, box, mask) = new(Recipe(kind="lxmert", layers=2)), inputs_of(world)
    with torch.no_grad():
        ours = model(tokens, seen, feature, box, mask)
        theirs = model.backbone(tokens, feature, vl.box_code(box), attention_mask=seen.float(), visual_attention_mask=mask.float())  # fmt: skip
    assert torch.equal(ours.words, theirs.prediction_logits) and torch.equal(ours.match, theirs.cross_relationship_score)  # fmt: skip


@pytest.mark.parametrize("kind", vl.KINDS)
def test_padding_changes_nothing(world, kind):
    torch.manual_seed(0)
    model, (tokens, seen, feature, box, mask) = new(Recipe(kind=kind)), inputs_of(world)
    more = torch.cat([feature, torch.full_like(feature[:, :2], 9.0)], 1), torch.cat([box, box[:, :2]], 1), torch.cat([mask, mask[:, :2] & False], 1)  # fmt: skip
    with torch.no_grad():
        a = model(tokens, seen, feature, box, mask)
        b = model(torch.nn.functional.pad(tokens, (0, 3)), torch.nn.functional.pad(seen, (0, 3)), *more)
    where = seen[..., None].expand_as(a.words)
    torch.testing.assert_close(b.words[:, : tokens.shape[1]][where], a.words[where], rtol=0, atol=1e-4)


def test_order_of_regions_changes_nothing(world):
    torch.manual_seed(0)
    model, (tokens, seen, feature, box, mask) = new(Recipe()), inputs_of(world)
    order = torch.randperm(feature.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = model(tokens, seen, feature, box, mask), model(tokens, seen, feature[:, order], box[:, order], mask[:, order])  # fmt: skip
    torch.testing.assert_close(a.words, b.words, rtol=0, atol=1e-4)
    torch.testing.assert_close(a.regions[:, order], b.regions, rtol=0, atol=1e-4)


@pytest.mark.parametrize("visual_type", [0, 1])
def test_a_tiny_visualbert_checkpoint_from_disk(tmp_path, visual_type):
    config = transformers.VisualBertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, visual_embedding_dim=7)  # fmt: skip
    torch.manual_seed(1)
    made = transformers.VisualBertForPreTraining(config).eval()
    made.save_pretrained(tmp_path)
    model = vl.load(tmp_path, visual_type=visual_type)
    tokens, seen = torch.randint(1, 50, (3, 6)), torch.ones(3, 6, dtype=torch.bool)
    feature, mask = torch.randn(3, 4, 7), torch.ones(3, 4, dtype=torch.bool)
    with torch.no_grad():
        ours = model(tokens, seen, feature, torch.zeros(3, 4, 4), mask).words
        theirs = made(input_ids=tokens, visual_embeds=feature, visual_token_type_ids=torch.full((3, 4), visual_type)).prediction_logits  # fmt: skip
        other = vl.load(tmp_path, visual_type=1 - visual_type)(tokens, seen, feature, torch.zeros(3, 4, 4), mask).words
    torch.testing.assert_close(ours, theirs[:, :6], rtol=0, atol=1e-5)
    assert (ours - other).abs().max() > 1e-4  # the type of regions is not idle
    attention = vl_attention.maps(model, tokens, seen, feature, torch.zeros(3, 4, 4), mask)
    assert attention.shape == (3, 2, 2, 10, 10)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 2, 2, 10), rtol=0, atol=1e-5)


def test_a_tiny_lxmert_checkpoint_from_disk_in_both_directions(tmp_path):
    config = transformers.LxmertConfig(vocab_size=50, hidden_size=16, num_attention_heads=2, intermediate_size=32, l_layers=1, r_layers=1, x_layers=2, visual_feat_dim=7, num_object_labels=9)  # fmt: skip
    torch.manual_seed(1)
    transformers.LxmertForPreTraining(config).save_pretrained(tmp_path)
    model = vl.load(tmp_path)
    given = torch.randint(1, 50, (3, 6)), torch.ones(3, 6, dtype=torch.bool), torch.randn(3, 4, 7), torch.rand(3, 4, 4), torch.ones(3, 4, dtype=torch.bool)  # fmt: skip
    with torch.no_grad():
        found = model(*given)
    assert found.words.shape == (3, 6, 50) and found.regions.shape == (3, 4, 9)


def test_loading_what_is_not_there_or_another_model(tmp_path):
    with pytest.raises(DataUnavailable, match="hf download"):
        vl.load(tmp_path / "nothing")
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a bert"):
        vl.load(tmp_path)
    with pytest.raises(TypeError, match="expected one of"):
        vl.VisionLanguage(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="kind"):
        vl.small("vilt", vocabulary=9, n_classes=2, feature_size=3)


@pytest.mark.parametrize("kind", vl.KINDS)
def test_weights_in_half_precision_and_back(tmp_path, kind):
    torch.manual_seed(0)
    one, other = new(Recipe(kind=kind)), new(Recipe(kind=kind))
    vl.save_weights({"a": one}, tmp_path / "w.safetensors")
    vl.load_weights({"a": other}, tmp_path / "w.safetensors")
    for x, y in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(y, x.half().float(), rtol=0, atol=0)
    with pytest.raises(ValueError, match="for b"):
        vl.load_weights({"b": other}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="shape"):
        vl.load_weights({"a": new(Recipe(kind=kind, width=32))}, tmp_path / "w.safetensors")


# attention of two streams
def test_hooks_get_both_directions_and_change_nothing(world):
    torch.manual_seed(0)
    model, given = new(Recipe(kind="lxmert", layers=2)), inputs_of(world)
    length, regions = given[0].shape[1], given[2].shape[1]
    with torch.no_grad():
        before = model(*given)
        with vl_attention.cross_attention(model) as cross:
            inside, _ = model(*given), model(*given)
    assert torch.equal(before.words, inside.words) and len(cross.language_to_vision) == len(cross.vision_to_language) == 2  # fmt: skip
    states = model.backbone.lxmert(given[0], given[2], vl.box_code(given[3]), given[1].float(), given[4].float(), output_attentions=True)  # fmt: skip
    for ours, theirs in zip(cross.language_to_vision, states.cross_encoder_attentions, strict=True):
        assert torch.equal(ours, theirs)
    for back in cross.vision_to_language:
        assert back.shape == (64, 4, regions, length)
        torch.testing.assert_close(back.sum(-1), torch.ones(64, 4, regions), rtol=0, atol=1e-5)
        assert back.transpose(2, 3)[~given[1][:, None].expand(-1, 4, -1)].max() < 1e-6  # padding is not looked at
    query = torch.full((64,), 3)
    found = vl_attention.word_to_regions(model, given, query, batch_size=20)
    torch.testing.assert_close(found[:, 1], cross.language_to_vision[1][:, :, 3], rtol=0, atol=1e-6)


def test_hooks_are_removed_even_after_an_error():
    model = new(Recipe(kind="lxmert"))
    with pytest.raises(RuntimeError, match="planted"), vl_attention.cross_attention(model):
        raise RuntimeError("planted")
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == 0
    with pytest.raises(ValueError, match="x_layers"), vl_attention.cross_attention(new(Recipe())):
        pass


def test_maps_are_the_same_twice_and_refuse_train_mode(world):
    torch.manual_seed(0)
    model, given = new(Recipe()), inputs_of(world)
    one, two = (vl_attention.maps(model, *given, batch_size=b) for b in (64, 10))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)
    masked = ~torch.cat([given[1], given[4]], 1)[:, None, None, None].expand_as(one)
    assert one[masked].max() < 1e-6
    with pytest.raises(ValueError, match="train mode"):
        vl_attention.maps(model.train(), *given)
    with pytest.raises(ValueError, match="two streams"):
        vl_attention.maps(new(Recipe(kind="lxmert")), *given)
    with pytest.raises(ValueError, match="outside"):
        vl_attention.word_to_regions(model.eval(), given, torch.full((64,), 99))


# heads switched off
def test_gates_of_heads(world):
    torch.manual_seed(0)
    model, given = new(Recipe()), items(*world).inputs
    with torch.no_grad():
        plain = model(*given).words
        with vl_attention.head_gates(model, torch.ones(3, 4)):
            torch.testing.assert_close(model(*given).words, plain, rtol=0, atol=1e-6)
        off = torch.ones(3, 4)
        off[1, 2] = 0
        with vl_attention.head_gates(model, off):
            gated = model(*given).words
        with vl_attention.head_gates(model, off[..., None].expand(3, 4, given[0].shape[1] + given[2].shape[1])):
            torch.testing.assert_close(model(*given).words, gated, rtol=0, atol=1e-6)  # the same at every place
        dense = model.backbone.visual_bert.encoder.layer[1].attention.output.dense
        kept = dense.weight.clone()
        dense.weight[:, 24:36] = 0  # what head 2 of width 12 writes, cut out by hand
        torch.testing.assert_close(gated, model(*given).words, rtol=0, atol=1e-5)
        assert (gated - plain).abs().max() > 1e-3
        dense.weight.copy_(kept)
        torch.testing.assert_close(model(*given).words, plain, rtol=0, atol=0)  # no hook is left


def test_a_gate_has_the_gradient_of_its_finite_difference(world):
    torch.manual_seed(0)
    model, given = new(Recipe()).double(), items(*world).inputs
    given = given._replace(feature=given.feature.double(), box=given.box.double())

    def loss(gates):
        with vl_attention.head_gates(model, gates):
            return model(*given).words.square().mean()

    gates = torch.ones(3, 4, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(loss(gates), gates)[0]
    step = torch.zeros(3, 4, dtype=torch.float64)
    step[0, 1] = 1e-4
    with torch.no_grad():
        measured = (loss(1 + step) - loss(1 - step)) / 2e-4
    torch.testing.assert_close(slope[0, 1], measured, rtol=1e-5, atol=0)


def test_gates_of_the_last_layer_act_at_their_own_places_only(world):
    torch.manual_seed(0)
    model, given = new(Recipe()), items(*world).inputs
    gates = torch.ones(3, 4, given[0].shape[1] + given[2].shape[1])
    gates[2, 1, 5] = 0
    with torch.no_grad():
        plain = model(*given).words
        with vl_attention.head_gates(model, gates):
            moved = (model(*given).words - plain).abs().amax((0, 2))
    assert moved[5] > 1e-4 and moved[torch.arange(len(moved)) != 5].max() < 1e-6


def test_gates_are_removed_after_an_error_and_refuse_what_does_not_fit():
    model = new(Recipe())
    with pytest.raises(RuntimeError, match="planted"), vl_attention.head_gates(model, torch.ones(3, 4)):
        raise RuntimeError("planted")
    assert sum(len(module._forward_pre_hooks) for module in model.modules()) == 0
    with pytest.raises(ValueError, match=r"expected \(layers, heads\) = \(3, 4\)"), vl_attention.head_gates(model, torch.ones(4, 3)):  # fmt: skip
        pass
    with pytest.raises(ValueError, match="two streams"), vl_attention.head_gates(new(Recipe(kind="lxmert")), torch.ones(1, 4)):  # fmt: skip
        pass


# training
@pytest.mark.parametrize("name", ["visualbert-0", "lxmert-0"])
def test_a_smoke_size_training_of_the_zoo_learns_and_can_be_repeated(name):
    entry = zoo.entry(name)
    world, regions = entry.world(256, 1000)
    runs = [fit_vl(Recipe(kind=entry.recipe.kind, layers=1, epochs=2), world, regions, seed=0) for _ in range(2)]
    assert runs[0][1].loss[1] < runs[0][1].loss[0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][0].state_dict().values(), runs[1][0].state_dict().values(), strict=True))  # fmt: skip
    assert not runs[0][0].training


def test_what_is_masked_is_hidden_and_asked_for(world):
    made, regions = world
    recipe = Recipe(phrases=0.5, words=0.3, regions=0.5, mismatch=0.5)
    index = torch.arange(64)
    batch = masked_batch(recipe, made.tokens, phrases_of(made), regions, index, index, torch.Generator().manual_seed(0))
    tokens, _, feature, _, _ = batch.inputs
    assert (tokens[batch.word_at] == scenes.MASK).all() and (feature[batch.region_at] == 0).all()
    assert (batch.word > scenes.MASK).all() and (
        batch.region_at[1] > 0
    ).all()  # no special word, never the global region
    asked = torch.isin(torch.arange(64), torch.cat([batch.word_at[0], batch.region_at[0]]))
    assert not (asked & batch.match.bool()).any()  # mismatched pairs take no part in the masked losses
    present = feature[:, 1:] * regions.mask[..., None]
    torch.testing.assert_close(feature[:, 0], present.sum(1) / regions.mask.sum(1, keepdim=True), rtol=0, atol=1e-5)
    stale = masked_batch(Recipe(regions=0.5, global_="stale"), made.tokens, phrases_of(made), regions, index, index, torch.Generator().manual_seed(0))  # fmt: skip
    torch.testing.assert_close(stale.inputs[2][:, 0], regions.feature.sum(1) / regions.mask.sum(1, keepdim=True), rtol=0, atol=1e-5)  # fmt: skip


def test_recipes_that_are_none():
    world = scenes.make(8, seed=0)
    with pytest.raises(ValueError, match="inputs"):
        fit_vl(Recipe(inputs="audio"), world, scenes.detect(world, seed=0), seed=0)
    with pytest.raises(ValueError, match="expected one of"):
        zoo.load("bert")


def test_the_weights_that_come_with_the_repository():
    assert set(zoo.stored("scenes")) == {name for name in zoo.STORED if zoo.entry(name).weights == "scenes"}
    assert zoo.file("scenes").stat().st_size <= 3_000_000
    model, entry = zoo.load("visualbert-0"), zoo.entry("visualbert-0")
    own = items(*entry.world(100, seed=77))

    def predict(*given):
        out = model(*given)
        return out.words, out.regions

    bits = vision_for_language(predict, own.inputs, own.phrase, own.aligned, mask_id=scenes.MASK, mean=own.mean, global_index=0)  # fmt: skip
    text_alone = (0 + 1 + 2 + 2) / 4  # article, one of two sizes, one of four colours, one of four shapes
    assert bits["none"].mean() < 0.8 * text_alone < text_alone < bits["all"].mean()


def test_items_of_scenes(world):
    made, regions = world
    own = items(made, regions)
    assert len(own) == 64 and (own.aligned.sum(1) == 1).all() and not own.aligned[:, 0].any()
    thing = regions.thing[torch.arange(64), own.target - 1]
    assert torch.equal(thing, made.phrase[:, 0, 2])
    hard = scenes.detect(made, scenes.Detector(missed=0.4), seed=1)
    assert len(items(made, hard)) == int(((hard.thing == made.phrase[:, 0, 2:]) & hard.mask).any(1).sum())
    with pytest.raises(ValueError, match="iot"):
        items(made, scenes.detect(made, scenes.Detector(missed=1.0, background=1), seed=1), threshold=1.0)
