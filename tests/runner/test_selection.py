"""Which notebooks a name means."""

import pytest

from mmnb.runner.selection import UsageError, select


@pytest.fixture
def three(project):
    for slug in ("01_emap", "02_emap_again", "10_gap"):
        project.add(slug)
    (project.root / "notebooks" / "helper.py").write_text("", encoding="utf-8")
    return project


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["01_emap", "02_emap_again", "10_gap"]),
        (["1"], ["01_emap"]),
        (["01"], ["01_emap"]),
        (["10", "1"], ["01_emap", "10_gap"]),
        (["01,10"], ["01_emap", "10_gap"]),
        (["01 02"], ["01_emap", "02_emap_again"]),
        (["01_emap"], ["01_emap"]),
        (["emap"], ["01_emap"]),
        (["ema"], ["01_emap", "02_emap_again"]),
        (["10_g"], ["10_gap"]),
        (["notebooks/10_gap.py"], ["10_gap"]),
        (["notebooks/10_gap.ipynb", "10"], ["10_gap"]),
    ],
)
def test_names(three, names, expected):
    assert select(names) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("1", "01_emap"), ("01b", "01b_more"), ("1b", "01b_more"), ("more", "01b_more"), ("01", "01_emap")],
)
def test_an_appendix_has_a_letter(three, name, expected):
    three.add("01b_more")
    assert select([name]) == [expected]
    assert select([])[:2] == ["01_emap", "01b_more"]


@pytest.mark.parametrize("name", ["3", "0", "gapp", "", "helper", "ap"])
def test_a_name_that_fits_nothing_is_an_error_that_lists_what_there_is(three, name):
    with pytest.raises(UsageError, match=r"there are 01_emap, 02_emap_again, 10_gap"):
        select(["1", name])


def test_no_notebook_at_all_is_an_error(project):
    with pytest.raises(UsageError, match="no notebook"):
        select([])
