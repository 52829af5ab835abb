"""One bibliography for all notebooks: it parses, names every work once, and holds every identifier that a notebook gives."""

import re
from collections import Counter
from pathlib import Path

import pytest
from pybtex.database import BibliographyData, parse_file, parse_string

from mmnb import paths
from mmnb.runner import selection

BIB = paths.root() / "docs" / "references.bib"
ARXIV = re.compile(r"arxiv(?:\.org/(?:abs|pdf)/|[ :])(\d{4}\.\d{4,5})", re.IGNORECASE)
ANTHOLOGY = re.compile(r"\b(\d{4}\.[a-z]+-[a-z]+\.\d+|[A-Z]\d{2}-\d{4})\b")
DOI = re.compile(r"doi(?:\.org/|[ :]+)(10\.\d{4,}/[^\s,;)\]]+)", re.IGNORECASE)
OPENREVIEW = re.compile(r"openreview(?:\.net/\S*id=| )([A-Za-z0-9_-]{8,})", re.IGNORECASE)
WORK = re.compile(
    r"(?<!\w)([A-ZÀ-Ž][\w'’-]+)(?: (?:et al\.|& [A-Z][\w-]+)|(?:, [A-Z][\w-]+)+ & [A-Z][\w-]+)?,? ((?:19|20)\d\d)\b(?!\.\d)"
)


def bibliography() -> BibliographyData:
    return parse_file(str(BIB), bib_format="bibtex")


def references(slug: str) -> str:
    """The References section of a notebook's source, without comment marks."""
    text = (paths.root() / "notebooks" / f"{slug}.py").read_text(encoding="utf-8")
    found = re.search(r"^# ## References.*?(?=^# ##? |^# %%)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{slug} has no section References"
    return re.sub(r"^# ?", "", found.group(), flags=re.MULTILINE)


def identifiers(text: str) -> set[str]:
    """arXiv numbers, DOIs, and ids of the ACL Anthology and of OpenReview, lower case."""
    return {
        found.lower().rstrip(".") for pattern in (ARXIV, ANTHOLOGY, DOI, OPENREVIEW) for found in pattern.findall(text)
    }


def cited(text: str) -> set[tuple[str, str]]:
    """(first author, year) of every work that is named that way."""
    return {(name.lower(), year) for name, year in WORK.findall(text) if not name.isupper()}  # ICLR 2023 is no author


def known(data: BibliographyData) -> tuple[str, set[tuple[str, str]]]:
    """All fields as one text, and (first author, year) of every entry."""
    fields = " ".join(value for entry in data.entries.values() for value in entry.fields.values()).lower()
    people = set()
    for entry in data.entries.values():
        first = entry.persons["author"][0]
        people.add((first.last_names[-1].lower().strip("{}"), entry.fields["year"]))
    return fields, people


def repeated(data: BibliographyData) -> list[str]:
    """Titles, DOIs and eprints that more than one entry has."""
    plain = [re.sub(r"[^a-z0-9]", "", entry.fields["title"].lower()) for entry in data.entries.values()]
    numbers = [
        entry.fields[key].lower() for entry in data.entries.values() for key in ("doi", "eprint") if key in entry.fields
    ]
    return [text for text, count in Counter(plain + numbers).items() if count > 1]


def test_it_parses_and_every_entry_is_complete():
    data = bibliography()
    assert len(data.entries) > 40
    for key, entry in data.entries.items():
        assert entry.persons.get("author"), key
        assert entry.fields["title"], key
        assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"]), key
        assert key.rpartition("-")[2] == entry.fields["year"], f"{key}: the key ends in another year"


def test_no_work_twice():
    assert repeated(bibliography()) == []


@pytest.mark.parametrize("slug", selection.available())
def test_every_identifier_and_every_work_of_a_notebook_is_in_it(slug):
    text = references(slug)
    fields, people = known(bibliography())
    assert sorted(name for name in identifiers(text) if name not in fields) == []
    assert sorted(cited(text) - people) == []


def test_the_checks_see_what_they_must():
    text = "* Hessel & Lee 2020, [x](https://aclanthology.org/2020.emnlp-main.62/); Wang, Tran & Feiszli 2020, CVPR, [arXiv 1905.12681](…); doi:10.1000/xy.1; OpenReview gfHLOC35Zh; Wilson 1927; submitted to ICLR 2023."
    assert identifiers(text) == {"2020.emnlp-main.62", "1905.12681", "10.1000/xy.1", "gfhloc35zh"}
    assert cited(text) == {("hessel", "2020"), ("wang", "2020"), ("wilson", "1927")}
    twice = "@misc{a-2000, author={A B}, title={One {T}itle}, year=2000, doi={10.1/X}}\n@misc{b-2000, author={A B}, title={One title}, year=2000, doi={10.1/x}}"
    assert sorted(repeated(parse_string(twice, "bibtex"))) == ["10.1/x", "onetitle"]


def test_the_page_shows_all_of_it():
    page = (Path(BIB).parent / "bibliography.md").read_text(encoding="utf-8")
    assert re.search(r"^```\{bibliography\}\n:all:", page, re.MULTILINE)
