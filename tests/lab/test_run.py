"""The run object: seeds, sizes, records and their refusals, and what it leaves on disk."""

import hashlib
import json
import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import mmnb
from mmnb import paths
from mmnb.lab import plot


def start(profile="laptop", seed=0):
    return mmnb.start("07_toy", profile=profile, seed=seed)


def finish(run):
    run.record("toy.drop", 29.7, n=15)
    run.not_testable("toy.sign", "no interval")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slug": "07_toy", "profile": "huge"}, "expected one of smoke, laptop, paper"),
        ({"slug": "99_none"}, r"no file .*99_none\.yaml"),
        ({"slug": "07_toy", "seed": -1}, "whole number"),
        ({"slug": "07_toy", "seed": 2**32}, "whole number"),
        ({"slug": "07_toy", "seed": True}, "whole number"),
        ({"slug": "07_toy", "seed": 1.0}, "whole number"),
    ],
)
def test_a_start_that_cannot_work_is_refused(checkout, options, words):
    with pytest.raises(ValueError, match=words):
        mmnb.start(**options)


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_equal_seeds_give_equal_numbers_and_others_do_not(checkout):
    start(seed=3)
    first = draws()
    start(seed=3)
    assert draws() == first
    start(seed=4)
    assert all(a != b for a, b in zip(draws(), first, strict=True))
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_small_profiles_compute_on_one_thread_and_paper_on_what_it_is_given(checkout, profile):
    def threads():
        return [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]

    before = torch.get_num_threads()
    with threadpool_limits(2):
        torch.set_num_threads(2)
        given = threads()  # a library that another test has loaded may have been built for one thread
        start(profile=profile)
        seen = threads()
    torch.set_num_threads(before)
    assert max(given) == 2 and seen == (given if profile == "paper" else [1] * len(given))


def test_generators_are_fresh_and_streams_differ(checkout):
    run = start()
    assert run.rng().random() == run.rng().random() == np.random.default_rng(0).random()
    assert torch.equal(torch.rand(3, generator=run.generator()), torch.rand(3, generator=run.generator()))
    drawn = {run.rng(stream).random() for stream in range(20)}
    assert len(drawn) == 20
    assert len({torch.rand(1, generator=run.generator(stream)).item() for stream in range(20)}) == 20
    assert start(seed=1).rng(2).random() not in drawn
    for stream in (-1, True):
        with pytest.raises(ValueError, match="stream"):
            run.rng(stream)


def test_it_writes_where_it_is_asked_to_and_never_to_the_working_directory(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "checkout" / "data")
    assert start(profile="smoke").out == (checkout.root / "build" / "runs" / "smoke" / "07_toy").resolve()
    monkeypatch.setenv("MMNB_OUT", str(tmp_path / "out"))
    run = start()
    finish(run)
    run.environment()
    assert run.out == (tmp_path / "out").resolve()
    assert (tmp_path / "out" / "records.json").is_file()
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["claims", "published", "results"]


def test_sizes(checkout):
    run = start()
    size = run.sizes(smoke={"n": 1, "seeds": [0]}, laptop={"n": 2, "seeds": [0, 1]}, paper={"n": 3_000, "seeds": []})
    assert size.n == 2
    assert size.seeds == [0, 1]
    assert "| `n` | 1 | **2** | 3,000 |" in size._repr_markdown_()
    assert "laptop (this run)" in size._repr_html_()
    with pytest.raises(AttributeError, match="no size 'm'; there are n, seeds"):
        _ = size.m
    with pytest.raises(ValueError, match="m stands in only one of laptop and smoke"):
        run.sizes(smoke={"n": 1, "m": 1}, laptop={"n": 1}, paper={"n": 1})
    with pytest.raises(ValueError, match="table cannot be the name"):
        run.sizes(smoke={"table": 1}, laptop={"table": 1}, paper={"table": 1})


@pytest.mark.parametrize(
    ("claim", "options", "words"),
    [
        ("toy.dorp", {"value": 1.0}, "unknown claim"),
        ("toy.drop", {"value": float("nan")}, "finite"),
        ("toy.drop", {"value": np.float32("inf")}, "finite"),
        ("toy.drop", {"value": None}, "finite"),
        ("toy.drop", {"value": "29.78"}, "finite"),
        ("toy.drop", {"value": True}, "finite"),
        ("toy.drop", {"value": np.bool_(True)}, "finite"),
        ("toy.drop", {"value": torch.ones(3)}, "single number"),
        ("toy.drop", {"value": np.ones((2, 2))}, "finite"),
        ("toy.drop", {"value": 29.0, "ci": (30.0, 31.0)}, "low <= value <= high"),
        ("toy.drop", {"value": 29.0, "ci": 1.0}, "pair"),
        ("toy.drop", {"value": 29.0, "n": 0}, "above 0"),
        ("toy.drop", {"value": 29.0, "n": True}, "above 0"),
        ("toy.sign", {"value": 1.0}, "got no interval"),
    ],
)
def test_a_record_that_cannot_be_judged_is_refused_on_the_spot(checkout, claim, options, words):
    run = start()
    with pytest.raises(ValueError, match=words):
        run.record(claim, **options)
    assert not run._records


