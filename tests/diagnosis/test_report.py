"""The report: JSON is the truth, everything else is made from it; nothing is lost where something fails."""

import json
import re

import numpy as np
import pytest
import torch

import mmnb
from mmnb.data.planted import planted
from mmnb.diagnosis import svg
from mmnb.instruments.emap import emap
from mmnb.instruments.reliance import reliance


def test_numbers_are_those_of_the_instruments(world, report):
    image, text, y = (world.data[key] for key in ("image", "text", "y"))
    result = emap(world.model, image, text, progress=False)
    scores = result.score("accuracy", y)
    assert report["answer"].value == pytest.approx(scores.gap.value)
    assert report["answer"].interval == pytest.approx(scores.gap.interval, abs=0.03)
    assert report["shares"].value == pytest.approx(result.shares["interaction"])
    found = reliance(world.model, image, text, y, progress=False)
    rows = {row["name"]: row["value"] for row in report["reliance"].data["rows"]}
    assert rows["lost when image is exchanged"] == pytest.approx(found.perceptual["a"].value)
    assert rows["bits from text"] == pytest.approx(found.gain["b"].value)


def test_json_is_the_truth(report, tmp_path):
    for name in ("r.json", "r.html", "r.md", "r.tex"):
        report.save(tmp_path / name)
    again = mmnb.Report.load(tmp_path / "r.json")
    assert again.data == report.data == json.loads((tmp_path / "r.json").read_text())
    again.save(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "r.html").read_bytes()
    with pytest.raises(ValueError, match=r"got 'r.pdf'; expected a name that ends in .json, .html, .md, .tex"):
        report.save(tmp_path / "r.pdf")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="got schema None; expected 1"):
        mmnb.Report.load(tmp_path / "other.json")


def test_every_number_is_in_every_form(report, tmp_path):
    pages = [report.save(tmp_path / f"r.{ending}").read_text() for ending in ("html", "md", "tex")]
    for part in report.sections.values():
        for row in part.data["rows"]:
            assert all(f"{row['value']:.4g}" in page for page in pages), row


def test_the_page_needs_nothing_from_outside(report, tmp_path):
    page = report.save(tmp_path / "r.html").read_text()
    assert len(page) < 3e6
    assert not re.search(r"<script|<link|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", page)
    assert page.count("<svg") == page.count('role="img"') == page.count('aria-label="') - page.count('role="group"') - 1
    assert "prefers-color-scheme:dark" in page and "@media print" in page


def test_words_of_the_user_are_escaped(world, tmp_path):
    data = mmnb.Data(**{"<b>x": world.data["image"], "y&_%": world.data["text"], "y": world.data["y"]})
    report = mmnb.diagnose(lambda a, b: world.model(a, b), data, progress=False)
    assert "<b>x" not in report.save(tmp_path / "r.html").read_text()
    assert r"y\&\_\%" in report.save(tmp_path / "r.tex").read_text()


def test_it_shows_itself(report):
    lines = str(report).splitlines()
    assert len(lines) <= 12 and max(map(len, lines)) <= 160 and lines[0].endswith("use image and text together?")
    assert report._repr_html_().startswith("<style>") and "<html" not in report._repr_html_()
    assert report["answer"].figure().startswith("<svg") and report["card"].figure() is None
    assert report["answer"].to_frame().columns.tolist() == ["name", "value", "low", "high", "n", "over"]
    with pytest.raises(KeyError, match="the report has card, measurable"):
        report["nothing"]


def test_two_reports_on_the_same_examples_are_compared_in_pairs(world, report):
    blind = planted("blind to image", 100).model
    other = mmnb.diagnose(blind, mmnb.Data(**world.data), progress=False)
    change = report.compare(other)
    scores = [f(world.data["image"], world.data["text"]).argmax(1) == world.data["y"] for f in (world.model, blind)]
    rows = {row["name"]: row for row in change["answer"].data["rows"]}
    assert rows["model"]["value"] == pytest.approx((scores[0].double() - scores[1].double()).mean().item())
    error = (scores[0].double() - scores[1].double()).std().item() / 10
    assert rows["model"]["high"] - rows["model"]["low"] == pytest.approx(3.92 * error, rel=0.15)
    far = mmnb.diagnose(blind, mmnb.Data(**planted("none", 100, 5).data), progress=False)
    loose = {row["name"]: row for row in report.compare(far)["answer"].data["rows"]}
    assert "not paired" in str(report.compare(far)["card"].data["facts"])
    assert loose["model"]["high"] - loose["model"]["low"] > rows["model"]["high"] - rows["model"]["low"]


