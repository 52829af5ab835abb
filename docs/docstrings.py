"""Our docstrings are Markdown in Google style; napoleon expects reStructuredText in Google style."""

import re

_ONE_LINE = re.compile(r"(Args|Returns|Raises|Formula|Source|Warns|Rule)((?:, \w+)?(?: \([^)]*\))?): +(\S.*)")
_HEADER = re.compile(r"(Args|Attributes|Example|Formula|Note|Raises|Returns|Rule|Source|Warns|Yields):")


def to_rst(lines: list[str]) -> list[str]:
    """The same docstring for napoleon.

    Indented paragraphs above the first section are formulas and keep their lines, "Source: text" becomes a paragraph, and no
    character means anything by accident.
    """
    found: list[str] = []
    state = "text"  # text, formula, section, paragraph (a section on one line), doctest
    for line in lines:
        one_line = _ONE_LINE.fullmatch(line)
        if one_line:
            found += ["", _inline(f"**{one_line[1]}{one_line[2]}:** {one_line[3]}")]
            state = "paragraph"
            continue
        if _HEADER.fullmatch(line):
            found += [""] if found and found[-1] else []  # else its list would continue the paragraph above
            state = "section"
        elif line.lstrip().startswith(">>>"):
            state = "doctest"
        elif not line.strip() and state in ("doctest", "paragraph"):
            state = "section"
        elif state == "text" and line.startswith("    ") and found and not found[-1]:
            found += ["::", ""]
            state = "formula"
        elif state == "formula" and line.strip() and not line.startswith("    "):
            state = "text"
        if re.match(r"(\d+\.|-) ", line) and found and re.match(r"[^\s\d-]", found[-1]):
            found.append("")  # a list begins
        if state == "section":  # napoleon takes `low, high: text` of a class for one name and its type
            line = re.sub(r"^    \w+(, \w+)+(?=:)", lambda names: names[0].replace(", ", "/"), line)
        text = line.strip() if state == "paragraph" else line
        found.append(text if state in ("formula", "doctest") else _inline(text))
    return found


def first_sentence(text: str) -> str:
    """What a docstring says first, in Markdown, fit for a cell of a table."""
    head = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", head)[0].rstrip(".:").replace("|", r"\|") or "–"


def _inline(line: str) -> str:
    """`code` as ``code``; outside of it only *emphasis* and **strong** keep their meaning."""
    parts = re.split(r"`+([^`]+)`+", line)
    for k, part in enumerate(parts):
        if k % 2:  # code may touch a word: the escaped spaces vanish
            before = "" if re.search(r"(^|[ (])$", parts[k - 1]) else r"\ "
            after = "" if re.match(r"($|[ ,.;:)])", parts[k + 1]) else r"\ "
            parts[k] = f"{before}``{part}``{after}"
        else:
            marks = re.split(r"((?<![\w*])\*{1,2}[A-Za-z][^*]*\*{1,2}(?![\w*]))", part)
            marks[::2] = [re.sub(r"([*|\\]|_(?!\w))", r"\\\1", text) for text in marks[::2]]
            parts[k] = "".join(marks)
    return "".join(parts)
