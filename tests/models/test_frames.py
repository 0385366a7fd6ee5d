"""Data frames in fit, evaluate and predict."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.models.batches import host_array
from dlbd.models.frames import Columns

from .programs import blobs, mlp, same

X, Y = blobs(60)
MIXED = {
    "a": X[:, 0].astype(np.float64),
    "b": np.arange(60),
    "c": X[:, 2],
    "d": X[:, 3] > 0,
    "e": X[:, 4],
    "f": X[:, 5],
}
MIXED_ARRAY = np.stack([np.asarray(v, np.float64) for v in MIXED.values()], axis=1)
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}


def trained(x, y, **options):
    dlbd.utils.set_random_seed(0)
    model = mlp()
    history = model.fit(x, y, epochs=2, batch_size=16, verbose=0, **options).history
    return [*model.get_weights(), np.array(history["loss"]), model.predict(x)]


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"validation_split": 0.25}], ids=str)
def test_a_frame_is_the_array_of_its_columns(kind: str, options: dict):
    frame = FRAMES[kind](MIXED)
    wanted = trained(MIXED_ARRAY.astype(np.float32), Y, **options)
    assert same(wanted, trained(frame, Y, **options))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_targets_and_weights_in_columns(kind: str):
    y, weights = FRAMES[kind]({"y": Y})["y"], np.linspace(0.5, 2, 60, dtype=np.float32)
    wanted = trained(X, Y, sample_weight=weights)
    assert same(wanted, trained(X, y, sample_weight=FRAMES[kind]({"w": weights})["w"]))
    assert same(wanted, trained(X, FRAMES[kind]({"y": Y}), sample_weight=weights))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_frame_of_one_block_is_not_copied(order: str):
    block = np.asarray(X, order=order)
    found = host_array(pd.DataFrame(block, copy=False))
    assert isinstance(found, np.ndarray)
    assert np.shares_memory(found, block)
    np.testing.assert_array_equal(found, X)
    some = host_array(pd.DataFrame(block, copy=False).iloc[5:50:3, ::2])
    np.testing.assert_array_equal(some, X[5:50:3, ::2])


def test_columns_that_lie_apart_are_not_put_together():
    columns = {f"c{i}": np.full(1000, i, np.float32) for i in range(4)}
    found = host_array(pl.DataFrame(columns))
    assert isinstance(found, Columns)
    assert (found.shape, found.ndim, found.dtype) == ((1000, 4), 2, np.float32)
    np.testing.assert_array_equal(found[3:5], [[0, 1, 2, 3]] * 2)


@pytest.mark.parametrize("kind", FRAMES)
def test_columns_by_the_names_of_inputs(kind: str):
    a, b = dlbd.Input((1,), name="a"), dlbd.Input((1,), name="b")
    model = dlbd.Model([a, b], a + 10 * b)
    frame = FRAMES[kind]({"b": [1.0, 2.0], "other": [7, 7], "a": [3.0, 4.0]})
    np.testing.assert_array_equal(model.predict(frame), [[13.0], [24.0]])
    with pytest.raises(ValueError, match=r"\['b'\] missing, received \['a'\]"):
        model.predict(FRAMES[kind]({"a": [1.0]}))


@pytest.mark.parametrize("kind", FRAMES)
def test_what_is_no_number_is_named(kind: str):
    frame = FRAMES[kind]({"size": [1.0, 2.0], "city": ["Rome", "Oslo"]})
    with pytest.raises(TypeError, match=r"column 'city' holds .*not numbers.*StringLookup"):
        mlp(2).predict(frame)


def test_streams_of_frames():
    model = dlbd.Sequential([dlbd.Input((2,)), layers.Dense(1)])
    frames = [pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]}), pd.DataFrame({"a": [3.0], "b": [3]})]
    whole = model.predict(np.array([[1, 1], [2, 2], [3, 3]], np.float32))
    np.testing.assert_array_equal(model.predict(frame for frame in frames), whole)
