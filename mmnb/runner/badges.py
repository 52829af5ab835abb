"""The badges of the README as small SVG files in figures/badges: drawn from what is committed, so they are true offline, too."""

import tomllib
from pathlib import Path

from packaging.specifiers import SpecifierSet

from mmnb import paths
from mmnb.lab import claims, report, verdicts
from mmnb.runner import fingerprint

GOOD, PLAIN, BAD = "#00694b", "#0b5394", "#a33b00"  # dark enough for white letters


def facts(root: Path | None = None) -> dict[str, tuple[str, str, str]]:
    """name -> (label, value, colour) of every badge."""
    root = root or paths.root()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = SpecifierSet(project["requires-python"])
    minor = [n for n in range(40) if f"3.{n}.0" in allowed]
    found = report.results(root)
    fresh = sum(fingerprint.status(result["notebook"]).state == "fresh" for result in found)
    told = [record["verdict"] for result in found for record in result["records"].values()]
    expected = sum(len(claims.load(result["notebook"], root)) for result in found)
    return {
        "python": ("python", f"3.{minor[0]} to 3.{minor[-1]}", PLAIN),
        "licence": ("licence", project["license"], PLAIN),
        "notebooks": ("executed notebooks", f"{fresh} of {len(found)} fresh", GOOD if fresh == len(found) else BAD),
        "claims": ("claims", f"{expected}: {verdicts.count(told)}", PLAIN),
    }


def draw(root: Path | None = None) -> dict[Path, str]:
    """file -> SVG text of every badge; nothing is written."""
    import anybadge  # drawing alone needs it

    root, drawn = root or paths.root(), {}
    for name, (label, value, colour) in facts(root).items():
        badge = anybadge.Badge(label=label, value=value, default_color=colour)
        badge.mask_str = f"badge-{name}"  # the library counts masks per process; files must not depend on their order
        drawn[root / "figures" / "badges" / f"{name}.svg"] = badge.badge_svg_text
    return drawn


def write(root: Path | None = None) -> None:
    """Draw all badges anew."""
    for file, text in draw(root).items():
        paths.write_text(file, text)
