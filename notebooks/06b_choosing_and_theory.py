# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06b · Can one know beforehand whether two modalities must be trained together?
#
# **Answer.** Not by the cheap rule. It compares the average of two models, each trained on one modality, with
# a linear classifier on the features of both. Where the label depends on how two modalities fit together,
# such a classifier may see nothing, even if each modality alone tells something. And where nothing has to be
# learned together, it may still advise to train jointly, because a classifier can trust the better modality
# more than an average does. A third candidate that is trained jointly mends the first fault. It also costs
# the training that the rule was to save.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | Du et al., *On Uni-Modal Feature Learning in Supervised Multi-Modal Learning*, ICML 2023 |
# | **claims** | all of `data/claims/06b_choosing_and_theory.yaml`, judged in the table near the end |
# | **level** | second course in machine learning · 3 of 3 · an appendix to notebook 06 |
# | **minutes** | smoke ½ · laptop 2 on one core · paper: half an hour |
# | **you will do** | try a decision rule on tasks whose right answer is known |
# | **you will learn to** | judge a rule against constant answers; tell a gain from an interaction |
# | **you need** | notebook 06; no GPU; 21 MB of recordings for one section |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles: `seeds`, trainings behind every interval; `epochs`; `draws`,
# simulations of the theory; `vqa`, training pictures, epochs and seeds on easy-VQA.

# %%
import numpy as np
import pandas as pd
import torch

import mmnb
from mmnb import laziness
from mmnb.data import easyvqa, mfeat, two_codes
from mmnb.instruments.estimate import mean_interval, proportion
from mmnb.lab import plot
from mmnb.recipes import late
from mmnb.recipes.late import seeds as replicas
from mmnb.recipes.late import splits
from mmnb.recipes.late import vqa as vqa_late

run = mmnb.start("06b_choosing_and_theory", profile=PROFILE, seed=SEED)
size = run.sizes(
    smoke=dict(seeds=2, epochs=6, draws=10, vqa=(60, 2, 2)),
    laptop=dict(seeds=10, epochs=100, draws=100, vqa=(400, 12, 5)),
    paper=dict(seeds=20, epochs=200, draws=1000, vqa=(3500, 30, 10)),
)
SEEDS = tuple(100 * SEED + k for k in range(size.seeds))
size

# %% [markdown]
# ## The idea
# Notebook 06 has two remedies for laziness. **UME** trains every modality alone and averages the predictions.
# **UMT** trains jointly with teachers. Which one does a task need? Second-hand descriptions of the paper give
# a rule:
#
# 1. Train an encoder for each modality alone.
# 2. Fit a linear classifier on the frozen features of all of them.
# 3. If it beats the average of the single predictions, the modalities must interact: choose UMT. Else choose
#    UME.
#
# An early version of the paper restricts the rule to tasks in which each modality alone tells something. We
# call that its *scope*, and test inside and outside of it.
#
# A linear classifier on two sets of features adds up one score for each modality. So there are tasks that it
# cannot solve although both modalities together have the answer; parity is the simplest. By hand, on the
# exact table of two bits whose parity is the label:


# %%
def best_sum(table):
    """Best accuracy of a sum of scores f(a) + g(b) > 0 on a table of labels 0 and 1, by trying many."""
    rng, best = np.random.default_rng(0), 0.0
    for _ in range(2000):
        f, g = rng.normal(size=(2, 1)), rng.normal(size=(1, 2))
        best = max(best, ((f + g > 0) == table).mean())
    return best


PARITY, BOTH = np.array([[0, 1], [1, 0]]), np.array([[0, 0], [0, 1]])
rows = [
    {"label": name, "best sum of scores": best_sum(t)} for name, t in (("parity", PARITY), ("both 1", BOTH))
]
run.table(rows, caption="Share of four cases that a sum of two scores gets right, at best")

# %% [markdown]
# Our amendment gives the rule a second candidate: a model with a hidden layer, trained jointly.
# `laziness.choose` does both. A candidate counts as better than the average only if a paired bootstrap over
# test examples shows it.
#
# ## Data
# **Two noisy codes** $a$ and $b$, each a digit (ten places, one of them 1) plus noise. Four tasks whose right
# answer is known:
#
# | task | label | alone | together | right answer |
# |---|---|---|---|---|
# | apart | the digit, shown by both; each is silent in half of the cases | .55 | .775 | UME |
# | mixed | the half both digits are from, and the parity of their sum | .5 (four classes) | 1 | UMT |
# | paired | parity of the sum of two digits | .5 (two classes) | 1 | UMT |
# | nothing | a coin | .5 | .5 | neither |
#
# *Apart* and *mixed* are inside the scope: each code alone tells something. *Paired* and *nothing* are
# outside. A rule that always gives the same answer is right on one task of each two: .5 is what a rule has to
# beat.
#
# **Numerals**, **AV-digits** as in notebook 06; **easy-VQA** as in notebook 01.

