"""Small VisualBERTs in turned worlds: each world differs from the plain one in one thing.

Most are trained in their world from the first step, with the recipe of the plain models (`parts` two epochs longer); the weights of one of each lie in `data/models/worlds.safetensors`
(half precision), and what further seeds lost lies in `data/models/worlds.json`: `keep("parts-1")` trains one, measures it and writes it there, in two minutes.
Those of `later` and `blind` begin as the trained plain model of their seed and go on in the turned world (`later` is the world of `parts` for a model that has
learned to use words before); they and `stale` are trained on the spot.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

from safetensors import safe_open

from mmnb import paths
from mmnb.data import scenes
from mmnb.data.scenes import MASK, Detector
from mmnb.errors import DataUnavailable
from mmnb.instruments import ablation
from mmnb.models.vl import VisionLanguage, load_weights
from mmnb.recipes.vl import zoo as vl_zoo
from mmnb.recipes.vl.items import items
from mmnb.recipes.vl.train import Recipe, fit_vl, new
from mmnb.recipes.vl.zoo import PLAIN, Entry

FIRST = vl_zoo.ZOO["visualbert-0"].recipe
FURTHER = Recipe(epochs=5, learning_rate=1e-3, regions=0.15, beside=1.0)
PARTS = Detector(parts=1)
WORLDS = {  # from the first step
    "parts": Entry(replace(FIRST, epochs=7), detector=PARTS),
    "theme": Entry(FIRST, knobs=replace(PLAIN, theme=0.9)),
    "confused": Entry(FIRST, detector=Detector(confused=0.7)),
    "unreadable": Entry(FIRST, detector=Detector(noise=3.0)),
    "sparse": Entry(FIRST, knobs=replace(PLAIN, mentions=1)),
    "stale": Entry(replace(FIRST, global_="stale")),
}
LATER = {  # from a trained plain model
    "later": Entry(FURTHER, detector=PARTS, n=8192),
    "blind": Entry(replace(FURTHER, blind=True), n=8192),
}
KEPT = ("parts-0", "theme-0", "confused-0", "unreadable-0", "sparse-0")  # the others are trained on the spot


def file() -> Path:
    """Where the weights lie."""
    return paths.root() / "data" / "models" / "worlds.safetensors"


def train(name: str, *, n: int | None = None, **options) -> VisionLanguage:
    """Train a model; `n` replaces the number of scenes, `options` parts of the recipe (`epochs=1`). Raises: ValueError on an unknown name."""
    own, later = entry(name), name.rpartition("-")[0] in LATER
    start = vl_zoo.load(f"visualbert-{own.seed}") if later else None
    made, regions = own.world(n or own.n, (3000 if later else 1000) + own.seed)
    return fit_vl(replace(own.recipe, **options), made, regions, seed=own.seed, start=start)[0]


def load(name: str, *, retrain: bool = False, **options) -> VisionLanguage:
    """A model of a turned world: from its weights where they are kept, else (or with retrain=True) trained, `options` as in `train`.

    Raises: ValueError on an unknown name; DataUnavailable when its weights should be here and are not.
    """
    own = entry(name)
    if retrain or name not in KEPT:
        return train(name, **options)
    if not file().is_file() or name not in stored():
        raise DataUnavailable(f"The weights of {name} are not in {file().name} (data/models, MIT); retrain=True trains it in a minute or two")  # fmt: skip
    model = new(own.recipe)
    load_weights({name: model}, file())
    return model.eval()


def stored() -> list[str]:
    """Models whose weights are in the file."""
    with safe_open(file(), "pt") as kept:
        return sorted({key.split("/", 1)[0] for key in kept.keys()})  # noqa: SIM118 - no mapping


def entry(name: str) -> Entry:
    """Recipe, world and seed of a model. Raises: ValueError on an unknown name."""
    world, _, seed = name.rpartition("-")
    if world not in WORLDS | LATER or not seed.isdigit():
        raise ValueError(f"vl_worlds: got {name!r}; expected one of {', '.join(WORLDS | LATER)}, a dash and a seed")
    return replace((WORLDS | LATER)[world], seed=int(seed))


def measure(name: str, model: VisionLanguage, n: int = 1000, seed: int = 3) -> dict[str, float]:
    """Share of its ceiling that each loss gives up when all of the other modality goes: {"words": …, "regions": …}, over n new scenes of the model's own world."""
    own_entry = entry(name)
    own = items(*own_entry.world(n, seed=seed), blind=own_entry.recipe.blind)

    def predict(*given):
        out = model(*given)
        return out.words, out.regions

    options = {
        "mask_id": MASK,
        "global_index": 0,
        "recompute": own_entry.recipe.global_ != "stale",
        "conditions": ["none", "all"],
    }
    parts = predict, own.inputs, own.phrase, own.aligned
    words = ablation.vision_for_language(*parts, mean=own.mean, **options)
    regions = ablation.language_for_vision(*parts, own.target, own.label, special=range(4), **options)
    top = {
        "words": ablation.unigram_entropy(own.inputs.tokens, own.phrase, len(scenes.WORDS)),
        "regions": ablation.marginal_kl(own.label),
    }
    return {
        side: float((found["all"] - found["none"]).mean()) / top[side]
        for side, found in (("words", words), ("regions", regions))
    }


def seeds_file() -> Path:
    """Where the shares of further seeds lie."""
    return paths.root() / "data" / "models" / "worlds.json"


def further(world: str) -> dict[str, dict]:
    """What `keep` wrote of a world's further seeds, by name. Raises: DataUnavailable when the file is not there."""
    if not seeds_file().is_file():
        raise DataUnavailable(
            f"{seeds_file().name} is not in data/models (a few kB, MIT); vl_worlds.keep(name) makes it, two minutes a model"
        )
    stored_ = json.loads(seeds_file().read_text(encoding="utf-8"))
    return {name: found for name, found in stored_.items() if name.rpartition("-")[0] == world}


def keep(name: str, model: VisionLanguage | None = None, **options) -> None:
    """Train a model (unless it is given), measure it, and write what it lost, its recipe, world and seed to `worlds.json`, beside the others."""
    own = entry(name)
    model = model or train(name, **options)
    made = {
        "recipe": asdict(own.recipe),
        "knobs": asdict(own.knobs),
        "detector": asdict(own.detector),
        "scenes": own.n,
        "seed": own.seed,
    }
    found = made | {side: round(value, 4) for side, value in measure(name, model).items()}
    kept = json.loads(seeds_file().read_text(encoding="utf-8")) if seeds_file().is_file() else {}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted((kept | {name: found}).items())]
    paths.write_text(seeds_file(), "{\n" + ",\n".join(lines) + "\n}\n")
