"""Conversion of a source to a notebook: headings, ids, parameters."""

import nbformat
import pytest

from mmnb.runner import convert

SOURCE = """\
# %% [markdown]
# # Does it use both?
#
# **No**, it does
# not.
#
# More text.

# %% tags=["parameters"]
PROFILE = "laptop"
SEED = 0

# %%
x = 1

# %%
x = 1

# %%
y = 2
"""


@pytest.fixture
def source(tmp_path):
    def write(text: str = SOURCE):
        (tmp_path / "01_a.py").write_text(text, encoding="utf-8")
        return tmp_path / "01_a.py"

    return write


def test_a_title_that_asks_a_question_keeps_its_heading(source):
    """jupytext takes `# # Why?` for a commented call of IPython's help, and un-comments it."""
    assert convert.to_notebook(source("# %% [markdown]\n# # Why?\n#\n# Yes.\n")).cells[0].source == "# Why?\n\nYes."
    notebook = convert.to_notebook(source())
    assert notebook.cells[0].source.startswith("# Does it use both?\n")
    assert [cell.cell_type for cell in notebook.cells] == ["markdown"] + ["code"] * 4


def test_twice_the_same_bytes_and_valid(source):
    first, second = convert.dumps(convert.to_notebook(source())), convert.dumps(convert.to_notebook(source()))
    assert first == second and first.endswith("}\n")
    notebook = nbformat.reads(first, as_version=4)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}


def test_changing_one_cell_changes_one_id(source):
    before = [cell.id for cell in convert.to_notebook(source()).cells]
    after = [cell.id for cell in convert.to_notebook(source(SOURCE.replace("y = 2", "y = 3"))).cells]
    assert before[:-1] == after[:-1] and before[-1] != after[-1]
    assert len(set(before)) == len(before), "equal cells need ids of their own"


def test_windows_line_ends_give_the_same_notebook(source):
    expected = convert.dumps(convert.to_notebook(source()))
    path = source()
    path.write_bytes(SOURCE.replace("\n", "\r\n").encode())
    assert convert.dumps(convert.to_notebook(path)) == expected


def test_only_tags_survive_as_metadata(source):
    cells = convert.to_notebook(source()).cells
    assert [dict(cell.metadata) for cell in cells] == [{}, {"tags": ["parameters"]}, {}, {}, {}]


def test_parameters(source):
    notebook = convert.to_notebook(source())
    assert convert.parameters(notebook) == {"PROFILE": "laptop", "SEED": 0}
    convert.check_parameters(notebook, {"PROFILE": "smoke", "SEED": 3})
    with pytest.raises(ValueError, match=r"unknown parameter PROFIL; the parameters cell defines PROFILE, SEED"):
        convert.check_parameters(notebook, {"PROFIL": "smoke"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (' tags=["parameters"]', "", "0 cells have the tag `parameters`"),
        ("# %%\ny = 2", '# %% tags=["parameters"]\ny = 2', "2 cells have the tag"),
        ("SEED = 0", "SEED = int('0')", r"holds `SEED = int\('0'\)`; expected only `NAME = literal`"),
        ("SEED = 0", "SEED = OTHER = 0", "expected only `NAME = literal`"),
        ("SEED = 0", "import os", "holds `import os`"),
    ],
)
def test_a_parameters_cell_with_anything_else_is_refused(source, old, new, message):
    assert old in SOURCE
    with pytest.raises(ValueError, match=message):
        convert.parameters(convert.to_notebook(source(SOURCE.replace(old, new))))


def test_no_cell_and_raw_cells_are_refused(source):
    with pytest.raises(ValueError, match="raw cell"):
        convert.to_notebook(source(SOURCE + "\n# %% [raw]\n# x\n"))
    with pytest.raises(FileNotFoundError):
        convert.to_notebook(source().with_name("02_none.py"))


def test_a_byte_order_mark_changes_nothing(source):
    path = source()
    before = convert.dumps(convert.to_notebook(path))
    path.write_text(SOURCE, encoding="utf-8-sig")
    assert convert.dumps(convert.to_notebook(path)) == before


@pytest.mark.parametrize("content", [b"x = 1\n\ny = 2\n", b"# A title\n\nx = 1\n", b"# %%\nx = '\xe4'\n"])
def test_what_is_no_percent_script_is_refused(source, content):
    path = source()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"01_a\.py"):
        convert.to_notebook(path)


@pytest.mark.parametrize("line", ["PROFILE = ", "PROFILE: str", "A = B = 1", "PROFILE = f()"])
def test_a_parameters_cell_that_holds_more_is_explained(source, line):
    notebook = convert.to_notebook(source(SOURCE.replace('PROFILE = "laptop"', line)))
    with pytest.raises(ValueError, match=r"the parameters cell.*NAME = literal"):
        convert.parameters(notebook)
