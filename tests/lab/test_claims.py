"""Claim files: what is read, what is refused, how records are judged and compared."""

import time

import pytest

from mmnb.lab import claims, published, verdicts


def test_a_file_is_read_in_order_with_its_published_numbers(checkout):
    kept = claims.load("07_toy")
    assert [claim.id for claim in kept] == ["toy.drop", "toy.sign"]
    assert kept.files == ("data/claims/07_toy.yaml", "data/published/toy.yaml")
    assert kept["toy.drop"].published.value == 29.78
    assert kept["toy.drop"].rule.options == {"target": 29.78, "abs": 0.5}
    assert claims.slugs() == ["07_toy"]
    with pytest.raises(ValueError, match=r"unknown claim 'toy\.dorp'; .*toy\.drop, toy\.sign"):
        kept["toy.dorp"]


def test_an_unknown_notebook_says_where_it_was_looked_for(checkout):
    for slug in ("09_nothing", "../claims/07_toy", ""):
        with pytest.raises(ValueError, match=r"no file .*data.claims.*there are claims for 07_toy"):
            claims.load(slug)


VALUE = {"rule": "{kind: value, target: 5, abs: 1}", "random": "false", "nulls": "[0.0]"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"nul": "0.0"}, "unknown keys: nul"),
        ({"place": None}, "missing keys: place"),
        ({"place": "''"}, "place: got ''"),
        ({"id": "Toy_1"}, "expected a mapping with an `id`"),
        ({"id": "7"}, "expected a mapping with an `id`"),
        ({"nulls": None}, "exactly one of `null` and `nulls`"),
        ({"null": "0.0"}, "unknown keys: None"),  # YAML reads the key as the value null
        ({"nulls": "[]"}, "expected a list"),
        ({"kind": None}, "missing keys: kind"),
        ({"kind": "guess"}, "kind: got 'guess'; expected one of paper, own, check"),
        ({"kind": "own"}, "got a claim without `ideal`"),
        ({"ideal": "5.0"}, "expected a mapping with `value` and `why`"),
        ({"ideal": "{value: 7.0, why: perfect}"}, "refuses its ideal, 7.0"),
        ({"ideal": "{value: 5.0, why: ''}"}, "why: got ''; expected a text"),
        ({"kind": "own", "ideal": "{value: 5.0, why: perfect}", "random": "true", "tolerance": "sd"}, "its mean alone"),
        ({"needs": "1"}, "expected a whole number above 1"),
        ({"nulls": "[4.5]"}, r"the rule \(value 5 ± 1\) accepts its own null, 4.5"),
        ({"nulls": "[0.0, 5.5]"}, "accepts its own null, 5.5"),
        ({"partly": "{kind: at-least, bound: 0}"}, r"the partly \(at least 0\) accepts its own null"),
        ({"partly": "{kind: at-least}"}, "partly: rule at-least got nothing"),
        ({"nulls": "[.nan]"}, "finite"),
        ({"nulls": "[null]"}, "finite"),
        ({"nulls": "[[0.0]]"}, "expected a single number"),
        ({"nulls": "[{value: 0.0, ci: [1, 2]}]"}, "low <= value <= high"),
        ({"random": None}, "required for value"),
        ({"random": "perhaps"}, "expected true or false"),
        ({"random": "true"}, "without `tolerance`"),
        ({"rule": "{kind: identity, target: 5, abs: 1}", "random": None}, "an identity without `tolerance`"),
        ({"profiles": "{tiny: 'too small'}"}, "expected one of smoke, laptop, paper"),
        ({"profiles": "{smoke: ''}"}, "expected the reason"),
        ({"profiles": "{smoke: a, laptop: b, paper: c}"}, "every profile is excused"),
        ({"published": "toy.lxmert.vqa.nothing"}, "no published number"),
        ({"published": "nothing.gap"}, r"there is no data/published/nothing\.yaml, only toy\.yaml"),
        ({"published": "../toy"}, "no published number"),
        ({"published": "toy.lxmert.vqa.rumour"}, "marked as unverified"),
        ({"rule": "{kind: value, target: published, abs: 1}"}, "`published`"),
        ({"rule": "{kind: value, target: 5, abs: 1, rel: 0.1}"}, "both rel and abs"),
        ({"rule": "{kind: sign, sign: positive}", "random": None, "nulls": "[0.5]"}, "accepts its own null"),
    ],
)
def test_a_claim_that_proves_nothing_is_refused(checkout, entries, words):
    claims.load(checkout.claim(**VALUE))  # what the entries spoil is sound
    with pytest.raises(ValueError, match=words):
        claims.load(checkout.claim(**(VALUE | entries)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("notebook: 08_one\nclaims: [\n", "not valid YAML"),
        ("- 1\n", "expected a mapping"),
        ("notebook: 08_one\n", "expected `notebook` and `claims`"),
        ("notebook: 08_one\nclaims: []\nextra: 1\n", "expected `notebook` and `claims`"),
        ("notebook: 09_two\nclaims: []\n", "expected '08_one'"),
        ("notebook: 08_one\nclaims: [1]\n", "expected a mapping with an `id`"),
        ("notebook: 08_one\nclaims: []\nclaims: []\n", 'found duplicate key "claims"'),
    ],
)
def test_a_broken_file_is_refused(checkout, text, words):
    checkout.claims("08_one", text)
    with pytest.raises(ValueError, match=words):
        claims.load("08_one")


