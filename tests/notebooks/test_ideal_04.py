"""What the claims of notebooks 04 and 04b call ideal, computed: closed forms, exact geometry, published differences."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mmnb.instruments import gap
from mmnb.instruments.estimate import proportion
from mmnb.lab import claims, published


@pytest.fixture
def notebook(notebook_code):
    return notebook_code("04_modality_gap", ("HEIGHTS", "SIX", "WRONG", "RIGHT"))


def ideal(slug: str, name: str):
    return claims.load(slug)[f"gap.{name}"].ideal


def of_04(name: str):
    return ideal("04_modality_gap", name)


def test_the_cone_of_the_paper_and_the_right_one(notebook):
    share = notebook["log2_share"]
    stated, right = share(math.degrees(math.acos(0.56)) / 2), share(math.degrees(math.acos(0.56**0.5)))
    assert of_04("cone-fraction").value == pytest.approx(stated, abs=0.05)
    nulls = [null.value for null in claims.load("04_modality_gap")["gap.cone-fraction"].nulls]
    assert any(value == pytest.approx(right, abs=0.5) for value in nulls)


@pytest.mark.parametrize("c", [0.1, 0.56, 0.9])
def test_points_of_equal_cosines_lie_where_the_claim_says(notebook, c):
    """500 points with the cosine c each, built from a common axis and one axis of their own."""
    rows = gap.normalize(np.hstack([np.full((500, 1), c**0.5), np.eye(500) * (1 - c) ** 0.5]))
    assert gap.average_cosine(rows, diagonal=False) == pytest.approx(c, abs=1e-9)
    angle = notebook["angles_to_axis"](rows).median().item()
    assert angle - math.degrees(math.acos(c**0.5)) == pytest.approx(of_04("cone-angle").value, abs=0.3)  # 1/500


def test_the_best_height_of_six_pairs_in_closed_form(notebook):
    azimuth = notebook["SIX"]
    cosines = np.cos(azimuth[:, None] - azimuth[notebook["WRONG"]][None])

    def loss(scale):
        halves = [np.logaddexp.reduce(scale * cosines, axis=k).mean() for k in (0, 1)]
        return sum(halves) / 2 - scale * np.trace(cosines) / 6

    best = minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-9}).x
    assert best == pytest.approx(21.216, abs=0.002)
    assert round(math.degrees(math.acos(best / 100))) == of_04("six-pairs").value
    assert notebook["best_height"](notebook["WRONG"], 100) == of_04("six-pairs").value
    assert notebook["best_height"](notebook["RIGHT"], 100) == 0


def test_the_other_ideals_of_04():
    assert of_04("depth-published").value == pytest.approx(gap.relu_recursion(10, square=512, bias=True)[-1], abs=1e-4)
    assert of_04("every-model").value == pytest.approx(gap.modality_gap(np.eye(2)[:1], np.eye(2)[1:]), abs=1e-3)
    whole = proportion(120, 120)
    assert of_04("seeds").value == whole.value == 1
    assert of_04("seeds").ci == pytest.approx(whole.interval, abs=1e-3)


def test_the_ideals_of_04b_are_the_papers_differences():
    plain, small = (published.look_up(f"modality_gap.scratch.{name}").value for name in ("plain", "amended"))
    warm, *_, cool, cold = (published.look_up("modality_gap.finetuned").value[k] for k in (0, 3, 5))
    expected = {"train-widens": plain[1] - plain[0], "train-reopens": small[1] - small[0]}
    expected |= {"train-start": plain[1] - small[1], "train-order": min(cold - cool, cool - warm)}
    for name, value in expected.items():
        assert ideal("04b_contrastive_training", name).value == pytest.approx(value, abs=0.002), name
