# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Vision-and-language or vision-for-language?
#
# **Answer.** In the authors' models, guessing a hidden word depends on the picture far more than guessing a
# hidden region depends on the words, in every one of ten seeds (four models; VisualBERT is left out here, as
# by our reading of the code it is given no boxes and cannot know which region is asked for). In small
# synthetic scenes, where captions are true and detectors right, it is mostly the other way round when the
# loss is compared with its upper bound, a guess without any input. By the authors' measure, the relative rise
# of the loss, words depend more in most models there too, but that rise explodes where the loss was close to
# 0 before.
#
# Three changes of the scenes, each alone, make words depend more on the picture again, for different reasons.
# Parts of the target that stay visible, and neighbours that look like it: regions can be guessed without
# words. A detector that is often wrong: nothing about regions is learned, so nothing can be lost. Captions
# that mention few objects do not have this effect. Proposals with half-boxes among them have it too, and
# features from pixels weaken it: one model each, and pixels in true boxes were not tried. A model that has
# learned to use words still uses them after a short further training with parts visible; a longer one might
# change that. Not confirmed: that a model without boxes cannot use words, and that three instruments rank the
# variants alike.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | Frank, Bugliarello & Elliott, *Vision-and-Language or Vision-for-Language?* EMNLP 2021 |
# | **claims** | all of `data/claims/02_vision_for_language.yaml`, judged in the table near the end |
# | **level** | second course in machine learning · 2 of 3 |
# | **minutes** | smoke ½ · laptop 5 on one core · paper: a GPU, Flickr30k Entities and about an hour |
# | **you will do** | remove one modality from a transformer and count the bits that the other one loses |
# | **you will learn to** | ablate without leaks; put two losses on one scale; find out *why* they differ |
# | **you need** | PyTorch, masked language models; no GPU; four small files of the authors (33 kB) |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles:
#
# * `items`: test scenes
# * `models`: trained seeds of each kind on plain scenes (one or two on a variant, one of each kind with
#   proposals)
# * `pictures`: scenes whose regions are computed from pixels
# * `short`: scenes and epochs for the models of one modality trained here; `pairs`: the same for the controls
#   on shuffled and on true pairs
# * `spot`: the same for variants whose weights are not kept (0: as their recipe says)
# * `shapley`: items and permutations for token shares
# * `flickr`: phrases of Flickr30k Entities for the public checkpoints
# * `retrain`: True trains every model anew instead of reading its weights

# %%
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

import mmnb
from mmnb.data import cross_modal_ablation, scenes
from mmnb.data.scenes import MASK, pictures
from mmnb.data.scenes.pixels import pixel_features
from mmnb.instruments import ablation
from mmnb.instruments.ablation import Inputs
from mmnb.instruments.estimate import mean_interval
from mmnb.lab import plot, published
from mmnb.models import flava, vl
from mmnb.models.pretrained import efficientnet_lite0, minilm
from mmnb.recipes.flickr.items import flickr_items, without_background
from mmnb.recipes.flickr.patches import patch_bits
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import Items, items
from mmnb.recipes.vl.train import Recipe, fit_vl, masked_batch, new, phrases_of

run = mmnb.start("02_vision_for_language", profile=PROFILE, seed=SEED)

# %%
rest = dict(spot=(0, 0), flickr=0, retrain=False)  # no public checkpoints; kept weights
size = run.sizes(
    smoke=rest
    | dict(items=150, models=1, pictures=40, short=(400, 1), pairs=(400, 1), shapley=(10, 2), spot=(300, 1)),
    laptop=rest | dict(items=1000, models=3, pictures=320, short=(4000, 3), pairs=(8192, 5), shapley=(60, 8)),
    paper=rest
    | dict(
        items=5000,
        models=3,
        pictures=1000,
        short=(8192, 8),
        pairs=(8192, 8),
        shapley=(500, 20),
        flickr=14_433,
        retrain=True,
    ),
)
size

# %% [markdown]
# ## The idea
# Given are a caption, one of its phrases, and the box that the phrase refers to. Mask the phrase and let the
# model guess it; then remove the regions that show it and let the model guess again. With $M$ the masked
# places, $w_t$ the right words and $V$ what remains of the picture, the loss in bits is
#
# $$b(V)=\frac1{|M|}\sum_{t\in M}-\log_2 p(w_t\mid\text{rest of the caption},V),$$
#
# and the effect of vision is $b(V\text{ ablated})-b(V)$. A region shows the phrase if it covers more than
# half of the gold box: $\mathrm{IoT}=|R\cap G|/|G|>\tfrac12$ (not IoU: a huge region counts, a small part
# does not). Its feature is replaced by the mean feature, its box stays.
#
# The other direction masks a *region* and removes *words*: the features of all regions that show the phrase
# are set to zero, and the one with the largest IoT is scored. Its loss is the divergence
# $\sum_c p_c\log_2(p_c/q_c)$, where $p_c$ is the detector's probability of class $c$ and $q_c$ the model's.


# %%
def covered(region, gold):
    """IoT, the share of the gold box that a region covers; boxes are left, top, right, bottom."""
    width = max(0, min(region[2], gold[2]) - max(region[0], gold[0]))
    height = max(0, min(region[3], gold[3]) - max(region[1], gold[1]))
    return width * height / ((gold[2] - gold[0]) * (gold[3] - gold[1]))


def with_whole_picture(feature, box, mask):
    """One more region in front: the whole picture, its feature the mean of the others."""
    feature = torch.cat([feature[mask].mean(0, keepdim=True), feature])
    box = torch.cat([torch.tensor([[0.0, 0, 1, 1]]), box])
    return feature, box, torch.cat([torch.tensor([True]), mask])


# %%
def bits_by_hand(model, drawn, regions, i, ablated):
    """Bits of the first phrase of scene i, with or without the regions that show it."""
    start, end, thing = drawn.phrase[i, 0].tolist()
    gold, words = drawn.box[i, thing].tolist(), drawn.tokens[i].clone()
    words[start:end] = MASK
    feature, mean = regions.feature[i].clone(), regions.feature[regions.mask].mean(0)
    for r, region in enumerate(regions.box[i].tolist()):
        if ablated and covered(region, gold) > 0.5:
            feature[r] = mean
    picture = with_whole_picture(feature, regions.box[i], regions.mask[i])
    with torch.no_grad():
        out = model(words[None], words[None] != 0, *(part[None] for part in picture))
    p = out.words[0].softmax(-1)
    return -sum(p[t, drawn.tokens[i, t]].log2() for t in range(start, end)).item() / (end - start)


# %% [markdown]
# The package takes any model through an adapter of a few lines: it returns logits for words
# (batch, length, vocabulary) and for regions (batch, regions, classes), or None for what the model lacks.


# %%
def adapter(model):
    """A vision-and-language model as the package calls it."""

    def predict(tokens, token_mask, feature, box, region_mask):
        out = model(tokens, token_mask, feature, box, region_mask)
        return out.words, out.regions

    return predict


# %% [markdown]
# The ablation of the picture, by hand and by the package, on the same untrained model and scenes must agree
# (in float64; the other direction is not written out here).

# %%
torch.manual_seed(SEED)
plain = zoo.entry("visualbert-0")
four, regions = plain.world(4, seed=SEED + 1)
regions = replace(regions, feature=regions.feature.double(), box=regions.box.double())
few, untrained = items(four, regions), new(Recipe()).double()
found = ablation.vision_for_language(
    adapter(untrained),
    few.inputs,
    few.phrase,
    few.aligned,
    mask_id=MASK,
    seed=SEED,
    mean=few.mean,
    global_index=0,
)
apart = []
for i in range(4):
    for condition, ablated in (("none", False), ("aligned", True)):
        by_hand = bits_by_hand(untrained, four, regions, i, ablated)
        apart.append(abs(found[condition][i].item() - by_hand))
