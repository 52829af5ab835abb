# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Why can adding a modality make a model worse?
#
# **Answer.** The paper says: because modalities overfit at different rates, and one loss trains them all
# alike. Here, too, sound overfits far more than pictures, and a modality that tells nothing makes joint
# training worse. Weights by OGR are exact on curves made by hand; on pictures with recordings they give the
# sound next to nothing, as in the paper, and beat plain joint training by a little. What did *not* come out:
# where the sound is real, joint training is not shown to lose against the picture alone, nor to have the
# higher held-out loss; the picture does not outweigh the joint loss; weights estimated anew during training
# are not shown to be better, and for some seeds were a disaster (a head without a loss is worn down by our
# optimiser's weight decay); and G-Blend is not shown to win back what the useless sound costs.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | Wang, Tran & Feiszli, *What makes training multi-modal classification networks hard?* 2020 |
# | **claims** | all of `data/claims/07_overfitting_to_generalising.yaml`, judged in the table near the end |
# | **level** | second course in machine learning · 2 of 3 |
# | **minutes** | smoke ½ · laptop 3 on one core · paper: a GPU and two days |
# | **you will do** | measure how fast each modality overfits, and weigh the losses by it |
# | **you will learn to** | compute OGR; derive the weights; find three mistakes; test against a baseline |
# | **you need** | PyTorch, notebook 06; no GPU; 21 MB of recordings (without them most claims say so) |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles: `seeds`, trainings behind every interval; `epochs`; `online`, lengths
# of the super-epochs of the online version; `pairs`, training pairs; `clips`, how ResNet-18 is trained on
# folders of clips (empty: not at all).

# %%
import dataclasses

import numpy as np
import pandas as pd
import torch
from IPython.display import display

import mmnb
from mmnb import blending
from mmnb.data import audio_visual, av_digits
from mmnb.instruments.blending import Losses
from mmnb.instruments.estimate import mean_interval
from mmnb.lab import plot, published
from mmnb.recipes import late
from mmnb.recipes.late import av as av_late
from mmnb.recipes.late import resnet as late_resnet

run = mmnb.start("07_overfitting_to_generalising", profile=PROFILE, seed=SEED)
size = run.sizes(
    smoke=dict(seeds=2, epochs=4, online=[2, 1, 1], pairs=300, clips={}),
    laptop=dict(seeds=10, epochs=40, online=[16, 8, 8, 8], pairs=300, clips={}),
    paper=dict(
        seeds=10,
        epochs=60,
        online=[20, 10, 10, 10, 10],
        pairs=300,
        clips=dict(read=dict(batch_size=64), train=dict(epochs=100, drop_at=0.7)),
    ),
)
SEEDS = tuple(100 * SEED + k for k in range(size.seeds))
LOSSES = {
    "image": "picture",
    "audio": "sound",
    "joint": "joint",
}  # the three losses, and their names in tables
size

# %% [markdown]
# ## The idea
# Between two checkpoints a model's held-out loss falls by $G$ (it *generalises*) and the gap between held-out
# and training loss grows by $\Delta O$ (it *overfits*):
#
# $$O=L^V-L^T,\qquad \mathrm{OGR}=\frac{\Delta O}{G}=\frac{O_{N+n}-O_N}{L^V_N-L^V_{N+n}}.$$
#
# Give every modality and the joint model a loss of its own and ask for the weights $w_i$, sum 1, whose
# blended step overfits least for what it generalises. Let $e_i$ be the overfitting part of loss $i$, with
# mean 0. If these parts are uncorrelated, minimising $E[(\sum_i w_i e_i/\sum_i w_iG_i)^2]$ with
# $E[e_i^2]=\Delta O_i^2$ gives $w_i\propto G_i/\Delta O_i^2$. Three questions the paper leaves open, and our
# answers: a model that got *worse* ($G\le0$) has weight 0; $|\Delta O|$ counts as at least 0.001 nats; losses
# are means over *examples*.
#
# The paper's estimation code was never released. Public versions by others make three mistakes:
#
# 1. **The sign**: they take $|G/\Delta O^2|$ (MultiBench, BalanceMM), so a modality is rewarded for getting
#    worse.
# 2. **Values for changes**: the *final* held-out loss and the *final* gap stand for $G$ and $\Delta O$
#    (MultiBench, by default).
# 3. **Sums for means**: losses are summed over loaders of different length (BalanceMM), which mixes the sizes
#    of the data sets into $O$.
#
# The checks of exercises 07a and 07b refuse all three. By hand, on curves made up for it:

# %%
START = (2.0, 2.1)  # training and held-out loss of all three before
AFTER = {"modality 1": (1.0, 1.5), "modality 2": (0.2, 1.8), "joint": (0.5, 1.4)}


def naive_weights(start, after):
    """G / dO^2, normalised, step by step."""
    raw = {}
    for name, (train, held_out) in after.items():
        overfitting = (held_out - train) - (start[1] - start[0])
        generalising = start[1] - held_out
        raw[name] = max(generalising, 0.0) / overfitting**2
    return {name: value / sum(raw.values()) for name, value in raw.items()}


points = {name: (Losses(*START), Losses(*after)) for name, after in AFTER.items()}
by_hand, ours = naive_weights(START, AFTER), blending.weights(points)
assert all(abs(by_hand[name] - ours[name]) < 1e-12 for name in AFTER)
run.record("blend.hand", list(ours.values()), n=3)

