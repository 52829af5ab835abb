"""The report: plain data that shows itself, as JSON, HTML, Markdown, LaTeX or twelve lines of text."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmnb import paths

if TYPE_CHECKING:
    import pandas

    from mmnb.diagnosis.svg import Picture

SCHEMA = 1


@dataclass(frozen=True)
class Alert:
    """A warning of the report.

    Attributes:
        id: Short name, for exit codes and tests.
        severity: "high" (the numbers mean something else), "medium" (a fault of the model) or "low" (look closer).
        section: Where it belongs.
        sentence: What was found.
        value, low, high: The number it rests on, and its interval.
        threshold: What it was compared with.
        look: How to look closer.
    """

    id: str
    severity: str
    section: str
    sentence: str
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    look: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.id}: {self.sentence}"


class Section:
    """One section: a question, its answer in a sentence, numbers with intervals, pictures.

    Attributes:
        data: Everything as plain data: id, title, question, status ("measured", "refused" or "not measured"), answer, rows, facts, figures, notes.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    id = property(lambda self: self.data["id"])
    title = property(lambda self: self.data["title"])
    question = property(lambda self: self.data["question"])
    status = property(lambda self: self.data["status"])
    answer = property(lambda self: self.data["answer"])

    @property
    def value(self) -> float | None:
        """The first number, None where there is none."""
        return self.data["rows"][0]["value"] if self.data["rows"] else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its interval."""
        row = self.data["rows"][0] if self.data["rows"] else {}
        return None if row.get("low") is None else (row["low"], row["high"])

    def to_frame(self) -> pandas.DataFrame:
        """One row per number: name, value, low, high, n, over."""
        import pandas as pd  # needs the extra `notebooks`

        return pd.DataFrame(self.data["rows"], columns=["name", "value", "low", "high", "n", "over"])

    def figure(self, number: int = 0) -> Picture | None:
        """The section's picture, as SVG that shows itself; None where it has none."""
        from mmnb.diagnosis.svg import draw

        found = self.data["figures"]
        return draw(found[number]) if number < len(found) else None

    def __repr__(self) -> str:
        return f"Section({self.id}: {self.answer})"

    def _repr_html_(self) -> str:
        from mmnb.diagnosis.html import fragment, section

        return fragment(section(self.data))


class Report:
    """What `mmnb.diagnose` returns: `report["shares"]`, `report.warnings`, `report.save("report.html")`.

    Attributes:
        data: Everything as plain data; all other forms are made from it.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else type(data).__name__
            raise ValueError(f"Report: got schema {found!r}; expected {SCHEMA}")
        self.data = data

    @property
    def sections(self) -> dict[str, Section]:
        """All sections by id, in order."""
        return {part["id"]: Section(part) for part in self.data["sections"]}

    def __getitem__(self, name: str) -> Section:
        found = self.sections
        if name not in found:
            raise KeyError(f"{name!r}; the report has {', '.join(found)}")
        return found[name]

    @property
    def warnings(self) -> list[Alert]:
        """All warnings, the gravest first."""
        names = [field.name for field in fields(Alert)]
        return [Alert(**{name: found[name] for name in names}) for found in self.data["warnings"]]

    def save(self, path: str | Path) -> Path:
        """Write `.json`, `.html`, `.md` or `.tex`, by the ending; whole or not at all.

        Raises:
            ValueError: For another ending.
        """
        from mmnb.diagnosis import html, text

        path = Path(path)
        made = {".json": self.to_json, ".html": lambda: html.page(self.data), ".md": lambda: text.markdown(self.data)}
        made[".tex"] = lambda: text.latex(self.data)
        if path.suffix not in made:
            raise ValueError(f"Report.save: got {path.name!r}; expected a name that ends in {', '.join(made)}")
        paths.write_text(path, made[path.suffix]())
        return path

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(self.data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """A report that was saved as JSON. Raises ValueError for another file."""
        try:
            found = json.loads(paths.read_text(Path(path)))
        except json.JSONDecodeError as error:
            raise ValueError(f"Report.load: {path} is no JSON ({error}); expected a report saved as .json") from error
        return cls(found)

    def compare(self, other: Report) -> Report:
        """A report on the differences, this one less the other; paired where both saw the same examples."""
        from mmnb.diagnosis.compare import compare

        return Report(compare(self.data, other.data))

    def __str__(self) -> str:
        from mmnb.diagnosis.text import summary

        return summary(self.data)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from mmnb.diagnosis import html

        return html.fragment(html.body(self.data))
