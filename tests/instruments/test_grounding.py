"""Attention grounding on hand-made maps with known answers, against brute force, and what is refused."""

import math

import pytest
import torch

from mmnb.instruments import grounding as gr


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(n=12, layers=2, heads=3, words=5, regions=4, seed=0):
    return torch.softmax(torch.randn(n, layers, heads, words + regions, words + regions, generator=gen(seed)), -1)


def test_attention_to_the_right_region_scores_1_to_a_wrong_one_0():
    attention = torch.zeros(3, 1, 2, 6, 6) + 1e-9
    match = torch.zeros(3, 3, dtype=torch.bool)
    for i, right in enumerate((0, 2, 1)):
        match[i, right] = True
        attention[i, 0, 0, 2, 3 + right] = 0.4
        attention[i, 0, 1, 2, 3 + (right + 1) % 3] = 0.4
    attention[:, :, :, :, 0] = 1 - attention[..., 1:].sum(
        -1
    )  # the row's largest entry stands on a word, and counts for nothing
    rows = gr.to_regions(attention, torch.full((3,), 2), 3, 3)
    found = gr.entity_grounding(rows, match, torch.ones(3, 3, dtype=torch.bool))
    assert found.accuracy.tolist() == [[1.0, 0.0]] and found.attention_to_regions[0].tolist() == pytest.approx(
        [0.4, 0.4], abs=1e-6
    )


def test_a_perfect_head_with_one_per_cent_of_attention_is_marked():
    rows = torch.full((4, 1, 2, 2), 1e-6)
    rows[:, 0, 0, 1], rows[:, 0, 1, 1] = 0.01, 0.3
    match = torch.tensor([[False, True]]).expand(4, 2)
    found = gr.entity_grounding(rows, match, torch.ones(4, 2, dtype=torch.bool))
    assert found.accuracy.tolist() == [[1.0, 1.0]] and found.low_attention.tolist() == [[True, False]]


def test_against_brute_force_with_absent_regions():
    attention, draw = maps(n=40), torch.rand(40, 4, generator=gen(2))
    match, present = draw > 0.6, draw.flip(1) > 0.3
    present[:, 0] = True
    query = torch.randint(0, 5, (40,), generator=gen(3))
    found = gr.entity_grounding(gr.to_regions(attention, query, 5, 4), match, present)
    for layer in range(2):
        for head in range(3):
            hits, mass = 0, 0.0
            for i in range(40):
                row = attention[i, layer, head, query[i], 5:].tolist()
                seen = [r for r in range(4) if present[i, r]]
                hits += bool(match[i, max(seen, key=lambda r: row[r])])
                mass += sum(row[r] for r in seen)
            assert found.accuracy[layer, head].item() == pytest.approx(hits / 40, abs=1e-12)
            assert found.attention_to_regions[layer, head].item() == pytest.approx(mass / 40, abs=1e-5)


def test_order_of_regions_does_not_matter():
    rows = gr.to_regions(maps(), torch.zeros(12, dtype=torch.long), 5, 4)
    match, order = torch.rand(12, 4, generator=gen(1)) > 0.5, torch.tensor([2, 0, 3, 1])
    present = torch.ones(12, 4, dtype=torch.bool)
    a, b = gr.entity_grounding(rows, match, present), gr.entity_grounding(rows[..., order], match[:, order], present)
    assert torch.equal(a.correct, b.correct)


def test_either_of_two_boxes_counts_and_a_phrase_without_any_is_wrong():
    rows = torch.tensor([[[[0.1, 0.3]]], [[[0.1, 0.3]]]])
    match, present = torch.tensor([[True, True], [False, False]]), torch.ones(2, 2, dtype=torch.bool)
    assert gr.entity_grounding(rows, match, present).accuracy.item() == 0.5 == gr.ceiling(match, present)


def test_random_baseline_is_what_random_picks_give():
    draw = torch.rand(500, 6, generator=gen())
    match, present = draw > 0.7, draw > 0.1
    present[:, 0] = True
    match &= present
    exact, hits = gr.random_accuracy(match, present), []
    for k in range(200):
        pick = torch.rand(500, 6, generator=gen(k)).masked_fill(~present, -1).argmax(1)
        hits.append(match[torch.arange(500), pick].double().mean())
    hits = torch.stack(hits)
    assert abs(hits.mean() - exact) < 3 * hits.std() / math.sqrt(200)


def test_a_head_that_ignores_regions_scores_the_baseline():
    """Attention that has nothing to do with the match: within 4 standard errors of the exact expectation."""
    rows = torch.rand(4000, 1, 1, 5, generator=gen()) / 10
    match, present = torch.rand(4000, 5, generator=gen(1)) > 0.75, torch.ones(4000, 5, dtype=torch.bool)
    accuracy = gr.entity_grounding(rows, match, present).accuracy.item()
    chance = gr.random_accuracy(match, present)
    assert abs(accuracy - chance) < 4 * math.sqrt(chance * (1 - chance) / 4000)


def test_baselines_by_hand():
    match, present = torch.tensor([[True, False, False], [False, True, True]]), torch.ones(2, 3, dtype=torch.bool)
    present[0, 1] = False
    assert gr.random_accuracy(match, present) == pytest.approx((1 / 2 + 2 / 3) / 2, abs=1e-12)
    assert gr.confident_accuracy(torch.tensor([[0.5, 0.9, 0.1], [0.9, 0.1, 0.2]]), match, present) == 0.5
    feature = torch.tensor([[[0.0], [9.0], [5.0]], [[0.0], [1.0], [5.0]]])  # means 2.5 (two are seen) and 2
    assert gr.nearest_to_mean_accuracy(feature, match, present) == 1.0


