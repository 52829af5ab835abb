"""The small trained models of notebooks on scenes: what each was trained on, its weights, and how to train it again.

The weights lie in `data/models/scenes.safetensors` (half precision). `train("visualbert-0")` makes any of them anew from recipe, world and seed,
and `keep(name, model)` puts it there.
"""

from dataclasses import dataclass, field, replace

from safetensors import safe_open

from mmnb import paths
from mmnb.data import scenes
from mmnb.data.scenes import Detector, Knobs, Regions, Scenes
from mmnb.errors import DataUnavailable
from mmnb.models.vl import VisionLanguage, load_weights, save_weights
from mmnb.recipes.vl.train import Recipe, fit_vl, new

PLAIN = Knobs(sized=1.0)


@dataclass(frozen=True)
class Entry:
    """A recipe, the world it is trained and tested on, the number of training scenes, and the seed."""

    recipe: Recipe = field(default_factory=Recipe)
    knobs: Knobs = PLAIN
    detector: Detector = field(default_factory=Detector)
    n: int = 32_768
    seed: int = 0

    def world(self, n: int, seed: int) -> tuple[Scenes, Regions]:
        """n scenes of this entry's world with their regions. Training uses the seeds 1000 + seed; give others for tests."""
        made = scenes.make(n, self.knobs, seed=seed)
        return made, scenes.detect(made, self.detector, seed=seed)


LXMERT = Recipe(kind="lxmert", width=64, layers=1, words=0.3, regions=0.15, beside=1.0, epochs=14, learning_rate=3e-3)
ZOO = {
    **{f"visualbert-{seed}": Entry(seed=seed) for seed in range(3)},
    **{f"lxmert-{seed}": Entry(LXMERT, n=8192, seed=seed) for seed in range(3)},
}


def file():
    """Where the weights lie."""
    return paths.root() / "data" / "models" / "scenes.safetensors"


def train(name: str, **options) -> VisionLanguage:
    """Train one model of the zoo; `options` replace parts of its recipe (`epochs=1`) or, as `n=`, its number of scenes.

    Raises: ValueError on an unknown name.
    """
    entry = _entry(name)
    n = options.pop("n", entry.n)
    world, regions = entry.world(n, 1000 + entry.seed)
    return fit_vl(replace(entry.recipe, **options), world, regions, seed=entry.seed)[0]


def load(name: str, *, retrain: bool = False, **options) -> VisionLanguage:
    """A trained model: from the weights that come with the repository, or trained anew with retrain=True (`options` as in `train`).

    Raises: ValueError on an unknown name; DataUnavailable when the file of weights is not there or does not hold it.
    """
    if retrain:
        return train(name, **options)
    entry = _entry(name)
    if not file().is_file() or name not in names():
        raise DataUnavailable(
            f"The weights of {name} are not in {file().name} (data/models, at most 3 MB, MIT); retrain=True trains it in a minute or two"
        )
    model = new(entry.recipe)
    load_weights({name: model}, file())
    return model.eval()


def keep(name: str, model: VisionLanguage) -> None:
    """Write one model's weights, in half precision, into the file, beside those of the others. Raises: ValueError on an unknown name."""
    _entry(name)
    models = {other: load(other) for other in names() if other in ZOO} if file().is_file() else {}
    with paths.replace(file()) as temporary:
        save_weights(models | {name: model}, temporary)


def names() -> list[str]:
    """Models whose weights are in the file."""
    with safe_open(file(), "pt") as stored:
        return sorted({key.split("/", 1)[0] for key in stored.keys()})  # noqa: SIM118 - no mapping


def _entry(name: str) -> Entry:
    if name not in ZOO:
        raise ValueError(f"vl_zoo: got {name!r}; expected one of {', '.join(ZOO)}")
    return ZOO[name]
