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
# **Answer.** The paper says: because modalities overfit at different rates, and one loss trains them all alike. Here, too, sound overfits far more than pictures, and a modality that tells nothing makes joint training worse. Weights by
# OGR are exact on curves made by hand; on pictures with recordings they give the sound next to nothing, as in the paper, and beat plain joint training by a little. What did *not* come out: where the sound is real, joint training is not
# shown to lose against the picture alone, nor to have the higher held-out loss; the picture does not outweigh the joint loss; weights estimated anew during training are not shown to be better, and for some seeds were a disaster (a head without a loss is worn down by our optimiser's weight decay);
# and G-Blend is not shown to win back what the useless sound costs.

# %% [markdown]
# | card | |
# |---|---|
# | **paper** | Wang, Tran & Feiszli, *What Makes Training Multi-Modal Classification Networks Hard?* CVPR 2020 |
# | **claims** | all of `data/claims/07_overfitting_to_generalising.yaml`, judged in the table near the end |
# | **level** | second course in machine learning · 2 of 3 |
# | **minutes** | smoke ½ · laptop 3 on one core · paper: a GPU and two days |
# | **you will do** | measure how fast each modality overfits, and weigh the losses by it |
# | **you will learn to** | compute OGR from two checkpoints; derive the weights; recognise three mistakes of public code (a list below); test a blended model against an honest baseline |
# | **you need** | PyTorch, notebook 06 or late fusion by name; no GPU; 21 MB of recordings (without them most claims say so) |

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
PROFILE = "laptop"  # "smoke" | "laptop" | "paper"
SEED = 0

# %% [markdown]
# ## Set-up
# All that differs between the profiles: `seeds`, trainings behind every interval; `epochs`; `online`, super-epochs of the online version; `pairs`, training pairs; `clips`, how ResNet-18
# is trained on folders of clips (empty: not at all).

# %%
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


def compare(claim, differences):
    """Record paired differences over seeds with their 95 % t interval."""
    found = mean_interval(np.asarray(differences, dtype=float).tolist())
    if claim:
        run.record(claim, found)
    return found


def in_points(found):
    """A difference of accuracies in points, with its interval."""
    return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def told(found, above="better", below="worse"):
    """What an interval says about the sign."""
    return above if found.low > 0 else below if found.high < 0 else "not shown"


size

# %% [markdown]
# ## The idea
# Between two checkpoints a model's held-out loss falls by $G$ (it *generalises*) and the gap between held-out and training loss grows by $\Delta O$ (it *overfits*):
#
# $$O=L^V-L^T,\qquad \mathrm{OGR}=\frac{\Delta O}{G}=\frac{O_{N+n}-O_N}{L^V_N-L^V_{N+n}}.$$
#
# Give every modality and the joint model a loss of its own and ask for the weights $w_i$, sum 1, whose blended step overfits least for what it generalises. Let $e_i$
# be the overfitting part of loss $i$, with mean 0. If these parts are uncorrelated, minimising $E[(\sum_i w_i e_i/\sum_i w_iG_i)^2]$ with $E[e_i^2]=\Delta O_i^2$ gives $w_i\propto G_i/\Delta O_i^2$. Three questions the paper leaves open, and our answers: a model that got *worse*
# ($G\le0$) weighs nothing; $|\Delta O|$ counts as at least 0.001 nats; losses are means over *examples*.
#
# The paper's estimation code was never released. Public versions by others make three mistakes:
#
# 1. **The sign**: they take $|G/\Delta O^2|$ (MultiBench, BalanceMM), so a modality is paid for getting worse.
# 2. **Values for changes**: the *final* held-out loss and the *final* gap stand for $G$ and $\Delta O$ (MultiBench, unless told otherwise).
# 3. **Sums for means**: losses are summed over loaders of different length (BalanceMM), which mixes the sizes of the data sets into $O$.
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
worse = points | {"modality 2": (Losses(*START), Losses(0.2, 2.3))}
run.record("blend.hand-worse", list(blending.weights(worse).values()), n=3)
run.record("blend.sum", max(abs(sum(blending.weights(p).values()) - 1) for p in (points, worse)), n=2)
rows = [{"model": name, **blending.ogr(*pair)._asdict(), "weight": ours[name], "weight if modality 2 got worse": blending.weights(worse)[name]} for name, pair in points.items()]  # fmt: skip
run.table(
    rows, caption="Curves made by hand: overfitting and generalising in nats, their ratio, and the weights", digits=4
)

# %% [markdown]
# **Look for** what happens when modality 2 ends with a held-out loss above its start of 2.1: with $|G|$ (mistake 1) a modality is paid for getting worse; with $\max(G,0)$ it is not.