def test_choosing_among_many_heads_is_optimistic_and_the_other_half_is_not():
    """200 worlds of 144 coin-flipping heads: chosen lies far above 1/4, held out at 1/4."""
    draw, chosen, held = gen(), [], []
    half = torch.arange(200) < 100
    for _ in range(200):
        best = gr.best_head(torch.rand(200, 12, 12, generator=draw) < 0.25, half)
        chosen.append(best.chosen)
        held.append(best.value)
        assert best.accuracy.low <= best.value <= best.accuracy.high
    assert min(chosen) > 0.3
    assert abs(sum(held) / 200 - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 100 / 200)


def test_results_show_their_estimates_and_old_names_still_work_with_a_warning():
    rows, match = torch.tensor([[[[0.1, 0.3], [0.3, 0.1]]]] * 4), torch.tensor([[False, True]] * 3 + [[True, False]])
    found = gr.entity_grounding(rows, match, torch.ones(4, 2, dtype=torch.bool))
    assert found.value == 0.75 and found.interval is None and found.to_frame().value.tolist() == [0.75, 0.5]
    best = gr.best_head(found.correct, torch.tensor([True, False, False, True]))
    assert (best.layer, best.head, best.chosen, best.value) == (0, 0, 0.5, 1.0) and best.headline.n == 2
    with pytest.warns(DeprecationWarning, match="goes with the next release"):
        assert torch.equal(found.mass, found.attention_to_regions) and torch.equal(found.faint, found.low_attention)
        assert (best.held_out, best.low, best.high) == (1.0, *gr.wilson(2, 2).interval)


def test_arcs_in_both_directions():
    """the(0) dog(1) chases(2) a(3) ball(4): det, nsubj, -, det, dobj; dog is phrase 0, ball phrase 1."""
    head, relation = torch.tensor([[1, 2, -1, 4, 2]]), torch.tensor([[0, 1, 9, 0, 2]])
    phrase = torch.tensor([[-1, 0, -1, -1, 1]])
    found = gr.grounded_arcs(head, relation, phrase)
    rows = {tuple(row) for row in zip(found.query.tolist(), found.relation.tolist(), found.downwards.tolist(), found.phrase.tolist(), strict=True)}  # fmt: skip
    assert rows == {(2, 1, True, 0), (2, 2, True, 1), (0, 0, False, 0), (3, 0, False, 1)}


ONE = torch.ones(2, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: gr.to_regions(maps(), torch.full((12,), 5), 5, 4), "cut off"),
        (lambda: gr.to_regions(maps(), torch.zeros(12).long(), 5, 0), "regions"),
        (lambda: gr.to_regions(maps(), torch.zeros(12).long(), 5, 5), "regions"),
        (lambda: gr.to_regions(maps() * 2, torch.zeros(12).long(), 5, 4), "sum to 1"),
        (lambda: gr.to_regions(maps() * math.nan, torch.zeros(12).long(), 5, 4), "NaN"),
        (lambda: gr.entity_grounding(torch.full((2, 1, 1, 3), math.nan), ONE, ONE), "NaN"),
        (lambda: gr.entity_grounding(torch.zeros(2, 1, 1, 3), ONE, ONE & False), "no region"),
        (lambda: gr.entity_grounding(torch.zeros(2, 1, 1, 4), ONE, ONE), "expected"),
        (lambda: gr.random_accuracy(ONE, ONE & False), "no region"),
        (lambda: gr.confident_accuracy(torch.full((2, 3), math.nan), ONE, ONE), "NaN"),
        (lambda: gr.best_head(torch.ones(2, 1, 1).bool(), torch.ones(2).bool()), "empty"),
        (lambda: gr.grounded_arcs(torch.tensor([[5]]), torch.tensor([[0]]), torch.tensor([[0]])), "outside"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_masks_of_zeros_and_ones_are_masks():
    rows = torch.tensor([[[[0.1, 0.6, 0.2]]], [[[0.5, 0.1, 0.1]]]])
    known = gr.entity_grounding(rows, ONE, ONE)
    found = gr.entity_grounding(rows.tolist(), ONE.long(), ONE.int().numpy())
    assert torch.equal(found.correct, known.correct)
    with pytest.raises(ValueError, match="expected a mask"):
        gr.entity_grounding(rows, 2 * ONE.long(), ONE)


@pytest.mark.parametrize("given", [None, (None, None), tuple(torch.rand(2, 2, 1, 3, 3))])
def test_attention_as_transformers_gives_it_is_told_what_to_do(given):
    """`sdpa` gives None, and maps come layer by layer."""
    with pytest.raises(TypeError, match=r"torch.stack\(maps, 1\).*attn_implementation='eager'"):
        gr.to_regions(given, torch.zeros(2).long(), 1, 2)


def test_a_device_without_float64_gives_the_numbers_of_the_cpu(far_away):
    rows = torch.rand(2, 1, 1, 3).as_subclass(far_away)
    far = ONE.as_subclass(far_away)
    assert torch.equal(gr.entity_grounding(rows, far, far).correct, gr.entity_grounding(rows.cpu(), ONE, ONE).correct)
    assert gr.random_accuracy(far, far) == gr.random_accuracy(ONE, ONE)
    assert gr.confident_accuracy(rows[:, 0, 0], far, far) == gr.confident_accuracy(rows[:, 0, 0].cpu(), ONE, ONE)
