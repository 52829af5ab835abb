"""Sections beside the grid: geometry, data, encoders, words, noise, examples."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import mmnb
from mmnb.data import planted_spaces as spaces
from mmnb.data.planted import planted
from mmnb.diagnosis.sections.examples import thumbnail
from mmnb.diagnosis.sections.geometry import _first, _mutual
from mmnb.instruments import gap
from mmnb.instruments.emap import TwoTower
from mmnb.instruments.grid.two_tower import ScaledDot


def test_geometry_has_the_numbers_of_the_instruments():
    world = spaces.planted_space("gap that costs", 60)
    found = mmnb.diagnose(mmnb.Embeddings(**world))["geometry"]
    x, y = (gap.normalize(world[name]) for name in ("image", "text"))
    rows = {row["name"]: row["value"] for row in found.data["rows"]}
    assert rows["gap of image and text"] == pytest.approx(gap.modality_gap(x, y))
    recall = gap.retrieval_recall(x, y)
    assert rows["image finds its text"] == pytest.approx(float(recall.a_to_b))
    assert rows["text finds its image"] == pytest.approx(float(recall.b_to_a))
    assert len(found.data["figures"]) == 2


def test_mutual_neighbours_and_first_hits_by_brute_force():
    g = torch.Generator().manual_seed(0)
    x, y = (gap.normalize(torch.randn(40, 5, generator=g, dtype=torch.float64)) for _ in range(2))
    near = [
        [set(np.argsort([-float(v) if j != i else 9 for j, v in enumerate(row)])[:10]) for i, row in enumerate(z @ z.T)]
        for z in (x, y)
    ]
    assert _mutual(x, y).tolist() == [len(a & b) / 10 for a, b in zip(*near, strict=True)]
    assert _mutual(x, x).tolist() == [1] * 40
    assert _first(x, y).tolist() == [int((x[i] @ y.T).argmax()) == i for i in range(40)]
    assert not _first(torch.ones(3, 1), torch.ones(3, 1)).any()  # ties


def test_a_dual_encoder_has_a_geometry():
    world = spaces.planted_space("closed gap", 60)
    model = TwoTower(nn.Identity().eval(), nn.Identity().eval(), ScaledDot(torch.tensor(10.0), None))
    found = mmnb.diagnose(
        model, mmnb.Data(image=gap.normalize(world["image"]), text=gap.normalize(world["text"])), progress=False
    )
    assert found["geometry"].status == "measured" and found["shares"].status == "measured"
    assert "EMAP says nothing there" in found["answer"].answer


def test_three_modalities_have_three_gaps():
    g = torch.Generator().manual_seed(0)
    found = mmnb.diagnose(
        mmnb.Embeddings(**{name: torch.randn(30, 6, generator=g) for name in ("image", "text", "sound")})
    )
    rows = [row["name"] for row in found["geometry"].data["rows"]]
    assert [name for name in rows if name.startswith("gap of")] == [
        "gap of image and text",
        "gap of image and sound",
        "gap of text and sound",
    ]


@pytest.mark.slow
def test_what_data_hold():
    world = planted("none", 200)
    found = mmnb.diagnose(world.model, mmnb.Data(**world.data), also=["data"], progress=False)["data"]
    rows = {row["name"]: row["value"] for row in found.data["rows"]}
    assert rows["bits in both (logistic)"] > 0.3 > 0.1 > rows["bits in both, labels shuffled (logistic)"]
    assert rows["bits in image given text (logistic)"] > 0.2
    assert abs(rows["PID, redundant"]) < 0.1


def test_noise_and_examples_are_shown(tmp_path):
    g = torch.Generator().manual_seed(0)
    image, y = torch.rand(40, 3, 20, 24, generator=g), torch.arange(40) % 2
    image[:, 0] += y[:, None, None]

    def model(image, text):
        score = 4 * image[:, 0].mean((1, 2)) - 4 + torch.tensor([len(one) / 10 for one in text])
        return torch.stack([0 * score, score], 1)

    texts = ["<b>a long text " * 20, "short"] * 20
    report = mmnb.diagnose(model, mmnb.Data(image=image, text=texts, y=y), also=("robustness", "words"), progress=False)
    assert len(report["robustness"].data["figures"][0]["series"]["noise on image"]) == 5
    page = report.save(tmp_path / "r.html").read_text()
    assert "data:image/png;base64," in page and "<b>a long" not in page
    items = report["examples"].data["items"]
    assert {len(some) for some in items.values()} == {6} or len(items["most interactive"]) == 6
    assert len(max((one["text"] for one in items["most interactive"]), key=len)) < 300


def test_a_thumbnail_is_a_picture():
    pixels = np.zeros((1, 3, 100, 80))
    pixels[0, 0, :50] = 1
    url = thumbnail(pixels, 0)
    found = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert found.size == (40, 50) and found.getpixel((0, 0)) == (255, 0, 0) and found.getpixel((0, 49)) == (0, 0, 0)
    assert thumbnail([Image.new("L", (10, 10))], 0) is not None
    assert thumbnail(np.zeros((5, 7)), 0) is None and thumbnail(["text"], 0) is None


def test_sections_that_train_run_only_when_named(world, report):
    assert report["data"].answer == "needs also=('data',), as it trains or scores again"
    with pytest.raises(ValueError, match=r"got also=\['dta'\]; expected some of data, words, robustness"):
        mmnb.diagnose(world.model, mmnb.Data(**world.data), also=["dta"])


def test_a_dual_encoder_of_transformers():
    """Five lines of a user: the model as it is, a dict for the text. EMAP is trivial for retrieval, and the report says so."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    text = small | dict(vocab_size=50, max_position_embeddings=8, eos_token_id=49, bos_token_id=48, pad_token_id=1)
    config = transformers.CLIPConfig(
        text_config=text, vision_config=small | dict(image_size=16, patch_size=8), projection_dim=12
    )
    model, ids = transformers.CLIPModel(config).eval(), torch.randint(2, 48, (30, 8))
    ids[:, -1] = 49
    data = mmnb.Data(image=torch.randn(30, 3, 16, 16), text=dict(input_ids=ids, attention_mask=torch.ones_like(ids)))
    report = mmnb.diagnose(model, data, progress=False)
    assert report["geometry"].status == report["shares"].status == "measured"
    assert "ranks all candidates alike" in report["answer"].answer and report["conflict"].status == "not measured"
    assert mmnb.diagnose(model, data, plan=True).passes == 60
