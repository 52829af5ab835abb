"""Minimal pairs: two examples whose four combinations have two right ones."""

from typing import Any

import torch

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import Measured
from mmnb.diagnosis.parts import NotMeasured, row, section, show
from mmnb.instruments.reliance import minimal_pairs
from mmnb.instruments.reliance.pairs import CHANCE


def partners(pair: Any, n: int) -> torch.Tensor:
    """The other example of each pair, (n,). Raises ValueError unless every label occurs twice."""
    counts = torch.as_tensor(pair).bincount()
    if (counts != 2).any():
        raise ValueError(f"Data: pair: got labels that occur {sorted(set(counts.tolist()))} times; expected each twice")
    order = torch.as_tensor(pair).argsort(stable=True)
    partner = torch.empty(n, dtype=torch.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def pairs(m: Measured) -> dict[str, Any]:
    """Text, image and group score with two nulls."""
    if getattr(m.data, "pair", None) is None:
        raise NotMeasured("minimal pairs: Data(pair=), where each label occurs twice")
    (a, b), one = m.both, m.first
    if one.picked is None:
        raise NotMeasured("all mixed pairs: a sample of partners need not hold the minimal pair's")
    own, other = one.emap.original, one.picked.outputs.cpu()
    if own.shape[1] > 2:
        raise NotMeasured(f"a score of how well two items match, or two outputs (no, yes); got {own.shape[1]}")
    own, other = (x[:, -1] - (x[:, 0] if x.shape[1] == 2 else 0) for x in (own, other))
    partner = one.picked.partner.cpu()
    first = torch.arange(m.n)[torch.arange(m.n) < partner]
    second = partner[first]
    # row i of `other` is a_i with its partner's b
    scores = torch.stack([own[first], other[first], other[second], own[second]], 1).view(-1, 2, 2)
    found = minimal_pairs(scores)
    rows = {"group score": found.group, f"right {a} for each {b}": found.a, f"right {b} for each {a}": found.b}
    if found.group.low <= threshold("no-binding"):
        m.alerts.append(
            alert(
                "no-binding",
                f"all four choices are right in {found.group.value:.0%} of the minimal pairs: not shown "
                "to be above chance",
                found.group,
            )
        )
    nulls = [{"name": "additive", "value": 0.0}, {"name": "chance, group", "value": CHANCE["group"]}]
    figure = {
        "kind": "dots",
        "rows": [row(name, e) | {"colour": k} for k, (name, e) in enumerate(rows.items())],
        "lines": nulls,
        "label": "share of minimal pairs",
    }
    figure["alt"] = f"Group score {found.group.value:.2f}; an additive model has 0, chance is 1/6"
    notes = [
        "An additive model has a group score of exactly 0, and one that reads a single side has 0 in all "
        "three: chance (1/4, 1/4, 1/6) is no null for 'it uses both'."
    ]
    whole = f"In {show(found.group, '.2f')} of {len(scores)} minimal pairs all four choices are right."
    return section("pairs", "", "", whole, rows=rows, figures=[figure], notes=notes)
