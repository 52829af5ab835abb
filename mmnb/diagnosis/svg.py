"""Four kinds of picture as SVG, from the plain data of a section: no library, no script; colours follow a dark page."""

import html
import math
from typing import Any

WIDTH, LABEL, RIGHT = 420, 158, 14
COLOURS = (
    "var(--mm-one,#0072B2)",
    "var(--mm-two,#D55E00)",
    "var(--mm-three,#009E73)",
    "var(--mm-four,#CC79A7)",
    "var(--mm-five,#8a6d00)",
)
_INK, _FAINT = "var(--mm-ink,#1f2328)", "var(--mm-faint,#8c959f)"


class Picture(str):
    """SVG that shows itself in Jupyter and can be saved.

    Example:
        >>> draw({"kind": "dots", "alt": "one", "rows": [{"name": "x", "value": 1.0, "low": None, "high": None}]}).startswith("<svg")
        True
    """

    def _repr_svg_(self) -> str:
        return str(self)


def draw(figure: dict[str, Any]) -> Picture:
    """The picture of {"kind": "dots", "stack", "histogram", "lines" or "scatter", "alt": what it shows, ...}."""
    height, parts = {"dots": _dots, "stack": _stack, "histogram": _histogram, "lines": _lines, "scatter": _lines}[
        figure["kind"]
    ](figure)
    alt = html.escape(figure["alt"][:1].upper() + figure["alt"][1:], quote=True)
    open_ = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{alt}" font-family="system-ui,sans-serif" font-size="11" fill="{_INK}">'
    )
    return Picture(f"{open_}<title>{alt}</title>{''.join(parts)}</svg>")


def _text(x: float, y: float, words: Any, anchor: str = "start", **style: Any) -> str:
    extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{html.escape(str(words))}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = _FAINT, width: float = 1, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def _scale(values: list[float], left: float, right: float) -> tuple[Any, list[float]]:
    """A function from values to places, and round ticks."""
    low, high = min(values), max(values)
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (step * k) <= 5)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    ticks = [low + k * step for k in range(round((high - low) / step) + 1)]
    return (lambda v: left + (v - low) / (high - low) * (right - left)), ticks


def _axis(x: Any, ticks: list[float], top: float, bottom: float, label: str = "") -> list[str]:
    found = [
        _line(x(t), top, x(t), bottom, width=0.4) + _text(x(t), bottom + 13, f"{t:.3g}", "middle", fill=_INK)
        for t in ticks
    ]
    return [*found, _text((x(ticks[0]) + x(ticks[-1])) / 2, bottom + 27, label, "middle")] if label else found


def _dots(figure: dict[str, Any]) -> tuple[float, list[str]]:
    rows = [row for row in figure["rows"] if row["value"] is not None]
    lines = figure.get("lines", [])
    ends = [v for row in rows for v in (row["value"], row["low"], row["high"]) if v is not None] + [
        line["value"] for line in lines
    ]
    bottom = 8 + 22 * len(rows) + 14 * bool(lines)
    x, ticks = _scale(ends or [0, 1], LABEL, WIDTH - RIGHT)
    found = _axis(x, ticks, 6, bottom, figure.get("label", ""))
    for line in lines:
        found += [
            _line(x(line["value"]), 6, x(line["value"]), bottom, _INK, 1, "3 3"),
            _text(min(max(x(line["value"]), LABEL + 20), WIDTH - 34), bottom - 3, line["name"], "middle", font_size=9),
        ]
    for k, row in enumerate(rows):
        y, colour = 19 + 22 * k, COLOURS[row.get("colour", 0) % len(COLOURS)]
        found.append(_text(LABEL - 8, y + 4, row["name"][:27], "end"))
        if row["low"] is not None:
            found.append(_line(x(row["low"]), y, x(row["high"]), y, colour, 2))
        found.append(
            f'<circle cx="{x(row["value"]):.1f}" cy="{y}" r="4" '
            f'fill="{colour}"><title>{html.escape(row["name"])}: {row["value"]:.3g}</title></circle>'
        )
    return bottom + (32 if figure.get("label") else 18), found


def _stack(figure: dict[str, Any]) -> tuple[float, list[str]]:
    found, width, top = [], WIDTH - 2 * RIGHT, 4
    for bar in figure["bars"]:
        left, total = float(RIGHT), sum(part["value"] for part in bar["parts"]) or 1
        if bar.get("name"):
            found.append(_text(RIGHT, top + 10, bar["name"]))
            top += 15
        for k, part in enumerate(bar["parts"]):
            share, colour = part["value"] / total * width, COLOURS[part.get("colour", k) % len(COLOURS)]
            found.append(
                f'<rect x="{left:.1f}" y="{top}" width="{max(share, 0):.1f}" height="20" '
                f'fill="{colour}"><title>{html.escape(part["name"])}: {part["value"]:.1%}</title></rect>'
            )
            left += share
        top += 34
        for k, part in enumerate(bar["parts"]):
            colour = COLOURS[part.get("colour", k) % len(COLOURS)]
            found.append(
                f'<rect x="{RIGHT}" y="{top - 9}" width="10" height="10" fill="{colour}"/>'
                + _text(RIGHT + 15, top, f"{part['name']} {part['value']:.1%}")
            )
            top += 15
        top += 4
    return top, found


def _histogram(figure: dict[str, Any]) -> tuple[float, list[str]]:
    x, ticks = _scale([figure["edges"][0], figure["edges"][-1]], 30, WIDTH - RIGHT)
    edges, found, top = figure["edges"], [], 4
    for k, (name, counts) in enumerate(figure["series"].items()):
        colour, highest = COLOURS[k % len(COLOURS)], max([*counts, 1])
        found.append(_text(30, top + 9, f"{name}", fill=_INK))
        for j, count in enumerate(counts):
            tall = 46 * count / highest
            found.append(
                f'<rect x="{x(edges[j]):.1f}" y="{top + 60 - tall:.1f}" '
                f'width="{max(x(edges[j + 1]) - x(edges[j]) - 0.6, 0.5):.1f}" height="{tall:.1f}" fill="{colour}"/>'
            )
        found.append(_line(30, top + 60, WIDTH - RIGHT, top + 60))
        top += 70
    return top + 26, [*found, *_axis(x, ticks, top - 10, top - 6, figure.get("label", ""))]


def _lines(figure: dict[str, Any]) -> tuple[float, list[str]]:
    series, bottom = figure["series"], 170
    x, ticks_x = _scale([p[0] for points in series.values() for p in points], 40, WIDTH - RIGHT)
    y, ticks_y = _scale([p[1] for points in series.values() for p in points], bottom, 8)
    found = _axis(x, ticks_x, bottom, bottom + 3, figure.get("label", ""))
    found += [_line(40, y(t), WIDTH - RIGHT, y(t), width=0.4) + _text(36, y(t) + 4, f"{t:.3g}", "end") for t in ticks_y]
    top = bottom + 42
    for k, (name, points) in enumerate(series.items()):
        colour = COLOURS[k % len(COLOURS)]
        if figure["kind"] == "lines":
            path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
            found.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        size, opacity = (3, 1) if figure["kind"] == "lines" else (2.2, 0.6)
        found += [
            f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="{size}" fill="{colour}" fill-opacity="{opacity}"/>'
            for a, b in points
        ]
        found.append(f'<circle cx="46" cy="{top - 4}" r="4" fill="{colour}"/>' + _text(55, top, name))
        top += 15
    return top, found
