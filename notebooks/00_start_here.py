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
# **Answer.** "Together" means several things, and each has an instrument of its own. In a world of four cards everything that can be known stands in one table. There every instrument that has a right answer comes out
# near it, for a model that reads both sides; EMAP also for one that only adds them up. Four cautions: complementarity needs a calibration first; the model misreads a single missing card, which ablation shows; the probe of the words
# cannot tell a trained encoder from an untrained one; the gap and grounding have no right answer in the table. Notebooks 01 to 07 then ask papers and real data.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | none: the instruments of seven lines of research on one world with known answers |
# | **claims** | all of `data/claims/00_start_here.yaml`, judged in the table near the end |
# | **level** | first course in machine learning · 1 of 3 |
# | **minutes** | smoke ¼ · laptop 2½ on one core · paper: the same with more seeds |
# | **you will do** | take one small model through every instrument, then point one at a model of your own |
# | **you will learn to** | tell eight kinds of interaction apart; pick the instrument for a question; read a verdict and distrust one that cannot fail |
# | **you need** | Python, a little PyTorch; no GPU, no download |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles: `seeds`, trainings behind every interval; `n`, training examples; `epochs`; `grid`, examples that EMAP crosses with each other; `drawn`, examples of which the
# table is estimated.

# %%
import math

import numpy as np
import torch
from IPython.display import display
from matplotlib.patches import Circle
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import mmnb
from mmnb import ablation, blending, complementarity, gap, grounding, information, laziness
from mmnb.data import naming
from mmnb.instruments.estimate import mean_interval
from mmnb.lab import claim, plot, rules
from mmnb.recipes import late

run = mmnb.start("00_start_here", profile=PROFILE, seed=SEED)
size = run.sizes(
    smoke=dict(seeds=2, n=300, epochs=4, grid=50, drawn=2000),
    laptop=dict(seeds=10, n=1500, epochs=40, grid=200, drawn=20_000),
    paper=dict(seeds=20, n=1500, epochs=40, grid=500, drawn=200_000),
)
SEEDS = tuple(100 * SEED + k for k in range(size.seeds))


def over_seeds(name, values):
    """Record the mean over seeds with its 95 % t interval."""
    found = mean_interval([float(value) for value in values])
    run.record(name, found)
    return found


def beside(found, right=0.0):
    """What an interval says of a right answer."""
    return "inside the interval" if found.low <= right <= found.high else "outside the interval; model or instrument, we cannot say"  # fmt: skip


size

# %% [markdown]
# ## The idea
# A model gets a picture $a$ and a sentence $b$ and gives scores $f(a,b)$. That it needs both to be right does not show that it uses them *together*. The map: where each instrument looks. **Look for** what you can
# reach in a model of yours; EMAP needs nothing but its answers.

# %%
fig, ax = plot.subplots("page", height=3.5)
ax.set(xlim=(0, 100), ylim=(0, 56))
ax.axis("off")
parts = {"picture a": (9, 41, "image"), "sentence b": (9, 15, "text"), "encoder of a": (32, 41, "image"), "encoder of b": (32, 15, "text"), "fusion": (58, 28, "fused"), "answer": (84, 28, "fused")}  # fmt: skip
for name, (x, y, look) in parts.items():
    ax.text(x, y, name, ha="center", va="center", fontsize=9, color="white", bbox=dict(boxstyle="round,pad=0.5", color=plot.COLOURS[look]))  # fmt: skip
for (x0, y0), (x1, y1) in (((15, 41), (23, 41)), ((15.5, 15), (23, 15)), ((41, 40), (53, 31)), ((41, 16), (53, 25)), ((63, 28), (79, 28))):  # fmt: skip
    ax.annotate("", (x1, y1), xytext=(x0, y0), arrowprops=dict(arrowstyle="->", color="#555555"))
notes = (  # where the text stands, what it says, and the places it is about
    (9, 28, "data alone:\nPID, complementarity (05)", ((9, 38), (9, 18))),
    (9, 52, "take one side away:\nablation (02)", ((9, 44),)),
    (9, 4, "or the other:\nablation (02)", ((9, 12),)),
    (36, 28, "two clouds of features:\ngap, cone (04)", ((33, 38), (33, 18))),
    (34, 52, "what has it learnt?\nprobe (06)", ((32, 44),)),
    (34, 4, "and what this one?\nprobe (06)", ((32, 12),)),
    (58, 43, "where does a word look?\ngrounding (03)", ((58, 31),)),
    (84, 43, "mix all a with all b:\nEMAP (01)", ((84, 31),)),
    (71, 10, "while training: who overfits?\nOGR (07)", ((58, 25), (84, 25))),
)
for x, y, text, places in notes:
    for place in places:
        ax.plot(*zip((x, y), place, strict=True), ":", color="#999999", linewidth=1, zorder=0)
    ax.text(x, y, text, ha="center", va="center", fontsize=8, color="#333333", bbox=dict(color="white", pad=1))
run.figure(
    fig,
    "map",
    caption="Where each instrument looks at a model with two modalities; in brackets the notebook.",
    alt="A diagram: picture and sentence, an encoder for each, a fusion and an answer, joined by arrows. Beside each part stand the instruments that look at it and the numbers of their notebooks.",
)

