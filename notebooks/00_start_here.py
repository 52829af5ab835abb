# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here: does a multimodal model use its modalities together?
#
# **Answer.** "Together" means several things, and each has an instrument of its own. In a world of four cards
# everything that can be known stands in one table. There every instrument that has a right answer comes out
# near it, for a model that reads both sides; EMAP also for one that only adds them up. Four cautions:
# complementarity needs a calibration first; the model misreads a single missing card, which ablation shows;
# the probe of the words cannot tell a trained encoder from an untrained one; the gap and grounding have no
# right answer in the table. Notebooks 01 to 07 then ask papers and real data.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | none: the instruments of seven lines of research on one world with known answers |
# | **claims** | all of `data/claims/00_start_here.yaml`, judged in the table near the end |
# | **level** | first course in machine learning · 1 of 3 |
# | **minutes** | smoke ¼ · laptop 2½ on one core · paper: the same with more seeds |
# | **you will do** | take one small model through every instrument, then point one at a model of your own |
# | **you will learn to** | tell eight kinds of interaction apart; pick the instrument; read a verdict |
# | **you need** | Python, a little PyTorch; no GPU, no download |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles: `seeds`, trainings behind every interval; `n`, training examples;
# `epochs`; `grid`, examples that EMAP crosses with each other; `drawn`, examples of which the table is
# estimated.

# %%
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from matplotlib.patches import Circle
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import mmnb
from mmnb import ablation, blending, complementarity, gap, grounding, information, laziness
from mmnb.data import naming
from mmnb.instruments.estimate import mean_interval
from mmnb.lab import claims, plot, rules
from mmnb.recipes import late

run = mmnb.start("00_start_here", profile=PROFILE, seed=SEED)
size = run.sizes(
    smoke=dict(seeds=2, n=300, epochs=4, grid=50, drawn=2000),
    laptop=dict(seeds=10, n=1500, epochs=40, grid=200, drawn=20_000),
    paper=dict(seeds=20, n=1500, epochs=40, grid=500, drawn=200_000),
)
SEEDS = tuple(100 * SEED + k for k in range(size.seeds))

size

# %% [markdown]
# ## The idea
# A model gets a picture $a$ and a sentence $b$ and gives scores $f(a,b)$. That it needs both to be right does
# not show that it uses them *together*. The map: where each instrument looks. **Look for** what you can reach
# in a model of yours; EMAP needs nothing but its answers.

# %%
PARTS = {  # name: place and colour
    "picture a": (9, 41, "image"),
    "sentence b": (9, 15, "text"),
    "encoder of a": (32, 41, "image"),
    "encoder of b": (32, 15, "text"),
    "fusion": (58, 28, "fused"),
    "answer": (84, 28, "fused"),
}
ARROWS = [(15, 41, 23, 41), (15.5, 15, 23, 15), (41, 40, 53, 31), (41, 16, 53, 25), (63, 28, 79, 28)]
NOTES = [  # place of the text, the text, and the places it is about
    (9, 28, "data alone:\nPID, complementarity (05)", [(9, 38), (9, 18)]),
    (9, 52, "remove one side:\nablation (02)", [(9, 44)]),
    (9, 4, "or the other:\nablation (02)", [(9, 12)]),
    (36, 28, "two sets of features:\ngap, cone (04)", [(33, 38), (33, 18)]),
    (34, 52, "what has it learnt?\nprobe (06)", [(32, 44)]),
    (34, 4, "and what this one?\nprobe (06)", [(32, 12)]),
    (58, 43, "where does a word attend?\ngrounding (03)", [(58, 31)]),
    (84, 43, "mix all a with all b:\nEMAP (01)", [(84, 31)]),
    (71, 10, "while training: who overfits?\nOGR (07)", [(58, 25), (84, 25)]),
]

# %%
fig, ax = plot.subplots("page", height=3.5)
ax.set(xlim=(0, 100), ylim=(0, 56))
ax.axis("off")
for name, (x, y, colour) in PARTS.items():
    box = dict(boxstyle="round,pad=0.5", color=plot.COLOURS[colour])
    ax.text(x, y, name, ha="center", va="center", fontsize=9, color="white", bbox=box)
for x0, y0, x1, y1 in ARROWS:
    ax.annotate("", (x1, y1), xytext=(x0, y0), arrowprops=dict(arrowstyle="->", color="#555555"))
for x, y, text, places in NOTES:
    for x0, y0 in places:
        ax.plot([x, x0], [y, y0], ":", color="#999999", linewidth=1, zorder=0)
    white = dict(color="white", pad=1)
    ax.text(x, y, text, ha="center", va="center", fontsize=8, color="#333333", bbox=white)
caption = "What each instrument measures in a model with two modalities; in brackets the notebook."
alt = (
    "A diagram: picture and sentence, an encoder for each, a fusion and an answer, joined by arrows. Beside "
    "each part are the instruments that measure it and the numbers of their notebooks."
)
run.figure(fig, "map", caption=caption, alt=alt)

