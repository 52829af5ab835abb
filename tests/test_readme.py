"""The examples of the README do what it says: each Python block is executed as it stands there."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block_with(text: str) -> str:
    (block,) = [block for block in BLOCKS if text in block]
    return block


def shares_in(line: str) -> dict[str, float]:
    """The shares that a block printed, after a look at whether they are some."""
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
    from mmnb.emap_script import emap

    (command,) = re.findall(r"torchrun .* -m mmnb emap (.*)", README.read_text(encoding="utf-8"))
    options = re.findall(r"--[a-z-]+", command)
    assert set(options) <= {name for parameter in emap.params for name in parameter.opts} and len(options) == 3