# %%
RIGHT = {"apart": "UME", "mixed": "UMT", "paired": "UMT", "nothing": "UME"}
TRAINING = {"apart": 100, "mixed": 600, "paired": 300, "nothing": 300}


def codes_of(task):
    """Training, validation and test examples of one task for all seeds."""
    sizes = (TRAINING[task], 1, 600)
    return replicas.stack([two_codes.sample(task, sizes, 3000 + seed) for seed in SEEDS], SEEDS)


codes = {task: codes_of(task) for task in RIGHT}
av = run.need(lambda: splits.av(SEEDS), claims=["choose.no-interaction"])

# %% [markdown]
# **Look for** what the two codes have in common in each task.

# %%
fig, axes = plot.subplots("page", cols=4, height=2.4)
for ax, (task, some) in zip(axes, codes.items(), strict=True):
    x, y = some.train
    both = torch.cat([x["a"][0], x["b"][0]], 1)[y[0].argsort()][:40]
    ax.imshow(both, aspect="auto", vmin=0, vmax=1)
    ax.axvline(9.5, color="white", linewidth=2)
    ax.set(title=task, xticks=[4.5, 14.5], yticks=[])
    ax.set_xticklabels(["code a", "code b"])
axes[0].set_ylabel("40 examples,\nsorted by label")
caption = (
    "Four tasks on two noisy codes (first seed, the first labels). In apart a code is often silent; in "
    "mixed the two codes show digits of one half; in paired and nothing they are independent."
)
alt = (
    "Four panels of twenty columns, one bright cell in each half of a row; in the first many halves are dark."
)
run.figure(fig, "codes", caption=caption, alt=alt)

# %% [markdown]
# ## Reproduction
# ### Does the rule find the right answer where it is known?
# For each task: train both encoders alone, train the joint candidate, ask the rule with and without it.
# An answer *UMT* counts only if it rests on a candidate that is shown to be better, not on exclusion.


# %%
def advice_on(task):
    """For every seed: test accuracies, and whether a candidate is shown to beat the average."""
    some = codes[task]
    start = replicas.build(some, ["a", "b"], head=late.Hidden)
    alone, _ = replicas.train(start, some, late.Unimodal(), epochs=size.epochs)
    together, _ = replicas.train(start, some, late.Joint(), epochs=size.epochs)
    found = []
    for first, second in zip(
        replicas.choices(alone, some), replicas.choices(alone, some, together), strict=True
    ):
        row = {"average": first.averaged, "classifier": first.fused, "joint": second.joint}
        row |= {"described": first.because == "frozen", "amended": second.because in ("frozen", "joint")}
        found.append(row)
    return pd.DataFrame(found), together


answers, joint_models = {}, {}
for task in RIGHT:
    answers[task], joint_models[task] = advice_on(task)

# %%
SCOPE = {"inside": ("apart", "mixed"), "outside": ("paired", "nothing")}
for rule in ("described", "amended"):
    for where, tasks in SCOPE.items():
        right = [answers[task][rule] == (RIGHT[task] == "UMT") for task in tasks]
        hits = int(sum(r.sum() for r in right))
        run.record(f"choose.{rule}-{where}", proportion(hits, len(tasks) * len(SEEDS)))
rows = []
for task, frame in answers.items():
    row = {"task": task, "right": RIGHT[task] if task != "nothing" else "neither"}
    row |= {name: frame[name].mean() for name in ("average", "classifier", "joint")}
    row |= {f"UMT, {rule}": f"{int(frame[rule].sum())} of {len(frame)}" for rule in ("described", "amended")}
    rows.append(row)
caption = (
    "Test accuracy, mean over seeds, and for how many seeds the rule says UMT, as described and as amended"
)
run.table(rows, caption=caption)

# %% [markdown]
# **Look for** the two tasks in which only one bar is high.

