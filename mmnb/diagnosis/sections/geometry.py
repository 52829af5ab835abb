"""Geometry of a shared space: is it shared, and does the gap cost anything? Its size alone is no fault."""

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import Measured
from mmnb.diagnosis.parts import NotMeasured, joined, row, section
from mmnb.instruments import gap
from mmnb.instruments.estimate import Estimate
from mmnb.instruments.inputs import labels
from mmnb.instruments.resampling import bootstrap, bootstrap_means, estimate_of, influence_estimate

_NEIGHBOURS, _POPULAR, _MOST = 10, 0.05, 5000


def geometry(m: Measured) -> dict[str, Any]:
    """Gap, cones, rank, retrieval both ways, neighbours, and what centring changes in a task."""
    if m.embeddings is None:
        raise NotMeasured("embeddings of all modalities in one space: a dual encoder, or Embeddings(image=, text=)")
    kept = torch.arange(min(m.n, _MOST))
    group = None if m.group is None else m.group[: len(kept)]
    unit = {name: gap.normalize(x[kept]) for name, x in m.embeddings.items()}
    rows: dict[str, Any] = {}
    notes = ["Recall: the true partner is nearest; a tie is a miss. " "Centred: each " "modality's mean, " "of the other " "half of the examples, taken off.",
             "Mutual neighbours: overlap of the 10 nearest in either space, 0 for shuffled pairs and 1 for the same neighbours."]  # fmt: skip
    if m.n > _MOST:
        notes.append(f"The first {_MOST:,} examples.")
    for one, other in combinations(unit, 2):
        rows |= _of_pair(m, one, other, unit[one], unit[other], group)
    for name, x in unit.items():
        spread = torch.linalg.svdvals(x - x.mean(0)).square()
        share = spread[spread > 0] / spread.sum()
        rank = float(torch.exp(-(share * share.log()).sum())) / min(x.shape[1], len(x) - 1)
        rows[f"mean cosine within {name}"] = gap.average_cosine(x, diagonal=False)
        rows[f"effective rank of {name}, of what it could be"] = rank
        if rank < threshold("narrow"):
            m.alerts.append(
                alert("narrow", f"{name} uses few directions: effective rank {rank:.0%} of what it could be", rank)
                | {"side": name}
            )
    clusters = _clusters(m, unit, group)
    rows |= clusters
    whole = (
        joined(
            f"{name} {value.value if isinstance(value, Estimate) else value:.2f}"
            for name, value in list(rows.items())[:3]
        )
        + "."
    )
    pooled = torch.cat(list(unit.values()))
    centred = pooled - pooled.mean(0)
    axes = torch.linalg.svd(centred[:: max(1, len(centred) // 1000)], full_matrices=False)[2][:2]
    some = torch.linspace(0, len(kept) - 1, min(150, len(kept))).long()
    series = {name: ((x[some] - pooled.mean(0)) @ axes.T).tolist() for name, x in unit.items()}
    figures = [
        {
            "kind": "scatter",
            "series": series,
            "label": "first principal component",
            "alt": "First two principal components of " + joined(unit),
        }
    ]
    tasks = [row(name, e) for name, e in rows.items() if isinstance(e, Estimate)]
    if tasks:
        alt = "Tasks: " + joined(f"{line['name']} {line['value']:.2f}" for line in tasks)
        figures.append({"kind": "dots", "rows": tasks, "lines": [{"name": "", "value": 0.0}], "alt": alt})
    return section("geometry", "", "", f"{whole[0].upper()}{whole[1:]}", rows=rows, figures=figures, notes=notes)


def _of_pair(m: Measured, one: str, other: str, x: Tensor, y: Tensor, group: Any) -> dict[str, Any]:
    n, name = len(x), f"{one} and {other}"
    centred = _centred(x), _centred(y)
    found: dict[str, Any] = {f"gap of {name}": gap.modality_gap(x, y), "relative gap": gap.relative_gap(x, y)}
    for query, items, before, after in ((one, other, (x, y), centred), (other, one, (y, x), (centred[1], centred[0]))):
        hits = torch.stack([_first(*pair) for pair in (before, after)], 1).double().numpy()
        draws = bootstrap_means(hits, group, resamples=1000, seed=m.seed)
        found[f"{query} finds its {items}"] = estimate_of(hits[:, 0].mean(), draws[:, 0], n)
        change = estimate_of(hits[:, 1].mean() - hits[:, 0].mean(), draws[:, 1] - draws[:, 0], n)
        found[f"{query} finds its {items}: centred less as it is"] = change
        _cost(m, f"finding {items} by {query}", change)
        nearest = (before[0] @ before[1].T).argmax(1).bincount(minlength=n).sort(descending=True).values
        hubs = float(nearest[: max(1, round(_POPULAR * n))].sum()) / n
        found[f"answers that are one of the 5 % most popular {items}"] = hubs
        if hubs > threshold("hubs"):
            m.alerts.append(
                alert(
                    "hubs",
                    f"{hubs:.0%} of the queries by {query} find one of the 5 % most popular items of {items}",
                    hubs,
                )
                | {"side": items}
            )
    same = _mutual(x, y)
    null = float(_mutual(x, y[torch.randperm(n, generator=torch.Generator().manual_seed(m.seed))]).mean())
    calibrated = (same - null) / (1 - null)
    found[f"mutual neighbours of {name}"] = influence_estimate(
        calibrated.mean().item(), (calibrated - calibrated.mean()).numpy(), group
    )
    return found


def _cost(m: Measured, task: str, change: Estimate) -> None:
    """Centring that improves a task: the gap has a price there."""
    if change.low is not None and change.low > threshold("gap-costs"):
        m.alerts.append(
            alert("gap-costs", f"the gap costs {change.value:.2f} in {task}: centring gives it back", change)
        )


def _centred(x: Tensor) -> Tensor:
    """Each half less the mean of the other, normalised: no example helps to set its own centre."""
    half = torch.arange(len(x)) % 2
    means = torch.stack([x[half == 1 - k].mean(0) for k in (0, 1)])
    return torch.nn.functional.normalize(x - means[half], dim=1)


def _first(x: Tensor, y: Tensor) -> Tensor:
    """Whether row i of y is nearest to row i of x, ties missed."""
    similarity = x @ y.T
    own = similarity.diagonal()
    return (similarity >= own[:, None]).sum(1) == 1


def _mutual(x: Tensor, y: Tensor) -> Tensor:
    """Share of the nearest neighbours that an example has in both spaces, (n,)."""
    k = min(_NEIGHBOURS, len(x) - 1)
    near = [
        torch.zeros(len(x), len(x), dtype=torch.bool).scatter_(1, (z @ z.T).fill_diagonal_(-2).topk(k, 1).indices, True)
        for z in (x, y)
    ]
    return (near[0] & near[1]).sum(1).double() / k


def _clusters(m: Measured, unit: dict[str, Tensor], group: Any) -> dict[str, Any]:
    """V-measure of clusters of all modalities together against the labels, before and after centring."""
    if m.y is None or np.ndim(m.y) != 1 or len(np.unique(m.y)) > 50:
        return {}
    from sklearn.cluster import KMeans  # here: a second to import
    from sklearn.metrics import v_measure_score

    y = labels(m.y, "geometry: y")[0][: len(next(iter(unit.values())))]
    count, truth = int(y.max()) + 1, np.tile(y, len(unit))
    spaces = [torch.cat(list(unit.values())).numpy(), torch.cat([_centred(x) for x in unit.values()]).numpy()]
    said = [KMeans(max(2, count), n_init=3, random_state=m.seed).fit_predict(space) for space in spaces]
    values = [float(v_measure_score(truth, one)) for one in said]
    n, rows = len(y), len(truth)

    def measured(index: np.ndarray) -> list[float]:
        every = (index[:, None] + n * np.arange(rows // n)).ravel()
        return [v_measure_score(truth[every], one[every]) for one in said]

    draws = bootstrap(measured, n, group, resamples=100, seed=m.seed)
    change = estimate_of(values[1] - values[0], draws[:, 1] - draws[:, 0], n)
    _cost(m, "clustering all modalities together (V-measure)", change)
    return {
        "V-measure of joint clusters": estimate_of(values[0], draws[:, 0], n),
        "V-measure: centred less as it is": change,
    }
