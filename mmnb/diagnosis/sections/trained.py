"""Sections that train something small: what the data hold, and what a model's encoders learnt."""

import importlib.util
from typing import Any

import numpy as np

from mmnb.diagnosis.alerts import alert, threshold
from mmnb.diagnosis.measured import Measured
from mmnb.diagnosis.parts import NotMeasured, joined, row, section, show
from mmnb.instruments import information, laziness
from mmnb.instruments.inputs import labels
from mmnb.instruments.resampling import bootstrap_means, estimate_of

_COMPONENTS, _SHUFFLES = 8, 3
_BITS = 1 / np.log(2)


def data(m: Measured) -> dict[str, Any]:
    """Bits about y in each side and in both, by two kinds of classifier, with a shuffled null; and exact PID of clusters."""
    a, b = m.both
    if m.features is None:
        raise NotMeasured("features: numbers for both modalities, a dual encoder, or Embeddings")
    if m.y is None:
        raise NotMeasured("labels: y=")
    y = labels(m.y, "data: y", m.n, fewest=5)[0]
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x = [
        PCA(min(_COMPONENTS, *f.shape), random_state=m.seed).fit_transform(f.reshape(m.n, -1))
        for f in m.features.values()
    ]
    x = [part / (part.std(0) + 1e-12) for part in x]
    products = (x[0][:, :, None] * x[1][:, None]).reshape(m.n, -1)
    estimators = {
        "logistic": (LogisticRegression(C=0.1, max_iter=500), [x[0], x[1], np.hstack([*x, products])]),
        "forest": (RandomForestClassifier(40, min_samples_leaf=3, random_state=m.seed), [x[0], x[1], np.hstack(x)]),
    }
    rows: dict[str, Any] = {}
    totals, gains = {}, {}
    shuffled = np.random.default_rng(m.seed).permutation(y)
    for kind, (classifier, inputs) in estimators.items():
        losses = (
            np.stack(
                [information.held_out_losses(part, y, classifier, seed=m.seed, progress=False) for part in inputs], 1
            )
            * _BITS
        )
        null = information.held_out_losses(inputs[2], shuffled, classifier, seed=m.seed, progress=False).mean() * _BITS
        before = information.entropy(np.bincount(y) / m.n) * _BITS
        terms = np.stack(
            [
                before - losses[:, 0],
                before - losses[:, 1],
                before - losses[:, 2],
                losses[:, 1] - losses[:, 2],
                losses[:, 0] - losses[:, 2],
            ],
            1,
        )
        names = (f"{a}", f"{b}", "both", f"{a} given {b}", f"{b} given {a}")
        draws = bootstrap_means(terms, m.group, resamples=1000, seed=m.seed)
        found = {name: estimate_of(terms[:, k].mean(), draws[:, k], m.n) for k, name in enumerate(names)}
        rows |= {f"bits in {name} ({kind})": e for name, e in found.items()}
        rows[f"bits in both, labels shuffled ({kind})"] = before - null
        totals[kind], gains[kind] = found["both"], (found[f"{a} given {b}"], found[f"{b} given {a}"])
    one, other = totals.values()
    if one.low > other.high or other.low > one.high:
        m.alerts.append(
            alert(
                "estimators",
                f"two estimators disagree on the bits in both: {show(one, '.2f')} and {show(other, '.2f')}",
            )
        )
    weaker = [min(some, key=lambda e: e.value) for some in gains.values()]
    if all(e.low <= 0 for e in weaker):
        m.alerts.append(
            alert(
                "nothing",
                "the data may not ask for both sides: neither estimator finds that the weaker one adds "
                f"bits ({show(weaker[0], '.2f')})",
                weaker[0],
            )
        )
    notes = [
        "Upper bounds of what a small classifier can use of the first 8 principal components, held out "
        "in 5 folds; a larger one may find more."
    ]
    rows |= _atoms(m, x, y, (a, b), notes)
    lines = [row(name, e) | {"colour": int("forest" in name)} for name, e in rows.items() if "bits in" in name]
    figure = {
        "kind": "dots",
        "rows": lines,
        "label": "bits",
        "lines": [{"name": "", "value": 0.0}],
        "alt": "Bits about the label: " + joined(f"{line['name']} {line['value']:.2f}" for line in lines[:5]),
    }
    whole = (
        f"Both sides hold {show(totals['logistic'], '.2f')} bits about the label; given the other, {a} adds "
        f"{show(gains['logistic'][0], '.2f')} and {b} {show(gains['logistic'][1], '.2f')}."
    )
    return section("data", "", "", whole, rows=rows, figures=[figure], notes=notes)


