"""What a page of an instrument makes of a docstring."""

import importlib.util
import re

import pytest

from mmnb import paths


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", paths.root() / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docstrings = load("docstrings")

ALIGNED = """Share of queries whose partner is near; a *tie* is no hit.

Formula: mean_i [rank_i < k] over N^2 cells, |Delta| * tau >= 0, see `recall`
Args:    x, y, (n, d) unit rows; k, from 1 to n, or [1, 2]; paired=False allows more.
Returns: a number. Raises: ValueError on NaN.
Example:
    >>> recall(x, y)
    1.0

Source:  Somebody 2022, section 4_2."""

LISTED = """What it does.

Args:
    f: gives one row of scores
        per pair: (B,).
    a, b: N examples | each.

Raises:
    TypeError: another kind.
    ValueError: NaN,
        or nothing."""


def test_every_section_stands_where_a_reader_looks_for_it():
    text = docstrings.markdown(ALIGNED, ("x", "y", "k", "paired"))
    heads = re.findall(r"^\*\*(\w+)\*\*", text, re.MULTILINE)
    assert heads == ["Formula", "Arguments", "Returns", "Raises", "Example", "Source"]
    assert "a *tie* is no hit" in text
    assert "**Raises**\n\nValueError on NaN." in text
    assert "```pycon\n>>> recall(x, y)\n1.0\n```" in text
    assert r"section 4\_2" in text


def test_arguments_become_a_table():
    rows = [
        line for line in docstrings.markdown(ALIGNED, ("x", "y", "k", "paired")).splitlines() if line.startswith("| `")
    ]
    assert rows == [
        r"| `x`, `y` | (n, d) unit rows |",
        r"| `k` | from 1 to n, or \[1, 2\] |",
        "| `paired` | =False allows more |",
    ]
    text = docstrings.markdown(LISTED)
    assert "| `f` | gives one row of scores per pair: (B,). |" in text
    assert r"| `a`, `b` | N examples \| each. |" in text
    assert "- `TypeError`: another kind.\n- `ValueError`: NaN, or nothing." in text


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("N^2", "<i>N</i><sup>2</sup>"),
        ("F_ij", "<i>F</i><sub>ij</sub>"),
        ("f~_ij", "<i>f\u0303</i><sub>ij</sub>"),
        ("sum_c r_c^2", "Σ<sub><i>c</i></sub> <i>r</i><sub><i>c</i></sub><sup>2</sup>"),
        ("a * b >= mu", "a · <i>b</i> ≥ <i>μ</i>"),
        ("i < j", "<i>i</i> &lt; <i>j</i>"),
        ("see `x_1 < 2`", "see <code>x_1 &lt; 2</code>"),
        ("mean - 1", "mean − 1"),
    ],
)
def test_mathematics_is_printed(typed, printed):
    assert docstrings.formula(typed) == f'<p class="formula">{printed}</p>'


def test_prose_means_nothing_by_accident():
    text = docstrings.escaped("costs $5 and $6, a[i](b) <tag> {role}`x` 2*3*4 under_score, but F_ij and `a_b`")
    assert (
        r"\$5 and \$6" in text
        and r"a\[i\](b)" in text
        and r"\<tag>" in text
        and r"2\*3\*4" in text
        and r"under\_score" in text
    )
    assert "<i>F</i><sub>ij</sub>" in text and text.endswith("`a_b`")


def test_no_label_of_a_section_is_left_as_text(site_folder):
    """On any page of an instrument, of any docstring."""
    files = sorted((site_folder / "made" / "instruments").glob("*.html"))
    assert len(files) >= 10
    for file in files:
        article = file.read_text(encoding="utf-8").split("<article", 1)[1].split("</article>", 1)[0]
        assert re.findall(r"(?:<p>|\n)\s*(?:Args|Formula|Returns|Example):", article) == [], file.name
        assert "Not described" not in article, file.name


def test_functions_of_an_instrument_lead_to_the_notebooks_that_use_them(site_folder):
    page = (site_folder / "made" / "instruments" / "gap.html").read_text(encoding="utf-8")
    row = next(row for row in page.split("<tr") if "#api-modality_gap" in row)
    assert "../notebooks/04_modality_gap.html" in row and "01_emap" not in row
    listing = (site_folder / "made" / "notebooks.html").read_text(encoding="utf-8")
    assert "instruments/emap.html" in listing
