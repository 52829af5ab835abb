"""Tables for cells, README and terminal. Plain tags only, because web viewers of notebooks remove styles and scripts."""

import html
import math
import numbers
import re
from collections.abc import Sequence
from typing import Any

from mmnb.instruments.estimate import Estimate

_PLAIN = 120  # characters of a line of plain text


def number(value: float, digits: int = 3) -> str:
    """A number for a table: fixed decimals, thousands separated, powers of ten for what would read as zero.

    Example:
        >>> number(0.51234), number(48248), number(3.2e-11), number(-0.0), number(float("nan"))
        ('0.512', '48,248', '3.2e-11', '0.000', 'NaN')
    """
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    value = float(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if value and (abs(value) < 0.5 * 10**-digits or abs(value) >= 1e9):
        return f"{value:.1e}"
    return f"{value + 0.0:,.{digits}f}"  # + 0.0 turns -0.0 into 0.0


def cell(value: Any, digits: int = 3) -> str:
    """The text of one table cell: numbers through `number`, None as a dash, yes and no, sequences joined by commas."""
    if value is None:
        return "–"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's bool_ is not a bool, but is called bool
        return "yes" if value else "no"
    if isinstance(value, Estimate):
        return f"{value:.{digits}f}"
    if isinstance(value, numbers.Real):
        return number(value, digits)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a tensor with one number
        return cell(value.item(), digits)
    if isinstance(value, list | tuple):
        return ", ".join(cell(part, digits) for part in value)
    return str(value)


def to_html(text: str) -> str:
    """Escaped text in which `code`, **strong** and line breaks survive."""
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    escaped = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escaped)
    return escaped.replace("\n", "<br>")


class Table:
    """Rows under a header, as HTML, Markdown and plain text.

    Args:
        header: The column names.
        rows: One sequence of values each.
        caption: Optional text above the table.
        digits: Decimals of the floats.
        strong: The columns to set in bold.
        notes: Lines of small print below.

    Raises:
        ValueError: a row is not as long as the header.

    Example:
        >>> print(Table(["model", "accuracy"], [["linear", 0.5], ["MLP", 0.98765]]).markdown())
        | model | accuracy |
        |:---|---:|
        | linear | 0.500 |
        | MLP | 0.988 |
    """

    def __init__(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[Any]],
        caption: str | None = None,
        digits: int = 3,
        strong: Sequence[int] = (),
        notes: Sequence[str] = (),
    ):
        wrong = [len(row) for row in rows if len(row) != len(header)]
        if wrong:
            raise ValueError(
                f"table: got a row of {wrong[0]} values; expected {len(header)}, as in the header {list(header)}"
            )
        self.header = [str(name) for name in header]
        self.rows = [[cell(value, digits) for value in row] for row in rows]
        self.caption, self.strong, self.notes = caption, frozenset(strong), list(notes)
        self._right = [
            bool(rows) and all(_is_number(row[column]) or row[column] is None for row in rows)
            for column in range(len(header))
        ]

    def _mark(self, column: int, text: str) -> str:
        return f"**{text}**" if column in self.strong and text else text

    def markdown(self) -> str:
        """The table for a README or any Markdown viewer."""

        def line(cells: Sequence[str]) -> str:
            clean = [
                self._mark(column, text).replace("|", r"\|").replace("\n", "<br>") for column, text in enumerate(cells)
            ]
            return f"| {' | '.join(clean)} |"

        rule = "|" + "|".join("---:" if right else ":---" for right in self._right) + "|"
        lines = [line(self.header), rule, *map(line, self.rows)]
        above = [f"**{self.caption}**", ""] if self.caption else []
        below = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([*above, *lines, *below])

    def html(self) -> str:
        """The table for a notebook; alignment is given twice, as attribute (some viewers drop styles) and as style."""

        def line(tag: str, cells: Sequence[str]) -> str:
            parts = []
            for column, text in enumerate(cells):
                side = "right" if self._right[column] else "left"
                content = to_html(self._mark(column, text))
                parts.append(f'<{tag} align="{side}" style="text-align:{side}">{content}</{tag}>')
            return f"<tr>{''.join(parts)}</tr>"

        caption = f"<p><b>{to_html(self.caption)}</b></p>\n" if self.caption else ""
        body = "\n".join(line("td", row) for row in self.rows)
        notes = "".join(f"<li>{to_html(note)}</li>\n" for note in self.notes)
        below = f"\n<ul>\n{notes}</ul>" if notes else ""
        return f"{caption}<table>\n<thead>{line('th', self.header)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>{below}"

    def __repr__(self) -> str:
        table = [[text.replace("\n", " · ") for text in row] for row in [self.header, *self.rows]]
        widths = [max(len(row[column]) for row in table) for column in range(len(self.header))]

        def line(row: Sequence[str]) -> str:
            sides = [
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, self._right, strict=True)
            ]
            return "  ".join(sides).rstrip()

        above = [self.caption] if self.caption else []
        lines = [line(table[0]), "  ".join("-" * width for width in widths), *map(line, table[1:])]
        if sum(widths) + 2 * len(widths) > _PLAIN:  # too wide for a terminal: one block of lines for each row
            lines = [
                "\n".join(f"{name}: {text}" for name, text in zip(table[0], row, strict=True)) + "\n"
                for row in table[1:]
            ]
        return "\n".join([*above, *lines, *self.notes])

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_markdown_(self) -> str:
        return self.markdown()


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return False
    return isinstance(value, numbers.Real) or (hasattr(value, "item") and getattr(value, "ndim", None) == 0)


def from_rows(rows: Any, caption: str | None = None, digits: int = 3) -> Table:
    """A table from a data frame or a list of dicts.

    Args:
        rows: Dicts must have the same keys, which become the header; an index with a name or with labels becomes the
            first column.

    Raises:
        ValueError: There are no rows, or their keys differ.
    """
    if hasattr(rows, "itertuples"):  # a data frame
        if rows.index.nlevels > 1 or rows.index.name:
            rows = rows.reset_index()
        elif list(rows.index) != list(range(len(rows))):
            rows = rows.reset_index(names="")
        header = [" ".join(map(str, name)).strip() if isinstance(name, tuple) else str(name) for name in rows.columns]
        cells = [list(row) for row in rows.itertuples(index=False, name=None)]
    else:
        rows = [dict(row) for row in rows]
        header = list(rows[0]) if rows else []
        if any(set(row) != set(header) for row in rows):
            raise ValueError(f"table: got rows with different keys; expected {', '.join(map(str, header))} in each")
        cells = [[row[key] for key in header] for row in rows]
    if not cells:
        raise ValueError("table: got no rows; expected at least one")
    return Table(header, cells, caption=caption, digits=digits)
