"""Cross-modal ablation: overlaps and losses by hand, masks and replacements by their definition, both directions on models with known answers."""

import math

import pytest
import torch

from mmnb.instruments import ablation as ab

GOLD = torch.tensor([[0.0, 0.0, 9.0, 9.0]])


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("box", "iot", "iou", "counts"),
    [
        ((0, 0, 4, 9), 0.5, 0.5, False),  # half of it: not strictly above .5
        ((0, 0, 5, 9), 0.6, 0.6, True),
        ((0, 0, 99, 99), 1.0, 0.01, True),  # all of it, and much more
        ((20, 20, 30, 30), 0.0, 0.0, False),
        ((10, 0, 19, 9), 0.0, 0.0, False),  # touches, in pixels
        ((5, 5, 14, 14), 0.25, 25 / 175, False),
    ],
)
def test_overlap_by_hand_with_the_pixel_rule(box, iot, iou, counts):
    region = torch.tensor([box], dtype=torch.float64)
    assert ab.iot(region, GOLD, pixels=True).item() == pytest.approx(iot, abs=1e-12)
    assert ab.iou(region, GOLD, pixels=True).item() == pytest.approx(iou, abs=1e-12)
    assert ab.aligned(region, GOLD, pixels=True).item() is counts


def test_overlap_against_counted_pixels():
    """Brute force: boxes with whole corners, pixels counted one by one."""
    draw = gen(1)
    for _ in range(30):
        corners = torch.randint(0, 12, (2, 2, 2), generator=draw).sort(1).values
        a, b = (torch.cat([c[0], c[1]]) for c in corners)
        grid = torch.zeros(2, 12, 12, dtype=torch.bool)
        for k, box in enumerate((a, b)):
            grid[k, box[1] : box[3] + 1, box[0] : box[2] + 1] = True
        both, either, gold = (grid[0] & grid[1]).sum().item(), (grid[0] | grid[1]).sum().item(), grid[1].sum().item()
        assert ab.iot(a[None], b[None], pixels=True).item() == pytest.approx(both / gold, abs=1e-12)
        assert ab.iou(a[None], b[None], pixels=True).item() == pytest.approx(both / either, abs=1e-12)


def test_any_gold_box_counts_and_iou_includes_the_threshold():
    gold = torch.tensor([[0.0, 0.0, 1.0, 1.0], [4.0, 4.0, 5.0, 5.0]])
    region = torch.tensor([[4.0, 4.0, 5.0, 5.0]])
    assert ab.aligned(region, gold).item() and not ab.aligned(region, gold[:1]).item()
    half = torch.tensor([[0.0, 0.0, 1.0, 0.5]])
    assert ab.aligned(half, gold[:1], measure="iou").item() and not ab.aligned(half, gold[:1]).item()
    for share, yes in ((0.49, False), (0.5, True), (0.51, True)):
        assert ab.aligned(torch.tensor([[0.0, 0.0, share, 1.0]], dtype=torch.float64), gold[:1].double(), measure="iou").item() is yes  # fmt: skip


@pytest.mark.parametrize(
    ("regions", "gold", "word"),
    [
        (torch.zeros(0, 4), GOLD, "n >= 1"),
        (torch.tensor([[0, 0, math.nan, 1]]), GOLD, "NaN"),
        (torch.tensor([[3.0, 0, 1, 1]]), GOLD, "exchanged"),
        (torch.tensor([[0.0, 0, 0, 1]]), GOLD, "area"),
        (torch.zeros(2, 3), GOLD, "shape"),
    ],
)
def test_boxes_that_are_none(regions, gold, word):
    with pytest.raises(ValueError, match=word):
        ab.iot(regions, gold)


def test_aligned_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="measure"):
        ab.aligned(GOLD, GOLD, measure="giou")
    with pytest.raises(ValueError, match="threshold"):
        ab.aligned(GOLD, GOLD, threshold=1.5)