# %% [markdown]
# The same with a modality 2 that got worse on held-out data: its weight must be 0.

# %%
worse = points | {"modality 2": (Losses(*START), Losses(0.2, 2.3))}
if_worse = blending.weights(worse)
run.record("blend.hand-worse", list(if_worse.values()), n=3)
run.record("blend.sum", max(abs(sum(w.values()) - 1) for w in (ours, if_worse)), n=2)
rows = []
for name, (before, after) in points.items():
    overfitting, generalising, ratio = blending.ogr(before, after)
    row = {"model": name, "overfitting": overfitting, "generalising": generalising, "ratio": ratio}
    rows.append(row | {"weight": ours[name], "weight if modality 2 got worse": if_worse[name]})
caption = "Curves made by hand: overfitting and generalising in nats, their ratio, and the weights"
run.table(rows, caption=caption, digits=4)

# %% [markdown]
# **Look for** what happens when modality 2 ends with a held-out loss above its start of 2.1: with $|G|$
# (mistake 1) its weight rises again; with $\max(G,0)$ it stays at 0.

# %%
ends = np.linspace(1.2, 3.2, 81)
signs = {"max(G, 0), ours": lambda g: np.maximum(g, 0), "|G|": np.abs}
fig, ax = plot.subplots("column", height=2.5)
for (name, sign), style in zip(signs.items(), ("fused", "control"), strict=True):
    weight = []
    for end in ends:
        g = np.array([0.6, 2.1 - end, 0.7])
        overfitting = np.array([0.4, (end - 0.2) - 0.1, 0.8])
        raw = sign(g) / overfitting**2
        weight.append(raw[1] / raw.sum())
    ax.plot(ends, weight, color=plot.COLOURS[style], linestyle=plot.LINES[style], label=name)
ax.axvline(2.1, color="black", linewidth=0.8)
ax.annotate("loss at\nthe start", (2.1, 0.08), xytext=(3, 0), textcoords="offset points", fontsize=8)
ax.set(xlabel="final held-out loss of modality 2, nats", ylabel="its weight", ylim=(0, 0.2))
ax.legend(loc="upper right")
caption = (
    "A modality that got worse must not be rewarded for it. Weight of modality 2 against its final held-out "
    "loss; the other two as in the table, training loss 0.2."
)
alt = (
    "Two curves fall to zero at a held-out loss of 2.1. Beyond it ours stays at zero, the one with absolute "
    "values rises again."
)
run.figure(fig, "sign", caption=caption, alt=alt)

# %% [markdown]
# ## Data
# *AV-digits*, the pairs of notebook 06: a picture of a digit (8 × 8, scikit-learn) and a recording of the
# same digit (log-mel, 16 × 16; Free Spoken Digit Dataset, CC BY-SA 4.0). Every seed draws 300 training, 500
# validation and 2,000 test pairs with replacement from the same pools. Below they come a second time with the
# sounds exchanged at random among the pairs of a split, so that only chance matches remain: a modality
# without information.
#
# Three people speak in training, one in validation, two in testing. Nobody who is tested was heard in
# training, so sound can be *memorised* and yet *generalise* badly. The table counts how many different
# pictures and recordings are behind the pairs.

# %%
MEASURED = (
    "rates uni-best naive-train naive-held-out offline offline-best online equal weights swapped batches "
    "useless-weight useless-hurts useless-blend"
)


def draw():
    """One world per seed: training, validation and test pairs."""
    sizes = (size.pairs, 500, 2000)
    return [av_digits.sample(sizes, np.random.default_rng(7000 + seed)) for seed in SEEDS]


worlds = run.need(draw, claims=[f"blend.{name}" for name in MEASURED.split()])

# %%
if worlds:
    rows = []
    for name in ("train", "validation", "test"):
        part = getattr(worlds[0], name)
        different = [len(side.flatten(1).unique(dim=0)) for side in (part.image, part.audio)]
        row = {"split": name, "pairs": len(part), "different pictures": different[0]}
        row |= {"different recordings": different[1], "speakers": len(part.speaker.unique())}
        rows.append(row | {"fewest of a digit": int(part.label.bincount().min())})
    display(run.table(rows, caption="AV-digits, first seed"))

# %%
if worlds:
    fig, axes = plot.subplots("page", rows=2, cols=6, height=2.6)
    for column, (voice, place) in enumerate(((0, 0), (1, 0), (2, 0), (4, 0), (5, 0), (4, -1))):
        split, part = ("training", worlds[0].train) if column < 3 else ("test", worlds[0].test)
        row = int(((part.label == 3) & (part.speaker == voice)).nonzero()[place])
        axes[0, column].imshow(part.image[row, 0], cmap="Greys")
        axes[1, column].imshow(part.audio[row, 0], origin="lower", aspect="auto")
        axes[0, column].set_title(split, fontsize=8)
        axes[1, column].set_title(f"speaker {int(part.speaker[row]) + 1}", fontsize=8)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    caption = (
        "Threes, seen and heard. Test speakers were not heard in training. Below: log-mel pictures, bands "
        "upwards, 0.8 s to the right."
    )
    alt = (
        "Six drawings of the digit three, three from training and three from testing, above six "
        "spectrograms: three training speakers, and recordings of two test speakers."
    )
    display(run.figure(fig, "data", caption=caption, alt=alt))

