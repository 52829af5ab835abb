"""One style for every figure: sizes, fonts, one colour and marker per modality, chance lines, published values, error bars.

Object API only: `subplots` makes figures that pyplot does not know, so nothing is drawn twice and no window ever opens.
"""

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from mmnb import aliases
from mmnb.instruments.estimate import mean_interval
from mmnb.lab.rules import require

__getattr__ = aliases.renamed(__name__, {"look": "mmnb.lab.plot.style_of"})

COLOURS = {"image": "#0072B2", "text": "#D55E00", "audio": "#009E73", "fused": "#CC79A7", "control": "#7F7F7F"}
COLOURS |= {"other": "#E69F00", "third": "#56B4E9"}  # for what is no modality: a second model, another method
MARKERS = {"image": "o", "text": "s", "audio": "^", "fused": "D", "control": "x", "other": "p", "third": "v"}
LINES = {"image": "-", "text": "-", "audio": "-", "fused": "-", "control": "--", "other": "-", "third": "-"}
WIDTHS = {"column": 3.4, "page": 7.0}  # inches
DPI, SHARP = 110, 2
UNSEEN = 12  # of 255: a difference in one colour channel that nobody sees at an edge of a line or letter

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs on every computer
    "axes.titlesize": 9.5,
    **dict.fromkeys(("font.size", "axes.labelsize"), 9),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8),
    "legend.frameon": False,
    **dict.fromkeys(("figure.dpi", "savefig.dpi"), DPI),
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), "white"),
    "savefig.bbox": None,  # "tight" would give every figure a width of its own
    "svg.hashsalt": "mmnb",
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.titlelocation": "left",
    "axes.prop_cycle": mpl.cycler(color=[COLOURS[k] for k in ("image", "text", "audio", "fused", "third", "other")]),
    "axes.axisbelow": True,
    "image.cmap": "cividis",
    "image.interpolation": "nearest",
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
    "errorbar.capsize": 2.5,
}


def style() -> contextlib.AbstractContextManager[None]:
    """The style for the length of a `with` block."""
    return mpl.rc_context(STYLE)


def apply() -> None:
    """The style from here on; `mmnb.start` calls it."""
    mpl.rcParams.update(STYLE)


def style_of(modality: str) -> dict[str, str]:
    """Colour, marker and line of a modality, ready for `ax.plot(x, y, **style_of("image"))`; ValueError without such a one."""
    require(modality in COLOURS, "style_of", f"modality {modality!r}", f"one of {', '.join(COLOURS)}")
    return {"color": COLOURS[modality], "marker": MARKERS[modality], "linestyle": LINES[modality]}


def subplots(
    kind: str = "page", rows: int = 1, cols: int = 1, height: float | None = None, **options: Any
) -> tuple[Figure, Any]:
    """A figure of column (3.4 in) or page width (7 in), and its axes: one, or an array of them.

    Args:
        kind: "column" or "page".
        height: In inches, by default three quarters of a panel's width per row.
        options: Passed on to matplotlib's `Figure.subplots` (sharex, sharey, squeeze, width_ratios, …).

    Raises:
        ValueError: Another kind, or a height that is not above 0.
    """
    require(kind in WIDTHS, "subplots", f"kind {kind!r}", f"one of {', '.join(WIDTHS)}")
    if height is None:
        height = rows * min(0.75 * WIDTHS[kind] / cols, 3.2)
    require(height > 0, "subplots", f"height {height}", "inches above 0")
    with style():
        figure = Figure(figsize=(WIDTHS[kind], height), layout="constrained")
        return figure, figure.subplots(rows, cols, **options)


def chance_line(ax: Axes, y: float, label: str = "chance", side: str = "right") -> None:
    """A dashed grey line at chance level, named at its right or left end."""
    require(side in ("left", "right"), "chance_line", f"side {side!r}", "left or right")
    ax.axhline(y, color=COLOURS["control"], linestyle=LINES["control"], linewidth=1, zorder=1)
    x, offset = (1, -2) if side == "right" else (0, 2)
    place = {"xy": (x, y), "xycoords": ("axes fraction", "data"), "xytext": (offset, 2), "textcoords": "offset points"}
    ax.annotate(label, **place, ha=side, va="bottom", fontsize=8, color="#555555")


def published_point(ax: Axes, x: float, y: float, label: str, marker: str = "o") -> None:
    """A hollow marker where the paper's value lies; the label names table, figure or section and enters the legend."""
    where = "where the value is printed, such as 'paper, table 2'"
    require(bool(label.strip()), "published_point", "an empty label", where)
    hollow = {"markersize": 8, "markerfacecolor": "none", "markeredgecolor": "black"}
    ax.plot([x], [y], linestyle="none", marker=marker, label=label, zorder=4, **hollow)


