"""A checkout in a temporary folder, with claims and published numbers that a test may rewrite."""

import random
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch

PUBLISHED = """
lxmert:
  vqa:
    gap: {value: 29.78, unit: points, place: "table 1", source: "the authors' file"}
    rumour: {value: 30.0, place: "table 9", unverified: true}
    parts: {value: [1.0, 2.0], place: "table 2"}
"""
CLAIMS = """
notebook: 07_toy
claims:
  - id: toy.drop
    kind: paper
    claim: "Removing `interactions` costs 30 points."
    place: "section 4 | table 1"
    published: toy.lxmert.vqa.gap
    rule: {kind: value, target: published, abs: 0.5}
    partly: {kind: at-least, bound: 20}
    random: false
    tolerance: "five seeds, sd 0.1"
    ideal: {value: 29.78, why: "the published number itself"}
    nulls: [0.0]
  - id: toy.sign
    kind: own
    claim: "The drop is above 0."
    place: "section 5"
    rule: {kind: sign, sign: positive}
    ideal: {value: 30.0, ci: [29, 31], why: "a model of interactions alone"}
    nulls: [{value: 0.0, ci: [-1, 1], why: "an additive model"}]
    profiles: {smoke: "two seeds make no interval"}
    differs: "smaller model"
"""


class Checkout:
    """The folder, and the writing of its files."""

    def __init__(self, root: Path):
        self.root = root
        for name in ("claims", "published", "results"):
            (root / "data" / name).mkdir(parents=True)
        self.published("toy", PUBLISHED)
        self.claims("07_toy", CLAIMS)

    def published(self, name: str, text: str) -> None:
        (self.root / "data" / "published" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def claims(self, slug: str, text: str) -> None:
        (self.root / "data" / "claims" / f"{slug}.yaml").write_text(text, encoding="utf-8")

    def claim(self, **entries: object) -> str:
        """Write a file with one claim of the given entries (YAML texts); its slug."""
        given = {"id": "one", "kind": "check", "claim": "something", "place": "here"} | entries
        lines = "\n".join(f"    {key}: {value}" for key, value in given.items() if value is not None)
        self.claims("08_one", f"notebook: 08_one\nclaims:\n  - {lines.strip()}\n")
        return "08_one"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("MMNB_ROOT", str(tmp_path / "checkout"))
    monkeypatch.delenv("MMNB_OUT", raising=False)
    states = (
        random.getstate(),
        np.random.get_state(),
        torch.random.get_rng_state(),
        torch.are_deterministic_algorithms_enabled(),
    )
    with mpl.rc_context():
        yield Checkout(tmp_path / "checkout")
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.random.set_rng_state(states[2])
    torch.use_deterministic_algorithms(states[3])
