"""Inputs in every form that users have them, under their own names."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import mmnb
from mmnb.diagnosis import Data, Embeddings, Scores
from mmnb.diagnosis.model import Estimator, name_of, scorer

ROWS = [
    {"pixels": torch.full((2, 2), float(i)), "ids": [i, i], "mask": [1, 1], "label": i % 2, "who": "ab"[i % 2]}
    for i in range(6)
]


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return len(ROWS)

    def __getitem__(self, i):
        return {key: torch.as_tensor(value) if key != "who" else value for key, value in ROWS[i].items()}


def check(data):
    assert data.names == ("image", "text") and data.n == 6
    assert torch.as_tensor(np.asarray(data.modalities["image"])).shape == (6, 2, 2)
    assert np.asarray(data.modalities["text"]["ids"]).tolist() == [[i, i] for i in range(6)]
    assert data.y.tolist() == [0, 1] * 3 and data.group.tolist() == [0, 1] * 3


@pytest.mark.parametrize(
    "source", [ROWS, Items(), torch.utils.data.DataLoader(Items(), batch_size=4)], ids=["list", "Dataset", "DataLoader"]
)
def test_examples_that_are_dicts(source):
    check(Data.read(source, image="pixels", text=["ids", "mask"], group="who"))


def test_tables():
    frame = pd.DataFrame({"image": ["a.png", "b.png"], "text": ["x", "y"], "label": ["no", "yes"]})
    for source in (frame, frame.to_dict("list")):
        data = Data.read(source)
        assert (
            data.names == ("image", "text")
            and data.modalities["text"] == ["x", "y"]
            and data.y.tolist() == ["no", "yes"]
        )
    tuples = Data.read([(0.5, 1.5, 1)] * 3, image=0, text=1, y=2)
    assert tuples.modalities["image"] == [0.5] * 3 and tuples.y.tolist() == [1, 1, 1]


def test_a_hugging_face_table():
    class Table:  # what `datasets.Dataset` offers
        column_names = ("image", "text", "label")

        def __getitem__(self, key):
            return {"image": [1.0, 2.0], "text": ["x", "y"], "label": [0, 1]}[key]

    assert Data.read(Table()).y.tolist() == [0, 1]


def test_columns_of_pandas_and_lists_of_tensors_become_batches():
    data = Data(image=[torch.zeros(3), torch.ones(3)], text=pd.Series(["x", "y"]), sound=pd.Series([1.0, 2.0]))
    assert data.modalities["image"].shape == (2, 3) and data.modalities["text"] == ["x", "y"]
    assert isinstance(data.modalities["sound"], np.ndarray)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Data(image=[1.0]), r"got modalities \['image'\]; expected two or more"),
        (lambda: Data(image=[1.0, 2.0], text=["x"]), r"got lengths .*; expected one common length"),
        (lambda: Data(image=[1.0], text=["x"], y=[0, 1]), r"got lengths .*; expected one common length"),
        (lambda: Data(image=3, text=["x"]), r"Data: image: got int; expected"),
        (lambda: Data.read(ROWS, image="picture", text="ids"), r"got key 'picture'; expected one of"),
        (lambda: Data.read(iter([1])), r"expected a table, a Dataset, a DataLoader or a list of dicts"),
        (lambda: Data.read([1, 2]), r"got int; expected examples that are dicts or tuples"),
        (lambda: Scores(y=[1]), r"expected either grid="),
        (lambda: Scores(grid=torch.zeros(2, 3)), r"got a grid of shape \(2, 3\); expected \(n, n, C\)"),
        (lambda: Scores(true=torch.zeros(2, 3)), r"expected without_NAME="),
        (lambda: Scores(true=torch.zeros(2, 3), without_image=torch.zeros(2, 2)), r"without_image has shape \(2, 2\); expected \(2, 3\)"),
        (lambda: Scores(grid=torch.zeros(2, 2), y=[1]), r"got 1 labels for 2 examples"),
        (lambda: Embeddings(image=torch.zeros(2, 3)), r"expected two or more"),
        (lambda: Embeddings(image=torch.zeros(2, 3), text=torch.zeros(2, 4)), r"got shapes .*; expected one"),
        (lambda: mmnb.diagnose(3, Data(image=[1.0], text=[1.0])), r"got model int; expected a function of image, text"),
        (lambda: mmnb.diagnose(lambda a, b: a), r"without data; expected data"),
        (lambda: mmnb.diagnose(Scores(grid=torch.eye(2)), 3), r"got Scores and data; expected Scores alone"),
    ],
)  # fmt: skip
def test_clear_errors(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make()


def test_arguments_are_passed_by_name():
    f, order = scorer(lambda text, image: 0, ("image", "text"))
    assert order == ("text", "image")
    assert scorer(lambda a, b: 0, ("image", "text"))[1] == ("image", "text")
    assert name_of(f) == "a function" and name_of(functools.partial(name_of)) == "name_of"


def test_the_order_of_names_changes_no_number(world, report):
    turned = mmnb.diagnose(lambda text, image: world.model(image, text), mmnb.Data(**world.data), progress=False)
    assert turned["answer"].value == pytest.approx(report["answer"].value)
    mine, theirs = ({r["name"]: r["value"] for r in one["reliance"].data["rows"]} for one in (turned, report))
    assert mine == pytest.approx(theirs)


def test_estimators_of_scikit_learn(world):
    image, text, y = (world.data[key].numpy() for key in ("image", "text", "y"))
    model = LogisticRegression().fit(np.hstack([image, text]), y)
    found = mmnb.diagnose(model, mmnb.Data(image=image, text=text, y=y), progress=False)
    assert found["answer"].value == 0 and "no-gain" in {one.id for one in found.warnings}  # a linear model is additive
    assert found["shares"].value < 1e-9
    assert Estimator(model)(image, text).shape == (100,)
