"""The small trained models of the notebooks on scenes: what each was trained on, its weights, and how to train it again.

A name is a kind, a dash and a seed: `visualbert-0`. `visualbert` and `lxmert` see true boxes, and codes with a little noise as features; the
variants differ from them in one thing; `codes` and `pixels` see a detector's proposals; `syntax` goes on from `visualbert` with captions of three templates.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mmnb import paths
from mmnb.data import scenes
from mmnb.data.scenes import CODE, Detector, Knobs, Regions, Scenes
from mmnb.data.scenes.pixels import Projection, principal, projected, seen
from mmnb.errors import DataUnavailable
from mmnb.models.vl import VisionLanguage, load_weights, save_weights
from mmnb.recipes.vl.train import Recipe, fit_vl, new

PLAIN = Knobs(sized=1.0)
PARTS = Detector(parts=1)
PROPOSALS = Detector(parts=1, jitter=0.1, missed=0.1, background=2)


@dataclass(frozen=True)
class Entry:
    """What a model is trained on, and how."""

    recipe: Recipe = field(default_factory=Recipe)
    knobs: Knobs = PLAIN
    detector: Detector = field(default_factory=Detector)
    n: int = 32_768  # training scenes
    seed: int = 0  # of weights and batches
    stream: int = 1000  # training scenes have the seed `stream + seed`, or `stream` alone with `captions` above 1
    start: str | None = None  # kind of the model whose weights the training starts from
    captions: int = 1  # of each scene
    pixels: bool = False  # whether features are EfficientNet-Lite0's from the rendered pictures, instead of codes
    templates: tuple[float, float, float] | None = None  # shares, as in `scenes.recaption`; None: verb and preposition
    weights: str = "scenes"  # file in `data/models`

    @property
    def vocabulary(self) -> int:
        """How many words its captions are made of."""
        return len(scenes.WORDS) + (len(scenes.TRANSITIVE) if self.templates else 0)

    def world(self, n: int, seed: int) -> tuple[Scenes, Regions]:
        """n scenes of this entry's world with their regions, for tests: choose a seed far from the training's. Pixels cost 70 ms a scene, once."""
        made = scenes.make(n, self.knobs, seed=seed)
        regions = scenes.detect(made, self.detector, seed=seed)
        if self.templates:
            made = scenes.recaption(made, seed=seed, templates=self.templates)
        if self.pixels:
            regions = projected(made, regions, projection(), n=n, seed=seed, detector=self.detector)
        return made, regions

    def training(self, n: int | None = None) -> tuple[Scenes, Regions]:
        """The training scenes and their regions."""
        own_seed = self.stream if self.captions > 1 else self.stream + self.seed
        return captioned(*self.world(n or self.n, own_seed), self.captions)

    def settings(self) -> dict[str, Any]:
        """Recipe, world, number of scenes and seed in plain numbers, as they stand in `curves.json`."""
        parts = {"recipe": asdict(self.recipe), "knobs": asdict(self.knobs), "detector": asdict(self.detector)}
        parts |= {"templates": self.templates} if self.templates else {}
        return json.loads(json.dumps(parts | {"scenes": self.n, "seed": self.seed}))


_LXMERT = Recipe(kind="lxmert", width=64, layers=1, words=0.3, regions=0.15, beside=1.0, epochs=14, learning_rate=3e-3)
_VARIANT = Entry(weights="worlds")
_PROPOSALS = Entry(Recipe(epochs=12), detector=PROPOSALS, n=2560, captions=6, weights="pixels")

VARIANTS = {
    "parts": replace(_VARIANT, recipe=Recipe(epochs=7), detector=PARTS),
    "theme": replace(_VARIANT, knobs=replace(PLAIN, theme=0.9)),
    "confused": replace(_VARIANT, detector=Detector(confused=0.7)),
    "unreadable": replace(_VARIANT, detector=Detector(noise=3.0)),
    "sparse": replace(_VARIANT, knobs=replace(PLAIN, mentions=1)),
}
ON_PROPOSALS = {"codes": _PROPOSALS, "pixels": replace(_PROPOSALS, pixels=True)}
_SYNTAX = Entry(
    Recipe(epochs=4, learning_rate=1e-3),
    n=8192,
    stream=5000,
    start="visualbert",
    templates=(0.4, 0.4, 0.2),
    weights="grounding",
)
KINDS = {"visualbert": Entry(), "syntax": _SYNTAX, "lxmert": Entry(_LXMERT, n=8192)} | VARIANTS | ON_PROPOSALS
STORED = [f"{kind}-{seed}" for kind in ("visualbert", "lxmert", *VARIANTS, "syntax") for seed in range(3)]
STORED += [f"{kind}-0" for kind in ON_PROPOSALS]


def entry(name: str) -> Entry:
    """Recipe, world and seed of a model. Raises: ValueError on an unknown name."""
    kind, _, seed = name.rpartition("-")
    if kind not in KINDS or not seed.isdigit():
        raise ValueError(f"zoo: got {name!r}; expected one of {', '.join(KINDS)}, a dash and a seed, such as parts-0")
    return replace(KINDS[kind], seed=int(seed))


def train(name: str, *, n: int | None = None, captions: int | None = None, **options: Any) -> VisionLanguage:
    """Train a model, perhaps on another number of scenes, of captions each; `options` replace parts of its recipe, such as `epochs=1`."""
    own = entry(name)
    own = replace(own, captions=captions or own.captions, recipe=replace(own.recipe, **options))
    start = load(f"{own.start}-{own.seed}") if own.start else None
    return fit_vl(own.recipe, *own.training(n), seed=own.seed, start=start)[0]


def load(name: str, *, retrain: bool = False, **options: Any) -> VisionLanguage:
    """A trained model: from the weights that come with the repository, or trained where there are none or `retrain` is True.

    Raises: ValueError on an unknown name; DataUnavailable when its weights should be here and are not.
    """
    own = entry(name)
    if retrain or name not in STORED:
        return train(name, **options)
    if name not in stored(own.weights):
        raise DataUnavailable(
            f"The weights of {name} are not in {file(own.weights).name} (data/models, all together at most 6 MB, MIT); "
            "retrain=True trains it in a minute or two"
        )
    model = new(own.recipe, vocabulary=own.vocabulary)
    load_weights({name: model}, file(own.weights))
    return model.eval()


def keep(name: str, model: VisionLanguage) -> None:
    """Write one model's weights, in half precision, into its file, with those of the others. Raises: ValueError on an unknown name."""
    target = file(entry(name).weights)
    content = load_file(target) if target.is_file() else {}
    others = {key: value for key, value in content.items() if not key.startswith(f"{name}/")}
    with paths.replace(target) as temporary:
        save_weights({name: model}, temporary)
        save_file(others | load_file(temporary), temporary)


