"""The parts that the site is made of: where the repository is, what a notebook's page begins with, what is folded, what to call."""

import importlib
import inspect
import re
import subprocess
import sys

import nbformat
import pytest

from mmnb import paths

sys.path.insert(0, str(paths.root() / "docs"))

import api
import executed
import repository

REMOTES = {
    "https://github.com/owner/name.git": "https://github.com/owner/name",
    "https://user:secret@github.com/owner/name": "https://github.com/owner/name",
    "git@example.org:group/sub/name.git": "https://example.org/group/sub/name",
    "ssh://git@example.org:2222/owner/name/": "https://example.org/owner/name",
    "/srv/git/name.git": None,
    "../elsewhere/name": None,
    "file:///srv/git/name": None,
    "C:/git/name": None,
    "http://127.0.0.1:3000/owner/name": None,
    "https://localhost/owner/name": None,
    "https://git.internal/owner/name": None,
    "https://example.org": None,
    "": None,
}


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A checkout of which nothing is known."""
    for name in ("MMNB_REPOSITORY", "MMNB_BRANCH", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(("remote", "page"), REMOTES.items())
def test_a_remote_as_a_page(remote, page):
    assert repository.address(remote) == page


def test_without_a_remote_there_is_no_repository(bare):
    assert repository.find(bare) is None
    subprocess.run(["git", "-C", str(bare), "remote", "add", "origin", "/srv/git/name.git"], check=True)
    assert repository.find(bare) is None


def test_the_remote_then_githubs_variables_then_ours(bare, monkeypatch):
    subprocess.run(["git", "-C", str(bare), "remote", "add", "origin", "git@example.org:a/b.git"], check=True)
    assert repository.find(bare) == repository.Repository("https://example.org/a/b", "main")
    monkeypatch.setenv("GITHUB_REPOSITORY", "c/d")
    monkeypatch.setenv("GITHUB_REF_NAME", "next")
    assert repository.find(bare) == repository.Repository("https://github.com/c/d", "next")
    monkeypatch.setenv("MMNB_REPOSITORY", "https://example.org/e/f")
    monkeypatch.setenv("MMNB_BRANCH", "trunk")
    assert repository.find(bare) == repository.Repository("https://example.org/e/f", "trunk")
    monkeypatch.setenv("MMNB_REPOSITORY", "")
    assert repository.find(bare) is None
    monkeypatch.setenv("MMNB_REPOSITORY", "no address")
    with pytest.raises(ValueError, match="got 'no address'; expected an address"):
        repository.find(bare)


def test_links_to_run_are_there_where_they_lead_somewhere():
    slug, github = "01_emap", repository.Repository("https://github.com/o/n", "main")
    targets = re.findall(r"\]\((https://[^)]+)\)", executed.links(slug, github))
    assert targets == [
        "https://github.com/o/n/blob/main/notebooks/01_emap.ipynb",
        "https://colab.research.google.com/github/o/n/blob/main/notebooks/01_emap.ipynb",
        "https://mybinder.org/v2/gh/o/n/main?labpath=notebooks%2F01_emap.ipynb",
    ]
    elsewhere = repository.Repository("https://example.org/o/n", "main")
    assert re.findall(r"https://[^)]+", executed.links(slug, elsewhere)) == [elsewhere.file("notebooks/01_emap.ipynb")]
    assert "https" not in executed.links(slug, None) and "{download}" in executed.links(slug, None)


@pytest.mark.parametrize(
    ("source", "tags", "caption", "name"),
    [
        ("x = 1", [], "", None),
        ("x = 1", ["parameters"], "", None),
        ("x = 1\n" * executed.SHORT, [], "", None),
        ("x = 1\n" * executed.SHORT + "x", [], "", "details"),
        ("run = mmnb.start('01_emap')", [], "", "set-up"),
        ("run.record('a', 1)", [], "", "results"),
        ("draw()", [], "**Figure 5b.2.** A caption.", "figure 5b.2"),
        ("def f(): ...", ["exercise-01a"], "", "a solution of 01a"),
    ],
)
def test_what_is_folded(source, tags, caption, name):
    shown = [nbformat.v4.new_output("display_data", {"text/markdown": caption})] if caption else []
    assert executed.fold(nbformat.v4.new_code_cell(source, metadata={"tags": tags}, outputs=shown)) == name


def test_a_term_of_the_glossary_is_a_keyword_of_the_notebook_that_it_names_first():
    assert executed.glossary()["modality gap"] == ["04"]
    assert executed.keywords("04_modality_gap")[0] == "modality gap" and "cone effect" in executed.keywords(
        "04_modality_gap"
    )
    assert executed.glossary()["InfoNCE"] == executed.glossary()["contrastive loss"] == ["04"]  # two names of one entry
    assert executed.glossary()["score"] == []
    assert executed.keywords("05b_more_estimators") == ["more estimators"]


def test_a_work_is_cited_where_the_bibliography_has_exactly_one(monkeypatch):
    monkeypatch.setattr(
        executed, "works", lambda: {("hessel", "2020"): [("hl", "")], ("wang", "2020"): [("one", ""), ("two", "")]}
    )
    text = "* Hessel & Lee 2020, EMNLP; Wang, Tran & Feiszli 2020, CVPR; Nobody 1999."
    assert executed.cite(text) == text.replace("Lee 2020", "Lee 2020 {cite:p}`hl`")


def test_the_link_to_the_bibliography_ends_the_references():
    made = executed.references("text\n## References\n* Nobody 1999.\n\n## Environment\n")
    assert (
        made
        == "text\n## References\n* Nobody 1999.\n\n[Everything cited on this site](../../bibliography.md)\n\n## Environment\n"
    )


@pytest.mark.parametrize("target", sorted({target for _, _, target in api.TASKS}))
def test_what_to_call_exists_and_is_public(target):
    module, name = target.split(".")
    home = importlib.import_module(f"mmnb.instruments.{module}")
    assert name in api.public_names(home) and callable(getattr(home, name))
    assert api.ranked(home)[: len(api.grouped(home)["Call first"])] == api.grouped(home)["Call first"]
    assert name in api.grouped(home)["Call first"]


def test_every_call_in_the_table_names_its_target():
    for _, call, target in api.TASKS:
        assert target.split(".")[1] in call, call


def test_every_public_name_of_an_instrument_is_on_its_page_once():
    for name in api.instruments():
        module = importlib.import_module(f"mmnb.instruments.{name}")
        listed = [key for names in api.grouped(module).values() for key in names]
        assert sorted(listed) == sorted(api.public_names(module))
        page = api.instrument(name)
        for key in listed:
            value = getattr(module, key)
            documented = inspect.isclass(value) or inspect.isroutine(value)
            assert (
                len(re.findall(rf"^\.\. auto\w+:: {re.escape(module.__name__)}\.{key}$", page, re.MULTILINE))
                == documented
            ), key
