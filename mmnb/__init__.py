"""Instruments that measure whether a multimodal model uses its modalities together.

The short names below load their module on first use, so that `import mmnb` stays fast and free of torch:
`mmnb.start` opens a notebook run, `mmnb.emap(f, a, b)` projects out cross-modal interactions, `mmnb.diagnose(f, data)` reports on a model.
"""

import importlib

from mmnb.errors import DataUnavailable, NotAttempted

__version__ = "0.1.0"

_SHORT_NAMES = {  # name -> (module, attribute or None for the module itself)
    "start": ("mmnb.lab.run", "start"),
    "exercises": ("mmnb.course.exercises", None),
    "emap": ("mmnb.instruments.emap", "emap"),
    "emap_of_many": ("mmnb.instruments.emap", "emap_of_many"),
    "TwoTower": ("mmnb.instruments.emap", "TwoTower"),
}
_SHORT_NAMES |= {name: ("mmnb.diagnosis", name) for name in ("diagnose", "Data", "Scores", "Embeddings", "Report")}
for _name in ("ablation", "blending", "complementarity", "gap", "grounding", "information", "laziness", "reliance"):
    _SHORT_NAMES[_name] = (f"mmnb.instruments.{_name}", None)
_SUBMODULES = ("course", "data", "diagnosis", "instruments", "jobs", "lab", "models", "paths", "recipes", "runner")

__all__ = ["DataUnavailable", "NotAttempted", "__version__", *_SHORT_NAMES]


def __getattr__(name: str):
    if name not in (*_SHORT_NAMES, *_SUBMODULES):
        raise AttributeError(f"module 'mmnb' has no attribute {name!r}; it has {', '.join(__dir__())}")
    module, attribute = _SHORT_NAMES.get(name, (f"mmnb.{name}", None))
    found = importlib.import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