# %% [markdown]
# ## Reproduction
# ### Do modalities overfit at different rates?
# Train picture and sound alone and both jointly, from the same weights and on the same batches, and measure
# training and held-out loss after every epoch, both in eval mode. `late.Unimodal` minimises the loss of each
# modality's own head, `late.Joint` the loss of the joint head.


# %%
def with_curves(world, objective, seed):
    """A trained model, and the losses of every head before training and after every epoch."""
    model = av_late.build(seed, world.classes)
    losses = [av_late.losses(model, world)]
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)

    def after_epoch(net):
        losses.append(av_late.losses(net, world))
        return {}

    late.fit(model, batches, objective, epochs=size.epochs, seed=seed, callback=after_epoch, progress=False)
    return model, pd.DataFrame(losses)


def measure(world, seed):
    """Everything the offline estimate needs: alone and joint, from the same start."""
    alone, of_alone = with_curves(world, late.Unimodal(), seed)
    joint, of_joint = with_curves(world, late.Joint(), seed)
    curves = {}
    for name, frame in (("image", of_alone), ("audio", of_alone), ("joint", of_joint)):
        curves[name] = {kind: frame[f"{kind} {name}"].tolist() for kind in ("train", "held_out")}
    return {"alone": alone, "joint": joint, "curves": curves, "points": blending.from_curves(curves)}


measured = [measure(world, seed) for world, seed in zip(worlds or [], SEEDS, strict=False)]

# %% [markdown]
# **Look for** how early the held-out loss of each turns upwards.

# %%
if measured:
    fig, axes = plot.subplots("page", cols=3, height=2.6, sharey=True)
    titles = {"image": "picture alone", "audio": "sound alone", "joint": "jointly"}
    for ax, (m, title) in zip(axes, titles.items(), strict=True):
        colour = plot.COLOURS["fused" if m == "joint" else m]
        for kind, style, name in (("train", ":", "training"), ("held_out", "-", "held out")):
            lines = np.array([found["curves"][m][kind] for found in measured])
            ax.plot(lines.mean(0), color=colour, linestyle=style, label=name)
            ends = (lines.min(0), lines.max(0))
            ax.fill_between(range(lines.shape[1]), *ends, color=colour, alpha=0.15, linewidth=0)
        ax.set(title=title, xlabel="epoch")
        ax.legend()
    axes[0].set(ylabel="mean loss, nats (lower is better)", ylim=(0, 3.5))
    caption = (
        "Sound is memorised: its training loss falls too, more slowly, while its held-out loss turns "
        "upwards. Mean over seeds, bands from the lowest to the highest seed."
    )
    alt = (
        "Three panels of training and held-out loss over epochs. Picture and joint: both fall. Sound: "
        "training loss falls more slowly, held-out loss falls briefly and then rises far."
    )
    display(run.figure(fig, "curves", caption=caption, alt=alt))

# %%
if measured:
    ratios = {m: [blending.ogr(*found["points"][m]) for found in measured] for m in LOSSES}
    over = {m: np.array([r.overfitting for r in found]) for m, found in ratios.items()}
    gains = {m: np.array([r.generalising for r in found]) for m, found in ratios.items()}
    rates = mean_interval(over["audio"] - over["image"])
    run.record("blend.rates", rates)
    rows = []
    for m, name in LOSSES.items():
        row = {"model": name, "overfitting": over[m].mean(), "generalising": gains[m].mean()}
        row |= {"OGR, median": np.median([r.ratio for r in ratios[m]])}
        rows.append(row | {"seeds with G ≤ 0": int((gains[m] <= 0).sum())})
    display(run.table(rows, caption="From the untrained model to the last epoch, nats, mean over seeds"))

# %%
if measured:
    held_out = {m: np.mean([found["curves"][m]["held_out"] for found in measured], 0) for m in LOSSES}
    lowest = {m: int(curve.argmin()) for m, curve in held_out.items()}
    text = (
        f"**Seen.** The sound overfits by {over['audio'].mean():.2f} nats, the picture by "
        f"{over['image'].mean():.2f}; difference {rates:+.2f}. Mean held-out losses are lowest at epoch "
        f"{lowest['audio']} of {size.epochs} (sound), {lowest['image']} (picture) and {lowest['joint']} "
        "(joint)."
    )
    display(run.say(text))

# %% [markdown]
# So the two modalities do overfit at different rates, and in a few seeds the sound does not generalise at
# all: its $G$ is not above 0.
#
# ### Naive joint, best single modality, G-Blend
# Five ways to train on the same pairs. *Naive joint* is the paper's name for what notebook 06 calls *joint*.
# *G-Blend offline* estimates the weights once, over the whole training, from the curves above. *Equal
# weights* are auxiliary losses. *Weights swapped* is a control: the sound gets the picture's weight. All test
# the joint head, our choice. The fifth, *online*, estimates the weights anew before every super-epoch. It is
# written out, so that its $G$ and $\Delta O$ can be inspected; for the first seed `late.fit_online` must give
# the same weights.


