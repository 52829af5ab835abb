"""The training loop: it learns, keeps the best epoch, repeats itself, and refuses nonsense."""

import pytest
import torch
from torch import nn

from mmnb.data.pairs import Pairs
from mmnb.models.fusion import ConcatMLP, LateFusion, SumOfLogits
from mmnb.recipes.fit import fit, fit_pairs, pair_logits


def xor_pairs(n=240, seed=0):
    """Items are one-hot; the label is whether the two item numbers have different parity."""
    generator = torch.Generator().manual_seed(seed)
    of_a, of_b = torch.randint(4, (n,), generator=generator), torch.randint(4, (n,), generator=generator)
    rows = torch.arange(n)
    return Pairs(
        torch.eye(4),
        torch.eye(4),
        of_a,
        of_b,
        (of_a + of_b) % 2,
        ("same", "different"),
        rows[:160],
        rows[160:200],
        rows[200:],
    )


def model_with(head, seed=0):
    torch.manual_seed(seed)
    return LateFusion(nn.Identity(), nn.Identity(), head)


def accuracy(model, pairs):
    with torch.no_grad():
        return (pair_logits(model, pairs, pairs.test).argmax(1) == pairs.label[pairs.test]).float().mean().item()


def test_interactive_head_learns_xor_and_additive_head_cannot():
    pairs = xor_pairs()
    torch.manual_seed(0)
    mlp, additive = model_with(ConcatMLP(4, 2, 32)), model_with(SumOfLogits(4, 2))
    for model in (mlp, additive):
        fit_pairs(model, pairs, seed=0, epochs=60, items_per_batch=1, learning_rate=3e-2)
    assert accuracy(mlp, pairs) == 1.0
    assert (
        accuracy(additive, pairs) <= 0.75
    )  # additive logits get at most 3 of the 4 parity cells right, by any weights
    assert not mlp.training


def test_same_seed_same_weights_other_seed_others():
    def weights(seed):
        model = model_with(ConcatMLP(4, 2, 8))
        fit_pairs(model, xor_pairs(), seed=seed, epochs=2, items_per_batch=1)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_keeps_the_weights_of_the_best_epoch():
    model, scores, seen = nn.Linear(1, 1), iter([0.1, 0.9, 0.9, 0.2]), []

    def validate():
        seen.append(model.weight.item())
        return next(scores)

    history = fit(
        model,
        lambda i: model(torch.ones(len(i), 1)).square().mean(),
        8,
        epochs=4,
        generator=torch.Generator(),
        validate=validate,
    )
    assert history.best == 1  # the earlier of the two
    assert len(set(seen)) == 4
    assert model.weight.item() == seen[1]


def test_every_unit_is_drawn_once_an_epoch():
    drawn = []
    model = nn.Linear(1, 1)

    def loss(index):
        drawn.append(index)
        return model(torch.ones(1, 1)).sum()

    fit(model, loss, 10, epochs=3, batch_size=4, generator=torch.Generator().manual_seed(0))
    for epoch in range(3):
        assert torch.cat(drawn[3 * epoch : 3 * epoch + 3]).sort().values.tolist() == list(range(10))


def test_refuses_nonsense():
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="n=0"):
        fit(model, lambda i: None, 0, epochs=1, generator=torch.Generator())
    before = model.weight.item()
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        fit(model, lambda i: model.weight.sum() * float("nan"), 4, epochs=1, generator=torch.Generator())
    assert model.weight.item() == before
