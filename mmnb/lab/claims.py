"""Claims: what a paper says, by which rule our number is judged, and what a meaningless run would give.

`load` refuses a file whose rules accept one of their own nulls, so every claim that is shown could have come out the other way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmnb import paths
from mmnb.lab import claim as claim_file
from mmnb.lab import strict_yaml, values
from mmnb.lab.claim import Claim
from mmnb.lab.sizes import check_profile

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = VERDICTS = (
    "reproduced",
    "partly",
    "not reproduced",
    "not testable here",
)


@dataclass(frozen=True)
class ClaimSet:
    """The claims of one notebook in the order of their file; `files` are the files they were read from, relative to the root."""

    notebook: str
    claims: Mapping[str, Claim]
    files: tuple[str, ...]

    def __getitem__(self, claim_id: str) -> Claim:
        if claim_id not in self.claims:
            raise ValueError(f"unknown claim {claim_id!r}; {self.files[0]} has {', '.join(self.claims) or 'none'}")
        return self.claims[claim_id]

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims.values())

    def __len__(self) -> int:
        return len(self.claims)

    def __contains__(self, claim_id: object) -> bool:
        return claim_id in self.claims


class Change(NamedTuple):
    """A verdict that differs from the committed one; None stands for a claim that one side does not have."""

    id: str
    old: str | None
    new: str | None
    reason: str | None

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.id}: {self.old or 'no such claim'} → {self.new or 'not recorded'}{reason}"


def slugs(root: Path | None = None) -> list[str]:
    """The notebooks that have a claims file, sorted."""
    return sorted(path.stem for path in ((root or paths.root()) / "data" / "claims").glob("*.yaml"))


def load(slug: str, root: Path | None = None) -> ClaimSet:
    """The claims of a notebook, checked.

    Args:    slug, such as "01_emap"; root, the checkout, by default the one in use.
    Raises:  ValueError when there is no such file (it says where it looked), on an unknown, missing or repeated key, on a
             number that is unverified or missing in data/published, and on a rule that accepts one of its own nulls.
    """
    root = root or paths.root()
    path = root / "data" / "claims" / f"{slug}.yaml"
    if not path.is_file() or path.parent != root / "data" / "claims":
        raise ValueError(
            f"unknown notebook {slug!r}: no file {path}; there are claims for {', '.join(slugs(root)) or 'no notebook'}"
        )
    where = f"data/claims/{path.name}"
    content = strict_yaml.read(path, where)
    if set(content) != {"notebook", "claims"} or not isinstance(content["claims"], list):
        raise ValueError(f"{where}: got the keys {', '.join(content)}; expected `notebook` and `claims`, a list")
    if content["notebook"] != slug:
        raise ValueError(f"{where}: got notebook {content['notebook']!r}; expected {slug!r}, the name of the file")
    claims: dict[str, Claim] = {}
    for index, raw in enumerate(content["claims"], start=1):
        claim = claim_file.parse(raw, f"{where}, claim {index}", root)
        if claim.id in claims:
            raise ValueError(f"{where}: the id {claim.id!r} stands twice; expected once")
        claims[claim.id] = claim
    sources = {claim.published.file for claim in claims.values() if claim.published}
    return ClaimSet(slug, claims, (where, *sorted(sources)))


def judge(claim: Claim, record: Mapping[str, Any], profile: str) -> tuple[str, str | None]:
    """The verdict on one recorded number.

    Args:    claim; record, with `value` and perhaps `ci`, or with `unavailable`, the reason why nothing could be measured;
             profile, the size of the run.
    Returns: (verdict, reason): one of `VERDICTS`; no reason is given for "reproduced".
    Raises:  ValueError when the value is not a finite number of the form the rule judges, or lacks its interval.
    """
    check_profile(profile)
    unavailable = record.get("unavailable")
    if unavailable is not None:
        if record.get("value") is not None or not isinstance(unavailable, str) or not unavailable.strip():
            raise ValueError(f"{claim.id}: got {dict(record)!r}; expected either a value or a reason why there is none")
        return NOT_TESTABLE, unavailable
    value, ci = claim.check(record.get("value"), record.get("ci"))
    if profile in claim.profiles:
        return NOT_TESTABLE, claim.profiles[profile]
    if claim.rule.accepts(value, ci):
        return REPRODUCED, None
    found = f"found {values.short(value)}" + (f" [{values.short(ci[0])}, {values.short(ci[1])}]" if ci else "")
    if claim.partly is not None and claim.partly.accepts(value, ci):
        return PARTLY, f"{found}: {claim.partly}, but not {claim.rule}"
    return NOT_REPRODUCED, f"{found}; expected: {claim.rule}"


def compare(old_results: Mapping[str, Any], new_records: Mapping[str, Any]) -> list[Change]:
    """The verdicts that changed between two runs of a notebook at the same profile.

    A claim that cannot be tested now because its data is missing here is no change (see `unavailable`); every other
    difference is one, a claim that only one side has included.

    Args:    old_results, the content of data/results/<slug>.json; new_records, that of a run's records.json.
    Raises:  ValueError when the two come from different notebooks or profiles.
    """
    for key in ("notebook", "profile"):
        if old_results[key] != new_records[key]:
            raise ValueError(
                f"compare: got {key} {old_results[key]!r} and {new_records[key]!r}; expected the same in both"
            )
    old, new = old_results["records"], new_records["records"]
    changes = []
    for claim_id in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(claim_id), new.get(claim_id)
        if before and after and (before["verdict"] == after["verdict"] or after["unavailable"] is not None):
            continue
        changes.append(
            Change(
                claim_id,
                before["verdict"] if before else None,
                after["verdict"] if after else None,
                after["reason"] if after else None,
            )
        )
    return changes


def unavailable(records: Mapping[str, Any]) -> dict[str, str]:
    """The claims of a run that lacked their data: id -> reason."""
    return {
        name: record["unavailable"] for name, record in records["records"].items() if record["unavailable"] is not None
    }