# %% [markdown]
# | question | instrument | what it needs | notebook |
# |---|---|---|---|
# | Are the answers more than a sum of one part per modality? | EMAP, interaction share | answers to all pairs (a, b) | [01](01_emap.ipynb) |
# | What does one modality lose without the other, and the other way round? | cross-modal ablation | a model that predicts parts of its input | [02](02_vision_for_language.ipynb) |
# | Does a word's attention find what it names? | grounding | attention maps, boxes | [03](03_visualbert_grounding.ipynb) |
# | Do the modalities share one space? | gap, cone | features of both encoders | [04](04_modality_gap.ipynb) |
# | How much is there to gain from using both, for anybody? | PID, complementarity | data with labels, no model | [05](05_complementarity.ipynb) |
# | Has an encoder learnt less in company than alone? | probe, joint against alone | both trainings | [06](06_modality_laziness.ipynb) |
# | Which modality is learnt by heart? | OGR | losses at two checkpoints | [07](07_overfitting_to_generalising.ipynb) |
#
# People mean different things by *interaction*. Here are eight meanings; the glossary of the site has them too.
#
# | kind | what happens | detected by | notebook |
# |---|---|---|---|
# | **additive** | each modality adds its own evidence | EMAP changes nothing, interaction share 0 | 01 |
# | **multiplicative** | one modality changes what the other means | interaction share above 0 and accuracy lost by EMAP | 01 |
# | **cooperative** | both hold noisy evidence of one thing, and their agreement corrects errors | redundancy in PID; the average of two models beats each | 05, 06 |
# | **grounding** | a word points to a place in the picture | attention accuracy against baselines | 03 |
# | **equivalence** | both say the same, either would do | complementarity 0; pairs that retrieve each other | 05, 04 |
# | **specialization** | one modality knows what the other does not | unique information in PID; a one-sided ablation | 05, 02 |
# | **transfer** | one modality makes the other's encoder better (or lazier) | probe, joint against alone and against the same head without the other side | 06, 07 |
# | **complementarity** | only both together tell | complementarity near 2, synergy in PID | 05 |
#
# Four of the kinds in their purest form, as tables of probabilities of a, b and a label y, each carrying one bit. The metric **complementarity** is (unique to a + unique to b + 2 · synergy) / (sum of all four atoms): 0 where all is shared, 1 where all is unique, 2 where all
# is synergy. **Look for** one full bit in one column.

# %%
bit = np.eye(2) / 2  # a fair coin, and the label that repeats it: [[1/2, 0], [0, 1/2]]
kinds = {  # p[a, b, y]; a modality with one value says nothing
    "equivalence": np.array([[[0.5, 0], [0, 0]], [[0, 0], [0, 0.5]]]),
    "specialization, a": bit[:, None, :],
    "specialization, b": bit[None, :, :],
    "complementarity": np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4,  # exclusive or
}
atoms = {kind: information.pid(p) for kind, p in kinds.items()}
names = ("redundancy", "unique_a", "unique_b", "synergy")
shown_as = {name: name.replace("_", " to ") for name in names}
own = [getattr(found, name) / math.log(2) for found, name in zip(atoms.values(), names, strict=True)]
run.record("start.kinds", own, n=4)
rows = [{"kind": kind} | {shown_as[name]: round(getattr(found, name) / math.log(2), 6) + 0.0 for name in names} | {"complementarity": round(found.metric, 6)} for kind, found in atoms.items()]  # fmt: skip
run.table(rows, caption="Exact partial information decomposition, bits, and the complementarity metric")


# %% [markdown]
# EMAP, the first instrument, by hand: take the scores of all pictures with all sentences, keep what a row and a column add, drop the rest. If the scores are a product of signs that average out, nothing is left but a constant.


# %%
def additive_part(scores):
    """Row mean + column mean - grand mean of a table of scores f(a_i, b_j)."""
    return scores.mean(0) + scores.mean(1, keepdim=True) - scores.mean()


signs = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
product = signs[:, None] * signs.flip(0)  # a circle or a square, times blue or red: XOR
by_package = mmnb.emap(lambda a, b: a * b, signs, signs.flip(0), batch_size=16, progress=False)
assert torch.equal(additive_part(product).diagonal(), by_package.projected.squeeze(1))
run.say(
    f"For a product of signs the additive part is {additive_part(product).abs().max():g} everywhere: {100 * by_package.shares['interaction']:.0f} % interaction."
)

# %% [markdown]
# ## Data: four cards and a sentence
# A circle, a square, a triangle and a star lie in any order; each is red or blue by the toss of a coin. A sentence names one: *warm square red*. The colour word is wrong 1 time in 20; the adjective goes with it
# 3 times in 4. Task: predict the **colour word** from the picture and the first two words. Each card also carries 8 random numbers, its *texture*, which mean nothing and can be learnt by heart.
# **Look for** a colour word that is wrong, and an adjective that misleads.

# %%
fig, axes = plot.subplots("page", cols=4, height=1.1)
shown = naming.sample(4, seed=3)
for k, ax in enumerate(axes):
    for place in range(4):
        shape, red = int(shown.cards[k, place, :4].argmax()), bool(shown.cards[k, place, 4] > 0)
        ax.plot(place, 0, marker="os^*"[shape], markersize=17 if shape < 3 else 21, color="#C8323C" if red else "#3C64C8")  # fmt: skip
    ax.add_patch(Circle((int(shown.named[k]), 0), 0.47, fill=False, linestyle="--"))
    words = [naming.WORDS[w] for w in shown.words[k]]
    ax.set(title=f"{words[0]} {words[1]} [{words[2]}]", xlim=(-0.7, 3.7), ylim=(-0.8, 0.8), aspect="equal")
    ax.axis("off")
run.figure(
    fig,
    "cards",
    caption="Four examples; the dashed ring is for the reader. In square brackets the word to predict.",
    alt="Four rows of four shapes, circle, square, triangle and star in varying order, red or blue, each with a sentence such as warm square red; a dashed ring marks the named shape.",
)

# %% [markdown]
# **Seen.** The second colour word is wrong, the last adjective misleads.
#
# The world in one table, 16 pictures × 8 beginnings × 2 colour words. Every number that an instrument should find follows from it. The **ideal observer** gives the true log-odds; EMAP can be applied to it as to any model.

# %%
p = naming.table()
exact, whole = information.pid(p), complementarity.from_table(p)
odds = np.log(p[:, :, 1] / p[:, :, 0])  # the ideal observer, on all 16 x 8 inputs


def right(scores):
    """Share of the world in which the sign of a score is the colour word."""
    return float(np.where(scores > 0, p[:, :, 1], p[:, :, 0]).sum())


def bits(*kept):
    """H(colour word | what is kept) in bits, of a table with axes picture, words, colour word."""
    lost = p.sum(tuple({0, 1} - set(kept)), keepdims=True)
    return -float((lost * np.log2(lost / lost.sum(2, keepdims=True))).sum())