# %% [markdown]
# The questions, and the instrument for each:
#
# * **[01](01_emap.ipynb)** Are the answers more than a sum of one part per modality? EMAP, interaction share;
#   needs the answers to all pairs (a, b).
# * **[02](02_vision_for_language.ipynb)** What does one modality lose without the other, and the other way
#   round? Cross-modal ablation; needs a model that predicts parts of its input.
# * **[03](03_visualbert_grounding.ipynb)** Does a word's attention find what it names? Grounding; needs
#   attention maps and boxes.
# * **[04](04_modality_gap.ipynb)** Do the modalities share one space? Gap, cone; need features of both
#   encoders.
# * **[05](05_complementarity.ipynb)** How much is there to gain from using both, for anybody? PID,
#   complementarity; need data with labels, no model.
# * **[06](06_modality_laziness.ipynb)** Has an encoder learnt less jointly than alone? Probe, joint against
#   alone; needs both trainings.
# * **[07](07_overfitting_to_generalising.ipynb)** Which modality is memorised? OGR; needs losses at two
#   checkpoints.
#
# People mean different things by *interaction*. Here are eight meanings; the glossary of the site has them
# too.
#
# * **Additive**: each modality adds its own evidence. EMAP changes nothing, interaction share 0 (01).
# * **Multiplicative**: one modality changes what the other means. Interaction share above 0 and accuracy lost
#   by EMAP (01).
# * **Cooperative**: both hold noisy evidence of one thing, and their agreement corrects errors. Redundancy in
#   PID; the average of two models beats each (05, 06).
# * **Grounding**: a word points to a place in the picture. Attention accuracy against baselines (03).
# * **Equivalence**: both say the same, either would do. Complementarity 0; pairs that retrieve each other
#   (05, 04).
# * **Specialization**: one modality carries what the other does not. Unique information in PID; a one-sided
#   ablation (05, 02).
# * **Transfer**: one modality makes the other's encoder better (or lazier). Probe, joint against alone and
#   against the same head without the other side (06, 07).
# * **Complementarity**: only both together are informative. Complementarity near 2, synergy in PID (05).
#
# Four of the kinds in their purest form, as tables of probabilities of a, b and a label y, each carrying one
# bit. The metric **complementarity** is (unique to a + unique to b + 2 · synergy) / (sum of all four atoms):
# 0 where all is shared, 1 where all is unique, 2 where all is synergy. **Look for** one full bit in one
# column.

# %%
bit = np.eye(2) / 2  # a fair coin, and the label that repeats it: [[1/2, 0], [0, 1/2]]
KINDS = {  # p[a, b, y]; a modality with one value carries no information
    "equivalence": np.array([[[0.5, 0], [0, 0]], [[0, 0], [0, 0.5]]]),
    "specialization, a": bit[:, None, :],
    "specialization, b": bit[None, :, :],
    "complementarity": np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4,  # exclusive or
}
ATOMS = {
    "redundancy": "redundancy",
    "unique_a": "unique to a",
    "unique_b": "unique to b",
    "synergy": "synergy",
}


def in_bits(atoms):
    """The four atoms of a decomposition, in bits."""
    return {name: getattr(atoms, attribute) / math.log(2) for attribute, name in ATOMS.items()}


pure = {kind: information.pid(p) for kind, p in KINDS.items()}
own = [in_bits(atoms)[name] for atoms, name in zip(pure.values(), ATOMS.values(), strict=True)]
run.record("start.kinds", own, n=4)
table = pd.DataFrame(
    {kind: in_bits(atoms) | {"complementarity": atoms.metric} for kind, atoms in pure.items()}
)
table = (table.T.round(6) + 0.0).rename_axis("kind").reset_index()
run.table(table, caption="Exact partial information decomposition, bits, and the complementarity metric")

# %% [markdown]
# EMAP, the first instrument, by hand: take the scores of all pictures with all sentences, keep what a row and
# a column add, drop the rest. If the scores are a product of signs that average out, nothing is left but a
# constant.


# %%
def additive_part(scores):
    """Row mean + column mean - grand mean of a table of scores f(a_i, b_j)."""
    return scores.mean(0) + scores.mean(1, keepdim=True) - scores.mean()


signs = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
product = signs[:, None] * signs.flip(0)  # a circle or a square, times blue or red: XOR
by_package = mmnb.emap(lambda a, b: a * b, signs, signs.flip(0), batch_size=16, progress=False)
assert torch.equal(additive_part(product).diagonal(), by_package.projected.squeeze(1))
largest, share = additive_part(product).abs().max(), by_package.shares["interaction"]
run.say(
    f"For a product of signs the additive part is {largest:g} everywhere: {100 * share:.0f} % interaction."
)

# %% [markdown]
# ## Data: four cards and a sentence
# A circle, a square, a triangle and a star lie in any order; each is red or blue by the toss of a coin. A
# sentence names one: *warm square red*. The colour word is wrong 1 time in 20; the adjective goes with it 3
# times in 4. Task: predict the **colour word** from the picture and the first two words. Each card also
# carries 8 random numbers, its *texture*, which mean nothing and can be memorised. **Look for** a colour word
# that is wrong, and an adjective that misleads.

# %%
fig, axes = plot.subplots("page", cols=4, height=1.1)
shown = naming.sample(4, seed=3)
for k, ax in enumerate(axes):
    for place in range(4):
        shape, red = int(shown.cards[k, place, :4].argmax()), bool(shown.cards[k, place, 4] > 0)
        colour, markersize = "#C8323C" if red else "#3C64C8", 17 if shape < 3 else 21
        ax.plot(place, 0, marker="os^*"[shape], markersize=markersize, color=colour)
    ax.add_patch(Circle((int(shown.named[k]), 0), 0.47, fill=False, linestyle="--"))
    words = [naming.WORDS[w] for w in shown.words[k]]
    ax.set(title=f"{words[0]} {words[1]} [{words[2]}]", xlim=(-0.7, 3.7), ylim=(-0.8, 0.8), aspect="equal")
    ax.axis("off")
caption = "Four examples; the dashed ring is for the reader. In square brackets the word to predict."
alt = (
    "Four rows of four shapes, circle, square, triangle and star in varying order, red or blue, each with a "
    "sentence such as warm square red; a dashed ring marks the named shape."
)
run.figure(fig, "cards", caption=caption, alt=alt)

# %% [markdown]
# **Seen.** The second colour word is wrong, the last adjective misleads.
#
# The world in one table, 16 pictures × 8 beginnings × 2 colour words. Every number that an instrument should
# find follows from it. The **ideal observer** gives the true log-odds; EMAP can be applied to it as to any
# model.

# %%
p = naming.table()
exact, whole = information.pid(p), complementarity.from_table(p)
odds = np.log(p[:, :, 1] / p[:, :, 0])  # the ideal observer, on all 16 x 8 inputs


def share_right(scores):
    """Share of the world in which the sign of a score is the colour word."""
    return float(np.where(scores > 0, p[:, :, 1], p[:, :, 0]).sum())


def bits(*kept):
    """H(colour word | what is kept) in bits, of a table with axes picture, words, colour word."""
    lost = p.sum(tuple({0, 1} - set(kept)), keepdims=True)
    return -float((lost * np.log2(lost / lost.sum(2, keepdims=True))).sum())