# %%
def online_blend(world, seed):
    """The trained model, and for every super-epoch its weights and the OGR of every loss behind them."""
    model, done, used, ogrs = av_late.build(seed), 0, [], []
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)
    held_out = [(world.validation.inputs, world.validation.label)]
    for length in size.online:
        found = late.estimate(
            model, batches, lambda: held_out, length, first_epoch=done, seed=seed, progress=False
        )
        ogrs.append({name: blending.ogr(*pair) for name, pair in found.items()})
        if any(ogr.generalising > 0 for ogr in ogrs[-1].values()):
            used.append(blending.weights(found))
        else:  # nothing generalised any more: the last weights stay
            used.append(used[-1] if used else dict.fromkeys(found, 1 / 3))
        later = lambda epoch, start=done: batches(start + epoch)  # noqa: E731
        late.fit(model, later, late.GradientBlending(used[-1]), epochs=length, seed=seed, progress=False)
        done += length
    return model, used, ogrs


# %%
if worlds:
    world, seed = worlds[0], SEEDS[0]
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)
    held_out = [(world.validation.inputs, world.validation.label)]
    same = late.fit_online(
        av_late.build(seed), batches, lambda: held_out, super_epochs=size.online, seed=seed, progress=False
    )
    assert same == online_blend(world, seed)[1]


# %%
def joint_accuracy(model, world):
    """Test accuracy of the joint head."""
    return av_late.accuracy(av_late.logits_of(model, world)["joint"], world.test.label)


def all_ways(world, seed, found):
    """Test accuracies of every way of training, offline weights, online weights and their OGRs."""
    weights = blending.weights(found["points"])
    swapped = {"image": weights["audio"], "audio": weights["image"], "joint": weights["joint"]}
    blends = {"G-Blend offline": weights, "equal weights": dict.fromkeys(weights, 1 / 3)}
    blends["weights swapped"] = swapped
    alone = av_late.logits_of(found["alone"], world)
    row = {f"{LOSSES[m]} alone": av_late.accuracy(alone[m], world.test.label) for m in ("image", "audio")}
    row["naive joint"] = joint_accuracy(found["joint"], world)
    for name, some in blends.items():
        model, _ = av_late.train(world, late.GradientBlending(some), seed, epochs=size.epochs)
        row[name] = joint_accuracy(model, world)
    model, used, ogrs = online_blend(world, seed)
    row["G-Blend online"] = joint_accuracy(model, world)
    return row, weights, used, ogrs


# %%
if measured:
    trained = [all_ways(*one) for one in zip(worlds, SEEDS, measured, strict=True)]
    scores, weights, online, ogrs = (list(part) for part in zip(*trained, strict=True))
    scores = pd.DataFrame(scores)

# %% [markdown]
# Every comparison is paired: the same seed, so the same pairs, start and batches.

# %%
if measured:
    best = scores[["picture alone", "sound alone"]].max(axis=1)
    naive, offline = scores["naive joint"], scores["G-Blend offline"]
    differences = {
        "uni-best": best - naive,
        "offline": offline - naive,
        "offline-best": offline - best,
        "online": scores["G-Blend online"] - offline,
        "equal": offline - scores["equal weights"],
        "swapped": offline - scores["weights swapped"],
    }
    for kind, name in (("train", "naive-train"), ("held_out", "naive-held-out")):
        last = {m: np.array([found["curves"][m][kind][-1] for found in measured]) for m in ("joint", "image")}
        differences[name] = last["joint"] - last["image"]
    estimates = {name: mean_interval(values) for name, values in differences.items()}
    for name, estimate in estimates.items():
        run.record(f"blend.{name}", estimate)
    mean_weights = {m: float(np.mean([w[m] for w in weights])) for m in ("audio", "joint", "image")}
    run.record("blend.weights", mean_weights, n=len(SEEDS))

# %%
if measured:
    against_naive = {name: mean_interval(scores[name] - naive) for name in scores if name != "naive joint"}
    rows = []
    for name in scores:
        row = {"training": name, "accuracy": f"{scores[name].mean():.3f} ± {scores[name].std():.3f}"}
        rows.append(row | {"minus naive joint": f"{against_naive.get(name, 0.0):+.3f}"})
    caption = "AV-digits, test accuracy with unheard speakers, mean ± sd over seeds, paired 95 % t interval"
    display(run.table(rows, caption=caption))

# %%
if measured:
    stages = {"offline": weights}
    stages |= {f"online {k + 1}": [used[k] for used in online] for k in range(len(size.online))}
    average = {stage: {m: np.mean([w[m] for w in found]) for m in LOSSES} for stage, found in stages.items()}
    paper = published.look_up("blending.weights.kinetics").value
    rows = [
        {"weights": s, "picture": w["image"], "sound": w["audio"], "joint": w["joint"]}
        for s, w in average.items()
    ]
    rows.append({"weights": "paper, Kinetics", "picture": paper[0], "sound": paper[1], "joint": paper[2]})
    display(run.table(rows, caption="Weights, mean over seeds; online: one row per super-epoch"))

# %% [markdown]
# **Look for** intervals that exclude 0 on the left, and on the right for the weight of the sound.