def test_span_second_occurrence_and_limit():
    caption = [101, 5, 6, 7, 5, 6, 102]
    assert ab.phrase_span(caption, [5, 6]) == (1, 3)
    assert ab.phrase_span(caption, [5, 6], start=3) == (4, 6)
    assert ab.phrase_span(caption, [5, 6], limit=3) == (1, 3)
    for options, word in (({"limit": 2}, "cut after 2"), ({"start": 5}, "not in the caption")):
        with pytest.raises(ValueError, match=word):
            ab.phrase_span(caption, [5, 6], **options)
    with pytest.raises(ValueError, match=r"phrase_span: phrase: got shape \(0,\)"):
        ab.phrase_span(caption, [])


def test_spans_with_the_vocabulary_of_bert():
    """The tokenizer inside the MiniLM package is that of bert-base-uncased: words of several pieces, punctuation, capitals."""
    from mmnb.models.pretrained import minilm

    tokenizer = minilm(pretrained=False).tokenizer
    assert tokenizer.vocab_size == 30_522
    caption = "Two youngsters in snowsuits, one with a trampoline-like toboggan, wave."
    ids = tokenizer(caption)["input_ids"]
    for phrase in ("Two youngsters", "snowsuits", "a trampoline-like toboggan"):
        pieces = tokenizer(phrase, add_special_tokens=False)["input_ids"]
        start, end = ab.phrase_span(ids, pieces)
        assert tokenizer.decode(ids[start:end]).replace(" - ", "-") == phrase.lower()
    pieces = tokenizer("snowsuits", add_special_tokens=False)["input_ids"]
    assert len(pieces) > 1
    with pytest.raises(ValueError, match="not in the caption"):
        ab.phrase_span(ids, tokenizer("snow", add_special_tokens=False)["input_ids"] + [1])


def test_span_mask_and_its_errors():
    assert ab.span_mask(torch.tensor([[0, 1], [2, 4]]), 4).tolist() == [[True, False, False, False], [False, False, True, True]]  # fmt: skip
    for spans in ([[2, 2]], [[1, 5]], [[-1, 2]]):
        with pytest.raises(ValueError, match="span"):
            ab.span_mask(torch.tensor(spans), 4)


def test_masks_by_definition():
    draw = torch.rand(200, 9, generator=gen())
    valid, aligned = draw > 0.2, draw > 0.7
    none, some, random, everything = (ab.ablation_mask(c, aligned, valid, seed=1) for c in ab.CONDITIONS)
    assert not none.any() and torch.equal(everything, valid) and torch.equal(some, aligned & valid)
    assert not (random & (aligned | ~valid)).any()
    wanted = torch.minimum((aligned & valid).sum(1), (valid & ~aligned).sum(1))
    assert torch.equal(random.sum(1), wanted)


def test_random_mask_is_even():
    aligned = torch.tensor([[True, True, False, False, False, False]]).expand(6000, 6)
    share = ab.ablation_mask("random", aligned, torch.ones_like(aligned)).double().mean(0)[2:]
    assert (share - 0.5).abs().max() < 4 * (0.25 / 6000) ** 0.5  # 4 standard errors


def test_mask_errors():
    mask = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="condition"):
        ab.ablation_mask("object", mask, mask)
    with pytest.raises(ValueError, match=r"aligned: got shape \(1, 2\); expected \(1, 1\)"):
        ab.ablation_mask("all", mask, mask[:, :1])
    with pytest.raises(ValueError, match="expected a mask"):
        ab.ablation_mask("all", 2 * mask.long(), mask)
    assert torch.equal(ab.ablation_mask("all", mask.long(), mask.tolist()), mask)


@pytest.fixture
def pictures():
    feature = torch.randn(5, 4, 3, generator=gen())
    seen = torch.ones(5, 4, dtype=torch.bool)
    seen[0, 3] = False
    taken = torch.zeros(5, 4, dtype=torch.bool)
    taken[:3, 1] = True
    return feature, seen, taken


@pytest.mark.parametrize("replacement", ab.REPLACEMENTS)
@pytest.mark.parametrize("index", [None, 0])
def test_an_ablation_of_nothing_changes_nothing_to_the_bit(pictures, replacement, index):
    feature, seen, taken = pictures
    new, mask = ab.ablate_regions(feature, seen, taken & False, replacement=replacement, mean=torch.ones(3), global_index=index)  # fmt: skip
    assert torch.equal(new, feature) and torch.equal(mask, seen)