# %%
summed = odds.mean(1, keepdims=True) + odds.mean(0) - odds.mean()
ideal = {
    "accuracy": share_right(odds),
    "EMAP accuracy": share_right(summed),
    "picture alone": share_right(odds.mean(1, keepdims=True)),
    "words alone": share_right(odds.mean(0, keepdims=True)),
    "interaction share": float(((odds - summed) ** 2).mean() / odds.var()),
    "bits without picture": bits(1) - bits(0, 1),
    "bits without words": bits(0) - bits(0, 1),
}
run.record("start.table", abs(exact.total / math.log(2) - (1 - bits(0, 1))), n=1)
assert abs(exact.metric - whole.metric) < 1e-4
display(run.table([ideal], caption="What the table says of an ideal observer"))
caption = "And of the data: bits of PID, and the metric"
run.table([in_bits(exact) | {"complementarity": whole.metric}], caption=caption)

# %% [markdown]
# ## Reproduction: one model, every instrument
# A late-fusion model: an encoder per card, one for the words, and a head in which the words *point* at cards
# (attention) and read what they point at. In training, cards are sometimes turned over and words masked, so
# that missing parts are nothing new to it. Its **twin** has the same encoders and adds their evidence: the
# negative control.

# %%
WIDTH = 16


class Cards(torch.nn.Sequential):
    """(n, 4, 13) -> (n, 4 x 16): every card by itself."""

    def __init__(self):
        super().__init__(
            torch.nn.Linear(13, 48), torch.nn.ReLU(), torch.nn.Linear(48, WIDTH), torch.nn.Flatten()
        )


class Words(torch.nn.Sequential):
    """(n, 3) -> (n, 16): a bag of words."""

    def __init__(self):
        bag = torch.nn.EmbeddingBag(len(naming.WORDS), 32, mode="sum")
        super().__init__(bag, torch.nn.ReLU(), torch.nn.Linear(32, WIDTH))


# %%
class Point(torch.nn.Module):
    """The words ask, the cards answer: attention over four cards, then a hidden layer."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = torch.nn.Sequential(
            torch.nn.Linear(2 * WIDTH, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2)
        )

    def attention(self, cards, words):
        keys = self.key(cards.unflatten(1, (4, WIDTH)))
        return ((keys @ self.query(words)[..., None]).squeeze(-1) / math.sqrt(WIDTH)).softmax(-1)

    def forward(self, cards, words):
        values = self.value(cards.unflatten(1, (4, WIDTH)))
        seen = (self.attention(cards, words)[..., None] * values).sum(1)
        return self.out(torch.cat([seen, words], 1))


# %% [markdown]
# Four trainings per seed, from the same weights: **joint**; **alone**, a linear classifier on each encoder;
# **wordless**, the joint model with every word masked, so that the effect of the head and of the words can be
# separated; and, for the other direction, a **painter** that predicts the colour of a card turned over from
# the sentence.


# %%
def build(seed, head=Point):
    """Encoders, head, and a linear head for each side; same seed, same weights."""
    torch.manual_seed(seed)
    alone = {"image": torch.nn.Linear(4 * WIDTH, 2), "text": torch.nn.Linear(WIDTH, 2)}
    return late.LateModel({"image": Cards(), "text": Words()}, head(), alone)


def adding():
    """The twin's head: a linear layer on both, which is a sum of two parts."""
    return late.Concat([4 * WIDTH, WIDTH], 2)


def with_gaps(inputs, label, seed):
    """Shuffled batches of 50 with cards turned over and words masked at random."""
    whole, draw = late.shuffled(inputs, label, 50, seed), torch.Generator().manual_seed(seed)

    def keep(shape, share):
        return torch.rand(shape, generator=draw) > share

    def batches(epoch):
        for x, y in whole(epoch):
            n = len(y)
            card = keep((n, 4, 1), 0.15) & keep((n, 1, 1), 0.15)
            word = keep((n, 3), 0.1) & keep((n, 1), 0.1)
            yield {"image": x["image"] * card, "text": torch.where(word, x["text"], naming.MASK)}, y

    return batches


# %%
def train(inputs, label, seed, objective=None, head=Point):
    """A trained model, in eval mode."""
    model = build(seed, head)
    late.fit(model, with_gaps(inputs, label, seed), objective, epochs=size.epochs, seed=seed, progress=False)
    return model


def sides(drawn):
    """Picture and question, by name."""
    return {"image": drawn.cards, "text": drawn.question}


worlds, joint, alone, wordless = [], [], [], []
for seed in SEEDS:
    first, test = naming.sample(size.n, seed), naming.sample(2000, 1_000_000 + seed)
    masked = sides(first) | {"text": torch.full_like(first.question, naming.MASK)}
    worlds.append((first, test))
    joint.append(train(sides(first), first.label, seed))
    alone.append(train(sides(first), first.label, seed, late.Unimodal()))
    wordless.append(train(masked, first.label, seed))
first, test = worlds[0]
twin = train(sides(first), first.label, SEEDS[0], head=adding)
tests = [test for _, test in worlds]

# %% [markdown]
# ### Outputs: EMAP
# The ideal observer's log-odds have a known interaction share, and a known accuracy is lost with it. The
# twin's share must be 0. **Look for** the column of the twin.


# %%
def project(model, test):
    """Interaction share and scores of a model of this notebook on its first test pairs."""
    a, b, y = test.cards[: size.grid], test.question[: size.grid], test.label[: size.grid].numpy()
    found = mmnb.emap(lambda image, text: model({"image": image, "text": text}), a, b, progress=False)
    return found.shares["interaction"], found.score("accuracy", y, resamples=100)


crossed = [project(model, test) for model, test in zip(joint, tests, strict=True)]
shares = np.array([share for share, _ in crossed])
drops = np.array([float(scores.gap) for _, scores in crossed])
twin_share, twin_scores = project(twin, tests[0])
share = mean_interval(shares - ideal["interaction share"])
drop = mean_interval(drops)
run.record("start.emap-share", share)
run.record("start.emap-drop", drop)
run.record("start.twin-share", twin_share, n=size.grid)

