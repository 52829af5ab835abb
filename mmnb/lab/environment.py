"""What a run used: versions, modules of ours, CPU seconds."""

import importlib.metadata
import os
import platform
import sys

_DISTRIBUTIONS = {  # imported name -> the name it is installed by
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "PIL": "pillow",
    "transformers": "transformers",
    "open_clip": "open_clip_torch",
    "timm": "timm",
    "cvxpy": "cvxpy",
}


def versions() -> dict[str, str]:
    """Python and every imported package that can change a result, by the name it is installed by."""
    found = {"python": platform.python_version()}
    for module, distribution in _DISTRIBUTIONS.items():
        if module in sys.modules:
            found[distribution] = importlib.metadata.version(distribution)
    return found


def modules() -> list[str]:
    """The modules of this package that are imported, sorted."""
    return sorted(name for name, module in sys.modules.items() if module is not None and name.split(".")[0] == "mmnb")


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children, user and system, since it started (children: not on Windows)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
