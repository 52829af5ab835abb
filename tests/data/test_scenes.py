"""Scenes: what captions, links and arcs say is what the objects are; pictures show it; knobs do what they promise."""

import time

import numpy as np
import pytest
import torch

from mmnb.data import scenes
from mmnb.data.scenes import pictures
from mmnb.data.scenes.vocabulary import PLACES, RELATIONS, RGB, VERBS
from mmnb.instruments.ablation import iot, iou


@pytest.fixture(scope="module")
def world():
    return scenes.make(300, scenes.Knobs(objects=(3, 8), mentions=3), seed=1)


def test_the_same_seed_gives_the_same_scenes_and_another_does_not(world):
    again, other = (scenes.make(300, world.knobs, seed=s) for s in (1, 2))
    for name, value in vars(world).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, getattr(again, name))
    assert not torch.equal(world.cell, other.cell)
    a, b = (scenes.detect(world, seed=3) for _ in range(2))
    assert all(torch.equal(value, getattr(b, name)) for name, value in vars(a).items())


def test_captions_say_what_is_there_and_where(world):
    for i in range(len(world)):
        words = [scenes.WORDS[t] for t in world.tokens[i].tolist()]
        phrases = [p for p in world.phrase[i].tolist() if p[0] >= 0]
        assert len(phrases) == min(3, int((world.shape[i] >= 0).sum())) and len({p[2] for p in phrases}) == len(phrases)
        for start, end, k in phrases:
            size = [scenes.SIZES[world.size[i, k]]] if end - start == 4 else []
            noun = scenes.SHAPES[world.shape[i, k]]
            assert words[start:end] == ["a", *size, scenes.COLOURS[world.colour[i, k]], noun]
            assert words[end : end + 2] == ["in", PLACES[world.cell[i, k]]]
        (_, e0, k0), (s1, _, k1) = phrases[:2]
        assert words[e0 + 2] in VERBS and words[s1 - 1] in RELATIONS
        rows = [int(world.cell[i, k]) // 3 for k in (k0, k1)]
        wanted = "beside" if rows[0] == rows[1] else "above" if rows[0] < rows[1] else "below"
        assert words[s1 - 1] == wanted


def test_arcs_of_one_caption_by_hand():
    made = scenes.grammar.compose([(0, 0, 0, 1, 0), (3, 1, 2, None, 7), (1, 2, 1, None, 4)], verb=1)
    words = [scenes.WORDS[t] for t in made.tokens]
    arcs = {(words[h], scenes.ARCS[a], w) for w, h, a in zip(words, made.heads, made.arcs, strict=True) if h >= 0}
    assert {("circle", "det", "a"), ("circle", "amod", "large"), ("circle", "amod", "red"), ("circle", "prep", "in"), ("in", "pobj", "northwest")} <= arcs  # fmt: skip
    assert {("lies", "nsubj", "circle"), ("lies", "prep", "above"), ("above", "pobj", "square"), ("square", "cc", "and"), ("square", "conj", "triangle")} <= arcs  # fmt: skip
    roots = [w for w, h, a in zip(words, made.heads, made.arcs, strict=True) if a == scenes.ARCS.index("root")]
    assert roots == ["lies"]


def test_arcs_of_the_other_templates():
    mentions = [(0, 0, 0, 1, 0), (3, 1, 2, None, 7)]
    found = []
    for template in (1, 2):
        made = scenes.grammar.compose(mentions, verb=1, template=template)
        words = [(*scenes.WORDS, *scenes.TRANSITIVE)[t] for t in made.tokens]
        found.append({(words[h], scenes.ARCS[a], w) for w, h, a in zip(words, made.heads, made.arcs, strict=True) if h >= 0})  # fmt: skip
    assert {("overlooks", "nsubj", "circle"), ("overlooks", "dobj", "square")} <= found[0]
    assert {("circle", "cc", "and"), ("circle", "conj", "square")} <= found[1]
    assert not {arc for _, arc, _ in found[1]} & {"nsubj", "dobj"}
    lower = scenes.grammar.compose(mentions[::-1], verb=1, template=1)
    assert scenes.TRANSITIVE[1] in [(*scenes.WORDS, *scenes.TRANSITIVE)[t] for t in lower.tokens]


def test_templates_are_drawn_by_their_shares_and_bring_their_words():
    world = scenes.make(900, seed=3)
    mixed = scenes.recaption(world, seed=1, templates=(0.2, 0.5, 0.3))
    assert mixed.words[-3:] == scenes.TRANSITIVE and world.words == scenes.WORDS
    verbs = [set(mixed.caption(i).split()) & set((*VERBS, *scenes.TRANSITIVE)) for i in range(900)]
    shares = [sum(bool(v & set(kind)) for v in verbs) / 900 for kind in (VERBS, scenes.TRANSITIVE)]
    assert shares == pytest.approx([0.2, 0.5], abs=0.067)  # four standard errors of 900 are 0.067
    plain = scenes.recaption(world, seed=1)
    assert torch.equal(plain.tokens, scenes.recaption(world, seed=1, templates=(1.0, 0.0, 0.0)).tokens)
    for wrong in ((0.5, 0.4, 0.0), (1.5, -0.5, 0.0), (1.0,)):
        with pytest.raises(ValueError, match="shares that sum to 1"):
            scenes.recaption(world, seed=1, templates=wrong)


def test_every_word_has_one_head_and_arcs_lead_to_the_root(world):
    for i in range(50):
        for place, token in enumerate(world.tokens[i].tolist()):
            at, steps = place, 0
            while token > 3 and world.head[i, at] >= 0:
                at, steps = int(world.head[i, at]), steps + 1
                assert steps < 12
            if token > 3:
                assert scenes.ARCS[world.arc[i, at]] == "root"


def test_pictures_show_the_objects(world):
    shown = pictures.render(world, torch.arange(20), side=96).float()
    assert torch.equal(pictures.render(world, torch.arange(20), side=96).float(), shown)
    for i in range(20):
        for k in (world.shape[i] >= 0).nonzero().squeeze(1).tolist():
            x, y = (world.centre[i, k] * 96).long().tolist()
            assert shown[i, :, y, x].tolist() == list(RGB[scenes.COLOURS[world.colour[i, k]]])  # no two objects overlap
        covered = torch.zeros(96, 96, dtype=torch.bool)
        for left, top, right, bottom in (world.box[i][world.shape[i] >= 0] * 96).tolist():
            covered[int(top) : int(bottom) + 2, int(left) : int(right) + 2] = True
        assert (shown[i][:, ~covered] == pictures.GROUND).all()  # nothing but ground outside the boxes


@pytest.mark.parametrize(("shape", "share"), [(0, np.pi / 4), (1, 1.0), (2, 0.5), (3, 0.35 * 2 - 0.35**2)])
def test_area_of_each_shape_and_soft_edges(shape, share):
    """Pixels weighted by their cover add up to the area of the shape in its square, to 2 %."""
    one = scenes.make(1, seed=0)
    fields = {"shape": torch.tensor([[shape]]), "colour": torch.tensor([[3]]), "size": torch.tensor([[1]]), "centre": torch.tensor([[[0.503, 0.497]]])}  # fmt: skip
    one = scenes.Scenes(**(vars(one) | fields))
    shown = pictures.render(one, side=128)[0, 2].double()
    cover = (pictures.GROUND - shown) / (pictures.GROUND - RGB["yellow"][2])
    assert cover.sum().item() == pytest.approx(share * (0.26 * 128) ** 2, rel=0.02)
    if shape in (0, 2):
        assert ((cover > 0.05) & (cover < 0.95)).sum() > 20


def test_boxes_lie_inside_and_do_not_overlap(world):
    for i in range(60):
        here = world.box[i][world.shape[i] >= 0]
        assert (here >= 0).all() and (here <= 1).all()
        assert iou(here, here).fill_diagonal_(0).max() < 0.02


def test_theme_wrong_and_mentions():
    themed = scenes.make(2000, scenes.Knobs(theme=0.9), seed=0)
    first, second = themed.identity[:, 0], themed.identity[:, 1]
    same = 0.9**2 + (1 - 0.9**2) / 16  # both follow the theme, or meet by chance
    assert (first == second).double().mean().item() == pytest.approx(same, abs=4 * (same * (1 - same) / 2000) ** 0.5)
    plain = scenes.make(2000, seed=0)
    assert (plain.identity[:, 0] == plain.identity[:, 1]).double().mean().item() == pytest.approx(1 / 16, abs=4 * (15 / 256 / 2000) ** 0.5)  # fmt: skip
    lies = scenes.make(2000, scenes.Knobs(wrong=0.5), seed=0)
    true = lies.identity.gather(1, lies.phrase[:, 0, 2:])[:, 0]
    share = (lies.told[:, 0] == true).double().mean().item()
    assert share == pytest.approx(0.5 + 0.5 / 16, abs=4 * 0.25**0.5 / 2000**0.5)
    assert scenes.make(50, scenes.Knobs(mentions=1), seed=0).phrase.shape[1] == 1
    assert scenes.make(50, scenes.Knobs(mentions=8), seed=0).phrase.shape[1] == 6


def test_detector_knobs(world):
    clean = scenes.detect(world, scenes.Detector(noise=0, soft=0), seed=0)
    right = world.identity.gather(1, clean.thing.clamp(min=0))
    assert torch.equal(clean.label.argmax(-1)[clean.mask], right[clean.mask]) and (clean.mask.sum(1) == (world.shape >= 0).sum(1)).all()  # fmt: skip
    assert torch.equal(clean.label.sum(-1)[clean.mask], torch.ones(int(clean.mask.sum())))
    box = world.box.gather(1, clean.thing.clamp(min=0)[..., None].expand(-1, -1, 4)).float()
    assert torch.equal(clean.box[clean.mask], box[clean.mask])
    hard = scenes.detect(world, scenes.Detector(confused=0.6, missed=0.3, parts=1, background=2, jitter=0.1), seed=0)
    shown = hard.mask & (hard.thing >= 0)
    peak = hard.label.argmax(-1) == world.identity.gather(1, hard.thing.clamp(min=0))
    assert peak[shown].double().mean().item() == pytest.approx(0.4, abs=4 * 0.5 / int(shown.sum()) ** 0.5)
    objects = int((world.shape >= 0).sum())
    assert shown.sum().item() / (2 * objects) == pytest.approx(0.7, abs=4 * (0.21 / objects) ** 0.5)
    assert ((hard.thing == -1) & hard.mask).sum().item() == 2 * len(world)
    assert (hard.box >= 0).all() and (hard.box <= 1).all()
    assert not hard.feature[~hard.mask].any() and not hard.label[~hard.mask].any()


def test_a_part_never_counts_as_aligned(world):
    parts = scenes.detect(world, scenes.Detector(parts=1), seed=0)
    for i in range(40):
        for k in (world.shape[i] >= 0).nonzero().squeeze(1).tolist():
            own = parts.box[i][(parts.thing[i] == k) & parts.mask[i]]
            share = sorted(iot(own, world.box[i, k][None].float()).squeeze(1).tolist())
            assert share == pytest.approx([0.36, 1.0], abs=1e-5)


def test_noise_is_as_asked_and_features_tell_the_class(world):
    clean, noisy = (scenes.detect(world, scenes.Detector(noise=n), seed=0) for n in (0.0, 0.2))
    assert (noisy.feature - clean.feature)[clean.mask].std().item() == pytest.approx(0.2, rel=0.02)
    known = clean.feature[clean.mask]
    codes = {tuple(row) for row in known.numpy().round(5).tolist()}
    assert len(codes) == 32  # 16 classes in two sizes, and nothing else


def test_features_from_pixels_tell_colour_and_shape():
    """A linear reader of pooled EfficientNet features: far above chance, which is 1/16."""
    from sklearn.linear_model import LogisticRegression

    from mmnb.data.scenes.pixels import pixel_features
    from mmnb.models.pretrained import efficientnet_lite0

    few = scenes.make(96, seed=5)
    regions = scenes.detect(few, seed=5)
    found = pixel_features(efficientnet_lite0(), pictures.render(few, side=224), regions.box, regions.mask)
    assert found.shape == (*regions.mask.shape, 1280) and not found[~regions.mask].any()
    label = few.identity.gather(1, regions.thing.clamp(min=0))
    half = torch.arange(96) < 64
    x, y = ([values[side][regions.mask[side]].numpy() for side in (half, ~half)] for values in (found, label))
    reader = LogisticRegression(max_iter=300).fit(x[0] / x[0].std(), y[0])
    assert reader.score(x[1] / x[0].std(), y[1]) > 0.5
    with pytest.raises(ValueError, match="leaves the picture"):
        pixel_features(efficientnet_lite0(pretrained=False), pictures.render(few, side=64), regions.box + 0.5, regions.mask)  # fmt: skip


def test_twenty_thousand_scenes_with_pictures_in_a_minute():
    started = time.process_time()
    many = scenes.make(2000, seed=0)
    scenes.detect(many, seed=0)
    pictures.render(many)
    assert time.process_time() - started < 6  # CPU seconds, a tenth of a minute for a tenth of the scenes


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: scenes.make(0, seed=0), "at least 1"),
        (lambda: scenes.Knobs(objects=(2, 6)), "from 3 to 8"),
        (lambda: scenes.Knobs(theme=1.2), "probability"),
        (lambda: scenes.Knobs(mentions=0), "1 to 8"),
        (lambda: scenes.Detector(confused=2), "0 to 1"),
        (lambda: scenes.Detector(noise=-1), "0 or more"),
        (lambda: pictures.render(scenes.make(1, seed=0), side=4), "8 pixels"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_other_captions_for_the_same_pictures(world):
    other, again = scenes.recaption(world, seed=1), scenes.recaption(world, seed=1)
    for name in ("shape", "colour", "size", "cell", "centre", "box"):
        assert torch.equal(getattr(world, name), getattr(other, name))
    assert torch.equal(other.tokens, again.tokens)
    assert sum(world.caption(i) == other.caption(i) for i in range(300)) < 15
    named = torch.gather(world.identity, 1, other.phrase[..., 2].clamp(min=0))
    assert torch.equal(named[other.phrase[..., 2] >= 0], other.told[other.phrase[..., 2] >= 0])  # they are true
    assert not torch.equal(other.tokens, scenes.recaption(world, seed=2).tokens)


def test_principal_components_against_numpy():
    from mmnb.data.scenes.pixels import principal

    rows = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)) @ torch.randn(12, 12, generator=torch.Generator().manual_seed(1)) + 3  # fmt: skip
    found = principal(rows, 5)
    _, vectors = np.linalg.eigh(np.cov(rows.double().numpy().T))
    best = torch.from_numpy(vectors[:, ::-1][:, :5].copy())
    ours = torch.nn.functional.normalize(found.axes.double(), dim=0)
    torch.testing.assert_close((ours * best).sum(0).abs(), torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-4)
    out = found(rows)
    torch.testing.assert_close(torch.cov(out.T).double(), 0.25 * torch.eye(5, dtype=torch.float64), rtol=0, atol=5e-3)
    torch.testing.assert_close(
        out.mean(0), torch.zeros(5), rtol=0, atol=0.02
    )  # mean and axes are kept in half precision
    assert found.mean.dtype == found.axes.dtype == torch.float16
    with pytest.raises(ValueError, match="m > d"):
        principal(rows[:5], 5)


def test_projected_features_are_kept_and_read_again(tmp_path, monkeypatch):
    from mmnb.data.scenes import pixels

    monkeypatch.setenv("MMNB_CACHE", str(tmp_path))
    few = scenes.make(6, seed=5)
    regions = scenes.detect(few, scenes.Detector(parts=1, jitter=0.1, background=1), seed=5)
    raw = pixels.seen(few, regions)
    projection = pixels.principal(raw[regions.mask], 8)
    made = pixels.projected(few, regions, projection, seed=5)
    torch.testing.assert_close(made.feature[regions.mask], projection(raw[regions.mask]), rtol=0, atol=2e-3)
    assert not made.feature[~regions.mask].any() and torch.equal(made.box, regions.box)
    assert [file.name.rpartition("-")[0] for file in tmp_path.iterdir()] == ["scene-regions"]
    monkeypatch.setattr(pixels, "seen", None)  # a second time nothing is computed
    assert torch.equal(pixels.projected(few, regions, projection, seed=5).feature, made.feature)
    with pytest.raises(TypeError):
        pixels.projected(few, regions, projection, seed=6)
