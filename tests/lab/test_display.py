"""What a real kernel shows: one notebook with every displayable, read back from its outputs."""

import base64
import sys

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    'import mmnb\nfrom mmnb.lab import plot\nrun = mmnb.start("07_toy", profile="smoke")',
    "run.sizes(smoke={'n': 1}, laptop={'n': 2}, paper={'n': 3})",
    'fig, ax = plot.subplots("column")\nax.plot([1, 2])\nrun.figure(fig, "line", caption="It rises.", alt="A rising line.")',
    "from matplotlib import pyplot as plt\nfig, ax = plt.subplots()\nrun.figure(fig, 'other', caption='Empty.', alt='Empty axes.')",
    'def absent():\n    raise mmnb.DataUnavailable("get x, 3 MB, MIT")\nvalue = run.need(absent, claims=["toy.sign"])',
    'run.record("toy.drop", 29.7)\nrun.say("Loss of **30**.")',
    "run.verdicts()",
    "run.environment()",
)


@pytest.fixture
def outputs(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_OUT", str(tmp_path / "out"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable  # this interpreter, whichever kernels the user has installed
    client.execute()
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells]


def test_every_output_reads_well_rich_and_plain(outputs, tmp_path):
    start, sizes, figure, pyplot, need, say, verdicts, environment = outputs
    assert start == []
    assert {"text/html", "text/markdown", "text/plain"} <= set(sizes[0].data)

    picture, caption = figure
    assert picture.metadata["image/png"] == {"alt": "A rising line.", "width": 374}
    assert base64.b64decode(picture.data["image/png"]) == (tmp_path / "out" / "figures" / "line.png").read_bytes()
    assert picture.data["text/plain"] == "[A rising line.]"
    assert caption.data["text/markdown"] == "**Figure 7.1.** It rises."
    assert caption.data["text/plain"] == "Figure 7.1. It rises."
    assert len(pyplot) == 2, "the inline backend must not show the figure again"

    assert need[0].data["text/markdown"].startswith("> **Not testable here.** get x, 3 MB, MIT")
    assert "`toy.sign`" in need[0].data["text/markdown"]
    assert say[0].data["text/markdown"] == say[0].data["text/plain"] == "Loss of **30**."
    assert "✔ reproduced" in verdicts[0].data["text/html"]
    assert "not testable here" in verdicts[0].data["text/plain"]
    assert "of 60 allowed" in environment[0].data["text/html"]