def test_a_claim_is_recorded_once(checkout):
    run = start()
    finish(run)
    for again in (
        lambda: run.record("toy.drop", 1.0),
        lambda: run.not_testable(["toy.drop"], "x"),
        lambda: run.record("toy.sign", 1.0, ci=(0, 2)),
    ):
        with pytest.raises(ValueError, match="already recorded"):
            again()


def test_numbers_of_numpy_and_torch_are_kept_as_plain_numbers(checkout):
    run = start()
    run.record("toy.drop", torch.tensor(29.5), ci=np.array([29.0, 30.0]), n=np.int64(15), note="fine")
    run.record("toy.sign", np.float64(1), ci=(torch.tensor(0.5), 2))
    run.verdicts()
    records = json.loads((run.out / "records.json").read_text(encoding="utf-8"))["records"]
    assert records["toy.drop"] == {
        "value": 29.5, "ci": [29.0, 30.0], "n": 15, "note": "fine", "unavailable": None, "verdict": "reproduced", "reason": None,
    }  # fmt: skip
    assert records["toy.sign"]["ci"] == [0.5, 2.0]


def test_an_unrecorded_claim_stops_the_notebook(checkout):
    run = start()
    run.record("toy.drop", 29.7)
    for ending in (run.verdicts, run.environment):
        with pytest.raises(ValueError, match=r"neither recorded nor marked as not testable: toy\.sign"):
            ending()
    assert not (run.out / "records.json").exists()


def test_missing_data_marks_its_claims_and_hides_private_folders(checkout):
    run = start()
    assert run.need(lambda: 5, claims=["toy.sign"]) == 5

    def absent():
        raise mmnb.DataUnavailable(f"no {Path.home() / 'cache' / 'x.npy'}, no {paths.root() / 'data'}, 3 MB, MIT")

    assert run.need(absent, claims=["toy.sign"]) is None
    at_home, inside = os.path.join("~", "cache", "x.npy"), os.path.join(".", "data")
    assert run._records["toy.sign"]["unavailable"] == f"no {at_home}, no {inside}, 3 MB, MIT"
    assert run._records["toy.sign"]["verdict"] == "not testable here"
    with pytest.raises(ValueError, match="unknown claim"):
        run.need(lambda: pytest.fail("loaded although the claim is unknown"), claims=["toy.typo"])
    with pytest.raises(ZeroDivisionError):
        run.need(lambda: 1 / 0, claims=["toy.drop"])
    with pytest.raises(ValueError, match="expected why"):
        run.not_testable("toy.drop", " ")


def test_records_are_complete_only_after_the_last_cell(checkout):
    run = start()
    finish(run)
    run.verdicts()
    content = json.loads((run.out / "records.json").read_text(encoding="utf-8"))
    assert content["complete"] is False
    shown = repr(run.environment())
    content = json.loads((run.out / "records.json").read_text(encoding="utf-8"))
    assert content["complete"] is True
    assert (content["schema"], content["notebook"], content["profile"], content["seed"]) == (1, "07_toy", "laptop", 0)
    assert content["data_files"] == ["data/claims/07_toy.yaml", "data/published/toy.yaml"]
    assert content["versions"]["torch"] in shown
    assert "of 480 allowed" in shown
    assert content["modules"] == sorted(content["modules"])
    assert {"mmnb.lab.run", "mmnb.lab.rules", "mmnb.paths"} <= set(content["modules"])
    assert content["cpu_seconds"] > 0


def panel(size=5):
    figure, ax = plot.subplots("column")
    ax.plot(range(size))
    return figure


def test_a_figure_is_saved_numbered_and_listed(checkout):
    run = start()
    run.figure(panel(), "first", caption="One.", alt="A line.")
    shown = run.figure(panel(7), "second-one", caption="Two\n  lines.", alt="Another\nline.")
    content = (run.out / "figures" / "second-one.png").read_bytes()
    assert content == shown.png
    listed = json.loads((run.out / "figures" / "figures.json").read_text(encoding="utf-8"))
    assert list(listed) == ["first", "second-one"]
    assert listed["second-one"] == {
        "sha256": hashlib.sha256(content).hexdigest(), "alt": "Another line.", "caption": "Two lines.", "number": "7.2",
    }  # fmt: skip
    assert repr(shown) == "Figure 7.2. Two lines.\n[Another line.]"
    finish(run)
    run.environment()
    assert json.loads((run.out / "records.json").read_text(encoding="utf-8"))["figures"] == listed


@pytest.mark.parametrize(
    ("name", "caption", "alt", "words"),
    [
        ("First", "c", "a", "got name 'First'"),
        ("../x", "c", "a", "got name"),
        ("taken", "c", "a", "got name 'taken'"),
        ("new", " ", "a", "got caption"),
        ("new", "c", "", "got alt"),
        ("new", "c", None, "got alt"),
    ],
)
def test_a_figure_needs_its_own_name_and_both_texts(checkout, name, caption, alt, words):
    run = start()
    run.figure(panel(), "taken", caption="c", alt="a")
    with pytest.raises(ValueError, match=words):
        run.figure(panel(), name, caption=caption, alt=alt)