# %%
fig, ax = plot.subplots("page", height=2.6)
series = {}
for name, style in (("average", "control"), ("classifier", "other"), ("joint", "fused")):
    series[name] = (style, [(100 * frame[name]).tolist() for frame in answers.values()])
names = [f"{task}\n(right: {RIGHT[task] if task != 'nothing' else 'neither'})" for task in answers]
plot.grouped(ax, names, series)
ax.set(ylabel="test accuracy, %", ylim=(0, 105), xlim=(-0.5, 3.6))
handles, _ = ax.get_legend_handles_labels()
labels = [
    "average of two models",
    "linear classifier on both (as described)",
    "joint, hidden layer (amended)",
]
fig.legend(handles, labels, loc="outside upper center", ncols=3)
caption = (
    "In the committed run what must be learned together is invisible to a linear classifier on features "
    f"trained apart. Test accuracy; bars: 95 % t interval over {len(SEEDS)} seeds, small dots: seeds."
)
alt = (
    "Four tasks with three accuracies each. In mixed and paired only the joint model is high; in apart and "
    "nothing all three are alike."
)
run.figure(fig, "known", caption=caption, alt=alt)

# %% [markdown]
# **Seen.** In the committed run (profile laptop, seed 0) the rule as described misses both tasks in which UMT
# is right, also *mixed*, which is inside its scope. The classifier is at the level of the average there,
# while a joint model solves the task. With the joint candidate the rule is right.
#
# ### Is a better classifier a sign of interaction?
# Two kinds of real data. In AV-digits nothing has to be learned jointly: given the digit, picture and sound
# are independent. Numerals are two views of one drawing. **Look for** a gain of the classifier where there is
# no interaction.


# %%
def against_average(some, optimiser):
    """Classifier on frozen features minus average, in points; for how many seeds the rule says UMT."""
    names = list(some.train[0])
    start = replicas.build(some, names)
    alone, _ = replicas.train(start, some, late.Unimodal(), epochs=size.epochs, optimiser=optimiser)
    found = replicas.choices(alone, some)
    gains = np.array([100 * (choice.fused - choice.averaged) for choice in found])
    return gains, sum(choice.because == "frozen" for choice in found)


# %%
sgd = lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)  # noqa: E731
views = splits.numerals(mfeat.load(), ("fou", "kar", "zer"), SEEDS)
found = {
    f"numerals, {a}+{b}": against_average(views.only([a, b]), late.adam)
    for a, b in (("fou", "zer"), ("fou", "kar"))
}
run.record("choose.numerals", mean_interval(np.mean([gains for gains, _ in found.values()], axis=0)))
if av:
    found["picture and sound"] = against_average(av, sgd)
    run.record("choose.no-interaction", mean_interval(found["picture and sound"][0]))
rows = [
    {
        "data": name,
        "classifier − average, points": f"{mean_interval(gains):+.1f}",
        "seeds with advice UMT": advice,
    }
    for name, (gains, advice) in found.items()
]
run.table(rows, caption="Linear classifier on frozen encoders against the average, test data")

# %% [markdown]
# **Seen.** In the committed run (profile laptop, seed 0) the classifier gains on the numerals, and the rule
# says UMT for nearly every seed. On picture and sound there is no interaction to find. The mean gain is not
# shown to differ from 0 there, and yet for half of the seeds the rule finds evidence for UMT. An average
# gives both modalities the same say; a classifier learns to trust the picture more. So a gain shows that
# *weighing* pays. It is no evidence of interaction.
#
# ### Where the accuracy of one modality means little
# The scope asks that each modality alone tells something. On easy-VQA, what does *alone* mean? A small
# convolutional network sees the picture, word embeddings the question. Alone, each has to give the *answer*.
# Then linear probes for colour and shape on the picture encoder, untrained, trained alone, and trained
# jointly.

# %%
vqa, (n_pictures, vqa_epochs, vqa_seeds) = easyvqa.load(), size.vqa
unseen = torch.arange(4000, 4500)


def train_vqa(seed):
    """Some training pictures, and the model untrained, trained alone and trained jointly on them."""
    pictures = torch.from_numpy(np.random.default_rng(9000 + seed).permutation(3500)[:n_pictures].copy())
    models = {"untrained": vqa_late.build(vqa, seed)}
    for name, objective in (("alone", late.Unimodal()), ("joint", late.Joint())):
        models[name] = vqa_late.train(vqa, pictures, objective, seed, epochs=vqa_epochs)
    return pictures, models


