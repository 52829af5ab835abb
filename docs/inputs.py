"""What each public call of the instruments does with input of many kinds: the table on the site, and the cases of its test.

A call is given its example with one argument in another form, or spoilt. Allowed are the right number and a clear error of ours: a
`TypeError` or `ValueError` that is raised in this package and says what is expected. Nothing else is.
"""

import importlib
import inspect
import math
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from sklearn.linear_model import LogisticRegression

import mmnb
from mmnb.instruments import (
    ablation,
    blending,
    complementarity,
    emap,
    estimate,
    gap,
    grid,
    grounding,
    information,
    laziness,
    reliance,
    resampling,
)
from mmnb.instruments.scoring import accuracy, score_predictors

MODULES = ("emap", "gap", "ablation", "grounding", "information", "complementarity", "laziness", "blending", "estimate")
MODULES += ("reliance",)
N = 24
_draw = np.random.default_rng(0)


def coarse(*shape: int) -> np.ndarray:
    """Numbers that half precision holds exactly, so that every form of them is the same number."""
    return _draw.integers(-24, 25, shape) / 8


A, B, Y = coarse(N, 3), coarse(N, 3), np.arange(N) % 3
UNIT_A, UNIT_B = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (A + 0.0625, B + 0.0625))
P = np.full((2, 2, 2), 0.125) + np.array([0.0625, -0.0625])
MASK = _draw.random((N, 4)) < 0.5
MASK[:, 0] = True
MATCH = MASK & (_draw.random((N, 4)) < 0.5)
MATCH[:, 0] = True
PROBABILITIES = np.abs(coarse(N, 4)) + 1
PROBABILITIES /= PROBABILITIES.sum(1, keepdims=True)
TOKENS = _draw.integers(0, 5, (N, 4))
BOXES = np.tile([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 1.0, 1.0]], (N, 1, 1))
LOSSES = np.abs(coarse(N)) / 8 + 0.125


@dataclass(frozen=True)
class Case:
    """One public call, an example of its arguments, and what kind each one is that can take other forms."""

    of: Callable
    call: Callable
    arguments: dict[str, Any]
    kinds: dict[str, str]

    @property
    def name(self) -> str:
        """Such as "gap.modality_gap"."""
        return f"{self.of.__module__.split('.')[2]}.{self.of.__name__}"


def case(
    of: Callable, options: Mapping[str, Any] | None = None, call: Callable | None = None, **given: tuple[str, Any]
) -> Case:
    """`case(f, {"k": 3}, a=("numbers", A))`; `call` puts the arguments where `f` has them deeper, in a dict for instance."""
    values = {name: value for name, (_, value) in given.items()}
    return Case(of, call or of, values | dict(options or {}), {name: kind for name, (kind, _) in given.items()})


def table(batch: Any) -> torch.Tensor:
    """A batch in any form as a tensor: what the example models do with their inputs."""
    return (
        torch.as_tensor(np.asarray(batch, dtype=np.float64)) if not isinstance(batch, torch.Tensor) else batch.double()
    )


def scores(a: Any, b: Any) -> torch.Tensor:
    """A small model: three scores of a pair."""
    a, b = table(a), table(b)
    return a + b + a * b.flip(1)


def shown(tokens: torch.Tensor, token_mask: torch.Tensor, feature: torch.Tensor, box: torch.Tensor, seen: torch.Tensor):
    """A small model of words and regions: logits over 5 words and over 4 classes."""
    words = torch.nn.functional.one_hot(tokens, 6)[..., :5] + feature.double().mean((1, 2))[:, None, None]
    return words, feature.double() @ torch.ones(3, 4, dtype=torch.float64) + token_mask.double().sum(1)[:, None, None]


def passed(y: Any) -> reliance.Reliance:
    """Reliance from a pass that was run."""
    sums, kept, others = grid.Sums(), reliance.Predictions(), reliance.Others()
    true = grid.sweep(scores, A, B, {"sums": sums, "kept": kept, "others": others}, progress=False)
    return reliance.from_pass(kept, others, true, emap.result.from_sums(sums, true), y)