summed = odds.mean(1, keepdims=True) + odds.mean(0) - odds.mean()
ideal = {"accuracy": right(odds), "EMAP accuracy": right(summed), "picture alone": right(odds.mean(1, keepdims=True)), "words alone": right(odds.mean(0, keepdims=True))}  # fmt: skip
ideal |= {"interaction share": float(((odds - summed) ** 2).mean() / odds.var())}
ideal |= {"bits without picture": bits(1) - bits(0, 1), "bits without words": bits(0) - bits(0, 1)}
run.record("start.table", abs(exact.total / math.log(2) - (1 - bits(0, 1))), n=1)
assert abs(exact.metric - whole.metric) < 1e-4
display(run.table([ideal], caption="What the table says of an ideal observer"))
run.table([{shown_as[name]: getattr(exact, name) / math.log(2) for name in names} | {"complementarity": whole.metric}], caption="And of the data: bits of PID, and the metric")  # fmt: skip

# %% [markdown]
# ## Reproduction: one model, every instrument
# A late-fusion model: an encoder per card, one for the words, and a head in which the words *point* at cards (attention) and read what they point at. In training, cards are sometimes turned over and words masked, so that
# missing parts are nothing unheard of. Its **twin** has the same encoders and adds their evidence: the negative control.

# %%
WIDTH = 16


class Cards(torch.nn.Sequential):
    """(n, 4, 13) -> (n, 4 x 16): every card by itself."""

    def __init__(self):
        super().__init__(torch.nn.Linear(13, 48), torch.nn.ReLU(), torch.nn.Linear(48, WIDTH), torch.nn.Flatten())


class Words(torch.nn.Sequential):
    """(n, 3) -> (n, 16): a bag of words."""

    def __init__(self):
        bag = torch.nn.EmbeddingBag(len(naming.WORDS), 32, mode="sum")
        super().__init__(bag, torch.nn.ReLU(), torch.nn.Linear(32, WIDTH))


class Point(torch.nn.Module):
    """The words ask, the cards answer: attention over four cards, then a hidden layer."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = torch.nn.Sequential(torch.nn.Linear(2 * WIDTH, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))

    def attention(self, cards, words):
        keys = self.key(cards.unflatten(1, (4, WIDTH)))
        return ((keys @ self.query(words)[..., None]).squeeze(-1) / math.sqrt(WIDTH)).softmax(-1)

    def forward(self, cards, words):
        values = self.value(cards.unflatten(1, (4, WIDTH)))
        seen = (self.attention(cards, words)[..., None] * values).sum(1)
        return self.out(torch.cat([seen, words], 1))


# %% [markdown]
# Four trainings per seed, from the same weights: **joint**; **alone**, a linear classifier on each encoder; **wordless**, the joint model with every word masked, so that company and head can be told apart; and, for the other direction, a
# **painter** that predicts the colour of a card turned over from the sentence.


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

    def batches(epoch):
        for x, y in whole(epoch):
            card = (torch.rand(len(y), 4, 1, generator=draw) > 0.15) & (torch.rand(len(y), 1, 1, generator=draw) > 0.15)
            word = (torch.rand(len(y), 3, generator=draw) > 0.1) & (torch.rand(len(y), 1, generator=draw) > 0.1)
            yield {"image": x["image"] * card, "text": torch.where(word, x["text"], naming.MASK)}, y

    return batches


def train(inputs, label, seed, way=None, head=Point):
    """A trained model, in eval mode."""
    model = build(seed, head)
    late.fit(model, with_gaps(inputs, label, seed), way, epochs=size.epochs, seed=seed, progress=False)
    return model


def sides(drawn):
    """Picture and question, by name."""
    return {"image": drawn.cards, "text": drawn.question}


worlds = [(naming.sample(size.n, seed), naming.sample(2000, 1_000_000 + seed)) for seed in SEEDS]
joint = [train(sides(first), first.label, seed) for (first, _), seed in zip(worlds, SEEDS, strict=True)]
alone = [train(sides(first), first.label, seed, late.Alone()) for (first, _), seed in zip(worlds, SEEDS, strict=True)]  # fmt: skip
wordless = [train(sides(first) | {"text": torch.full_like(first.question, naming.MASK)}, first.label, seed) for (first, _), seed in zip(worlds, SEEDS, strict=True)]  # fmt: skip
twin = train(sides(worlds[0][0]), worlds[0][0].label, SEEDS[0], head=adding)

# %% [markdown]
# ### Outputs: EMAP
# The ideal observer's log-odds have a known interaction share, and a known accuracy is lost with it. The twin's share must be 0. **Look for** the column of the twin.


# %%
def project(model, test):
    """EMAP of a model of this notebook on its first test pairs."""
    a, b, y = test.cards[: size.grid], test.question[: size.grid], test.label[: size.grid].numpy()
    found = mmnb.emap(lambda image, text: model({"image": image, "text": text}), a, b, progress=False)
    return found.shares["interaction"], found.score("accuracy", y, resamples=100)


crossed = [project(model, test) for model, (_, test) in zip(joint, worlds, strict=True)]
twin_share, twin_scores = project(twin, worlds[0][1])
share = over_seeds("start.emap-share", [s - ideal["interaction share"] for s, _ in crossed])
drop = over_seeds("start.emap-drop", [scores.gap for _, scores in crossed])
run.record("start.twin-share", twin_share, n=size.grid)
rows = [
    {"": "accuracy", "joint": np.mean([s["original"] for _, s in crossed]), "twin": twin_scores["original"], "ideal observer": ideal["accuracy"]},
    {"": "accuracy of its EMAP", "joint": np.mean([s["projected"] for _, s in crossed]), "twin": twin_scores["projected"], "ideal observer": ideal["EMAP accuracy"]},
    {"": "interaction share", "joint": np.mean([s for s, _ in crossed]), "twin": twin_share, "ideal observer": ideal["interaction share"]},
]  # fmt: skip
display(run.table(rows, caption=f"Joint: mean over {len(SEEDS)} seeds; twin: first seed"))
run.say(
    f"**Seen.** Without interactions the joint model loses {100 * drop.value:.0f} points of accuracy (ideal: {100 * (ideal['accuracy'] - ideal['EMAP accuracy']):.0f}); the twin has nothing to lose. Its share is zero to rounding. "
    f"The joint model's share minus the ideal observer's is {share.value:+.3f} [{share.low:.3f}, {share.high:.3f}]; the right answer, 0, lies {beside(share)}. → notebook 01"
)

# %% [markdown]
# ### Inputs: ablation in both directions
# Take cards away and predict the colour word; take words away and predict the colour of the card that was turned over. Four conditions: nothing, what is *aligned* (the named card; shape and colour word), as much
# at *random*, *all*. The table of the world knows every rise in bits. **Look for** random ≈ none: at the same number it must matter *which* card is taken; and for aligned ≈ all, where the model may differ from the world.

# %%
COLOUR_ID = torch.arange(2) + naming.BLUE


def ablate(speaker, painter, test):
    """Bits under four conditions: the speaker's word without cards, the painter's colour without words."""
    n, rows = len(test), torch.arange(len(test))
    present = torch.ones(n, 4, dtype=torch.bool)
    inputs = ablation.Inputs(test.words, torch.ones(n, 3, dtype=torch.bool), test.cards, torch.zeros(n, 4, 4), present)
    named = torch.nn.functional.one_hot(test.named, 4).bool()
    true = (test.cards[rows, test.named, 4] > 0).long()

    def say(tokens, token_mask, feature, box, region_mask):
        words = torch.full((len(tokens), 3, len(naming.WORDS)), -30.0)  # words that are no colours: next to impossible
        words[:, 2, COLOUR_ID] = speaker({"image": feature, "text": tokens})
        return words, None

    def paint(tokens, token_mask, feature, box, region_mask):
        return None, painter({"image": feature, "text": tokens})[:, None].expand(-1, 4, -1)

    common = {"mask_id": naming.MASK, "generator": run.generator(5), "replacement": "zero"}
    colour, phrase = torch.tensor([[False, False, True]]).expand(n, 3), torch.tensor([[False, True, True]]).expand(n, 3)
    one_hot = torch.nn.functional.one_hot(true, 2).float()
    without_cards = ablation.vision_for_language(say, inputs, colour, named, **common)
    without_words = ablation.language_for_vision(paint, inputs, phrase, named, test.named, one_hot, **common)
    return [{name: float(bits.mean()) for name, bits in found.items()} for found in (without_cards, without_words)]


# %%
def turned(drawn):
    """The painter's task: the named card face down, the whole sentence, its true colour."""
    rows = torch.arange(len(drawn))
    cards = drawn.cards.clone()
    cards[rows, drawn.named] = 0
    return {"image": cards, "text": drawn.words}, (drawn.cards[rows, drawn.named, 4] > 0).long()


