"""The site in a real browser: nothing breaks, nothing leaves this computer, and it can be read by everybody, on a telephone and in the dark."""

import json
from pathlib import Path

import pytest

from mmnb import paths
from mmnb.course.grading import report
from mmnb.course.grading.folder import Submission
from mmnb.course.grading.judge import Grade
from mmnb.runner import selection

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Contrast is a matter of looks, and a page shows the same look thousands of times: with one of each, axe is done in seconds.
THIN_CODE = """() => {
  const look = (element) => { const { color, fontWeight, backgroundColor } = getComputedStyle(element); return [color, fontWeight, backgroundColor].join(); };
  const seen = new Set();
  for (const block of document.querySelectorAll("pre")) {
    const ground = look(block) + look(block.parentElement);
    for (const span of block.querySelectorAll("span")) {
      const key = ground + look(span);
      if (seen.has(key)) span.replaceWith(span.textContent);
      else seen.add(key);
    }
    block.normalize();
  }
}"""
THIN_TABLES = """() => {
  for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(3).forEach((row) => row.remove());
  [...document.querySelectorAll("math")].slice(3).forEach((formula) => formula.remove());
  for (const block of document.querySelectorAll("pre"))
    for (const text of [...block.childNodes].filter((node) => node.nodeType === 3)) text.data = text.data.slice(0, 40);
}"""
PAGES = [
    *sorted({file.stem for file in (paths.root() / "docs").glob("*.md")} - {"verdicts"}), "search", "genindex",
    "made/notebooks", "made/verdicts", "made/gallery", "made/times", "made/instruments", "made/inputs",
    *(f"made/instruments/{file.stem}" for file in sorted((paths.root() / "mmnb" / "instruments").iterdir()) if file.stem[0] != "_"),
    *(f"made/notebooks/{slug}" for slug in selection.available() if (paths.root() / "notebooks" / f"{slug}.ipynb").is_file()),
]  # fmt: skip
# no transition: a colour that is still on its way is nobody's fault
STILL = "const still = new CSSStyleSheet(); still.replaceSync('* { transition: none !important; animation: none !important }'); document.adoptedStyleSheets.push(still)"
# what stands out on the right although no box around it scrolls
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const boxed = (one) => one.parentElement && (getComputedStyle(one.parentElement).overflowX !== "visible" || boxed(one.parentElement));
  const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width + 1 && !boxed(one));
  return [`${document.documentElement.scrollWidth} px`, ...out.slice(0, 5).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`)];
}"""
AXE = """async ([rules, wanted]) => {
  const found = await axe.run(document, { preload: false, resultTypes: ["violations", "incomplete"], ...rules });
  const told = (fault, nodes) => [fault.id, fault.impact, nodes.slice(0, 3).map((node) => [node.html.slice(0, 150), node.failureSummary.slice(0, 300)])];
  // text in the very colour of its ground: axe wants a human to look at it, and so do we
  const unseen = (node) => node.any.some((check) => check.data && check.data.messageKey === "equalRatio");
  return [
    ...found.violations.filter((fault) => wanted.includes(fault.impact)).map((fault) => told(fault, fault.nodes)),
    ...found.incomplete.filter((fault) => fault.nodes.some(unseen)).map((fault) => told(fault, fault.nodes.filter(unseen))),
  ];
}"""
EVERYTHING_BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}
CONTRAST = {"runOnly": ["color-contrast"]}
SERIOUS = ["serious", "critical"]


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, as the package that carries it has it."""
    return (Path(pytest.importorskip("axe_playwright_python").__file__).parent / "axe.min.js").read_text(
        encoding="utf-8"
    )


class Window:
    """A page that writes down whatever goes wrong while it is open, and every address it asks for."""

    def __init__(self, page, address: str):
        self.page, self.address = page, address
        self.wrong: list[str] = []
        self.away: list[str] = []
        page.on("console", lambda message: message.type in ("error", "warning") and self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        page.on("response", lambda answer: answer.status >= 400 and self.wrong.append(f"{answer.status}: {answer.url}"))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:", "file:")):
            self.away.append(url)

    def open(self, name: str, size: dict = WIDE) -> None:
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(size)
        self.page.goto(f"{self.address}/{name}.html", wait_until="load")
        self.page.evaluate(STILL)

    def faults(self, axe: str, rules: dict) -> list:
        self.page.evaluate(axe)
        return self.page.evaluate(AXE, [rules, SERIOUS])


@pytest.fixture
def window(chromium, address):
    context = chromium.new_context(viewport=WIDE, reduced_motion="reduce")
    yield Window(context.new_page(), address)
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page(name, window, axe):
    """Light and dark, as wide as a desk's screen and as narrow as a telephone's."""
    page = window.page
    window.open(name, NARROW)
    pictures = page.evaluate(
        "[...document.images].map((one) => [one.src, one.alt, one.complete && one.naturalWidth > 0])"
    )
    assert [source for source, alt, _ in pictures if len(alt) < 20] == [], "pictures without an alternative text"
    assert [source for source, _, shown in pictures if not shown] == [], "pictures that are not there"

    assert page.evaluate(STICKS_OUT) == []
    page.evaluate(THIN_CODE)
    assert window.faults(axe, {"runOnly": ["scrollable-region-focusable"]}) == []
    page.set_viewport_size(WIDE)
    assert window.faults(axe, EVERYTHING_BUT_CONTRAST) == []

    page.evaluate(THIN_TABLES)
    assert window.faults(axe, CONTRAST) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    backgrounds = page.evaluate(
        "[...document.querySelectorAll('main img')].map((one) => getComputedStyle(one).backgroundColor)"
    )
    assert set(backgrounds) <= {"rgb(255, 255, 255)"}, "a plot on a dark ground"
    assert window.faults(axe, CONTRAST) == []
    assert window.wrong == []
    assert window.away == []


def test_every_page_was_looked_at(site_folder):
    written = {
        file.relative_to(site_folder).with_suffix("").as_posix()
        for file in site_folder.rglob("*.html")
        if "_static" not in file.parts
    }
    assert written == set(PAGES)


SEARCHED = {"modality gap": "04_", "UMT": "06_", "G-Blend": "07_"}


@pytest.mark.parametrize("words", SEARCHED)
@pytest.mark.parametrize("over", ["http", "file"])
def test_the_search_finds_the_notebook_of_a_term_first(window, site_folder, over, words):
    """From a web server, and from the folder as a double click opens it."""
    window.address = window.address if over == "http" else site_folder.as_uri()
    window.page.goto(f"{window.address}/search.html?q={words.replace(' ', '+')}")
    window.page.wait_for_selector("#search-results li a", timeout=20_000)
    first = window.page.locator("#search-results li a").first.get_attribute("href")
    assert f"made/notebooks/{SEARCHED[words]}" in first
    assert window.away == []
    if over == "http":  # from a folder, browsers refuse to fetch the lines around each hit
        assert window.wrong == []


def test_one_button_opens_and_folds_all_code(window):
    window.open("made/notebooks/01_emap")
    folded = window.page.locator("div.cell details.hide")
    states = "all => all.map((one) => one.open)"
    assert folded.count() > 5 and set(folded.evaluate_all(states)) == {False}
    window.page.get_by_role("button", name="Show all code").click()
    assert set(folded.evaluate_all(states)) == {True}
    window.page.get_by_role("button", name="Fold all long code").click()
    assert set(folded.evaluate_all(states)) == {False}


def test_verdicts_are_cards_on_a_telephone_and_a_table_on_a_desk(window):
    """In both they stay a table for screen readers."""
    for size, shown in ((NARROW, "block"), (WIDE, "table-row")):
        window.open("made/verdicts", size)
        row = window.page.locator("table.cards tbody tr").first
        assert row.evaluate("row => getComputedStyle(row).display") == shown
        assert row.get_attribute("role") == "row"


def test_a_word_that_stands_nowhere_is_not_found(window):
    window.page.goto(f"{window.address}/search.html?q=quetzalcoatlus")
    window.page.wait_for_function(
        "document.querySelector('#search-results').textContent.includes('did not match')", timeout=20_000
    )


def test_the_menu_opens_on_a_telephone_and_leads_to_a_notebook(window):
    window.open("index", NARROW)
    window.page.locator(
        ".primary-toggle:visible, .sbt-sidebar-toggle-button:visible, button[aria-label*='sidebar']:visible"
    ).first.click()
    window.page.locator("a:visible", has_text="Notebooks").last.click()
    window.page.wait_for_url("**/made/notebooks.html")
    assert window.wrong == []


def test_the_page_of_grades(window, axe, tmp_path):
    """What `mmnb grade` hands to a teacher, with all that can be told of an exercise."""
    states = ("right", "wrong", "error", "stopped", "not attempted", "missing")
    grades = tuple(
        Grade(f"01{state[0]}", "The projection", 2 * (state == "right"), 2, state, f"{state}: " + "a long word" * 20)
        for state in states
    )
    submissions = [
        Submission(f"student-{number}", "a.ipynb", "01_emap", grades, "cannot be read" if number else None)
        for number in range(3)
    ]
    report.write(submissions, 7, tmp_path)
    window.page.set_viewport_size(NARROW)
    window.page.goto((tmp_path / "grades.html").as_uri())
    window.page.locator("summary").first.click()
    for scheme in ("light", "dark"):
        window.page.emulate_media(color_scheme=scheme)
        assert window.faults(axe, {}) == []
    assert window.page.evaluate(STICKS_OUT) == []
    assert (window.wrong, window.away) == ([], [])


PLANTED = """<!doctype html><html lang="en"><title>planted</title><main><h1>Planted</h1>
<p style="color: #999; background: #aaa">hardly legible</p><p style="color: #aaa; background: #aaa">unseen</p><button></button><img src="https://elsewhere.invalid/a.png">
<div style="width: 900px">wide</div><script>console.error("broken")</script></main></html>"""


def test_what_is_looked_for_is_found_where_it_is(window, axe, tmp_path):
    """A page with every fault, so that the tests above can fail."""
    file = tmp_path / "planted.html"
    file.write_text(PLANTED, encoding="utf-8")
    window.page.set_viewport_size(NARROW)
    window.page.goto(file.as_uri())
    assert window.away == ["https://elsewhere.invalid/a.png"]
    assert any("broken" in line for line in window.wrong)
    assert any("elsewhere.invalid" in line for line in window.wrong)
    assert window.page.evaluate(STICKS_OUT)
    found = json.dumps(window.faults(axe, EVERYTHING_BUT_CONTRAST))
    assert "button-name" in found and "image-alt" in found
    found = json.dumps(window.faults(axe, CONTRAST))
    assert "hardly legible" in found and "unseen" in found
