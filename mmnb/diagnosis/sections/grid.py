"""What else the mixed pairs tell: shares, reliance, conflict."""

from typing import Any

import numpy as np
import torch

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import MODEL, USUAL, Measured
from mmnb.diagnosis.parts import NotMeasured, joined, section, show
from mmnb.instruments import reliance as instruments
from mmnb.instruments.reliance.accumulators import BINS
from mmnb.instruments.resampling import influence_estimate


def shares(m: Measured) -> dict[str, Any]:
    """Analysis of variance of the grid; InterSHAP for comparison."""
    first, figures, notes = m.first, [], []
    if m.many is not None:
        parts = {" × ".join(names): share for names, share in m.many.shares.items()}
        interaction = 1 - sum(share for names, share in m.many.shares.items() if len(names) == 1)
        scores = {f"order {k}": share for k, share in m.many.shares_of_orders.items()}
    else:
        a, b = m.both
        found = first.emap.shares
        parts = {a: found["a"], b: found["b"], "interaction": found["interaction"]}
        interaction, scores = found["interaction"], {}
        inter = instruments.inter_shap(first.others, first.true, first.emap)
        scores = {
            "InterSHAP on probabilities, as published": inter["probabilities"],
            "InterSHAP on logits": inter["logits"],
        }
        if inter["probabilities"] - inter["logits"] > threshold("softmax"):
            what = (
                f"on probabilities InterSHAP says {inter['probabilities']:.0%}, on logits "
                f"{inter['logits']:.0%}: the difference is the softmax"
            )
            m.alerts.append(alert("softmax", what, inter["probabilities"] - inter["logits"]))
        each = first.emap.interaction_score.numpy()
        edges = np.linspace(0, max(float(np.quantile(each, 0.99)), 1e-12), 21)
        counts = np.histogram(np.clip(each, 0, edges[-1]), edges)[0]
        alt = f"Interaction per example: median {np.median(each):.2f}, mean {each.mean():.2f} of the grid's variance"
        figures = [
            {
                "kind": "histogram",
                "edges": edges.tolist(),
                "series": {"examples": counts.tolist()},
                "label": "interaction over the grid's variance",
                "alt": alt,
            }
        ]
    gap = m.gain()
    if interaction > threshold("unused") and gap is not None and gap.low is not None and gap.low <= 0:
        what = f"{interaction:.0%} of the output's variation is interaction, but no gain in the metric comes from it"
        m.alerts.append(alert("unused", what, interaction))
    bars = [{"parts": [{"name": name, "value": share} for name, share in parts.items()]}]
    alt = "Shares: " + joined(f"{name} {share:.1%}" for name, share in parts.items())
    whole = f"{interaction:.1%} of the scores' variation over all pairs is interaction; no labels are used."
    if m.matches:
        notes.append("One score a pair: the share of a side is how much some of its items match everything (hubness).")
    notes.append(
        "Shares of the squared deviations from the grand mean over all pairs, outputs pooled; on the "
        "scores as the model gives them."
    )
    return section(
        "shares",
        "",
        "",
        whole,
        rows={"interaction": interaction} | {n: v for n, v in parts.items() if n != "interaction"} | scores,
        figures=[{"kind": "stack", "bars": bars, "alt": alt}, *figures],
        notes=notes,
    )


def reliance(m: Measured) -> dict[str, Any]:
    """Accuracy and bits that each side is worth."""
    y, rows, bits, gains = m.codes, {}, {}, {}
    if m.given:
        log = {
            name: _log_probabilities(scores)[torch.arange(m.n), y] / np.log(2)
            for name, scores in m.given.items()
            if name != USUAL
        }
        bits = {name: log[MODEL] - log[f"without {name}"] for name in m.names}
        gains = {name: influence_estimate(x.mean().item(), (x - x.mean()).numpy(), m.group) for name, x in bits.items()}
    for name, (one, side) in m.views.items():
        if one.predictions is None:
            raise NotMeasured("at most 16,000 examples: the table of predictions is held in memory")
        if side == "a":
            found = instruments.from_pass(one.predictions, one.others, one.true, one.emap, y, m.group)
        rows[f"lost when {name} is exchanged"] = found.perceptual[side]
        if len(m.names) == 2:
            rows[f"Shapley value of {name}"] = found.shapley[side]
        bits[name], gains[name] = found.bits[side], found.gain[side]
    if m.views and len(m.names) == 2:
        rows["synergy"] = found.shapley["synergy"]
    rows |= {f"bits from {name}": e for name, e in gains.items()}
    few = {name: float((x < 0.1).double().mean()) for name, x in bits.items()}
    wrong = {name: float((x < -0.1).double().mean()) for name, x in bits.items()}
    rows |= {f"examples with < 0.1 bit from {name}": share for name, share in few.items()}
    rows |= {f"examples misled by {name} (< -0.1 bit)": share for name, share in wrong.items()}
    for name in bits:
        if few[name] > threshold("few-bits"):
            m.alerts.append(
                alert("few-bits", f"{few[name]:.0%} of the examples gain less than 0.1 bit from {name}", few[name])
                | {"side": name}
            )
        if wrong[name] > threshold("misled"):
            m.alerts.append(
                alert(
                    "misled",
                    f"{name} lowers the probability of the right answer in {wrong[name]:.0%} of the examples",
                    wrong[name],
                )
                | {"side": name}
            )
    m.extras["bits"] = bits
    ends = np.quantile(torch.cat(list(bits.values())).numpy(), [0.01, 0.99])
    edges = np.linspace(ends[0], max(ends[1], ends[0] + 1e-9), 25)
    series = {
        f"bits from {name}": np.histogram(np.clip(x.numpy(), *ends), edges)[0].tolist() for name, x in bits.items()
    }
    alt = "Information about the right answer per example: " + joined(
        f"{name} {gains[name].value:.2f} bits on average" for name in bits
    )
    whole = "Given the rest, " + joined(f"{name} is worth {show(gains[name], '.2f')} bits" for name in bits) + "."
    notes = [
        "Bits: log2 of the probability of the right answer with the example's own item, less that "
        "averaged over other items.",
        "Exchanged: accuracy lost with another example's item, over all of them; one random permutation "
        "is a noisy estimate of it.",
    ]
    return section(
        "reliance",
        "",
        "",
        whole,
        rows=rows,
        figures=[{"kind": "histogram", "edges": edges.tolist(), "series": series, "label": "bits", "alt": alt}],
        notes=notes,
    )