# %%
ends = np.linspace(1.2, 3.2, 81)
curves = {"max(G, 0), ours": [], "|G|": []}
for end in ends:
    g = np.array([0.6, 2.1 - end, 0.7])
    overfitting = np.array([0.4, (end - 0.2) - 0.1, 0.8])
    for name, part in (("max(G, 0), ours", np.maximum(g, 0)), ("|G|", np.abs(g))):
        raw = part / overfitting**2
        curves[name].append(raw[1] / raw.sum())
fig, ax = plot.subplots("column", height=2.5)
for (name, values), modality in zip(curves.items(), ("fused", "control"), strict=True):
    ax.plot(ends, values, color=plot.COLOURS[modality], linestyle=plot.LINES[modality], label=name)
ax.axvline(2.1, color="black", linewidth=0.8)
ax.annotate("loss at\nthe start", (2.1, 0.08), xytext=(3, 0), textcoords="offset points", fontsize=8)
ax.set(xlabel="final held-out loss of modality 2, nats", ylabel="its weight", ylim=(0, 0.2))
ax.legend(loc="upper right")
run.figure(
    fig,
    "sign",
    caption="A modality that got worse must not be paid for it. Weight of modality 2 against its final held-out loss; the other two as in the table, training loss 0.2.",
    alt="Two curves fall to zero at a held-out loss of 2.1. Beyond it ours stays at zero, the one with absolute values rises again.",
)

# %% [markdown]
# ## Data
# | world | what | from | n |
# |---|---|---|---|
# | AV-digits | the pairs of notebook 06: a picture of a digit (8 × 8) and a recording of the same digit (log-mel, 16 × 16) | scikit-learn; Free Spoken Digit Dataset, CC BY-SA 4.0 | 300 training, 500 validation, 2,000 test pairs for each seed, drawn with replacement from the same pools |
# | the same, sound exchanged | the sounds exchanged at random among the pairs of a split, so that only chance matches remain: a modality that tells nothing | as above | as above |
#
# Three people speak in training, one in validation, two in testing. Nobody who is tested was heard in training, so sound can be *learnt by heart* and yet *generalise* badly. The table counts how many different pictures and recordings stand behind the pairs.

# %%
NAMES = ["blend.rates", "blend.uni-best", "blend.naive-train", "blend.naive-held-out", "blend.offline", "blend.offline-best", "blend.online", "blend.equal", "blend.weights", "blend.useless-weight", "blend.useless-hurts", "blend.useless-blend", "blend.swapped", "blend.batches"]  # fmt: skip
worlds = run.need(
    lambda: [av_digits.sample((size.pairs, 500, 2000), np.random.default_rng(7000 + seed)) for seed in SEEDS],
    claims=NAMES,
)
rows = []
for name in ("train", "validation", "test"):
    for part in [getattr(worlds[0], name)] if worlds else []:
        different = [len(side.flatten(1).unique(dim=0)) for side in (part.image, part.audio)]
        rows.append({"split": name, "pairs": len(part), "different pictures": different[0], "different recordings": different[1], "speakers": len(part.speaker.unique()), "fewest of a digit": int(part.label.bincount().min())})  # fmt: skip
display(run.table(rows, caption="AV-digits, first seed")) if rows else None

# %%
if worlds:
    fig, axes = plot.subplots("page", rows=2, cols=6, height=2.6)
    for column in range(6):
        part = worlds[0].train if column < 3 else worlds[0].test
        voice, place = ((0, 0), (1, 0), (2, 0), (4, 0), (5, 0), (4, -1))[column]
        row = int(((part.label == 3) & (part.speaker == voice)).nonzero()[place])
        axes[0, column].imshow(part.image[row, 0], cmap="Greys")
        axes[1, column].imshow(part.audio[row, 0], origin="lower", aspect="auto")
        axes[0, column].set_title("training" if column < 3 else "test", fontsize=8)
        axes[1, column].set_title(f"speaker {int(part.speaker[row]) + 1}", fontsize=8)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    figure = run.figure(
        fig,
        "data",
        caption="Threes, seen and heard. Test speakers were not heard in training. Below: log-mel pictures, bands upwards, 0.8 s to the right.",
        alt="Six drawings of the digit three, three from training and three from testing, above six spectrograms: three training speakers, and recordings of two test speakers.",
    )
    display(figure)

# %% [markdown]
# ## Reproduction
# ### Do modalities overfit at different rates?
# Train picture and sound alone and both jointly, from the same weights and on the same batches, and measure training and held-out loss after every epoch, both in eval mode. **Look for** how early
# the held-out loss of each turns upwards.


# %%
def watched(world, way, seed):
    """A trained model and its curves, the untrained model in front: {head: {"train": [...], "held_out": [...]}}."""
    first = av_late.losses(av_late.build(seed, world.classes), world)
    model, curves = av_late.train(world, way, seed, epochs=size.epochs, watch=lambda net: av_late.losses(net, world))
    heads = ("image", "audio", "joint")
    return model, {m: {kind: [first[f"{kind} {m}"], *curves[f"{kind} {m}"]] for kind in ("train", "held_out")} for m in heads}  # fmt: skip


