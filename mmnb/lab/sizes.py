"""The three profiles: their budgets, and the one visible table of everything that differs between them."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from mmnb.lab.tables import Table

BUDGETS: dict[str, float | None] = {"smoke": 60.0, "laptop": 480.0, "paper": None}  # CPU seconds of the kernel
PROFILES = tuple(BUDGETS)


def check_profile(profile: str) -> str:
    """`profile` itself. Raises ValueError, which lists the profiles, when it is none of them."""
    if profile not in PROFILES:
        raise ValueError(f"got profile {profile!r}; expected one of {', '.join(PROFILES)}")
    return profile


def cpu_budget(profile: str) -> float | None:
    """CPU seconds that a notebook may take, None for no limit. Raises ValueError where `MMNB_CPU_BUDGET`, which overrides it, is no number."""
    given = os.environ.get("MMNB_CPU_BUDGET")
    if not given:
        return BUDGETS.get(profile)
    with contextlib.suppress(ValueError):
        if (budget := float(given)) > 0:
            return budget
    raise ValueError(f"MMNB_CPU_BUDGET: got {given!r}; expected a number of seconds above 0, such as 600 or inf")


class Sizes:
    """The sizes of the current profile as attributes; displayed, the table of all three.

    `choices`: profile -> name -> value, with the same names in each of the three.

    Raises:
        ValueError: a name is missing from a profile or cannot be an attribute.

    Example:
        >>> size = Sizes("smoke", {"smoke": {"n": 60}, "laptop": {"n": 500}, "paper": {"n": 500}})
        >>> size.n
        60
    """

    def __init__(self, profile: str, choices: Mapping[str, Mapping[str, Any]]):
        check_profile(profile)
        if set(choices) != set(PROFILES):
            raise ValueError(f"sizes: got profiles {', '.join(choices)}; expected {', '.join(PROFILES)}")
        names = list(choices[profile])
        for other in PROFILES:
            difference = ", ".join(sorted(set(names) ^ set(choices[other])))
            if difference:
                got = f"{difference} stands in only one of {profile} and {other}"
                raise ValueError(f"sizes: {got}; expected the same names in all three profiles")
        taken = ", ".join(name for name in names if name.startswith("_") or hasattr(type(self), name))
        if taken:
            raise ValueError(f"sizes: {taken} cannot be the name of a size; expected a word without a first underscore")
        self._profile = profile
        self._choices = {name: {other: choices[other][name] for other in PROFILES} for name in names}

    def __getattr__(self, name: str) -> Any:
        choices = self.__dict__.get("_choices", {})
        if name not in choices:
            raise AttributeError(f"no size {name!r}; there are {', '.join(choices) or 'none'}")
        return choices[name][self._profile]

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._choices])

    def __repr__(self) -> str:
        return f"Sizes({', '.join(f'{name}={values[self._profile]!r}' for name, values in self._choices.items())})"

    def table(self) -> Table:
        """All three profiles side by side, the current one marked."""
        marks = [f"{profile} (this run)" if profile == self._profile else profile for profile in PROFILES]
        rows = [[f"`{name}`", *values.values()] for name, values in self._choices.items()]
        return Table(["size", *marks], rows, strong=[1 + PROFILES.index(self._profile)])

    def _repr_html_(self) -> str:
        return self.table().html()

    def _repr_markdown_(self) -> str:
        return self.table().markdown()