INPUTS = ablation.Inputs(
    torch.from_numpy(TOKENS),
    torch.ones(N, 4, dtype=torch.bool),
    torch.from_numpy(coarse(N, 4, 3)),
    torch.from_numpy(np.tile(BOXES[:, :1], (1, 4, 1))),
    torch.from_numpy(MASK),
)
PHRASE = np.tile([False, True, False, False], (N, 1))
pair = dict(a=("unit", UNIT_A), b=("unit", UNIT_B))
seen = dict(match=("mask", MATCH), valid=("mask", MASK))
CASES = [
    case(emap.emap, {"f": scores, "progress": False}, a=("model's", A), b=("model's", B)),
    case(emap.project, grid=("numbers", A)),
    case(accuracy, scores=("numbers", A), y=("codes", Y)),
    *(
        case(call, **pair)
        for call in (gap.gap_vector, gap.modality_gap, gap.pair_distance, gap.mean_cosines, gap.relative_gap)
    ),
    *(case(call, **pair) for call in (gap.share_per_dimension, gap.separability, gap.procrustes)),
    case(gap.uniformity, a=("unit", UNIT_A)),
    case(gap.average_cosine, {"diagonal": False}, a=("unit", UNIT_A)),
    case(gap.normalize, a=("numbers", A + 0.0625)),
    case(gap.center, a=("unit", UNIT_A)),
    case(gap.contrastive_loss, {"tau": 0.5}, **pair),
    case(gap.retrieval_recall, **pair),
    case(gap.shift, {"lam": 0.5}, **pair),
    case(gap.lam_from_delta, {"delta": 0.5}, **pair),
    case(gap.signed_gap, reference=("numbers", np.array([1.0, 0.5, 0.25])), **pair),
    case(gap.relu_cosine, c=("numbers", np.array([0.25, 0.5]))),
    case(gap.cosine_by_depth, {"layers": [lambda x: x], "diagonal": False}, batches=("numbers", A + 0.0625)),
    case(ablation.ablation_mask, {"condition": "random"}, aligned=("mask", MATCH), valid=("mask", MASK)),
    case(ablation.span_mask, {"length": 4}, spans=("places", np.tile([1, 3], (N, 1)))),
    case(ablation.iot, regions=("numbers", BOXES[:, 0]), gold=("numbers", BOXES[:, 1])),
    case(ablation.iou, regions=("numbers", BOXES[:, 0]), gold=("numbers", BOXES[:, 1])),
    case(ablation.aligned, regions=("numbers", BOXES[:, 0]), gold=("numbers", BOXES[:, 1])),
    case(
        ablation.ablate_regions,
        {"mean": np.zeros(3)},
        feature=("numbers", coarse(N, 4, 3)),
        region_mask=("mask", MASK),
        ablate=("mask", MATCH),
    ),
    case(ablation.mlm_bits, logits=("numbers", coarse(N, 4, 5)), target=("places", TOKENS), where=("mask", PHRASE)),
    case(ablation.mrc_kl_bits, target=("probabilities", PROBABILITIES), logits=("numbers", coarse(N, 4))),
    case(ablation.unigram_entropy, {"n_words": 5}, target=("places", TOKENS), where=("mask", PHRASE)),
    case(ablation.marginal_kl, target=("probabilities", PROBABILITIES)),
    case(ablation.relative_change, none=("numbers", LOSSES), ablated=("numbers", LOSSES * 2)),
    case(ablation.normalized_drop, {"ceiling": 3.0}, none=("numbers", LOSSES), ablated=("numbers", LOSSES * 2)),
    case(
        ablation.vision_for_language,
        {"predict": shown, "inputs": INPUTS, "mask_id": 5, "progress": False, "replacement": "zero"},
        phrase=("mask", PHRASE),
        aligned=("mask", MATCH),
    ),
    case(
        ablation.language_for_vision,
        {"predict": shown, "inputs": INPUTS, "mask_id": 5, "progress": False},
        phrase=("mask", PHRASE),
        aligned=("mask", MATCH),
        target=("places", np.zeros(N, dtype=np.int64)),
        label=("probabilities", PROBABILITIES),
    ),
    case(grounding.entity_grounding, attention=("numbers", np.abs(coarse(N, 2, 2, 4)) + 0.125), **seen),
    case(grounding.random_accuracy, **seen),
    case(grounding.ceiling, **seen),
    case(grounding.confident_accuracy, confidence=("numbers", np.abs(coarse(N, 4))), **seen),
    case(grounding.nearest_to_mean_accuracy, feature=("numbers", coarse(N, 4, 3)), **seen),
    case(
        grounding.to_regions,
        {"first_region": 2, "n_regions": 2},
        attention=("numbers", np.full((N, 2, 2, 4, 4), 0.25)),
        query=("places", Y % 2),
    ),
    case(information.entropy, table=("table", P)),
    case(information.mutual_information, table=("table", P)),
    case(information.co_information, table=("table", P)),
    case(information.pid, table=("table", P)),
    case(information.mi, {"method": "ksg"}, a=("numbers", A), b=("numbers", B)),
    case(information.mi, {"method": "table"}, a=("codes", Y), b=("codes", Y[::-1].copy())),
    case(
        information.held_out_losses,
        {"classifier": LogisticRegression(), "progress": False},
        a=("numbers", A),
        y=("labels", Y),
    ),
    case(
        complementarity.from_classifiers,
        {"classifier": LogisticRegression(), "progress": False, "min_information": 0.0},
        a=("numbers", A),
        b=("numbers", B),
        y=("labels", Y),
    ),
    case(complementarity.from_table, table=("table", P)),
    case(complementarity.bayes_error, table=("table", P)),
    case(
        complementarity.from_losses,
        {"min_information": 0.0},
        loss_a=("numbers", LOSSES + 0.25),
        loss_b=("numbers", LOSSES + 0.125),
        loss_ab=("numbers", LOSSES),
        y=("labels", Y),
    ),
    case(
        complementarity.robustness,
        {"f": scores, "progress": False},
        a=("numbers", A),
        b=("numbers", B),
        y=("labels", Y),
        mean_a=("numbers", A[0]),
        mean_b=("numbers", B[0]),
    ),
    case(
        laziness.probe_features,
        features=("numbers", A),
        y=("labels", Y),
        test=("numbers", B),
        test_y=("labels", Y),
    ),
    case(laziness.encode, {"encoder": torch.nn.Identity().eval()}, inputs=("numbers", A)),
    case(laziness.greedy_cover, explains=("mask", MASK)),
    case(
        laziness.probe,
        {"encoder": torch.nn.Identity().eval()},
        lambda encoder, x, y: laziness.probe(encoder, (x, y), (B, Y)),
        x=("numbers", A),
        y=("labels", Y),
    ),
    case(
        laziness.choose,
        {"resamples": 100},
        lambda a, b, y, logits, resamples: laziness.choose(
            {"a": a, "b": b}, y, {"a": B, "b": A}, Y, {"a": logits, "b": B}, joint=B, resamples=resamples
        ),
        a=("numbers", A),
        b=("numbers", B),
        y=("codes", Y),
        logits=("numbers", A),
    ),
    case(laziness.average, None, lambda a, b: laziness.average([a, b]), a=("numbers", A), b=("numbers", B)),
    case(
        grounding.best_head,
        correct=("mask", np.repeat(MATCH[:, :, None], 2, 2)),
        first_half=("mask", np.arange(N) % 2 == 0),
    ),
    case(
        grounding.grounded_arcs,
        head=("places", np.tile([1, -1, 1, 2], (N, 1))),
        relation=("places", TOKENS),
        phrase_of=("places", np.tile([0, -1, 1, -1], (N, 1))),
    ),
    case(
        information.calibrated_losses,
        {"shares": np.full(4, 0.25)},
        lambda log_p, y, shares: information.calibrated_losses(
            log_p, y, shares, on=(np.log(PROBABILITIES), TOKENS[:, 0] % 4)
        ),
        log_p=("numbers", -np.abs(coarse(N, 4)) - 0.125),
        y=("codes", np.arange(N) % 4),
    ),
    case(
        information.joint_table,
        None,
        lambda a, b: information.joint_table(a, b),
        a=("codes", Y),
        b=("codes", Y[::-1].copy()),
    ),
    case(
        complementarity.from_three_terms,
        {"method": "table"},
        a=("codes", Y),
        b=("codes", np.arange(N) % 2),
        y=("codes", np.arange(N) % 2),
    ),
    case(
        complementarity.retrained,
        {"fit": information.mlp((4,), epochs=1), "test": np.arange(N) % 2 == 0},
        a=("numbers", A),
        b=("numbers", B),
        y=("labels", Y),
    ),
    case(
        blending.from_curves,
        None,
        lambda train, held_out: blending.from_curves({"a": {"train": train, "held_out": held_out}}),
        train=("numbers", LOSSES),
        held_out=("numbers", LOSSES + 0.125),
    ),
    case(
        emap.emap_of_many,
        {"progress": False},
        lambda a, b, progress: emap.emap_of_many(scores, {"a": a, "b": b}, progress=progress),
        a=("model's", A),
        b=("model's", B),
    ),
    case(
        score_predictors,
        {"resamples": 100},
        lambda f, g, y, resamples: score_predictors({"f": f, "g": g}, "accuracy", y, resamples=resamples),
        f=("numbers", A),
        g=("numbers", B),
        y=("codes", Y),
    ),
    case(ablation.phrase_span, {"phrase": [1, 2]}, caption=("places", np.array([0, 1, 2, 1]))),
    case(estimate.mean_interval, values=("numbers", LOSSES)),
    case(reliance.reliance, {"f": scores, "progress": False}, a=("model's", A), b=("model's", B), y=("codes", Y)),
    case(reliance.from_pass, None, passed, y=("codes", Y)),
    case(reliance.minimal_pairs, scores=("numbers", coarse(N, 2, 2))),
    case(resampling.bootstrap_means, {"resamples": 5}, values=("numbers", A)),
    case(resampling.influence_estimate, {"value": 0.0}, influence=("numbers", LOSSES)),
]
# calls that take single numbers, functions or results of other calls only; their refusals are tested beside them
SINGLE_NUMBERS = {
    *("blending.ogr", "blending.weights", "estimate.proportion", "laziness.simulate", "gap.relu_recursion"),
    *("complementarity.fano", "complementarity.fano_exact", "complementarity.feder_merhav"),
    *("reliance.conflict", "reliance.surprise", "reliance.inter_shap"),
    *("complementarity.squared_error_gap", "information.mlp", "information.trained"),
}