# %%
rows = []
for name, key, right in (
    ("accuracy", "original", "accuracy"),
    ("accuracy of its EMAP", "projected", "EMAP accuracy"),
):
    ours = np.mean([scores[key] for _, scores in crossed])
    rows.append({"": name, "joint": ours, "twin": twin_scores[key], "ideal observer": ideal[right]})
row = {"": "interaction share", "joint": shares.mean(), "twin": twin_share}
rows.append(row | {"ideal observer": ideal["interaction share"]})
display(run.table(rows, caption=f"Joint: mean over {len(SEEDS)} seeds; twin: first seed"))
run.say(
    f"**Seen.** Without interactions the joint model loses {100 * drop:.0f} points of accuracy; the twin has "
    "nothing to lose, its share is zero to rounding. The joint model's share minus the ideal observer's is "
    f"{share:+.3f}: close to the right answer, 0, but a little below. → notebook 01"
)

# %% [markdown]
# ### Inputs: ablation in both directions
# Remove cards and predict the colour word; remove words and predict the colour of the card that was turned
# over. Four conditions: nothing, what is *aligned* (the named card; shape and colour word), as much at
# *random*, *all*. The table of the world gives every rise in bits.

# %%
COLOUR_ID = torch.arange(2) + naming.BLUE


def speak(speaker):
    """A model's prediction of the colour word, as the instrument asks for it: scores of all words."""

    def predict(tokens, token_mask, feature, box, region_mask):
        words = torch.full((len(tokens), 3, len(naming.WORDS)), -30.0)  # words that are no colours
        words[:, 2, COLOUR_ID] = speaker({"image": feature, "text": tokens})
        return words, None

    return predict


def paint(painter):
    """A painter's prediction of a card's colour, as the instrument asks for it: scores for every card."""

    def predict(tokens, token_mask, feature, box, region_mask):
        return None, painter({"image": feature, "text": tokens})[:, None].expand(-1, 4, -1)

    return predict


# %%
def ablate(speaker, painter, test):
    """Bits under four conditions: the speaker's word without cards, the painter's colour without words."""
    n = len(test)
    present, named = torch.ones(n, 4).bool(), torch.nn.functional.one_hot(test.named, 4).bool()
    inputs = ablation.Inputs(test.words, torch.ones(n, 3).bool(), test.cards, torch.zeros(n, 4, 4), present)
    true = (test.cards[torch.arange(n), test.named, 4] > 0).long()
    colour = torch.tensor([[False, False, True]]).expand(n, 3)
    phrase = torch.tensor([[False, True, True]]).expand(n, 3)
    one_hot = torch.nn.functional.one_hot(true, 2).float()
    options = {"mask_id": naming.MASK, "seed": run.generator(5).initial_seed(), "replacement": "zero"}
    word = ablation.vision_for_language(speak(speaker), inputs, colour, named, **options)
    card = ablation.language_for_vision(paint(painter), inputs, phrase, named, test.named, one_hot, **options)
    return [{name: float(bits.mean()) for name, bits in found.items()} for found in (word, card)]


# %%
def face_down(drawn):
    """The painter's task: the named card face down, the whole sentence, its true colour."""
    rows = torch.arange(len(drawn))
    cards = drawn.cards.clone()
    cards[rows, drawn.named] = 0
    return {"image": cards, "text": drawn.words}, (drawn.cards[rows, drawn.named, 4] > 0).long()


# %%
painters = [train(*face_down(first), seed) for (first, _), seed in zip(worlds, SEEDS, strict=True)]
ablated = [ablate(*models, test) for *models, test in zip(joint, painters, tests, strict=True)]
twin_bits = ablate(twin, painters[0], tests[0])[0]

# %% [markdown]
# What the world's table says: with the named card or all cards gone, only the adjective is left; without the
# words, the card's colour is a coin.


# %%
def entropy(share):
    """Entropy of a coin, bits."""
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


wrong_hint = naming.ERROR * (1 - naming.HINT) + (1 - naming.ERROR) * naming.HINT
hint, error = entropy(naming.HINT), entropy(naming.ERROR)
known = [
    {"none": bits(0, 1), "aligned": hint, "random": bits(0, 1), "all": hint},
    {"none": error, "aligned": entropy(wrong_hint), "random": error, "all": 1.0},
]

# %%
of_condition = [{c: [seed[way][c] for seed in ablated] for c in ablation.CONDITIONS} for way in (0, 1)]
mean = [{c: np.mean(values) for c, values in found.items()} for found in of_condition]
rises = [mean_interval(np.subtract(found["all"], found["none"])) for found in of_condition]
run.record("start.picture-removed", rises[0])
run.record("start.words-removed", rises[1])
control = [np.mean(np.subtract(of_condition[0][c], of_condition[0]["none"])) for c in ("random", "aligned")]
run.record("start.size-control", control, n=len(SEEDS))

# %% [markdown]
# **Look for** random ≈ none: at the same number it must matter *which* card is removed; and for aligned ≈
# all, where the model may differ from the world.

# %%
fig, axes = plot.subplots("page", cols=2, height=2.5, sharey=True)
panels = (("text", "colour word, cards removed"), ("image", "card, words removed"))
for ax, found, right, (style, title) in zip(axes, of_condition, known, panels, strict=True):
    plot.grouped(ax, ablation.CONDITIONS, {"model": (style, list(found.values()))})
    for k, c in enumerate(ablation.CONDITIONS):
        plot.published_point(ax, k, right[c], "the table of the world" if k == 0 else "_")
    ax.set(title=title, ylim=(0, 1.75), xlabel="what is removed")
grey = plot.COLOURS["control"]
axes[0].plot(np.arange(4) - 0.2, list(twin_bits.values()), "x", color=grey, label="additive twin, first seed")
axes[0].set_ylabel("bits (lower is better)")
for ax in axes:
    ax.legend(loc="upper left", fontsize=7)