def file(name: str, kind: str = "safetensors") -> Path:
    """A file in `data/models`, of weights or of what was measured."""
    return paths.root() / "data" / "models" / f"{name}.{kind}"


def stored(weights: str) -> list[str]:
    """Models whose weights are in a file; none when it is not there."""
    if not file(weights).is_file():
        return []
    with safe_open(file(weights), "pt") as content:
        return sorted({key.split("/", 1)[0] for key in content.keys()} - {"projection"})  # noqa: SIM118 - no mapping


@cache
def projection() -> Projection:
    """From the encoder's features to codes: the one that comes with the weights, else made from the first 256 training pictures (20 s)."""
    if file("pixels").is_file():
        content = load_file(file("pixels"))
        return Projection(content["projection/mean"], content["projection/axes"])
    made, regions = ON_PROPOSALS["codes"].world(_PROPOSALS.n, _PROPOSALS.stream)
    few = replace(made, **{name: value[:256] for name, value in vars(made).items() if isinstance(value, torch.Tensor)})
    return principal(seen(few, regions.rows(slice(256)))[regions.mask[:256]], CODE)


def captioned(made: Scenes, regions: Regions, captions: int) -> tuple[Scenes, Regions]:
    """Each scene several times, with captions drawn anew: the first as it was, then `captions` - 1 others."""
    if captions == 1:
        return made, regions
    several = [made, *(scenes.recaption(made, seed=number) for number in range(1, captions))]
    longest = max(part.tokens.shape[1] for part in several)
    joined = {}
    for name in [name for name, value in vars(made).items() if isinstance(value, torch.Tensor)]:
        parts = [getattr(part, name) for part in several]
        if name in ("tokens", "head", "arc"):
            fill = 0 if name == "tokens" else -1
            parts = [torch.nn.functional.pad(part, (0, longest - part.shape[1]), value=fill) for part in parts]
        joined[name] = torch.cat(parts)
    return replace(made, **joined), regions.rows(torch.arange(len(made)).repeat(captions))


def read_lines(target: Path) -> dict[str, Any]:
    """What `write_lines` wrote; {} where there is no such file."""
    return json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}


def write_lines(target: Path, content: Iterable[tuple[str, Any]]) -> None:
    """JSON with one line per name, so that a change of one shows as a change of one line."""
    lines = [f" {json.dumps(name, ensure_ascii=False)}: {json.dumps(value)}" for name, value in content]
    paths.write_text(target, "{\n" + ",\n".join(lines) + "\n}\n")
