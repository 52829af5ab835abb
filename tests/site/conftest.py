"""The site, built once for all tests and all workers, and a browser to look at it with."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from mmnb import paths

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory, worker_id) -> Path:
    """The built site. Built from a copy of docs/, because the rendered pages are written beside the written ones."""
    pytest.importorskip("myst_nb", reason="the extra `site` is not installed")
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "site"  # workers share what stands above their own folders
    with FileLock(f"{out}.lock"):
        if not (out / "html" / "index.html").is_file():
            _build(out)
    return out / "html"


def _build(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(paths.root() / "docs", out / "docs", ignore=shutil.ignore_patterns("made", "__pycache__"))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / "doctrees", out / "docs", out / "making"]  # fmt: skip
    environment = os.environ | {"MMNB_ROOT": str(paths.root())}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (out / "making").rename(out / "html")  # a build that failed is not taken for one by the next worker


def find_browser() -> str | None:
    """Chromium, Chrome or Edge: what MMNB_CHROMIUM names, else the first that is installed."""
    given = os.environ.get("MMNB_CHROMIUM")
    if given:
        return given
    found = [shutil.which(name) for name in NAMES] + [name for name in APPLICATIONS if Path(name).is_file()]
    return next((name for name in found if name), None)


@pytest.fixture(scope="session")
def chromium():
    """A running browser that can reach nothing but this computer."""
    required = os.environ.get("MMNB_BROWSER") == "required"
    driver = (
        None if required else pytest.importorskip("playwright.sync_api", reason="the extra `site` is not installed")
    )
    name = find_browser()
    if name is None:
        told = "no Chromium or Chrome found: install one, or name it in MMNB_CHROMIUM"
        pytest.fail(told) if required else pytest.skip(told)
    if driver is None:
        import playwright.sync_api as driver
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu"]
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=name, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(site_folder):
    """The site as a web server on this computer offers it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """No line for each request."""

    handler = functools.partial(Quiet, directory=str(site_folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
