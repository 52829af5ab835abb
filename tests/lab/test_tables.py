"""Tables: formats of cells, and the three ways to show them."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from mmnb.lab import tables
from mmnb.lab.tables import Table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (3, "3"),
        (np.int64(48248), "48,248"),
        (0.5, "0.500"),
        (np.float32(0.5), "0.500"),
        (torch.tensor(0.25), "0.250"),
        (-0.0, "0.000"),
        (-0.0001, "-1.0e-04"),
        (1e12, "1.0e+12"),
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
        ((1, 0.5), "1, 0.500"),
        ("a | b", "a | b"),
    ],
)
def test_cells(value, text):
    assert tables.cell(value) == text


def test_markup_survives_and_the_rest_is_escaped():
    html = Table(["<n>"], [["a & b `x<y` **z**\nnext"]], caption="A < B").html()
    assert "<p><b>A &lt; B</b></p>" in html
    assert "a &amp; b <code>x&lt;y</code> <b>z</b><br>next" in html
    assert "&lt;n&gt;" in html
    used = set(re.findall(r"</?([a-z]+)", html))
    assert used <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}  # what web viewers keep


def test_a_pipe_does_not_break_a_markdown_row():
    text = Table(["a", "b"], [["x | y", 1]]).markdown()
    assert text.splitlines()[-1] == r"| x \| y | 1 |"


def test_numbers_stand_to_the_right_in_every_form():
    table = Table(["name", "n"], [["a", 1], ["bb", None]])
    assert "|:---|---:|" in table.markdown()
    assert '<td align="right" style="text-align:right">1</td>' in table.html()
    assert repr(table).splitlines() == ["name  n", "----  -", "a     1", "bb    –"]


def test_a_wide_table_becomes_lines():
    assert repr(Table(["a", "b"], [["x" * 80, "y" * 80]])).splitlines()[:2] == ["a: " + "x" * 80, "b: " + "y" * 80]


def test_rows_fit_their_header():
    with pytest.raises(ValueError, match="got a row of 1 values; expected 2"):
        Table(["a", "b"], [[1]])


def test_frames_keep_an_index_that_says_something():
    frame = pd.DataFrame({"x": [1, 2]})
    assert tables.from_rows(frame).header == ["x"]
    assert tables.from_rows(frame.rename_axis("seed")).header == ["seed", "x"]
    assert tables.from_rows(frame.set_axis([5, 6])).header == ["", "x"]
    double = frame.set_index(pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["m", "k"]))
    double.columns = pd.MultiIndex.from_tuples([("x", "mean")])
    assert tables.from_rows(double).header == ["m", "k", "x mean"]