def measure(world, seed):
    """Everything the offline estimate needs: alone and joint, from the same start."""
    alone, of_alone = watched(world, late.Alone(), seed)
    joint, of_joint = watched(world, late.Joint(), seed)
    curves = {"image": of_alone["image"], "audio": of_alone["audio"], "joint": of_joint["joint"]}
    return {"alone": alone, "joint": joint, "curves": curves, "points": blending.from_curves(curves)}


# %%
measured = [measure(world, seed) for world, seed in zip(worlds or [], SEEDS, strict=False)]
if measured:
    ratio = {m: [blending.ogr(*found["points"][m]) for found in measured] for m in ("image", "audio", "joint")}
    over = {m: np.array([r.overfitting for r in found]) for m, found in ratio.items()}
    gains = {m: np.array([r.generalising for r in found]) for m, found in ratio.items()}
    rates = compare("blend.rates", over["audio"] - over["image"])
    fig, axes = plot.subplots("page", cols=3, height=2.6, sharey=True)
    for ax, (m, title) in zip(
        axes, (("image", "picture alone"), ("audio", "sound alone"), ("joint", "jointly")), strict=True
    ):
        look = "fused" if m == "joint" else m
        for kind, style, name in (("train", ":", "training"), ("held_out", "-", "held out")):
            lines = np.array([found["curves"][m][kind] for found in measured])
            ax.plot(lines.mean(0), color=plot.COLOURS[look], linestyle=style, label=name)
            ax.fill_between(range(lines.shape[1]), lines.min(0), lines.max(0), color=plot.COLOURS[look], alpha=0.15, linewidth=0)  # fmt: skip
        ax.set(title=title, xlabel="epoch")
        ax.legend()
    axes[0].set(ylabel="mean loss, nats (lower is better)", ylim=(0, 3.5))
    figure = run.figure(
        fig,
        "curves",
        caption="Sound is learnt by heart: its training loss falls too, more slowly, while its held-out loss turns upwards. Mean over seeds, bands from the lowest to the highest seed.",
        alt="Three panels of training and held-out loss over epochs. Picture and joint: both fall. Sound: training loss falls more slowly, held-out loss falls briefly and then rises far.",
    )
    display(figure)
    rows = [{"model": m, "overfitting": over[m].mean(), "generalising": gains[m].mean(), "OGR, median": np.median([r.ratio for r in ratio[m]]), "seeds with G ≤ 0": int((gains[m] <= 0).sum())} for m in over]  # fmt: skip
    display(run.table(rows, caption="From the untrained model to the last epoch, nats, mean over seeds"))

# %%
if measured:
    mean_curve = {m: {k: np.mean([f["curves"][m][k] for f in measured], 0) for k in ("train", "held_out")} for m in over}  # fmt: skip
    lowest = {m: int(curve["held_out"].argmin()) for m, curve in mean_curve.items()}
    early = min(10, size.epochs)
    display(run.say(
        f"**Seen.** The sound overfits by {over['audio'].mean():.2f} nats, the picture by {over['image'].mean():.2f}; difference {rates.value:+.2f} [{rates.low:+.2f}, {rates.high:+.2f}], "
        f"{told(rates, 'above 0', 'below 0')}. Mean held-out losses are lowest at epoch {lowest['audio']} of {size.epochs} (sound), {lowest['image']} (picture) and {lowest['joint']} (joint). "
        f"At epoch {early} the sound's training loss is {mean_curve['audio']['train'][early]:.2f}, the picture's {mean_curve['image']['train'][early]:.2f}. "
        f"The sound's $G$ is {gains['audio'].mean():+.2f} in the mean, and not above 0 in {(gains['audio'] <= 0).sum()} of {len(SEEDS)} seeds."
    ))  # fmt: skip

# %% [markdown]
# ### Naive joint, best single modality, G-Blend
# **Offline** (one estimate over the whole training, from the curves above), **online** (anew before every super-epoch), and **equal** weights (auxiliary losses). All test the joint head, our choice.
# **Look for** the paired differences to naive joint training, and whether naive joint training loses against the picture alone. (*Naive joint* is the paper's name for what notebook 06 calls *joint*.)
# The online version is written out, so that its $G$ and $\Delta O$ can be looked at; for the first seed `late.fit_online` must give the same weights.


