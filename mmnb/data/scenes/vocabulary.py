"""The words, shapes, colours and places of the scenes."""

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow")
SIZES = ("small", "large")
PLACES = ("northwest", "north", "northeast", "west", "centre", "east", "southwest", "south", "southeast")  # row by row
VERBS = ("sits", "lies", "stands")
RELATIONS = ("above", "below", "beside")
TRANSITIVE = ("overlooks", "underlies", "flanks")  # the same relations, as verbs with an object
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (*SPECIAL, "a", "in", "and", *SIZES, *COLOURS, *SHAPES, *PLACES, *VERBS, *RELATIONS)
PAD, CLS, SEP, MASK = range(4)
ID = {word: number for number, word in enumerate((*WORDS, *TRANSITIVE))}
ARCS = ("det", "amod", "nsubj", "prep", "pobj", "cc", "conj", "root", "dobj")  # Stanford names
TEMPLATES = ("preposition", "object", "conjunction")  # sits above a square · overlooks a square · and a square
CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)  # class = shape · 4 + colour
BACKGROUND = len(CLASSES)  # the detector's last class
N_CLASSES = len(CLASSES) + 1
RGB = {"red": (213, 46, 46), "green": (54, 158, 78), "blue": (49, 98, 201), "yellow": (238, 200, 40)}