# %%
if measured:
    fig, axes = plot.subplots("page", cols=2, height=3.0, width_ratios=(1.3, 1))
    order = ["picture alone", "equal weights", "weights swapped", "G-Blend offline", "G-Blend online"]
    runs = [(scores[name] - naive).tolist() for name in order]
    names = [name.replace(" ", "\n") for name in order]
    plot.grouped(axes[0], names, {"minus naive joint": ("fused", runs)})
    plot.chance_line(axes[0], 0.0, "naive joint")
    axes[0].set(ylabel="test accuracy minus naive joint\n(higher is better)", xlim=(-0.5, 5.6))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7)

# %%
if measured:
    ticks = list(average)
    for (m, name), style in zip(LOSSES.items(), ("image", "audio", "fused"), strict=True):
        values = [w[m] for w in average.values()]
        axes[1].plot(ticks[:1], values[:1], **plot.style_of(style))
        axes[1].plot(ticks[1:], values[1:], **plot.style_of(style), label=name)
    axes[1].tick_params(axis="x", labelrotation=30)
    axes[1].set(ylabel="weight, mean over seeds", ylim=(0, 1))
    axes[1].legend()
    caption = (
        "Left: what each way of training changes against naive joint training; 95 % t interval over seeds, "
        "dots: seeds. Right: mean weights, estimated once (offline, not joined) or before each super-epoch."
    )
    alt = (
        "Left: five ways of training with their intervals around the line of naive joint training. Right: "
        "weights of picture, sound and joint loss at every stage; the point of the offline estimate is "
        "apart."
    )
    display(run.figure(fig, "blend", caption=caption, alt=alt))

# %%
if measured:
    text = (
        "**Seen**, in points of accuracy. Best single modality minus naive joint: "
        f"{100 * estimates['uni-best']:+.1f}. G-Blend offline minus naive: "
        f"{100 * estimates['offline']:+.1f}. Online minus offline: {100 * estimates['online']:+.1f}, at the "
        f"same cost of {3 * sum(size.online)} epochs in all. Held-out loss of naive joint minus the "
        f"picture's: {estimates['naive-held-out']:+.3f} nats. Sound gets {mean_weights['audio']:.3f} of the "
        f"weight (Kinetics: {paper[1]:.3f})."
    )
    display(run.say(text))

# %% [markdown]
# G-Blend offline beats naive joint training by a little, and gives the sound almost no weight, as in the
# paper. Naive joint training is *not* shown to lose against the picture alone, neither in accuracy nor in
# held-out loss, and the online version is not shown to be better than the offline one: its spread over seeds
# is large. Why? **Look for** super-epochs in which the joint loss has almost no weight.

# %%
if measured:
    rows = []
    for k in range(len(size.online)):
        row = {"super-epoch": str(k + 1)}
        for m, name in LOSSES.items():
            g = np.array([found[k][m].generalising for found in ogrs])
            row[f"G {name}"] = f"{g.mean():+.3f} ± {g.std(ddof=1):.3f}"
        row["seeds with G joint ≤ 0"] = int((g <= 0).sum())  # joint is the last of the three
        row["smallest |ΔO| of the picture"] = min(abs(found[k]["image"].overfitting) for found in ogrs)
        rows.append(row)
    caption = "Online: the estimates behind the weights of every super-epoch, nats, mean ± sd over seeds"
    display(run.table(rows, caption=caption, digits=4))

# %%
if measured:
    without_joint = np.array([any(w["joint"] < 0.01 for w in used) for used in online])
    accuracy = scores["G-Blend online"]
    rows = []
    for name, chosen in (("with such a super-epoch", without_joint), ("without", ~without_joint)):
        rows.append({"": name, "seeds": int(chosen.sum()), "mean accuracy": accuracy[chosen].mean()})
    rows.append({"": "lowest seed", "seeds": 1, "mean accuracy": accuracy.min()})
    caption = "G-Blend online: seeds with a super-epoch in which the joint loss had a weight below .01"
    display(run.table(rows, caption=caption))

# %% [markdown]
# The seeds that fail are those in which the joint loss had almost no weight for a while: because its own $G$
# was not above 0, or because the picture's $|\Delta O|$ came so near 0 that $1/\Delta O^2$ took all the
# weight.
#
# What becomes of a joint head that has no loss? **Control**, added after the numbers above were seen: train
# jointly for one super-epoch, then one in which the picture has all the weight, with Adam as everywhere here
# and with Adam without weight decay. **Look for** the head's norm: does it stay as it is while the encoders
# change?


# %%
def head_norm(model):
    """Euclidean norm of all weights of the joint head."""
    return sum(value.detach().square().sum().item() for value in model.head.parameters()) ** 0.5


def without_joint_loss(world, seed, **options):
    """Joint head before and after a super-epoch without a joint loss: accuracy, ratio of norms."""
    model = av_late.build(seed)
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)
    first, last = size.online[0], size.online[-1]
    late.fit(model, batches, late.Joint(), epochs=first, seed=seed, progress=False)
    before, norm = joint_accuracy(model, world), head_norm(model)
    picture_only = late.GradientBlending({"image": 1.0, "audio": 0.0, "joint": 0.0})
    later = lambda epoch: batches(first + epoch)  # noqa: E731
    late.fit(model, later, picture_only, epochs=last, seed=seed, progress=False, **options)
    return {"before": before, "after": joint_accuracy(model, world), "norm left": head_norm(model) / norm}


