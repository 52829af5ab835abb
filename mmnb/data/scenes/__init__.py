"""Scenes: pictures of coloured shapes, captions with known phrase→box links and dependency arcs, and what a detector would find in them."""

from mmnb.data.scenes import grammar
from mmnb.data.scenes.regions import CODE, Detector, Regions, codebook, detect
from mmnb.data.scenes.vocabulary import (
    ARCS,
    BACKGROUND,
    CLASSES,
    CLS,
    COLOURS,
    MASK,
    N_CLASSES,
    PAD,
    SEP,
    SHAPES,
    SIZES,
    TEMPLATES,
    TRANSITIVE,
    WORDS,
)
from mmnb.data.scenes.world import Knobs, Scenes, make, recaption

__all__ = [
    "ARCS", "BACKGROUND", "CLASSES", "CLS", "CODE", "COLOURS", "MASK", "N_CLASSES", "PAD", "SEP", "SHAPES", "SIZES", "TEMPLATES", "TRANSITIVE", "WORDS",
    "Detector", "Knobs", "Regions", "Scenes", "codebook", "detect", "grammar", "make", "recaption",
]  # fmt: skip
