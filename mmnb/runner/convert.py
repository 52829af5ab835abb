"""From `notebooks/NN_slug.py` (jupytext py:percent, the source) to a notebook, the same bytes every time.

jupytext gives each cell a random id; ours come from the cell's text, so that converting twice gives the same file and a
change of one cell changes one id. Only tags survive as cell metadata.
"""

import ast
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat

from mmnb import paths

# a question ends in "?", which jupytext takes for IPython's help magic and un-comments ("# # Why?" lost its heading)
_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
_LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
METADATA = {"kernelspec": _KERNEL, "language_info": _LANGUAGE}
PARAMETERS = ("PROFILE", "SEED")


def to_notebook(path: Path | str) -> nbformat.NotebookNode:
    """A notebook without outputs; cell ids depend on cell type, text and the ordinal among equal cells only.

    Raises ValueError for a source that is not UTF-8, without a `# %%` (jupytext's light format would make other cells), or with a cell
    that is neither code nor markdown.
    """
    import jupytext  # over a second to import, and most of the command line does not need it

    path = Path(path)
    text = paths.read_text(path)
    found = jupytext.reads(text, fmt=_FORMAT).cells if re.search(r"^# ?%%", text, re.MULTILINE) else []
    if not found:
        raise ValueError(f"to_notebook: {path.name} has no cell; expected py:percent, cells that begin with `# %%`")
    seen, cells = Counter(), []
    for cell in found:
        key = (cell.cell_type, cell.source)
        make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}.get(cell.cell_type)
        if make is None:
            raise ValueError(f"to_notebook: {path.name} has a {cell.cell_type} cell; expected code or markdown cells")
        tags = cell.metadata.get("tags", [])
        cells.append(make(cell.source, id=_cell_id(*key, seen[key]), metadata={"tags": list(tags)} if tags else {}))
        seen[key] += 1
    return nbformat.v4.new_notebook(cells=cells, metadata=json.loads(json.dumps(METADATA)))


def dumps(notebook: nbformat.NotebookNode) -> str:
    """The text of a notebook file: sorted keys, no ASCII escapes, one line end at the end."""
    nbformat.validate(notebook)
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def parameters(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Names and default values in the cell tagged `parameters`.

    Raises ValueError if no cell or several cells have the tag, or the cell holds anything but `NAME = literal` lines.
    """
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(
            f"{len(tagged)} cells have the tag `parameters`; expected exactly one, holding PROFILE and SEED"
        )
    values = {}
    try:
        statements = ast.parse(tagged[0].source).body
    except SyntaxError as error:
        raise ValueError(f"the parameters cell, line {error.lineno}: {error.msg}; expected `NAME = literal`") from error
    for statement in statements:
        try:
            (target,) = statement.targets
            values[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"the parameters cell holds `{ast.unparse(statement)}`; expected only `NAME = literal`"
            ) from error
    return values


def check_parameters(notebook: nbformat.NotebookNode, given: dict[str, Any]) -> None:
    """Raise ValueError unless the parameters cell knows every name in `given` (papermill itself only warns)."""
    known = parameters(notebook)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(
            f"unknown parameter {', '.join(unknown)}; the parameters cell defines {', '.join(known) or 'nothing'}"
        )


def _cell_id(kind: str, source: str, ordinal: int) -> str:
    return hashlib.sha256(f"{kind}\n{ordinal}\n{source}".encode()).hexdigest()[:12]
