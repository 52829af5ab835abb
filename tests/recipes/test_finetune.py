"""Fine-tuning, on three pictures in COCO's layout and a tiny CLIP loaded through open_clip's `pretrained=`: a plain loop as oracle, interruptions, refusals."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Subset

pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')
pytest.importorskip("pycocotools", reason='needs `pip install "mmnb[models]"`')

from mmnb.data import coco
from mmnb.instruments import gap
from mmnb.models import clip
from mmnb.recipes.clip import finetune as module
from mmnb.recipes.clip.finetune import Settings, finetune

SETTINGS = Settings(tau=0.05, epochs=2, batch_size=4, learning_rate=1e-3)


class Stop(Exception):
    """Stands for whatever ends a run from outside."""


class Stops:
    """Pairs that end the run when they are read for the nth time."""

    def __init__(self, pairs, at):
        self.pairs, self.left = pairs, at

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, row):
        self.left -= 1
        if self.left < 0:
            raise Stop
        return self.pairs[row]


@pytest.fixture
def pairs(coco_folder):
    """Fourteen pairs of three pictures: three batches of four, two pairs left over."""
    return Subset(coco.load(coco_folder, which="last", split="train2017"), [0, 1, 2, 0, 1, 2, 2, 1, 0, 2, 0, 1, 1, 0])


@pytest.fixture
def load(tiny_clip):
    return lambda: clip.load("tiny-for-tests", tiny_clip[0])


@pytest.fixture
def measure(coco_folder):
    valid = coco.load(coco_folder, which="last")
    return lambda loaded: {"gap": gap.modality_gap(*clip.embed_pairs(loaded, valid))}


def weights(folder):
    return load_file(folder / "weights.safetensors")


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_it_is_adam_with_the_released_settings(load, pairs, measure, tmp_path):
    """The same steps in plain torch, with the numbers of the released code written out."""
    settings = Settings(tau=1 / 30, epochs=1, batch_size=4)
    (row,) = finetune(load, pairs, tmp_path / "run", settings, measure, progress=False)
    loaded = load()
    model = loaded.model
    model.logit_scale.data = torch.tensor(math.log(30.0))
    adam = torch.optim.Adam(model.parameters(), lr=1e-5, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)
    batches = module._order(14, 0, settings)
    assert len(batches) == 3 and len({row for batch in batches for row in batch}) == 12
    for batch in batches:
        images, texts = zip(*(pairs[row] for row in batch), strict=True)
        x = model.encode_image(torch.stack([loaded.preprocess(image) for image in images]))
        y = model.encode_text(loaded.tokenize(list(texts)))
        x, y = x / x.norm(dim=-1, keepdim=True), y / y.norm(dim=-1, keepdim=True)
        logits = model.logit_scale.exp() * x @ y.T
        target = torch.arange(4)
        loss = (torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)) / 2  # fmt: skip
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert (
        abs(row["tau"] - math.exp(-model.logit_scale.item())) < 1e-9
    )  # float32 near 3.4 is exact to 2e-7, so equal, or off by 1e-8
    start, found = load().model.state_dict(), weights(tmp_path / "run")
    found.pop("logit_scale")
    apart, moved = (
        torch.cat([(found[name] - other[name]).abs().flatten() for name in found])
        for other in (model.state_dict(), start)
    )
    # the mean over all weights: 8e-12 where only sums were rounded otherwise; 3e-9 with another beta, 4e-8 with another eps, 3e-5 with AdamW's decay
    assert apart.mean() < 1e-10
    assert 2e-5 < moved.max() < 4e-5  # three steps of 1e-5


@pytest.mark.parametrize(  # reads: two for the identity, then twelve per epoch
    ("at", "every"), [(8, 0.0), (14, 0.0), (25, 0.0), (8, 1e9), (25, 1e9)]
)
def test_a_run_that_was_stopped_ends_with_the_same_weights(load, pairs, measure, tmp_path, at, every):
    options = {"every": every, "progress": False}
    whole = finetune(load, pairs, tmp_path / "whole", SETTINGS, measure, **options)
    with pytest.raises(Stop):
        finetune(load, Stops(pairs, at), tmp_path / "stopped", SETTINGS, measure, **options)
    resumed = finetune(load, pairs, tmp_path / "stopped", SETTINGS, measure, **options)
    assert resumed == whole and [row["epoch"] for row in whole] == [1, 2]
    assert same(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    assert [file.name for file in (tmp_path / "stopped").iterdir()] == ["weights.safetensors"]


def test_a_run_that_was_stopped_while_it_was_measured_goes_on(load, pairs, measure, tmp_path):
    whole = finetune(load, pairs, tmp_path / "whole", SETTINGS, measure, progress=False)

    def stop(loaded):
        raise Stop

    with pytest.raises(Stop):
        finetune(load, pairs, tmp_path / "stopped", SETTINGS, stop, progress=False)
    seen = Stops(pairs, 2 + 12)  # the first epoch is not read again
    assert finetune(load, seen, tmp_path / "stopped", SETTINGS, measure, progress=False) == whole
    assert same(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))


def test_the_gap_at_six_temperatures_is_that_of_the_weights_that_are_left(load, pairs, measure, tmp_path):
    gaps = {}
    for k in (1, 10, 20, 30, 50, 100):
        folder = tmp_path / f"{k}"
        settings = Settings(tau=1 / k, epochs=2, batch_size=4, learning_rate=1e-4)
        rows = finetune(load, pairs, folder, settings, measure, progress=False)
        again = clip.load("tiny-for-tests", folder / "weights.safetensors")  # through open_clip's `pretrained=`
        assert rows[-1]["gap"] == measure(again)["gap"]
        assert rows[-1]["tau"] == math.exp(-again.model.logit_scale.item())
        assert 0 < abs(rows[-1]["tau"] * k - 1) < 0.01  # six steps of 1e-4 in its logarithm: trained, but not far
        assert all(math.isfinite(row["loss"]) for row in rows)
        gaps[k] = rows[-1]["gap"]
    assert len(set(gaps.values())) == 6  # six different models
    assert measure(load())["gap"] not in gaps.values()


def test_it_learns(load, pairs, measure, tmp_path):
    settings = Settings(tau=0.05, epochs=15, batch_size=3, learning_rate=2e-3, weight_decay=0.0)
    rows = finetune(load, Subset(pairs, [0, 1, 2]), tmp_path / "run", settings, measure, progress=False)
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_processes_that_read_pictures_change_nothing(load, pairs, measure, tmp_path):
    settings = Settings(tau=0.05, epochs=1, batch_size=4)
    alone, helped = (finetune(load, pairs, tmp_path / f"{n}", settings, measure, workers=n, progress=False) for n in (0, 2))  # fmt: skip
    assert alone == helped and same(weights(tmp_path / "0"), weights(tmp_path / "2"))


def test_a_finished_run_is_read_and_not_repeated(load, pairs, measure, tmp_path):
    rows = finetune(load, pairs, tmp_path / "run", SETTINGS, measure, progress=False)
    (tmp_path / "run" / "running.safetensors").write_bytes(b"left over")
    assert finetune(load, Stops(pairs, 2), tmp_path / "run", SETTINGS, None, progress=False) == rows
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["weights.safetensors"]


@pytest.mark.parametrize(
    ("change", "message", "finished"),
    [
        ({"settings": Settings(tau=0.02, epochs=2, batch_size=4, learning_rate=1e-3)}, r"tau was 0\.05 and is 0\.02", False),
        ({"settings": Settings(tau=0.02, epochs=2, batch_size=4, learning_rate=1e-3)}, r"tau was 0\.05 and is 0\.02", True),
        ({"settings": Settings(tau=0.05, epochs=3, batch_size=4, learning_rate=1e-3)}, "epochs was 2 and is 3", False),
        ({"pairs": [0, 1, 2, 0, 1, 2, 2, 1, 0, 2, 0, 1]}, "pairs was 14 and is 12", False),
        ({"load": None}, "starting weights was", False),
    ],
)  # fmt: skip
def test_another_runs_folder_is_refused(load, pairs, measure, tmp_path, change, message, finished):
    if finished:
        finetune(load, pairs, tmp_path / "run", SETTINGS, measure, progress=False)
    else:
        with pytest.raises(Stop):
            finetune(load, Stops(pairs, 8), tmp_path / "run", SETTINGS, measure, every=0.0, progress=False)
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    other = pairs if "pairs" not in change else Subset(pairs, change["pairs"])
    start = load if "load" not in change else lambda: clip.load("tiny-for-tests", None)
    with pytest.raises(ValueError, match=message):
        finetune(start, other, tmp_path / "run", change.get("settings", SETTINGS), measure, progress=False)
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_other_refusals(load, pairs, measure, tmp_path):
    with pytest.raises(ValueError, match="at least one batch of 64"):
        finetune(load, pairs, tmp_path / "few", Settings(tau=0.1), measure)
    for wrong in ({"tau": 0.0}, {"tau": 0.1, "epochs": 0}, {"tau": 0.1, "batch_size": 1}):
        with pytest.raises(ValueError, match="expected tau > 0"):
            Settings(**wrong)
    for name, write in (("text", lambda file: file.write_text("no tensors")), ("other", lambda file: save_file({"a": torch.ones(1)}, file))):  # fmt: skip
        (tmp_path / name).mkdir()
        write(tmp_path / name / "running.safetensors")
        with pytest.raises(ValueError, match=r"cannot be read|belongs to another run"):
            finetune(load, pairs, tmp_path / name, SETTINGS, measure, progress=False)


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights(load, pairs, measure, tmp_path):
    def broken():
        loaded = load()
        loaded.model.visual.proj.data.fill_(float("nan"))
        return loaded

    with pytest.raises(FloatingPointError, match="the loss is nan"):
        finetune(broken, pairs, tmp_path / "run", SETTINGS, measure, progress=False)