def test_only_removed_regions_change(pictures):
    feature, seen, taken = pictures
    before = feature.clone()
    new, mask = ab.ablate_regions(feature, seen, taken, replacement="mean", mean=torch.tensor([1.0, 2, 3]))
    assert torch.equal(feature, before) and torch.equal(mask, seen)
    assert torch.equal(new[~taken], feature[~taken]) and (new[taken] == torch.tensor([1.0, 2, 3])).all()
    new, mask = ab.ablate_regions(feature, seen, taken, replacement="drop")
    assert torch.equal(new, feature) and torch.equal(mask, seen & ~taken)


def test_global_region_is_the_mean_of_what_is_left_in_sight(pictures):
    feature, seen, taken = pictures
    zeroed, _ = ab.ablate_regions(feature, seen, taken, replacement="zero", global_index=0)
    for i in range(3):
        rows = [torch.zeros(3) if taken[i, r] else feature[i, r] for r in range(1, 4) if seen[i, r]]
        torch.testing.assert_close(zeroed[i, 0], torch.stack(rows).mean(0), rtol=0, atol=1e-6)
    assert torch.equal(zeroed[3:], feature[3:])  # nothing taken there: not even the mean is touched
    stale, _ = ab.ablate_regions(feature, seen, taken, replacement="zero", global_index=0, recompute=False)
    assert torch.equal(stale[:, 0], feature[:, 0])


def test_replacement_errors(pictures):
    feature, seen, taken = pictures
    with pytest.raises(ValueError, match="no region"):
        ab.ablate_regions(feature, seen & False, taken, replacement="zero")
    with pytest.raises(ValueError, match="NaN"):
        ab.ablate_regions(feature * math.nan, seen, taken, replacement="zero")
    with pytest.raises(ValueError, match="exempt"):
        ab.ablate_regions(feature, seen, taken | True, replacement="zero", global_index=0)
    with pytest.raises(TypeError, match="mean: got NoneType"):
        ab.ablate_regions(feature, seen, taken)
    with pytest.raises(ValueError, match="mean: got NaN"):
        ab.ablate_regions(feature, seen, taken, mean=torch.full((feature.shape[2],), math.nan))
    with pytest.raises(ValueError, match="replacement"):
        ab.ablate_regions(feature, seen, taken, replacement="noise")


def test_bits_in_closed_form():
    where = torch.tensor([[True, False, False], [False, True, True]])
    target = torch.tensor([[3, 0, 0], [0, 1, 2]])
    assert ab.mlm_bits(torch.zeros(2, 3, 1601), target, where).tolist() == pytest.approx([math.log2(1601)] * 2, abs=1e-9)  # fmt: skip
    logits = torch.zeros(2, 3, 4)
    logits[1, 1, 1] = math.log(3)  # 3 / 6 on the right word: 1 bit; the other place 2 bits
    assert ab.mlm_bits(logits, target, where).tolist() == pytest.approx([2.0, 1.5], abs=1e-6)


def test_macro_and_micro_differ():
    """Phrases of one piece (2 bits) and of four (0 bits): macro 1, micro .4."""
    logits = torch.zeros(2, 4, 4)
    logits[1, :, 0] = 100
    where = torch.tensor([[True, False, False, False], [True] * 4])
    bits = ab.mlm_bits(logits, torch.zeros(2, 4, dtype=torch.long), where)
    micro = (bits * where.sum(1)).sum() / where.sum()
    assert (bits.mean().item(), micro.item()) == pytest.approx((1.0, 0.4), abs=1e-9)


