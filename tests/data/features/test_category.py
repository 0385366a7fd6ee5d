"""Categories: encodings, unknown and missing values, types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Category, Features

CITIES = ["Oslo", "Bonn", "Oslo", "Rome", None]


def transformed(category: Category, training: Any, later: Any = None) -> np.ndarray:
    features = Features([category])
    features.adapt(dlbd.data.open({"c": training}))
    x, _ = features.to_numpy(dlbd.data.open({"c": training if later is None else later}))
    return x


def test_indices_are_by_frequency_then_value():
    x = transformed(Category("c", encode="index"), CITIES, ["Bonn", "Oslo", "Rome", "Bern", None])
    assert x.dtype == np.float32
    assert x.tolist() == [[2], [1], [3], [0], [0]]
    x = transformed(Category("c", encode="embedding"), CITIES)
    assert x.dtype == np.int64
    assert x.tolist() == [[1], [2], [1], [3], [0]]
    assert transformed(Category("c", encode="embedding", most=1), CITIES).ravel().tolist() == [1, 0, 1, 0, 0]


def test_one_hot_has_a_place_for_the_unknown():
    x = transformed(Category("c"), CITIES, ["Rome", "Bern"])
    assert x.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_hash_needs_no_vocabulary():
    category = Category("c", encode="hash", buckets=10)
    features = Features([category])
    assert features.adapted
    names = [f"city {i}" for i in range(1000)]
    x, _ = features.to_numpy(dlbd.data.open({"c": [*names, None]}))
    assert x.dtype == np.int64
    assert x[-1] == 0
    assert np.bincount(x[:, 0], minlength=10).min() > 50
    again, _ = features.to_numpy(dlbd.data.open({"c": pa.array(names).dictionary_encode()}))
    assert (again == x[:-1]).all()


def test_missing_values():
    assert transformed(Category("c", encode="index", missing="most_frequent"), CITIES)[-1] == 1
    assert transformed(Category("c", encode="index", missing="Rome"), CITIES)[-1] == 3
    assert len(transformed(Category("c", encode="index", missing="drop"), CITIES)) == 4
    hashed = transformed(Category("c", encode="hash", buckets=1000, missing="Rome"), CITIES)
    assert hashed[-1] == hashed[-2]


def test_types():
    for column in (
        pa.array(["3", "1", "3"], pa.large_string()),
        pa.array(["3", "1", "3"]).dictionary_encode(),
        pa.array([3, 1, 3], pa.int16()),
        pa.array([True, False, True]),
        pa.array([3.0, 1.0, 3.0]),
        pa.array([3, 1, 3], pa.date32()),
    ):
        assert transformed(Category("c", encode="index"), column).ravel().tolist() == [1, 2, 1]
    # another type that says the same, and one that does not
    assert transformed(Category("c", encode="index"), [3, 1, 3], ["1", "3"]).ravel().tolist() == [2, 1]
    assert transformed(Category("c", encode="index"), ["3", "1", "3"], [1, 3]).ravel().tolist() == [2, 1]
    assert transformed(Category("c", encode="index"), [3, 1, 3], [1.0, np.nan]).ravel().tolist() == [2, 0]
    with pytest.raises(ValueError, match=r"column 'c' should hold values of type int64; received 1.5"):
        transformed(Category("c"), [3, 1, 3], [1.0, 1.5])
    with pytest.raises(ValueError, match=r"column 'c' should hold values of type int64; received 'Oslo'"):
        transformed(Category("c"), [3, 1, 3], ["Oslo"])


def test_too_many_values_for_a_place_each():
    many = [f"v{i}" for i in range(10_001)]
    with pytest.raises(ValueError, match="'c' has 10,001 different values, too many for a place each"):
        transformed(Category("c"), many)
    assert transformed(Category("c", most=10), many).shape == (10_001, 11)
    assert transformed(Category("c", encode="embedding"), many).max() == 10_001


def test_errors():
    with pytest.raises(ValueError, match="encode"):
        Category("c", encode="binary")
    for arguments in ({"encode": "hash"}, {"buckets": 5}):
        with pytest.raises(ValueError, match="buckets belong to"):
            Category("c", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'c' has no value in the training rows"):
        transformed(Category("c"), pa.array([None], pa.string()))
    with pytest.raises(ValueError, match="has learned nothing yet"):
        Features([Category("c")]).to_numpy(dlbd.data.open({"c": ["x"]}))
