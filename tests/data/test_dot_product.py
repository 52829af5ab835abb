"""The dot-product world, checked by undoing its two linear views."""

import numpy as np
import pytest

from mmnb.data import dot_product

SIZES = {"dim": 20, "dim_a": 40, "dim_b": 30, "margin": 0.25}


def test_views_determine_the_label_and_keep_the_margin():
    rng = np.random.default_rng(3)
    world = dot_product.sample(500, rng=rng, **SIZES)
    again = np.random.default_rng(3)
    p, q = again.uniform(-0.5, 0.5, (40, 20)), again.uniform(-0.5, 0.5, (30, 20))
    v, t = (np.linalg.lstsq(m, x.double().numpy().T, rcond=None)[0].T for m, x in ((p, world.a), (q, world.b)))
    for hidden in (v, t):
        assert np.linalg.norm(hidden, axis=1) == pytest.approx(np.ones(500), rel=0, abs=1e-5)  # float32 views
    dot = (v * t).sum(1)
    assert (np.abs(dot) > 0.25 - 1e-5).all()
    assert ((dot > 0) == world.y.bool().numpy()).all()


def test_labels_are_balanced_and_seeds_differ():
    one, same, other = (dot_product.sample(2000, rng=np.random.default_rng(seed), **SIZES) for seed in (0, 0, 1))
    assert abs(one.y.float().mean() - 0.5) < 5 * 0.5 / 2000**0.5
    assert one.a.equal(same.a)
    assert not one.y.equal(other.y)


@pytest.mark.parametrize("change", [{"dim": 0}, {"margin": 1.0}, {"margin": -0.1}, {"dim_b": 0}])
def test_refuses_sizes(change):
    with pytest.raises(ValueError, match="expected sizes"):
        dot_product.sample(10, rng=np.random.default_rng(0), **(SIZES | change))


def test_refuses_a_margin_that_no_draw_passes():
    with pytest.raises(ValueError, match="expected 1 in 10,000"):
        dot_product.sample(10, rng=np.random.default_rng(0), **(SIZES | {"dim": 500, "margin": 0.9}))