# %%
def online_blend(world, seed):
    """The online version: the trained model, and for every super-epoch its weights and the OGR of every loss behind them."""
    model, done, used, measures = av_late.build(seed), 0, [], []
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)
    held_out = [(world.validation.inputs, world.validation.label)]
    for length in size.online:
        found = late.estimate(model, batches, lambda: held_out, length, first_epoch=done, seed=seed, progress=False)
        measures.append({name: blending.ogr(*pair) for name, pair in found.items()})
        if any(m.generalising > 0 for m in measures[-1].values()):
            used.append(blending.weights(found))
        else:  # nothing generalised any more: the last weights stay
            used.append(used[-1] if used else dict.fromkeys(found, 1 / 3))
        later = lambda epoch, start=done: batches(start + epoch)  # noqa: E731
        late.fit(model, later, late.Blended(used[-1]), epochs=length, seed=seed, progress=False)
        done += length
    if seed == SEEDS[0]:
        same = late.fit_online(av_late.build(seed), batches, lambda: held_out, super_epochs=size.online, seed=seed, progress=False)  # fmt: skip
        assert same == used
    return model, used, measures


# %%
if measured:
    weights = [blending.weights(found["points"]) for found in measured]
    scores, online, behind = [], [], []
    for world, seed, found, w in zip(worlds, SEEDS, measured, weights, strict=True):
        label, alone = world.test.label, av_late.logits_of(found["alone"], world)
        row = {"picture alone": alone["image"], "sound alone": alone["audio"], "naive joint": av_late.logits_of(found["joint"], world)["joint"]}  # fmt: skip
        swapped = {"image": w["audio"], "audio": w["image"], "joint": w["joint"]}
        for name, some in (
            ("G-Blend offline", w),
            ("equal weights", dict.fromkeys(w, 1 / 3)),
            ("weights swapped", swapped),
        ):
            model, _ = av_late.train(world, late.Blended(some), seed, epochs=size.epochs)
            row[name] = av_late.logits_of(model, world)["joint"]
        model, used, measures = online_blend(world, seed)
        online.append(used)
        behind.append(measures)
        row["G-Blend online"] = av_late.logits_of(model, world)["joint"]
        scores.append({name: av_late.accuracy(logits, label) for name, logits in row.items()})
    scores = pd.DataFrame(scores)

# %%
if measured:
    best = scores[["picture alone", "sound alone"]].max(axis=1)
    naive, offline = scores["naive joint"], scores["G-Blend offline"]
    compare("blend.uni-best", best - naive)
    last = {kind: [np.array([f["curves"][m][kind][-1] for f in measured]) for m in ("joint", "image")] for kind in ("train", "held_out")}  # fmt: skip
    naive_loss = {kind: compare(f"blend.naive-{kind.replace('_', '-')}", joint - picture) for kind, (joint, picture) in last.items()}  # fmt: skip
    compare("blend.offline", offline - naive)
    compare("blend.offline-best", offline - best)
    compare("blend.online", scores["G-Blend online"] - offline)
    compare("blend.equal", offline - scores["equal weights"])
    compare("blend.swapped", offline - scores["weights swapped"])
    mean_weights = {m: float(np.mean([w[m] for w in weights])) for m in ("audio", "joint", "image")}
    run.record("blend.weights", mean_weights, n=len(SEEDS))
    rows = []
    for name in scores:
        g = compare(None, scores[name] - naive)
        rows.append({"training": name, "accuracy": f"{scores[name].mean():.3f} ± {scores[name].std():.3f}", "minus naive joint": f"{g.value:+.3f} [{g.low:+.3f}, {g.high:+.3f}]", "verdict": "" if name == "naive joint" else told(g)})  # fmt: skip
    display(
        run.table(
            rows, caption="AV-digits, test accuracy with unheard speakers, mean ± sd over seeds, paired 95 % t interval"
        )
    )
    average = {k: np.mean([[w[m] for m in ("image", "audio", "joint")] for w in found], 0) for k, found in (("offline", weights), *((f"online, super-epoch {k + 1}", [o[k] for o in online]) for k in range(len(size.online))))}  # fmt: skip
    paper = published.look_up("blending.weights.kinetics").value
    rows = [{"weights": k, "picture": v[0], "sound": v[1], "joint": v[2]} for k, v in average.items()]
    display(run.table([*rows, {"weights": "paper, Kinetics (RGB, audio, joint)", "picture": paper[0], "sound": paper[1], "joint": paper[2]}], caption="Weights, mean over seeds"))  # fmt: skip

# %%
if measured:
    fig, axes = plot.subplots("page", cols=2, height=3.0, width_ratios=(1.3, 1))
    order = ["picture alone", "equal weights", "weights swapped", "G-Blend offline", "G-Blend online"]
    plot.grouped(axes[0], [name.replace(" ", "\n") for name in order], {"minus naive joint": ("fused", [(scores[name] - naive).tolist() for name in order])})  # fmt: skip
    plot.chance_line(axes[0], 0.0, "naive joint")
    axes[0].set(ylabel="test accuracy minus naive joint\n(higher is better)", xlim=(-0.5, 5.6))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7)
    above = [name for name in order if compare(None, scores[name] - naive).low > 0]
    stages = ["offline", *(f"online {k + 1}" for k in range(len(size.online)))]
    for k, (m, name) in enumerate((("image", "picture"), ("audio", "sound"), ("fused", "joint"))):
        values = [v[k] for v in average.values()]
        axes[1].plot(stages[:1], values[:1], **plot.look(m))
        axes[1].plot(stages[1:], values[1:], **plot.look(m), label=name)
    axes[1].tick_params(axis="x", labelrotation=30)
    axes[1].set(ylabel="weight, mean over seeds", ylim=(0, 1))
    axes[1].legend()
    figure = run.figure(
        fig,
        "blend",
        caption="Left: what each way of training changes against naive joint training; 95 % t interval over seeds, dots: seeds. Right: mean weights, estimated once over the whole training (offline, not joined) or before each super-epoch.",
        alt=f"Left: five ways of training with their intervals, {len(above)} of them above zero ({', '.join(above) or 'none'}). Right: weights of picture, sound and joint loss at every stage; the point of the offline estimate stands apart.",
    )
    display(figure)

