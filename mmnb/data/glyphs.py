"""Glyphs: pictures of characters in twelve typefaces, each with the character's Unicode name as its caption.

A real, redundant and ambiguous image-text data set that needs no download: the name describes the picture ("LATIN SMALL LETTER E
WITH ACUTE"), and A, Alpha and Cyrillic A look alike, so that the picture alone cannot tell them apart.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmnb.data import derived, lookalikes, typeset
from mmnb.data.pairs import Pairs
from mmnb.data.rows import SPLITS, padded

PADDING, UNKNOWN = "<pad>", "<unk>"
FACES = {  # file name without ".ttf" -> split; every style of the held-out faces is known from another family
    **{f"DejaVu{name}": "train" for name in ("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique")},
    **{f"DejaVu{name}": "train" for name in ("SansMono", "SansMono-Bold", "Serif", "Serif-Bold")},
    **{f"DejaVu{name}": "validation" for name in ("SansMono-Oblique", "Serif-Italic")},
    **{f"DejaVu{name}": "test" for name in ("SansMono-BoldOblique", "Serif-BoldItalic")},
}
SCRIPTS = (  # first words of names that are names of scripts; every other character is "COMMON"
    "ARABIC", "ARMENIAN", "BRAILLE", "CANADIAN", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "HEBREW", "LAO", "LATIN", "LISU",
    "NKO", "OGHAM", "OLD", "TIFINAGH",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Glyphs:
    """Pairs (picture of a character in one face, name of the character); n = 46,939 pairs, c = 6,668 characters.

    Per pair
      images           (n, size, size) uint8, 0 paper to 255 ink
      character        (n,) int64, row in the fields per character
      codepoint        (n,) int64, Unicode code point
      face             (n,) int64, row in `faces`
      face_split       (n,) int64, 0 train (8 faces), 1 validation (2), 2 test (2), 3 in no split: this very picture of this
                       character is already in an earlier split (slanted faces share their symbols with upright ones)
      character_split  (n,) int64, 0 train, 1 validation, 2 test, about 80/10/10, by a fixed hash of the look-alike group:
                       neither a character nor a picture is in two splits
    Per character (row k)
      names            c strings such as "GREEK SMALL LETTER ALPHA", as Python's `unicodedata` has them
      tokens           (c, 11) int64, rows of `vocabulary`, padded with 0 on the right
      length           (c,) int64, number of tokens before the padding
      category         (c,) int64, row in `categories`: Unicode's "Lu", "Ll", "So", …
      script           (c,) int64, row in `scripts`: the first word of the name where that is a script, else "COMMON"
      lookalike        (c,) int64, number of the group of characters that are linked by identical pictures (in any faces; at
                       another `size` the groups, and with them the split of a few characters, may differ)
    Lists
      faces 12 · vocabulary `<pad>`, `<unk>` and the 2,000 most frequent words · categories · scripts

    Source: DejaVu 2.35 fonts inside matplotlib (free licence of Bitstream Vera, changes in the public domain); the
    names are Unicode's (Unicode licence). Counts: the fonts of matplotlib 3.11.
    """

    images: Tensor
    character: Tensor
    codepoint: Tensor
    face: Tensor
    face_split: Tensor
    character_split: Tensor
    names: tuple[str, ...]
    tokens: Tensor
    length: Tensor
    category: Tensor
    script: Tensor
    lookalike: Tensor
    faces: tuple[str, ...]
    vocabulary: tuple[str, ...]
    categories: tuple[str, ...]
    scripts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:  # the fields would fill the screen
        pictures = f"{len(self):,} pictures of {' x '.join(map(str, self.images.shape[1:]))} pixels"
        counts = f"{len(self.names):,} characters, {len(self.faces)} faces, {len(self.vocabulary):,} words"
        return f"Glyphs({pictures}, {counts})"

    def rows(self, split: str, by: str) -> Tensor:
        """Rows of the pairs in one split, int64 ascending.

        `by` is "face" (known characters in new faces) or "character" (new characters in known faces); the two must not
        be mixed in one experiment.
        """
        if split not in SPLITS or by not in ("face", "character"):
            expected = f"split in {SPLITS}, by 'face' or 'character'"
            raise ValueError(f"Glyphs.rows: got split={split!r}, by={by!r}; expected {expected}")
        code = self.face_split if by == "face" else self.character_split
        return (code == SPLITS.index(split)).nonzero().squeeze(1)

    def pairs(
        self,
        target: str,
        *,
        without: Sequence[str],
        faces: Sequence[str],
        characters: Tensor | None = None,
        at_least: int = 60,
    ) -> Pairs:
        """Pictures (n, 1, size, size) as a, names as b, labelled by "script" or "category", split by character.

        The words `without` are taken out of all names; `faces` and `characters` (rows, None: all) are those to use; a class
        has `at_least` so many characters, and "COMMON" is no script here.
        """
        if target not in ("script", "category") or not set(faces) <= set(self.faces):
            expected = f"'script' or 'category', faces among {self.faces}"
            raise ValueError(f"Glyphs.pairs: got target={target!r}, faces={tuple(faces)}; expected {expected}")
        names, label = (self.scripts, self.script) if target == "script" else (self.categories, self.category)
        size = torch.bincount(label, minlength=len(names)).tolist()
        classes = [k for k, name in enumerate(names) if size[k] >= at_least and name != "COMMON"]
        if len(classes) < 2:
            raise ValueError(f"Glyphs.pairs: {len(classes)} classes have {at_least} characters; expected at least 2")
        number = torch.full((len(names),), -1)
        number[torch.tensor(classes)] = torch.arange(len(classes))
        usable = torch.isin(self.face, torch.tensor([self.faces.index(face) for face in faces]))
        usable &= number[label[self.character]] >= 0
        if characters is not None:
            usable &= torch.isin(self.character, characters)
        taken_out = torch.tensor([k for k, word in enumerate(self.vocabulary) if word in without], dtype=torch.int64)
        of_b, split = self.character[usable], self.character_split[usable]
        return Pairs(
            a=self.images[usable][:, None],
            b=self.tokens.masked_fill(torch.isin(self.tokens, taken_out), 0),
            of_a=torch.arange(len(of_b)),
            of_b=of_b,
            label=number[label[of_b]],
            classes=tuple(names[k] for k in classes),
            **{name: (split == k).nonzero().squeeze(1) for k, name in enumerate(SPLITS)},
        )


def load(size: int = 32) -> Glyphs:
    """Load the glyphs, rendered at `size` × `size` pixels, 8 to 128; it takes about a second and is kept, one file per size.

    Raises DataUnavailable when matplotlib lacks one of the twelve font files.

    Example:
        >>> data = load()
        >>> data
        Glyphs(46,939 pictures of 32 x 32 pixels, 6,668 characters, 12 faces, 2,002 words)
        >>> row = data.rows("train", by="face")[0]
        >>> data.names[data.character[row]], data.faces[data.face[row]]
        ('EXCLAMATION MARK', 'DejaVuSans')

    Source: our own rendering: Pillow's BASIC layout, one font size and one baseline for all characters, the ink centred
    from left to right; the few characters that do not fit are drawn smaller. Blank, unnamed and missing characters are
    left out.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= 128:
        raise ValueError(f"glyphs.load: got size={size!r}; expected a whole number from 8 to 128")
    files = typeset.font_files(list(FACES))
    drawn = derived.arrays(
        f"glyphs{size}",
        lambda: typeset.draw(files, size),
        source=typeset.__file__,
        packages=("fonttools", "matplotlib", "numpy", "pillow"),
        unicode=unicodedata.unidata_version,
        faces=tuple(FACES),
        size=size,
    )
    return _describe(drawn["images"], drawn["codepoint"], drawn["face"])


