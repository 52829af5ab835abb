"""The examples of the README do what it says: each Python block is executed as it stands there."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch

from mmnb.lab import report
from mmnb.runner import selection

ROOT = Path(__file__).resolve().parents[1]
README, CHINESE, OWN_MODEL = ROOT / "README.md", ROOT / "README.zh.md", ROOT / "docs" / "own_model.md"


def blocks(file: Path, language: str = "python") -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)


def block_with(text: str) -> str:
    (block,) = [block for block in blocks(OWN_MODEL) if text in block]
    return block


def run(block: str, **names) -> None:
    exec(compile(block, "README.md", "exec"), names)


def shares_in(line: str) -> dict[str, float]:
    """The shares that a block printed, after checking that they are shares."""
    shares = eval(line, {}, {})  # a dict of numbers, printed by our own README
    assert list(shares) == ["a", "b", "interaction"]
    assert abs(sum(shares.values()) - 1) < 1e-9 and min(shares.values()) >= 0
    return shares


def given() -> dict:
    """What the short examples leave to the reader: a model, its inputs and labels."""
    torch.manual_seed(0)
    model = torch.nn.Bilinear(4, 3, 5).eval()
    return {"model": model, "images": torch.randn(9, 4), "texts": torch.randn(9, 3), "labels": torch.randint(5, (9,))}


def test_there_are_as_many_examples_as_tests():
    assert [len(blocks(file)) for file in (README, CHINESE, OWN_MODEL)] == [1, 1, 3]


def test_the_sketch_works_with_a_model_of_two_batches(capsys):
    run(blocks(README)[0], **given())
    shares, values, gap = capsys.readouterr().out.splitlines()
    assert shares_in(shares)["interaction"] > 0.1
    assert list(eval(values, {}, {})) == ["original", "projected", "marginal_a", "marginal_b", "constant"]
    assert re.fullmatch(r"-?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]", gap)


def test_the_chinese_sketch_works_too(capsys):
    names = given()
    run(blocks(CHINESE)[0], f=names["model"], **names)
    assert shares_in(capsys.readouterr().out.splitlines()[0])["interaction"] > 0.1


def test_the_example_prints_what_both_pages_show(capsys):
    """And its shares are near those that the text derives: 1/6, 1/6 and 4/6."""
    run(block_with("torch.randn(400, 2)"))
    printed = capsys.readouterr().out
    assert blocks(OWN_MODEL, "text") == blocks(README, "text") == [printed]
    shares = shares_in(printed.splitlines()[0])
    assert abs(shares["interaction"] - 4 / 6) < 0.1  # over draws of 400 its standard deviation is .025


def test_the_open_clip_example(capsys):
    pytest.importorskip("open_clip", reason="open_clip_torch is not installed")
    torch.manual_seed(0)
    run(block_with("open_clip"))
    shares_in(capsys.readouterr().out.splitlines()[-1])


def test_the_hugging_face_example_with_a_dict(capsys):
    pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    run(block_with("transformers"))
    shares_in(capsys.readouterr().out.splitlines()[-1])


def test_the_command_for_a_cluster_has_options_that_exist():
    from mmnb.jobs.command import emap

    (command,) = re.findall(r"torchrun .* -m mmnb emap (.*)", OWN_MODEL.read_text(encoding="utf-8"))
    options = re.findall(r"--[a-z-]+", command)
    assert set(options) <= {name for parameter in emap.params for name in parameter.opts} and len(options) == 3


def test_it_is_short_and_begins_with_installation_and_answers():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    place = {
        start: number
        for number, line in enumerate(lines)
        for start in ("git clone", "<!-- answers:begin", "![")
        if line.startswith(start)
    }
    assert place["git clone"] < 10 and place["<!-- answers:begin"] < 25
    assert place["git clone"] < place["<!-- answers:begin"] < place["!["]
    assert sum(line.startswith("![") for line in lines) == len(report.PICTURES)


@pytest.mark.parametrize("word", ["Windows", "conda", "papermill", "CPU", "PROFILE=smoke"])
def test_details_of_installation_have_a_page(word):
    assert word in (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")


def test_what_shows_results_is_up_to_date():
    for file, text in report.render_all(README.parent).items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name} is stale; `mmnb build` refreshes it"


def test_every_verdict_is_listed_once():
    text = (README.parent / "docs" / "verdicts.md").read_text(encoding="utf-8").split("\n## What did not reproduce")[1]
    listed = Counter(re.findall(r"<br>`([\w.-]+)` · ", text.split("\n## ", 1)[1]))
    ids = {claim for result in report.results(README.parent) for claim in result["records"]}
    assert listed == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "CONTRIBUTING.md", "data/README.md", "docs/verdicts.md"])
def test_every_relative_link_leads_to_a_file(name):
    file = README.parent / name
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (file.parent / link).exists()] == []


def test_the_chinese_readme_names_the_same_commands_and_every_notebook():
    chinese = CHINESE.read_text(encoding="utf-8")
    commands = re.findall(r"`?(make [a-z]+|mmnb [a-z]+)", chinese)
    assert {"make reproduce", "make test", "mmnb grade"} <= set(commands)
    assert [command for command in commands if command not in README.read_text(encoding="utf-8")] == []
    for slug in selection.available():
        expected = (
            2 if slug[:2].isdigit() and slug[2] == "_" else 1
        )  # what it asks, and its verdicts; an appendix has its verdicts only
        assert chinese.count(f"(notebooks/{slug}.ipynb)") >= expected
