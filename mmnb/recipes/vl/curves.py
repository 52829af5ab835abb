"""How grounding develops while a small model trains: best head of each layer, and bits of a masked phrase, from step to step.

Trainings that would take a notebook too long are kept in `data/models/curves.json`, each with what makes it again: `record(name)` does so,
`keep(name)` writes it there, `watch` follows a new one.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mmnb.data.scenes import MASK, Detector
from mmnb.errors import DataUnavailable
from mmnb.instruments import ablation, grounding
from mmnb.models.vl import VisionLanguage
from mmnb.models.vl_attention import word_to_regions
from mmnb.recipes.vl import zoo
from mmnb.recipes.vl.items import items
from mmnb.recipes.vl.train import Recipe, fit_vl

EVERY = 150  # steps between two measurements
PROBE = 300  # scenes of a measurement
Curve = list[dict[str, Any]]


def follow(entry: zoo.Entry, n: int = PROBE) -> tuple[Callable[[VisionLanguage, int], None], Curve]:
    """A callback for `fit_vl`, and the curve that it fills.

    Each call appends {step, heads: accuracy of each layer's best head, bits of the masked phrase}, on new scenes of the entry's own world.
    """
    own = items(*entry.world(n, 2_000_000), measure="iou")
    valid = own.inputs.region_mask.clone()
    valid[:, 0] = False  # the region of the whole picture names nothing
    query = own.phrase.shape[1] - 1 - own.phrase.flip(1).int().argmax(1)
    hidden = own.inputs._replace(tokens=torch.where(own.phrase, MASK, own.inputs.tokens))
    curve: Curve = []

    def measure(model: VisionLanguage, step: int) -> None:
        heads = grounding.entity_grounding(word_to_regions(model, own.inputs, query), own.aligned, valid).accuracy
        bits = float(ablation.mlm_bits(model(*hidden).words, own.inputs.tokens, own.phrase).mean())
        best = [round(accuracy, 3) for accuracy in heads.max(1).values.tolist()]
        curve.append({"step": step, "heads": best, "bits": round(bits, 3)})

    return measure, curve


def watch(
    entry: zoo.Entry, *, every: int = EVERY, n: int | None = None, probe: int = PROBE, **options: Any
) -> tuple[Curve, VisionLanguage]:
    """Train one model as `zoo.train` does and follow it; `n` and `options` replace its number of scenes and parts of its recipe."""
    entry = replace(entry, recipe=replace(entry.recipe, **options))
    measure, curve = follow(entry, probe)
    model, _ = fit_vl(entry.recipe, *entry.training(n), seed=entry.seed, callback=measure, every=every)
    return curve, model


def recipes() -> dict[str, zoo.Entry]:
    """Name to what is trained: the zoo's VisualBERTs, the same with one layer, with two, and with features of twice the noise."""
    known = {name: zoo.entry(name) for name in zoo.STORED if name.startswith("visualbert-")}
    known |= {f"one layer, seed {seed}": zoo.Entry(Recipe(layers=1), seed=seed) for seed in range(3)}
    known["two layers"] = zoo.Entry(Recipe(layers=2), seed=30)
    return known | {"noise of features × 2": zoo.Entry(seed=30, detector=Detector(noise=0.4))}


def file() -> Path:
    """Where the curves are kept."""
    return zoo.file("curves", "json")


def record(name: str, **options: Any) -> dict[str, Any]:
    """Train `name` (of `recipes`) again and return what `curves.json` holds of it: settings and curve; `options` as for `watch`."""
    known = recipes()
    if name not in known:
        raise ValueError(f"curves: got {name!r}; expected one of {', '.join(known)}")
    return known[name].settings() | {"curve": watch(known[name], **options)[0]}


def keep(name: str, **options: Any) -> None:
    """Train `name` again and write its curve to `curves.json`, with the others. Arguments as `record`."""
    content = zoo.read_lines(file()) | {name: record(name, **options)}
    zoo.write_lines(file(), [(known, content[known]) for known in recipes() if known in content])


def load(*needed: str) -> dict[str, dict[str, Any]]:
    """Name to what `record` returned for it. Raises: DataUnavailable when the file is not there, or lacks one that is needed."""
    content = zoo.read_lines(file())
    missing = [name for name in needed if name not in content] if content else ["everything"]
    if missing:
        raise DataUnavailable(
            f"{file().name} in data/models (at most 50 kB, MIT) lacks {', '.join(missing)}; "
            "mmnb.recipes.vl.curves.record(name) makes a curve in two minutes"
        )
    return content
