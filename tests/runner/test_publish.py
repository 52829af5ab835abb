"""The committed products: the same everywhere, complete or not touched at all."""

import json
import os
import sys

import nbformat
import pytest

from mmnb.runner import convert, fingerprint, publish

SLUG = "01_one"
HOME, ROOT = "/home", "/root"  # apart from what follows, so that this file shows no path of a computer
README = "# demo\n<!-- summary:begin -->\nold\n<!-- summary:end -->\n<!-- gallery:begin -->\n<!-- gallery:end -->\n"
BODY = """\
# %%
import sys
print("in", os.environ["MMNB_ROOT"] + "/data")
print("progress 10%", file=sys.stderr)
1 + 1

# %% [markdown]
# A picture.

# %%
(out / "figures").mkdir()
(out / "figures" / "gap.png").write_bytes(b"picture")
(out / "figures" / ".gap-1.part.png").write_bytes(b"half")
content["figures"] = {"gap": {"sha256": hashlib.sha256(b"picture").hexdigest(), "alt": "a", "caption": "c", "number": "1.1"}}
(out / "figures" / "figures.json").write_text("{}")
"""


@pytest.fixture
def ran(project):
    """A project whose one notebook ran successfully; the run is made once and copied for each test."""
    project.add(SLUG, BODY)
    (project.root / "README.md").write_text(README, encoding="utf-8")
    (project.root / "pyproject.toml").write_text('[project]\nlicense = "MIT"\nrequires-python = ">=3.11,<3.14"\n')
    return project


@pytest.fixture
def built(ran):
    run = ran.mmnb("build")
    assert run.returncode == 0, run.stderr + run.stdout
    return ran


def product(project) -> nbformat.NotebookNode:
    return nbformat.read(project.root / "notebooks" / f"{SLUG}.ipynb", as_version=4)


def state(project) -> dict[str, bytes]:
    files = [*(project.root / "notebooks").rglob("*"), *(project.root / "figures").rglob("*")]
    files += (project.root / "data").rglob("*")
    return {file.relative_to(project.root).as_posix(): file.read_bytes() for file in files if file.is_file()}


