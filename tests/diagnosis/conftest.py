"""One small report that many tests look at."""

import pytest

import mmnb
from mmnb.data.planted import planted


@pytest.fixture(scope="session")
def world():
    """The control: a model without a fault."""
    return planted("none", 100)


@pytest.fixture(scope="session")
def report(world):
    return mmnb.diagnose(world.model, mmnb.Data(**world.data), progress=False)
