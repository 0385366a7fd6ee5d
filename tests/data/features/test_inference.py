"""Which features a source's columns become by themselves."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Category, Date, Features, Number, Target, Text, Vector

DAY = datetime.datetime(2026, 1, 2)


def inferred(table: dict, **options) -> dict:
    return {c.name: c for c in Features.infer(dlbd.data.open(table), **options).inputs}


def test_kinds_by_type():
    found = inferred(
        {
            "f": [1.0, None],
            "i": pa.array([1, 2], pa.int8()),
            "b": [True, False],
            "d": pa.array([1, 2], pa.decimal128(5, 2)),
            "s": ["a", "b"],
            "e": pa.array(["a", "b"]).dictionary_encode(),
            "v": [[1.0], [2.0]],
            "p": pa.array([[1], [2]], pa.list_(pa.uint8(), 1)),
            "m": pa.array([[[1, 2]], [[2, 3]]], pa.list_(pa.list_(pa.uint8(), 2), 1)),
            "t": [DAY, None],
            "n": pa.array([None, None], pa.float64()),
        }
    )
    number = {"missing": "mean", "scale": "standard"}
    assert found == {
        **{name: Number(name, **number) for name in ("f", "i", "b", "d")},
        "s": Category("s", most=1000),
        "e": Category("e", most=1000),
        "v": Vector("v", scale="standard"),
        "p": Vector("p", scale=1 / 255),
        "m": Vector("m", size=(1, 2, 1), scale=1 / 255),
        "t": Date("t", missing="mean"),
    }


def test_target_weight_and_dropped_columns_are_no_features():
    rows = dlbd.data.open({"id": [1, 2], "x": [1, 2], "w": [1, 1], "y": [0, 1]})
    features = Features.infer(rows, "y", weight="w", drop=["id"])
    assert features.columns == ["x"]
    assert features.target == Target("y")
    assert features.weight == "w"
    for wrong in ({"target": "z"}, {"drop": ["z"]}, {"weight": "z"}):
        with pytest.raises(ValueError, match="has no column 'z'"):
            Features.infer(rows, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no columns"):
        Features.infer(rows.select(["y"]), "y")


def test_a_type_that_no_feature_takes():
    with pytest.raises(ValueError, match=r"'s' holds values of type struct.*drop=\['s'\]"):
        inferred({"s": [{"a": 1}]})


def test_inferred_features_train_a_model():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(500)
    rows = dlbd.data.open({"x": x, "c": rng.choice(["a", "b"], 500), "y": np.where(x > 0, "yes", "no")})
    features = Features.infer(rows, "y")
    features.adapt(rows)
    inputs, labels = features.to_numpy(rows)
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential([dlbd.Input(features.input_shape), dlbd.layers.Dense(1, activation="sigmoid")])
    model.compile(dlbd.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(inputs, labels, epochs=5, verbose=0)
    assert history.history["accuracy"][-1] > 0.95


def test_pseudonyms_are_categories():
    rows = dlbd.data.open({"id": [1, 2], "x": [1, 2], "y": [0, 1]})
    features = Features.infer(rows, "y", pseudonyms={"id": b"0123456789abcdef"})
    assert features.inputs[0] == Category("id", most=1000)
    features.adapt(rows)
    assert features.width == 4


def test_text_or_categories():
    sentences = [f"this is text {i}" for i in range(50)]
    names = [f"name{i}" for i in range(200)]
    assert inferred({"t": sentences})["t"] == Text("t", length=4)
    assert inferred({"t": sentences * 4, "x": np.arange(200)})["t"] == Category("t", most=1000)
    assert inferred({"t": names * 2, "x": np.arange(400)})["t"] == Text("t", max_tokens=1000, encode="bag")
    assert list(inferred({"t": names, "x": np.arange(200)})) == ["x"]  # they name the rows
    assert inferred({"t": names[:100], "x": np.arange(100)})["t"] == Category("t", most=1000)