assert max(apart) < 1e-10
run.record("ablation.by-hand", max(apart), n=len(apart))

# %% [markdown]
# The first of these scenes: its boxes, the numbers of the two phrases in the order of the caption, and the
# region that the ablation removes.

# %%
fig, axes = plot.subplots("page", cols=3, height=2.5)
pictures.draw(axes[0], four, 0)
shown = regions.box[0][few.aligned[0, 1:]]
pictures.draw(axes[1], four, 0, boxes=shown, links=False)
axes[1].fill_betweenx(shown[0, [1, 3]], *shown[0, [0, 2]], color="white", edgecolor="black")
hard = scenes.detect(four, scenes.Detector(parts=1, jitter=0.1, missed=0.2, background=2), seed=SEED)
pictures.draw(axes[2], four, 0, boxes=hard.box[0][hard.mask[0]], links=False)
for ax, title in zip(
    axes, ("scene, phrases 1 and 2", "removed with phrase 1", "a worse detector"), strict=True
):
    ax.set_title(title)
caption = (
    f"“{four.caption(0)}.” Left: the boxes of the objects; middle: the region that goes with the first "
    "phrase; right: what a worse detector proposes."
)
alt = (
    "Three copies of one picture of coloured shapes: with a box around each, with one object blanked out, "
    "and with many overlapping boxes."
)
run.figure(fig, "scene", caption=caption, alt=alt)

# %% [markdown]
# ## Data
# * **The authors' results**: bits per model, seed and mask on 14,433 phrases of Flickr30k Entities; five
#   models with ten seeds each, and variants. From their repository, MIT licence.
# * **Scenes** from our renderer: 3 to 6 objects, captions that mention two, links from phrases to boxes by
#   construction. VisualBERTs were trained on 32,768 scenes, LXMERTs on 8,192 with another recipe, those with
#   proposals on 2,560 pictures with 6 captions each. The items below are new.
#
# A region's feature is a fixed code of shape, colour and size plus noise, and the detector gives it a
# distribution over 16 classes and background. That such features can be computed *from the pixels* is shown
# with a pretrained encoder, pooled per box, and a linear classifier; most models below use the codes, which
# cost nothing, and one section uses pixels.