# %%
def vqa_run(seed):
    """Accuracies minus that of the most frequent answer, in points; probes of the picture encoders."""
    pictures, models = train_vqa(seed)
    _, y = vqa_late.asked(vqa, vqa.train, pictures)
    x, label = vqa_late.asked(vqa, vqa.test, unseen)
    frequent = (label == y.bincount().argmax()).float().mean().item()
    with torch.no_grad():
        logits = {f"{m} alone": z for m, z in models["alone"].logits(x).items() if m != "joint"}
        logits["joint"] = models["joint"](x)
    gains = {
        name: 100 * ((z.argmax(1) == label).float().mean().item() - frequent) for name, z in logits.items()
    }
    probes = {name: vqa_late.probe_picture(model, vqa, pictures, unseen) for name, model in models.items()}
    return gains, probes


# %%
runs = [vqa_run(100 * SEED + k) for k in range(vqa_seeds)]
gains = pd.DataFrame([gain for gain, _ in runs])
probes = {
    name: 100 * pd.DataFrame([probe[name] for _, probe in runs]) for name in ("untrained", "alone", "joint")
}

# %%
run.record("choose.vqa-question", mean_interval(gains["question alone"]))
run.record("choose.vqa-knows", mean_interval(probes["alone"]["colour"] - probes["untrained"]["colour"]))
run.record("choose.vqa-lazy", mean_interval(probes["joint"].mean(axis=1) - probes["alone"].mean(axis=1)))
rows = [{name: f"{mean_interval(values):+.1f}" for name, values in gains.items()}]
caption = "easy-VQA, 500 unseen pictures: accuracy minus that of the most frequent answer, points"
run.table(rows, caption=caption)

# %% [markdown]
# **Look for** what the picture encoder knows when its accuracy is at the level of the most frequent answer.

# %%
fig, ax = plot.subplots("page", height=2.6)
series = {}
for name, style in (("untrained", "third"), ("alone", "image"), ("joint", "fused")):
    series[name] = (style, [probes[name][about].tolist() for about in vqa_late.ABOUT])
plot.grouped(
    ax, [f"{about} ({n})" for about, n in zip(vqa_late.ABOUT, ("8 values", "3 values"), strict=True)], series
)
ax.set(ylabel="probe of the picture\nencoder, accuracy, %", ylim=(0, 105), xlim=(-0.5, 1.5))
handles, _ = ax.get_legend_handles_labels()
fig.legend(handles, ["untrained", "trained alone", "trained jointly"], loc="outside upper center", ncols=3)
caption = (
    "In the committed run the picture encoder, trained alone, learns the colours although it cannot answer. "
    f"Linear probes on unseen pictures; bars: 95 % t interval over {vqa_seeds} seeds, small dots: seeds."
)
alt = (
    "Two groups, colour and shape. The untrained encoder lies lowest for colour; trained alone and trained "
    "jointly are far higher."
)
run.figure(fig, "easy-vqa", caption=caption, alt=alt)

# %% [markdown]
# **Seen.** In the committed run the words of a question limit the possible answers, so the question alone
# does well without any picture. The picture alone cannot know what was asked. Its accuracy is that of the
# most frequent answer, and still its encoder has learned the colours. Whether a modality "tells something
# alone" depends on what it is asked to predict. Laziness is not shown here, nor its opposite: five trainings
# are too few.
#
# ### The theory: learners that stop when the training set is covered
# The theory, as second-hand descriptions have it, as a simulation. A feature explains a random share of the
# examples and is silent on the others. A learner adds the feature that explains most open examples until none
# is open. A joint learner chooses among the features of both modalities, and *paired* ones. It should need no
# more features than the better of two learners alone, $k_1+k_2+k_{\text{paired}}\le\min(b_1,b_2)$. So it
# learns fewer of each modality.