def test_scores_that_were_computed_elsewhere(world, report):
    image, text, y = (world.data[key] for key in ("image", "text", "y"))
    index = torch.arange(100)
    grid = world.model(image.repeat_interleave(100, 0), text.repeat(100, 1)).view(100, 100, 2)
    found = mmnb.diagnose(mmnb.Scores(grid=grid, y=y, names=("image", "text")), progress=False)
    assert found["answer"].data["rows"] == report["answer"].data["rows"]
    without = dict(without_image=grid.mean(0), without_text=grid.mean(1))
    three = mmnb.diagnose(mmnb.Scores(true=grid[index, index], y=y, **without))
    kept = {row["name"]: row["value"] for row in three["blind"].data["rows"]}
    ours = {row["name"]: row["value"] for row in report["blind"].data["rows"]}
    assert kept["kept without image"] == pytest.approx(ours["kept without image"])
    assert three["shares"].status == "not measured" and "scores of mixed pairs" in three["shares"].answer
    assert three["reliance"].status == "measured"


def test_three_modalities():
    g = torch.Generator().manual_seed(0)
    a, b, c = torch.randn(3, 40, generator=g, dtype=torch.float64)
    y = (a * b + 0.3 * c > 0).long()

    def model(video, audio, text):
        score = 2 * video * audio + 0.6 * text
        return torch.stack([0 * score, score], 1)

    found = mmnb.diagnose(model, mmnb.Data(video=a, audio=b, text=c, y=y), progress=False)
    names = {row["name"]: row["value"] for row in found["shares"].data["rows"]}
    assert names["video × audio"] > 0.5 and names["order 3"] < 1e-9
    assert found["answer"].value > 0.1 and found["conflict"].status == "not measured"
    assert [row["name"] for row in found["reliance"].data["rows"][:3]] == [
        f"lost when {n} is exchanged" for n in ("video", "audio", "text")
    ]


def test_more_examples_than_can_be_combined_are_drawn_before_the_pass():
    x = torch.randn(4, 60, generator=torch.Generator().manual_seed(0))
    found = mmnb.diagnose(lambda a, b, c, d: a + b + c * d, mmnb.Data(a=x[0], b=x[1], c=x[2], d=x[3]), progress=False)
    assert "31 of 60" in str(found["card"].data["facts"]) and found["shares"].status == "measured"


@pytest.mark.parametrize(
    "metric", ["roc_auc", "f1", "average_precision", lambda scores, y: float((scores.argmax(1) == y).mean())]
)
def test_other_metrics(world, metric):
    found = mmnb.diagnose(world.model, mmnb.Data(**world.data), metric=metric, resamples=100, progress=False)
    assert found["answer"].status == "measured" and found["answer"].value > 0.1


def test_regression_and_no_labels(world):
    image, text = world.data["image"], world.data["text"]
    f = lambda image, text: image[:, 0] * text[:, 0] + image[:, 1]  # noqa: E731
    found = mmnb.diagnose(
        f, mmnb.Data(image=image, text=text, y=f(image, text)), metric="r2", resamples=100, progress=False
    )
    assert found["answer"].status == "measured" and found["answer"].value > 0.3
    assert found["reliance"].status == "not measured" and "one label for each example" in found["reliance"].answer
    bare = mmnb.diagnose(world.model, mmnb.Data(image=image, text=text), progress=False)
    assert bare["shares"].status == "measured" and bare["answer"].answer == "needs labels: y="