caption = (
    "What each side is worth to the other. Loss of the prediction under four conditions; bars: 95 % t "
    "interval over seeds; circles: computed from the table of the world. Farthest from its circle: aligned, "
    "left."
)
alt = (
    "Two panels of four points each, bits by what is removed. In both, none and random are low, all is "
    "high, and the hollow circles of the table are close. Left, aligned is above its circle, and the grey "
    "crosses of the additive twin are high in every condition."
)
display(run.figure(fig, "ablation", caption=caption, alt=alt))


# %%
def attends_elsewhere(model, test):
    """Share of sentences that attend most to another card than the named one, which is face down."""
    with torch.no_grad():
        features = model.features({"image": face_down(test)[0]["image"], "text": test.question})
        attention = model.head.attention(features["image"], features["text"])
        return (attention.argmax(1) != test.named).float().mean().item()


elsewhere = [attends_elsewhere(model, test) for model, test in zip(joint, tests, strict=True)]
rows = []
for name, values in (
    ("model, word", mean[0]),
    ("world, word", known[0]),
    ("twin, word", twin_bits),
    ("model, card", mean[1]),
    ("world, card", known[1]),
):
    rows.append({"who predicts what": name, **values})
display(run.table(rows, caption="Bits under the four conditions, mean over seeds"))
run.say(
    f"**Seen.** Without the picture the colour word costs {rises[0]:.2f} bits more, without the words the "
    f"card {rises[1]:.2f}. With the named card alone face down, attention is highest on another card in "
    f"{100 * np.mean(elsewhere):.0f} % of sentences. → notebook 02"
)

# %% [markdown]
# It matters *which* card is removed: another card in place of the named one costs nothing. But with the named
# card alone face down, the model loses more than with all cards face down, because it often reads another
# card instead. Ablation reports this rightly; it is the model that misreads.
#
# ### Attention: grounding
# The words of this model ask one question of four cards. **Look for** accuracy far above the random 1/4; the
# untrained model is the control. High grounding does not prove that the answer *uses* it: that is what
# ablation is for.


# %%
def ground(model, test):
    """Share of test sentences whose attention is highest on the named card."""
    with torch.no_grad():
        features = model.features(sides(test))
        attention = model.head.attention(features["image"], features["text"])[:, None, None]
    match = torch.nn.functional.one_hot(test.named, 4).bool()
    return grounding.entity_grounding(attention, match, torch.ones_like(match)).accuracy.item()


grounded = [ground(model, test) for model, test in zip(joint, tests, strict=True)]
run.record("start.grounding", mean_interval(grounded))
untrained = [ground(build(seed).eval(), test) for seed, test in zip(SEEDS, tests, strict=True)]
run.say(
    f"**Seen.** Attention is on the named card in {100 * np.mean(grounded):.0f} % of sentences; untrained, "
    f"{100 * np.mean(untrained):.0f} %. → notebook 03"
)

# %% [markdown]
# ### Features: gap and cone
# Nothing asks the two encoders to share a space, so they will not. **Look for** a gap far above that of two
# random halves of *one* side, and for a cone (mean cosine above 0) that is there before training.


# %%
def unit_features(model, test):
    """Unit features of both sides: the mean card, and the words."""
    with torch.no_grad():
        features = model.features(sides(test))
    return gap.normalize(features["image"].unflatten(1, (4, WIDTH)).mean(1)), gap.normalize(features["text"])


both = [unit_features(model, test) for model, test in zip(joint, tests, strict=True)]
gaps = [gap.modality_gap(*pair) for pair in both]
halves = [gap.modality_gap(pictures[::2], pictures[1::2]) for pictures, _ in both]
run.record("start.gap", mean_interval(gaps))
run.record("start.gap-halves", max(halves), n=len(halves))
before = [unit_features(build(seed).eval(), test) for seed, test in zip(SEEDS, tests, strict=True)]
cones = [np.mean([gap.average_cosine(side, diagonal=False) for side in pair]) for pair in before]
run.record("start.cone", mean_interval(cones))
run.say(
    f"**Seen.** Gap {np.mean(gaps):.2f}, two halves of the pictures {np.mean(halves):.3f}. Before any "
    f"training the mean cosine within a side is already {np.mean(cones):.2f}: a narrow cone each. → notebook "
    "04"
)

# %% [markdown]
# ### Data: PID and complementarity, estimated
# Usually there is no table. Then PID is computed from counts, which always seem to hold a little synergy
# (shuffled labels show how much; with few examples it matters), and complementarity from the losses of three
# models, picture alone, words alone, both, calibrated on held-out rows. **Look for** estimates close to the
# exact values, from models that never saw the table.

# %%
many = naming.sample(size.drawn, seed=2_000_000 + SEEDS[0])
codes, label = (many.code_a.numpy(), many.code_b.numpy()), many.label.numpy()
counted = information.pid(information.joint_table(*codes, label, sizes=p.shape))
shuffled_label = run.rng(7).permutation(label)
shuffled = information.pid(information.joint_table(*codes, shuffled_label, sizes=p.shape))
table = {
    name: {
        kind: getattr(atoms, name)
        for kind, atoms in (("exact", exact), ("counted", counted), ("shuffled", shuffled))
    }
    for name in ATOMS
}
off = max(abs(of["counted"] - of["exact"]) for of in table.values())
corrected = max(abs(of["counted"] - of["shuffled"] - of["exact"]) for of in table.values())
run.record("start.pid", corrected, n=len(many))
frame = pd.DataFrame(table).rename(columns=ATOMS).reset_index(names="")
display(run.table(frame, caption="PID in nats: exact, counted, counted with labels shuffled"))

# %% [markdown]
# Complementarity from the losses of our models, with and without the calibration:


# %%
def calibrated_losses(logits, y):
    """-log p of the true colour word, nats, after a calibration on other rows."""
    return information.held_out_losses(logits[:, 1:] - logits[:, :1], y, LogisticRegression())


