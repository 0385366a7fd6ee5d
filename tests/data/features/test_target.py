"""Targets: classes, numbers, several columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import DropMissing, Features, Number, Target, Vector


def adapted(target: Any, rows: int = 0, **columns: Any) -> tuple[Features, Any]:
    length = len(next(iter(columns.values())))
    source = dlbd.data.open({"x": np.arange(length), **columns})
    features = Features([Number("x")], target=target)
    features.adapt(source)
    return features, features.to_numpy(source)[1]


def test_classes_are_in_ascending_order():
    for column, classes, indices in [
        (["cat", "ant", "cat"], ["ant", "cat"], [1, 0, 1]),
        ([True, False, True], [False, True], [1, 0, 1]),
        (pa.array([1, 0, 1], pa.uint8()), [0, 1], [1, 0, 1]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"], [1, 0, 1]),
    ]:
        features, y = adapted("y", y=column)
        assert features.classes == classes
        assert y.tolist() == indices
        assert y.dtype == np.int64


def test_numbers():
    features, y = adapted("y", y=[0.5, 1.5])
    assert features.classes is None
    assert y.tolist() == [0.5, 1.5]
    assert y.dtype == np.float32
    assert adapted("y", y=np.arange(101))[1].dtype == np.float32
    assert adapted("y", y=np.arange(100))[1].dtype == np.int64
    assert adapted(Target("y", kind="class"), y=np.arange(101))[0].classes == list(range(101))
    # whole numbers that are no classes from 0 on stay what they are, unless the target says so
    assert adapted("y", y=[30, 10, 30])[1].tolist() == [30, 10, 30]
    assert adapted("y", y=[-1, 1, 1])[1].tolist() == [-1, 1, 1]
    assert adapted(Target("y", kind="class"), y=[30, 10, 30])[1].tolist() == [1, 0, 1]
    assert adapted(Target("y", kind="number"), y=[0, 1])[1].dtype == np.float32


def test_several_columns_and_outputs():
    _, y = adapted(["a", "b"], a=[1, 2], b=[0.5, 1.5])
    assert y.tolist() == [[1, 0.5], [2, 1.5]]
    features, y = adapted({"kind": "a", "price": Target("b")}, a=["x", "y"], b=[0.5, 1.5])
    assert y["kind"].tolist() == [0, 1]
    assert y["price"].tolist() == [0.5, 1.5]
    assert features.columns == ["x"]
    assert features.columns_with_target == ["x", "a", "b"]


def test_a_sequence():
    _, y = adapted(Vector("next"), next=[[1.0, 2.0], [3.0, 4.0]])
    assert y.tolist() == [[1, 2], [3, 4]]


def test_errors():
    with pytest.raises(
        ValueError, match="target 'y' has 'a' only in the training rows: there is nothing to tell apart"
    ):
        adapted("y", y=["a", "a"])
    with pytest.raises(ValueError, match="has no value at all"):
        adapted("y", y=pa.array([None, None], pa.string()))
    with pytest.raises(ValueError, match=r"target 'y' has no value; rows=\[DropMissing\(\)\] .* \(row 1\)"):
        adapted("y", y=["a", None, "b"])
    for bad in (np.inf, 1e300):
        with pytest.raises(ValueError, match=r"target 'y' holds .*, which is no number that float32 holds \(row 1\)"):
            adapted("y", y=[0.5, bad])
    with pytest.raises(ValueError, match=r"target 'y' has no value; .* \(row 1\)"):
        adapted("y", y=[0.5, np.nan])
    features, _ = adapted("y", y=["a", "b"])
    with pytest.raises(ValueError, match=r"target 'y' holds 'c', a class that was not there in training \(row 1\)"):
        features.to_numpy(dlbd.data.open({"x": [1, 2], "y": ["a", "c"]}))
    with pytest.raises(ValueError, match="kind"):
        Target("y", kind="classes")


def test_rows_without_a_target_can_be_left_out():
    rows = dlbd.data.open({"x": [1, 2, 3], "y": ["a", None, "b"]})
    features = Features([Number("x")], target="y", rows=[DropMissing()])
    features.adapt(rows)
    assert features.to_numpy(rows)[1].tolist() == [0, 1]
    assert len(features.to_numpy(rows.select(["x"]), targets=False)[0]) == 3
