"""Contrastive training: the loss against the instrument, and embedding in eval mode only. The loop stands in notebook 04b."""

import pytest
import torch

pytest.importorskip("open_clip", reason='needs `pip install "mmnb[models]"`')

from mmnb.instruments import gap
from mmnb.models.clip import SmallClip
from mmnb.recipes.clip.contrast import embed, symmetric_loss
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
