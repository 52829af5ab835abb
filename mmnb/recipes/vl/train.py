"""Training of small vision-and-language models on scenes: masked words, masked regions, and matching."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mmnb.data import scenes
from mmnb.data.scenes import MASK, PAD, Regions, Scenes
from mmnb.models.vl import VisionLanguage, small
from mmnb.recipes.fit import History, fit

WHOLE = torch.tensor([0.0, 0.0, 1.0, 1.0])  # the box of the whole picture


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: its sizes as in `mmnb.models.vl.small`, what is masked, and the options of `mmnb.recipes.fit.fit`."""

    kind: str = "visualbert"  # or "lxmert"
    width: int = 48
    layers: int = 3
    heads: int = 4
    inputs: str = "both"  # or "text" (no region is seen) or "vision" (no word is seen)
    phrases: float = 0.1  # probability that a whole phrase is masked,
    words: float = 0.25  # a single word,
    regions: float = 0.1  # a region's feature (zeroed)
    mismatch: float = (
        0.03  # share of captions exchanged in a batch, to be detected; they take no part in the masked losses
    )
    shuffled: bool = False  # whether all captions are exchanged once, before training
    global_: str | None = (
        "recomputed"  # region 0, the whole picture, has the mean of the others after masking; "stale": before
    )
    blind: bool = False  # whether all boxes are withheld
    together: bool = False  # whether all regions of an object are masked together
    beside: float = 0.3  # weight of the losses of masked regions and of matching, relative to that of masked words
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 2e-3


