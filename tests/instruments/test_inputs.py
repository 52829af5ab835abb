import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from mmnb.instruments.inputs import labels, mask, numbers, real, whole

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def memory_map(tmp_path):
    found = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(3, 2))
    found[:] = ROWS
    return found


@pytest.mark.parametrize(
    "same",
    [
        lambda path: ROWS,
        lambda path: [np.array(row) for row in ROWS],
        lambda path: [torch.tensor(row) for row in ROWS],
        lambda path: np.array(ROWS, dtype=np.int64),
        lambda path: np.array(ROWS, dtype=np.float16),
        lambda path: np.asfortranarray(np.array(ROWS)),
        lambda path: np.array(ROWS, dtype=object),
        lambda path: torch.tensor(ROWS, dtype=torch.bfloat16),
        lambda path: torch.tensor(ROWS, requires_grad=True),
        lambda path: torch.tensor(ROWS).T.contiguous().T,
        lambda path: pd.DataFrame(ROWS),
        memory_map,
    ],
)
def test_the_same_numbers_in_any_form(same, tmp_path):
    found = numbers(same(tmp_path), "a")
    assert found.dtype == torch.float64 and found.is_contiguous() and not found.requires_grad
    assert found.tolist() == ROWS


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (None, TypeError, "got NoneType; expected a tensor, an array, a DataFrame or a list"),
        (scipy.sparse.eye_array(3), TypeError, "got dia_array; expected"),
        (torch.eye(3).to_sparse(), TypeError, "torch.sparse_coo tensor"),
        (torch.eye(3, device="meta"), TypeError, "meta"),
        (torch.eye(3) * 1j, TypeError, "complex"),
        (np.eye(3) * 1j, TypeError, "complex128"),
        (torch.utils.data.DataLoader([1, 2]), TypeError, "got DataLoader"),
        ([["a", "b"]], TypeError, "got text, such as 'a'"),
        ([[1.0, None]], TypeError, "got NoneType among its values"),
        ([[1.0], [1.0, 2.0]], ValueError, "rows of different lengths"),
        ([1.0, 2.0], ValueError, r"got shape \(2,\); expected \(n, d\)"),
        (np.zeros((0, 2)), ValueError, "n >= 1"),
        ([[1.0, np.nan], [np.inf, 0], [0, 0]], ValueError, "in 2 of 3 rows, first in row 0"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        numbers(value, "a")


@pytest.mark.parametrize(
    ("value", "codes", "classes"),
    [
        ([-1, 1, -1], [0, 1, 0], [-1, 1]),
        (torch.tensor([5, 3, 5]), [1, 0, 1], [3, 5]),
        (np.array(["b", "a", "b"]), [1, 0, 1], ["a", "b"]),
        (pd.Series(["b", "a", "b"]), [1, 0, 1], ["a", "b"]),
        (pd.Series(["b", "a", "b"], dtype="category"), [1, 0, 1], ["a", "b"]),
        ([True, False, True], [1, 0, 1], [False, True]),
        ([1.0, 0.0, 1.0], [1, 0, 1], [0, 1]),
    ],
)
def test_labels_of_any_kind_are_numbered(value, codes, classes):
    found, names = labels(value, "y", 3)
    assert found.tolist() == codes and found.dtype == np.int64 and names == classes


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([0.5, 1.0], TypeError, "such as 0.5; expected labels"),
        (np.eye(2), ValueError, r"got shape \(2, 2\)"),
        ([0, 1, 1], ValueError, "3 labels for 2 examples"),
        ([0.0, np.nan], ValueError, "NaN"),
        (pd.Series([1, None], dtype="Int64"), ValueError, "NaN"),
    ],
)
def test_what_are_no_labels_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        labels(value, "y", 2)


def test_classes_that_are_too_rare():
    with pytest.raises(ValueError, match="class c has 1 of 5 examples; expected 2 or more"):
        labels(list("aabbc"), "y", fewest=2)
    with pytest.raises(ValueError, match="all 2 labels are a"):
        labels(list("aa"), "y", fewest=2)


@pytest.mark.parametrize("value", [[[1, 0]], np.array([[1.0, 0.0]]), torch.tensor([[True, False]])])
def test_masks(value):
    assert mask(value, "m", (1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize(("value", "words"), [([[1, 2]], "other than 0 and 1"), ([1, 0], r"shape \(2,\)")])
def test_what_is_no_mask(value, words):
    with pytest.raises(ValueError, match=words):
        mask(value, "m", (1, 2))


def test_whole_numbers():
    assert whole(np.int64(4), "k") == 4
    for bad in (True, 0, 2.0, "3", None):
        with pytest.raises(ValueError, match="expected a whole number >= 1"):
            whole(bad, "k")


def test_a_number_of_any_library_is_a_number():
    assert [real(x, "epsilon", 0, 1) for x in (0.5, np.float32(0.5), torch.tensor(0.5), 1)] == [0.5, 0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    "value", [None, "0.5", np.nan, np.inf, -0.1, 1.1, [0.5], [[1], []], 1j, torch.eye(2).to_sparse()]
)
def test_what_is_no_number_in_range_is_refused(value):
    with pytest.raises(ValueError, match=r"(?s)epsilon: got .*; expected a finite number from 0 to 1"):
        real(value, "epsilon", 0, 1)
