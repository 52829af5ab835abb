"""The ideal observer of scenes: the exact posterior of every masked word and region class, behind the interface of a trained model.

It knows how scenes, captions and features are made (knobs and detector) and reads what it is given: the words that are not masked, the features that
are not ablated, and all boxes. No model can have a lower expected loss, so its losses say what a modality could contribute at most.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmnb.data.scenes.regions import CODE, Detector, codebook
from mmnb.data.scenes.vocabulary import CLASSES, COLOURS, ID, MASK, N_CLASSES, PLACES, SHAPES, SIZES, WORDS
from mmnb.data.scenes.world import RADIUS, Knobs

IMPOSSIBLE = -60.0  # log-probability of what cannot be: exp(-60) bits are none
STARTS = (1, 9, 16, 23, 30, 37, 44, 51)  # of the mentions in a caption whose mentions all tell the size


@dataclass(frozen=True)
class Ideal:
    """Knobs and detector of the scenes, and the feature that stands in for a removed region (besides zeros).

    With `old_mean` the whole picture's feature is the mean of all regions, the hidden one (zeros) included: minus the visible ones it is the hidden one.

    Exact where places are given or no word is (the conditions none, aligned and all of `mmnb.ablation`, "mean" and "zero" as replacements).
    Raises: ValueError for scenes or detectors whose posterior is not worked out here.
    """

    knobs: Knobs
    detector: Detector
    mean: Tensor
    old_mean: bool = False

    def __post_init__(self) -> None:
        if self.knobs.sized != 1 or self.knobs.wrong != 0 or self.knobs.mentions > self.knobs.objects[0]:
            raise ValueError(
                f"Ideal: got {self.knobs}; expected captions that are true, tell sizes and find their objects"
            )
        if self.detector.jitter or self.detector.missed or self.detector.background:
            raise ValueError(f"Ideal: got {self.detector}; expected true boxes and no background")

    def predict(self, tokens: Tensor, token_mask: Tensor, feature: Tensor, box: Tensor, region_mask: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Log-probabilities of words (b, L, V) and of region classes (b, R, C); region 0 is the whole picture."""
        b, length = tokens.shape
        seen = region_mask.clone()
        seen[:, 0] = False
        if self.old_mean:
            given = seen[..., None]
            rest = feature[:, :1] * given.sum(1, keepdim=True) - (feature * given).sum(1, keepdim=True)
            feature = torch.where((seen & (feature == 0).all(-1))[..., None], rest, feature)
        cell = self._cell(box)
        regions = torch.where(seen[..., None], self._of_feature(feature) + self._of_box(box), 0.0)
        evidence = torch.zeros(b, len(PLACES), len(CLASSES) * len(SIZES), dtype=torch.float64)
        evidence.scatter_add_(1, cell[..., None].expand_as(regions), regions)
        starts = [start for start in STARTS[: self.knobs.mentions] if start + 5 < length]
        for start in starts:
            named = torch.where(tokens[:, start + 5] == MASK, 0, tokens[:, start + 5] - ID[PLACES[0]])
            told = self._of_words(tokens[:, start + 1 : start + 4]) * (tokens[:, start + 5] != MASK)[:, None]
            evidence[torch.arange(b), named] += told
        posterior = self._posterior(evidence.view(b, len(PLACES), len(CLASSES), len(SIZES)))
        words = self._words(tokens, starts, posterior)
        label = posterior.sum(-1).gather(1, cell[..., None].expand(-1, -1, len(CLASSES))) @ self._label()
        return words, label.clamp(min=1e-30).log()

    @staticmethod
    def _cell(box: Tensor) -> Tensor:
        """Which of the nine cells each box lies in, (b, R)."""
        column, row = ((box[..., k] + box[..., k + 2]).mul(1.5).long().clamp(0, 2) for k in (0, 1))
        return 3 * row + column

    def _of_feature(self, feature: Tensor) -> Tensor:
        """Log-likelihood (b, R, 32) of class and size; 0 throughout where the feature was removed."""
        code = codebook().double()
        shape, colour, size = code.split([len(SHAPES), len(COLOURS), len(SIZES)])
        clean = (shape[:, None, None] + colour[:, None] + size).reshape(-1, CODE)
        given = feature[..., :CODE].double()
        removed = (given == 0).all(-1) | ((given - self.mean.double()).abs() < 1e-5).all(-1)
        distance = (given[..., None, :] - clean).square().sum(-1)
        return torch.where(removed[..., None], 0.0, -distance / (2 * self.detector.noise**2))

    def _of_box(self, box: Tensor) -> Tensor:
        """Log-likelihood (b, R, 32): a box tells the size, and nothing else."""
        width = (box[..., 2] - box[..., 0]).double()[..., None]
        extents = 2 * torch.tensor(RADIUS, dtype=torch.float64)
        scales = torch.tensor([1.0, 0.6] if self.detector.parts else [1.0], dtype=torch.float64)
        size = (width[..., None] - extents[:, None] * scales).abs().flatten(-2).argmin(-1) // len(scales)
        wrong = torch.arange(len(SIZES)) != size[..., None]
        return (IMPOSSIBLE * wrong.double()).repeat(1, 1, len(CLASSES))

    @staticmethod
    def _of_words(words: Tensor) -> Tensor:
        """Log-likelihood (b, 32) of class and size, from size, colour and shape as told or masked, (b, 3)."""
        number = torch.arange(len(CLASSES) * len(SIZES))
        identity, size = number // len(SIZES), number % len(SIZES)
        parts = (
            ID[SIZES[0]] + size,
            ID[COLOURS[0]] + identity % len(COLOURS),
            ID[SHAPES[0]] + identity // len(COLOURS),
        )
        wrong = sum(
            ((words[:, k, None] != part) & (words[:, k, None] != MASK)).double() for k, part in enumerate(parts)
        )
        return IMPOSSIBLE * wrong

    def _posterior(self, evidence: Tensor) -> Tensor:
        """P(class, size) of the object in every cell, (b, 9, 16, 2), from all evidence: its own, and what the others tell of the theme."""
        theme, n = self.knobs.theme, len(CLASSES)
        top = evidence.amax((-1, -2), keepdim=True)
        likelihood = (evidence - top).exp()
        of_class = likelihood.sum(-1)
        per_theme = (theme * of_class + (1 - theme) / n * of_class.sum(-1, keepdim=True)).log()  # (b, 9, themes)
        others = (per_theme.sum(1, keepdim=True) - per_theme).softmax(-1)
        joint = (theme * others + (1 - theme) / n)[..., None] * likelihood
        return joint / joint.sum((-1, -2), keepdim=True)

    def _label(self) -> Tensor:
        """The detector's expected distribution for each true class, (16, 17)."""
        true = torch.eye(N_CLASSES, dtype=torch.float64)[: len(CLASSES)]
        peak = (1 - self.detector.confused) * true + self.detector.confused * (1 - true) / (N_CLASSES - 1)
        return (1 - self.detector.soft) * peak + self.detector.soft / N_CLASSES

    def _words(self, tokens: Tensor, starts: list[int], posterior: Tensor) -> Tensor:
        """Log-probabilities (b, L, V): of the grammar, and of size, colour and shape where they are masked."""
        b, length = tokens.shape
        words = torch.full((b, length, len(WORDS)), IMPOSSIBLE, dtype=torch.float64)
        words.scatter_(2, tokens[..., None], 0.0)
        for start in starts:
            place = tokens[:, start + 5] - ID[PLACES[0]]
            known = (tokens[:, start + 5] != MASK)[:, None, None]
            object_ = torch.where(known, posterior[torch.arange(b), place.clamp(min=0)], posterior.mean(1))
            of_class = object_.sum(-1).view(b, len(SHAPES), len(COLOURS))
            words[:, start, :] = IMPOSSIBLE
            words[:, start, ID["a"]] = 0.0
            for k, (names, p) in enumerate(((SIZES, object_.sum(1)), (COLOURS, of_class.sum(1)), (SHAPES, of_class.sum(2))), start=1):  # fmt: skip
                words[:, start + k, :] = IMPOSSIBLE
                words[:, start + k, ID[names[0]] : ID[names[0]] + len(names)] = p.clamp(min=1e-26).log()
        return words
