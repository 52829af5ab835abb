"""Draw every named character of some font files into small square pictures."""

import importlib.util
import unicodedata
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from mmnb.errors import DataUnavailable

EM = 22 / 32  # font size as a share of the picture's height
BASELINE = 25 / 32  # the baseline's distance from the top, as a share of the height


def font_files(names: list[str]) -> list[Path]:
    """Paths of matplotlib's own font files, found without importing it.

    Args:
        names: File names without ".ttf".

    Returns:
        Their paths in that order.

    Raises:
        DataUnavailable: One of them is missing (some Linux distributions strip them from the package).
    """
    found = importlib.util.find_spec("matplotlib")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else Path("matplotlib")
    files = [folder / f"{name}.ttf" for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DataUnavailable(
            f"the DejaVu fonts of matplotlib are incomplete: {', '.join(missing)} not in {folder} (5 MB, free Bitstream Vera licence). "
            "Reinstall with `pip install --force-reinstall matplotlib`, which carries them."
        )
    return files


def draw(files: list[Path], size: int) -> dict[str, np.ndarray]:
    """Draw all named, visible characters of all files.

    Args:
        files: Font files.
        size: Height and width of a picture in pixels.

    Returns:
        Images (n, size, size) uint8, codepoint (n,) int32, face (n,) int16 = row in `files`; file after file, each in
        ascending order of the code points.
    """
    parts = [_draw_face(file, size) for file in files]
    face = np.concatenate([np.full(len(points), i, dtype=np.int16) for i, (_, points) in enumerate(parts)])
    return {
        "images": np.concatenate([images for images, _ in parts]),
        "codepoint": np.concatenate([points for _, points in parts]),
        "face": face,
    }


def _draw_face(file: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    with TTFont(file, lazy=True) as font:
        table = font.getBestCmap()
    points = [
        point for point, glyph in sorted(table.items()) if glyph != ".notdef" and unicodedata.name(chr(point), "")
    ]
    fonts: dict[int, ImageFont.FreeTypeFont] = {}
    full, baseline = round(size * EM), round(size * BASELINE)
    sheet = Image.new("L", (size, size * len(points)))
    pen = ImageDraw.Draw(sheet)
    for row, point in enumerate(points):
        text = chr(point)
        for pixels in range(full, 0, -1):  # nearly always the first; the widest and tallest are drawn smaller
            font = fonts.get(pixels) or fonts.setdefault(
                pixels, ImageFont.truetype(file, pixels, layout_engine=ImageFont.Layout.BASIC)
            )
            left, top, right, bottom = font.getbbox(text, anchor="ls")
            if right - left <= size and top >= -baseline and bottom <= size - baseline:
                break
        pen.text(((size - (right - left)) // 2 - left, row * size + baseline), text, fill=255, font=font, anchor="ls")
    images = np.asarray(sheet).reshape(len(points), size, size)
    visible = images.any(axis=(1, 2))
    return images[visible], np.array(points, dtype=np.int32)[visible]
