"""Captions of a scene, with the span and object of every phrase and the dependency arc of every word, known by construction.

    a large red circle in northwest sits above a blue square in south and a green cross in east

A phrase is what names an object: article, perhaps a size, colour, shape. The place stands outside it, so that a masked phrase can still be looked up.
"""

from dataclasses import dataclass, field

from mmnb.data.scenes.vocabulary import (
    ARCS,
    CLS,
    COLOURS,
    ID,
    PLACES,
    RELATIONS,
    SEP,
    SHAPES,
    SIZES,
    TRANSITIVE,
    VERBS,
)


@dataclass
class Caption:
    """One caption under construction: token ids, per token its arc (head position, relation; -1 for [CLS] and [SEP]), per phrase (start, end, object)."""

    tokens: list[int] = field(default_factory=lambda: [CLS])
    heads: list[int] = field(default_factory=lambda: [-1])
    arcs: list[int] = field(default_factory=lambda: [-1])
    phrases: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, word: str, arc: str, head: int = -1) -> int:
        """Append a word; returns its position."""
        self.tokens.append(ID[word])
        self.heads.append(head)
        self.arcs.append(ARCS.index(arc))
        return len(self.tokens) - 1


def relation(first: tuple[int, int], second: tuple[int, int]) -> int:
    """Where the first cell (row, column) lies as seen from the second: 0 higher, 1 lower, 2 in the same row."""
    return 2 if first[0] == second[0] else int(first[0] > second[0])


def compose(mentions: list[tuple[int, int, int, int | None, int]], verb: int, template: int = 0) -> Caption:
    """The caption for a list of mentions (object, shape, colour, size or None, cell from 0 to 8) and a verb.

    `template`, a number into TEMPLATES, says what joins the first two: verb and preposition ("sits above"), a verb with an object ("overlooks"),
    or "and".

    Example:
        >>> from mmnb.data.scenes.vocabulary import TRANSITIVE, WORDS
        >>> made = compose([(0, 0, 0, 1, 0), (3, 1, 2, None, 7)], verb=0)
        >>> " ".join(WORDS[t] for t in made.tokens)
        '[CLS] a large red circle in northwest sits above a blue square in south [SEP]'
        >>> made.phrases
        [(1, 5, 0), (9, 12, 3)]
        >>> made = compose([(0, 0, 0, 1, 0), (3, 1, 2, None, 7)], verb=0, template=1)
        >>> " ".join((*WORDS, *TRANSITIVE)[t] for t in made.tokens)
        '[CLS] a large red circle in northwest overlooks a blue square in south [SEP]'
    """
    caption, nouns = Caption(), []
    for number, (thing, shape, colour, size, cell) in enumerate(mentions):
        noun_arc, noun_head = "root", -1
        if number == 1 and template < 2:  # the verb stands between the first two phrases
            which = relation(divmod(mentions[0][4], 3), divmod(cell, 3))
            word = caption.add(TRANSITIVE[which] if template else VERBS[verb], "root")
            caption.arcs[nouns[0]], caption.heads[nouns[0]] = ARCS.index("nsubj"), word
            noun_arc, noun_head = "dobj", word
            if not template:
                noun_arc, noun_head = "pobj", caption.add(RELATIONS[which], "prep", word)
        elif number:
            caption.add("and", "cc", nouns[-1])
            noun_arc, noun_head = "conj", nouns[-1]
        start = len(caption.tokens)
        noun = start + 2 + (size is not None)
        caption.add("a", "det", noun)
        if size is not None:
            caption.add(SIZES[size], "amod", noun)
        caption.add(COLOURS[colour], "amod", noun)
        nouns.append(caption.add(SHAPES[shape], noun_arc, noun_head))
        caption.phrases.append((start, noun + 1, thing))
        caption.add(PLACES[cell], "pobj", caption.add("in", "prep", noun))
    for row, end in ((caption.tokens, SEP), (caption.heads, -1), (caption.arcs, -1)):
        row.append(end)
    return caption