def _describe(images: np.ndarray, codepoint: np.ndarray, face: np.ndarray) -> Glyphs:
    """Everything that follows from the pictures, their code points and their faces."""
    points, character = np.unique(codepoint, return_inverse=True)
    names = tuple(unicodedata.name(chr(point)) for point in points)
    group = lookalikes.groups(images, character, len(points))
    of_face = np.array([SPLITS.index(split) for split in FACES.values()], dtype=np.int64)
    count = Counter(word for name in names for word in name.split())
    frequent = sorted(count, key=lambda word: (-count[word], word))[:2000]  # ties in alphabetical order
    vocabulary = (PADDING, UNKNOWN, *frequent)
    number = {word: i for i, word in enumerate(vocabulary)}
    said = [[number.get(word, number[UNKNOWN]) for word in name.split()] for name in names]
    categories = [unicodedata.category(chr(point)) for point in points]
    scripts = [name.split()[0] if name.split()[0] in SCRIPTS else "COMMON" for name in names]
    return Glyphs(
        images=torch.from_numpy(images),
        character=torch.from_numpy(character.astype(np.int64)),
        codepoint=torch.from_numpy(codepoint.astype(np.int64)),
        face=torch.from_numpy(face.astype(np.int64)),
        face_split=torch.from_numpy(lookalikes.without_repeats(of_face[face], images, character)),
        character_split=torch.from_numpy(lookalikes.split_by_hash(points[group])[character]),
        names=names,
        tokens=padded(said),
        length=torch.tensor([len(line) for line in said]),
        category=_codes(categories),
        script=_codes(scripts),
        lookalike=_codes(group),
        faces=tuple(FACES),
        vocabulary=vocabulary,
        categories=tuple(sorted(set(categories))),
        scripts=tuple(sorted(set(scripts))),
    )


def _codes(values: list[str] | np.ndarray) -> Tensor:
    return torch.from_numpy(np.unique(values, return_inverse=True)[1].astype(np.int64))