def error_bars(
    ax: Axes,
    x: Sequence[float],
    y: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    kind: str,
    n: int,
    modality: str,
    label: str = "",
    points: Sequence[Sequence[float]] | None = None,
    line: bool = False,
) -> None:
    """Values with their intervals; the legend gives the kind of interval and the number of values.

    Args:
        x: Places.
        y: Values, one per place.
        low: Lower ends of their intervals.
        high: Upper ends.
        kind: Such as "95 % bootstrap interval".
        n: Values behind each interval, counted by the caller.
        modality: For colour and marker.
        label: In front of the kind.
        points: The single values per x: required when n is 10 or less, drawn beside the bar.
        line: To join the values.

    Raises:
        ValueError: Lengths that differ, an interval without its value, an empty kind, or missing points.
    """
    x, y, low, high = (np.asarray(numbers, dtype=float) for numbers in (x, y, low, high))
    shapes = f"shapes {x.shape}, {y.shape}, {low.shape}, {high.shape}"
    right = x.shape == y.shape == low.shape == high.shape and x.ndim == 1 and len(x) > 0
    require(right, "error_bars", shapes, "one length for x, y, low, high")
    slack = 1e-9 * np.maximum(np.abs(low), np.abs(high))
    right = bool(((low <= y + slack) & (y <= high + slack)).all())  # also refuses NaN
    require(right, "error_bars", f"y {y}, low {low}, high {high}", "low <= y <= high everywhere")
    right = bool(kind.strip()) and n >= 1
    require(right, "error_bars", f"kind {kind!r}, n {n}", "a name of the interval and a count above 0")
    few = points is None and n <= 10
    require(not few, "error_bars", f"n = {n} without points", "the single values, as there are no more than 10")
    points = [()] * len(x) if points is None else points
    require(len(points) == len(x), "error_bars", f"points for {len(points)} places", f"{len(x)}")
    drawn = style_of(modality) | ({} if line else {"linestyle": "none"})
    named = f"{label} ({kind}, n = {n})" if label else f"{kind}, n = {n}"
    ax.errorbar(x, y, yerr=[np.clip(y - low, 0, None), np.clip(high - y, 0, None)], label=named, zorder=3, **drawn)
    shift = 0.02 * (np.ptp(x) or 1.0)
    dots = {"markersize": 3, "alpha": 0.7, "color": drawn["color"], "zorder": 2}
    for place, values in zip(x, points, strict=True):
        if len(values):
            ax.plot(place + shift + np.zeros(len(values)), values, ".", **dots)


def grouped(ax: Axes, ticks: Sequence[str], series: Mapping[str, tuple[str, Sequence[Sequence[float]]]]) -> None:
    """Runs side by side: at each tick one mean per series, with its 95 % Student-t interval over runs and the single runs beside it.

    Args:
        ticks: Their names.
        series: Label -> (modality, for colour and marker; one sequence of runs per tick, two or more each).

    Raises:
        ValueError: a series has not one sequence per tick, or as `mean_interval` and `error_bars` do.
    """
    places, step = np.arange(len(ticks)), 0.6 / max(len(series), 1)
    for k, (label, (modality, runs)) in enumerate(series.items()):
        if len(runs) != len(ticks):
            raise ValueError(f"grouped: {label!r} has runs for {len(runs)} places; expected {len(ticks)}, one per tick")
        found = [mean_interval(values) for values in runs]
        bars = zip(*((estimate.value, estimate.low, estimate.high) for estimate in found), strict=True)
        said = {"kind": "95 % t interval", "n": min(map(len, runs)), "modality": modality, "label": label}
        error_bars(ax, places + step * (k - (len(series) - 1) / 2), *bars, points=runs, **said)
    ax.set_xticks(places, ticks)


def png(figure: Figure) -> tuple[bytes, int]:
    """The figure as a PNG, equal byte for byte whenever equal things were drawn, and the width to show it at, in pixels of a page.

    It holds `SHARP` pixels for each of those, as many as a sharp screen or a projector shows.

    It is kept in 256 colours (a third of the bytes) where that shows nowhere: no pixel's channel changes by more than `UNSEEN`.
    """
    drawn, kept = io.BytesIO(), io.BytesIO()
    with style():
        figure.savefig(drawn, format="png", dpi=SHARP * DPI, metadata={"Software": None})
    picture = Image.open(drawn).convert("RGB")
    reduced = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    change = np.abs(np.asarray(picture, dtype=int) - np.asarray(reduced.convert("RGB"), dtype=int)).max()
    (reduced if change <= UNSEEN else picture).save(kept, format="png", optimize=True)
    return kept.getvalue(), picture.width // SHARP


def close(figure: Figure) -> None:
    """Let pyplot forget the figure, if pyplot made it, so that the cell does not show it a second time."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