def conflict(m: Measured) -> dict[str, Any]:
    """Preference in mixed pairs whose sides disagree, beside the additive twin's; and whether mixed pairs look odd."""
    (a, b), one = m.both, m.first
    if one.predictions is None:
        raise NotMeasured("at most 16,000 examples: the table of predictions is held in memory")
    if m.matches:
        raise NotMeasured("classes: a score of how well two items match predicts none")
    found = instruments.conflict(one.predictions, one.emap, m.group)
    odd = instruments.surprise(one.others, one.true, m.group)
    m.extras["conflict"] = found.per_example
    winner = a if found.preference.value > 0.5 else b
    share, excess = (
        (found.preference, found.excess) if winner == a else (-1 * (found.preference - 1.0), -1 * found.excess)
    )
    rows = {
        f"follows {winner}, where it follows one": share,
        "the additive twin": found.additive.value if winner == a else 1 - found.additive.value,
        "more than the twin": excess,
    }
    rows |= {
        f"follows {a}": found.follows["a"],
        f"follows {b}": found.follows["b"],
        "follows neither": found.follows["neither"],
    }
    rows |= {"uncertainty of true pairs": odd.true, "uncertainty of mixed pairs": odd.mixed, "change": odd.change}
    if share.value > threshold("one-side") and excess.low is not None and excess.low > 0:
        m.alerts.append(
            alert(
                "one-side",
                f"where the sides disagree it follows {winner} in {share.value:.0%}, more than the sizes "
                "of the two sides explain",
                share,
            )
            | {"side": winner}
        )
    if odd.change.low is not None and odd.change.low > 0 and odd.change.value > threshold("odd"):
        m.alerts.append(
            alert(
                "odd",
                f"mixed pairs look odd to the model: its uncertainty rises from {odd.true.value:.2f} to "
                f"{odd.mixed.value:.2f}, so means over partners may mislead",
                odd.change,
            )
        )
    parts = [
        {"name": name, "value": found.follows[side].value}
        for name, side in ((a, "a"), (b, "b"), ("neither", "neither"))
    ]
    alt = f"In {found.cells:,} conflicts it follows " + joined(f"{p['name']} in {p['value']:.0%}" for p in parts)
    series = {"true pairs": odd.bins_true.tolist(), "mixed pairs": odd.bins_mixed.tolist()}
    figures = [{"kind": "stack", "bars": [{"parts": parts}], "alt": alt}]
    figures.append(
        {
            "kind": "histogram",
            "edges": np.linspace(0, 1, BINS + 1).tolist(),
            "series": series,
            "label": "entropy over its greatest",
            "alt": f"Uncertainty: true pairs {odd.true.value:.2f}, mixed pairs {odd.mixed.value:.2f}",
        }
    )
    whole = (
        f"In {found.cells:,} mixed pairs whose sides predict different answers it follows {winner} in "
        f"{show(share, '.2f')} of the cases with a winner."
    )
    return section(
        "conflict",
        "",
        "",
        whole,
        rows=rows,
        figures=figures,
        notes=[
            "The additive twin decides by the sizes of the two sides alone: only what exceeds it is a "
            "preference. Uncertainty: entropy over log(outputs)."
        ],
    )


def _log_probabilities(scores: torch.Tensor) -> torch.Tensor:
    return (scores if scores.shape[1] > 1 else torch.nn.functional.pad(scores, (1, 0))).log_softmax(-1)
