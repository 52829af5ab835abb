"""What every instrument returns: a headline estimate, all estimates as a table, one picture."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from mmnb.instruments.estimate import Estimate

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


class Result:
    """Base of the results of all instruments. A subclass is a frozen dataclass that says which estimates it holds.

    Example:
        >>> class Coin(Result):
        ...     def estimates(self):
        ...         return {"heads": Estimate(0.5, 0.4, 0.6, n=100)}
        >>> Coin().value, Coin().interval
        (0.5, (0.4, 0.6))
    """

    def estimates(self) -> dict[str, Estimate]:
        """Every estimate under its name; the first is the headline."""
        raise TypeError(f"{type(self).__name__} has no estimates; expected a subclass that defines `estimates`")

    @property
    def headline(self) -> Estimate:
        """The one estimate that answers the instrument's question."""
        return next(iter(self.estimates().values()))

    @property
    def value(self) -> float:
        """The headline's number."""
        return self.headline.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The headline's interval, None where there is none."""
        return self.headline.interval

    def to_frame(self) -> pandas.DataFrame:
        """One row per estimate: name, value, low, high, n, over."""
        import pandas as pd  # needs the extra `notebooks`

        found, columns = self.estimates(), ("value", "low", "high", "n", "over")
        return pd.DataFrame([{"name": name} | {key: getattr(e, key) for key in columns} for name, e in found.items()])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Every estimate as a point with its interval. Pass `ax` to draw into a figure of your own."""
        from matplotlib.figure import Figure  # needs the extra `notebooks`

        found = self.estimates()
        if ax is None:
            ax = Figure(figsize=(5, 0.6 + 0.35 * len(found)), layout="constrained").subplots()
        for row, estimate in enumerate(found.values()):
            ends = estimate.interval or (estimate.value, estimate.value)
            ax.plot(ends, [row, row], "-", color="tab:blue")
            ax.plot([estimate.value], [row], "o", color="tab:blue")
        ax.set_yticks(range(len(found)), list(found))
        ax.invert_yaxis()
        ax.set_xlabel("estimate and interval")
        return ax

    def _repr_html_(self) -> str:
        """The headline in words, then the table."""
        name, estimate = next(iter(self.estimates().items()))
        covers = f"{estimate.level:.0%} interval over {estimate.over}" if estimate.interval else "no interval"
        count = f", n = {estimate.n:,}" if estimate.n else ""
        text = html.escape(f"{name}: {estimate:.4g} ({covers}{count})")
        return f"<p><b>{type(self).__name__}</b> {text}</p>{self.to_frame().to_html(index=False, float_format='%.4g')}"