def no_decay(parameters):
    """Adam with the same learning rate, without weight decay."""
    return torch.optim.Adam(parameters, lr=2e-3, fused=True)


# %%
if measured:
    idle = {}
    for name, options in (("as everywhere here", {}), ("without weight decay", {"optimiser": no_decay})):
        found = [
            without_joint_loss(world, seed, **options) for world, seed in zip(worlds, SEEDS, strict=True)
        ]
        idle[name] = pd.DataFrame(found)
    rows = []
    for name, frame in idle.items():
        change = 100 * mean_interval(frame["after"] - frame["before"])
        rows.append({"Adam": name, **frame.mean(), "change, points": f"{change:+.1f}"})
    caption = "A super-epoch without a joint loss: accuracy of the joint head, share of its norm left"
    display(run.table(rows, caption=caption))

# %% [markdown]
# **Seen.** Adam divides by the size of the gradient; where weight decay is all there is, it shrinks the head
# at full rate. So a weight of 0 does more here than leave a loss out, and the online version's failures say
# little about the paper's, which was trained with SGD.
#
# ### A modality that hurts, and when it does not
# Now the sounds exchanged at random: a sound carries no information about its picture. **Expect** naive joint
# training to memorise it and lose against the picture alone; G-Blend should notice, give the useless modality
# almost no weight, and lose less.


# %%
def exchange_sounds(world, seed):
    """The same pairs with the sounds of every split in a random order."""
    rng, parts = np.random.default_rng(8000 + seed), []
    for part in (world.train, world.validation, world.test):
        order = torch.from_numpy(rng.permutation(len(part)).copy())
        sound = dict(audio=part.audio[order], heard=part.heard[order])
        parts.append(dataclasses.replace(part, **sound))
    return av_digits.AvDigits(*parts, world.rule)


def with_useless_sound(world, seed):
    """Accuracies with a sound that carries no information, its weight and its G."""
    useless = exchange_sounds(world, seed)
    found = measure(useless, seed)
    w = blending.weights(found["points"])
    model, _ = av_late.train(useless, late.GradientBlending(w), seed, epochs=size.epochs)
    alone = av_late.accuracy(av_late.logits_of(found["alone"], useless)["image"], useless.test.label)
    row = {"picture alone": alone, "naive joint": joint_accuracy(found["joint"], useless)}
    row |= {"G-Blend": joint_accuracy(model, useless), "weight of the sound": w["audio"]}
    return row | {"G of the sound": blending.ogr(*found["points"]["audio"]).generalising}


# %%
if worlds:
    useless = pd.DataFrame([with_useless_sound(*one) for one in zip(worlds, SEEDS, strict=True)])
    run.record("blend.useless-weight", useless["weight of the sound"].mean(), n=len(SEEDS))
    hurt = mean_interval(useless["naive joint"] - useless["picture alone"])
    saved = mean_interval(useless["G-Blend"] - useless["naive joint"])
    run.record("blend.useless-hurts", hurt)
    run.record("blend.useless-blend", saved)
    table = useless.describe().loc[["mean", "std"]]
    display(run.table(table, caption="A modality without information: test accuracy over seeds"))

# %%
if worlds:
    real = mean_interval(naive - scores["picture alone"])
    text = (
        "**Seen**, in points against the picture alone. The useless sound changes naive joint training by "
        f"{100 * hurt:+.1f}, the real one, which overfits as well, by {100 * real:+.1f}. G-Blend changes the "
        f"joint head with the useless sound by {100 * saved:+.1f}. The real sound, right in "
        f"{100 * scores['sound alone'].mean():.0f} % of cases alone, gets a weight of "
        f"{mean_weights['audio']:.3f}, the useless one {useless['weight of the sound'].mean():.3f}."
    )
    display(run.say(text))

# %% [markdown]
# A modality without information does make joint training worse. G-Blend is not shown to win it back: the
# joint head still sees the sound, since a weight of 0 stops the sound's own loss, not its path into the joint
# one. And a weight near 0 does not tell a useless modality from an overfitting one.
#
# ### As published, beside ours
# Kinetics, top-1 accuracy of video in %, and our small world. The paper is not consistent about naive audio +
# RGB: 71.4 in table 1, 71.7 elsewhere.

# %%
PAIRS = {"A + RGB": "audio-rgb", "RGB + flow": "rgb-flow", "A + flow": "audio-flow", "all": "all"}
TRAININGS = {"best": "best single modality", "naive": "naive joint", "blend": "G-Blend offline"}
ours = {"best": best, "naive": naive, "blend": offline} if measured else {}
rows = []
for what, name in TRAININGS.items():
    row = {"": name}
    for pair, key in PAIRS.items():
        row[pair] = published.look_up(f"blending.kinetics.{key}.{what}").value
    rows.append(row | {"ours: AV-digits": f"{100 * ours[what].mean():.1f}" if measured else "–"})
display(run.table(rows, caption="Paper, table 1, and ours", digits=1))

# %%
NAMES = {"online": "G-Blend online", "offline": "G-Blend offline", "dropout": "dropout"}
NAMES |= {"pretrain": "pre-training", "early": "early stopping", "auxiliary": "equal weights"}
rows = []
for key, name in NAMES.items():
    value = published.look_up(f"blending.ablation.{key}").value
    rows.append({"training, A + RGB": name, "Kinetics, % (naive 71.7)": value})
