"""The site: builds without a warning or a network, every picture has a text, every link inside it leads somewhere."""

import importlib
import json
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from mmnb import paths
from mmnb.runner import selection

sys.path.insert(0, str(paths.root() / "docs"))

BUILT = [slug for slug in selection.available() if (paths.root() / "notebooks" / f"{slug}.ipynb").is_file()]
TERMS = [
    "UMT",
    "UME",
    "G-Blend",
    "OGM-GE",
    "OGR",
    "EMAP",
    "shares",
    "PID",
    "redundancy",
    "synergy",
    "BROJA",
    "KSG",
    "MINE",
    "FGSM",
    "cross-fitting",
    "probe",
    "laziness",
    "verdict",
]
TERMS += ["DV bound", "Shapley value", "unique information", "modality gap"]


class Page(HTMLParser):
    """What a page refers to: (tag, attributes), and its anchors."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}


@pytest.fixture(scope="module")
def site(site_folder):
    """The built site: its folder, and path -> Page."""
    files = [file for file in site_folder.rglob("*.html") if "_static" not in file.parts]
    return site_folder, {file.relative_to(site_folder): Page(file.read_text(encoding="utf-8")) for file in files}


def test_every_notebook_and_instrument_has_a_page(site):
    _, pages = site
    names = {page.as_posix() for page in pages}
    for slug in selection.available():
        if (paths.root() / "notebooks" / f"{slug}.ipynb").is_file():
            assert f"made/notebooks/{slug}.html" in names
    for name in (
        "index",
        "made/verdicts",
        "made/gallery",
        "made/times",
        "made/instruments/emap",
        "made/instruments/gap",
        "course",
        "glossary",
    ):
        assert f"{name}.html" in names


def test_nothing_is_loaded_from_elsewhere(site):
    """Links may lead away; pictures, scripts and styles must not."""
    folder, pages = site
    loaded = [
        (page, tag, found[key]) for page, content in pages.items() for tag, found in content.tags
        for key in ("src", "href") if key in found and tag in ("img", "script", "link", "iframe", "source")
    ]  # fmt: skip
    assert len(loaded) > 50
    assert [
        entry
        for entry in loaded
        if urlsplit(entry[2] or "").scheme in ("http", "https") or (entry[2] or "").startswith("//")
    ] == []
    styles = "\n".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", styles) == []


def test_every_picture_of_a_notebook_has_an_alternative_text(site):
    _, pages = site
    pictures = [
        found for page, content in pages.items() if "made" in page.parts for tag, found in content.tags if tag == "img"
    ]
    assert len(pictures) >= 16
    assert [found["src"] for found in pictures if len(found.get("alt") or "") < 20] == []


def test_every_link_inside_leads_somewhere(site):
    folder, pages = site
    broken = []
    for page, content in pages.items():
        for tag, found in content.tags:
            link = urlsplit(found.get("href") or "#")
            if tag != "a" or link.scheme or link.netloc:
                continue
            target = (folder / page.parent / unquote(link.path)).resolve() if link.path else folder / page
            known = pages.get(target.relative_to(folder)) if target.suffix == ".html" and target.is_file() else None
            if not target.is_file() or (known and link.fragment and unquote(link.fragment) not in known.anchors):
                broken.append(f"{page}: {found['href']}")
    assert broken == []


def test_the_glossary_has_terms_that_can_be_linked(site_folder):
    page = (site_folder / "glossary.html").read_text(encoding="utf-8")
    terms = {
        re.sub(r"<[^>]+>", "", term).rstrip("#¶") for term in re.findall(r"<dt[^>]*id=\"term-.*?</dt>", page, re.DOTALL)
    }
    assert [term for term in TERMS if term not in terms] == []
    assert '<a class="reference internal" href="made/notebooks/06_' in page.split('id="term-UMT"')[1].split("</dd>")[0]


def test_the_start_page_has_answers_a_figure_installation_and_ones_own_model(site):
    _, pages = site
    found = [
        attributes
        for _, attributes in next(page for name, page in pages.items() if name.as_posix() == "index.html").tags
    ]
    links = {attributes.get("href") for attributes in found}
    assert {
        "installation.html",
        "own_model.html",
        "made/verdicts.html",
        *(f"made/notebooks/{slug}.html" for slug in BUILT),
    } <= links
    pictures = [attributes for attributes in found if "src" in attributes and "alt" in attributes]
    assert len(pictures) == 1 and re.fullmatch(r"width: \d+px;", pictures[0]["style"])


@pytest.mark.parametrize("slug", BUILT)
def test_a_notebook_can_be_downloaded_as_it_is_committed(site, slug):
    folder, pages = site
    page = next(page for name, page in pages.items() if name.as_posix() == f"made/notebooks/{slug}.html")
    files = [
        folder / "made" / "notebooks" / one["href"]
        for tag, one in page.tags
        if tag == "a" and "download" in one.get("class", "")
    ]
    assert sorted(file.name for file in files) == [f"{slug}.ipynb", f"{slug}.py"]
    for file in files:
        assert file.resolve().read_bytes() == (paths.root() / "notebooks" / file.name).read_bytes()


@pytest.mark.parametrize("slug", BUILT)
def test_long_code_is_folded_and_figures_have_their_width(site_folder, slug):
    executed = importlib.import_module("executed")
    text = (site_folder / "made" / "notebooks" / f"{slug}.html").read_text(encoding="utf-8")
    outside = re.sub(r'<details class="[^"]*above-input">.*?</details>', "", text, flags=re.DOTALL)
    shown = re.findall(r"cell_input.*?<pre>(.*?)</pre>", outside, re.DOTALL)
    assert shown and max(len(code.strip().splitlines()) for code in shown) <= executed.SHORT
    assert "Code: set-up, " in text and "BEGIN SOLUTION" not in outside
    cells = nbformat.read(paths.root() / "notebooks" / f"{slug}.ipynb", as_version=4).cells
    widths = [
        out.metadata["image/png"]["width"]
        for cell in cells
        for out in cell.get("outputs", [])
        if "image/png" in out.get("metadata", {})
    ]
    pictures = re.findall(r'<img [^>]*?width="(\d+)"', text)
    assert sorted(map(int, pictures)) == sorted(widths)


def test_references_lead_to_the_bibliography_and_back(site_folder):
    page = (site_folder / "made" / "notebooks" / "01_emap.html").read_text(encoding="utf-8")
    assert "../../bibliography.html#" in page and '"../../bibliography.html"' in page


def test_formulas_are_drawn_by_the_browser(site):
    _, pages = site
    page = next(content for path, content in pages.items() if path.as_posix().endswith("01_emap.html"))
    assert sum(tag == "math" for tag, _ in page.tags) > 10
    assert not any("mathjax" in (found.get("src") or "").lower() for tag, found in page.tags if tag == "script")


def test_the_search_knows_the_modality_gap(site):
    folder, _ = site
    text = (folder / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip(");\n"))
    both = set.intersection(
        *({index["docnames"][number] for number in _places(index, word)} for word in ("modal", "gap"))
    )
    assert "made/notebooks/04_modality_gap" in both


@pytest.mark.parametrize("slug", BUILT)
def test_a_notebook_is_a_main_entry_of_the_index_for_its_name_and_its_terms(site_folder, slug):
    executed = importlib.import_module("executed")
    text = (site_folder / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip(");\n"))
    page = index["docnames"].index(f"made/notebooks/{slug}")
    for word in executed.keywords(slug):
        assert page in [document for document, _, main in index["indexentries"][word.lower()] if main], word


def _places(index: dict, word: str) -> set[int]:
    """Pages with a (stemmed) word in their text or in a heading, which Sphinx keeps apart."""
    found = (index[where].get(word, []) for where in ("terms", "titleterms"))
    return {number for places in found for number in ([places] if isinstance(places, int) else places)}