painters = [train(*turned(first), seed) for (first, _), seed in zip(worlds, SEEDS, strict=True)]
found = [ablate(s, q, test) for s, q, (_, test) in zip(joint, painters, worlds, strict=True)]
twin_bits = ablate(twin, painters[0], worlds[0][1])[0]


def strays(model, test):
    """Share of sentences with the highest attention on another card than the named one, which is face down."""
    with torch.no_grad():
        features = model.features({"image": turned(test)[0]["image"], "text": test.question})
        return (model.head.attention(features["image"], features["text"]).argmax(1) != test.named).float().mean().item()


astray = [strays(model, test) for model, (_, test) in zip(joint, worlds, strict=True)]


# %%
def h(share):
    """Entropy of a coin, bits."""
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


wrong_hint = naming.ERROR * (1 - naming.HINT) + (1 - naming.ERROR) * naming.HINT
known = [{"none": bits(0, 1), "aligned": h(naming.HINT), "random": bits(0, 1), "all": h(naming.HINT)}]
known += [{"none": h(naming.ERROR), "aligned": h(wrong_hint), "random": h(naming.ERROR), "all": 1.0}]
mean = [{c: np.mean([seed[way][c] for seed in found]) for c in ablation.CONDITIONS} for way in (0, 1)]
rises = [over_seeds(f"start.{name}", [seed[way]["all"] - seed[way]["none"] for seed in found]) for way, name in enumerate(("picture-removed", "words-removed"))]  # fmt: skip
run.record("start.size-control", [np.mean([seed[0][c] - seed[0]["none"] for seed in found]) for c in ("random", "aligned")], n=len(SEEDS))  # fmt: skip
fig, axes = plot.subplots("page", cols=2, height=2.5, sharey=True)
for ax, way, look, title in zip(axes, (0, 1), ("text", "image"), ("colour word, cards taken away", "card, words taken away"), strict=True):  # fmt: skip
    plot.grouped(ax, ablation.CONDITIONS, {"model": (look, [[seed[way][c] for seed in found] for c in ablation.CONDITIONS])})  # fmt: skip
    for k, c in enumerate(ablation.CONDITIONS):
        plot.published_point(ax, k, known[way][c], "the table of the world" if k == 0 else "_")
    ax.set(title=title, ylim=(0, 1.75), xlabel="what is taken away")
axes[0].plot(np.arange(4) - 0.2, [twin_bits[c] for c in ablation.CONDITIONS], "x", color=plot.COLOURS["control"], label="additive twin, first seed")  # fmt: skip
axes[0].set_ylabel("bits (lower is better)")
for ax in axes:
    ax.legend(loc="upper left", fontsize=7)