def test_text_labels(world):
    names = np.array(["no", "yes"])[world.data["y"]]
    found = mmnb.diagnose(world.model, mmnb.Data(**world.data | {"y": names}), progress=False)
    assert found["answer"].value > 0.1


def test_a_metric_that_fails_loses_one_section_and_no_grid(world):
    def metric(scores, y):
        raise RuntimeError("no such luck")

    found = mmnb.diagnose(world.model, mmnb.Data(**world.data), metric=metric, progress=False)
    assert found["answer"].status == "refused" and "no such luck" in found["answer"].answer
    assert found["shares"].status == found["conflict"].status == "measured"


@pytest.mark.parametrize("y", [[7] * 100, [float("nan")] * 100, list("abc") + ["a"] * 97])
def test_labels_that_do_not_fit_are_refused_before_the_pass(world, y):
    calls = []

    def model(image, text):
        calls.append(len(image))
        return world.model(image, text)

    data = mmnb.Data(image=world.data["image"], text=world.data["text"], y=y)
    with pytest.raises(ValueError, match=r"score: .*expected"):
        mmnb.diagnose(model, data, progress=False)
    assert sum(calls) == 1


def test_a_sample_of_partners(world, report):
    some = mmnb.diagnose(world.model, mmnb.Data(**world.data), shifts=30, progress=False)
    assert some["answer"].value == pytest.approx(report["answer"].value, abs=0.1)
    assert "a sample of all pairs" in str(some["card"].data["facts"])


def test_groups_widen_and_repeated_items_become_groups():
    repeated = planted("duplicated pictures", 120)
    found = mmnb.diagnose(repeated.model, mmnb.Data(**repeated.data), progress=False)
    assert "40 groups" in str(found["card"].data["facts"])
    alone = mmnb.diagnose(repeated.model, mmnb.Data(**repeated.data, group=np.arange(120)), progress=False)
    assert "120 groups" in str(alone["card"].data["facts"])


def test_another_way_to_leave_a_side_out(world):
    dropped = {"dropped": {"image": lambda text: world.model(torch.zeros_like(text), text)}}
    found = mmnb.diagnose(world.model, mmnb.Data(**world.data), without=dropped, progress=False)
    rows = {row["name"]: row["value"] for row in found["blind"].data["rows"]}
    assert rows["without image (dropped)"] == pytest.approx(rows["without image (blank)"], abs=0.1)


def test_minimal_pairs(world):
    binds = planted("binds", 60)
    found = mmnb.diagnose(binds.model, mmnb.Data(**binds.data), progress=False)
    assert found["pairs"].value > 0.5
    with pytest.raises(ValueError, match=r"expected each twice"):
        mmnb.diagnose(binds.model, mmnb.Data(**binds.data | {"pair": torch.arange(60) // 3}), progress=False)
    wrong = mmnb.diagnose(world.model, mmnb.Data(**world.data, pair=torch.arange(100) // 2), progress=False)
    assert wrong["pairs"].status == "measured"  # two outputs: no and yes


def test_options_that_differ_refuse_the_grid_only(world):
    faulty = planted("options per example", 40)
    found = mmnb.diagnose(faulty.model, mmnb.Data(**faulty.data), progress=False)
    assert "options that mean different things" in found["shares"].answer


def test_a_model_in_train_mode_gets_no_numbers():
    found = mmnb.diagnose(
        torch.nn.Bilinear(3, 3, 2), mmnb.Data(a=torch.randn(20, 3), b=torch.randn(20, 3), y=[0, 1] * 10)
    )
    assert [one.id for one in found.warnings] == ["batch"] and found["answer"].status == "not measured"


@pytest.mark.parametrize("kind", ["lines", "scatter"])
def test_pictures_of_points(kind):
    drawn = svg.draw({"kind": kind, "series": {"a": [[0, 1], [1, 0.5]]}, "alt": "two points"})
    assert drawn.count("<circle") == 3 and drawn._repr_svg_() == drawn


def test_latex_is_balanced(report, tmp_path):
    text = report.save(tmp_path / "r.tex").read_text()
    assert text.count("{") == text.count("}") and text.count(r"\begin{") == text.count(r"\end{")
