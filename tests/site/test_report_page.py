"""The report's page in a real browser: nothing asked of the net, nothing on the console, no barrier, no line too wide for a telephone."""

import pytest

import mmnb
from mmnb.data import planted_spaces
from mmnb.data.planted import planted


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Three reports: with warnings, on embeddings, a comparison."""
    folder = tmp_path_factory.mktemp("reports")
    worlds = [planted(fault, 60) for fault in ("none", "blind to image")]
    reports = [
        mmnb.diagnose(w.model, mmnb.Data(**w.data), progress=False, also=["robustness"], resamples=200) for w in worlds
    ]
    reports.append(mmnb.diagnose(mmnb.Embeddings(**planted_spaces.planted_space("gap that costs", 40))))
    reports.append(reports[0].compare(reports[1]))
    return [report.save(folder / f"{k}.html") for k, report in enumerate(reports)]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1200, "light")])
def test_the_page(pages, chromium, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    for page in pages:
        said.clear(), asked.clear()
        tab.goto(page.as_uri())
        assert (said, asked) == ([], [page.as_uri()])
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        grave = [v["id"] for v in axe.run(tab).response["violations"] if v["impact"] in ("serious", "critical")]
        assert grave == []
    tab.close()
