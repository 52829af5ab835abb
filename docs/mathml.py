"""LaTeX formulas to MathML while pages are written."""

from docutils import nodes
from latex2mathml.converter import convert


def inline(writer, node) -> None:
    """A formula inside a sentence."""
    writer.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def block(writer, node) -> None:
    """A formula on a line of its own."""
    writer.body.append(f'<div class="math notranslate">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode
