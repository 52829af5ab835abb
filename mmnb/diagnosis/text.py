"""The report as twelve lines, as Markdown and as LaTeX, from its plain data."""

import re
from typing import Any


def summary(data: dict[str, Any]) -> str:
    """At most twelve lines for a terminal."""
    lines = [data["title"], *data["lead"][:1]]
    measured = [
        part
        for part in data["sections"]
        if part["status"] == "measured" and part["answer"] and part["id"] not in ("card", "unused")
    ]
    grave = data["warnings"][:4]
    lines += [f"  {part['title']}: {part['answer']}"[:160] for part in measured[: 8 - len(grave)]]
    lines += [f"  ! {one['id']}: {one['sentence']}"[:160] for one in grave]
    more = len(data["warnings"]) - len(grave)
    lines.append(
        f"{len(data['warnings'])} warnings{f', {more} more' if more else ''} · "
        "report.save('report.html'), report['answer'], report.warnings"
    )
    return "\n".join(lines[:12])


def markdown(data: dict[str, Any]) -> str:
    """For a README or an issue."""
    found = [f"# {data['title']}", *data["lead"], "## Warnings"]
    found.append(
        "\n".join(f"- **{one['id']}** ({one['severity']}): {one['sentence']}" for one in data["warnings"])
        or "None fired."
    )
    for part in data["sections"]:
        state = "" if part["status"] == "measured" else f"*{part['status']}:* "
        found += [
            f"## {part['title']}",
            f"*{part['question']}*" if part["question"] else "",
            f"{state}{part['answer']}",
        ]
        if part["rows"]:
            rows = [f"| {_cell(row['name'])} | {_number(row['value'])} | {_ends(row)} |" for row in part["rows"]]
            found.append("\n".join(["| number | value | 95 % interval |", "|:---|---:|---:|", *rows]))
        found.append("\n".join(f"- {k}: {v}" for k, v in part["facts"]))
        found.append("\n".join(f"- {note}" for note in part["notes"]))
    return "\n\n".join(part for part in found if part) + "\n"


def latex(data: dict[str, Any]) -> str:
    """A section for a paper or a course report: plain LaTeX, no package needed."""
    found = [f"% {data['title']}", rf"\section{{{_tex(data['title'])}}}", *map(_tex, data["lead"])]
    if data["warnings"]:
        found.append(
            "\n".join(
                [
                    r"\begin{itemize}",
                    *(rf"\item \textbf{{{_tex(w['id'])}}}: {_tex(w['sentence'])}" for w in data["warnings"]),
                    r"\end{itemize}",
                ]
            )
        )
    for part in data["sections"]:
        if part["status"] != "measured" or not (part["rows"] or part["answer"]):
            continue
        found += [rf"\subsection{{{_tex(part['title'])}}}", _tex(part["answer"])]
        if part["rows"]:
            rows = [f"{_tex(row['name'])} & {_number(row['value'])} & {_tex(_ends(row))} \\\\" for row in part["rows"]]
            found.append(
                "\n".join(
                    [
                        r"\begin{center}\begin{tabular}{lrr}\hline",
                        r"number & value & 95\,\% interval \\ \hline",
                        *rows,
                        r"\hline\end{tabular}\end{center}",
                    ]
                )
            )
    return "\n\n".join(part for part in found if part) + "\n"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _ends(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.4g} to {row['high']:.4g}"


def _cell(words: str) -> str:
    return words.replace("|", r"\|")


def _tex(words: str) -> str:
    r"""With the characters that LaTeX reads escaped.

    Example:
        >>> _tex("80 % of a_b")
        '80 \\% of a\\_b'
    """
    words = words.replace("\\", r"\textbackslash ")
    return re.sub(r"([%&#$_{}])", r"\\\1", words).replace("~", r"\textasciitilde ").replace("^", r"\textasciicircum ")