# %%
if measured:
    rows = []
    for k in range(len(size.online)):
        g = {m: np.array([seen[k][m].generalising for seen in behind]) for m in over}
        row = {"super-epoch": str(k + 1)} | {f"G {name}": f"{g[m].mean():+.3f} ± {g[m].std(ddof=1):.3f}" for m, name in (("image", "picture"), ("audio", "sound"), ("joint", "joint"))}  # fmt: skip
        rows.append(row | {"seeds with G joint ≤ 0": int((g["joint"] <= 0).sum()), "smallest ΔO of picture, absolute": min(abs(seen[k]["image"].overfitting) for seen in behind)})  # fmt: skip
    display(
        run.table(
            rows,
            caption="Online: the estimates behind the weights of every super-epoch, nats, mean ± sd over seeds",
            digits=4,
        )
    )
    cases = [[seen for used, seen in zip(u, b, strict=True) if used["joint"] < 0.01] for u, b in zip(online, behind, strict=True)]  # fmt: skip
    starved = np.array([len(found) > 0 for found in cases])
    by_sign = [seen["joint"].generalising <= 0 for found in cases for seen in found]
    others = [abs(seen["image"].overfitting) for found in cases for seen in found if seen["joint"].generalising > 0]
    two = {k: scores["G-Blend online"][rows].mean() for k, rows in (("with", starved), ("without", ~starved)) if rows.any()}  # fmt: skip

# %%
if measured:
    anew, uni, loss = compare(None, scores["G-Blend online"] - offline), compare(None, best - naive), naive_loss["held_out"]  # fmt: skip
    why = f"; {sum(by_sign)} of {len(by_sign)} times its own $G$ was not above 0" if by_sign else ""
    why += f", else the picture's $|\\Delta O|$ was so near 0, at most {max(others):.4f}, that $1/\\Delta O^2$ took nearly all weight" if others else ""  # fmt: skip
    display(run.say(
        f"**Seen.** Best single modality minus naive joint: {in_points(uni)} points, {told(uni)}; held-out loss of naive joint minus the picture's: {loss.value:+.3f} nats [{loss.low:+.3f}, {loss.high:+.3f}], "
        f"{told(loss, 'higher', 'lower')}. G-Blend offline minus naive: {in_points(compare(None, offline - naive))}. Sound gets {mean_weights['audio']:.3f} of the weight (Kinetics: {paper[1]:.3f}). "
        f"Online minus offline: {in_points(anew)} points, {told(anew)}, at the same cost: alone, jointly and blended, {3 * sum(size.online)} epochs in all against {3 * size.epochs} (both three times naive joint training)."
    ))  # fmt: skip
    display(run.say(
        f"In {starved.sum()} of {len(SEEDS)} seeds the joint loss had a weight below .01 in some super-epoch{why}. "
        f"Mean accuracy of the online version: {', '.join(f'{k} such a super-epoch {v:.3f}' for k, v in two.items())}. Its lowest seed: {scores['G-Blend online'].min():.3f}."
    ))  # fmt: skip

# %% [markdown]
# What becomes of a joint head that has no loss? **Control**, added after the numbers above were seen: train jointly for one super-epoch, then one in which the picture has all the weight, with Adam as everywhere here and with Adam
# without weight decay. **Look for** the head's norm: does it stay as it is while the encoders move on?


# %%
def without_joint_loss(world, seed, **options):
    """Accuracy of the joint head before and after a super-epoch without a joint loss, and the share of its norm that is left."""
    model = av_late.build(seed)
    batches = late.shuffled(world.train.inputs, world.train.label, 50, seed)
    found = []
    for way, start, length, more in (
        (late.Joint(), 0, size.online[0], {}),
        (late.Blended({"image": 1.0, "audio": 0.0, "joint": 0.0}), size.online[0], size.online[-1], options),
    ):
        later = lambda epoch, start=start: batches(start + epoch)  # noqa: E731
        late.fit(model, later, way, epochs=length, seed=seed, progress=False, **more)
        norm = sum(value.detach().square().sum().item() for value in model.head.parameters()) ** 0.5
        found.append((av_late.accuracy(av_late.logits_of(model, world)["joint"], world.test.label), norm))
    return {"before": found[0][0], "after": found[1][0], "norm left": found[1][1] / found[0][1]}


