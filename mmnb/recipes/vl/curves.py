"""How grounding comes while a small model trains: best head of each layer, and bits of a masked phrase, from step to step.

Trainings that would take a notebook too long are kept in `data/models/curves.json`, each with what it was trained on, its recipe and its seed;
`record(name)` makes any of them again, `keep(name)` writes it there, `watch` looks at a new one.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from mmnb import paths
from mmnb.data.scenes import MASK
from mmnb.errors import DataUnavailable
from mmnb.instruments import ablation, grounding
from mmnb.models.vl import VisionLanguage
from mmnb.models.vl_attention import word_to_regions
from mmnb.recipes.vl import zoo as vl_zoo
from mmnb.recipes.vl.items import items
from mmnb.recipes.vl.train import fit_vl
from mmnb.recipes.vl.zoo import Entry

EVERY = 150  # steps between two looks
PROBE = 300  # scenes of a look
Curve = list[dict[str, Any]]


def eyes(entry: Entry, n: int = PROBE, seed: int = 2_000_000) -> tuple[Callable[[VisionLanguage, int], None], Curve]:
    """What to look at, and the curve that it fills: `look(model, step)` appends {step, heads: accuracy of each layer's best head, bits of the masked phrase}.

    The scenes are new ones of the entry's own world, except that their captions are true.
    """
    own = items(*replace(entry, knobs=replace(entry.knobs, wrong=0.0)).world(n, seed), measure="iou")
    present = own.inputs.region_mask.clone()
    present[:, 0] = False  # the region of the whole picture names nothing
    query = own.phrase.shape[1] - 1 - own.phrase.flip(1).int().argmax(1)
    hidden = own.inputs._replace(tokens=torch.where(own.phrase, MASK, own.inputs.tokens))
    curve: Curve = []

    def look(model: VisionLanguage, step: int) -> None:
        accuracy = grounding.entity_grounding(word_to_regions(model, own.inputs, query), own.aligned, present).accuracy
        bits = ablation.mlm_bits(model(*hidden).words, own.inputs.tokens, own.phrase).mean()
        curve.append({"step": step, "heads": [round(v, 3) for v in accuracy.max(1).values.tolist()], "bits": round(float(bits), 3)})  # fmt: skip

    return look, curve


def watch(entry: Entry, *, every: int = EVERY, n: int | None = None, probe: int = PROBE, **options: Any) -> tuple[Curve, VisionLanguage]:  # fmt: skip
    """Train one model as `vl_zoo.train` does and look at it; `n` and `options` replace its number of scenes and parts of its recipe."""
    recipe = replace(entry.recipe, **options)
    look, curve = eyes(replace(entry, recipe=recipe), probe)
    model, _ = fit_vl(recipe, *entry.world(n or entry.n, 1000 + entry.seed), seed=entry.seed, look=look, every=every)
    return curve, model


def _variants() -> dict[str, Entry]:
    base = Entry(seed=30)
    plain, recipe, n = base.knobs, base.recipe, base.n
    steps = {"n": n // 16, "recipe": replace(recipe, epochs=16 * recipe.epochs)}
    return {
        "a sixteenth of the scenes": replace(base, **steps),
        "one layer": replace(base, recipe=replace(recipe, layers=1)),
        "two layers": replace(base, recipe=replace(recipe, layers=2)),
        "noise of features × 2": replace(base, detector=replace(base.detector, noise=0.4)),
        "noise of features × 5": replace(base, detector=replace(base.detector, noise=1.0)),
        "one object named": replace(base, knobs=replace(plain, mentions=1)),
        "three objects named": replace(base, knobs=replace(plain, mentions=3)),
        "every fourth mention wrong": replace(base, knobs=replace(plain, wrong=0.25)),
        "single words masked": replace(base, recipe=replace(recipe, phrases=0.0)),
        "whole phrases masked": replace(base, recipe=replace(recipe, phrases=0.3, words=0.0)),
        "half of the words masked": replace(base, recipe=replace(recipe, words=0.5)),
        "masked words alone": replace(base, recipe=replace(recipe, regions=0.0, mismatch=0.0, beside=0.0)),
    }


def recipes() -> dict[str, Entry]:
    """Name -> what is trained: the zoo's VisualBERTs, and each change of their recipe or world that can be shown."""
    same = {name: entry for name, entry in vl_zoo.ZOO.items() if name.startswith("visualbert-")}
    return same | _variants()


def file() -> Path:
    """Where the curves lie."""
    return paths.root() / "data" / "models" / "curves.json"


def record(name: str, **options: Any) -> dict[str, Any]:
    """Train `name` (of `recipes`) again and return what `curves.json` holds of it: recipe, world, seed, curve; `options` as `watch` takes them.

    Raises: ValueError on an unknown name.
    """
    known = recipes()
    if name not in known:
        raise ValueError(f"vl_curves: got {name!r}; expected one of {', '.join(known)}")
    curve, _ = watch(known[name], **options)
    return describe(known[name]) | {"curve": curve}


def keep(name: str, **options: Any) -> None:
    """Train `name` again and write its curve to `curves.json`, beside the others. Arguments and errors as `record`."""
    stored = json.loads(file().read_text(encoding="utf-8")) if file().is_file() else {}
    stored[name] = record(name, **options)
    ordered = {known: stored[known] for known in recipes() if known in stored}
    lines = [f" {json.dumps(known, ensure_ascii=False)}: {json.dumps(found)}" for known, found in ordered.items()]
    with paths.replace(file()) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def describe(entry: Entry) -> dict[str, Any]:
    """What a training is made of, in plain words and numbers: as it stands in `curves.json`."""
    parts = {"recipe": asdict(entry.recipe), "knobs": asdict(entry.knobs), "detector": asdict(entry.detector)}
    return json.loads(json.dumps(parts | {"scenes": entry.n, "seed": entry.seed}))


def load(*needed: str) -> dict[str, dict[str, Any]]:
    """Name -> what `record` returned for it. Raises: DataUnavailable when the file is not there, or lacks one that is needed."""
    stored = json.loads(file().read_text(encoding="utf-8")) if file().is_file() else {}
    missing = [name for name in needed if name not in stored] if stored else ["everything"]
    if missing:
        raise DataUnavailable(f"{file().name} in data/models (at most 50 kB, MIT) lacks {', '.join(missing)}; mmnb.recipes.vl.curves.record(name) makes a curve in two minutes")  # fmt: skip
    return stored
