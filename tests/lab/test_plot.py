"""The figure style: byte-stable pictures, one look per modality, helpers that refuse bars without kind, n or points."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from mmnb.lab import plot


def draw(seed=0):
    figure, axes = plot.subplots("page", cols=2)
    rng = np.random.default_rng(seed)
    for modality in ("image", "text", "audio", "fused", "control"):
        axes[0].plot(rng.random(6), **plot.style_of(modality), label=modality)
    axes[0].legend()
    points = rng.random((3, 5))
    plot.error_bars(
        axes[1],
        [0, 1, 2],
        points.mean(1),
        points.min(1),
        points.max(1),
        kind="range",
        n=5,
        modality="fused",
        points=points,
    )
    plot.chance_line(axes[1], 0.5)
    plot.published_point(axes[1], 1, 0.6, "paper, table 2")
    axes[1].set(xlabel="model", ylabel="accuracy (higher is better)")
    axes[1].legend()
    return figure


def test_equal_figures_are_equal_bytes_and_small():
    (first, width), (second, _) = plot.png(draw()), plot.png(draw())
    assert first == second
    assert plot.png(draw(1))[0] != first
    assert width == int(7 * plot.DPI)
    assert len(first) <= 60_000
    assert b"matplotlib" not in first.lower()


def test_the_style_of_the_caller_does_not_leak_into_the_picture():
    first, _ = plot.png(draw())
    figure = draw()
    with mpl.rc_context(
        {"savefig.dpi": 30, "savefig.facecolor": "black", "savefig.bbox": "tight", "font.family": "serif"}
    ):
        assert plot.png(figure)[0] == first
    before = dict(mpl.rcParams)
    with plot.style():
        assert mpl.rcParams["font.size"] == 9
    assert dict(mpl.rcParams) == before


def test_fewer_colours_are_used_only_where_nobody_sees_it():
    figure, ax = plot.subplots("column", height=3.4)
    noise = np.random.default_rng(0).random((120, 120, 3))
    ax.imshow(noise)
    picture = Image.open(io.BytesIO(plot.png(figure)[0]))
    assert picture.mode == "RGB"
    chart = Image.open(io.BytesIO(plot.png(draw())[0]))
    assert chart.mode == "P"


def test_colours_and_markers_are_those_of_the_style_guide():
    assert plot.COLOURS == {
        "image": "#0072B2",
        "text": "#D55E00",
        "audio": "#009E73",
        "fused": "#CC79A7",
        "control": "#7F7F7F",
        "other": "#E69F00",
        "third": "#56B4E9",
    }
    assert plot.MARKERS.keys() == plot.LINES.keys() == plot.COLOURS.keys()
    assert [plot.MARKERS[name] for name in ("image", "text", "audio", "fused")] == ["o", "s", "^", "D"]
    assert plot.style_of("control")["linestyle"] == "--"
    with pytest.raises(ValueError, match="expected one of image, text"):
        plot.style_of("video")


def test_sizes_and_texts_are_legible():
    figure, ax = plot.subplots("column")
    assert figure.get_figwidth() == 3.4
    assert plot.subplots("page", rows=2, cols=2)[1].shape == (2, 2)
    sizes = [
        value
        for key, value in plot.STYLE.items()
        if key.endswith(("labelsize", "fontsize", "titlesize")) or key == "font.size"
    ]
    assert min(sizes) >= 8
    assert ax.title.get_fontsize() >= 8
    for options in ({"kind": "poster"}, {"kind": "page", "height": 0}, {"kind": "page", "height": float("nan")}):
        with pytest.raises(ValueError, match="subplots"):
            plot.subplots(**options)


def test_bars_say_their_kind_and_n_and_lie_where_asked():
    _, ax = plot.subplots()
    plot.error_bars(ax, [0, 1], [1, 2], [0.5, 1], [1.5, 4], kind="95 % interval", n=30, modality="text", label="EMAP")
    assert ax.get_legend_handles_labels()[1] == ["EMAP (95 % interval, n = 30)"]
    ends = ax.collections[0].get_segments()
    assert [list(segment[:, 1]) for segment in ends] == [[0.5, 1.5], [1.0, 4.0]]


BARS = {"x": [0], "y": [1], "low": [0.5], "high": [1.5], "kind": "sd", "n": 30, "modality": "text"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": [2]}, "low <= y <= high"),
        ({"y": [float("nan")]}, "low <= y <= high"),
        ({"y": [1, 2]}, "one length"),
        ({"x": [], "y": [], "low": [], "high": []}, "one length"),
        ({"kind": " "}, "name of the interval"),
        ({"n": 0}, "count above 0"),
        ({"n": 10}, "without points"),
        ({"n": 5, "points": [[1], [2]]}, "points for 2 places"),
        ({"modality": "video"}, "expected one of"),
    ],
)
def test_incomplete_bars_are_refused(change, words):
    _, ax = plot.subplots()
    with pytest.raises(ValueError, match=words):
        plot.error_bars(ax, **(BARS | change))


def test_published_values_are_hollow_and_named():
    _, ax = plot.subplots()
    plot.published_point(ax, 1, 2, "paper, table 2")
    (line,) = ax.lines
    assert line.get_markerfacecolor() == "none"
    assert line.get_label() == "paper, table 2"
    with pytest.raises(ValueError, match="empty label"):
        plot.published_point(ax, 1, 2, " ")
    with pytest.raises(ValueError, match="left or right"):
        plot.chance_line(ax, 0.5, side="top")


def test_grouped_draws_one_mean_per_series_and_tick_with_its_t_interval():
    figure, ax = plot.subplots("column")
    plot.grouped(
        ax,
        ["x", "y"],
        {"model": ("fused", [[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]]), "control": ("control", [[0.0, 1.0], [2.0, 2.0]])},
    )
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y"]
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["model (95 % t interval, n = 3)", "control (95 % t interval, n = 2)"]
    first = ax.containers[0]
    assert first.lines[0].get_ydata().tolist() == [2.0, 4.0]
    low, high = first.lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((2 - 2.484, 2 + 2.484), rel=0, abs=1e-3)  # t(2) = 4.303 over root 3
    plot.close(figure)
    with pytest.raises(ValueError, match="runs for 1 places; expected 2"):
        plot.grouped(ax, ["x", "y"], {"model": ("fused", [[1.0, 2.0]])})
