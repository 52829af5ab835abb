"""Scenes as pictures: anti-aliased RGB, and with boxes and links for people to look at."""

import numpy as np
import torch
from torch import Tensor

from mmnb.data.scenes.vocabulary import COLOURS, RGB
from mmnb.data.scenes.world import RADIUS, Scenes

GROUND = 232.0


def _distance(shape: int, x: Tensor, y: Tensor) -> Tensor:
    """Signed distance (inside below 0; exact for the circle, elsewhere exact near straight edges) of points to a shape that fills -1 to 1, y downwards."""
    if shape == 0:  # circle
        return (x * x + y * y).sqrt() - 1
    if shape == 1:  # square
        return torch.maximum(x.abs(), y.abs()) - 1
    if shape == 2:  # triangle with corners (0, -1), (-1, 1), (1, 1)
        return torch.maximum((2 * x.abs() - y - 1) / 5**0.5, torch.maximum(x.abs(), y.abs()) - 1)
    upright, across = torch.maximum(x.abs() - 0.35, y.abs() - 1), torch.maximum(x.abs() - 1, y.abs() - 0.35)
    return torch.minimum(upright, across)


def render(scenes: Scenes, rows: Tensor | None = None, *, side: int = 64) -> Tensor:
    """Pictures of some scenes (all, without `rows`): (n, 3, side, side) uint8, side at least 8.

    Each edge pixel mixes ground and colour by the distance to the edge. No randomness: the same scenes give the same bytes.
    """
    if side < 8:
        raise ValueError(f"render: got side={side}; expected at least 8 pixels")
    rows = torch.arange(len(scenes)) if rows is None else torch.as_tensor(rows)
    pictures = torch.full((len(rows), 3, side, side), GROUND)
    colours = torch.tensor([RGB[name] for name in COLOURS], dtype=torch.float32)
    item, thing = (scenes.shape[rows] >= 0).nonzero(as_tuple=True)
    window = int(np.ceil(2 * max(RADIUS) * side)) + 3
    offsets = torch.arange(window)
    for shape in range(int(scenes.shape.max()) + 1):
        own = scenes.shape[rows[item], thing] == shape
        for i, k in zip(item[own].split(4096), thing[own].split(4096), strict=True):
            centre, reach = scenes.centre[rows[i], k].float() * side, torch.tensor(RADIUS)[scenes.size[rows[i], k]] * side  # fmt: skip
            # only a window around each object is drawn
            corner = (centre - window / 2).round().long().clamp(0, side - window)
            at = corner[:, :, None] + offsets  # (m, 2, window): columns, rows
            place = (at + 0.5 - centre[:, :, None]) / reach[:, None, None]
            x, y = place[:, 0, None, :], place[:, 1, :, None]
            cover = (0.5 - _distance(shape, x, y) * reach[:, None, None]).clamp(0, 1)
            colour = colours[scenes.colour[rows[i], k]]
            for other in range(int(thing.max()) + 1):  # objects of one scene one after the other: windows may overlap
                now = k == other
                if now.any():
                    spot = (i[now][:, None, None], slice(None), at[now][:, 1, :, None], at[now][:, 0, None, :])
                    seen = pictures[spot]
                    pictures[spot] = seen + cover[now][..., None] * (colour[now][:, None, None] - seen)
    return pictures.round().byte()


def draw(ax, scenes: Scenes, number: int, *, boxes: Tensor | None = None, side: int = 256, links: bool = True) -> None:
    """Show one scene on a matplotlib axis with its boxes, or other ones (m, 4); `links` numbers those that a phrase names."""
    picture = render(scenes, torch.tensor([number]), side=side)[0].permute(1, 2, 0)
    ax.imshow(picture.numpy(), extent=(0, 1, 1, 0))
    present = (scenes.shape[number] >= 0).nonzero().squeeze(1)
    shown = scenes.box[number][present] if boxes is None else boxes
    for left, top, right, bottom in shown.tolist():
        ax.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="black", linewidth=0.8)
    if links:
        named = [thing for start, _, thing in sorted(scenes.phrase[number].tolist()) if start >= 0]
        for order, (left, top) in enumerate(scenes.box[number, named, :2].tolist(), start=1):
            ax.text(left, top - 0.015, str(order), fontsize=8, va="bottom")
    ax.set(xticks=[], yticks=[])
