"""A checkout in a temporary folder, with notebooks of a few cells and no torch, so that a run takes about as long as its kernel."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CLAIMS = """\
notebook: {slug}
claims:
  - id: demo.one
    kind: check
    claim: "One is one."
    place: "section 1"
    rule: {{kind: identity, target: 1.0, abs: 1.0e-9}}
    tolerance: "One float64."
    nulls: [0.0]
  - id: demo.above
    kind: paper
    claim: "Two is above one."
    place: "section 2"
    rule: {{kind: at-least, bound: 1.0}}
    ideal: {{value: 2.0, why: "two is two"}}
    nulls: [0.5]
    random: false
"""

PARAMETERS = '# %% tags=["parameters"]\nPROFILE = "laptop"  # "smoke"\nSEED = 0\n'

RECORD = '''# %%
import hashlib, json, os, pathlib
out = pathlib.Path(os.environ["MMNB_OUT"])
def record(value, unavailable=None, verdict="reproduced"):
    return {"value": value, "ci": None, "n": None, "note": None, "unavailable": unavailable, "verdict": verdict, "reason": unavailable}
records = {"demo.one": record(1.0), "demo.above": record(2.0)}
content = {"schema": 1, "notebook": SLUG, "profile": PROFILE, "seed": SEED, "records": records, "figures": {},
           "modules": ["mmnb.errors", "mmnb.paths"], "data_files": [f"data/claims/{SLUG}.yaml"],
           "versions": {"python": "3"}, "cpu_seconds": 1.0, "complete": True}
'''  # fmt: skip

WRITE = '# %%\n(out / "records.json").write_text(json.dumps(content), encoding="utf-8")\n'


class Project:
    """A small checkout and ways to run it."""

    def __init__(self, root: Path):
        self.root = root
        for folder in ("notebooks", "data/claims", "data/published", "data/results"):
            (root / folder).mkdir(parents=True)

    def add(
        self, slug: str, body: str = "", *, parameters: str = PARAMETERS, write: str = WRITE, head: str | None = None
    ) -> None:
        """Write notebook `slug`; `body` (percent cells) stands between the records and their writing."""
        head = (
            head
            if head is not None
            else f"# %% [markdown]\n# # Is {slug} one?\n#\n# **Answer.** **Yes**, it is\n# one.\n\n"
        )
        source = f"{head}{parameters}\n# %%\nSLUG = {slug!r}\n\n{RECORD}\n{body}\n{write}"
        (self.root / "notebooks" / f"{slug}.py").write_text(source, encoding="utf-8")
        (self.root / "data" / "claims" / f"{slug}.yaml").write_text(CLAIMS.format(slug=slug), encoding="utf-8")

    def folder(self, slug: str, profile: str = "laptop") -> Path:
        return self.root / "build" / "runs" / profile / slug

    def result(self, slug: str, profile: str = "laptop") -> dict:
        return json.loads((self.folder(slug, profile) / "result.json").read_text(encoding="utf-8"))

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """`mmnb ...` as a process of its own; Ctrl-C works in it even where the tests run in the background."""
        if os.name != "nt":
            options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"} | options
        return subprocess.Popen([sys.executable, "-m", "mmnb", *arguments], cwd=self.root, **options)

    def mmnb(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    for name in ("MMNB_OUT", "MMNB_CPU_BUDGET", "FORCE_COLOR", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MMNB_ROOT", str(tmp_path / "checkout"))
    monkeypatch.setenv("MMNB_DATA", str(tmp_path / "no-data"))
    return Project(tmp_path / "checkout")
