"""What a detector would hand over: boxes, features and class distributions, from the true objects through knobs of error.

Two sources of features: vectors drawn here (cheap: a fixed code of shape, colour and size, plus noise), or an encoder
that sees the pixels (`pixels.py`).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmnb.data.scenes.vocabulary import BACKGROUND, COLOURS, N_CLASSES, SHAPES, SIZES
from mmnb.data.scenes.world import Scenes

CODE = 62  # width of the appearance part; with the four numbers of the box 66


@dataclass(frozen=True)
class Detector:
    """How good the detector is.

    noise      standard deviation of the noise on each of the 62 numbers of a feature, whose clean entries have 1/2
    soft       share of the class distribution that is spread evenly over all classes
    confused   how often the peak of the distribution is a wrong class (drawn at random among all others)
    jitter     standard deviation of a box's corners, in shares of the object's width or height
    missed     how often an object has no region
    parts      how many extra regions per object show a part of it, IoT below one half
    background how many regions show nothing
    """

    noise: float = 0.2
    soft: float = 0.1
    confused: float = 0.0
    jitter: float = 0.0
    missed: float = 0.0
    parts: int = 0
    background: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            share = name in ("soft", "confused", "missed")
            if not 0 <= value <= (1 if share else np.inf):
                raise ValueError(f"Detector: got {name}={value}; expected {'0 to 1' if share else '0 or more'}")


@dataclass(frozen=True)
class Regions:
    """Regions of n scenes, R in each, absent ones with mask False and zeros.

    box (n, R, 4) in shares of the picture · feature (n, R, d) · label (n, R, 17), the detector's distribution over
    classes, background last · mask (n, R) bool · confidence (n, R), the largest probability of an object class · thing
    (n, R) int64, the object it shows, -1 for none; float32 unless said otherwise
    """

    box: Tensor
    feature: Tensor
    label: Tensor
    mask: Tensor
    confidence: Tensor
    thing: Tensor

    def __len__(self) -> int:
        return len(self.box)

    def rows(self, index: Tensor | slice) -> "Regions":
        """The same of some scenes only."""
        return replace(self, **{name: value[index] for name, value in vars(self).items()})


def codebook() -> Tensor:
    """The fixed code (4 + 4 + 2, 62) whose rows add up to an object's clean feature, entries of standard deviation 0.29."""
    return torch.randn(len(SHAPES) + len(COLOURS) + len(SIZES), CODE, generator=torch.Generator().manual_seed(7)) / 3**0.5 / 2  # fmt: skip


def detect(scenes: Scenes, detector: Detector | None = None, *, seed: int) -> Regions:
    """Regions of every scene, in random order within a scene. The same seed gives the same regions."""
    detector, rng = detector or Detector(), np.random.default_rng([seed, 1])
    (n, k), kinds = scenes.shape.shape, 1 + detector.parts
    thing = np.tile(np.concatenate([np.tile(np.arange(k), kinds), np.full(detector.background, -1)]), (n, 1))
    real = thing >= 0
    of = np.maximum(thing, 0)
    present = np.take_along_axis(scenes.shape.numpy() >= 0, of, 1)
    missed = np.take_along_axis(rng.random((n, k)) < detector.missed, of, 1)
    mask = np.where(real, present & ~missed, True)
    box = np.take_along_axis(scenes.box.numpy(), of[..., None], 1)
    part = np.tile(np.arange(thing.shape[1]) >= k, (n, 1)) & real
    box = np.where(part[..., None], _parts(box, rng), box)
    empty = np.sort(rng.uniform(0, 1, (*thing.shape, 2, 2)), axis=2).reshape(*thing.shape, 4)
    box = np.where(real[..., None], box, empty)
    extent = np.tile(box[..., 2:] - box[..., :2], 2)
    box = np.clip(box + np.where(real[..., None], detector.jitter * extent * rng.normal(size=box.shape), 0), 0, 1)
    box = np.concatenate([np.minimum(box[..., :2], box[..., 2:]), np.maximum(box[..., :2], box[..., 2:])], -1)
    label, confidence = _labels(scenes, of, real, detector, rng)
    order = rng.permuted(np.tile(np.arange(thing.shape[1]), (n, 1)), axis=1)
    feature = _features(scenes, of, real, detector, rng)
    fields = {"box": box, "feature": feature, "label": label, "mask": mask, "confidence": confidence, "thing": thing}
    return Regions(**{name: _arranged(value, order, mask, name) for name, value in fields.items()})


def _arranged(value: np.ndarray, order: np.ndarray, mask: np.ndarray, name: str) -> Tensor:
    """In the order drawn, with nothing left of absent regions."""
    shape = (*order.shape, *[1] * (value.ndim - 2))
    value = np.where(mask.reshape(shape), value, np.array(-1 if name == "thing" else 0, value.dtype))
    value = torch.from_numpy(np.take_along_axis(value, order.reshape(shape), 1))
    return value.float() if value.is_floating_point() else value


def _parts(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random part of each box, .6 as wide and .6 as high: it covers .36 of it, so it never counts as aligned at .5."""
    extent = box[..., 2:] - box[..., :2]
    start = box[..., :2] + extent * rng.uniform(0, 0.4, (*box.shape[:-1], 2))
    return np.concatenate([start, start + 0.6 * extent], -1)


def _features(scenes: Scenes, of: np.ndarray, real: np.ndarray, detector: Detector, rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    code, start, total = codebook().numpy(), 0, 0.0
    for values, names in ((scenes.shape, SHAPES), (scenes.colour, COLOURS), (scenes.size, SIZES)):
        total = total + code[start + np.maximum(np.take_along_axis(values.numpy(), of, 1), 0)]
        start += len(names)
    return np.where(real[..., None], total, 0) + detector.noise * rng.normal(size=(*of.shape, CODE))


def _labels(scenes: Scenes, of: np.ndarray, real: np.ndarray, detector: Detector, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A peak on the true class, or on another one where the detector is confused, above an even rest."""
    true = np.where(real, np.take_along_axis(scenes.identity.numpy(), of, 1), BACKGROUND)
    other = (true + rng.integers(1, N_CLASSES, true.shape)) % N_CLASSES
    peak = np.where(rng.random(true.shape) < detector.confused, other, true)
    soft = np.clip(detector.soft * rng.uniform(0.5, 1.5, true.shape), 0, 1)[..., None]
    label = (1 - soft) * np.eye(N_CLASSES)[peak] + soft / N_CLASSES
    return label, label[..., :BACKGROUND].max(-1)