def _atoms(m: Measured, x: list[np.ndarray], y: np.ndarray, names: tuple[str, str], notes: list[str]) -> dict[str, Any]:
    """PID of clusters of both sides, less its mean for shuffled labels."""
    if importlib.util.find_spec("cvxpy") is None:
        notes.append("PID: needs cvxpy (the extra `notebooks`).")
        return {}
    from sklearn.cluster import KMeans

    bins = int(np.clip(np.sqrt(m.n / (20 * (y.max() + 1))), 2, 6))
    codes = [KMeans(bins, n_init=3, random_state=m.seed).fit_predict(part) for part in x]

    def atoms(labels: np.ndarray) -> np.ndarray:
        found = information.pid(information.joint_table(*codes, labels))
        return np.array([found.redundancy, found.unique_a, found.unique_b, found.synergy]) * _BITS

    rng = np.random.default_rng(m.seed)
    null = np.mean([atoms(rng.permutation(y)) for _ in range(_SHUFFLES)], 0)
    notes.append(
        f"PID: {bins} clusters a side, less the mean of {_SHUFFLES} shuffles of the labels, as empty "
        "information shrinks with n only slowly."
    )
    titles = ("redundant", f"in {names[0]} alone", f"in {names[1]} alone", "synergy")
    return {f"PID, {title}": float(v) for title, v in zip(titles, atoms(y) - null, strict=True)}


def encoders(m: Measured) -> dict[str, Any]:
    """Linear probes on the encoders of the joint model, and on encoders trained alone."""
    given, train = m.extras.get("encoders"), m.extras.get("train")
    if not given or train is None:
        raise NotMeasured("encoders={name: (encoder of the joint model, encoder trained alone)} and train=")
    if m.y is None or train.y is None:
        raise NotMeasured("labels of both splits")
    rows: dict[str, Any] = {}
    for name, some in given.items():
        joint, alone = some if isinstance(some, tuple | list) else (some, None)
        probes = {}
        for kind, encoder in (("in the joint model", joint), ("trained alone", alone)):
            if encoder is not None:
                probes[kind] = laziness.probe(encoder, (train.modalities[name], train.y), (m.batches[name], m.y))
                rows[f"{name} {kind}"] = probes[kind].estimate
        if len(probes) == 2:
            hits = [
                one.log_probabilities.argmax(1).numpy() == np.searchsorted(one.classes, m.y) for one in probes.values()
            ]
            change = (hits[0].astype(float) - hits[1])[:, None]
            found = estimate_of(change.mean(), bootstrap_means(change, m.group, seed=m.seed)[:, 0], m.n)
            rows[f"{name}: joint less alone"] = found
            if found.high is not None and found.high < threshold("lazy"):
                m.alerts.append(
                    alert("lazy", f"the encoder of {name} learnt less in company than alone: {show(found)}", found)
                    | {"side": name}
                )
    changes = {name: e for name, e in rows.items() if "less alone" in name}
    whole = (
        (joined(f"{name.split(':')[0]} {show(e)}" for name, e in changes.items()) + ", joint less alone.")
        if changes
        else "Probes of the joint model's encoders; encoders trained alone were not given."
    )
    lines = [row(name, e) for name, e in rows.items() if name not in changes]
    figure = {
        "kind": "dots",
        "rows": lines,
        "label": "probe accuracy",
        "alt": "Probe accuracy: " + joined(f"{line['name']} {line['value']:.2f}" for line in lines),
    }
    return section(
        "encoders",
        "",
        "",
        whole,
        rows=changes | rows,
        figures=[figure],
        notes=[
            "A new linear classifier on frozen features. Accuracy of a side inside the joint model is "
            "another thing: its head is trained for both."
        ],
    )