if measured:
    plain = {"optimiser": lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True)}
    idle = {name: pd.DataFrame([without_joint_loss(world, seed, **more) for world, seed in zip(worlds, SEEDS, strict=True)]) for name, more in (("Adam, as everywhere here", {}), ("Adam without weight decay", plain))}  # fmt: skip
    rows = [{"optimiser": name, **frame.mean()} for name, frame in idle.items()]
    display(run.table(rows, caption="A super-epoch without a joint loss: accuracy of the joint head before and after, share of its norm that is left; mean over seeds"))  # fmt: skip
    cost = [compare(None, frame["after"] - frame["before"]) for frame in idle.values()]
    display(run.say(
        f"**Seen.** {size.online[-1]} epochs without a joint loss change the joint head's accuracy by {in_points(cost[0])} points ({told(cost[0])}), without weight decay by {in_points(cost[1])} ({told(cost[1])}). "
        f"Of the head's norm {rows[0]['norm left']:.2f} and {rows[1]['norm left']:.2f} are left: Adam divides by the size of the gradient, and where weight decay is all there is, it shrinks the head at full rate. "
        "So a weight of 0 does more here than leave a loss out, and the online version's failures say little about the paper's, which was trained with SGD."
    ))  # fmt: skip

# %% [markdown]
# ### A modality that hurts, and when it does not
# Now the sounds exchanged at random: which one comes with a picture tells nothing about it. **Expect** naive joint training to learn it by heart and lose against the picture alone; G-Blend should notice, give the
# useless modality next to no weight, and lose less.

# %%
if worlds:
    rows = []
    for world, seed in zip(worlds, SEEDS, strict=True):
        rng, parts = np.random.default_rng(8000 + seed), []
        for part in (world.train, world.validation, world.test):
            order = torch.from_numpy(rng.permutation(len(part)).copy())
            parts.append(av_digits.Split(part.image, part.audio[order], part.label, part.seen, part.heard[order], part.speaker[order]))  # fmt: skip
        useless = av_digits.AvDigits(*parts, world.rule)
        label, now = useless.test.label, measure(useless, seed)
        w = blending.weights(now["points"])
        model, _ = av_late.train(useless, late.Blended(w), seed, epochs=size.epochs)
        row = {"picture alone": av_late.logits_of(now["alone"], useless)["image"], "naive joint": av_late.logits_of(now["joint"], useless)["joint"], "G-Blend": av_late.logits_of(model, useless)["joint"]}  # fmt: skip
        rows.append({name: av_late.accuracy(logits, label) for name, logits in row.items()} | {"weight of the sound": w["audio"], "G of the sound": blending.ogr(*now["points"]["audio"]).generalising})  # fmt: skip
    with_useless = pd.DataFrame(rows)
    run.record("blend.useless-weight", with_useless["weight of the sound"].mean(), n=len(SEEDS))
    hurt = compare("blend.useless-hurts", with_useless["naive joint"] - with_useless["picture alone"])
    saved = compare("blend.useless-blend", with_useless["G-Blend"] - with_useless["naive joint"])
    real, gain = compare(None, naive - scores["picture alone"]), with_useless["G of the sound"]
    table = with_useless.describe().loc[["mean", "std"]]
    display(run.table(table, caption="A modality that tells nothing: test accuracy over seeds"))
    display(run.say(
        f"**Seen.** The useless sound changes naive joint training by {in_points(hurt)} points against the picture alone ({told(hurt)}), the real one, which overfits as well, by {in_points(real)} ({told(real)}). "
        f"The useless sound's $G$ is {gain.mean():+.2f} in the mean, not above 0 in {(gain <= 0).sum()} of {len(SEEDS)} seeds; its weight is {with_useless['weight of the sound'].mean():.3f}. G-Blend changes the joint head by {in_points(saved)} ({told(saved)}). "
        "That head still sees the sound: a weight of 0 stops the sound's own loss, not its path into the joint one."
    ))  # fmt: skip
    display(run.say(
        f"A weight near 0 does not tell a useless modality from an overfitting one: the real sound, right in {100 * scores['sound alone'].mean():.0f} % of cases alone, gets {mean_weights['audio']:.3f}."
    ))  # fmt: skip

# %% [markdown]
# ### As published, beside ours
# Kinetics, top-1 accuracy of video in %, and our small world. The paper is not consistent about naive audio + RGB: 71.4 in table 1, 71.7 elsewhere.