measured, uncalibrated = [], []
for together, apart, test in zip(joint, alone, tests, strict=True):
    y = test.label.numpy()
    with torch.no_grad():
        single = apart.logits(sides(test))
        three = (single["image"], single["text"], together(sides(test)))
    losses = [calibrated_losses(logits, y) for logits in three]
    measured.append(complementarity.from_losses(*losses, y).metric)
    losses = [torch.nn.functional.cross_entropy(logits, test.label, reduction="none") for logits in three]
    uncalibrated.append(complementarity.from_losses(*losses, y).metric)
metric = mean_interval(measured)
run.record("start.complementarity", mean_interval(np.subtract(measured, whole.metric)))
run.say(
    f"**Seen.** The counted atoms lie within {off:.3f} nats of the exact ones, less what shuffled labels "
    f"hold within {corrected:.3f}. Complementarity from our models is {metric:.2f}, exact "
    f"{whole.metric:.2f}; without the calibration {np.mean(uncalibrated):.2f}. → notebook 05"
)

# %% [markdown]
# With this many examples the correction of the atoms is hardly needed. The models' complementarity is a
# little too high; without the calibration it would be far too high, because the overconfident picture model
# would pass for an uninformative one.
#
# ### Encoders: lazy, or helped?
# A new linear classifier on each frozen encoder. Joint and alone differ in the other modality *and* in the
# head: hence the wordless model, with the joint head and no words, and an untrained encoder as the floor. The
# picture alone is a hard task, full of texture: **look for** the step that makes its encoder better, the
# other head or the words. The adjective is easy, so there is nothing to be lazy about in the words. To see
# that the probe notices lost information, an encoder with the adjective *erased*.


# %%
def probe(models, side):
    """Test accuracy of a linear probe on one encoder of every model."""
    found = []
    for model, (first, test) in zip(models, worlds, strict=True):
        train_part, test_part = (sides(first)[side], first.label), (sides(test)[side], test.label)
        found.append(laziness.probe(model.encoders[side], train_part, test_part).accuracy)
    return np.array(found, dtype=float)


def erased(model, seed):
    """A copy whose word encoder cannot tell the adjectives apart."""
    copy = build(seed).eval()
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        weight = copy.encoders["text"][0].weight
        weight[naming.COLD : naming.COLD + 2] = weight[naming.COLD : naming.COLD + 2].mean(0)
    return copy


# %%
fresh = [build(seed).eval() for seed in SEEDS]
trained = {"untrained": fresh, "alone": alone, "joint": joint}
picture = {name: probe(models, "image") for name, models in (trained | {"wordless": wordless}).items()}
words = {name: probe(models, "text") for name, models in trained.items()}
words["adjective erased"] = probe([erased(*one) for one in zip(joint, SEEDS, strict=True)], "text")

# %%
run.record("start.transfer", mean_interval(picture["joint"] - picture["wordless"]))
run.record("start.no-laziness", mean_interval(words["joint"] - words["alone"]))
run.record("start.planted-laziness", mean_interval(words["adjective erased"] - words["alone"]))
rows = []
for name, of, right in (("picture", picture, ideal["picture alone"]), ("words", words, ideal["words alone"])):
    row = {"encoder of": name} | {kind: values.mean() for kind, values in of.items()}
    rows.append(row | {"ideal observer": right})
table = pd.DataFrame(rows).astype(object)
display(run.table(table.where(table.notna(), None), caption="Accuracy of the probe, mean over seeds"))
steps = {
    "picture: alone − untrained": picture["alone"] - picture["untrained"],
    "picture: wordless − alone (the other head)": picture["wordless"] - picture["alone"],
    "picture: joint − wordless (the words)": picture["joint"] - picture["wordless"],
    "words: joint − alone": words["joint"] - words["alone"],
    "words: adjective erased − alone": words["adjective erased"] - words["alone"],
}
rows = [{"step": name, "accuracy": f"{mean_interval(values):+.3f}"} for name, values in steps.items()]
run.table(rows, caption="Paired differences over seeds, 95 % t interval")

# %% [markdown]
# **Seen.** Trained alone, the encoder of pictures overfits (next section) and ends below an untrained one.
# Most of what joint training adds comes with the other head; the words themselves add a little: transfer is
# shown. For the words this probe could not tell: an untrained encoder scores as high as a trained one, since
# with eight inputs a random encoder keeps them apart, and a lazy one would too. With the adjective erased
# accuracy falls to chance: the probe notices lost information, not laziness. → notebook 06
#
# ### Training: who memorises?
# Between the untrained and the trained network, how much does the difference of held-out and training loss
# grow ($\Delta O$), and how much does the held-out loss fall ($G$)? OGR = $\Delta O / G$; infinite when the
# held-out loss rose ($G \le 0$). G-Blend weighs a loss by $G / \Delta O^2$, and by 0 when $G \le 0$. Picture
# and words are the *alone* trainings. There are only eight beginnings of a sentence, but every picture has a
# texture of its own: **expect** the picture to overfit.


# %%
def ogr(model, world, seed, names):
    """OGR of the heads called `names`, from the untrained to the trained model."""
    moments = []
    for net in (build(seed).eval(), model):
        train_loss, held_out = (late.mean_losses(net, [(sides(part), part.label)]) for part in world)
        moments.append({name: blending.Losses(train_loss[name], held_out[name]) for name in names})
    return {name: blending.ogr(moments[0][name], moments[1][name]) for name in names}


# %%
ratios = {"image": [], "text": [], "joint": []}
for together, apart, world, seed in zip(joint, alone, worlds, SEEDS, strict=True):
    found = ogr(apart, world, seed, ("image", "text")) | ogr(together, world, seed, ("joint",))
    for name, value in found.items():
        ratios[name].append(value)
over = {name: np.array([r.overfitting for r in of]) for name, of in ratios.items()}
rows = []
for name, of in ratios.items():
    row = {
        "loss": name,
        "overfitting": over[name].mean(),
        "generalising": np.mean([r.generalising for r in of]),
    }
    rows.append(row | {"OGR, median": np.median([r.ratio for r in of])})
display(run.table(rows, caption="Nats, mean over seeds; OGR is a ratio"))
more = mean_interval(over["image"] - over["text"])
run.record("start.overfitting", more)
run.say(f"**Seen.** The picture overfits {more:.2f} nats more than the words. → notebook 07")