def test_divergence_in_closed_form():
    p = torch.softmax(torch.randn(6, 9, generator=gen()).double(), 1)
    assert ab.mrc_kl_bits(p, p.log()).abs().max() < 1e-6
    one = torch.eye(1601)[:1]
    assert ab.mrc_kl_bits(one, torch.zeros(1, 1601)).item() == pytest.approx(10.645, abs=5e-4)
    q = torch.softmax(torch.randn(6, 9, generator=gen(1)).double(), 1)
    loops = [sum(a * math.log2(a / b) for a, b in zip(x, y, strict=True)) for x, y in zip(p.tolist(), q.tolist(), strict=True)]  # fmt: skip
    assert ab.mrc_kl_bits(p, q.log() + 5).tolist() == pytest.approx(loops, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3), torch.zeros(1, 2).long(), torch.zeros(1, 2).bool()), "length limit"),
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3) * math.nan, torch.zeros(1, 2).long(), torch.ones(1, 2).bool()), "NaN"),
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3), torch.zeros(1, 3).long(), torch.ones(1, 2).bool()), "expected"),
        (lambda: ab.mrc_kl_bits(torch.ones(1, 3), torch.zeros(1, 3)), "sum to 1"),
        (lambda: ab.mrc_kl_bits(torch.eye(3), torch.zeros(3, 2)), "shape"),
        (lambda: ab.mrc_kl_bits(torch.eye(3), torch.zeros(3, 3) * math.nan), "NaN"),
        (lambda: ab.relative_change(torch.zeros(2), torch.ones(2)), "above 0"),
        (lambda: ab.normalized_drop(torch.ones(2), torch.ones(2), 0.0), "a unit of 0.0"),
        (lambda: ab.normalized_drop(torch.ones(2), torch.ones(2), -1.0, 1.0), "a ceiling of -1.0"),
        (lambda: ab.normalized_drop(torch.ones(2), torch.ones(2), math.nan), "ceiling of nan"),
        (lambda: ab.relative_change(torch.ones(2), torch.ones(3)), "got 2 and 3 losses"),
        (lambda: ab.relative_change([1.0, math.nan], [1.0, 2.0]), "relative_change: none: got NaN"),
        (lambda: ab.relative_change([], []), "n >= 1"),
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3), torch.tensor([[-1, 0]]), torch.ones(1, 2)), "ids from -1 to 0"),
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3), torch.tensor([[3, 0]]), torch.ones(1, 2)), "expected 0 to 2"),
        (lambda: ab.mlm_bits(torch.zeros(1, 2, 3), torch.zeros(1, 2), torch.ones(1, 2)), "whole numbers"),
        (lambda: ab.unigram_entropy(torch.tensor([[5, 9]]), torch.ones(1, 2), 8), "ids from 5 to 9"),
        (lambda: ab.unigram_entropy(torch.tensor([[5, 9]]), torch.ones(1, 3), 8), r"expected \(1, 2\)"),
        (lambda: ab.unigram_entropy(torch.tensor([[5, 6]]), torch.ones(1, 2), 0), "n_words: got 0"),
        (lambda: ab.marginal_kl(torch.eye(3)[0]), r"expected \(n, d\)"),
    ],
)  # fmt: skip
def test_losses_refuse(call, word):
    with pytest.raises(ValueError, match=word):
        call()


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.float32, torch.uint8])
def test_masks_of_tokenizers_and_ids_of_any_kind_give_the_same_bits(kind):
    """Hugging Face gives int64 masks, and -100 wherever nothing is to be predicted."""
    logits = torch.randn(2, 4, 6, generator=gen())
    where, target = (
        torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0]]),
        torch.tensor([[-100, 2, 5, -100], [0, -100, -100, -100]]),
    )
    known = ab.mlm_bits(logits, target.clamp(min=0), where.bool())
    assert torch.equal(ab.mlm_bits(logits, target, where.to(kind)), known)
    assert torch.equal(ab.mlm_bits(logits.tolist(), target.int().numpy(), where.tolist()), ab.mlm_bits(logits.double(), target, where))  # fmt: skip
    assert ab.unigram_entropy(target, where.to(kind), 6) == pytest.approx(1.5, abs=1e-12)
    slope = torch.autograd.grad(ab.mlm_bits(logits.requires_grad_(), target, where).sum(), logits)[0]
    assert slope.abs().sum() > 0  # a loss of a saliency map