# %%
rows = []
for what in ("best", "naive", "blend"):
    row = {"": {"best": "best single modality", "naive": "naive joint", "blend": "G-Blend offline"}[what]}
    row |= {pair: published.look_up(f"blending.kinetics.{key}.{what}").value for pair, key in (("A + RGB", "audio-rgb"), ("RGB + flow", "rgb-flow"), ("A + flow", "audio-flow"), ("all", "all"))}  # fmt: skip
    ours = {"best": best, "naive": naive, "blend": offline}[what] if measured else pd.Series([np.nan])
    rows.append(row | {"ours: AV-digits": f"{100 * ours.mean():.1f}" if measured else "–"})
display(run.table(rows, caption="Paper, table 1, and ours", digits=1))
names = {"online": "G-Blend online", "offline": "G-Blend offline", "dropout": "dropout", "pretrain": "pre-training", "early": "early stopping", "auxiliary": "equal weights"}  # fmt: skip
run.table([{"training, A + RGB": name, "Kinetics, % (naive 71.7)": published.look_up(f"blending.ablation.{key}").value} for key, name in names.items()], caption="Other ways, as published", digits=1)  # fmt: skip

# %%
if measured:
    auxiliary = compare(None, scores["equal weights"] - naive)
    verdict = {"better": "ours beat it", "worse": "ours lose, too", "not shown": "ours are not shown to differ"}[told(auxiliary)]  # fmt: skip
    display(run.say(
        f"**Seen.** Equal weights, the plainest remedy, reach {published.look_up('blending.ablation.auxiliary').value} in the paper, less than naive joint training; {verdict}: {in_points(auxiliary)} points."
    ))  # fmt: skip

# %% [markdown]
# The profile `paper` repeats the offline estimate with ResNet-18 on two folders of clips, CREMA-D (six emotions) and the half of UCF-101 that has sound; the schedule stands in the table of sizes.


# %%
FOLDERS = {
    "crema": ("CREMA-D: 7,442 clips, 3 GB, ODbL 1.0, to be put into the folder crema-d", audio_visual.crema_d),
    "ucf": ("UCF-101: 13,320 clips, 6.5 GB, for research, to be put into the folder ucf-101", audio_visual.ucf_101),
}


def on_clips(name, what, load):
    """Test accuracies of naive joint training and G-Blend offline on one folder of clips."""
    if not size.clips:
        raise mmnb.DataUnavailable(f"Clips are trained in the profile `paper` only, on a GPU in a day. {what}")
    clips, options = load(), size.clips["train"]
    splits = ("train", "validation", "test")
    read, held_out, test = (late_resnet.batches(clips, s, seed=SEED, **size.clips["read"]) for s in splits)
    start = late_resnet.build(len(clips.classes), SEED)
    steps = {"optimiser": late_resnet.sgd, "schedule": late_resnet.step_down(**options)}
    weights = blending.weights(late.estimate(start, read, lambda: held_out(0), options["epochs"], seed=SEED, **steps))
    found = {f"weight {head}": weight for head, weight in weights.items()}
    for kind, objective in (("joint", late.Joint()), ("G-Blend", late.GradientBlending(weights))):
        file = run.out / f"{name}-{kind}.safetensors"
        model = late_resnet.train(read, objective, classes=len(clips.classes), seed=SEED, checkpoint=file, **options)
        found[kind] = late_resnet.accuracies(model, test)["joint"]
    return found


resnet = []
for name, (what, load) in FOLDERS.items():
    found = run.need(lambda args=(name, what, load): on_clips(*args), claims=[f"blend.{name}"])
    if found:
        run.record(f"blend.{name}", found["G-Blend"] - found["joint"], n=1)
        resnet.append({"clips": name} | found)
run.table(resnet, caption="ResNet-18 on clips, test accuracy and weights") if resnet else None

# %% [markdown]
# ## Negative controls
# Stated before the run.
#
# 1. **Uneven batches**: cutting one set of examples into batches of 1, 7 and the rest changes neither $O$ nor $G$. (Means of batch means would, and so would the sums of mistake 3.)
# 2. **Swapped weights** (sound gets the picture's weight, recorded above) must do worse than the right ones, if the weights mean anything.
# 3. **Nothing generalised**: there is no answer, and it must be an error, not NaN.

# %%
if measured:
    model, part = measured[0]["joint"], worlds[0].validation
    cuts = {}
    for borders in ([len(part)], [1, 8, len(part)], [250, 499, len(part)]):
        ends = list(zip([0, *borders], borders, strict=False))
        cuts[str(borders)] = late.mean_losses(model, [({m: x[i:j] for m, x in part.inputs.items()}, part.label[i:j]) for i, j in ends])["joint"]  # fmt: skip
    run.record("blend.batches", max(cuts.values()) - min(cuts.values()), n=3)