# %% [markdown]
# The picture's held-out loss rose, so its OGR is infinite and G-Blend would give it no weight.
#
# ### A model of your own: a dozen lines
# Any function of two batches will do. Here is one that is not even PyTorch: a network of scikit-learn on
# everything concatenated. To measure yours with EMAP, replace `mine`; it must return raw scores, here
# log-odds. Nothing here is judged: **look at** how much of its accuracy is additive.


# %%
def flat(drawn):
    """Cards and one-hot words of some examples as two NumPy matrices."""
    one_hot = torch.nn.functional.one_hot(drawn.question, len(naming.WORDS))
    return drawn.cards.flatten(1).numpy(), one_hot.flatten(1).numpy()


first, test = worlds[0]
network = MLPClassifier((64,), alpha=1.0, max_iter=500, early_stopping=True, random_state=SEED)
network.fit(np.hstack(flat(first)), first.label.numpy())


def mine(cards, question):
    """Any model: batches of both modalities in, one row of scores per pair out."""
    p = network.predict_proba(np.hstack([cards, question]))
    return np.log(p[:, 1:]) - np.log(p[:, :1])


a, b = (side[:100] for side in flat(test))
result = mmnb.emap(mine, a, b, progress=False)
found = result.score("accuracy", test.label[:100].numpy())
row = found.values | {"gap": f"{found.gap:+.3f}"} | {f"share {k}": v for k, v in result.shares.items()}
run.table([row], caption="EMAP of a model from scikit-learn, 100 test pairs")

# %% [markdown]
# **Seen.** On these pairs the network adds up what card colours and adjective say: without interactions it is
# right nearly as often, and its words part alone even a little more often.
#
# ## Negative control: a model with nothing to learn
# The same training on **random labels**. Expected: chance accuracy, little lost by EMAP, grounding near 1/4.
# The interaction *share* knows no labels, so it need not be 0.

# %%
guess = first.label[torch.from_numpy(run.rng(8).permutation(len(first)).copy())]
nothing = train(sides(first), guess, SEEDS[0])
nothing_share, nothing_scores = project(nothing, test)
nothing_bits = ablate(nothing, build(SEEDS[0]).eval(), test)  # the second: an untrained painter
nothing_rises = [found["all"] - found["none"] for found in nothing_bits]
nothing_grounded = ground(nothing, test)
run.record("start.random-labels", nothing_scores.gap)
run.record("start.random-grounding", nothing_grounded, n=len(test))

# %% [markdown]
# All instruments on one page: our trainings, what the world's table says, what a control gives.

# %%
lost = ideal["accuracy"] - ideal["EMAP accuracy"]
by_world = [right["all"] - right["none"] for right in known]
by_model = [np.subtract(found["all"], found["none"]) for found in of_condition]
PAGE = [
    ("interaction share (01)", shares, ideal["interaction share"], twin_share),
    ("accuracy lost by EMAP (01)", drops, lost, float(twin_scores.gap)),
    ("bits without picture (02)", by_model[0], by_world[0], nothing_rises[0]),
    ("bits without words (02)", by_model[1], by_world[1], nothing_rises[1]),
    ("grounding (03)", grounded, None, nothing_grounded),
    ("gap (04)", gaps, None, float(np.mean(halves))),
    ("complementarity (05)", measured, whole.metric, None),
    ("probe, picture, jointly (06)", picture["joint"], ideal["picture alone"], picture["untrained"].mean()),
    ("probe, words, jointly (06)", words["joint"], ideal["words alone"], words["untrained"].mean()),
    ("overfitting, picture alone (07)", over["image"], None, None),
    ("overfitting, words alone (07)", over["text"], None, None),
]

# %% [markdown]
# **Look for** hollow circles (the world) on filled marks (the model), and for grey crosses (the controls) far
# from them. In which rows are they not?

# %%
fig, ax = plot.subplots("page", height=4.2)
pink, grey = plot.COLOURS["fused"], plot.COLOURS["control"]
for k, (_, runs, right, control) in enumerate(PAGE):
    mean_of_runs = mean_interval(runs)
    label = f"our trainings, 95 % t interval, n = {len(runs)}" if k == 0 else "_"
    ends = [[mean_of_runs.value - mean_of_runs.low], [mean_of_runs.high - mean_of_runs.value]]
    ax.plot(runs, np.full(len(runs), k) + 0.18, ".", color=pink, markersize=3, alpha=0.6)
    ax.errorbar(mean_of_runs.value, k, xerr=ends, color=pink, marker="D", label=label)
    if right is not None:
        plot.published_point(ax, right, k, "what the world says" if k == 0 else "_")
    if control is not None:
        ax.plot(control, k - 0.25, "x", color=grey, markersize=7, label="control" if k == 0 else "_")

# %%
ax.set_yticks(range(len(PAGE)), [row[0] for row in PAGE])
ax.set(
    ylim=(len(PAGE) - 0.4, -1.9), xlabel="share, accuracy, bits (02), nats (07), distance (04) or ratio (05)"
)
ax.margins(x=0.05)
ax.legend(loc="upper right", ncols=3)
caption = (
    f"Every instrument, {len(SEEDS)} trainings. Dots: single seeds. Circles only where the table gives a "
    "value. Controls, a little above their rows, from top: twin, twin, model of random labels, untrained "
    "painter, model of random labels, halves of one side, untrained encoder, untrained encoder."
)
alt = (
    f"{len(PAGE)} rows with mean, interval and dots of our trainings, hollow circles of known values close "
    "to them, and grey crosses of controls, far from them except in the two rows of the probe."
)
display(run.figure(fig, "all-instruments", caption=caption, alt=alt))
run.say(
    f"**Seen.** Random labels: accuracy {nothing_scores['original']:.2f}, lost by EMAP "
    f"{nothing_scores.gap:+.3f}, bits without picture {nothing_rises[0]:+.2f}, grounding "
    f"{nothing_grounded:.2f}, and yet an interaction share of {nothing_share:.2f}."
)