def test_build_refreshes_every_product_and_refuses_what_is_not_fit(built, monkeypatch):
    notebook = product(built)
    source = convert.to_notebook(built.root / "notebooks" / f"{SLUG}.py")
    assert [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells] == [
        (cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in source.cells
    ], "exactly the cells of the source: no injected parameters, no times"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert [output.output_type for output in outputs] == [
        "stream",
        "execute_result",
        *["execute_result"] * (len(outputs) - 2),
    ]
    assert outputs[0].text == "in ./data\n", "the folder of the checkout has no name; standard error is gone"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "mmnb"}
    assert {"source_sha256", "package_sha256", "data_sha256", "profile", "seed", "versions", "cpu_seconds"} < set(
        notebook.metadata.mmnb
    )
    assert str(built.root) not in json.dumps(notebook)

    results = json.loads((built.root / "data" / "results" / f"{SLUG}.json").read_text(encoding="utf-8"))
    assert "cpu_seconds" not in results and results["records"]["demo.one"]["value"] == 1.0
    assert sorted(file.name for file in (built.root / "figures" / SLUG).iterdir()) == ["figures.json", "gap.png"]
    readme = (built.root / "README.md").read_text(encoding="utf-8")
    assert "| all | 2 |" in readme and "old" not in readme
    assert "One is one." in (built.root / "docs" / "verdicts.md").read_text(encoding="utf-8")
    assert fingerprint.status(SLUG) == fingerprint.Status(SLUG, "fresh")

    # publishing again gives the same bytes, and what a picture was replaces what it is
    folder, before = built.folder(SLUG), state(built)
    (built.root / "figures" / SLUG / "old.png").write_bytes(b"x")
    publish.publish(SLUG, folder)
    assert state(built) == before

    # everything that makes a run unfit leaves every product as it was
    def refused(message: str) -> None:
        with pytest.raises(ValueError, match=message):
            publish.publish(SLUG, folder)
        assert state(built) == before

    executed, result = folder / f"{SLUG}.ipynb", folder / "result.json"
    original, outcome = executed.read_text(encoding="utf-8"), json.loads(result.read_text(encoding="utf-8"))
    monkeypatch.setattr(publish, "LIMIT", 1000)
    refused(r"01_one.ipynb would have \d+ KB; at most 1 are allowed")
    monkeypatch.undo()
    monkeypatch.setenv("MMNB_ROOT", str(built.root))
    executed.write_text(original.replace("in " + str(built.root.resolve()), f"in {HOME}/somebody"), encoding="utf-8")
    refused(f"shows the path {HOME}/somebody of this computer")
    executed.write_text(original.replace("A picture.", "Another."), encoding="utf-8")
    refused("has other cells than its source")
    executed.write_text(original, encoding="utf-8")
    for change in ({"profile": "smoke"}, {"seed": 1}, {"status": "failed"}):
        result.write_text(json.dumps(outcome | change), encoding="utf-8")
        refused("expected \\('ok', 'laptop', 0\\)")
    result.write_text(json.dumps(outcome), encoding="utf-8")
    claims = built.root / "data" / "claims" / f"{SLUG}.yaml"
    claims.write_text(claims.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = state(built)
    refused("was run from other files than those on disk: data/claims/01_one.yaml changed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process that ends itself")
def test_a_build_killed_at_any_step_is_whole_or_not_at_all(built):
    """The second build draws another picture and drops one; it is ended at each step that changes the file system, and the next finishes."""
    folder = built.folder(SLUG)
    (built.root / "figures" / SLUG / "old.png").write_bytes(b"x")
    before = state(built)
    (folder / "figures" / "gap.png").write_bytes(b"another")
    (folder / "figures" / "more.png").write_bytes(b"more")
    publish.publish(SLUG, folder)
    after, found, step, status = state(built), [], 0, 1
    assert f"figures/{SLUG}/old.png" in before and f"figures/{SLUG}/old.png" not in after
    assert after[f"figures/{SLUG}/gap.png"] == b"another" and after[f"figures/{SLUG}/more.png"] == b"more"
    while status:
        for name in after:
            (built.root / name).unlink(missing_ok=True)
        for name, content in before.items():
            (built.root / name).write_bytes(content)
        step += 1
        status = os.waitpid(fork_and_end_at(step, folder), 0)[1]
        with publish.alone():
            publish.finish()
        found.append((before, after).index(state(built)))  # neither is a ValueError
        left = [path.name for path in built.root.rglob(".*") if path.name != ".lock" and "runs" not in path.parts]
        assert left == [] and [path.name for path in (built.root / "build" / "publish").iterdir()] == [".lock"]
    assert found == sorted(found) and found.count(0) > 10 < found.count(1), "old until one step, new from there on"


def fork_and_end_at(step: int, folder) -> int:
    """A process that publishes and, at its `step`-th change of the file system, ends as by kill -9."""
    if child := os.fork():
        return child
    left = [step]

    def end(event: str, arguments: tuple) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"):
            left[0] -= 1
            if not left[0]:
                os._exit(9)

    sys.addaudithook(end)
    try:
        with publish.alone():
            publish.publish(SLUG, folder)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_failed_run_changes_no_product(ran):
    ran.add(SLUG, "# %%\n1 / 0\n")
    before = state(ran)
    run = ran.mmnb("build")
    assert run.returncode == 1 and "not published, because its run failed" in run.stderr
    assert state(ran) == before


def cell(*outputs: dict) -> nbformat.NotebookNode:
    made = nbformat.v4.new_code_cell("x", id="a", execution_count=7)
    made.outputs = [nbformat.from_dict(output) for output in outputs]
    return nbformat.v4.new_notebook(cells=[made])


def test_normalise_drops_standard_error_and_widgets_and_renumbers():
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0%|  | 0/3"}
    executed = cell(
        {"output_type": "stream", "name": "stderr", "text": "warning"},
        {"output_type": "display_data", "data": widget, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "3", "image/png": "abc="}, "metadata": {"image/png": {"alt": "a"}}, "execution_count": 7},
    )  # fmt: skip
    (made,) = publish.normalise(cell(), executed).cells
    assert made.execution_count == 1
    assert [dict(output) for output in made.outputs] == [
        {
            "output_type": "execute_result",
            "data": {"text/plain": "3", "image/png": "abc="},
            "metadata": {"image/png": {"alt": "a"}},
            "execution_count": 1,
        }
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"see {HOME}/someone/x", True),
        (f"'{chr(47)}tmp/a'", True),
        (f"C:{chr(92)}Users", True),
        (f"({ROOT}/.cache)", True),
        ("https://a.org/home/x", False),
        ("./data/home/x", False),
        (f"~{chr(47)}tmp/x", False),
        ("yes/no and 3/var", False),
        ("$MMNB_DATA/usr/x", False),
    ],
)
def test_what_counts_as_a_path_of_this_computer(text, found):
    assert bool(publish._FOREIGN_PATH.search(text)) is found
