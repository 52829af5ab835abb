"""Every kind of rule, at and on both sides of its border, and everything it must refuse to judge."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmnb.lab import rules

numbers = st.floats(-1e6, 1e6)


def rule(kind, published=None, **options):
    return rules.parse({"kind": kind, **options}, "test", published)


@pytest.mark.parametrize(
    ("made", "value", "ci", "expected"),
    [
        (rule("identity", target=2.0, abs=0.0), 2.0, None, True),
        (rule("identity", target=2.0, abs=0.0), math.nextafter(2.0, 3.0), None, False),
        (rule("identity", target=[1, 2], abs=1e-9), [1.0, 2.0], None, True),
        (rule("identity", target=[1, 2], abs=1e-9), [1.0, 2.1], None, False),
        (rule("value", target=10, abs=0.5), 10.5, None, True),
        (rule("value", target=10, abs=0.5), 9.5, None, True),
        (rule("value", target=10, abs=0.5), 10.51, None, False),
        (rule("value", target=-10, rel=0.1), -11.0, None, True),
        (rule("value", target=-10, rel=0.1), -11.01, None, False),
        (rule("value", target=-10, rel=0.1), 10.0, None, False),
        (rule("value", published=29.78, target="published", abs=0.01), 29.78, None, True),
        (rule("value", published=29.78, target="published", abs=0.01), 29.8, None, False),
        (rule("at-least", bound=0.95), 0.95, None, True),
        (rule("at-least", bound=0.95), 0.9499, (0.9, 1.0), False),
        (rule("at-least", bound=0.95, use="ci"), 0.99, (0.94, 1.0), False),
        (rule("at-least", bound=0.95, use="ci"), 0.99, (0.95, 1.0), True),
        (rule("at-most", bound=0.1), 0.1, None, True),
        (rule("at-most", bound=0.1), 0.11, None, False),
        (rule("at-most", bound=0.1, use="ci"), 0.05, (0.0, 0.11), False),
        (rule("between", low=1, high=2), 1.0, None, True),
        (rule("between", low=1, high=2), 2.001, None, False),
        (rule("between", low=1, high=2), 0.999, None, False),
        (rule("between", low=1, high=2, use="ci"), 1.5, (1.2, 2.1), False),
        (rule("between", low=1, high=2, use="ci"), 1.5, (0.9, 1.9), False),
        (rule("order", increasing=True), [1.0, 2.0, 3.0], None, True),
        (rule("order", increasing=True), [1.0, 2.0, 2.0], None, False),
        (rule("order", increasing=False), [3.0, 2.0, 1.0], None, True),
        (rule("order", increasing=False), [3.0, 2.0, 2.5], None, False),
        (rule("order", increasing=True, margin=0.5), [1.0, 1.5], None, False),
        (rule("order", increasing=True, margin=0.5), [1.0, 1.75], None, True),
        (rule("order", increasing=True, names=["a", "b"]), {"b": 2.0, "a": 1.0}, None, True),
        (rule("order", increasing=True, names=["b", "a"]), {"b": 2.0, "a": 1.0}, None, False),
        (rule("sign", sign="positive"), 1.0, (0.1, 2.0), True),
        (rule("sign", sign="positive"), 1.0, (0.0, 2.0), False),
        (rule("sign", sign="negative"), -1.0, (-2.0, -0.1), True),
        (rule("sign", sign="negative"), 1.0, (0.1, 2.0), False),
    ],
)
def test_a_rule_accepts_up_to_its_border(made, value, ci, expected):
    assert made.accepts(value, ci) is expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"kind": "near", "target": 1}, "expected a mapping with a `kind`"),
        (None, "expected a mapping"),
        ({"kind": "value", "target": 1, "rel": 0.1, "abs": 0.1}, "both rel and abs"),
        ({"kind": "value", "target": 1}, "neither rel nor abs"),
        ({"kind": "value", "target": 0, "rel": 0.1}, "no relative width"),
        ({"kind": "value", "target": 1, "rel": 1}, "would accept 0"),
        ({"kind": "value", "target": 1, "abs": 0}, "above 0"),
        ({"kind": "value", "target": 1, "abs": -1}, "above 0"),
        ({"kind": "value", "target": math.nan, "abs": 1}, "finite"),
        ({"kind": "value", "target": "12", "abs": 1}, "finite"),
        ({"kind": "value", "target": True, "abs": 1}, "finite"),
        ({"kind": "value", "target": {"a": 1}, "abs": 1}, "single number"),
        ({"kind": "value", "target": "published", "abs": 1}, "published"),
        ({"kind": "value", "target": 1, "abs": "published"}, "published"),
        ({"kind": "identity", "target": 1}, "expected abs, target"),
        ({"kind": "identity", "target": 1, "rel": 0.1}, "expected abs, target"),
        ({"kind": "at-least", "bound": 1, "use": "mean"}, "expected ci"),
        ({"kind": "at-least", "bound": [1, 2]}, "single number"),
        ({"kind": "at-least", "bound": math.inf}, "finite"),
        ({"kind": "at-least", "bound": 1, "abs": 1}, "rule at-least got"),
        ({"kind": "between", "low": 2, "high": 2}, "low < high"),
        ({"kind": "order", "increasing": "yes"}, "true or false"),
        ({"kind": "order", "increasing": 1}, "true or false"),
        ({"kind": "order", "increasing": True, "margin": -1}, "above 0"),
        ({"kind": "order", "increasing": True, "names": ["a", "a"]}, "different names"),
        ({"kind": "value", "target": [1, 2], "abs": 1, "use": "ci"}, "with several targets"),
        ({"kind": "p-value", "level": 0.5}, "between 0 and 0.5"),
        ({"kind": "sign", "sign": "up"}, "positive or negative"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(raw, words):
    with pytest.raises(ValueError, match=words):
        rules.parse(raw, "test")


@pytest.mark.parametrize(
    ("made", "value", "ci"),
    [
        (rule("value", target=1, abs=1), [1.0], None),
        (rule("value", target=1, abs=1), {"a": 1.0}, None),
        (rule("value", target=[1, 2], abs=1), 1.0, None),
        (rule("value", target=[1, 2], abs=1), [1.0, 2.0, 3.0], None),
        (rule("order", increasing=True), 1.0, None),
        (rule("order", increasing=True), [1.0], None),
        (rule("order", increasing=True), {"a": 1.0, "b": 2.0}, None),
        (rule("order", increasing=True, names=["a", "b"]), [1.0, 2.0], None),
        (rule("order", increasing=True, names=["a", "b"]), {"a": 1.0, "c": 2.0}, None),
        (rule("sign", sign="positive"), 1.0, None),
        (rule("at-least", bound=0, use="ci"), 1.0, None),
        (rule("p-value", level=0.05), 1.5, None),
    ],
)
def test_a_value_of_the_wrong_form_is_an_error_not_a_verdict(made, value, ci):
    with pytest.raises(ValueError, match="expected"):
        made.accepts(value, ci)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, None, "1", True, [], {}, [1.0, math.nan], {"a": None}, {1: 2.0}, object()]
)
def test_only_finite_numbers_are_values(value):
    with pytest.raises(ValueError, match="expected"):
        rules.plain(value, "test")


@pytest.mark.parametrize(
    "ci",
    [
        (1.0,),
        (1.0, 2.0, 3.0),
        "12",
        (2.0, 1.0),
        (0.5, 0.9),
        (1.1, 2.0),
        (math.nan, 2.0),
        (0.5, None),
        {"low": 0, "high": 2},
    ],
)
def test_an_interval_is_a_pair_around_its_value(ci):
    with pytest.raises(ValueError, match="expected"):
        rules.interval(ci, 1.0, "test")


def test_rounding_does_not_push_a_value_out_of_its_interval():
    assert rules.interval((0.3, 0.3), 0.1 + 0.2, "test") == (0.3, 0.3)
    with pytest.raises(ValueError, match="single number"):
        rules.interval((0.0, 1.0), [0.5], "test")


@given(target=numbers, width=st.floats(1e-6, 1e3), value=numbers)
def test_value_is_the_plain_comparison(target, width, value):
    made = rule("value", target=target, abs=width)
    assert made.accepts(value) is (abs(value - target) <= width)
    if target:
        assert rule("value", target=target, rel=0.25).accepts(0.0) is False


@given(values=st.lists(numbers, min_size=2, max_size=6))
def test_order_is_strict_and_its_opposite_excludes_it(values):
    up, down = rule("order", increasing=True), rule("order", increasing=False)
    assert up.accepts(values) is (values == sorted(set(values)))
    assert down.accepts(values[::-1]) is up.accepts(values)
    assert not (up.accepts(values) and down.accepts(values))


@pytest.mark.parametrize(
    ("made", "value", "ci"),
    [
        (rule("at-least", bound=0.95, use="ci"), 0.99, (0.94, 1.0)),
        (rule("at-most", bound=0.1, use="ci"), 0.05, (0.0, 0.11)),
        (rule("between", low=1, high=2, use="ci"), 1.5, (0.9, 1.9)),
        (rule("between", low=1, high=2, use="ci"), 1.5, (0.9, 2.1)),
        (rule("value", target=10, abs=0.5, use="ci"), 10.0, (9.4, 10.4)),
        (rule("sign", sign="positive"), 1.0, (-0.1, 2.0)),
        (rule("sign", sign="negative"), -1.0, (-2.0, 0.0)),
        (rule("order", increasing=True), [1.0, 2.0, 2.0], None),
        (rule("order", increasing=True, margin=0.5), [1.0, 2.0, 1.6], None),
        (rule("p-value", level=0.05), 0.3, None),
    ],
)
def test_evidence_for_neither_side_is_undecided(made, value, ci):
    assert made.judge(value, ci) is None


@pytest.mark.parametrize(
    ("made", "value", "ci"),
    [
        (rule("at-least", bound=0.95, use="ci"), 0.9, (0.85, 0.94)),
        (rule("between", low=1, high=2, use="ci"), 2.5, (2.1, 2.9)),
        (rule("value", target=10, abs=0.5, use="ci"), 11.0, (10.6, 11.4)),
        (rule("sign", sign="positive"), -1.0, (-2.0, -0.1)),
        (rule("sign", sign="positive"), 0.0, (0.0, 0.0)),
        (rule("order", increasing=True, margin=0.5), [1.0, 2.0, 1.4], None),
        (rule("p-value", level=0.05), 0.96, None),
    ],
)
def test_evidence_against_rejects(made, value, ci):
    assert made.judge(value, ci) is False


@given(value=numbers, below=st.floats(0, 1e3), above=st.floats(0, 1e3), bound=numbers)
def test_a_wider_interval_never_decides_what_a_narrow_one_left_open(value, below, above, bound):
    narrow, wide = (value - below, value + above), (value - 2 * below - 1, value + 2 * above + 1)
    made = [rule(kind, bound=bound, use="ci") for kind in ("at-least", "at-most")]
    made += [rule("sign", sign=sign) for sign in ("positive", "negative")]
    made += [rule("between", low=bound, high=bound + 1, use="ci"), rule("value", target=bound, abs=0.5, use="ci")]
    for one in made:
        assert one.judge(value, wide) in (one.judge(value, narrow), None)


def test_rules_read_as_sentences():
    assert str(rule("value", target=29.78, rel=0.05)) == "value 29.78 ± 5 %"
    assert str(rule("identity", target=[1, 2.5], abs=1e-10)) == "equals 1, 2.5 ± 1.0e-10"
    assert str(rule("at-least", bound=0.95, use="ci")) == "whole interval at least 0.95"
    assert str(rule("value", target=10, abs=0.5, use="ci")) == "whole interval within 10 ± 0.5"
    assert str(rule("p-value", level=0.05)) == "p at most 0.05"
    assert str(rule("between", low=1, high=2)) == "between 1 and 2"
    assert str(rule("order", increasing=False, margin=0.02, names=["a", "b"])) == "decreasing by more than 0.02: a, b"
    assert str(rule("sign", sign="negative")) == "interval below 0"
