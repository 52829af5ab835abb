"""A docstring of ours as Markdown: formula, arguments, returns, raises, example and source, each where a reader looks for it."""

import html
import re

_SECTION = re.compile(r"^((?:Formula|Rule|Args|Returns|Raises|Warns|Example|Source)(?:, \w+)*)( \([^)]*\))?: *(.*)$")
_INSIDE = re.compile(r"(?<=[.;]) +(?=(?:Returns|Raises|Warns): )")  # "Returns: one thing. Raises: another", on one line
_TITLES = {"Args": "Arguments"}
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "epsilon": "ε", "eps": "ε", "theta": "θ", "lambda": "λ",
    "lam": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "Sigma": "Σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω", "eta": "η",
}  # fmt: skip
_SIGNS = (
    (" * ", " · "),
    (">=", "≥"),
    ("<=", "≤"),
    ("!=", "≠"),
    ("->", "→"),
    ("sqrt(", "√("),
    (" x ", " × "),
    (" - ", " − "),
)


def markdown(text: str, parameters: tuple[str, ...] = ()) -> str:
    """The whole docstring; `parameters` are the names of the function's arguments, by which a list of them is known."""
    head, sections = sections_of(text)
    parts = [prose(head)]
    for title, lines in sections:
        name = title.split(",")[0].split(" (")[0]
        shown = title.replace(name, _TITLES.get(name, name), 1)
        if name in ("Formula", "Rule"):
            parts.append(f"**{shown}**\n\n{formula(' '.join(line.strip() for line in lines))}")
        elif name == "Example":
            parts.append(f"**{shown}**\n\n{code(lines)}")
        elif name == "Args" and "," not in title:
            parts.append(f"**{shown}**\n\n{arguments(lines, parameters)}")
        elif name == "Raises" and "," not in title:
            parts.append(f"**{shown}**\n\n{kinds(lines)}")
        else:
            parts.append(f"**{shown}**: {escaped(' '.join(line.strip() for line in lines).strip())}")
    return "\n\n".join(part for part in parts if part)


def first_sentence(text: str) -> str:
    """What a docstring says first, fit for a cell of a table."""
    head = " ".join(line.strip() for line in text.split("\n\n")[0].splitlines())
    return _cell(re.split(r"(?<=\.) (?=[A-Z])", head)[0].rstrip(".:")) or "–"


def sections_of(text: str) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The lines above the first section, and (title, lines) of each section."""
    head: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        pieces = _INSIDE.split(line) if line.strip()[:3] != ">>>" else [line]
        for number, piece in enumerate(pieces):
            match = _SECTION.match(piece if number == 0 else piece.strip())
            if match:
                found.append((match[1] + (match[2] or ""), [match[3]]))
            else:
                (found[-1][1] if found else head).append(piece)
    return head, found


def prose(lines: list[str]) -> str:
    """Paragraphs; indented ones are formulas or code, and those with columns keep them."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = paragraph.splitlines()
        if not paragraph.strip():
            continue
        if all(row.startswith("    ") for row in rows):
            inner = [row[4:] for row in rows]
            parts.append(code(inner) if any(">>>" in row or row[:1] == "(" for row in inner) else display(inner))
        elif any(re.search(r"\S {2,}\S", row) for row in rows):
            parts.append("```text\n" + "\n".join(rows) + "\n```")
        else:
            parts.append(escaped(" ".join(row.strip() for row in rows)))
    return "\n\n".join(parts)


def arguments(lines: list[str], parameters: tuple[str, ...]) -> str:
    """A table of the arguments where each line, or each part between semicolons, begins with a name; else a paragraph."""
    entries = _listed(lines)
    if entries is None:
        entries = _told(" ".join(line.strip() for line in lines).strip(), parameters)
    if entries is None:
        return escaped(" ".join(line.strip() for line in lines).strip())
    rows = "\n".join(f"| {', '.join(f'`{name}`' for name in names)} | {_cell(told)} |" for names, told in entries)
    return f"| argument | what it is |\n|:---|:---|\n{rows}"


def _listed(lines: list[str]) -> list[tuple[list[str], str]] | None:
    """`name: what it is`, one to a line, what follows indented deeper."""
    if lines[0].strip():
        return None
    found: list[tuple[list[str], str]] = []
    for line in (line for line in lines[1:] if line.strip()):
        match = re.match(r" {4}((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*): (.*)$", line)
        if match:
            found.append((match[1].split(", "), match[2]))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        else:
            return None
    return found or None


