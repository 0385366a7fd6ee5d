"""Vectors: lists of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Features, Vector


def transformed(vector: Vector, training: Any, later: Any = None) -> np.ndarray:
    features = Features([vector])
    features.adapt(dlbd.data.open({"v": training}))
    x, _ = features.to_numpy(dlbd.data.open({"v": training if later is None else later}))
    assert x.dtype == np.float32
    return x


def test_lists_of_every_kind():
    rows = [[1, 2, 3], [4, 5, 6]]
    for kind in (pa.list_(pa.uint8(), 3), pa.list_(pa.int64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), 3)):
        assert transformed(Vector("v"), pa.array(rows, kind)).tolist() == rows
        sliced = pa.array([[9, 9, 9], *rows], kind)[1:]
        assert transformed(Vector("v"), sliced).tolist() == rows
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    nested = pa.array(images.tolist(), pa.list_(pa.list_(pa.uint8(), 4), 3))
    assert (transformed(Vector("v"), nested) == images).all()
    assert transformed(Vector("v", size=(3, 4, 1)), nested).shape == (2, 3, 4, 1)
    assert transformed(Vector("v", size=(2, 2, 3)), pa.array(images.reshape(2, 12).tolist())).shape == (2, 2, 2, 3)


def test_scales():
    pixels = np.arange(256, dtype=np.uint8).reshape(-1, 4)
    x = transformed(Vector("v", scale=1 / 255), pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), 4))
    np.testing.assert_allclose(x, pixels / 255, rtol=1e-6)
    numbers = np.random.default_rng(0).standard_normal((1000, 3)) * [1, 5, 0] + [0, 7, 0.1]
    x = transformed(Vector("v", scale="standard"), list(numbers))
    wanted = (numbers - numbers.mean(0)) / [*numbers.std(0)[:2], 1]
    np.testing.assert_allclose(x, wanted, rtol=1e-5, atol=1e-6)
    assert (x[:, 2] == 0).all()


def test_errors():
    with pytest.raises(ValueError, match=r"holds lists of 1 numbers; before there were lists of 2 numbers \(row 1\)"):
        transformed(Vector("v"), [[1, 2], [3]])
    with pytest.raises(ValueError, match=r"holds lists of 3 numbers; in training there were lists of 2 numbers"):
        transformed(Vector("v"), [[1, 2]], [[1, 2, 3]])
    with pytest.raises(ValueError, match=r"column 'v' has no list \(row 1\)"):
        transformed(Vector("v"), [[1, 2], None])
    for bad in (None, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"a list with (nan|inf) in it, or NULL \(row 1\)"):
            transformed(Vector("v"), [[1.0, 2.0], [3.0, bad]])
    for scale in (None, "standard", 10.0):
        with pytest.raises(ValueError, match=r"'v' holds 1e\+300, of which float32 makes an infinity \(row 1\)"):
            transformed(Vector("v", scale=scale), [[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [3.0, 1e300]])
    with pytest.raises(ValueError, match="should hold lists of numbers; received values of type int64"):
        transformed(Vector("v"), [1, 2])
    with pytest.raises(ValueError, match=r"do not have the size \(5,\)"):
        transformed(Vector("v", size=(5,)), [[1, 2]])
    with pytest.raises(ValueError, match="column 'v' holds empty lists"):
        transformed(Vector("v"), [[], []])
    with pytest.raises(ValueError, match="scale must be"):
        Vector("v", scale="minmax")