def test_a_class_that_both_rule_out_costs_nothing():
    """Minus infinity for an impossible class: 0 log 0 is 0, and the rest is as without that class."""
    p, logits = torch.tensor([[0.25, 0.75, 0.0]]), torch.tensor([[1.0, 2.0, -math.inf]])
    assert ab.mrc_kl_bits(p, logits).item() == pytest.approx(ab.mrc_kl_bits(p[:, :2], logits[:, :2]).item(), abs=1e-12)


def test_ceilings_are_the_loss_of_the_best_constant_answer():
    draw = gen()
    target, where = torch.randint(0, 6, (50, 4), generator=draw), torch.rand(50, 4, generator=draw) > 0.4
    where[:, 0] = True
    answer = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([answer], max_iter=200, tolerance_grad=1e-10)

    def cost():
        optimiser.zero_grad()
        weight = where.double() / where.sum(1, keepdim=True) / 50
        loss = -(answer.log_softmax(0)[target] * weight).sum() / math.log(2)
        loss.backward()
        return loss

    optimiser.step(cost)
    assert ab.unigram_entropy(target, where, 6) == pytest.approx(cost().item(), abs=1e-6)
    label = torch.softmax(torch.randn(20, 5, generator=draw).double() * 2, 1)
    ceiling = ab.marginal_kl(label)
    others = [ab.mrc_kl_bits(label, q.log().expand_as(label)).mean().item() for q in torch.softmax(torch.randn(200, 5, generator=draw).double(), 1)]  # fmt: skip
    assert ceiling < min(others) and ceiling == pytest.approx(ab.mrc_kl_bits(label, label.mean(0).log().expand_as(label)).mean().item(), abs=1e-9)  # fmt: skip


# both directions, on models whose answers are known
N, L, R, V = 40, 5, 4, 8


def dataset():
    """The word at place 2 is what region 2 shows; feature = one-hot of it."""
    draw = gen(3)
    shown = torch.randint(0, V - 2, (N, R), generator=draw)
    tokens = torch.full((N, L), V - 2)
    tokens[:, 2] = shown[:, 2]
    phrase, aligned = torch.zeros(N, L, dtype=torch.bool), torch.zeros(N, R, dtype=torch.bool)
    phrase[:, 2] = True
    aligned[:, 2] = True
    feature = torch.eye(V)[shown]
    mask = torch.ones(N, R, dtype=torch.bool)
    return ab.Inputs(tokens, torch.ones(N, L, dtype=torch.bool), feature, torch.zeros(N, R, 4), mask), phrase, aligned, shown  # fmt: skip


def looks_at_region_2(tokens, token_mask, feature, box, region_mask):
    words = 30 * feature[:, 2] * region_mask[:, 2, None]
    told = torch.where(tokens[:, 2] < V - 1, tokens[:, 2], 0)
    known = (tokens[:, 2] < V - 1)[:, None, None]  # not [MASK]
    return words[:, None].expand(-1, L, -1), torch.where(known, 30 * torch.eye(V)[told][:, None], 0.0).expand(-1, R, -1)


def test_a_model_that_looks_only_at_the_aligned_region_loses_all_with_it_and_nothing_else():
    inputs, phrase, aligned, _ = dataset()
    options = {"mask_id": V - 1, "replacement": "zero"}
    bits = ab.vision_for_language(looks_at_region_2, inputs, phrase, aligned, **options)
    assert bits["none"].max() < 1e-6 and torch.equal(bits["none"], bits["random"])
    assert bits["aligned"].tolist() == pytest.approx([3.0] * N, abs=1e-6) and torch.equal(bits["aligned"], bits["all"])
    assert torch.equal(ab.vision_for_language(looks_at_region_2, inputs, phrase, aligned, **options | {"replacement": "drop"})["aligned"], bits["aligned"])  # fmt: skip