def test_an_id_stands_once(checkout):
    text = (checkout.root / "data" / "claims" / "07_toy.yaml").read_text(encoding="utf-8")
    checkout.claims("07_toy", text.replace("toy.sign", "toy.drop"))
    with pytest.raises(ValueError, match=r"got the id 'toy\.drop' twice"):
        claims.load("07_toy")


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        ("{value: 1.0}", "always a `place`"),
        ("{value: 1.0, place: here, page: 3}", "unknown keys page"),
        ("{value: .inf, place: here}", "finite"),
        ("{value: '1', place: here}", "finite"),
        ("{value: 1.0, place: here, unverified: perhaps}", "expected true or false"),
        ("{}", "expected a mapping"),
        ("3.0", "expected a mapping"),
    ],
)
def test_a_published_number_needs_a_place(checkout, leaf, words):
    checkout.published("other", f"a:\n  b: {leaf}\n")
    with pytest.raises(ValueError, match=words):
        published.look_up("other.a.b")


def test_yaml_is_version_1_2(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1e-10\nb: yes\nc: 010\nno: 1:30\nd: .5\n", encoding="utf-8")
    assert published.read_yaml(tmp_path / "x.yaml", "x") == {"a": 1e-10, "b": "yes", "c": 10, "no": "1:30", "d": 0.5}


def record(value=None, ci=None, unavailable=None):
    return {"value": value, "ci": ci, "n": None, "note": None, "unavailable": unavailable}


def test_the_verdicts_of_a_claim(checkout):
    drop, sign = claims.load("07_toy")
    assert claims.judge(drop, record(29.5), "laptop") == ("reproduced", None)
    assert claims.judge(drop, record(25.0), "laptop") == ("partly", "found 25: at least 20, but not value 29.78 ± 0.5")
    assert claims.judge(drop, record(0.0), "laptop") == ("not reproduced", "found 0; expected: value 29.78 ± 0.5")
    assert claims.judge(sign, record(1.0, [0.5, 2]), "paper") == ("holds", None)
    assert claims.judge(sign, record(1.0, [-0.5, 2]), "paper")[0] == "undecided"
    assert claims.judge(sign, record(-1.0, [-1.5, -0.5]), "paper")[0] == "does not hold"
    assert claims.judge(sign, record(1.0, [0.5, 2]), "smoke") == ("not testable here", "two seeds make no interval")
    assert claims.judge(sign, record(unavailable="no file"), "laptop") == ("not testable here", "no file")


def test_too_few_models_decide_nothing(checkout):
    spoilt = {"rule": "{kind: at-least, bound: 1, use: ci}", "random": "false", "nulls": "[0.0]", "needs": "3"}
    (claim,) = claims.load(checkout.claim(**spoilt))
    few, enough = (record(2.0, [1.5, 2.5]) | {"n": n} for n in (2, 3))
    assert claims.judge(claim, few, "laptop") == ("undecided", "n = 2; it takes 3 to decide")
    assert claims.judge(claim, enough, "laptop") == ("passed", None)
    assert claims.judge(claim, record(0.0, [0.0, 0.5]) | {"n": 3}, "laptop")[0] == "failed"
    with pytest.raises(ValueError, match="got no n; expected one, as this claim needs 3"):
        claims.judge(claim, record(2.0, [1.5, 2.5]), "laptop")


def test_named_numbers_keep_the_order_of_the_rule_however_they_are_stored(checkout):
    rule = "{kind: order, increasing: true, names: [linear, deep]}"
    (claim,) = claims.load(checkout.claim(rule=rule, nulls="[{linear: 0.5, deep: 0.5}]"))
    there, back = record({"linear": 2.0, "deep": 1.0}), record({"deep": 1.0, "linear": 2.0})
    assert claims.judge(claim, there, "laptop") == claims.judge(claim, back, "laptop")
    assert claims.judge(claim, back, "laptop")[1].startswith("found linear 2, deep 1;")
    assert verdicts.row(claim, back | {"verdict": "not reproduced", "reason": None}).ours == "linear 2, deep 1"


@pytest.mark.parametrize(
    "broken",
    [
        record(),
        record(float("nan")),
        record("29.78"),
        record(True),
        record([29.78]),
        record(29.78, [0, 1]),
        record(1.0, unavailable="x"),
        record(unavailable=" "),
    ],
)
def test_what_cannot_be_judged_is_an_error_at_every_profile(checkout, broken):
    for profile in ("smoke", "laptop", "paper"):
        with pytest.raises(ValueError, match="expected"):
            claims.judge(claims.load("07_toy")["toy.drop"], broken, profile)
    with pytest.raises(ValueError, match="expected one of smoke, laptop, paper"):
        claims.judge(claims.load("07_toy")["toy.drop"], record(29.78), "big")


def test_an_excused_profile_still_needs_the_interval(checkout):
    with pytest.raises(ValueError, match="got no interval"):
        claims.judge(claims.load("07_toy")["toy.sign"], record(1.0), "smoke")


def run(**verdicts):
    records = {}
    for name, verdict in verdicts.items():
        missing = "no data" if verdict == "missing" else None
        records[name] = {
            "verdict": "not testable here" if missing else verdict,
            "reason": missing,
            "unavailable": missing,
        }
    return {"notebook": "07_toy", "profile": "laptop", "records": records}


def test_compare_reports_every_change_but_missing_data():
    old = run(a="reproduced", b="reproduced", c="not reproduced", d="partly", e="missing")
    assert claims.compare(old, old) == []
    new = run(a="partly", b="missing", c="reproduced", e="not reproduced", f="reproduced")
    changes = claims.compare(old, new)
    assert [(change.id, change.old, change.new) for change in changes] == [
        ("a", "reproduced", "partly"),
        ("c", "not reproduced", "reproduced"),
        ("d", "partly", None),
        ("e", "not testable here", "not reproduced"),
        ("f", None, "reproduced"),
    ]
    assert claims.unavailable(new) == {"b": "no data"}
    assert str(changes[2]) == "d: partly → not recorded"


def test_losing_a_verdict_to_the_profile_rule_is_a_change():
    new = run(a="reproduced")
    new["records"]["a"] = {"verdict": "not testable here", "reason": "too small", "unavailable": None}
    assert [change.new for change in claims.compare(run(a="reproduced"), new)] == ["not testable here"]


def test_compare_needs_the_same_notebook_and_profile():
    with pytest.raises(ValueError, match="profile"):
        claims.compare(run(), run() | {"profile": "smoke"})


@pytest.mark.parametrize(
    "text",
    [
        b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nnotebook: *b\nclaims: []\n",
        b"notebook: 07_toy\nclaims: " + b"[" * 5000,
        b"claims: " + b"{a: " * 500,
        b"notebook: 07_toy\nclaims: \xff\n",
        b"claims: 2020-99-99\n",
        b"? [a]\n: 1\n? {b: 1}\n: 2\n",
        b"claims: " + b"9" * 5000,
        b"a: 1\n---\nb: 2\n",
        b"claims: !!python/object:os.system x\n",
        b"a: \x00\n",
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused_at_once(checkout, text):
    file = checkout.root / "data" / "claims" / "07_toy.yaml"
    file.write_bytes(text)
    began = time.process_time()
    with pytest.raises(ValueError, match=r"^data/claims/07_toy\.yaml: ") as refusal:
        claims.load("07_toy")
    assert time.process_time() - began < 5 and len(str(refusal.value)) < 6000


def test_a_byte_order_mark_is_no_part_of_the_claims(checkout):
    file = checkout.root / "data" / "claims" / "07_toy.yaml"
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert len(claims.load("07_toy")) == 2
