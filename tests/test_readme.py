"""The examples of the README do what it says: each Python block is executed as it stands there."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch

from mmnb.lab import report
from mmnb.runner import selection

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block_with(text: str) -> str:
    (block,) = [block for block in BLOCKS if text in block]
    return block


def shares_in(line: str) -> dict[str, float]:
    """The shares that a block printed, after checking that they are shares."""
    shares = eval(line, {}, {})  # a dict of numbers, printed by our own README
    assert list(shares) == ["a", "b", "interaction"]
    assert abs(sum(shares.values()) - 1) < 1e-9 and min(shares.values()) >= 0
    return shares


def test_there_are_as_many_examples_as_tests():
    assert len(BLOCKS) == 3


def test_the_sketch_works_with_a_model_of_two_batches(capsys):
    torch.manual_seed(0)
    model = torch.nn.Bilinear(4, 3, 5).eval()
    names = {"model": model, "images": torch.randn(9, 4), "texts": torch.randn(9, 3), "labels": torch.randint(5, (9,))}
    exec(compile(block_with("def f(images, texts)"), "README.md", "exec"), names)
    shares, scores = capsys.readouterr().out.splitlines()
    assert shares_in(shares)["interaction"] > 0.1
    assert scores.startswith("Scores(values={'original':")


def test_the_open_clip_example(capsys):
    pytest.importorskip("open_clip", reason="open_clip_torch is not installed")
    torch.manual_seed(0)
    exec(compile(block_with("open_clip"), "README.md", "exec"), {})
    shares_in(capsys.readouterr().out.splitlines()[-1])


def test_the_hugging_face_example_with_a_dict(capsys):
    pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    exec(compile(block_with("transformers"), "README.md", "exec"), {})
    shares_in(capsys.readouterr().out.splitlines()[-1])


def test_the_command_for_a_cluster_has_options_that_exist():
    from mmnb.jobs.command import emap

    (command,) = re.findall(r"torchrun .* -m mmnb emap (.*)", README.read_text(encoding="utf-8"))
    options = re.findall(r"--[a-z-]+", command)
    assert set(options) <= {name for parameter in emap.params for name in parameter.opts} and len(options) == 3


def test_it_is_short_and_begins_with_a_picture():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250
    pictures = [number for number, line in enumerate(lines, start=1) if line.startswith("![")]
    assert pictures[0] <= 12 and len(pictures) == 1 + len(report.PICTURES)


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
    chinese = (README.parent / "README.zh.md").read_text(encoding="utf-8")
    commands = re.findall(r"`?(make [a-z]+|mmnb [a-z]+)", chinese)
    assert {"make reproduce", "make test", "mmnb grade"} <= set(commands)
    assert [command for command in commands if command not in README.read_text(encoding="utf-8")] == []
    for slug in selection.available():
        assert chinese.count(f"(notebooks/{slug}.ipynb)") == 2  # what it asks, and its verdicts
