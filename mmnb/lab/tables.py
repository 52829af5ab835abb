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


def _python(value: Any) -> Any:
    """A NumPy or torch number as Python's own; anything else unchanged."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def cell(value: Any, digits: int = 3) -> str:
    """The text of one table cell: numbers through `number`, None as a dash, yes and no, sequences joined by commas."""
    value = _python(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Estimate):
        return f"{value:.{digits}f}"
    if isinstance(value, numbers.Real):
        return number(value, digits)
    return ", ".join(cell(part, digits) for part in value) if isinstance(value, list | tuple) else str(value)


def _to_the_right(column: Sequence[Any]) -> bool:
    """Whether a column holds nothing but numbers and dashes."""
    values = [_python(value) for value in column if value is not None]
    return all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values)


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
        notes: Lines of small print below, folded in a notebook.
        folded: Whether a notebook shows only the caption until the reader opens it.

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
        folded: bool = False,
    ):
        wrong = [len(row) for row in rows if len(row) != len(header)]
        if wrong:
            expected = f"{len(header)}, as in the header {list(header)}"
            raise ValueError(f"table: got a row of {wrong[0]} values; expected {expected}")
        self.header = [str(name) for name in header]
        self.rows = [[cell(value, digits) for value in row] for row in rows]
        self.caption, self.strong, self.notes, self.folded = caption, frozenset(strong), list(notes), folded
        self._right = [_to_the_right(column) for column in zip(*rows, strict=True)] or [False] * len(header)

    def _marked(self, cells: Sequence[str]) -> list[str]:
        return [f"**{text}**" if column in self.strong and text else text for column, text in enumerate(cells)]

    def markdown(self) -> str:
        """The table for a README or any Markdown viewer."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(self._marked(cells)).replace("\n", "<br>") + " |"

        rows = [[text.replace("|", r"\|") for text in row] for row in (self.header, *self.rows)]
        rule = "|" + "|".join("---:" if right else ":---" for right in self._right) + "|"
        above = [f"**{self.caption}**", ""] if self.caption else []
        below = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([*above, line(rows[0]), rule, *map(line, rows[1:]), *below])

    def html(self) -> str:
        """The table for a notebook; alignment is given twice, as attribute (some viewers drop styles) and as style."""

        def line(tag: str, cells: Sequence[str]) -> str:
            sides = ("right" if right else "left" for right in self._right)
            pairs = zip(sides, map(to_html, self._marked(cells)), strict=True)
            parts = (f'<{tag} align="{side}" style="text-align:{side}">{text}</{tag}>' for side, text in pairs)
            return f"<tr>{''.join(parts)}</tr>"

        caption = f"<b>{to_html(self.caption)}</b>" if self.caption else ""
        body = "\n".join(line("td", row) for row in self.rows)
        notes = "".join(f"<li>{to_html(note)}</li>\n" for note in self.notes)
        below = f"\n<details><summary>Small print</summary>\n<ul>\n{notes}</ul>\n</details>" if notes else ""
        table = f"<table>\n<thead>{line('th', self.header)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>{below}"
        if self.folded:
            return f"<details><summary>{caption}</summary>\n{table}\n</details>"
        return f"<p>{caption}</p>\n{table}" if caption else table

    def __repr__(self) -> str:
        header, *rows = [[text.replace("\n", " · ") for text in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        if sum(widths) + 2 * len(widths) > _PLAIN:  # too wide for a terminal: one block of lines for each row
            named = [zip(header, row, strict=True) for row in rows]
            lines = ["\n".join(f"{name}: {text}" for name, text in pairs) + "\n" for pairs in named]
        else:
            rule = ["-" * width for width in widths]
            sides = [(">" if right else "<") + str(width) for right, width in zip(self._right, widths, strict=True)]
            lines = ["  ".join(map(format, row, sides)).rstrip() for row in (header, rule, *rows)]
        return "\n".join([self.caption] * bool(self.caption) + lines + self.notes)

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_markdown_(self) -> str:
        return self.markdown()


class Tables(list[Table]):
    """Tables one below the other."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        return "\n".join(table.html() for table in self)

    def _repr_markdown_(self) -> str:
        return "\n\n".join(table.markdown() for table in self)


def from_rows(rows: Any, caption: str | None = None, digits: int = 3) -> Table:
    """A table from a data frame or a list of dicts.

    Dicts must have the same keys, which become the header; an index with a name or with labels becomes the first column.

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
