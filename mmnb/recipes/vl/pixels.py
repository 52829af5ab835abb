"""Small VisualBERTs on what a detector hands over: proposals instead of true boxes, and features from the pixels instead of codes.

Two kinds, trained alike on the same pictures and captions with the same proposals: `codes`, whose features are drawn as in the other worlds, and `pixels`, whose features
EfficientNet-Lite0 computed from the rendered picture. Their difference is what the pixels cost; that of `codes` from a world with true boxes is what the proposals cost.
The weights lie in `data/models/pixels.safetensors` (half precision), with the projection of the features.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file

from mmnb import paths
from mmnb.data import scenes
from mmnb.data.scenes import CODE, Detector, Regions, Scenes
from mmnb.data.scenes.pixels import Projection, principal, projected, seen
from mmnb.errors import DataUnavailable
from mmnb.models.vl import VisionLanguage, load_weights
from mmnb.recipes.vl.train import Recipe, fit_vl, new
from mmnb.recipes.vl.zoo import PLAIN

KINDS = ("codes", "pixels")
DETECTOR = Detector(parts=1, jitter=0.1, missed=0.1, background=2)
RECIPE = Recipe(epochs=12)
PICTURES, CAPTIONS, SEED = 2560, 6, 1000  # for training, the same for every model: pictures, captions of each, seed
SEEDS = {"codes": 1, "pixels": 1}  # how many of each kind are kept


def file() -> Path:
    """Where the weights lie."""
    return paths.root() / "data" / "models" / "pixels.safetensors"


def names(kind: str) -> list[str]:
    """The models that are kept of one kind."""
    return [f"{kind}-{seed}" for seed in range(SEEDS[kind])]


@cache
def projection() -> Projection:
    """The projection that comes with the weights, else anew from the first 256 training pictures (20 s)."""
    if file().is_file():
        stored = load_file(file())
        return Projection(stored["projection/mean"], stored["projection/axes"])
    made = scenes.make(PICTURES, PLAIN, seed=SEED)
    regions = scenes.detect(made, DETECTOR, seed=SEED)
    few = replace(made, **{name: value[:256] for name, value in vars(made).items() if isinstance(value, torch.Tensor)})
    return principal(seen(few, regions.rows(slice(256)))[regions.mask[:256]], CODE)


def world(kind: str, n: int, seed: int) -> tuple[Scenes, Regions]:
    """n scenes with their proposals. Training uses the seed 1000; give another for tests. Features from pixels cost 70 ms a scene, and are kept.

    Raises: ValueError on another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"vl_pixels.world: got kind={kind!r}; expected one of {', '.join(KINDS)}")
    made = scenes.make(n, PLAIN, seed=seed)
    regions = scenes.detect(made, DETECTOR, seed=seed)
    return made, regions if kind == "codes" else projected(made, regions, projection(), n=n, seed=seed, detector=DETECTOR)  # fmt: skip


def captioned(made: Scenes, regions: Regions, captions: int) -> tuple[Scenes, Regions]:
    """Each scene several times, with captions drawn anew: the first as it was, then `captions` - 1 others."""
    several = [made, *(scenes.recaption(made, seed=number) for number in range(1, captions))]
    longest = max(part.tokens.shape[1] for part in several)
    joined = {}
    for name, value in vars(made).items():
        if isinstance(value, torch.Tensor):
            fill = 0 if name == "tokens" else -1
            parts = [getattr(part, name) for part in several]
            if name in ("tokens", "head", "arc"):
                parts = [torch.nn.functional.pad(part, (0, longest - part.shape[1]), value=fill) for part in parts]
            joined[name] = torch.cat(parts)
    return replace(made, **joined), regions.rows(torch.arange(len(made)).repeat(captions))


def train(name: str, *, pictures: int = PICTURES, captions: int = CAPTIONS, **options) -> VisionLanguage:
    """Train `codes-0`, `pixels-1`, …; `options` replace parts of the recipe (`epochs=1`). Raises: ValueError on an unknown name."""
    kind, seed = _split(name)
    made, regions = captioned(*world(kind, pictures, SEED), captions)
    return fit_vl(replace(RECIPE, **options), made, regions, seed=seed)[0]


def load(name: str, *, retrain: bool = False, **options) -> VisionLanguage:
    """A trained model, from its weights or trained anew. Raises: ValueError on an unknown name; DataUnavailable without the weights."""
    _split(name)
    if retrain:
        return train(name, **options)
    if not file().is_file():
        raise DataUnavailable(f"The weights of {name} are not here: {file().name} (data/models, 0.5 MB, MIT); retrain=True trains it in a few minutes")  # fmt: skip
    model = new(RECIPE)
    load_weights({name: model}, file())
    return model.eval()


def _split(name: str) -> tuple[str, int]:
    kind, _, seed = name.partition("-")
    if kind not in KINDS or not seed.isdigit():
        raise ValueError(f"vl_pixels: got {name!r}; expected {' or '.join(KINDS)}, a dash and a seed, such as pixels-0")
    return kind, int(seed)
