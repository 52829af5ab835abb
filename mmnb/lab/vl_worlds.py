"""Small VisualBERTs in turned worlds: each world differs from the plain one in one thing.

Most were trained in their world from the first step, with the recipe of the plain models. Those of `later` and `blind` began as the trained plain model of
their seed and went on in the turned world: `later` is the world of `parts` for a model that has learned to use words before. The weights lie in
`data/models/worlds.safetensors` (half precision); `train("parts-0")` makes any of them again, in a minute or two from the first step, in twenty seconds from a plain model.
"""

from dataclasses import replace
from pathlib import Path

from safetensors import safe_open

from mmnb import paths
from mmnb.data.scenes import Detector
from mmnb.errors import DataUnavailable
from mmnb.lab import vl_zoo
from mmnb.lab.vl import Recipe, fit_vl, new
from mmnb.lab.vl_zoo import PLAIN, Entry
from mmnb.models.vl import VisionLanguage, load_weights

FIRST = vl_zoo.ZOO["visualbert-0"].recipe
FURTHER = Recipe(epochs=5, learning_rate=1e-3, regions=0.15, beside=1.0)
PARTS = Detector(parts=1)
WORLDS = {  # from the first step
    "parts": Entry(replace(FIRST, epochs=7), detector=PARTS),
    "theme": Entry(FIRST, knobs=replace(PLAIN, theme=0.9)),
    "confused": Entry(FIRST, detector=Detector(confused=0.7)),
    "unreadable": Entry(FIRST, detector=Detector(noise=3.0)),
    "stale": Entry(replace(FIRST, global_="stale")),
}
LATER = {  # from a trained plain model
    "later": Entry(FURTHER, detector=PARTS, n=8192),
    "blind": Entry(replace(FURTHER, blind=True), n=8192),
}
KEPT = {"parts": 1, "theme": 1, "confused": 2, "unreadable": 1, "stale": 1, "later": 2, "blind": 1}  # seeds


def file() -> Path:
    """Where the weights lie."""
    return paths.root() / "data" / "models" / "worlds.safetensors"


def names(world: str) -> list[str]:
    """The models that are kept of one world. Raises: ValueError on an unknown world."""
    entry(f"{world}-0")
    return [f"{world}-{seed}" for seed in range(KEPT.get(world, 2))]


def train(name: str, *, n: int | None = None, **options) -> VisionLanguage:
    """Train a model; `n` replaces the number of scenes, `options` parts of the recipe (`epochs=1`). Raises: ValueError on an unknown name."""
    own, later = entry(name), name.rpartition("-")[0] in LATER
    start = vl_zoo.load(f"visualbert-{own.seed}") if later else None
    made, regions = own.world(n or own.n, (3000 if later else 1000) + own.seed)
    return fit_vl(replace(own.recipe, **options), made, regions, seed=own.seed, start=start)[0]


def load(name: str, *, retrain: bool = False, **options) -> VisionLanguage:
    """A model of a turned world, from its weights or trained anew. Raises: ValueError on an unknown name; DataUnavailable when its weights are not here."""
    own = entry(name)
    if retrain:
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