def test_a_new_run_removes_what_the_last_one_left_and_nothing_else(checkout):
    run = start()
    finish(run)
    run.figure(panel(), "old", caption="c", alt="a")
    run.environment()
    (run.out / "figures" / "mine.png").write_bytes(b"kept")
    run = start()
    assert sorted(path.name for path in run.out.rglob("*") if path.is_file()) == ["mine.png"]


def test_the_table_of_verdicts(checkout):
    run = start()
    run.record("toy.drop", 25.0, ci=(24.0, 26.0), n=15, note="pilot")
    run.not_testable(["toy.sign"], "no file")
    table = run.verdicts()
    text = table._repr_markdown_()
    assert (
        "Removing `interactions` costs 30 points.<br>`toy.drop` · section 4 \\| table 1 | 29.78 points | 25 [24, 26], n = 15"
        in text
    )
    assert "| value 29.78 ± 0.5; partly: at least 20 | 0 | ◐ partly |" in text
    assert "○ not testable here<br>no file" in text
    assert (
        "- `toy.drop` · **Ideal:** 29.78, the published number itself. **Tolerance:** five seeds, sd 0.1. **Note:** pilot."
        in text
    )
    assert "- `toy.sign` · **Differs:** smaller model. **Ideal:** 30, a model of interactions alone." in text
    assert "<code>interactions</code> costs 30 points.<br><code>toy.drop</code>" in table._repr_html_()
    assert "**Paper versus ours: 1 partly, 1 not testable here**" in text


def test_checks_stand_in_a_table_of_their_own(checkout):
    text = (checkout.root / "data" / "claims" / "07_toy.yaml").read_text(encoding="utf-8")
    checkout.claims("07_toy", text.replace("kind: paper", "kind: check"))
    run = start()
    run.record("toy.drop", 29.7)
    run.record("toy.sign", 30.0, ci=(-1.0, 61.0))
    claims, checks = run.verdicts()
    assert claims.rows[0][-1] == "? undecided\nfound 30 [-1, 61]: this allows interval above 0, and its contrary"
    assert checks.rows[0][-1] == "✔ passed" and checks.caption == "Checks: 1 passed"
    assert checks.html().startswith("<details><summary><b>Checks")
    assert "</details>" in claims.html() and not claims.html().startswith("<details>")


def test_text_and_tables(checkout):
    run = start()
    assert run.say("The gap is **3**.")._repr_markdown_() == "The gap is **3**."
    with pytest.raises(ValueError, match="expected a text"):
        run.say("")
    frame = pd.DataFrame({"accuracy": [0.5, 0.98765], "n": [100, 48_248]}, index=["linear", "MLP"])
    assert "| MLP | 0.99 | 48,248 |" in run.table(frame, digits=2).markdown()
    assert "| model | n |" in run.table([{"model": "a", "n": 1}], caption="C").markdown()
    for rows, words in (([], "no rows"), ([{"a": 1}, {"b": 1}], "different keys"), (frame.iloc[:0], "no rows")):
        with pytest.raises(ValueError, match=words):
            run.table(rows)


@pytest.mark.parametrize("text", ['{"../../mine": 1, "old": 1}', "[", "7", "[7]", "[" * 100_000, "null"])
def test_a_damaged_list_of_figures_removes_nothing_of_others(checkout, monkeypatch, tmp_path, text):
    monkeypatch.setenv("MMNB_OUT", str(tmp_path / "a" / "b"))
    folder = tmp_path / "a" / "b" / "figures"
    folder.mkdir(parents=True)
    for file in (folder / "old.png", folder / "foreign.png", tmp_path / "a" / "mine.png"):
        file.write_bytes(b"x")
    (folder / "figures.json").write_text(text, encoding="utf-8")
    mmnb.start("07_toy", profile="smoke")
    left = {file.name for file in tmp_path.rglob("*.*") if checkout.root not in file.parents}
    assert left - {"old.png"} == {"foreign.png", "mine.png"} and ("old.png" in left) == ("old" not in text)


def test_a_folder_of_another_computer_is_refused(checkout, monkeypatch):
    monkeypatch.setenv("MMNB_OUT", "s3://bucket/run")
    with pytest.raises(ValueError, match=r"MMNB_OUT: got .* expected a file or folder of this computer"):
        mmnb.start("07_toy", profile="smoke")


def test_the_environment_shows_the_budget_that_holds(checkout, monkeypatch):
    monkeypatch.setenv("MMNB_CPU_BUDGET", "1234")
    run = mmnb.start("07_toy", profile="smoke")
    run.record("toy.drop", 29.8)
    run.record("toy.sign", 1.0, ci=(0.5, 2.0))
    assert "of 1234 allowed" in run.environment().markdown()
