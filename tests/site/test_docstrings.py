"""The pages of the instruments: what autodoc makes of a docstring."""

import importlib.util
import re

import pytest

from mmnb import paths

SPEC = importlib.util.spec_from_file_location("docs_docstrings", paths.root() / "docs" / "docstrings.py")
docstrings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docstrings)


@pytest.mark.parametrize(
    ("ours", "rst"),
    [
        ("see `x_1 < 2`, a *tie* is |Delta| * 2", r"see ``x_1 < 2``, a *tie* is \|Delta\| \* 2"),
        ("`n`s of name_ and **options", r"``n``\ s of name\_ and \*\*options"),
        ("Sum:\n\n    a_ij = b *\n         c\n\nEnd.", "Sum:\n\n::\n\n    a_ij = b *\n         c\n\nEnd."),
        ("A rule\n1. this,\n2. that", "A rule\n\n1. this,\n2. that"),
        ("Text.\nSource:  A\n         b.\nReturns: c", "Text.\n\n**Source:** A\nb.\n\n**Returns:** c"),
        (
            "Args:\n    x: `y`\n\nExample:\n    >>> 2 * 3_\n    *",
            "Args:\n    x: ``y``\n\nExample:\n    >>> 2 * 3_\n    *",
        ),
    ],
)
def test_markdown_becomes_what_napoleon_reads(ours, rst):
    assert "\n".join(docstrings.to_rst(ours.splitlines())) == rst


def test_first_sentence():
    assert docstrings.first_sentence("One `a|b`\nthing. Another.\n\nMore.") == r"One `a\|b` thing"


def test_no_label_of_a_section_is_left_as_text(site_folder):
    """On any page of an instrument, of any docstring."""
    files = sorted((site_folder / "made" / "instruments").glob("*.html"))
    assert len(files) >= 10
    for file in files:
        article = file.read_text(encoding="utf-8").split("<article", 1)[1].split("</article>", 1)[0]
        assert re.findall(r"(?:<p>|\n)\s*(?:Args|Formula|Returns|Example):", article) == [], file.name


def test_functions_of_an_instrument_lead_to_the_notebooks_that_use_them(site_folder):
    page = (site_folder / "made" / "instruments" / "gap.html").read_text(encoding="utf-8")
    assert 'id="mmnb.instruments.gap.modality_gap"' in page
    row = next(row for row in page.split("<tr")[1:] if "#mmnb.instruments.gap.modality_gap" in row)
    assert "../notebooks/04_modality_gap.html" in row and "01_emap" not in row
    listing = (site_folder / "made" / "notebooks.html").read_text(encoding="utf-8")
    assert "instruments/emap.html" in listing
