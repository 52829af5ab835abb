"""A figure under sliders, for a live notebook. Every slider has an executed static figure beside it; nothing is lost without one."""

from collections.abc import Callable
from typing import Any

from IPython.display import Image, display

from mmnb.lab import plot


def slider(draw: Callable[..., None], height: float = 2.8, **controls: Any) -> Any:
    """An ipywidgets box that redraws one column-wide figure whenever a control moves; the last line of a cell shows it.

    Args:
        draw: `draw(ax, **values)` fills the axes it is given.
        height: In inches.
        controls: As `ipywidgets.interactive` takes them: (low, high, step), a list of choices, a start value.
    """
    import ipywidgets  # of the extra `notebooks`

    def show(**values: Any) -> None:
        figure, ax = plot.subplots("column", height=height)
        draw(ax, **values)
        display(Image(plot.png(figure)[0]))  # pyplot does not know the figure, so a cell cannot show it by itself

    return ipywidgets.interactive(show, **controls)