# %%
listed = [", ".join(f"{values[c]:.2f} {c}" for c in ablation.CONDITIONS) for values in (*mean, *known, twin_bits)]
off = {(way, c): mean[way][c] - known[way][c] for way in (0, 1) for c in ablation.CONDITIONS}
most = max(off, key=lambda place: abs(off[place]))
display(
    run.figure(
        fig,
        "ablation",
        caption=f"What each side is worth to the other. Loss of the prediction under four conditions; bars: 95 % t interval over seeds; circles: computed from the table of the world. Farthest from its circle, by {off[most]:+.2f} bits: {most[1]}, {('left', 'right')[most[0]]}.",
        alt=f"Two panels of four points each, bits by what is taken away. Left, model: {listed[0]}; hollow circles: {listed[2]}; grey crosses of the twin, beside the points: {listed[4]}. Right, model: {listed[1]}; hollow circles: {listed[3]}.",
    )
)
run.say(
    f"**Seen.** Without the picture the colour word costs {rises[0].value:.2f} bits more (the world: {known[0]['all'] - known[0]['none']:.2f}, {beside(rises[0], known[0]['all'] - known[0]['none'])}), without the words the card {rises[1].value:.2f} (the world: {known[1]['all'] - known[1]['none']:.2f}, {beside(rises[1], known[1]['all'] - known[1]['none'])}). "
    f"Another card in place of the named one costs {mean[0]['random'] - mean[0]['none']:+.2f}: at the same number it matters *which* card is taken. With the named card alone face down the model pays {mean[0]['aligned']:.2f} bits where {known[0]['aligned']:.2f} would do, and where it pays {mean[0]['all']:.2f} with all face down: "
    f"in {100 * np.mean(astray):.0f} % of sentences its attention is then highest on another card. Ablation reports this rightly; it is the model that misreads. The twin already pays {twin_bits['none']:.2f} bits with everything in sight. → notebook 02"
)

# %% [markdown]
# ### Attention: grounding
# The words of this model ask one question of four cards. **Look for** accuracy far above the random 1/4; the untrained model is the control. High grounding does not prove that the answer *uses* it: that is what ablation is for.


# %%
def looks(model, test):
    """Share of test sentences whose attention is highest on the named card."""
    with torch.no_grad():
        features = model.features(sides(test))
        maps = model.head.attention(features["image"], features["text"])[:, None, None]
    match = torch.nn.functional.one_hot(test.named, 4).bool()
    return grounding.entity_grounding(maps, match, torch.ones_like(match)).accuracy.item()


pointed = over_seeds("start.grounding", [looks(model, test) for model, (_, test) in zip(joint, worlds, strict=True)])
untrained = [looks(build(seed).eval(), test) for (_, test), seed in zip(worlds, SEEDS, strict=True)]
run.say(
    f"**Seen.** Attention is on the named card in {100 * pointed.value:.0f} % of sentences; untrained, {100 * np.mean(untrained):.0f} %. → notebook 03"
)

# %% [markdown]
# ### Features: gap and cone
# Nothing asks the two encoders to share a space, so they will not. **Look for** a gap far above that of two random halves of *one* side, and for a cone (mean cosine above 0) that is there before training.


# %%
def clouds(model, test):
    """Unit features of both sides: the mean card, and the words."""
    with torch.no_grad():
        features = model.features(sides(test))
    return gap.normalize(features["image"].unflatten(1, (4, WIDTH)).mean(1)), gap.normalize(features["text"])


both = [clouds(model, test) for model, (_, test) in zip(joint, worlds, strict=True)]
gaps = over_seeds("start.gap", [gap.modality_gap(*pair) for pair in both])
halves = [gap.modality_gap(x[::2], x[1::2]) for x, _ in both]
run.record("start.gap-halves", max(halves), n=len(halves))
before = [clouds(build(seed).eval(), test) for (_, test), seed in zip(worlds, SEEDS, strict=True)]
cones = [[gap.average_cosine(side, diagonal=False) for side in pair] for pair in before]
cone = over_seeds("start.cone", np.mean(cones, axis=1))
run.say(
    f"**Seen.** Gap {gaps.value:.2f}, two halves of the pictures {np.mean(halves):.3f}. Before any training the mean cosine within a side is already {cone.value:.2f}: a narrow cone each. → notebook 04"
)

# %% [markdown]
# ### Data: PID and complementarity, estimated
# Usually there is no table. Then PID is computed from counts, which always seem to hold a little synergy (shuffled labels show how much; with few examples it matters), and complementarity from the losses of three models, picture alone, words alone, both, calibrated on held-out rows.
# **Look for** estimates close to the exact values, from models that know nothing of the table.

# %%
many = naming.sample(size.drawn, seed=2_000_000 + SEEDS[0])
codes = many.code_a.numpy(), many.code_b.numpy()
counted = information.pid(information.joint_table(*codes, many.label.numpy(), sizes=p.shape))
mixed = information.pid(information.joint_table(*codes, run.rng(7).permutation(many.label.numpy()), sizes=p.shape))
plain = max(abs(getattr(counted, name) - getattr(exact, name)) for name in names)
corrected = max(abs(getattr(counted, name) - getattr(mixed, name) - getattr(exact, name)) for name in names)
run.record("start.pid", corrected, n=len(many))


def losses(logits, y):
    """-log p of the true colour word, nats, after a calibration on other rows."""
    return information.held_out_losses(logits[:, 1:] - logits[:, :1], y, LogisticRegression())


measured, raw = [], []
for together, apart, (_, test) in zip(joint, alone, worlds, strict=True):
    with torch.no_grad():
        single, y = apart.logits(sides(test)), test.label.numpy()
        three = (single["image"], single["text"], together(sides(test)))
    measured.append(complementarity.from_losses(y, *(losses(logits, y) for logits in three)).metric)
    as_they_are = (torch.nn.functional.cross_entropy(logits, test.label, reduction="none") for logits in three)
    raw.append(complementarity.from_losses(y, *as_they_are).metric)
metric = over_seeds("start.complementarity", [value - whole.metric for value in measured])
rows = [{"": label} | {shown_as[name]: getattr(found, name) for name in names} for label, found in (("exact", exact), ("counted", counted), ("counted, labels shuffled", mixed))]  # fmt: skip
display(run.table(rows, caption="PID in nats"))
pid_says = "With this many examples the correction is hardly needed; its use is with fewer." if plain < 0.01 else "With this few examples the correction matters."  # fmt: skip
run.say(
    f"**Seen.** The counted atoms lie within {plain:.3f} nats of the exact ones, less what shuffled labels hold within {corrected:.3f}. {pid_says} "
    f"Complementarity from our models {whole.metric + metric.value:.2f} [{whole.metric + metric.low:.2f}, {whole.metric + metric.high:.2f}], exact {whole.metric:.2f}, {beside(metric)}. Much of what there is to know takes both at once. Without the calibration it would be {np.mean(raw):.2f}: the picture model, too sure of itself, seems to know even less than it does. → notebook 05"
)