# %%
def pixel_accuracy(n=90):
    """Held-out accuracy of a linear classifier on EfficientNet-Lite0's features of each object's box."""
    drawn, regions = plain.world(n, seed=SEED + 2)
    image = pictures.render(drawn, side=224)
    features = pixel_features(efficientnet_lite0(), image, regions.box, regions.mask)
    label = drawn.identity.gather(1, regions.thing.clamp(min=0))
    first = (torch.arange(n) < 2 * n // 3)[:, None]
    train, test = regions.mask & first, regions.mask & ~first
    scale = features[train].std()
    classifier = LogisticRegression(max_iter=200).fit(features[train] / scale, label[train])
    return classifier.score(features[test] / scale, label[test])


accuracy = run.need(pixel_accuracy, claims=[])

# %%
ABOUT_AUTHORS = (
    "headline-words headline-regions seed-means words-need-regions regions-need-phrase asymmetry "
    "worse-than-text-only vlbert-never-better sweep one-seed-misleads not-the-labels"
)
authors = run.need(
    lambda: {table: cross_modal_ablation.load(table) for table in cross_modal_ablation.TABLES},
    claims=[f"ablation.{name}" for name in ABOUT_AUTHORS.split()],
)

# %% [markdown]
# Both losses have an upper bound, the **ceiling**: the loss of the best single answer, given without looking
# at any input.


# %%
def ceilings_of(own):
    """Bits of the best answer that does not depend on the input, for words and for regions."""
    words = ablation.unigram_entropy(own.inputs.tokens, own.phrase, len(scenes.WORDS))
    return {"words": words, "regions": ablation.marginal_kl(own.label)}


drawn, regions = plain.world(size.items, seed=SEED + 3)
test = items(drawn, regions)
ceilings = ceilings_of(test)
aligned = test.aligned.sum() / regions.mask.sum()
if accuracy is not None:
    text = f"From pixels a linear classifier recognises {accuracy:.0%} of new objects (chance 6%)."
    display(run.say(text))
run.say(
    f"{len(test)} items; {test.phrase.sum(1).double().mean():.1f} wordpieces a phrase; aligned: "
    f"{aligned:.0%} of the regions. Ceilings: {ceilings['words']:.2f} bits a wordpiece and "
    f"{ceilings['regions']:.2f} bits a region."
)

# %% [markdown]
# ## Reproduction
# ### The authors' own numbers, all ten seeds
# Papers print one seed; the repository holds ten. Changes are paired: the same seed with and without. Where a
# claim is about every model, the model whose interval reaches lowest decides it.

# %%
MODELS = list(cross_modal_ablation.MODELS)
MASKS = ["none", "aligned", "all"]
TEXT, IMAGE = plot.COLOURS["text"], plot.COLOURS["image"]
WITH_BOXES = [m for m in MODELS if m != "VisualBERT"]  # models that are given boxes


def weakest(estimates):
    """Name of the estimate whose interval reaches lowest: if that one is above 0, all are."""
    return min(estimates, key=lambda name: estimates[name].low)


if authors:
    phrase_bits = cross_modal_ablation.by_seed(authors["words"], "MLM")
    region_bits = cross_modal_ablation.by_seed(authors["regions"], "MRC-KL")
    headline = {}  # the one seed of each model that the paper prints
    for name, table in authors.items():
        headline[name] = table[table.seed.isna()].set_index(["model", "mask"])
    words, divergence = headline["words"]["MLM"], headline["regions"]["MRC-KL"]
    run.record("ablation.headline-words", [words[m, k] for m in MODELS for k in MASKS], n=15)
    run.record("ablation.headline-regions", [divergence[m, k] for m in WITH_BOXES for k in MASKS], n=12)
    run.record("ablation.seed-means", [phrase_bits[m][k].mean() for m in MODELS for k in MASKS], n=10)

# %%
if authors:
    phrase_rise, region_rise, difference = {}, {}, {}  # of the loss without the other modality, per seed
    phrase_change, region_change, without_picture = {}, {}, {}
    text_only = words["BERT-CC", "none"]
    for m in MODELS:
        of_phrase, of_region = phrase_bits[m], region_bits[m]
        phrase_change[m] = mean_interval(of_phrase["aligned"] - of_phrase["none"])
        region_change[m] = mean_interval(of_region["aligned"] - of_region["none"])
        without_picture[m] = mean_interval(of_phrase["all"] - text_only)
        phrase_rise[m] = of_phrase["all"] / of_phrase["none"] - 1
        region_rise[m] = of_region["all"] / of_region["none"] - 1
        if m in WITH_BOXES:
            difference[m] = mean_interval(phrase_rise[m] - region_rise[m])
    for claim, estimates in (
        ("words-need-regions", phrase_change),
        ("regions-need-phrase", region_change),
        ("asymmetry", difference),
        ("worse-than-text-only", without_picture),
        ("vlbert-never-better", {"VL-BERT": mean_interval(phrase_bits["VL-BERT"]["none"] - text_only)}),
    ):
        name = weakest(estimates)
        run.record(f"ablation.{claim}", estimates[name], note=name)

# %% [markdown]
# One seed can mislead: VisualBERT's loss on regions in its headline seed and in the mean of ten.

# %%
if authors:
    ten = region_bits["VisualBERT"]
    one_seed = divergence["VisualBERT", "all"] / divergence["VisualBERT", "none"] - 1
    ten_seeds = ten["all"].mean() / ten["none"].mean() - 1
    run.record("ablation.one-seed-misleads", [100 * one_seed, 100 * ten_seeds], n=10)

    rows = []
    for m in MODELS:
        of_phrase, of_region = phrase_bits[m], region_bits[m]
        row = {"model": m, "words none": of_phrase["none"].mean()}
        row["− phrase's regions"] = f"{phrase_change[m]:+.2f}"
        row["− all"] = f"{mean_interval(of_phrase['all'] - of_phrase['none']):+.2f}"
        row["rise %"] = 100 * phrase_rise[m].mean()
        row["region none"] = of_region["none"].mean()
        row["− phrase"] = f"{region_change[m]:+.4f}"
        row["− words"] = f"{mean_interval(of_region['all'] - of_region['none']):+.4f}"
        row["its rise %"] = 100 * region_rise[m].mean()
        rows.append(row)
    caption = "Bits, means of ten seeds; paired changes with 95 % t intervals"
    display(run.table(rows, caption=caption))

# %% [markdown]
# **Look for** the dashed line, a text-only model trained on the same captions: a vision-and-language model
# above it without its picture has not simply become a language model. VisualBERT is shown (hollow where a
# region is asked for) but not compared: by our reading of the code it is given no boxes, so with a zeroed
# feature it cannot know which region is meant.

# %%
if authors:
    fig, axes = plot.subplots("page", cols=2, height=2.8)
    for k, m in enumerate(MODELS):
        three = k + np.array([-0.25, 0, 0.25])
        axes[0].plot(three, phrase_bits[m][MASKS].T, ".-", color=TEXT, alpha=0.5, linewidth=0.8, markersize=3)
        axes[1].plot([k - 0.15] * 10, 100 * phrase_rise[m], "s", color=TEXT, markersize=3)
        fill = "full" if m in WITH_BOXES else "none"
        axes[1].plot([k + 0.15] * 10, 100 * region_rise[m], "o", color=IMAGE, markersize=3, fillstyle=fill)
    plot.chance_line(axes[0], text_only, "text-only\nBERT-CC")
    axes[0].set(ylabel="bits per wordpiece (lower is better)", title="nothing → aligned → all removed")
    axes[0].set_xlim(-0.5, 5.6)  # room for the name of the line
    axes[1].set(ylabel="rise of the loss, %", title="all of the other modality removed", ylim=(-3, 45))
    axes[1].legend(axes[1].lines[:2], ["words without regions", "a region without words"], fontsize=7.5)
    for ax in axes:
        ax.set_xticks(range(5), MODELS, rotation=25)
    caption = (
        "Words depend on the picture more than regions on words, in every seed of every model that is given "
        "boxes. Left: ten lines per model, one per seed. Right: relative rise of the two losses; one marker "
        "per seed, hollow for VisualBERT, which is given no boxes and is left out of the comparison. Data: "
        "the authors' result files."
    )
    alt = (
        "Left: for five models bundles of ten rising lines, ending above a dashed line. Right: orange "
        "markers between 14 and 35 per cent for words, blue markers near zero for regions, ViLBERT's near "
        "ten, VisualBERT's hollow."
    )
    display(run.figure(fig, "authors", caption=caption, alt=alt))

# %% [markdown]
# **How much must be removed?** The threshold decides which regions count as showing the phrase: at .9 about
# 7 % of the regions are removed, at .0 all that touch its box. A measure of influence should rise as more is
# removed.

# %%
THRESHOLDS = ["none", "0.9", "0.8", "0.7", "0.6", "aligned", "0.4", "0.3", "0.2", "0.1", "0.0", "all"]
if authors:
    sweeps = {}
    for m, table in headline["words"].reset_index().groupby("model"):
        if set(THRESHOLDS) <= set(table["mask"]):
            sweeps[m] = table.set_index("mask").MLM[THRESHOLDS]
    steps = {m: np.diff(sweep) for m, sweep in sweeps.items()}
    early_falls = sum((step[:-1] < 0).sum() for step in steps.values())
    last_falls = sum(step[-1] < 0 for step in steps.values())
    falling = ", ".join(m for m, step in steps.items() if step.min() < 0)
    run.record("ablation.sweep", [float(early_falls), float(last_falls)], n=len(sweeps), note=falling)

# %%
if authors:
    fig, ax = plot.subplots("column", height=2.8)
    share = published.look_up("cross_modal_ablation.sweep.regions").value
    for m, marker in zip(MODELS, "osv^D", strict=True):
        ax.plot(share, sweeps[m], marker=marker, markersize=3, linewidth=1, label=m)
    ax.set(xlabel="regions removed, %", ylabel="bits per wordpiece")
    ax.legend(fontsize=7)
    caption = (
        "The more regions are removed, the more bits a phrase costs. One headline seed per model; twelve "
        "thresholds of overlap, from none to all. ViLBERT's last step falls."
    )
    alt = "Five curves rise steadily from left to right; the last segment of one of them falls slightly."
    display(run.figure(fig, "sweep", caption=caption, alt=alt))

# %% [markdown]
# And are the labels the reason that words do not help regions? The authors also scored regions against gold
# classes on the 3,867 phrases where phrase and detector agree.

# %%
if authors:
    agree = headline["labelmatch-agree"]["MRC-XE-VG"]
    for_regions = max(agree[m, "all"] / agree[m, "none"] - 1 for m in WITH_BOXES)
    for_words = min(words[m, "all"] / words[m, "none"] - 1 for m in MODELS)
    run.record("ablation.not-the-labels", {"regions": for_regions, "words": for_words}, n=4)
    text = (
        f"**Seen.** {len(sweeps)} sweeps: {early_falls} falls before the last step, {last_falls} at it. "
        "Where phrase and detector agree, removing all words raises the loss on regions (four models, 3,867 "
        f"phrases) by at most {for_regions:.1%}; removing all regions raises that on words (five models, all "
        f"14,433 phrases) by at least {for_words:.1%}."
    )
    display(run.say(text))

# %% [markdown]
# Noisy labels alone do not seem to explain the asymmetry, as far as *these* data go: they hold one seed of
# each model and two different sets of items.
#
# ### Our models on scenes, in both directions
# The authors could not change their data; we can. Two small transformers (a one-stream VisualBERT and a
# two-stream LXMERT, from the same classes as the public ones) were trained to guess masked words and masked
# regions and to detect exchanged captions. `fit_vl` trains them; written out for one seed:


# %%
def loss_of(model, batch, weight):
    """Masked words, plus masked regions and matching with another weight."""
    out = model(*batch.inputs)
    words = cross_entropy(out.words[batch.word_at], batch.word)
    regions = cross_entropy(out.regions[batch.region_at], batch.label)
    return words + weight * (regions + cross_entropy(out.match, batch.match))


# %%
def train_by_hand(recipe, drawn, regions, seed):
    """A model trained on masked words, masked regions and matching."""
    torch.manual_seed(seed)
    model, draw = new(recipe), torch.Generator().manual_seed(seed)
    n, phrases = len(drawn), phrases_of(drawn)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-4, fused=True)
    n_steps = recipe.epochs * -(-n // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=n_steps)
    model.train()
    for _ in range(recipe.epochs):
        for index in torch.randperm(n, generator=draw).split(recipe.batch_size):
            batch = masked_batch(recipe, drawn.tokens, phrases, regions, index, torch.arange(n), draw)
            optimiser.zero_grad()
            loss_of(model, batch, recipe.beside).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


# %% [markdown]
# On few scenes, both give the same model.

# %%
short = Recipe(epochs=1)
scenes_256 = plain.world(256, seed=SEED + 4)
by_hand = train_by_hand(short, *scenes_256, seed=SEED)
by_package, _ = fit_vl(short, *scenes_256, seed=SEED)
for a, b in zip(by_hand.parameters(), by_package.parameters(), strict=True):
    assert (a - b).abs().max() < 1e-4

# %% [markdown]
# Every model is measured in the same way: bits per item under four conditions, in both directions. The
# condition *random* removes as many regions (words) as *aligned*, but others. Both losses are put on one
# scale, the **share of the ceiling** that is lost when all of the other modality is removed: 0 = nothing
# lost, 1 = a perfect model lost everything. The authors' measure, the **rise** relative to the loss before,
# is printed as well. **Asymmetry** is the share lost by words minus the share lost by regions; above 0 the
# model is vision-for-language.


# %%
class Measured(NamedTuple):
    """A model, its test items, bits per item by side ("words", "regions") and condition, ceiling by side."""

    model: torch.nn.Module
    items: Items
    bits: dict
    ceiling: dict

    def lost(self, side):
        """Share of the ceiling that each item loses when all of the other modality is removed."""
        return (self.bits[side]["all"] - self.bits[side]["none"]) / self.ceiling[side]

    def share_lost(self, side):
        """The same for the means."""
        bits = self.bits[side]
        return ablation.normalized_drop(bits["none"], bits["all"], self.ceiling[side])

    def rise(self, side):
        """Relative rise of the mean loss, the authors' measure."""
        return ablation.relative_change(self.bits[side]["none"], self.bits[side]["all"])

    def row(self, side):
        """One row of a table."""
        means = {condition: bits.mean().item() for condition, bits in self.bits[side].items()}
        share = {"ceiling": self.ceiling[side], "share lost": self.share_lost(side)}
        return {"loss": side} | means | share


# %%
def measure(model, own, recompute=True):
    """Words without regions, and regions without words."""
    given = model.predict, own.inputs, own.phrase, own.aligned
    options = dict(mask_id=MASK, global_index=0, recompute=recompute)
    words = ablation.vision_for_language(
        *given, mean=own.mean, seed=run.generator(1).initial_seed(), **options
    )
    regions = ablation.language_for_vision(
        *given, own.target, own.label, special=range(4), seed=run.generator(2).initial_seed(), **options
    )
    return Measured(model, own, {"words": words, "regions": regions}, ceilings_of(own))


KINDS = [f"{kind}-{seed}" for kind in ("visualbert", "lxmert") for seed in range(size.models)]
OURS = ("ours-words", "ours-regions", "ours-asymmetry", "random-control", "nothing")
models = run.need(
    lambda: {name: measure(zoo.load(name, retrain=size.retrain), test) for name in KINDS},
    claims=[f"ablation.{name}" for name in OURS],
)
if models:
    rows = []
    for name, found in models.items():
        for side in ("words", "regions"):
            rise = f"{100 * found.rise(side):,.0f}"
            rows.append({"model": name} | found.row(side) | {"rise, %": rise})
    display(run.table(rows, caption="Bits on scenes, with parts of the other modality removed"))

# %%
if models:
    for side in ("words", "regions"):
        changes = {m: mean_interval(f.bits[side]["all"] - f.bits[side]["none"]) for m, f in models.items()}
        name = weakest(changes)
        run.record(f"ablation.ours-{side}", changes[name], note=name)
    differences = [f.share_lost("words") - f.share_lost("regions") for f in models.values()]
    asymmetry = mean_interval(differences)
    run.record("ablation.ours-asymmetry", asymmetry)
    first = models["visualbert-0"].bits["words"]
    control = mean_interval(first["aligned"] - first["random"])
    run.record("ablation.random-control", control)

# %%
if models:
    fig, axes = plot.subplots("page", cols=2, height=2.8)
    kinds = {"visualbert": ("VisualBERT", "fused", -0.06), "lxmert": ("LXMERT", "other", 0.06)}
    for ax, side in zip(axes, ("words", "regions"), strict=True):
        for name, found in models.items():
            kind, seed = name.split("-")
            label, style, shift = kinds[kind]
            means = [found.bits[side][condition].mean() for condition in ablation.CONDITIONS]
            marker = dict(
                marker=plot.MARKERS[style], color=plot.COLOURS[style], linestyle="none", markersize=4
            )
            ax.plot(np.arange(4) + shift, means, label=label if seed == "0" else "_", **marker)
        plot.chance_line(ax, ceilings[side], "no information", side="left")
        ax.set_xticks(range(4), ablation.CONDITIONS)
        ax.set_ylim(0, 1.4 * ceilings[side])
    axes[0].set(ylabel="bits per wordpiece (lower is better)", title="a phrase, regions removed")
    axes[1].set(ylabel="bits per region (lower is better)", title="a region, words removed")
    axes[0].legend()
    caption = (
        f"Clean scenes, both directions. One marker per seed, {len(test)} items; dashed: the best answer "
        "that does not depend on the input."
    )
    alt = (
        "Two panels of bits for four conditions, nothing, aligned, random and all removed; both losses rise "
        "from nothing removed to all removed."
    )
    display(run.figure(fig, "scenes", caption=caption, alt=alt))

# %%
if models:
    n_positive = sum(d > 0 for d in differences)
    n_rise = sum(found.rise("words") > found.rise("regions") for found in models.values())
    n_aligned = sum(
        f.bits["words"]["aligned"].mean() > f.bits["words"]["all"].mean() for f in models.values()
    )
    text = (
        f"**Seen.** By the share of the ceiling, asymmetry is {asymmetry:+.3f} over {asymmetry.n} models, "
        f"above 0 in {n_positive}. By the relative rise, words lose more in {n_rise} of them. The regions "
        f"that show the phrase cost {control:.2f} bits more than as many others. The mean of “aligned” is "
        f"above that of “all” in {n_aligned} of {len(models)} models."
    )
    display(run.say(text))

# %% [markdown]
# By shares, regions lose more in all models but one: where captions are true and detectors right,
# vision-for-language is no law. The relative rise divides by a loss that is near 0 where a model guesses well
# (the first VisualBERT with the whole picture), so it says more about how well a model guessed before than
# about what it lost. *The measure decides the sign*; below we use shares. Where “aligned” costs more than
# “all”, other regions are still visible, and a model may use a wrong one. The LXMERTs are under-trained: with
# everything visible they still have nearly half of the ceiling on a region. So what causes the asymmetry?
#
# ### Why vision-for-language? Change one thing at a time
# Each variant of the scenes changes one thing, and VisualBERTs are trained on it from the first step, as the
# plain ones were (on *parts* for seven epochs instead of five):
#
# * *parts*: half-boxes of the target stay visible (IoT < ½)
# * *theme*: neighbours look like the target
# * *confused*: the detector's label is wrong for 70 %
# * *sparse*: the caption mentions one object, so most masked regions are mentioned nowhere
# * *unreadable*: noise on features
#
# **Expected**: the first four make words useless to regions, so asymmetry should be above 0; *unreadable*
# makes regions useless to words, which should lose nothing. Two more variants continue from a trained plain
# model with a short training of another recipe: *blind* is given no boxes any more; *later* sees *parts* only
# after it has learned to use words, as models do that are pretrained on one thing and used on another.
#
# Further seeds were trained and measured in the same way beforehand (`data/models/worlds.json`;
# `zoo.measure_seed(name)` makes one again). The claims judge the models measured here.

# %%
VARIANTS = ("plain", "parts", "theme", "confused", "sparse", "unreadable", "blind", "later")


def names_of(variant):
    """Three seeds of the plain model, two of each that continues from it, one of each other."""
    if variant == "plain":
        return [f"visualbert-{seed}" for seed in range(size.models)]
    n_seeds = min(size.models, 2) if zoo.VARIANTS[variant].start else 1
    return [f"{variant}-{seed}" for seed in range(n_seeds)]


def load(name):
    """A trained model and the description of the scenes and the recipe it was trained with."""
    n, epochs = size.spot
    shorter = dict(n=n, epochs=epochs) if n and not name.startswith("visualbert") else {}
    return zoo.load(name, retrain=size.retrain, **shorter), zoo.entry(name)


def measure_on_own(name):
    """A model, measured on new scenes of its own variant."""
    model, entry = load(name)
    own = items(*entry.world(size.items, seed=SEED + 3), blind=entry.recipe.blind)
    return measure(model, own, recompute=entry.recipe.global_ != "stale")


# %%
ABOUT_VARIANTS = ("parts", "confused", "theme", "sparse", "unreadable", "blind", "three-instruments")
variants = run.need(
    lambda: {variant: [measure_on_own(name) for name in names_of(variant)] for variant in VARIANTS},
    claims=[f"ablation.{name}" for name in ABOUT_VARIANTS],
)
if variants:
    rows = []
    for variant, measured in variants.items():
        for found in measured:
            shares = {side: found.share_lost(side) for side in ("words", "regions")}
            rows.append({"variant": variant, "measured": "here"} | shares)
        for seed in zoo.further(variant).values():
            rows.append({"variant": variant, "measured": "beforehand"} | {s: seed[s] for s in shares})
    lost = pd.DataFrame(rows)  # one row per model: shares of the ceiling
    lost["asymmetry"] = lost.words - lost.regions

# %%
if variants:
    here = lost[lost.measured == "here"].groupby("variant", sort=False)
    mean, n = here[["words", "regions", "asymmetry"]].mean(), here.size()
    for claim, share, order in (
        ("parts", "asymmetry", ("plain", "parts")),
        ("sparse", "asymmetry", ("plain", "sparse")),
        ("theme", "regions", ("theme", "plain")),
        ("blind", "regions", ("blind", "plain")),
        ("unreadable", "words", ("unreadable", "plain")),
    ):
        run.record(f"ablation.{claim}", {v: mean[share][v] for v in order}, n=int(n[claim]))

# %% [markdown]
# How much can be lost? Where a loss is at its ceiling with everything visible, nothing was learned.

# %%
if variants:
    rows, kept = [], {}
    for variant, measured in variants.items():
        row = {"variant": variant, "models": len(measured)}
        for side in ("words", "regions"):
            row[f"{side}, nothing removed"] = np.mean([f.bits[side]["none"].mean().item() for f in measured])
            row[f"{side}, ceiling"] = measured[0].ceiling[side]
            row[f"{side}, share lost"] = mean[side][variant]
        kept[variant] = row["regions, nothing removed"] / row["regions, ceiling"]
        rows.append(row)
    note = f"plain: {kept['plain']:.3f}"
    run.record("ablation.confused", kept["confused"], n=int(n["confused"]), note=note)
    caption = "How much can be lost: bits with nothing removed, means over the models measured here"
    display(run.table(rows, caption=caption))

# %%
if variants:
    fig, ax = plot.subplots("page", height=2.8)
    for side, marker, colour, shift in (("words", "s", TEXT, -0.12), ("regions", "o", IMAGE, 0.12)):
        place = lost.variant.map(VARIANTS.index) + shift
        for when, fill in (("here", "full"), ("beforehand", "none")):
            own = lost.measured == when
            ax.plot(place[own], lost[side][own], marker, color=colour, fillstyle=fill)
        for k, variant in enumerate(VARIANTS):
            own = lost[side][lost.variant == variant].mean()
            ax.hlines(own, k + shift - 0.09, k + shift + 0.09, color=colour)
    plot.chance_line(ax, 0, "nothing lost", side="left")
    ax.set_xticks(range(len(VARIANTS)), VARIANTS)
    ax.set(ylabel="share of the ceiling lost")
    names = ["words without regions", "regions without words"]
    ax.legend([ax.lines[0], ax.lines[2]], names, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    caption = (
        "The asymmetry changes with the scenes. Share of the ceiling that each loss rises by when the other "
        "modality is removed; one marker per trained model (hollow: measured beforehand), dash: their mean; "
        f"{size.items} scenes each."
    )
    alt = (
        "Pairs of columns of markers for eight variants: share lost by words and share lost by regions. "
        "Regions lose almost nothing in parts and confused, little in theme; words lose almost nothing in "
        "unreadable; otherwise regions lose more."
    )
    display(run.figure(fig, "knobs", caption=caption, alt=alt))

# %%
if variants:
    by_variant = lost.groupby("variant", sort=False)
    table = by_variant["asymmetry"].agg(["size", "mean", "min", "max"])
    table.columns = ["models", "asymmetry, mean", "lowest", "highest"]
    table["share lost by words"] = by_variant.words.mean()
    table["share lost by regions"] = by_variant.regions.mean()
    display(run.table(table, caption="Asymmetry, words minus regions, all models", digits=2))

# %% [markdown]
# **Seen.** *Parts*, *theme* and *confused* each suffice for vision-for-language: all their models lie
# above 0 and above every plain model. *Sparse* does not. But there is not one reason. With *parts* the
# visible rest suffices to guess a region; with *theme* it does most of the work; with *confused* a region
# costs its ceiling even with everything visible, so nothing can be lost. Words depend on regions at least
# as much as on plain scenes in *parts*, *confused* and *sparse*. With *unreadable* features words lose
# almost nothing, as expected; that asymmetry turns negative there cannot be seen, since it is negative on
# plain scenes already.
#
# *Later* saw the same parts as *parts*, with another history, and it still uses words. But its training on
# them was short, with another rate and other weights:

# %%
if variants:
    rows = []
    for name, entry in (("parts", zoo.VARIANTS["parts"]), ("later", zoo.VARIANTS["later"])):
        recipe = entry.recipe
        row = {"variant": name, "steps with parts": entry.n * recipe.epochs // recipe.batch_size}
        row |= {"peak learning rate": recipe.learning_rate, "weight of regions and matching": recipe.beside}
        rows.append(row)
    display(run.table(rows, caption="Two ways to meet parts"))

# %% [markdown]
# So history and length of training are not separated here, and a longer training might give another answer.
#
# ### Three hazards of the method
# 1. **The global region.** When regions are the target, the released code computes the whole picture's mean
#    feature *before* masking: the mean minus the neighbours is the target. We train a model with that old
#    mean and ask it both ways, with every word masked.
# 2. **The replacement.** Mean feature, zeros, or no region at all.
# 3. **No boxes** (*blind* above): which region is asked for?

# %%
found = run.need(lambda: measure_on_own("stale-0"), claims=["ablation.leak"])
if found:
    own, ceiling = found.items, found.ceiling["regions"]
    with_old_mean = measure(found.model, own, recompute=False).bits["regions"]["all"]
    with_new_mean = measure(found.model, own, recompute=True).bits["regions"]["all"]
    leak = mean_interval(ceiling - with_old_mean)
    run.record("ablation.leak", leak)
    text = (
        f"With every word masked, a region with the old mean costs {with_old_mean.mean():.2f} bits, where "
        f"the ceiling is {ceiling:.2f}; ceiling minus loss: {leak:.3f}. With the mean recomputed the same "
        f"model needs {with_new_mean.mean():.2f} bits."
    )
    display(run.say(text))

# %% [markdown]
# **Seen.** The old mean contains the target, and would pass for vision. With the mean recomputed the same
# model is worse than its ceiling: it relies on a mean that is now a different one.

# %%
if models:
    rows = []
    for name in ("visualbert-0", "lxmert-0"):
        for replacement in ablation.REPLACEMENTS:
            found = ablation.vision_for_language(
                adapter(models[name].model),
                test.inputs,
                test.phrase,
                test.aligned,
                mask_id=MASK,
                global_index=0,
                seed=run.generator(1).initial_seed(),
                replacement=replacement,
                mean=test.mean,
                conditions=MASKS,
            )
            row = {"model": name, "replacement": replacement}
            rows.append(row | {mask: found[mask].mean().item() for mask in MASKS})
    display(run.table(rows, caption="Bits of a phrase, by what replaces the regions"))

# %% [markdown]
# **Seen.** The replacement matters: the regions that show the phrase cost the first VisualBERT twice as much
# when nothing replaces them as when zeros do. A result should say what the replacement was.
#
# Without boxes (*blind*) regions still lose most of what they lose with boxes when words are removed. The
# class of the masked region can be guessed without its place: it is what the caption mentions and no visible
# region shows. The published VisualBERT sees 36 regions, of which many show the same.
#
# ### Do three instruments agree?
# Ablation was criticised as a measure of what a model uses. Two others, on the same models and items, for
# words: the **perceptual score** (how much worse with another item's picture) and **token shares** after
# MM-SHAP (Shapley values of all words and regions for the phrase's log-probability, estimated over
# permutations; the share of the regions in the sum of absolute values). Notebook 05 compares two more, EMAP's
# share and complementarity.


# %%
def perceptual_score(model, own):
    """Mean rise in bits with the picture of another item."""
    inputs, other = own.inputs, torch.arange(len(own)).roll(1)
    box, feature, mask = inputs.box[other], inputs.feature[other], inputs.region_mask[other]
    exchanged = inputs._replace(feature=feature, box=box, region_mask=mask)
    options = dict(mask_id=MASK, seed=SEED, conditions=["none"], replacement="zero")
    bits = []
    for given in (inputs, exchanged):
        found = ablation.vision_for_language(adapter(model), given, own.phrase, own.aligned, **options)
        bits.append(found["none"])
    return float((bits[1] - bits[0]).mean())


# %% [markdown]
# A token's Shapley value is the mean change of the phrase's bits when the token is added, over random orders
# of all tokens. Absent words are masked, absent regions are zero.


# %%
@torch.no_grad()
def bits_given(present, model, inputs, phrase):
    """Bits of the masked phrase where only the present tokens, words first, then regions, are given."""
    length = inputs.tokens.shape[1]
    masked = torch.where(phrase | ~present[:, :length], MASK, inputs.tokens)
    feature = inputs.feature * present[:, length:, None]
    out = model(masked, inputs.token_mask, feature, inputs.box, inputs.region_mask)
    return ablation.mlm_bits(out.words, inputs.tokens, phrase)


# %%
def token_share(model, own):
    """Share of regions in the absolute Shapley values of all inputs, for the bits of the masked phrase."""
    n, n_orders = size.shapley
    inputs, phrase, item = Inputs(*(part[:n] for part in own.inputs)), own.phrase[:n], torch.arange(n)
    length, n_regions = inputs.tokens.shape[1], inputs.region_mask.shape[1]
    value = torch.zeros(n, length + n_regions, dtype=torch.float64)
    for k in range(n_orders):
        order = torch.rand(value.shape, generator=run.generator(10 + k)).argsort(1)
        present = torch.zeros(value.shape, dtype=torch.bool)
        before = bits_given(present, model, inputs, phrase)
        for added in order.T:
            present[item, added] = True
            after = bits_given(present, model, inputs, phrase)
            value[item, added] += (before - after) / n_orders
            before = after
    value[:, :length] *= inputs.token_mask & ~phrase  # padding and the phrase itself do not count
    magnitude = value.abs()
    return float((magnitude[:, length:].sum(1) / magnitude.sum(1)).mean())


# %%
INSTRUMENTS = ["ablation", "perceptual score", "token share"]
if variants:
    rows = []
    for variant in VARIANTS[:6]:  # those trained from the first step
        for found in variants[variant]:
            bits = found.bits["words"]
            row = {"variant": variant, "ablation": float((bits["all"] - bits["none"]).mean())}
            row["perceptual score"] = perceptual_score(found.model, found.items)
            rows.append(row | {"token share": token_share(found.model, found.items)})
    scores = pd.DataFrame(rows).groupby("variant", sort=False)
    means = scores.mean()
    ranks = {}
    for a, b in combinations(INSTRUMENTS, 2):
        ranks[f"{a} with {b}"] = float(means[a].corr(means[b], method="spearman"))
    run.record("ablation.three-instruments", min(ranks.values()), n=len(means))

# %%
if variants:
    table = means.assign(models=scores.size())
    table["ablation, range"] = scores["ablation"].max() - scores["ablation"].min()
    table["token share, range"] = scores["token share"].max() - scores["token share"].min()
    caption = "Vision for a masked phrase, by three instruments: means over models in bits, bits and share"
    display(run.table(table, caption=caption, digits=2))
    caption = f"Rank correlation over {len(means)} variants"
    display(run.table([ranks], caption=caption, digits=2))

# %% [markdown]
# **Seen.** Ablation and the perceptual score agree; the token share agrees with neither. It is about as large
# on *unreadable* features, where ablation finds almost nothing, as on *parts*, where it finds most. All but
# its largest value (*theme*) are close together, from few items and permutations and without an interval:
# their order may be chance. A token share is a *share*: it does not say how much there is to share. Ask an
# instrument for amounts before its shares.
#
# ### Pixels and proposals
# So far a region was a code, and its box the truth. A detector gives *proposals*: half-boxes beside whole
# ones, shifted corners, background, one object in ten missed. And features come from *pixels*: here
# EfficientNet-Lite0 on the rendered picture, pooled per box, projected to as many numbers as the codes have.
# One VisualBERT was trained on each, from the same pictures, captions and proposals.

# %%
PROPOSALS = ("proposals", "pixels-harder", "pixels-words", "pixels-asymmetry")


def measure_on_proposals(kind):
    """The models trained on proposals with one kind of features."""
    name = f"{kind}-0"
    own = items(*zoo.entry(name).world(size.pictures, seed=SEED + 5))
    return [measure(zoo.load(name, retrain=size.retrain), own)]


proposals = run.need(
    lambda: {kind: measure_on_proposals(kind) for kind in zoo.ON_PROPOSALS},
    claims=[f"ablation.{name}" for name in PROPOSALS],
)
if proposals:
    rows = []
    for kind, measured in proposals.items():
        for seed, found in enumerate(measured):
            rows += [{"features": kind, "seed": seed} | found.row(side) for side in ("words", "regions")]
    display(run.table(rows, caption=f"Bits with proposals, {size.pictures} pictures"))

# %%
if proposals and variants:
    groups = {
        "codes, true boxes": variants["plain"],
        "codes, proposals": proposals["codes"],
        "pixels, proposals": proposals["pixels"],
    }
    phrase, gap = {}, {}  # one number per model
    for name, measured in groups.items():
        phrase[name] = np.array([f.bits["words"]["none"].mean().item() for f in measured])
        gap[name] = np.array([f.share_lost("words") - f.share_lost("regions") for f in measured])
    true_boxes, codes, pixels = groups
    both = {"plain": gap[true_boxes].mean(), "proposals": gap[codes].mean()}
    run.record("ablation.proposals", both, n=len(gap[codes]))
    both = {"codes": phrase[codes].mean(), "pixels": phrase[pixels].mean()}
    run.record("ablation.pixels-harder", both, n=len(phrase[pixels]))

# %%
if proposals and variants:
    words, asymmetry = {}, {}  # with intervals over items
    for k, found in enumerate(proposals["pixels"]):
        words[f"model {k}"] = mean_interval(found.bits["words"]["all"] - found.bits["words"]["none"])
        asymmetry[f"model {k}"] = mean_interval(found.lost("words") - found.lost("regions"))
    for claim, estimates in (("pixels-words", words), ("pixels-asymmetry", asymmetry)):
        name = weakest(estimates)
        run.record(f"ablation.{claim}", estimates[name], note=name)

# %% [markdown]
# It will be harder, and that is the purpose. **Look for** the bits of a phrase with nothing removed, from
# codes to pixels, and for the asymmetry.

# %%
if proposals and variants:
    fig, axes = plot.subplots("page", cols=2, height=2.6)
    panels = ((axes[0], phrase, "text"), (axes[1], gap, "fused"))
    for ax, numbers, style in panels:
        for k, values in enumerate(numbers.values()):
            ax.plot(np.full(len(values), k), values, plot.MARKERS[style], color=plot.COLOURS[style])
        ax.set_xticks(range(3), [name.replace(", ", ",\n") for name in groups])
        ax.margins(x=0.2, y=0.15)
    plot.chance_line(axes[1], 0, "words and regions alike", side="left")
    axes[0].set(ylabel="bits per wordpiece", title="nothing removed", ylim=(0, None))
    axes[1].set(ylabel="share lost, words − regions", title="asymmetry")
    counts = ", ".join(f"{len(measured)} ({name})" for name, measured in groups.items())
    caption = (
        "From codes in true boxes to pixels in proposals: what a phrase costs with the whole picture (left), "
        f"and the asymmetry (right). One marker per trained model: {counts}."
    )
    alt = (
        "Two panels with three columns of markers each: bits of a phrase, and asymmetry, for codes with true "
        "boxes, codes with proposals, pixels with proposals."
    )
    display(run.figure(fig, "pixels", caption=caption, alt=alt))

# %%
if proposals and variants:
    text = (
        f"**Seen.** Bits of a phrase: {true_boxes} {phrase[true_boxes].mean():.2f}; "
        f"{codes} {phrase[codes].mean():.2f}; {pixels} {phrase[pixels].mean():.2f}. Asymmetry: "
        f"{gap[true_boxes].mean():+.2f}, {gap[codes].mean():+.2f} and {gap[pixels].mean():+.2f}."
    )
    display(run.say(text))

# %% [markdown]
# Pixels cost more bits than codes. Proposals alone lead to vision-for-language; pixels in addition weaken it.
# Pixels in true boxes were not tested, and one model of a kind says nothing about the spread over seeds.
#
# ### Public checkpoints on Flickr30k Entities
# The same two functions take public models: VisualBERT (no head for regions: words only; token type of
# regions 0 and 1, since sources disagree), LXMERT and FLAVA in both directions. FLAVA has no boxes: its
# regions are the 196 patches of a picture, a patch shows the phrase if the gold box covers more than half of
# *it*, a removed patch becomes FLAVA's own mask token, and its loss on a patch is the cross-entropy of the
# patch's entry in a codebook of 8,192. Data and weights have to be requested or downloaded: profile `paper`.


# %%
def device_for_flickr():
    """The device, where the profile includes these models."""
    if size.flickr == 0:
        raise mmnb.DataUnavailable(
            f"Profile {PROFILE} leaves Flickr30k Entities and public checkpoints out: 4 GB of pictures, "
            "10 GB of region features, 3 GB of weights, and a GPU; PROFILE = 'paper' runs them."
        )
    return "cuda" if torch.cuda.is_available() else "cpu"


def on_device(model, device):
    """The adapter of a model on another device."""
    predict = adapter(model.to(device))
    return lambda *inputs: predict(*(part.to(device) for part in inputs))


def summary(model, side, bits, note="-"):
    """One row of the table."""
    means = {condition: values.mean().item() for condition, values in bits.items()}
    rise = 100 * ablation.relative_change(bits["none"], bits["all"])
    return {"model": model, "loss": side, "note": note} | means | {"rise %": rise}


# %%
VISUALBERT, LXMERT = "uclanlp/visualbert-vqa-coco-pre", "unc-nlp/lxmert-base-uncased"


def with_regions():
    """VisualBERT and LXMERT on the detector's regions."""
    device = device_for_flickr()
    own, rows = flickr_items(minilm().tokenizer, most=size.flickr), []
    options = dict(mask_id=103, seed=run.generator(4).initial_seed(), global_index=0, batch_size=32)
    for name, token_type in ((VISUALBERT, 0), (VISUALBERT, 1), (LXMERT, 0)):
        model = vl.load(name, visual_type=token_type)
        given = on_device(model, device), own.inputs, own.phrase, own.aligned
        bits = ablation.vision_for_language(*given, mean=own.mean, **options)
        rows.append(summary(name, "words", bits, f"type {token_type}"))
        if model.kind == "lxmert":
            label = without_background(own.label, model.backbone.config.num_object_labels)
            special = (100, 101, 102, 103)
            bits = ablation.language_for_vision(*given, own.target, label, special=special, **options)
            rows.append(summary(name, "regions", bits))
    return rows


# %%
def with_patches():
    """FLAVA on the pictures themselves."""
    device = device_for_flickr()
    model = flava.load().to(device)
    found = patch_bits(model, minilm().tokenizer, generator=run.generator(5), most=size.flickr)
    return [summary(flava.CHECKPOINT, side, bits) for side, bits in found.items()]


# %%
of_regions = run.need(with_regions, claims=[]) or []
of_patches = run.need(with_patches, claims=[]) or []
if of_regions or of_patches:
    display(run.table(of_regions + of_patches, caption="Bits on Flickr30k Entities, public checkpoints"))

# %% [markdown]
# ## Negative controls
# Stated before the run, except for the row of true pairs:
#
# * A **text-only** model loses exactly 0 without the picture, a **vision-only** model exactly 0 without the
#   words. Their adapters withhold the other modality, so this follows for any weights, and tests the code,
#   not the model.
# * An **ablation of nothing** changes nothing, to the bit.
# * **Random weights** and a model trained on **shuffled pairs** lose less than a twentieth of the ceiling in
#   either direction. The shuffled control is informative only if the same training on **true pairs** shows a
#   loss. That row was added (and both trainings lengthened) after a shorter control had hardly shown any loss
#   on regions from true pairs either.


# %%
def of_one_modality(inputs):
    """The adapter of a model that never sees the other modality, neither in training nor here."""
    n, epochs = size.short
    drawn, regions = plain.world(n, seed=2000 + SEED)
    model, _ = fit_vl(Recipe(inputs=inputs, epochs=epochs), drawn, regions, seed=SEED)

    def predict(tokens, token_mask, feature, box, region_mask):
        if inputs == "text":
            region_mask, feature, box = region_mask & False, feature * 0, box * 0
        else:
            token_mask = torch.zeros_like(token_mask).index_fill(1, torch.tensor([0]), True)
        out = model(tokens, token_mask, feature, box, region_mask)
        return out.words, out.regions

    return predict


# %%
def largest_change(found):
    return max(float((bits - found["none"]).abs().max()) for bits in found.values())


options = dict(mask_id=MASK, seed=run.generator(3).initial_seed(), global_index=0)
given = test.inputs, test.phrase, test.aligned
text_only = ablation.vision_for_language(of_one_modality("text"), *given, mean=test.mean, **options)
run.record("ablation.text-only", largest_change(text_only), n=len(test))
given = *given, test.target, test.label
vision_only = ablation.language_for_vision(of_one_modality("vision"), *given, special=range(4), **options)
run.record("ablation.vision-only", largest_change(vision_only), n=len(test))


# %%
def train_on_pairs(shuffled):
    n, epochs = size.pairs
    drawn, regions = plain.world(n, seed=2000 + SEED)
    return fit_vl(Recipe(shuffled=shuffled, epochs=epochs), drawn, regions, seed=SEED)[0]


torch.manual_seed(SEED)
controls = {
    "untrained": new(Recipe()).eval(),
    "shuffled": train_on_pairs(shuffled=True),
    "true pairs": train_on_pairs(shuffled=False),
}
shares = {}
for name, model in controls.items():
    found = measure(model, test)
    shares[name] = {side: found.share_lost(side) for side in ("words", "regions")}
for name in ("untrained", "shuffled"):
    run.record(f"ablation.{name}", max(abs(share) for share in shares[name].values()), n=len(test))
by_words = {name: shares[name]["words"] for name in ("shuffled", "true pairs")}
run.record("ablation.true-pairs", by_words, n=len(test))
rows = []
for name, share in shares.items():
    rows.append(
        {"model": name, "share lost by words": share["words"], "share lost by regions": share["regions"]}
    )
display(run.table(rows, caption="Controls"))

# %% [markdown]
# **Seen.** On true pairs the short training loses more than the bound of 0.05 in both directions, on shuffled
# pairs almost nothing: the control can distinguish them.

# %%
if models:
    model, given, changes = models["visualbert-0"].model, test.inputs, []
    for replacement in ablation.REPLACEMENTS:
        nothing = torch.zeros_like(test.aligned)
        feature, mask = ablation.ablate_regions(
            given.feature,
            given.region_mask,
            nothing,
            replacement=replacement,
            mean=test.mean,
            global_index=0,
        )
        with torch.no_grad():
            before = model(*given)
            after = model(*given._replace(feature=feature, region_mask=mask))
        changes += [float((x - y).abs().max()) for x, y in zip(before, after, strict=True)]
    run.record("ablation.nothing", max(changes), n=len(test))

# %%
rows = [{"model": "text-only", "bits without the picture": text_only["none"].mean().item()}]
for name, found in (models or {}).items():
    rows.append({"model": name, "bits without the picture": found.bits["words"]["all"].mean().item()})
run.table(rows, caption="Bits a wordpiece: a text-only model, and our models without their picture", digits=2)

# %% [markdown]
# ## Paper versus ours
# The column *null* says that the rule would have rejected a broken run. *Not testable here* is not a pass.

# %%
run.verdicts()

# %% [markdown]
# ## Exercises
# Each check draws random and edge inputs and says what differs. Hints are folded.
#
# ### 02a · Which regions show it?
# **Goal:** intersection over target for many boxes at once. **Difficulty** 1 of 3 · **minutes** 15
#
# Write `iot(R, g)`: `R` (n, 4) and gold box `g` (4,), both left, top, right, bottom; return (n,) shares
# of `g` that each region covers.
#
# <details><summary>Hint 1</summary>The intersection runs from the larger left to the smaller right.</details>
# <details><summary>Right for overlapping boxes, wrong for distant ones?</summary>A width below 0 is a
# width of 0, in each direction by itself: two negative sides must not make a positive area.</details>


# %% tags=["exercise-02a"]
def iot(R, g):
    """Share of the gold box g (4,) that each region of R (n, 4) covers."""
    # BEGIN SOLUTION
    sides = np.minimum(R[:, 2:], g[2:]) - np.maximum(R[:, :2], g[:2])
    return np.clip(sides, 0, None).prod(1) / (g[2:] - g[:2]).prod()
    # END SOLUTION


mmnb.exercises.check("02a", iot)

# %% [markdown]
# ### 02b · Bits, every phrase with one vote
# **Goal:** the macro average that the paper reports. **Difficulty** 2 of 3 · **minutes** 15
#
# Write `macro_bits(logp, where)`: `logp` (n, L), natural log-probabilities of the right wordpieces;
# `where` (n, L) bool, the masked ones, at least one a row; return one number, bits.
#
# <details><summary>Hint 1</summary>First the mean inside a phrase, then the mean over phrases. One bit is
# ln 2 nats.</details>
# <details><summary>Right when all phrases are equally long?</summary>Then both averages agree; yours
# weighs long phrases more.</details>


# %% tags=["exercise-02b"]
def macro_bits(logp, where):
    """Mean over phrases of the mean bits of their masked wordpieces."""
    # BEGIN SOLUTION
    return float((-(logp * where).sum(1) / where.sum(1)).mean() / np.log(2))
    # END SOLUTION


mmnb.exercises.check("02b", macro_bits)

# %% [markdown]
# ### 02c · The control that was missing
# **Goal:** a random ablation of the same size. **Difficulty** 3 of 3 · **minutes** 25
#
# Write `size_matched(aligned, present, scores)`: bool (n, R) masks and `scores` (n, R), a random number
# per region; return a bool mask: in each row as many regions as are aligned (and present), chosen among
# those present and *not* aligned, by lowest score; all of them where there are too few.
#
# <details><summary>Hint 1</summary>Give all others an infinite score, and rank: argsort of argsort.</details>
# <details><summary>Too many regions where few are free?</summary>Ranks go on beyond the free ones:
# intersect with them at the end.</details>


# %% tags=["exercise-02c"]
def size_matched(aligned, present, scores):
    """As many present, non-aligned regions as are aligned, by lowest score."""
    # BEGIN SOLUTION
    free = present & ~aligned
    rank = np.where(free, scores, np.inf).argsort(1).argsort(1)
    return free & (rank < (aligned & present).sum(1, keepdims=True))
    # END SOLUTION


mmnb.exercises.check("02c", size_matched)

# %% [markdown]
# ## Limits and what we changed
# * **The authors' numbers** are read from their files, not re-run: their weights are not on a public hub
#   and Flickr30k's pictures need a request. The reading of the code behind several hazards is ours.
# * **Scenes are not photographs**: 16 classes, a grammar of one sentence. Models of 0.1 to 0.2 M
#   parameters, trained for a minute or two; three seeds per kind on plain scenes, fewer on the variants,
#   one of each kind with proposals, so ranges over models come from few. The LXMERTs had fewer scenes,
#   another recipe, and are under-trained. The interval of the asymmetry treats three models of one kind
#   and three of another as six equal draws. The variants and the pixels were tried with VisualBERT alone;
#   *blind* and *later* continue from a plain model, briefly and with another recipe, so the effects of
#   history and of a short training are not separated.
# * **Pixels**: flat shapes on grey ground, an encoder trained on photographs, one way of making
#   proposals; the detector's labels are drawn, not detected.
# * **A share of the ceiling** compares modalities by one convention; the ceiling knows word frequencies
#   but not positions, so words have an advantage from the text alone. Another convention gives another
#   answer: by the relative rise, which the authors report, words lose more in most of our plain models,
#   by the share regions do. Neither is neutral: the rise depends on how little was lost before, the share
#   on the loss without any input. Raw bits are printed for both.
# * **"Suffices"** means: in these scenes. Whether visible parts or wrong labels explain Flickr30k cannot
#   be said from here; the paper's own follow-up argues against labels alone.
# * **Token shares** mask words and zero features, 60 items, few permutations; the published MM-SHAP
#   scores whole image–text pairs.
# * **Not here.** Public checkpoints on Flickr30k: readers, items, wrappers and both directions (FLAVA,
#   LXMERT; VisualBERT for words) are tested on three pictures in the real layout and tiny random
#   checkpoints; the run itself needs data that has to be requested. That LXMERT's 1,600 classes are the
#   detector's 1,601 without the first, background, is our reading. FLAVA's patches have no true boxes: a
#   patch is removed when the gold box covers more than half of it.
#
# ## References
# * Frank, Bugliarello & Elliott 2021, EMNLP, [arXiv 2109.04448](https://arxiv.org/abs/2109.04448);
#   results and code: [cross-modal-ablation](https://github.com/e-bug/cross-modal-ablation), MIT.
# * Bugliarello et al. 2021, *VOLTA*; Li et al. 2019, *VisualBERT*; Tan & Bansal 2019, *LXMERT*; Plummer
#   et al. 2015, *Flickr30k Entities*.
# * Singh et al. 2022, *FLAVA*; Gat et al. 2021, *Perceptual score*; Parcalabescu & Frank 2023, *MM-SHAP*;
#   Tan & Le 2019, *EfficientNet*.
#
# ## Environment

# %%
run.environment()
