"""Fresh, stale, missing: which change is noticed, and which file is named."""

import json

import pytest

from mmnb.runner import fingerprint

SLUG = "01_one"


@pytest.fixture
def built(project):
    """A notebook with committed products made by hand."""
    project.add(SLUG)
    figure = project.root / "figures" / SLUG / "gap.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"picture")
    results = project.root / "data" / "results" / f"{SLUG}.json"
    results.write_text(json.dumps({"figures": {"gap": {"sha256": fingerprint.sha256(figure)}}}), encoding="utf-8")
    taken = fingerprint.fingerprint(SLUG, ["mmnb.paths"], [])
    metadata = {"mmnb": {**taken, "results_sha256": fingerprint.sha256(results)}}
    product = project.root / "notebooks" / f"{SLUG}.ipynb"
    product.write_text(json.dumps({"metadata": metadata}), encoding="utf-8")
    return project.root


def test_fresh(built):
    assert fingerprint.status(SLUG) == fingerprint.Status(SLUG, "fresh")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("notebooks/01_one.py", "notebooks/01_one.py changed"),
        ("data/claims/01_one.yaml", "data/claims/01_one.yaml changed"),
        ("data/results/01_one.json", "data/results/01_one.json differs"),
        ("figures/01_one/gap.png", "figures/01_one/gap.png differs"),
    ],
)
def test_a_change_makes_it_stale_and_is_named(built, file, reason):
    path = built / file
    path.write_bytes(path.read_bytes() + b" ")
    state = fingerprint.status(SLUG)
    assert state.state == "stale"
    assert len(state.reasons) == 1 and state.reasons[0].startswith(reason)


def test_a_module_that_changed_or_went_is_named(built, monkeypatch, tmp_path):
    package = tmp_path / "mmnb"
    (package / "lab").mkdir(parents=True)
    for module in ("paths.py", "lab/__init__.py", "lab/run.py"):
        (package / module).write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    taken = fingerprint.fingerprint(SLUG, ["mmnb.paths"], [])
    assert set(taken["package_sha256"]) == {"mmnb.paths", "mmnb.lab", "mmnb.lab.run"}
    assert fingerprint.changes(SLUG, taken) == []
    (package / "paths.py").write_text("x = 2\n", encoding="utf-8")
    (package / "lab" / "run.py").unlink()
    (package / "lab" / "new.py").write_text("", encoding="utf-8")
    assert set(fingerprint.changes(SLUG, taken)) == {
        "mmnb/paths.py changed",
        "mmnb/lab/run.py is gone",
        "mmnb/lab/new.py is new",
    }


def test_line_ends_do_not_count_in_text_but_do_in_pictures(tmp_path):
    for name, same in (("a.py", True), ("a.png", False)):
        file = tmp_path / name
        file.write_bytes(b"x\n")
        before = fingerprint.sha256(file)
        file.write_bytes(b"x\r\n")
        assert (fingerprint.sha256(file) == before) is same


def test_a_file_edited_during_the_run_makes_the_result_stale(project):
    project.add(SLUG)
    before = fingerprint.everything(SLUG)
    source = project.root / "notebooks" / f"{SLUG}.py"
    source.write_text(source.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    taken = fingerprint.restrict(before, SLUG, ["mmnb.paths"], [])
    assert "mmnb.paths" in taken["package_sha256"] and "mmnb.cli" not in taken["package_sha256"]
    assert fingerprint.changes(SLUG, taken) == [f"notebooks/{SLUG}.py changed"]


@pytest.mark.parametrize("product", [f"notebooks/{SLUG}.ipynb", f"data/results/{SLUG}.json"])
def test_a_missing_product(built, product):
    (built / product).unlink()
    state = fingerprint.status(SLUG)
    assert state.state == "missing" and state.reasons[0] == f"no {product}"


def test_pictures_that_nobody_draws_or_that_are_gone(built):
    folder = built / "figures" / SLUG
    (folder / "gap.png").rename(folder / "old.png")
    assert fingerprint.status(SLUG).reasons == (
        f"figures/{SLUG}/old.png is not drawn by the notebook any more",
        f"figures/{SLUG}/gap.png is gone",
    )


@pytest.mark.parametrize("content", ["", "{}", '{"metadata": {"mmnb": {}}}', '{"metadata": {"mmnb": 3}}'])
def test_a_damaged_product_is_stale_not_a_crash(built, content):
    (built / "notebooks" / f"{SLUG}.ipynb").write_text(content, encoding="utf-8")
    assert fingerprint.status(SLUG).state == "stale"