run.table(rows, caption="Other ways, as published", digits=1)

# %% [markdown]
# **Seen.** Equal weights, the plainest remedy, are below naive joint training in the paper; ours are a little
# above it (table of all trainings, further up).
#
# The profile `paper` repeats the offline estimate with ResNet-18 on two folders of clips, CREMA-D (six
# emotions) and the half of UCF-101 that has sound; the schedule is in the table of sizes.


# %%
FOLDERS = {
    "crema": (
        "CREMA-D: 7,442 clips, 3 GB, ODbL 1.0, to be put into the folder crema-d",
        audio_visual.crema_d,
    ),
    "ucf": (
        "UCF-101: 13,320 clips, 6.5 GB, for research, to be put into the folder ucf-101",
        audio_visual.ucf_101,
    ),
}


# %%
def on_clips(name):
    """Test accuracies of naive joint training and G-Blend offline on one folder of clips."""
    what, load = FOLDERS[name]
    if not size.clips:
        raise mmnb.DataUnavailable(
            f"Clips are trained in the profile `paper` only, on a GPU in a day. {what}"
        )
    clips, options = load(), dict(size.clips["train"])
    splits = ("train", "validation", "test")
    read, held_out, test = (late_resnet.batches(clips, s, seed=SEED, **size.clips["read"]) for s in splits)
    start = late_resnet.build(len(clips.classes), SEED)
    steps = {"seed": SEED, "optimiser": late_resnet.sgd, "schedule": late_resnet.step_down(**options)}
    weights = blending.weights(late.estimate(start, read, lambda: held_out(0), options["epochs"], **steps))
    found = {f"weight {head}": weight for head, weight in weights.items()}
    for kind, objective in (("joint", late.Joint()), ("G-Blend", late.GradientBlending(weights))):
        options["checkpoint"] = run.out / f"{name}-{kind}.safetensors"
        model = late_resnet.train(read, objective, classes=len(clips.classes), seed=SEED, **options)
        found[kind] = late_resnet.accuracies(model, test)["joint"]
    return found


# %%
resnet = []
for name in FOLDERS:
    found = run.need(lambda name=name: on_clips(name), claims=[f"blend.{name}"])
    if found:
        run.record(f"blend.{name}", found["G-Blend"] - found["joint"], n=1)
        resnet.append({"clips": name} | found)
run.table(resnet, caption="ResNet-18 on clips, test accuracy and weights") if resnet else None

# %% [markdown]
# ## Negative controls
# Stated before the run.
#
# 1. **Uneven batches**: cutting one set of examples into batches of 1, 7 and the rest changes neither $O$ nor
#    $G$. (Means of batch means would, and so would the sums of mistake 3.)
# 2. **Swapped weights** (sound gets the picture's weight, recorded above) must do worse than the right ones,
#    if the weights mean anything.
# 3. **Nothing generalised**: there is no answer, and it must be an error, not NaN.

# %%
if measured:
    model, part = measured[0]["joint"], worlds[0].validation
    losses = []
    for borders in ([len(part)], [1, 8, len(part)], [250, 499, len(part)]):
        cut = [
            ({m: x[start:end] for m, x in part.inputs.items()}, part.label[start:end])
            for start, end in zip([0, *borders[:-1]], borders, strict=True)
        ]
        losses.append(late.mean_losses(model, cut)["joint"])
    run.record("blend.batches", max(losses) - min(losses), n=3)

# %%
hopeless = {
    "modality 1": (Losses(*START), Losses(0.1, 2.5)),
    "modality 2": (Losses(*START), Losses(1.9, 2.1)),
}
try:
    blending.weights(hopeless)
    refused = 0.0
except ValueError as error:
    refused = 1.0
    display(run.say(f"Nothing generalised: “{error}”"))
run.record("blend.refused", refused, n=1)

# %% [markdown]
# ## Paper versus ours
# The column *null* says that the rule would have rejected a broken run. *Not testable here* is not a pass.

# %%
run.verdicts()

# %% [markdown]
# ## Exercises
# Each check draws random and edge inputs and says what differs. Hints are folded.
#
# ### 07a · Losses that do not depend on the batches
# **Goal:** the mean over examples from means over batches. **Difficulty** 1 of 3 · **minutes** 5
#
# Write `mean_loss(batch_means, batch_sizes)`: two arrays of one length; return the mean loss per example.
#
# <details><summary>Hint 1</summary>
# A batch of 50 examples must count fifty times as much as a batch of one.</details>
# <details><summary>Right for equal batches only?</summary>
# Divide by the number of examples, not of batches.</details>


# %% tags=["exercise-07a"]
def mean_loss(batch_means, batch_sizes):
    """Mean loss per example."""
    # BEGIN SOLUTION
    return (batch_means * batch_sizes).sum() / batch_sizes.sum()
    # END SOLUTION


mmnb.exercises.check("07a", mean_loss)

# %% [markdown]
# ### 07b · The weights
# **Goal:** Gradient-Blending in three lines. **Difficulty** 2 of 3 · **minutes** 15
#
# Write `blend(before, after)`: two (models, 2) arrays, columns training and held-out loss. Return the
# weights, one for each model, sum 1; a model that got worse on held-out data weighs 0, $|\Delta O|$ counts as
# at least 0.001.
#
# <details><summary>Hint 1</summary>
# ΔO is the change of held-out minus training loss; G the fall of the held-out loss.</details>
# <details><summary>A weight is negative?</summary>`np.maximum(G, 0)` before you normalise.</details>