def _told(text: str, parameters: tuple[str, ...]) -> list[tuple[list[str], str]] | None:
    """`a, b, what they are; c, what it is`: parts between semicolons, each of which begins with names of arguments."""
    found: list[tuple[list[str], str]] = []
    for part in text.rstrip(".").split("; "):
        names, rest = [], part
        while (match := re.match(r"(\w+)(, | \(|=| |$)", rest)) and match[1] in parameters and match[1] not in names:
            names.append(match[1])
            rest = rest[len(match[1]) :]
            if not rest.startswith(", "):
                break
            rest = rest[2:]
        if names:
            found.append((names, rest.strip() or "as above"))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}; {part}")
        else:
            return None
    return found or None


def kinds(lines: list[str]) -> str:
    """Kinds of errors, one to a line where they were written so."""
    inner = [line for line in lines if line.strip()]
    if lines[0].strip() or not inner:
        return escaped(" ".join(line.strip() for line in lines).strip())
    found: list[str] = []
    for line in inner:
        match = re.match(r" {4}(\w+): (.*)$", line)
        if match:
            found.append(f"- `{match[1]}`: {escaped(match[2])}")
        elif found:
            found[-1] += f" {escaped(line.strip())}"
    return "\n".join(found) or escaped(" ".join(line.strip() for line in lines).strip())


def code(lines: list[str]) -> str:
    """An example as the interpreter shows it."""
    inner = [line for line in lines if line.strip() or line == ""]
    while inner and not inner[0].strip():
        inner = inner[1:]
    while inner and not inner[-1].strip():
        inner = inner[:-1]
    if not inner:
        return ""
    margin = min(len(line) - len(line.lstrip()) for line in inner if line.strip())
    kind = "pycon" if any(line.lstrip().startswith(">>>") for line in inner) else "text"
    return f"```{kind}\n" + "\n".join(line[margin:] for line in inner) + "\n```"


def formula(text: str) -> str:
    """One line of mathematics with the words around it."""
    return f'<p class="formula">{_mathematics(text.strip())}</p>' if text.strip() else ""


def display(lines: list[str]) -> str:
    """Mathematics on lines of its own."""
    return '<p class="formula">' + "<br>".join(_mathematics(line.strip()) for line in lines) + "</p>"


def _mathematics(text: str) -> str:
    """Written on a typewriter, shown as print: letters in italics, indices below, powers above, Greek as Greek."""
    return "".join(
        f"<code>{html.escape(part[1:-1], quote=False)}</code>" if part.startswith("`") else _print(part)
        for part in re.split(r"(`[^`]*`)", text)
    )


def _print(text: str) -> str:
    for typed, printed in _SIGNS:
        text = text.replace(typed, printed)
    text = html.escape(text, quote=False)
    text = re.sub(r"\^(\{[^}]*\}|\([^)]*\)|-?\w+)", lambda found: f"<sup>{_letters(found[1].strip('{}'))}</sup>", text)
    word = r"(?<![\w&<])([A-Za-z]+)(~?)((?:_(?:\{[^}]*\}|[A-Za-z0-9+]+(?:'(?:[a-z])?)?))?)('?)"
    return re.sub(rf"{word}(?![\w;>])", _symbol, text)


def _symbol(found: re.Match) -> str:
    name, tilde, index, prime = found.groups()
    letter = _letters(name)
    if tilde:
        letter = letter.replace(name, f"{name}\u0303") if letter != name else f"{name}\u0303"
    if index and name == "sum":
        letter = "Σ"
    below = f"<sub>{_letters(index[1:].strip('{}'))}</sub>" if index else ""
    return letter + below + ("′" if prime and (index or len(name) == 1) else prime)


def _letters(name: str) -> str:
    if name in _GREEK:
        return f"<i>{_GREEK[name]}</i>"
    letter = len(name.rstrip("'")) == 1 and name[0].isalpha() and name not in ("a", "I")
    return f"<i>{name}</i>" if letter else name.replace("'", "′")


_SYMBOL = (
    rf"(?<![\w`])(?:[A-Za-z]|sum|mean|{'|'.join(_GREEK)})~?(?:_[A-Za-z0-9]{{1,3}}(?:'[a-z]?)?(?!\w))?(?:\^-?\w+)?(?!\w)"
)


def escaped(text: str) -> str:
    """Prose in which backticks, *stress* and symbols like F_ij or N^2 mean something, and nothing else does."""
    parts = re.split(rf"(`[^`]*`|(?<![\w*])\*\w(?:[^*]*\w)?\*(?![\w*])|{_SYMBOL})", text)
    return "".join(_part(part) if number % 2 else plain(part) for number, part in enumerate(parts))


def _part(part: str) -> str:
    if part[0] in "`*":
        return part
    return _print(part) if set(part) & set("_^~") else part


def plain(text: str) -> str:
    """Text that means nothing but itself."""
    return re.sub(r"([$\[\]{}<|~_\\*])", r"\\\1", text)


def _cell(text: str) -> str:
    return re.sub(r"`[^`]*`", lambda found: found[0].replace("|", r"\|"), escaped(text))
