"""`make lab`: the kernel is there, a .py opens as a notebook, and a slider redraws its figure."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from mmnb import paths
from mmnb.runner import convert, selection

pytest.importorskip("jupyterlab", reason="the extra `notebooks` is not installed")
pytestmark = pytest.mark.slow

SLIDER = """
from mmnb.lab.slider import slider
slider(lambda ax, slope: ax.plot([0, slope]), slope=(0, 10))
"""
TOKEN = "for-this-test"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab as `make lab` starts it, on a free port, without a window: what it answers to a path."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for name in ("01_emap.py", "04_modality_gap.ipynb"):
        shutil.copy(paths.root() / "notebooks" / name, folder / "notebooks" / name)
    slider = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SLIDER.strip())],
        metadata=convert.to_notebook(folder / "notebooks" / "01_emap.py").metadata,
    )
    nbformat.write(slider, folder / "notebooks" / "slider.ipynb")
    folders = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("RUNTIME", "CONFIG", "DATA")}
    environment = (
        os.environ
        | folders
        | {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": os.environ.get("PYTHONPATH", str(paths.root()))}
    )
    options = [
        "--no-browser",
        "--ip=127.0.0.1",
        "--port=0",
        f"--IdentityProvider.token={TOKEN}",
        "--allow-root",
        "--LabApp.collaborative=False",
    ]
    options += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", str(folder / "notebooks"), *options],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        address = _address(folder / "runtime", server, folder / "log")
        yield address
    finally:
        server.send_signal(signal.SIGINT if sys.platform == "win32" else signal.SIGTERM)
        server.wait(timeout=60)


def _address(runtime, server, log) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text(encoding="utf-8"))["url"].rstrip("/")
            except ValueError:  # not yet written to its end
                pass
        time.sleep(0.2)
    pytest.fail(log.read_text(encoding="utf-8")[-2000:])


def ask(lab: str, path: str) -> dict:
    request = urllib.request.Request(f"{lab}{path}", headers={"Authorization": f"token {TOKEN}"})
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def test_the_kernel_that_the_notebooks_ask_for_is_registered(lab):
    known = set(ask(lab, "/api/kernelspecs")["kernelspecs"])
    for slug in selection.available():
        asked = {convert.to_notebook(paths.root() / "notebooks" / f"{slug}.py").metadata.kernelspec.name}
        executed = paths.root() / "notebooks" / f"{slug}.ipynb"
        if executed.is_file():
            asked.add(nbformat.read(executed, as_version=4).metadata.kernelspec.name)
        assert asked <= known


def test_a_source_opens_as_a_notebook(lab):
    """Through jupytext's contents manager: the same cells that the runner sees."""
    answer = ask(lab, "/api/contents/01_emap.py?type=notebook")
    assert answer["type"] == "notebook"
    cells = [(cell["cell_type"], cell["source"]) for cell in answer["content"]["cells"]]
    assert cells == [
        (cell.cell_type, cell.source) for cell in convert.to_notebook(paths.root() / "notebooks" / "01_emap.py").cells
    ]
    assert (
        "parameters"
        in next(cell for cell in answer["content"]["cells"] if cell["cell_type"] == "code")["metadata"]["tags"]
    )


def test_a_slider_redraws_its_figure(lab, chromium):
    """In the browser: run the cell, take the slider one step to the right, and see another picture."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{lab}/lab/tree/slider.ipynb?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached", timeout=120_000)
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    prompt = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").first
    for _ in range(40):  # a cell that is run before its kernel listens is not run at all
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1500)
        if prompt.inner_text().strip() != "[ ]:":
            break
    picture = page.locator(".jp-OutputArea img").first
    picture.wait_for(timeout=120_000)
    before = picture.get_attribute("src")
    page.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => { const now = document.querySelector('.jp-OutputArea img'); return now && now.src !== before; }",
        arg=before,
        timeout=60_000,
    )
    page.goto("about:blank")
    context.close()
