"""Splits that do not leak, for pictures of which some are identical although their names differ, or although their faces do."""

import numpy as np

from mmnb.data.rows import linked

TRAIN, VALIDATION, TEST = range(3)
REPEATED = 3  # a picture that an earlier split already shows for the same character: in no split


def groups(images: np.ndarray, character: np.ndarray, n: int) -> np.ndarray:
    """For each of n characters the smallest character of its group; two that share a picture, in whatever faces, are joined.

    `character` says whose picture each of `images` (m, height, width) is.

    Example:
        >>> groups(np.array([[[1]], [[2]], [[1]], [[3]]]), np.array([0, 1, 2, 1]), n=3)
        array([0, 1, 0])
    """
    seen: dict[bytes, int] = {}
    first = [seen.setdefault(picture.tobytes(), k) for picture, k in zip(images, character.tolist(), strict=True)]
    return linked(character, first, n)


def split_by_hash(number: np.ndarray) -> np.ndarray:
    """TRAIN, VALIDATION or TEST (about 80, 10, 10 per cent) from whole numbers; the hash is Knuth's, fixed for all time."""
    share = (number.astype(np.uint64) * np.uint64(2654435761) % np.uint64(2**32)) // np.uint64(2**16) % np.uint64(10)
    return np.where(share == 8, VALIDATION, np.where(share == 9, TEST, TRAIN)).astype(np.int64)


def without_repeats(split: np.ndarray, images: np.ndarray, character: np.ndarray) -> np.ndarray:
    """`split` of each picture, or `REPEATED` where an earlier split holds the same picture of the same character.

    Example:
        >>> without_repeats(np.array([0, 1, 2]), np.array([[[7]], [[7]], [[8]]]), np.array([4, 4, 4]))
        array([0, 3, 2])
    """
    earliest: dict[tuple[int, bytes], int] = {}
    pairs = [(k, picture.tobytes()) for k, picture in zip(character.tolist(), images, strict=True)]
    for pair, code in zip(pairs, split.tolist(), strict=True):
        earliest[pair] = min(code, earliest.get(pair, code))
    return np.where(split == [earliest[pair] for pair in pairs], split, REPEATED)