hopeless = {"modality 1": (Losses(*START), Losses(0.1, 2.5)), "modality 2": (Losses(*START), Losses(1.9, 2.1))}
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
# <details><summary>Hint 1</summary>A batch of 50 examples must count fifty times as much as a batch of one.</details>
# <details><summary>Right for equal batches only?</summary>Divide by the number of examples, not of batches.</details>


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
# Write `blend(before, after)`: two (models, 2) arrays, columns training and held-out loss. Return the weights, one for each model, sum 1; a model that got worse on held-out data weighs 0, $|\Delta O|$ counts as at least 0.001.
#
# <details><summary>Hint 1</summary>ΔO is the change of held-out minus training loss; G the fall of the held-out loss.</details>
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
# **Goal:** see that the weights are the minimum (the table below the check, on the curves made by hand). **Difficulty** 3 of 3 · **minutes** 25
#
# Write `expected_ratio(w, g, s)`: weights, gains $G_i$ and standard deviations $s_i$ of uncorrelated overfitting terms with mean 0; return $E[(\sum_iw_ie_i/\sum_iw_ig_i)^2]$.
#
# <details><summary>Hint 1</summary>The denominator is fixed. What is the variance of a weighted sum of uncorrelated numbers?</details>
# <details><summary>Off by a constant factor in w?</summary>The ratio must not change when all weights are doubled.</details>


# %% tags=["exercise-07c"]
def expected_ratio(w, g, s):
    """Expected squared overfitting-to-generalising ratio of a blended step."""
    # BEGIN SOLUTION
    return (w**2 * s**2).sum() / (w * g).sum() ** 2
    # END SOLUTION


mmnb.exercises.check("07c", expected_ratio)

# %%
by_formula = mmnb.exercises.registered()["07c"].reference  # what 07c asks for, as the package computes it
hand = [blending.ogr(*pair) for pair in points.values()]
g, s = np.array([m.generalising for m in hand]), np.array([m.overfitting for m in hand])
drawn = np.random.default_rng(SEED).dirichlet(np.ones(len(g)), 10_000)
at = {"G / ΔO²": by_formula(g / s**2, g, s), "equal": by_formula(np.ones(len(g)), g, s)}
at |= {f"best of {len(drawn):,} at random": min(by_formula(w, g, s) for w in drawn)}
rows = [{"weights": name, "expected squared ratio": value} for name, value in at.items()]
run.table(rows, caption="07c on the curves made by hand: are the weights the minimum?", digits=5)

# %% [markdown]
# ## Limits and what we changed
# * **Small and artificial.** 300 pairs of tiny pictures and recordings, paired at random within a class; two-layer encoders, one linear layer as head (the paper: ResNet3D-50 and ResNet-50, two layers). The picture is far better than the sound; in Kinetics the gap is smaller. Kinetics' numbers stand beside ours, not against them.
# * **Held out means other speakers.** Validation has one unheard speaker, so the sound's held-out loss says how it transfers to *him*. This is harsher than a random hold-out: the sound always generalises little for how much it overfits, in some seeds its $G$ is below 0, and on average where it tells nothing. There the sign rule decides, not the formula.
# * **What the intervals cover.** Trainings and pairings, not speakers or pictures: every seed draws its pairs from the same few hundred pictures and the recordings of the same speakers, two in testing (counted under *Data*). With other speakers the results may differ by more than the intervals say.
# * **Adam, no tuning.** Same rate and epochs for all; the paper shows smaller and larger gains with other optimisers. The online version starts a new optimiser in every super-epoch, and Adam's weight decay shrinks whatever head has weight 0 (the control above); SGD would do so far more slowly. The offline estimate runs over the whole training, long after the sound has overfitted; a shorter one would give it more weight.
# * **Our decisions** on $G\le0$ and the floor are not the paper's; its estimation code was never released. Online, the joint loss has next to no weight in some super-epochs: where its $G$ is not above 0, which is our decision, and where the picture's $\Delta O$ is so near 0 that $1/\Delta O^2$ leaves nothing for the others, which is the formula's, and our floor too low to stop it. How the paper's code treats either is unknown. Which head it tests is not certain in what we read; ours is the joint one.
# * **One seed more.** With another `SEED`, that is ten other trainings, all verdicts stayed but one: against equal weights G-Blend was then not shown to be better. Small gains over auxiliary losses need more than ten seeds.
# * **Not here.** Kinetics, mini-Sports, AudioSet, EPIC-Kitchens; LMF and other fusions; accuracy in place of loss.
#
# ## References
# * Wang, Tran & Feiszli 2020, CVPR, [arXiv 1905.12681](https://arxiv.org/abs/1905.12681); tutorial: [VMZ, gradient blending](https://github.com/facebookresearch/VMZ).
# * Du et al. 2023, ICML (notebook 06); Liang et al. 2021, *MultiBench*, whose gradient blending is one of the public versions; BalanceMM's is another.
# * Data: Alpaydin & Kaynak 1998 (digits); Jackson et al. 2018, Free Spoken Digit Dataset; Cao et al. 2014, CREMA-D.
#
# ## Environment

# %%
run.environment()