def forms(value: np.ndarray, kind: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """The same values in other forms."""
    number = kind in ("numbers", "unit", "probabilities", "table", "model's")
    yield "tensor", torch.from_numpy(value)
    yield "list", value.tolist()
    turned = np.asfortranarray(value) if value.ndim > 1 else np.repeat(value, 2)[::2]
    yield "non-contiguous", turned
    file = np.memmap(folder / "values", dtype=value.dtype, mode="w+", shape=value.shape)
    file[...] = value
    yield "memory map", file
    if value.ndim < 3:
        yield "DataFrame", (pd.DataFrame if value.ndim == 2 else pd.Series)(value)
    if number:
        yield "requires_grad", torch.from_numpy(value.copy()).requires_grad_()
    if kind in ("numbers", "model's"):
        yield "half", torch.from_numpy(value).half()
        yield "bfloat16", torch.from_numpy(value).bfloat16()
    if kind in ("labels", "codes", "places"):
        yield "int32", value.astype(np.int32)
    if kind == "labels":
        yield "negative labels", value - 1
        yield "text labels", np.array(list("abc"))[value]
    if kind == "mask":
        yield "int64", value.astype(np.int64)


def faults(value: np.ndarray, kind: str) -> Iterator[tuple[str, Any]]:
    """Values that no call can use."""
    if kind == "model's":  # inputs go to the model as they are: it knows what it takes
        yield from (("empty", value[:0]), ("None", None), ("DataLoader", torch.utils.data.DataLoader([1, 2])))
        return
    yield "empty", value[:0]
    yield "None", None
    yield "objects", np.full(value.shape, None)
    yield "DataLoader", torch.utils.data.DataLoader([1, 2])
    yield "complex", value * 1j
    if value.ndim == 2:
        yield "sparse", scipy.sparse.csr_array(value)
    if kind in ("numbers", "unit", "probabilities", "table", "labels"):
        for name, bad in (("NaN", np.nan), ("inf", np.inf)):
            spoilt = value.astype(np.float64)
            spoilt.flat[0] = bad
            yield name, spoilt
    if kind not in ("labels", "codes"):
        yield "text", np.full(value.shape, "x")


def odd(chosen: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Legal but poor data: one example, one class, no variation."""
    rows = {name: value for name, value in chosen.arguments.items() if name in chosen.kinds and len(value) == N}
    if rows:
        yield "one row", chosen.arguments | {name: value[:1] for name, value in rows.items()}
    for name, kind in chosen.kinds.items():
        value = chosen.arguments[name]
        if kind == "labels":
            yield "one class", chosen.arguments | {name: np.zeros_like(value)}
        if kind in ("numbers", "unit") and len(value) == N:
            yield "constant", chosen.arguments | {name: np.repeat(value[:1], N, axis=0)}


def flat(result: Any) -> list[float]:
    """All numbers of a result."""
    if result is None or isinstance(result, str):
        return []
    if isinstance(result, torch.Tensor):
        return result.detach().double().flatten().tolist()
    if isinstance(result, np.ndarray):
        return result.astype(float).ravel().tolist()
    if isinstance(result, Mapping):
        return [number for value in result.values() for number in flat(value)]
    if is_dataclass(result):
        return [number for field in fields(result) for number in flat(getattr(result, field.name))]
    return (
        [number for value in result for number in flat(value)] if isinstance(result, list | tuple) else [float(result)]
    )


def outcome(call: Callable, arguments: Mapping[str, Any]) -> tuple[str, Any]:
    """("number", its numbers), ("refused", the message) or ("fault", what went wrong)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "number", flat(call(**arguments))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is judged here)
            where = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
            ours = Path(mmnb.__file__).parent in where.parents
            clear = isinstance(error, TypeError | ValueError) and ours and "expected" in str(error)
            text = f"{type(error).__name__}: {error} ({where.name})"
            return ("refused" if clear else "fault"), text


def judged(chosen: Case) -> dict[tuple[str, str], tuple[str, str]]:
    """(argument, form) -> (what happened, detail): "same", "refused", "number" (of odd data), or "FAULT"."""
    kind, right = outcome(chosen.call, chosen.arguments)
    found = {
        ("", "example"): ("number", "") if kind == "number" and all(map(math.isfinite, right)) else ("FAULT", right)
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, sort in chosen.kinds.items():
            for form, value in forms(chosen.arguments[name], sort, Path(folder)):
                kind, got = outcome(chosen.call, chosen.arguments | {name: value})
                wanted = right
                if form in ("half", "bfloat16"):  # some calls compute in float32 what comes in fewer bits
                    wanted = outcome(chosen.call, chosen.arguments | {name: chosen.arguments[name].astype(np.float32)})[
                        1
                    ]
                equal = kind == "number" and any(
                    len(got) == len(one) and np.allclose(got, one, rtol=1e-6, atol=0)
                    for one in (right, wanted)
                    if not isinstance(one, str)
                )
                found[name, form] = (
                    ("same", "") if equal else (("refused", got) if kind == "refused" else ("FAULT", got))
                )
            for form, value in faults(chosen.arguments[name], sort):
                kind, got = outcome(chosen.call, chosen.arguments | {name: value})
                found[name, form] = (kind, got) if kind == "refused" else ("FAULT", got)
    for form, arguments in odd(chosen):
        kind, got = outcome(chosen.call, arguments)
        finite = kind == "number" and all(map(math.isfinite, got))
        found["", form] = (kind, got) if kind == "refused" or finite else ("FAULT", got)
    return found


def public() -> list[str]:
    """Every public function of the instruments."""
    found = set()
    for module in MODULES:
        home = importlib.import_module(f"mmnb.instruments.{module}")
        own = (name for name in dir(home) if not name.startswith("_"))
        for name in getattr(home, "__all__", own):
            thing = getattr(home, name)
            if inspect.isfunction(thing) and thing.__module__.startswith(f"mmnb.instruments.{module}"):
                found.add(f"{module}.{name}")
    return sorted(found)


_ABOUT = """# What the instruments accept

Each public call of the instruments was given its example with one argument in another form, or spoilt; a test repeats this with every
change. *The same number*: the other form changes nothing. *Refused*: a `TypeError` or `ValueError` that says what was given and what is
expected. *A number*: poor but legal data. Nothing else occurs. Calls of single numbers or functions are left out."""


def page() -> str:
    """The table as Markdown: a row for each call, its forms by what happened."""
    parts = [_ABOUT, "", "| call | the same number | refused | a number |", "|:---|:---|:---|:---|"]
    for name in sorted({each.name for each in CASES}):
        happened: dict[str, dict[str, None]] = {"same": {}, "refused": {}, "number": {}}
        for each in (each for each in CASES if each.name == name):
            for (_, form), (what, _) in judged(each).items():
                happened[what][form] = None
        same, refused, number = (", ".join(happened[what]) or "–" for what in ("same", "refused", "number"))
        parts.append(f"| `{name}` | {same} | {refused} | {number} |")
    return "\n".join(parts) + "\n"