# %% [markdown]
# Nearest to their controls are the two probes: an untrained encoder already holds most of what a linear
# classifier can read. The model of random labels has memorised noise, so that cards mislead it. A share
# without an accuracy says *that* a model mixes, not that it should.
#
# ## Paper versus ours: how to read a verdict
# A claim is a number, a **rule** written down beforehand, and a **null**: what a broken or meaningless run
# would give. Take accuracy lost by EMAP, rule *at least 0.1*, null 0 (what the twin loses).

# %%
rule = rules.parse({"kind": "at-least", "bound": 0.1}, "here")
handed_in = {"our joint model": drop.value, "its additive twin": float(twin_scores.gap)}
handed_in["random labels"] = float(nothing_scores.gap)
rows = []
for name, value in handed_in.items():
    verdict = "reproduced" if rule.accepts(value) else "not reproduced"
    rows.append({"what is handed in": name, "number": value, "the rule": str(rule), "verdict": verdict})
run.table(rows, caption="A rule that can fail")

# %% [markdown]
# Then a rule that cannot: *the model is right at least half of the time*, of two answers. A coin is right
# half of the time. Here the claim is refused before any model runs, because its rule accepts its own null.

# %%
weak = {
    "id": "start.weak",
    "claim": "The model is right half of the time.",
    "place": "nowhere",
    "random": True,
    "tolerance": "none",
    "rule": {"kind": "at-least", "bound": 0.5},
    "null": 0.5,
}
try:
    claims.parse(weak, "here")
    refusal = ""
except ValueError as error:
    refusal = str(error)
run.record("start.weak-rule", float("accepts its own null" in refusal), n=1)
run.say(f"> {refusal}")

# %% [markdown]
# Read the table from right to left: the verdict; the column *null*, which says that the rule would have
# rejected a broken run; the rule; our number with its interval and n; the paper's number (here there is none:
# the world says what is right). *Not reproduced* is a result. *Not testable here* is not a pass.

# %%
run.verdicts()

# %% [markdown]
# ## Exercises
# Each check draws random and edge inputs and says what differs. Hints are folded.
#
# ### 00a · What two modalities add
# **Goal:** EMAP of a table of scores. **Difficulty** 1 of 3 · **minutes** 5
#
# Write `additive(scores)`: a NumPy array (pictures, sentences); return the additive part, same shape.
#
# <details><summary>Hint 1</summary>
# The cell in “The idea” does it for tensors. Which axis is averaged for a row mean?</details>
# <details><summary>Everything is too large?</summary>
# Rows and columns both contain the grand mean: it is counted twice.</details>


# %% tags=["exercise-00a"]
def additive(scores):
    """Row means + column means - grand mean."""
    # BEGIN SOLUTION
    return scores.mean(axis=1, keepdims=True) + scores.mean(axis=0, keepdims=True) - scores.mean()
    # END SOLUTION


mmnb.exercises.check("00a", additive)

# %% [markdown]
# ### 00b · A verdict with an interval
# **Goal:** judge a difference over seeds. **Difficulty** 1 of 3 · **minutes** 5
#
# Write `verdict(low, high)`: a 95 % interval of a difference that a paper says is positive; return
# `"reproduced"` if the whole interval lies above 0, else `"not reproduced"`.
#
# <details><summary>Hint 1</summary>Is 0 itself above 0?</details>
# <details><summary>Wrong where the interval holds 0?</summary>
# The mean may be positive all the same: the interval decides.</details>


# %% tags=["exercise-00b"]
def verdict(low, high):
    """What a rule of kind `sign: positive` says."""
    # BEGIN SOLUTION
    return "reproduced" if low > 0 else "not reproduced"
    # END SOLUTION


mmnb.exercises.check("00b", verdict)

# %% [markdown]
# ### 00c · Would the rule notice?
# **Goal:** test a rule on its null. **Difficulty** 2 of 3 · **minutes** 10
#
# Write `can_fail(bound, nulls)`: for a rule *at least `bound`*, say whether it rejects *every* null of an
# array.
#
# <details><summary>Hint 1</summary>A rule accepts a number that equals its bound.</details>
# <details><summary>Right for one null, wrong for several?</summary>
# One null that slips through is enough to refuse the claim.</details>


# %% tags=["exercise-00c"]
def can_fail(bound, nulls):
    """True where every null is rejected."""
    # BEGIN SOLUTION
    return bool((nulls < bound).all())
    # END SOLUTION


mmnb.exercises.check("00c", can_fail)

# %% [markdown]
# ## Limits and what we changed
# * **A toy.** Thirteen numbers per card and eight beginnings of a sentence. That instruments read the right
#   answer where it is known is necessary, not sufficient, for trusting them elsewhere; notebooks 01 to 07
#   test them on papers and real data.
# * **Trained with gaps.** Our model has seen cards turned over and words masked, so taking them away is
#   nothing new to it; yet with the named card alone face down it often looks at another, and is too sure of
#   it. A model that never has gives numbers in which absence and strangeness are mixed (notebook 02).
# * **The gap has no true value here**: nothing in this world says how far apart the two clouds should lie.
# * **Cooperation** is shown through redundancy only; cooperative learning itself, with its agreement penalty
#   (Ding et al. 2022), is not re-run anywhere in this collection.
# * **Intervals** are over trainings and test samples of this one world.
#
# ## References
# * Hessel & Lee 2020, EMNLP, *EMAP*; Frank, Bugliarello & Elliott 2021, EMNLP, *Vision-and-language or
#   vision-for-language?*; Li et al. 2020, ACL, *What does BERT with vision look at?*; Liang et al. 2022,
#   NeurIPS, *Mind the gap*.
# * The complementarity paper (OpenReview gfHLOC35Zh); Bertschinger et al. 2014 and Liang et al. 2023 (PID);
#   Du et al. 2023, ICML (laziness); Wang, Tran & Feiszli 2020, CVPR (OGR).
# * Jayakumar et al. 2020, *Multiplicative interactions*; Ding, Li, Narasimhan & Tibshirani 2022, *Cooperative
#   learning*.
#
# ## Environment

# %%
run.environment()
