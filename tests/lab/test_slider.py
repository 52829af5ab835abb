"""The slider redraws when a control moves, and shows a picture."""

import pytest

from mmnb.lab import slider as module

pytest.importorskip("ipywidgets", reason='needs `pip install "mmnb[notebooks]"`')


def test_it_draws_once_at_first_and_once_for_each_move(monkeypatch):
    seen, shown = [], []
    monkeypatch.setattr(module, "display", shown.append)

    def draw(ax, x, kind):
        seen.append((x, kind))
        ax.plot([0, x])

    box = module.slider(draw, x=(0.0, 2.0, 0.5), kind=["a", "b"])
    first, second = box.children[:2]
    first.value = 2.0
    second.value = "b"
    assert seen == [(1.0, "a"), (2.0, "a"), (2.0, "b")]
    assert len(shown) == 3 and all(picture.data.startswith(b"\x89PNG") for picture in shown)
    assert shown[0].data != shown[1].data
