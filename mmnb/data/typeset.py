"""Draw every named character of some font files into small square pictures."""

import functools
import unicodedata
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from mmnb.data import folders
from mmnb.errors import DataUnavailable

EM = 22 / 32  # font size as a share of the picture's height
BASELINE = 25 / 32  # the baseline's distance from the top, as a share of the height


def font_files(names: list[str]) -> list[Path]:
    """Paths of matplotlib's own font files, `names` without ".ttf"; matplotlib is not imported.

    Raises DataUnavailable when one is missing: some Linux distributions strip them from the package.
    """
    folder = (folders.of_package("matplotlib") or Path("matplotlib")) / "mpl-data" / "fonts" / "ttf"
    files = [folder / f"{name}.ttf" for name in names]
    if missing := [file.name for file in files if not file.is_file()]:
        raise DataUnavailable(
            f"the DejaVu fonts of matplotlib are incomplete: {', '.join(missing)} not in {folder} (5 MB, free Bitstream Vera licence). "
            "Reinstall with `pip install --force-reinstall matplotlib`, which carries them."
        )
    return files


def draw(files: list[Path], size: int) -> dict[str, np.ndarray]:
    """Draw all named, visible characters of all files, `size` pixels high and wide.

    Returns images (n, size, size) uint8, codepoint (n,) int32, face (n,) int16 = row in `files`; file after file, each
    in ascending order of the code points.
    """
    images, points = zip(*(_draw_face(file, size) for file in files), strict=True)
    face = np.repeat(np.arange(len(files), dtype=np.int16), [len(own) for own in points])
    return {"images": np.concatenate(images), "codepoint": np.concatenate(points), "face": face}


def _draw_face(file: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    with TTFont(file, lazy=True) as font:
        table = font.getBestCmap()
    points = [point for point, name in sorted(table.items()) if name != ".notdef" and unicodedata.name(chr(point), "")]
    font_of = functools.cache(lambda pixels: ImageFont.truetype(file, pixels, layout_engine=ImageFont.Layout.BASIC))
    full, baseline = round(size * EM), round(size * BASELINE)
    sheet = Image.new("L", (size, size * len(points)))
    pen = ImageDraw.Draw(sheet)
    for row, point in enumerate(points):
        text = chr(point)
        for pixels in range(full, 0, -1):  # nearly always the first; the widest and tallest are drawn smaller
            font = font_of(pixels)
            left, top, right, bottom = font.getbbox(text, anchor="ls")
            if right - left <= size and top >= -baseline and bottom <= size - baseline:
                break
        pen.text(((size - (right - left)) // 2 - left, row * size + baseline), text, fill=255, font=font, anchor="ls")
    images = np.asarray(sheet).reshape(len(points), size, size)
    visible = images.any(axis=(1, 2))
    return images[visible], np.array(points, dtype=np.int32)[visible]
