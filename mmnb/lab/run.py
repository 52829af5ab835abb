"""One run of one notebook: seeds, sizes, records, figures, and the table of verdicts at its end."""

import contextlib
import hashlib
import importlib.metadata
import json
import operator
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mmnb import paths
from mmnb.errors import DataUnavailable
from mmnb.instruments.estimate import Estimate
from mmnb.lab import claims as claim_files
from mmnb.lab import plot, rules, show, tables, verdicts
from mmnb.lab.rules import is_text, require
from mmnb.lab.show import Figure, Markdown
from mmnb.lab.sizes import Sizes, check_profile, cpu_budget
from mmnb.lab.tables import Table, Tables

T = TypeVar("T")
_PACKAGES = (  # that can change a result, by the name they are imported under
    *("torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "matplotlib", "seaborn"),
    *("PIL", "transformers", "open_clip", "timm", "cvxpy"),
)
_INSTALLED_AS = {"sklearn": "scikit-learn", "PIL": "pillow", "open_clip": "open_clip_torch"}  # where the names differ
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # of a figure
_AGAIN = "(to run a cell again, start from mmnb.start)"


def start(slug: str, profile: str = "laptop", seed: int = 0) -> "Run":
    """Open a run: seed Python, NumPy and torch, make torch deterministic, set the figure style, start the clock.

    The small profiles compute on one thread: models of their size run no faster on more (BLAS on small matrices spends twenty times the seconds of
    one thread in waiting), and sums come out the same whatever the number of cores. Profile paper uses what it is given.
    The run writes to the folder MMNB_OUT or, without it, to build/runs/<profile>/<slug>.

    Args:
        slug: The notebook, such as "01_emap".
        profile: "smoke", "laptop" or "paper".
        seed: From 0 to 2**32 - 1.

    Raises:
        ValueError: An unknown profile or seed, or a notebook without data/claims/<slug>.yaml.

    Example:
        >>> start("01_emap", profile="huge")
        Traceback (most recent call last):
        ValueError: got profile 'huge'; expected one of smoke, laptop, paper
    """
    check_profile(profile)
    right = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32
    require(right, "start", f"seed {seed!r}", "a whole number from 0 to 2**32 - 1")
    claims = claim_files.load(slug)
    given = os.environ.get("MMNB_OUT") or paths.root() / "build" / "runs" / profile / slug
    out = paths.local(given, "MMNB_OUT").resolve()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products need it to be deterministic
    # published models may use kernels that have no deterministic form
    torch.use_deterministic_algorithms(True, warn_only=profile == "paper")
    if profile != "paper":
        torch.set_num_threads(1)
        threadpool_limits(1)  # NumPy's and SciPy's BLAS, scikit-learn's OpenMP
    plot.apply()
    return Run(claims, profile, seed, out)


class Run:
    """What `mmnb.start` returns. A notebook asks it for sizes and seeds, and hands it every number and every figure."""

    def __init__(self, claims: claim_files.ClaimSet, profile: str, seed: int, out: Path):
        self.claims, self.slug, self.profile, self.seed, self.out = claims, claims.notebook, profile, seed, out
        self._records: dict[str, dict[str, Any]] = {}
        self._figures: dict[str, dict[str, Any]] = {}
        self._started = time.monotonic()
        self._remove_older()

    def __repr__(self) -> str:
        return f"Run({self.slug!r}, profile={self.profile!r}, seed={self.seed}): {len(self._records)} of {len(self.claims)} claims recorded"

    def _remove_older(self) -> None:
        """What an earlier run left, by the names it noted: nobody shall read old records as this run's."""
        (self.out / "records.json").unlink(missing_ok=True)
        manifest = self.out / "figures" / "figures.json"
        if manifest.is_file():
            with contextlib.suppress(ValueError, TypeError, RecursionError):  # a list that was cut short names nothing
                for name in filter(_NAME.fullmatch, json.loads(manifest.read_text(encoding="utf-8"))):
                    (manifest.parent / f"{name}.png").unlink(missing_ok=True)
            manifest.unlink()

    def generator(self, stream: int = 0) -> torch.Generator:
        """A fresh torch generator on the CPU: the same numbers on every call; other streams are independent of this one."""
        seed = int(self._sequence(stream).generate_state(1)[0]) if stream != 0 else self.seed
        return torch.Generator().manual_seed(seed)

    def rng(self, stream: int = 0) -> np.random.Generator:
        """A fresh NumPy generator: the same numbers on every call; other streams are independent of this one."""
        return np.random.default_rng(self._sequence(stream))

    def _sequence(self, stream: int) -> np.random.SeedSequence:
        if isinstance(stream, bool) or operator.index(stream) < 0:
            raise ValueError(f"stream: got {stream!r}; expected a whole number from 0")
        return np.random.SeedSequence(self.seed, spawn_key=(operator.index(stream),) if stream else ())

    def sizes(self, *, smoke: Mapping[str, Any], laptop: Mapping[str, Any], paper: Mapping[str, Any]) -> Sizes:
        """All that differs between the profiles: attributes for the code, one table for the reader."""
        return Sizes(self.profile, {"smoke": smoke, "laptop": laptop, "paper": paper})

    def need(self, loader: Callable[[], T], claims: Sequence[str]) -> T | None:
        """What `loader()` returns; where its data is missing, None, a visible note, and the claims marked as not testable here.

        Raises ValueError, before anything is loaded, when a claim is unknown or already recorded.
        """
        names = self._free(claims)
        try:
            return loader()
        except DataUnavailable as missing:
            reason = show.portable(str(missing))
            self.not_testable(names, reason)
            concerned = ", ".join(f"`{name}`" for name in names) or "none"
            note = f"> **Not testable here.** {reason}\n>\n> Claims concerned: {concerned}."
            show.display({"text/markdown": note, "text/plain": note})
            return None

    def not_testable(self, claim_ids: str | Sequence[str], reason: str) -> None:
        """Mark claims that this run cannot decide. Raises ValueError on an unknown or recorded claim, or an empty reason."""
        require(is_text(reason), "not_testable", f"reason {reason!r}", "why it cannot be tested")
        for name in self._free(claim_ids):
            self._store(name, unavailable=reason.strip())

    def record(self, claim_id: str, value: Any, ci: Any = None, n: int | None = None, note: str | None = None) -> None:
        """Hand in the number that decides a claim.

        Args:
            claim_id: From data/claims/<slug>.yaml.
            value: An `Estimate`, which brings interval and n, a number, or the list or dict of numbers that the claim's
                rule judges.
            ci: The interval (low, high) around a single number.
            n: How many seeds, splits or examples are behind it.
            note: One sentence for the reader.

        Raises:
            ValueError: An unknown claim, a second record of one, NaN or inf, an interval that does not contain the
                value or that the rule needs and does not get, n below 1.
        """
        (name,) = self._free([claim_id])
        if isinstance(value, Estimate):
            alone = ci is None and n is None
            require(alone, f"record {name}", f"an Estimate and ci={ci}, n={n}", "the Estimate alone, it has both")
            value, ci, n = value.value, value.interval, value.n
        value, ci = self.claims[name].check(rules.unwrap(value), rules.unwrap(ci))
        if n is not None:
            right = not isinstance(n, bool) and operator.index(n) >= 1
            require(right, f"record {name}", f"n = {n!r}", "a count above 0")
            n = operator.index(n)
        self._store(name, value=value, ci=None if ci is None else list(ci), n=n, note=note)

    def _free(self, claim_ids: str | Sequence[str]) -> list[str]:
        names = [claim_ids] if isinstance(claim_ids, str) else list(claim_ids)
        for name in names:
            if self.claims[name].id in self._records:
                raise ValueError(f"claim {name!r} is already recorded; expected one record for each claim {_AGAIN}")
        return names

    def _store(self, name: str, **given: Any) -> None:
        record = dict.fromkeys(("value", "ci", "n", "note", "unavailable")) | given
        record["verdict"], record["reason"] = claim_files.judge(self.claims[name], record, self.profile)
        self._records[name] = record

    def figure(self, figure: Any, name: str, *, caption: str, alt: str) -> Figure:
        """Save a figure as <out>/figures/<name>.png, close it, and return it for display: picture, then numbered caption.

        Args:
            figure: Of matplotlib.
            name: Of a-z, 0-9 and hyphens.
            caption: In Markdown: finding, what is drawn, n, meaning of the bars.
            alt: For those who cannot see it: axes, shape of the result, finding.

        Raises:
            ValueError: a name that is taken or not of that form, or an empty caption or alt text.
        """
        new = _NAME.fullmatch(name) and name not in self._figures
        require(bool(new), "figure", f"name {name!r}", f"a new one of a-z, 0-9 and hyphens {_AGAIN}")
        for which, text in (("caption", caption), ("alt", alt)):
            require(is_text(text), f"figure {name}", f"{which} {text!r}", "a text")
        png, width = plot.png(figure)
        plot.close(figure)
        caption, alt = " ".join(caption.split()), " ".join(alt.split())
        number = f"{re.match(r'0?([0-9]*[a-z]?)', self.slug).group(1)}.{len(self._figures) + 1}"
        folder = self.out / "figures"
        paths.write_bytes(folder / f"{name}.png", png)
        digest = hashlib.sha256(png).hexdigest()
        self._figures[name] = {"sha256": digest, "alt": alt, "caption": caption, "number": number}
        _write_json(folder / "figures.json", self._figures)
        return Figure(png, width, alt, f"**Figure {number}.** {caption}", folder / f"{name}.png")

    def say(self, markdown: str) -> Markdown:
        """Text with measured numbers in it: `run.say(f"The model loses {gap:.1f} points.")`."""
        require(is_text(markdown), "say", repr(markdown), "a text")
        return Markdown(markdown)

    def table(self, rows: Any, caption: str | None = None, digits: int = 3) -> Table:
        """A table to display, from a data frame or a list of dicts; floats get `digits` decimals. Raises as `tables.from_rows`."""
        return tables.from_rows(rows, caption, digits)

    def verdicts(self) -> Tables:
        """The tables of claims and checks; also writes <out>/records.json. Raises ValueError when one was not recorded or marked."""
        self._write(complete=False)
        return verdicts.tables(self.claims, self._records)

    def environment(self) -> Table:
        """Versions, profile, seed and run time; writes the final <out>/records.json, marked as complete. Raises as `verdicts`."""
        content = self._write(complete=True)
        allowed = cpu_budget(self.profile)
        budget = f" of {allowed:.0f} allowed" if allowed else ""
        rows = [["profile", self.profile], ["seed", str(self.seed)], *map(list, content["versions"].items())]
        rows.append(["CPU seconds", f"{content['cpu_seconds']:.0f}{budget}"])
        rows.append(["wall seconds", f"{time.monotonic() - self._started:.0f}"])
        return Table(["what", "this run"], rows)

    def _write(self, complete: bool) -> dict[str, Any]:
        missing = ", ".join(claim.id for claim in self.claims if claim.id not in self._records)
        if missing:
            raise ValueError(f"neither recorded nor marked as not testable: {missing}")
        content = {
            "schema": 1,
            "notebook": self.slug,
            "profile": self.profile,
            "seed": self.seed,
            "records": {claim.id: self._records[claim.id] for claim in self.claims},
            "figures": self._figures,
            "modules": sorted(name for name, module in sys.modules.items() if module and name.split(".")[0] == "mmnb"),
            "data_files": list(self.claims.files),
            "versions": _versions(),
            "cpu_seconds": round(sum(os.times()[:4]), 2),  # of this process and its finished children
            "complete": complete,
        }
        _write_json(self.out / "records.json", content)
        return content


def _versions() -> dict[str, str]:
    """Python and every imported package that can change a result, by the name it is installed by."""
    imported = (_INSTALLED_AS.get(name, name) for name in _PACKAGES if name in sys.modules)
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in imported}


def _write_json(path: Path, content: Any) -> None:
    paths.write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
