"""One model, the same rows in every kind of store: the same weights, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from tests.data.rows import ORDER_BY, SCHEMA, TABLE, write

Store = Callable[[pytest.FixtureRequest, Path], dict[str, Any]]

# The rows as a table that was never sorted: the order is the store's work, or ours.
SHUFFLED = TABLE.take(np.random.default_rng(0).permutation(len(TABLE)))


def file(suffix: str) -> Store:
    return lambda request, folder: {"what": write(folder / f"rows.{suffix}", SHUFFLED)}


STORES: dict[str, Store] = {
    "pyarrow": lambda request, folder: {"what": SHUFFLED},
    "pandas": lambda request, folder: {"what": SHUFFLED.to_pandas(types_mapper=pd.ArrowDtype)},
    "polars": lambda request, folder: {"what": pl.DataFrame(SHUFFLED)},
    "records": lambda request, folder: {"what": lambda: iter(SHUFFLED.to_pylist())},
    "csv": file("csv"),
    "csv.gz": file("csv.gz"),
    "jsonl": file("jsonl"),
    "parquet": file("parquet"),
    "arrow": file("arrow"),
}


def trained(source: dlbd.data.Source) -> list[np.ndarray]:
    """The weights after two epochs over a split, with every kind of feature, shuffled."""
    data = dlbd.data
    features = data.Features(
        [
            data.Number("age", missing="median", scale="robust"),
            data.Number("price", missing="mean", clip=(0.01, 0.99), scale="standard"),
            data.Number("weight", missing=0.0, scale="minmax"),
            data.Number("score", missing="mean", clip=(0.05, 0.95), scale="standard"),
            data.Date("at", parts=("year", "month", "weekday", "hour"), missing="most_frequent"),
            data.Category("city"),
            data.Category("comment"),
        ],
        target="label",
    )
    dlbd.utils.set_random_seed(1)
    model = dlbd.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    train, _ = source.split(train=0.8, test=0.2)
    model.fit(train, features=features, epochs=2, batch_size=32, verbose=0)
    return model.get_weights()


@pytest.fixture(scope="module")
def wanted() -> list[np.ndarray]:
    return trained(dlbd.data.open(TABLE))


@pytest.mark.parametrize("store", STORES)
def test_the_same_weights(store: str, wanted: list[np.ndarray], request: pytest.FixtureRequest, tmp_path: Path):
    source = dlbd.data.open(**STORES[store](request, tmp_path), schema=SCHEMA, order_by=ORDER_BY)
    for found, weights in zip(trained(source), wanted, strict=True):
        np.testing.assert_array_equal(found, weights)


def test_other_rows_give_other_weights(wanted: list[np.ndarray]):
    changed = TABLE.to_pylist()
    changed[0]["age"] = 99
    assert not np.array_equal(trained(dlbd.data.open(pa.Table.from_pylist(changed, SCHEMA)))[0], wanted[0])