def test_the_other_direction_with_known_answers():
    inputs, phrase, aligned, shown = dataset()
    target, label = torch.full((N,), 2), torch.eye(V)[shown[:, 2]]
    options = {"mask_id": V - 1}
    bits = ab.language_for_vision(looks_at_region_2, inputs, phrase, aligned, target, label, **options)
    assert bits["none"].max() < 1e-6 and torch.equal(bits["none"], bits["random"])
    assert bits["aligned"].tolist() == pytest.approx([3.0] * N, abs=1e-6) and torch.equal(bits["aligned"], bits["all"])
    with pytest.raises(ValueError, match="not among the aligned"):
        ab.language_for_vision(looks_at_region_2, inputs, phrase, aligned, target * 0, label, **options)


def test_special_words_stay_and_the_stale_global_region_leaks():
    inputs, phrase, aligned, shown = dataset()
    mean = inputs.feature[:, 1:].mean(1)
    inputs = inputs._replace(feature=torch.cat([mean[:, None], inputs.feature[:, 1:]], 1))
    seen_tokens = []

    def subtracts(tokens, token_mask, feature, box, region_mask):
        seen_tokens.append(tokens.clone())
        hidden = 3 * feature[:, 0] - feature[:, 1:].sum(1)  # what the mean knows and the others do not show
        return None, 30 * hidden[:, None].expand(-1, R, -1)

    target, label = torch.full((N,), 2), torch.eye(V)[shown[:, 2]]
    options = {"mask_id": V - 1, "special": [V - 2], "global_index": 0, "conditions": ["none", "all"]}  # fmt: skip
    stale = ab.language_for_vision(subtracts, inputs, phrase, aligned, target, label, recompute=False, **options)
    fresh = ab.language_for_vision(subtracts, inputs, phrase, aligned, target, label, **options)
    assert stale["all"].max() < 1e-6 and fresh["none"].min() > 2.9
    assert (seen_tokens[1] == V - 2).sum() == (inputs.tokens == V - 2).sum()  # of "all", only the phrase could go


def test_a_text_only_model_is_exactly_indifferent_to_vision():
    inputs, phrase, aligned, _ = dataset()
    torch.manual_seed(0)
    words = torch.nn.Embedding(V, V).eval()
    bits = ab.vision_for_language(lambda tokens, *_: (words(tokens), None), inputs, phrase, aligned, mask_id=V - 1, replacement="zero")  # fmt: skip
    assert all(torch.equal(bits["none"], bits[c]) for c in bits)


def test_batches_change_nothing_and_a_model_in_train_mode_is_refused():
    inputs, phrase, aligned, _ = dataset()
    one, other = (ab.vision_for_language(looks_at_region_2, inputs, phrase, aligned, mask_id=V - 1, replacement="zero", batch_size=b) for b in (7, 1000))  # fmt: skip
    assert all(torch.equal(one[c], other[c]) for c in one)
    model = torch.nn.Embedding(V, V)
    with pytest.raises(ValueError, match="train mode"):
        ab.vision_for_language(lambda t, *_: (model(t), None), inputs, phrase, aligned, mask_id=7)
    with pytest.raises(ValueError, match="no logits over words"):
        ab.vision_for_language(lambda t, *_: (None, None), inputs, phrase, aligned, mask_id=7, replacement="zero")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phrase": torch.ones(3, 99)}, r"phrase: got shape \(3, 99\)"),
        ({"aligned": None}, "aligned: got NoneType"),
        ({"tokens": torch.zeros(3, 4, 5)}, "expected .*int64"),
        ({"box": torch.zeros(3, 1, 4)}, "box"),
        ({"target": torch.tensor([-1, 0, 0])}, "a target is not among"),
        ({"target": torch.tensor([99, 0, 0])}, "a target is not among"),
        ({"label": torch.eye(2)}, "label"),
        ({"conditions": "all"}, "expected a list"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_parts_of_other_captions_are_named(change, words):
    inputs, phrase, aligned, target, label = small()
    given = {"phrase": phrase, "aligned": aligned, "target": target, "label": label}
    given |= {name: value for name, value in change.items() if name in given}
    inputs = inputs._replace(**{name: value for name, value in change.items() if name in inputs._fields})
    options = {name: value for name, value in change.items() if name in ("conditions", "batch_size")}
    with pytest.raises((ValueError, TypeError), match=words):
        ab.language_for_vision(lambda *parts: (None, parts[2]), inputs, *given.values(), mask_id=1, **options)


def small():
    """Three captions of four words with two regions; the model's answer over regions is their feature."""
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])
    inputs = ab.Inputs(
        torch.arange(12).reshape(3, 4), mask, torch.ones(3, 2, 5), torch.zeros(3, 2, 4), torch.ones(3, 2).long()
    )
    phrase, aligned = torch.tensor([[1, 0, 0, 0]] * 3), torch.tensor([[1, 0]] * 3)
    return inputs, phrase, aligned, torch.zeros(3, dtype=torch.int64), torch.eye(5)[:3]