# %% tags=["exercise-07b"]
def blend(before, after):
    """Weights of the models, sum 1."""
    # BEGIN SOLUTION
    overfitting = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    raw = np.maximum(before[:, 1] - after[:, 1], 0) / np.maximum(np.abs(overfitting), 0.001) ** 2
    return raw / raw.sum()
    # END SOLUTION


mmnb.exercises.check("07b", blend)

# %% [markdown]
# ### 07c · Why the square?
# **Goal:** see that the weights are the minimum (the table below the check, on the curves made by hand).
# **Difficulty** 3 of 3 · **minutes** 25
#
# Write `expected_ratio(w, g, s)`: weights, gains $G_i$ and standard deviations $s_i$ of uncorrelated
# overfitting terms with mean 0; return $E[(\sum_iw_ie_i/\sum_iw_ig_i)^2]$.
#
# <details><summary>Hint 1</summary>
# The denominator is fixed. What is the variance of a weighted sum of uncorrelated numbers?</details>
# <details><summary>Off by a constant factor in w?</summary>
# The ratio must not change when all weights are doubled.</details>


# %% tags=["exercise-07c"]
def expected_ratio(w, g, s):
    """Expected squared overfitting-to-generalising ratio of a blended step."""
    # BEGIN SOLUTION
    return (w**2 * s**2).sum() / (w * g).sum() ** 2
    # END SOLUTION


mmnb.exercises.check("07c", expected_ratio)

# %%
by_formula = mmnb.exercises.registered(["07"])[
    "07c"
].reference  # what 07c asks for, as the package computes it
hand = [blending.ogr(*pair) for pair in points.values()]
g, s = np.array([m.generalising for m in hand]), np.array([m.overfitting for m in hand])
drawn = np.random.default_rng(SEED).dirichlet(np.ones(len(g)), 10_000)
at = {"G / ΔO²": by_formula(g / s**2, g, s), "equal": by_formula(np.ones(len(g)), g, s)}
at |= {f"best of {len(drawn):,} at random": min(by_formula(w, g, s) for w in drawn)}
rows = [{"weights": name, "expected squared ratio": value} for name, value in at.items()]
run.table(rows, caption="07c on the curves made by hand: are the weights the minimum?", digits=5)

# %% [markdown]
# ## Limits and what we changed
# * **Small and artificial.** 300 pairs of tiny pictures and recordings, paired at random within a class;
#   two-layer encoders, one linear layer as head (the paper: ResNet3D-50 and ResNet-50, two layers). The
#   picture is far better than the sound; in Kinetics the gap is smaller. Kinetics' numbers stand beside ours,
#   not against them.
# * **Held out means other speakers.** Validation has one unheard speaker, so the sound's held-out loss says
#   how it transfers to *him*. This is harsher than a random hold-out: the sound always generalises little for
#   how much it overfits, in some seeds its $G$ is below 0, and on average where it tells nothing. There the
#   sign rule decides, not the formula.
# * **What the intervals cover.** Trainings and pairings, not speakers or pictures: every seed draws its pairs
#   from the same few hundred pictures and the recordings of the same speakers, two in testing (counted under
#   *Data*). With other speakers the results may differ by more than the intervals say.
# * **Adam, no tuning.** Same rate and epochs for all; the paper shows smaller and larger gains with other
#   optimisers. The online version starts a new optimiser in every super-epoch, and Adam's weight decay
#   shrinks whatever head has weight 0 (the control above); SGD would do so far more slowly. The offline
#   estimate runs over the whole training, long after the sound has overfitted; a shorter one would give it
#   more weight.
# * **Our decisions** on $G\le0$ and the floor are not the paper's; its estimation code was never released.
#   Online, the joint loss has next to no weight in some super-epochs: where its $G$ is not above 0, which is
#   our decision, and where the picture's $\Delta O$ is so near 0 that $1/\Delta O^2$ leaves nothing for the
#   others, which is the formula's, and our floor too low to stop it. How the paper's code treats either is
#   unknown. Which head it tests is not certain in what we read; ours is the joint one.
# * **One seed more.** With another `SEED`, that is ten other trainings, all verdicts stayed but one: against
#   equal weights G-Blend was then not shown to be better. Small gains over auxiliary losses need more than
#   ten seeds.
# * **Not here.** Kinetics, mini-Sports, AudioSet, EPIC-Kitchens; LMF and other fusions; accuracy in place of
#   loss.
#
# ## References
# * Wang, Tran & Feiszli 2020, CVPR, [arXiv 1905.12681](https://arxiv.org/abs/1905.12681); tutorial: [VMZ,
#   gradient blending](https://github.com/facebookresearch/VMZ).
# * Du et al. 2023, ICML (notebook 06); Liang et al. 2021, *MultiBench*, whose gradient blending is one of the
#   public versions; BalanceMM's is another.
# * Data: Alpaydin & Kaynak 1998 (digits); Jackson et al. 2018, Free Spoken Digit Dataset; Cao et al. 2014,
#   CREMA-D.
#
# ## Environment

# %%
run.environment()