def with_global(feature: Tensor, box: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Feature, box and mask with one more region in front: the whole picture, its feature the mean of the regions seen."""
    mean = (feature * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    whole = WHOLE.expand(len(box), 1, 4)
    return torch.cat([mean[:, None], feature], 1), torch.cat([whole, box], 1), torch.cat([mask[:, :1] | True, mask], 1)


def new(recipe: Recipe, feature_size: int = scenes.CODE, vocabulary: int = len(scenes.WORDS)) -> VisionLanguage:
    """The untrained model of a recipe, for regions of so many numbers and so many words, from torch's global generator."""
    sizes = {"width": recipe.width, "layers": recipe.layers, "heads": recipe.heads}
    return small(recipe.kind, vocabulary=vocabulary, n_classes=scenes.N_CLASSES, feature_size=feature_size, **sizes)  # fmt: skip


def fit_vl(
    recipe: Recipe,
    world: Scenes,
    regions: Regions,
    *,
    seed: int,
    start: VisionLanguage | None = None,
    callback: Callable[[VisionLanguage, int], None] | None = None,
    every: int = 100,
    **options,
) -> tuple[VisionLanguage, History]:
    """A model trained on a world. The same seed, of weights and batches, gives the same model, with a callback or without.

    `start` is a model of the same shape, perhaps with fewer words, whose weights the training starts from, instead of random ones. `callback`
    is called with the model in eval mode and the number of steps done, before the first step, after each `every` of them, and at the end.
    Options go to `fit`.
    """
    if recipe.inputs not in ("both", "text", "vision") or recipe.global_ not in (None, "recomputed", "stale"):
        raise ValueError(
            f"fit_vl: got inputs={recipe.inputs!r}, global_={recipe.global_!r}; expected both, text or vision, and recomputed, stale or None"
        )
    if every < 1:
        raise ValueError(f"fit_vl: got every={every}; expected at least one step")
    torch.manual_seed(seed)
    model, draw = new(recipe, regions.feature.shape[2], len(world.words)), torch.Generator().manual_seed(seed)
    if start is not None:
        own = model.state_dict()
        for name, value in start.state_dict().items():
            own[name][tuple(map(slice, value.shape))] = value  # new words keep their random weights
    steps, captions = 0, phrases_of(world)
    order = torch.randperm(len(world), generator=draw) if recipe.shuffled else torch.arange(len(world))

    def call_back(last: bool = False) -> None:
        if callback is not None and (last or steps % every == 0):
            with torch.no_grad():
                callback(model.eval(), steps)
            model.train()

    def loss(index: Tensor) -> Tensor:
        nonlocal steps
        call_back()
        steps += 1
        batch = masked_batch(recipe, world.tokens, captions, regions, index, order, draw)
        out = model(*batch.inputs)
        asked = out.words[batch.word_at]
        words = functional.cross_entropy(asked, batch.word) if len(asked) else out.words.sum() * 0
        region = -(batch.label * out.regions[batch.region_at].log_softmax(-1)).sum(-1)
        rest = region.sum() / max(len(region), 1) + functional.cross_entropy(out.match, batch.match)
        return words + recipe.beside * rest

    settings = {"epochs": recipe.epochs, "batch_size": recipe.batch_size, "learning_rate": recipe.learning_rate}
    history = fit(model, loss, len(world), generator=draw, **{"largest_gradient": 1.0, "progress": False} | settings | options)  # fmt: skip
    call_back(last=True)
    return model.eval(), history


@dataclass(frozen=True)
class Batch:
    """The model's `inputs`, and places and targets of the three losses: masked words, masked regions, matching."""

    inputs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
    word_at: tuple[Tensor, Tensor]
    word: Tensor
    region_at: tuple[Tensor, Tensor]
    label: Tensor
    match: Tensor


def phrases_of(world: Scenes) -> Tensor:
    """(n, L) number of the phrase each token belongs to, -1 for none."""
    place = torch.arange(world.tokens.shape[1])
    start, end = world.phrase[..., :1], world.phrase[..., 1:2]
    inside = (place >= start) & (place < end)
    return torch.where(inside.any(1), inside.float().argmax(1), -1)


def masked_batch(recipe: Recipe, tokens: Tensor, captions: Tensor, regions: Regions, index: Tensor, order: Tensor, draw: torch.Generator) -> Batch:  # fmt: skip
    """One batch with words, phrases and regions masked at random."""
    b, rand = len(index), lambda *shape: torch.rand(*shape, generator=draw)
    text, other = order[index], rand(b) < recipe.mismatch
    text = torch.where(other, text.roll(1), text)
    words, phrase = tokens[text], captions[text]
    whole = (rand(b, int(captions.max()) + 2) < recipe.phrases).gather(1, phrase + 1) & (phrase >= 0)
    hidden = (whole | (rand(words.shape) < recipe.words)) & (words > MASK)
    seen = torch.where(hidden, MASK, words)
    mask, feature, box = regions.mask[index], regions.feature[index], regions.box[index]
    gone = (rand(mask.shape) < recipe.regions) & mask
    if recipe.together:
        thing = regions.thing[index]
        same = (thing[:, :, None] == thing[:, None]) & (thing >= 0)[:, None]
        gone = (same & gone[:, None]).any(-1) | gone
    zeroed = feature.masked_fill(gone[..., None], 0)
    label = regions.label[index]
    if recipe.global_ is not None:
        average = with_global(zeroed if recipe.global_ == "recomputed" else feature, box, mask)
        zeroed, box, mask = torch.cat([average[0][:, :1], zeroed], 1), average[1], average[2]
        gone, label = torch.cat([gone[:, :1] & False, gone], 1), torch.cat([label[:, :1], label], 1)
    sees_words, sees_regions = recipe.inputs != "vision", recipe.inputs != "text"
    token_mask = (words != PAD) if sees_words else (torch.arange(words.shape[1]) == 0).expand_as(words)
    box = box * 0 if recipe.blind else box
    word_at = (hidden & ~other[:, None] & sees_words).nonzero(as_tuple=True)
    region_at = (gone & ~other[:, None] & sees_regions).nonzero(as_tuple=True)
    inputs = (seen, token_mask, zeroed, box, mask & sees_regions)
    return Batch(inputs, word_at, words[word_at], region_at, label[region_at], other.long())