def test_int64_masks_and_devices_without_float64_serve_both_directions(far_away):
    inputs, *rest = small()
    known = ab.language_for_vision(lambda *parts: (None, parts[2]), inputs, *rest, mask_id=1)
    assert all(bits.tolist() == pytest.approx([math.log2(5)] * 3, abs=1e-6) for bits in known.values())
    inputs, rest = ab.Inputs(*(part.as_subclass(far_away) for part in inputs)), [p.as_subclass(far_away) for p in rest]
    found = ab.language_for_vision(lambda *p: (None, p[2].as_subclass(far_away)), inputs, *rest, mask_id=1)
    assert {name: bits.tolist() for name, bits in found.items()} == {n: b.tolist() for n, b in known.items()}
    words = torch.randn(3, 4, 12).as_subclass(far_away)
    found = ab.vision_for_language(
        lambda *p: (words[: len(p[0])], None), inputs, *rest[:2], mask_id=1, replacement="zero"
    )
    assert all(bits.isfinite().all() for bits in found.values())


def test_a_seed_is_the_deprecated_generator_and_progress_changes_nothing(capfd):
    inputs, phrase, aligned, _ = dataset()
    aligned = aligned.clone()
    aligned[:, 1] = torch.rand(N, generator=gen(5)) > 0.5
    options = {"mask_id": V - 1, "replacement": "zero", "conditions": ["random"]}
    by_seed = ab.vision_for_language(looks_at_region_2, inputs, phrase, aligned, seed=7, progress=True, **options)
    assert "random" in capfd.readouterr().err
    with pytest.warns(DeprecationWarning, match="seed="):
        by_generator = ab.vision_for_language(looks_at_region_2, inputs, phrase, aligned, generator=gen(7), **options)
    assert torch.equal(by_seed["random"], by_generator["random"])


@pytest.mark.parametrize(
    ("none", "ablated", "ceiling", "unit", "share"),
    [
        (0.0, 1.0, 1.0, None, 1.0),  # a perfect model
        (0.0, 9.0, 1.0, None, 1.0),  # misled without the other modality: no more is lost
        (2.0, 9.0, 1.0, None, 0.0),  # knew nothing before
        (0.5, 0.25, 1.0, None, -0.25),
        (0.0, 0.4, 0.4, 2.0, 0.2),  # another data set's unit
        (0.0, 0.5, 0.0, 2.0, 0.0),  # nothing is left open
    ],
)
def test_a_share_is_cut_off_at_what_the_rest_costs(none, ablated, ceiling, unit, share):
    assert ab.normalized_drop(torch.tensor([none]), torch.tensor([ablated]), ceiling, unit) == pytest.approx(share, abs=1e-12)  # fmt: skip


def test_a_share_is_one_of_means():
    """Items above and below the ceiling cancel: the cut is made once, on the mean."""
    assert ab.normalized_drop(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 2.0]), 1.0) == 1.0


def test_old_names_still_work_with_a_warning():
    renamed = {"plan": "ablation_mask", "share_of_ceiling": "normalized_drop", "no_information_bits": "unigram_entropy"}
    for old, new in {**renamed, "no_information_kl": "marginal_kl"}.items():
        with pytest.warns(DeprecationWarning, match="goes with the next release"):
            assert getattr(ab, old) is getattr(ab, new)