# %%
draws = {
    greedy: [
        laziness.simulate(seed=1000 * SEED + 500 + k, p=(0.3, 0.3, 0.3), greedy=greedy)
        for k in range(size.draws)
    ]
    for greedy in (True, False)
}
n_violated = {greedy: sum(cover.violated for cover in covers) for greedy, covers in draws.items()}
run.record("choose.cover", proportion(n_violated[True], size.draws))
# %%
strengths, left_out = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), []
for strength in strengths:
    some = range(max(3, size.draws // 5))
    covers = [laziness.simulate(seed=1000 * SEED + 700 + k, p=(0.3, 0.3, strength)) for k in some]
    left_out.append(mean_interval([sum(cover.lazy) for cover in covers]))
run.record("choose.cover-copies", left_out[0])
rows = []
for greedy, name in ((True, "strongest first"), (False, "random order")):
    covers = draws[greedy]
    row = {"order of learning": name, "alone, b₁ + b₂": np.mean([sum(cover.alone) for cover in covers])}
    row["jointly, k₁ + k₂ + k paired"] = np.mean([sum(cover.joint) + cover.paired for cover in covers])
    rows.append(row | {"violations": f"{n_violated[greedy]} of {size.draws}"})
run.table(rows, caption="Features learned, mean over simulations, and violations of the inequality")

# %% [markdown]
# **Look for** what is left out when there are no paired features at all (strength 0).

# %%
fig, ax = plot.subplots("column", height=2.4)
values = [estimate.value for estimate in left_out]
error = [[e.value - e.low for e in left_out], [e.high - e.value for e in left_out]]
ax.errorbar(strengths, values, yerr=error, **plot.style_of("fused"))
ax.axvline(0.3, color=plot.COLOURS["control"], linestyle="--", linewidth=1)
ax.annotate(
    "strength of\nuni-modal features",
    (0.3, 1),
    xytext=(-4, 0),
    textcoords="offset points",
    fontsize=8,
    ha="right",
)
ax.set(xlabel="share that a paired feature explains", ylabel="features left out", ylim=(0, None))
caption = (
    "In the committed run laziness needs no paired features; strong ones add to it. Features that joint "
    f"learners leave out, of those learned alone; mean and 95 % t interval of {max(3, size.draws // 5)} "
    "simulations."
)
alt = "A line that stays level up to a strength of 0.3 and rises beyond it."
run.figure(fig, "set-cover", caption=caption, alt=alt)

# %% [markdown]
# **Seen.** Learners that take the strongest feature first obey the inequality; in random order they need not.
# Joint learners leave features out even without paired ones: one set of examples is covered by two pools.
#
# ## Negative controls
# 1. **Nothing to learn.** On the task *nothing* no rule may find evidence (counted above, under *outside*).
# 2. **EMAP** (notebook 01) projects out all interactions. A linear head on two encoders has none, so no
#    prediction may change. A hidden layer that has learned parity must lose nearly everything.


# %%
def lost_by_emap(stacked, like, some, n=300):
    """Accuracy lost without interactions: model of the first seed, in float64."""
    model = late.unstack(stacked, like, 0).double().eval()
    a, b = (some.test[0][name][0, :n].double() for name in model.names)
    found = mmnb.emap(lambda a, b: model(dict(zip(model.names, (a, b), strict=True))), a, b, progress=False)
    shares = (found.original, found.projected)
    right = [(torch.as_tensor(z).argmax(1) == some.test[1][0, :n]).double().mean().item() for z in shares]
    return right[0] - right[1]


# %%
some = views.only(["fou", "zer"])
linear, _ = replicas.train(
    replicas.build(some, ["fou", "zer"]), some, late.Joint(), epochs=max(2, size.epochs // 4)
)
run.record(
    "choose.emap-linear", abs(lost_by_emap(linear, replicas.plain(some, ["fou", "zer"], 0), some)), n=300
)
like = replicas.plain(codes["paired"], ["a", "b"], 0, head=late.Hidden)
run.record("choose.emap-xor", lost_by_emap(joint_models["paired"], like, codes["paired"]), n=300)

# %% [markdown]
# ## Paper versus ours
# *Undecided* means that the interval contains 0 or a bound. *Not testable here* is not a pass.

# %%
run.verdicts()

# %% [markdown]
# ## Exercises
# Each check draws random and edge inputs and says what differs. Hints are folded.
#
# ### 06d · Learn until the training set is covered
# **Goal:** the learner of the simulation. **Difficulty** 2 of 3 · **minutes** 20
#
# Write `cover(explains)`: a (features, examples) array of True/False in which every example is explained
# by some feature; return the indices of the features in the order learned, always the one that explains
# most *still open* examples (the first of equals), until none is open.
#
# <details><summary>Hint 1</summary>Keep an array `open` of examples; `explains[:, open].sum(1)` counts
# for every feature.</details>
# <details><summary>The first few are right, then it goes wrong?</summary>A feature's count must be taken
# anew each time, on what is still open.</details>


# %% tags=["exercise-06d"]
def cover(explains):
    """Indices of features, strongest first, until all examples are explained."""
    # BEGIN SOLUTION
    waiting, learned = np.ones(explains.shape[1], dtype=bool), []
    while waiting.any():
        learned.append(int(explains[:, waiting].sum(1).argmax()))
        waiting &= ~explains[learned[-1]]
    return np.array(learned)
    # END SOLUTION


mmnb.exercises.check("06d", cover)

# %% [markdown]
# ### Predict, run, explain (before 06e)
# A new task: two digits of the same half, and the label is *whether both are even*. Write your prediction
# down: what does the best guess reach from one digit, and from both? Then run.

# %%
PREDICTION = {"from one digit": "?", "from both": "?"}  # your answer: two accuracies

# %%
first = np.arange(10).repeat(5)
other = 5 * (first >= 5) + np.tile(np.arange(5), 10)
label = (first % 2 == 0) & (other % 2 == 0)
one = np.mean([max(label[first == d].mean(), 1 - label[first == d].mean()) for d in range(10)])
rows = [
    {"from": name, "you said": PREDICTION[name], "exact": value}
    for name, value in (("from one digit", one), ("from both", 1.0))
]
run.table(
    rows,
    caption=f"Best guesses; the most frequent label alone reaches {max(label.mean(), 1 - label.mean()):.2f}",
)

# %% [markdown]
# Explain: would the rule as described find UMT here? (A sum of two scores can express *both even*.)
#
# ### 06e · What do modalities tell, alone and together?
# **Goal:** is a task inside the scope? Exactly. **Difficulty** 2 of 3 · **minutes** 25
#
# Write `priors(p)`: the joint probabilities (A, B, Y) of two observations and a label;
# return an array of three accuracies: of the best guess of the label from the first alone, from the second
# alone, and from both.
#
# <details><summary>Hint 1</summary>Alone: sum over the other observation first. Then take the best label for
# each value, and add up.</details>
# <details><summary>First and second exchanged?</summary>To see the first alone, sum over axis 1.</details>


# %% tags=["exercise-06e"]
def priors(p):
    """Accuracy of the best guess from a, from b, and from both."""
    # BEGIN SOLUTION
    return np.array([p.sum(1).max(1).sum(), p.sum(0).max(1).sum(), p.max(2).sum()])
    # END SOLUTION


mmnb.exercises.check("06e", priors)

# %% [markdown]
# ### 06f · A score that no constant rule can pass
# **Goal:** judge a rule fairly. **Difficulty** 1 of 3 · **minutes** 10
#
# Someone reports: "The rule advises UMT, and on nine of ten tasks that is right." What is wrong with this
# number? Write `balanced(advice, truth)`: two arrays of 0 and 1, both values occur in `truth`; return the
# mean of two shares: how often the advice is right where the truth is 0, and where it is 1.
#
# <details><summary>Hint 1</summary>A rule that always says 1 must score .5.</details>


# %% tags=["exercise-06f"]
def balanced(advice, truth):
    """Mean over both true answers of the share that is advised rightly."""
    # BEGIN SOLUTION
    return np.mean([(advice[truth == answer] == answer).mean() for answer in (0, 1)])
    # END SOLUTION


mmnb.exercises.check("06f", balanced)

# %% [markdown]
# ## Limits and what we changed
# * **The paper itself was not available.** The rule and the theory are from second-hand descriptions; its
#   scope is stated in an early version (a submission of 2023). Whether the published text says the same we
#   could not check.
# * **Small tasks.** Codes are made for the question, and so is what they show: that a rule *can* fail. How
#   often it fails on real tasks is not measured.
# * **The rule's test** (paired bootstrap, one-sided 5 %) is ours. In doubt it says UME, so few test examples
#   favour UME.
# * **The joint candidate** has a hidden layer, the classifier has none. On a task with interaction both
#   matter: joint training, and a head that can express it.
# * **easy-VQA**: five trainings on part of the pictures. The intervals are wide.
# * **The simulation** is no evidence for the theory; it shows what the theory says.
#
# ## References
# * Du et al. 2023, ICML, [arXiv 2305.01233](https://arxiv.org/abs/2305.01233); its early version: *Modality
#   Laziness*, ICLR submissions of 2022 and 2023 on OpenReview.
# * Hessel & Lee 2020, EMNLP (EMAP); Alain & Bengio 2016 (probes); Victor Zhou 2019, easy-VQA.
#
# ## Environment

# %%
run.environment()
