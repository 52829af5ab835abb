"""Every public call of the instruments with input of every kind: the right number or a clear error of ours, nothing else."""

import importlib.util
import sys

import numpy as np
import pytest

from mmnb import paths

SPEC = importlib.util.spec_from_file_location("docs_inputs", paths.root() / "docs" / "inputs.py")
docs = sys.modules["docs_inputs"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docs)


def test_every_public_call_has_a_case():
    """A new call goes into CASES, or into SINGLE_NUMBERS where it takes no data."""
    known = {case.name for case in docs.CASES}
    assert set(docs.public()) - known - docs.SINGLE_NUMBERS == set()
    assert known & docs.SINGLE_NUMBERS == set()


@pytest.mark.parametrize("case", docs.CASES, ids=lambda case: case.name)
def test_the_right_number_or_a_clear_error(case):
    before = {name: case.arguments[name].copy() for name in case.kinds}
    found = docs.judged(case)
    for name, values in before.items():  # float64 is read where it lies, so nothing may write there
        np.testing.assert_array_equal(case.arguments[name], values)
    assert {key: detail for key, (what, detail) in found.items() if what == "FAULT"} == {}
    assert any(what == "same" for what, _ in found.values()) and any(what == "refused" for what, _ in found.values())


def test_the_judge_sees_a_fault():
    """A call that drops what it does not understand, and one whose error is somebody else's."""
    values = docs.A
    careless = docs.case(
        docs.gap.normalize, None, lambda a: float(docs.np.nansum(docs.table(a))), a=("numbers", values)
    )
    found = docs.judged(careless)
    assert found["a", "list"] == ("same", "") and found["a", "NaN"][0] == found["a", "None"][0] == "FAULT"