# %% [markdown]
# ### Encoders: lazy, or helped?
# A new linear classifier on each frozen encoder. Joint and alone differ in company *and* in the head: hence the wordless model, with the joint head and no words, and an untrained encoder as the floor. The picture alone is a hard task, full of
# texture: **look for** the step that makes its encoder better, the other head or the words. The adjective is easy, so there is nothing to be lazy about in the words. To see that the probe notices lost information, an encoder with the adjective *erased*.


# %%
def probed(model, world, side):
    """Test accuracy of a probe on one encoder."""
    first, test = world
    return laziness.probe(model.encoders[side], (sides(first)[side], first.label), (sides(test)[side], test.label)).accuracy  # fmt: skip


def erased(model, seed):
    """A copy whose word encoder cannot tell the adjectives apart."""
    copy = build(seed).eval()
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        weight = copy.encoders["text"][0].weight
        weight[naming.COLD : naming.COLD + 2] = weight[naming.COLD : naming.COLD + 2].mean(0)
    return copy


fresh = [build(seed).eval() for seed in SEEDS]
scores = {(name, side): np.array([probed(model, world, side) for model, world in zip(models, worlds, strict=True)]) for name, models in (("untrained", fresh), ("alone", alone), ("joint", joint)) for side in ("image", "text")}  # fmt: skip
scores["wordless", "image"] = np.array([probed(model, world, "image") for model, world in zip(wordless, worlds, strict=True)])  # fmt: skip
planted = np.array([probed(erased(model, seed), world, "text") for model, seed, world in zip(joint, SEEDS, worlds, strict=True)])  # fmt: skip
helped = over_seeds("start.transfer", scores["joint", "image"] - scores["wordless", "image"])
equal = over_seeds("start.no-laziness", scores["joint", "text"] - scores["alone", "text"])
seen = over_seeds("start.planted-laziness", planted - scores["alone", "text"])
unlearnt = mean_interval((scores["alone", "image"] - scores["untrained", "image"]).tolist())
by_head = mean_interval((scores["wordless", "image"] - scores["alone", "image"]).tolist())

# %%
rows = [{"encoder of": "picture"} | {name: scores[name, "image"].mean() for name in ("untrained", "alone", "wordless", "joint")} | {"adjective erased": "–", "ideal observer": ideal["picture alone"]}]  # fmt: skip
rows += [{"encoder of": "words", "untrained": scores["untrained", "text"].mean(), "alone": scores["alone", "text"].mean(), "wordless": "–", "joint": scores["joint", "text"].mean(), "adjective erased": planted.mean(), "ideal observer": ideal["words alone"]}]  # fmt: skip
display(run.table(rows, caption="Accuracy of the probe, mean over seeds"))
verdict_of = "transfer is shown" if helped.low > 0 else "transfer is not shown"
floor = "overfits (next section) and ends below an untrained one" if unlearnt.high < 0 else "is not shown to differ from an untrained one"  # fmt: skip
run.say(
    f"**Seen.** Pictures: trained alone, the encoder {floor} ({unlearnt.value:+.3f} [{unlearnt.low:.3f}, {unlearnt.high:.3f}]). The other head, without a word, brings {by_head.value:+.3f} [{by_head.low:.3f}, {by_head.high:.3f}]; "
    f"the words themselves add {helped.value:+.3f} [{helped.low:.3f}, {helped.high:.3f}]: {verdict_of}. "
    f"Words: joint minus alone {equal.value:+.3f}, but this probe could not tell: an untrained encoder scores {scores['untrained', 'text'].mean():.3f}, the trained one {scores['joint', 'text'].mean():.3f}. With eight inputs a random encoder keeps them apart, and a lazy one would too. Adjective erased: {seen.value:+.3f}; the probe notices lost information, not laziness. → notebook 06"
)

# %% [markdown]
# ### Training: who learns by heart?
# Between the untrained and the trained network, how much does the difference of held-out and training loss grow ($\Delta O$), and how much does the held-out loss fall ($G$)? OGR = $\Delta O / G$; infinite when the held-out loss rose ($G \le 0$). G-Blend weighs a loss by $G / \Delta O^2$, and by 0 when $G \le 0$. Picture
# and words are the *alone* trainings. There are only eight beginnings of a sentence, but every picture has a texture of its own: **expect** the picture to overfit.


# %%
def points(model, world, seed, names):
    """(before, after) losses of the heads called `names`."""
    moments = []
    for net in (build(seed).eval(), model):
        train_loss, held_out = (late.mean_losses(net, [(sides(part), part.label)]) for part in world)
        moments.append({name: blending.Losses(train_loss[name], held_out[name]) for name in names})
    return {name: tuple(moment[name] for moment in moments) for name in names}


ratios = []
for together, apart, world, seed in zip(joint, alone, worlds, SEEDS, strict=True):
    ends = points(apart, world, seed, ("image", "text")) | points(together, world, seed, ("joint",))
    ratios.append({name: blending.ogr(*pair) for name, pair in ends.items()})
heart = over_seeds("start.overfitting", [r["image"].overfitting - r["text"].overfitting for r in ratios])
rows = [{"loss": name, "overfitting": np.mean([r[name].overfitting for r in ratios]), "generalising": np.mean([r[name].generalising for r in ratios]), "OGR, median": np.median([r[name].ratio for r in ratios])} for name in ("image", "text", "joint")]  # fmt: skip
display(run.table(rows, caption="Nats, mean over seeds; OGR is a ratio"))
blend = "Its held-out loss rose, so its OGR is infinite and G-Blend would give it no weight." if rows[0]["generalising"] <= 0 else "G-Blend would weigh its loss down."  # fmt: skip
run.say(f"**Seen.** The picture overfits {heart.value:.2f} nats more than the words. {blend} → notebook 07")

