"""Contrastive training: the loss against the instrument, learning on pairs that can be learnt, and refusals."""

import math

import pytest
import torch

pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')

from mmnb.instruments import gap
from mmnb.models.clip import SmallClip
from mmnb.recipes.clip.contrast import embed, fit_contrastive, symmetric_loss
from mmnb.recipes.fit import fit


def unit(n, d, seed):
    return gap.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0])
def test_the_loss_is_the_instruments_and_has_a_gradient(tau):
    x, y = unit(6, 4, 0).requires_grad_(), unit(6, 4, 1)
    loss = symmetric_loss(x, y, tau)
    assert abs(loss.item() - gap.contrastive_loss(x, y, tau).symmetric) < 1e-9
    assert torch.autograd.gradcheck(lambda a: symmetric_loss(a, y, tau), (x,))


def world(n=40):
    """Pictures with one dark column each, and the number of that column as text."""
    column = torch.arange(n) % 20
    images = torch.zeros(n, 32, 32, dtype=torch.uint8)
    images[torch.arange(n), :, column] = 255
    return images, (1 + column)[:, None]


def train(tau, seed=0, **options):
    torch.manual_seed(seed)
    model = SmallClip(words=30, length=1, width=32, layers=1, dimensions=16).eval()
    images, tokens = world()
    before = gap.modality_gap(*embed(model, images[:20], tokens[:20]))
    history = fit_contrastive(model, images, tokens, tau=tau, seed=seed, batch_size=20, progress=False, **options)
    return model, history, before


def test_it_learns_pairs_and_a_high_temperature_closes_the_gap():
    model, history, before = train(0.2, epochs=40)
    x, y = embed(model, *(side[:20] for side in world()))
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert min(gap.retrieval_recall(x, y)) > 0.5  # chance is 0.05
    assert gap.modality_gap(x, y) < 0.5 * before
    assert not model.training


def test_equal_seeds_give_equal_models():
    one, two, other = (embed(train(0.1, seed, epochs=1)[0], *world())[0] for seed in (3, 3, 4))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_a_learnt_temperature_moves_and_a_fixed_one_stays():
    fixed, learnt = (train(0.2, epochs=10, learn_tau=learn)[0] for learn in (False, True))
    assert abs(fixed.temperature - 0.2) < 1e-6  # float32
    assert abs(learnt.temperature - 0.2) > 1e-4  # where to is the next test's question
    assert not torch.equal(embed(fixed, *world())[0], embed(learnt, *world())[0])


def test_the_first_step_of_a_learnt_temperature_is_adams_without_decay():
    """One step of AdamW is the learning rate, against the sign of the gradient: here -ln tau grows or falls by it, whatever the decay."""
    for decay in (0.0, 0.5):
        model, _, _ = train(0.2, epochs=1, learn_tau=True, weight_decay=decay, learning_rate=1e-4)
        images, tokens = world()
        torch.manual_seed(0)
        start = SmallClip(words=30, length=1, width=32, layers=1, dimensions=16).eval()
        scale = torch.tensor(-math.log(0.2), requires_grad=True)
        symmetric_loss(start.encode_image(images), start.encode_text(tokens), (-scale).exp()).backward()
        change = model.model.logit_scale.item() - -math.log(0.2)
        # two steps of a one-cycle schedule, each at most 1e-4; decay 0.5 would take off another 1.6 * 0.5 * 1e-4
        assert 0 < -change * math.copysign(1, scale.grad.item()) < 2e-4
        if decay == 0.0:
            without = change
    assert abs(change - without) < 1e-5


@pytest.mark.parametrize("change", [{"tau": 0.0}, {"batch_size": 7}, {"tokens": torch.ones(3, 1, dtype=torch.int64)}])
def test_refusals(change):
    images, tokens = world()
    given = {"tau": 0.1, "batch_size": 20, "tokens": tokens} | change
    model = SmallClip(words=30, length=1, width=32, layers=1, dimensions=16)
    with pytest.raises(ValueError, match="a multiple of the batch size, and a temperature above 0"):
        fit_contrastive(model, images, seed=0, epochs=1, **given)


def test_a_model_in_train_mode_is_not_measured():
    with pytest.raises(ValueError, match="train mode"):
        embed(SmallClip(words=30, length=1, width=32, layers=1, dimensions=16).train(), *world())


@pytest.mark.parametrize(("largest", "at_most"), [(0.5, 0.5 + 1e-6), (None, float("inf"))])
def test_a_gradient_is_cut_where_that_is_asked_for(largest, at_most):
    torch.manual_seed(0)
    model, x = torch.nn.Linear(3, 1), torch.randn(4, 3)
    fit(
        model,
        lambda rows: 1e6 * model(x[rows]).square().mean(),
        4,
        epochs=1,
        generator=torch.Generator().manual_seed(0),
        largest_gradient=largest,
        progress=False,
    )
    length = sum(p.grad.square().sum() for p in model.parameters()).sqrt()
    assert length <= at_most
    assert largest is not None or length > 1e3
