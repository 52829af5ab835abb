"""The repository's own claims: every rule rejects its nulls, every result has a claim and is judged as it says."""

import json

import numpy as np
import pytest

from mmnb import paths
from mmnb.lab import claims, published

ROOT = paths.root()
SLUGS = claims.slugs()
RESULTS = sorted((ROOT / "data" / "results").glob("[0-9]*.json"))  # of notebooks; bench_*.json is of `make bench`


def test_there_are_claims_and_results_for_every_notebook():
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.py")}
    assert notebooks, "no notebooks found"
    assert set(SLUGS) == notebooks
    assert {path.stem for path in RESULTS} == notebooks


@pytest.mark.parametrize("slug", SLUGS)
def test_every_rule_rejects_every_null(slug):
    kept = claims.load(slug)
    assert len(kept) > 0
    for claim in kept:
        assert claim.nulls, claim.id
        for null in claim.nulls:
            assert not claim.rule.accepts(null.value, null.ci), claim.id
            assert claim.partly is None or not claim.partly.accepts(null.value, null.ci), claim.id
            for profile in {"smoke", "laptop", "paper"} - set(claim.profiles):
                ci = None if null.ci is None else list(null.ci)
                verdict, reason = claims.judge(claim, {"value": null.value, "ci": ci, "n": claim.needs}, profile)
                assert verdict in (claim.word(False), claims.UNDECIDED), claim.id
                assert reason, claim.id


@pytest.mark.parametrize("slug", SLUGS)
def test_a_number_that_matches_the_paper_is_accepted_by_a_rule_that_aims_at_it(slug):
    for claim in claims.load(slug):
        target = claim.rule.options.get("target")
        if target is not None:
            assert claim.rule.accepts(target), claim.id


def test_claim_ids_are_unique_across_notebooks():
    ids = [claim.id for slug in SLUGS for claim in claims.load(slug)]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "published").glob("*.yaml")), ids=lambda path: path.stem)
def test_published_files_are_well_formed(path):
    assert published.read(path)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_result_is_judged_as_its_claim_says_today(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    kept = claims.load(result["notebook"])
    assert path.stem == result["notebook"]
    assert result["complete"] is True
    assert set(result["records"]) == {claim.id for claim in kept}
    for claim_id, record in result["records"].items():
        assert claims.judge(kept[claim_id], record, result["profile"]) == (record["verdict"], record["reason"]), (
            claim_id
        )


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_an_identity_has_ten_times_the_room_it_needs(path):
    """Another machine rounds otherwise: what is computed here must not lie near the bound."""
    records = json.loads(path.read_text(encoding="utf-8"))["records"]
    for claim in claims.load(path.stem):
        if claim.rule.kind == "identity" and records[claim.id]["value"] is not None:
            pairs = zip(*np.atleast_1d(records[claim.id]["value"], claim.rule.options["target"]), strict=True)
            apart = max(abs(value - target) for value, target in pairs)
            assert 10 * apart <= claim.rule.options["abs"], (claim.id, apart)