# %% [markdown]
# ### A model of your own: a dozen lines
# Any function of two batches will do. Here is one that is not even PyTorch: a network of scikit-learn on everything concatenated. To point EMAP at yours, replace `mine`; it must return raw scores, here log-odds. Nothing here is judged: **look at** how much of its accuracy is additive.

# %%
first, test = worlds[0]
a, b = first.cards.flatten(1).numpy(), torch.nn.functional.one_hot(first.question, len(naming.WORDS)).flatten(1).numpy()
network = MLPClassifier((64,), alpha=1.0, max_iter=500, early_stopping=True, random_state=SEED)
network.fit(np.hstack([a, b]), first.label.numpy())


def mine(cards, question):
    """Any model: batches of both modalities in, one row of scores per pair out."""
    p = network.predict_proba(np.hstack([cards, question]))
    return np.log(p[:, 1:]) - np.log(p[:, :1])


x, y = test.cards[:100].flatten(1).numpy(), torch.nn.functional.one_hot(test.question[:100], len(naming.WORDS)).flatten(1).numpy()  # fmt: skip
result = mmnb.emap(mine, x, y, progress=False)
told = result.score(lambda scores, label: float(((scores[:, 0] > 0) == (label == 1)).mean()), test.label[:100].numpy())
display(run.table([dict(told.values) | {"gap": told.gap, "low": told.gap_interval[0], "high": told.gap_interval[1]} | {f"share {k}": v for k, v in result.shares.items()}], caption="EMAP of a model from scikit-learn, 100 test pairs"))  # fmt: skip
part = "the words part alone is right more often than the whole" if told.values["marginal_b"] > told.values["original"] else "the whole is right at least as often as the words part"  # fmt: skip
run.say(
    f"**Seen.** {100 * told.values['original']:.0f} % right, {100 * told.values['projected']:.0f} % without interactions, {100 * told.values['marginal_b']:.0f} % from its words part alone: on these {len(x)} pairs this network adds up what card colours and adjective say, and {part}."
)

# %% [markdown]
# ## Negative control: a model with nothing to learn
# The same training on **random labels**. Expected: chance accuracy, little lost by EMAP, grounding near 1/4. The interaction *share* knows no labels, so it need not be 0. Then all
# instruments on one page: **look for** hollow circles (the world) on filled marks (the model), and for grey crosses (the controls) far from them. In which rows are they not?

# %%
guess = first.label[torch.from_numpy(run.rng(8).permutation(len(first)).copy())]
nothing = train(sides(first), guess, SEEDS[0])
nothing_share, nothing_scores = project(nothing, test)
nothing_bits = ablate(nothing, build(SEEDS[0]).eval(), test)  # the second: an untrained painter
run.record("start.random-labels", nothing_scores.gap, ci=nothing_scores.gap_interval, n=size.grid)
run.record("start.random-grounding", looks(nothing, test), n=len(test))
rows = [  # name, runs, what the world says, what a control gives
    ("interaction share (01)", [s for s, _ in crossed], ideal["interaction share"], twin_share),
    ("accuracy lost by EMAP (01)", [s.gap for _, s in crossed], ideal["accuracy"] - ideal["EMAP accuracy"], twin_scores.gap),
    ("bits without picture (02)", [s[0]["all"] - s[0]["none"] for s in found], known[0]["all"] - known[0]["none"], nothing_bits[0]["all"] - nothing_bits[0]["none"]),
    ("bits without words (02)", [s[1]["all"] - s[1]["none"] for s in found], known[1]["all"] - known[1]["none"], nothing_bits[1]["all"] - nothing_bits[1]["none"]),
    ("grounding (03)", [looks(m, t) for m, (_, t) in zip(joint, worlds, strict=True)], None, looks(nothing, test)),
    ("gap (04)", [gap.modality_gap(*pair) for pair in both], None, float(np.mean(halves))),
    ("complementarity (05)", measured, whole.metric, None),
    ("probe, picture, jointly (06)", scores["joint", "image"], ideal["picture alone"], scores["untrained", "image"].mean()),
    ("probe, words, jointly (06)", scores["joint", "text"], ideal["words alone"], scores["untrained", "text"].mean()),
    ("overfitting, picture alone (07)", [r["image"].overfitting for r in ratios], None, None),
    ("overfitting, words alone (07)", [r["text"].overfitting for r in ratios], None, None),
]  # fmt: skip

# %%
fig, ax = plot.subplots("page", height=4.2)
for k, (_, runs, says, control) in enumerate(rows):
    interval = mean_interval([float(value) for value in runs])
    ax.plot(runs, np.full(len(runs), k) + 0.18, ".", color=plot.COLOURS["fused"], markersize=3, alpha=0.6)
    ax.errorbar(interval.value, k, xerr=[[interval.value - interval.low], [interval.high - interval.value]], color=plot.COLOURS["fused"], marker="D", label=f"our trainings, 95 % t interval, n = {len(runs)}" if k == 0 else None)  # fmt: skip
    if says is not None:
        plot.published_point(ax, says, k, "what the world says" if k == 0 else "_")
    if control is not None:
        ax.plot(control, k - 0.25, "x", color=plot.COLOURS["control"], markersize=7, label="control" if k == 0 else None)  # fmt: skip
