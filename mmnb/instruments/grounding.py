"""Visual grounding in attention heads: does a vision-and-language model attend from a word to the region that it names?

`to_regions` cuts the attention of a query word down to the regions, `entity_grounding` compares its largest entry with
the regions that show the phrase, `best_head` selects a head on one half of the items and scores it on the other,
`grounded_arcs` lists the same questions along dependency arcs. References that need no model: `random_accuracy`,
`confident_accuracy`, `nearest_to_mean_accuracy`, and the upper bound `ceiling`.

Throughout, `match` (n, R) bool are the regions that count as right for each phrase (IoU >= .5 with any of its gold
boxes), `valid` (n, R) bool those that exist.

Source: Li, Yatskar, Yin, Hsieh & Chang, "What Does BERT with Vision Look At?", ACL 2020; arXiv 1908.03557, section 5.2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmnb import aliases
from mmnb.instruments import inputs
from mmnb.instruments.estimate import Estimate, proportion
from mmnb.instruments.result import Result

__getattr__ = aliases.renamed(__name__, {"wilson": "mmnb.instruments.estimate.proportion"})  # an Estimate, not a pair


@dataclass(frozen=True, eq=False)
class Grounding(Result):
    """How often each head attends from a phrase to a region that shows it.

    Attributes:
        correct: (n, layers, heads) bool, whether the head's largest weight lies on a matching region.
        attention_to_regions: (layers, heads), the mean attention that goes to regions at all.
        low_attention: (layers, heads) bool, heads with little of it: their argmax says little.
    """

    correct: Tensor
    attention_to_regions: Tensor
    low_attention: Tensor

    mass = aliases.renamed_field("mass", "attention_to_regions")
    faint = aliases.renamed_field("faint", "low_attention")

    @property
    def accuracy(self) -> Tensor:
        """Share of correct phrases of each head, (layers, heads) float64."""
        return self.correct.double().mean(0)

    def estimates(self) -> dict[str, Estimate]:
        """Best head and mean of all. The best has no interval, as it was selected on these phrases: see `best_head`."""
        n, accuracy = len(self.correct), self.accuracy
        ends = {"best head (selected on these phrases)": accuracy.max(), "mean of all heads": accuracy.mean()}
        return {name: Estimate(float(value), n=n, over="phrases") for name, value in ends.items()}


@dataclass(frozen=True)
class BestHead(Result):
    """The head selected on one half of the items.

    Attributes:
        layer, head: Its layer and its number there, from 0.
        chosen: Accuracy on the half it was selected on; above `accuracy` by the optimism of selecting.
        accuracy: Accuracy on the other half, with its Wilson interval.
    """

    layer: int
    head: int
    chosen: float
    accuracy: Estimate

    held_out = aliases.renamed_field("held_out", "accuracy.value")
    low, high = aliases.renamed_field("low", "accuracy.low"), aliases.renamed_field("high", "accuracy.high")

    def estimates(self) -> dict[str, Estimate]:
        """Accuracy on the other half, and on the half it was selected on."""
        return {"held-out accuracy": self.accuracy, "accuracy where selected": Estimate(self.chosen, over="phrases")}


def to_regions(attention: Tensor, query: Tensor, first_region: int, n_regions: int) -> Tensor:
    """The rows of attention maps that belong to a query word, columns of regions only: (n, layers, heads, n_regions).

    Args:
        attention: (n, layers, heads, S, S), rows = queries, sequence = [words | regions].
        query: (n,) int64, position of each query word.
        first_region, n_regions: Position of the first region, and number of regions.
    Raises: ValueError on another shape, positions outside, NaN, or rows that do not sum to 1 (to 1e-3).
    Example:
        >>> maps = torch.full((1, 1, 1, 3, 3), 1 / 3)
        >>> [round(v, 3) for v in to_regions(maps, torch.tensor([0]), 1, 2).flatten().tolist()]
        [0.333, 0.333]
    """
    if attention is None or isinstance(attention, tuple):
        got, why = type(attention).__name__, "transformers gives maps with attn_implementation='eager', layer by layer"
        raise TypeError(f"to_regions: attention: got {got}; expected torch.stack(maps, 1): {why}")
    attention = inputs.as_given(attention, "to_regions: attention")
    query = inputs.array(query, "to_regions: query")
    if attention.ndim != 5 or attention.shape[-1] != attention.shape[-2] or query.shape != (len(attention),):
        got = f"attention {tuple(attention.shape)} and query {query.shape}"
        raise ValueError(f"to_regions: got {got}; expected (n, layers, heads, S, S) and (n,)")
    length, end = attention.shape[-1], first_region + n_regions
    if not 0 < first_region <= end <= length or n_regions < 1:
        raise ValueError(f"to_regions: got regions {first_region} to {end} of {length}; expected them after words")
    if query.dtype.kind not in "iu" or not len(query) or query.min() < 0 or query.max() >= first_region:
        raise ValueError(f"to_regions: a query lies outside the {first_region} words (cut off?); expected it inside")
    rows = attention[torch.arange(len(query)), :, :, torch.from_numpy(query.astype("int64"))]
    rows = inputs.scores(rows, "to_regions: attention", "(n, layers, heads, S)")
    if (rows < 0).any() or ((rows.sum(-1) - 1).abs() > 1e-3).any():
        raise ValueError("to_regions: attention is negative or its rows do not sum to 1; expected probabilities")
    return rows[..., first_region:end]


def entity_grounding(attention: Tensor, match: Tensor, valid: Tensor, *, low_below: float = 0.2) -> Grounding:
    """Accuracy of each head: how often the region it attends to most is one that shows the phrase.

    `mean_i [match_i(argmax_r attention_ir)]` over valid regions, the first of equals. A phrase without a matching
    region counts as wrong for every head, see `ceiling`.

    Args:
        attention: (n, layers, heads, R), from the last wordpiece of the phrase to regions, see `to_regions`.
        match, valid: (n, R) bool, regions that count as right, and regions that exist.
        low_below: Mean attention to regions under which a head is marked in `low_attention`.
    Raises: ValueError on shapes that do not fit, NaN, negative attention, or an item without a region.
    Example:
        >>> maps = torch.tensor([[[[0.1, 0.6]]], [[[0.05, 0.01]]]])  # two phrases, one layer, one head, two regions
        >>> match = torch.tensor([[False, True], [False, True]])
        >>> result = entity_grounding(maps, match, torch.ones(2, 2, dtype=torch.bool))
        >>> result.accuracy.item(), round(result.attention_to_regions.item(), 2), result.low_attention.item()
        (0.5, 0.38, False)

    Source: Li et al. 2020, section 5.2 and footnote 5; matches as in the released Flickr30K loader.
    """
    match, valid = _masks(match, valid)
    attention = inputs.scores(attention, "entity_grounding: attention", "(n, layers, heads, R)")
    if match.shape != (len(attention), attention.shape[-1]):
        shapes = f"attention {tuple(attention.shape)} and match {tuple(match.shape)}"
        raise ValueError(f"entity_grounding: got {shapes}; expected (n, layers, heads, R) and (n, R)")
    if (attention < 0).any():
        raise ValueError("entity_grounding: attention is negative; expected probabilities")
    best = attention.masked_fill(~valid[:, None, None], -1.0).argmax(-1)
    correct = (match & valid)[:, None, None].expand(attention.shape).gather(-1, best[..., None]).squeeze(-1)
    to_valid = (attention * valid[:, None, None]).sum(-1).double().mean(0)
    return Grounding(correct, to_valid, to_valid < low_below)


def best_head(correct: Tensor, first_half: Tensor) -> BestHead:
    """Select the most accurate head on one half of the items and score it on the other half.

    Args:
        correct: (n, layers, heads) bool, from `entity_grounding`.
        first_half: (n,) bool, the items to select on; keep all phrases of an image on one side.
    Example:
        >>> correct = torch.tensor([[[True, False]], [[True, True]], [[True, False]], [[False, True]]])
        >>> best = best_head(correct, torch.tensor([True, True, False, False]))
        >>> best.layer, best.head, best.chosen, f"{best.accuracy:.2f}"
        (0, 0, 1.0, '0.50 [0.09, 0.91]')

    Source: Our addition: the best of 144 heads is optimistic even for an untrained model.
    """
    found = inputs.array(correct, "best_head: correct")
    if found.ndim != 3:
        raise ValueError(f"best_head: correct: got shape {found.shape}; expected (n, layers, heads)")
    correct = inputs.mask(found, "best_head: correct", found.shape)
    first_half = inputs.mask(first_half, "best_head: first_half", found.shape[:1])
    if not first_half.any() or first_half.all():
        raise ValueError("best_head: one half is empty; expected items on both sides")
    known, new = (correct[half].double() for half in (first_half, ~first_half))
    layer, head = divmod(int(known.mean(0).argmax()), correct.shape[2])
    accuracy = proportion(int(new[:, layer, head].sum()), len(new), over="phrases")
    return BestHead(layer, head, float(known[:, layer, head].mean()), accuracy)


class Arcs(NamedTuple):
    """m arcs, all (m,): caption, position of the query, relation, whether the query is the head, phrase to find."""

    item: Tensor
    query: Tensor
    relation: Tensor
    downwards: Tensor
    phrase: Tensor


def grounded_arcs(head: Tensor, relation: Tensor, phrase_of: Tensor) -> Arcs:
    """All arcs with an end that is the *last word* of a phrase; the other end is the query. Both ends may be.

    Args:
        head, relation: (n, L) int64, position of each word's head (-1 for none), and its relation to it.
        phrase_of: (n, L) int64, number of the phrase whose last word stands here, -1 elsewhere.
    Example:
        >>> head, relation = torch.tensor([[1, -1]]), torch.tensor([[4, 0]])  # word 1 -amod-> word 0, word 1 grounded
        >>> arcs = grounded_arcs(head, relation, torch.tensor([[-1, 0]]))
        >>> arcs.query.tolist(), arcs.relation.tolist(), arcs.downwards.tolist(), arcs.phrase.tolist()
        ([0], [4], [False], [0])

    Source: Li et al. 2020, section 5.2 on syntactic grounding.
    """
    head, relation, phrase_of = (
        inputs.places(part, f"grounded_arcs: {name}", "(n, L)")
        for name, part in (("head", head), ("relation", relation), ("phrase_of", phrase_of))
    )
    if not head.shape == relation.shape == phrase_of.shape:
        shapes = ", ".join(str(tuple(part.shape)) for part in (head, relation, phrase_of))
        raise ValueError(f"grounded_arcs: got shapes {shapes}; expected one (n, L)")
    if (head >= head.shape[1]).any() or (head < -1).any():
        raise ValueError("grounded_arcs: a head lies outside its caption; expected positions from 0, -1 for none")
    item, child = (head >= 0).nonzero(as_tuple=True)
    parent, kind = head[item, child], relation[item, child]
    parts = []
    for query, other, down in ((parent, child, True), (child, parent, False)):
        phrase = phrase_of[item, other]
        columns = (item, query, kind, torch.full_like(item, down, dtype=torch.bool), phrase)
        parts.append([column[phrase >= 0] for column in columns])
    return Arcs(*(torch.cat(column) for column in zip(*parts, strict=True)))


def random_accuracy(match: Tensor, valid: Tensor) -> float:
    """Expected accuracy of a region picked at random: the mean over phrases of (matching regions / regions).

    Example:
        >>> random_accuracy(torch.tensor([[True, False], [True, True]]), torch.ones(2, 2, dtype=torch.bool))
        0.75
    """
    match, valid = _masks(match, valid)
    return float(((match & valid).sum(1).double() / valid.sum(1)).mean())


def ceiling(match: Tensor, valid: Tensor) -> float:
    """Share of phrases for which any region counts as right, the upper bound of every head.

    Example:
        >>> ceiling(torch.tensor([[True, False], [False, False]]), torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    match, valid = _masks(match, valid)
    return float((match & valid).any(1).double().mean())


def confident_accuracy(confidence: Tensor, match: Tensor, valid: Tensor) -> float:
    """Accuracy of the detector's most confident box, the paper's baseline; `confidence` is (n, R).

    Example:
        >>> match = torch.tensor([[True, False], [True, False]])
        >>> confident_accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), match, torch.ones(2, 2, dtype=torch.bool))
        0.5
    """
    match, valid = _masks(match, valid)
    confidence = inputs.scores(confidence, "confident_accuracy: confidence", "(n, R)")
    if confidence.shape != match.shape:
        raise ValueError(f"confident_accuracy: got {tuple(confidence.shape)}; expected {tuple(match.shape)}")
    best = confidence.masked_fill(~valid, -torch.inf).argmax(1)
    return float((match & valid).gather(1, best[:, None]).double().mean())


def nearest_to_mean_accuracy(feature: Tensor, match: Tensor, valid: Tensor) -> float:
    """Accuracy of the region whose feature, of (n, R, d), is nearest to the image's mean: attention without a query.

    Example:
        >>> feature, match = torch.tensor([[[0.0], [1.0], [5.0]]]), torch.tensor([[False, True, False]])
        >>> nearest_to_mean_accuracy(feature, match, torch.ones(1, 3, dtype=torch.bool))
        1.0
    """
    match, valid = _masks(match, valid)
    feature = inputs.scores(feature, "nearest_to_mean_accuracy: feature", "(n, R, d)")
    if feature.shape[:2] != match.shape:
        raise ValueError(f"nearest_to_mean_accuracy: got feature {tuple(feature.shape)}; expected (n, R, d)")
    mean = (feature * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)
    distance = (feature - mean[:, None]).square().sum(-1)
    return confident_accuracy(-distance, match, valid)


def _masks(match: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Both as bools of one shape (n, R), with a region for every phrase."""
    shape = inputs.array(match, "grounding: match").shape
    if len(shape) != 2 or not shape[0]:
        raise ValueError(f"grounding: match: got shape {shape}; expected (n, R), n >= 1")
    match, valid = inputs.mask(match, "grounding: match", shape), inputs.mask(valid, "grounding: valid", shape)
    if not valid.any(1).all():
        raise ValueError(f"grounding: {int((~valid.any(1)).sum())} items have no region; expected at least one each")
    return match, valid
