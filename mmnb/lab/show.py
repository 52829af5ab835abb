"""What cells display besides tables: text, and figures with their alternative text. Always with a plain version."""

import base64
import os
import re
from pathlib import Path
from typing import Any

from mmnb import paths


def portable(text: str) -> str:
    """`text` with the folders of this computer replaced by names that mean the same on every other one."""
    named = [(str(paths.root()), "."), (str(Path.home()), "~")]
    if os.environ.get("MMNB_DATA"):
        named.insert(0, (str(paths.cache()), "$MMNB_DATA"))
    for folder, name in named:
        if len(Path(folder).parts) > 1:  # never replace the bare root of the file system
            text = re.sub(rf"(?<![\w./\\-]){re.escape(folder)}(?![\w.-])", lambda _, name=name: name, text)
    return text


class Markdown:
    """Markdown that also reads well where only plain text is shown."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


class Figure:
    """A drawn figure: the picture with its alternative text, then its numbered caption."""

    def __init__(self, png: bytes, width: int, alt: str, caption: str, path: Path):
        self.png, self.width, self.alt, self.caption, self.path = png, width, alt, caption, path

    def __repr__(self) -> str:
        return f"{self.caption.replace('**', '')}\n[{self.alt}]"

    def _ipython_display_(self) -> None:
        picture = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": f"[{self.alt}]"}
        display(picture, metadata={"image/png": {"alt": self.alt, "width": self.width}})
        display({"text/markdown": self.caption, "text/plain": self.caption.replace("**", "")})


def display(bundle: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
    """Show a bundle of mime types in the cell that is running. Outside of IPython there is no cell, and nothing to do."""
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import publish_display_data
    except ModuleNotFoundError:  # IPython comes with the extra `notebooks`
        return
    if get_ipython() is not None:
        publish_display_data(bundle, metadata or {})