ax.set_yticks(range(len(rows)), [row[0] for row in rows])
ends = [float(value) for row in rows for value in (*row[1], *(v for v in row[2:] if v is not None))]
ax.set(ylim=(len(rows) - 0.4, -1.9), xlim=(min(ends) - 0.1, max(ends) + 0.1), xlabel="share, accuracy, bits (02), nats (07), distance (04) or ratio (05)")  # fmt: skip
ax.legend(loc="upper right", ncols=3)
away = {name: abs(np.mean(runs) - says) for name, runs, says, _ in rows if says is not None}
apart_by = {name: abs(np.mean(runs) - control) for name, runs, _, control in rows if control is not None}
nearest = sorted(apart_by, key=apart_by.get)
misled = " (noise learnt by heart: such cards mislead)" if nothing_bits[0]["all"] < nothing_bits[0]["none"] - 0.05 else ""  # fmt: skip
far, close, wide = max(away, key=away.get), min(apart_by, key=apart_by.get), max(apart_by, key=apart_by.get)
caption = f"Every instrument, {len(SEEDS)} trainings. Dots: single seeds. Circles only where the table gives a value. Controls, a little above their rows, from top: twin, twin, model of random labels, untrained painter, model of random labels, halves of one side, untrained encoder, untrained encoder."
alt = f"{len(rows)} rows with mean, interval and dots of our trainings; {len(away)} hollow circles of known values and {len(apart_by)} grey crosses of controls. Farthest from its circle, by {away[far]:.2f}: {far}. Nearest to its cross, by {apart_by[close]:.2f}: {close}; farthest from it, by {apart_by[wide]:.2f}: {wide}."
display(run.figure(fig, "all-instruments", caption=caption, alt=alt))
run.say(
    f"**Seen.** Nearest to their controls lie {nearest[0]} and {nearest[1]}. An untrained encoder already holds most of what a linear classifier can read. Random labels: accuracy {nothing_scores['original']:.2f}, lost by EMAP {nothing_scores.gap:+.3f} [{nothing_scores.gap_interval[0]:.3f}, {nothing_scores.gap_interval[1]:.3f}] (bootstrap, {size.grid} pairs), bits without picture {nothing_bits[0]['all'] - nothing_bits[0]['none']:+.2f}{misled}, grounding {looks(nothing, test):.2f}, and yet an interaction share of {nothing_share:.2f}. A share without an accuracy says *that* a model mixes, not that it should."
)

# %% [markdown]
# ## Paper versus ours: how to read a verdict
# A claim is a number, a **rule** written down beforehand, and a **null**: what a broken or meaningless run would give. Take accuracy lost by EMAP, rule *at least 0.1*, null 0 (what the twin loses).
#
# Then a rule that cannot: *the model is right at least half of the time*, of two answers. A coin is right half of the time. Here the claim is refused before any model runs, because its rule accepts its own null.

# %%
rule = rules.parse({"kind": "at-least", "bound": 0.1}, "here")
told = {True: "reproduced", False: "not reproduced"}
rows = [{"what is handed in": name, "number": value, "the rule": str(rule), "verdict": told[rule.accepts(value)]} for name, value in (("our joint model", drop.value), ("its additive twin", twin_scores.gap), ("random labels", nothing_scores.gap))]  # fmt: skip
display(run.table(rows, caption="A rule that can fail"))
weak = {"id": "start.weak", "claim": "The model is right half of the time.", "place": "nowhere", "random": True, "tolerance": "none", "rule": {"kind": "at-least", "bound": 0.5}, "null": 0.5}  # fmt: skip
try:
    claim.parse(weak, "here")
    refusal = ""
except ValueError as error:
    refusal = str(error)
run.record("start.weak-rule", float("accepts its own null" in refusal), n=1)
run.say(f"> {refusal}")

# %% [markdown]
# Read the table from right to left: the verdict; the column *null*, which says that the rule would have rejected a broken run; the rule; our number with its interval and n; the paper's number (here there is none: the world says what is right).
# *Not reproduced* is a result. *Not testable here* is not a pass.

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
# <details><summary>Hint 1</summary>The cell in “The idea” does it for tensors. Which axis is averaged for a row mean?</details>
# <details><summary>Everything is too large?</summary>Rows and columns both contain the grand mean: it is counted twice.</details>


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
# Write `verdict(low, high)`: a 95 % interval of a difference that a paper says is positive; return `"reproduced"` if the whole interval lies above 0, else `"not reproduced"`.
#
# <details><summary>Hint 1</summary>Is 0 itself above 0?</details>
# <details><summary>Wrong where the interval holds 0?</summary>The mean may be positive all the same: the interval decides.</details>


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
# Write `can_fail(bound, nulls)`: for a rule *at least `bound`*, say whether it rejects *every* null of an array.
#
# <details><summary>Hint 1</summary>A rule accepts a number that equals its bound.</details>
# <details><summary>Right for one null, wrong for several?</summary>One null that slips through is enough to refuse the claim.</details>


# %% tags=["exercise-00c"]
def can_fail(bound, nulls):
    """True where every null is rejected."""
    # BEGIN SOLUTION
    return bool((nulls < bound).all())
    # END SOLUTION


mmnb.exercises.check("00c", can_fail)

# %% [markdown]
# ## Limits and what we changed
# * **A toy.** Thirteen numbers per card and eight beginnings of a sentence. That instruments read the right answer where it is known is necessary, not sufficient, for trusting them elsewhere; notebooks 01 to 07 test them on papers and real data.
# * **Trained with gaps.** Our model has seen cards turned over and words masked, so taking them away is nothing new to it; yet with the named card alone face down it often looks at another, and is too sure of it. A model that never has gives numbers in which absence and strangeness are mixed (notebook 02).
# * **The gap has no true value here**: nothing in this world says how far apart the two clouds should lie.
# * **Cooperation** is shown through redundancy only; cooperative learning itself, with its agreement penalty (Ding et al. 2022), is not re-run anywhere in this collection.
# * **Intervals** are over trainings and test samples of this one world.
#
# ## References
# * Hessel & Lee 2020, EMNLP, *EMAP*; Frank, Bugliarello & Elliott 2021, EMNLP, *Vision-and-language or vision-for-language?*; Li et al. 2020, ACL, *What does BERT with vision look at?*; Liang et al. 2022, NeurIPS, *Mind the gap*.
# * The complementarity paper (OpenReview gfHLOC35Zh); Bertschinger et al. 2014 and Liang et al. 2023 (PID); Du et al. 2023, ICML (laziness); Wang, Tran & Feiszli 2020, CVPR (OGR).
# * Jayakumar et al. 2020, *Multiplicative interactions*; Ding, Li, Narasimhan & Tibshirani 2022, *Cooperative learning*.
#
# ## Environment

# %%
run.environment()
