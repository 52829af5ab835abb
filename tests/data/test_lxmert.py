"""The authors' LXMERT results: read as published, refused when damaged."""

import numpy as np
import pytest

from mmnb.data import lxmert


@pytest.mark.parametrize(
    ("task", "means"),
    [("vqa", (70.29, 40.51, 23.38, 35.35, 23.38)), ("gqa", (60.29, 40.99, 18.11, 37.52, 18.08))],
)
def test_published_means(remote_files, task, means):
    splits = lxmert.load(task)
    assert len(splits) == 15 and splits.task == task
    for name, mean in zip(("original", "additive", "image", "text", "mean"), means, strict=True):
        values = getattr(splits, name)
        assert values.shape == (15,) and values.dtype == np.float64
        assert values.mean() == pytest.approx(mean, rel=0, abs=0.005)  # published to two decimals
    assert (splits.original > splits.additive).sum() == 15


def test_both_forms_of_a_line(tmp_path):
    file = tmp_path / "results.txt"
    file.write_text(
        "orig/add/image/text/mean: 1/2/3/4/5.5\norig/add/image/text/mean, n points=500: 6/7/8/9/10\n\n",
        encoding="utf-8",
    )
    np.testing.assert_array_equal(lxmert.read(file), [[1, 6], [2, 7], [3, 8], [4, 9], [5.5, 10]])


@pytest.mark.parametrize("text", ["", "orig/add/image/text/mean: 1/2/3/4\n", "<html>404</html>"])
def test_anything_else_is_refused(tmp_path, text):
    file = tmp_path / "results.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"results\.txt"):
        lxmert.read(file)


def test_unknown_task():
    with pytest.raises(ValueError, match="expected 'vqa' or 'gqa'"):
        lxmert.load("nlvr2")
