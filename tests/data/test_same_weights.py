"""One model, the same rows in every kind of store: the same weights, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
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
from tests.servers import hdfs

Store = Callable[[pytest.FixtureRequest, Path], dict[str, Any]]

# The rows as a table that was never sorted: the order is the store's work, or ours.
SHUFFLED = TABLE.take(np.random.default_rng(0).permutation(len(TABLE)))


def file(suffix: str) -> Store:
    return lambda request, folder: {"what": write(folder / f"rows.{suffix}", SHUFFLED)}


def in_bucket(name: str) -> Store:
    def put(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
        bucket = request.getfixturevalue(name)
        return {"what": bucket.put(write(folder / "rows.parquet", SHUFFLED)), "storage_options": bucket.options}

    return put


def in_hdfs(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    return {"what": hdfs.put(request.getfixturevalue("hdfs"), write(folder / "rows.parquet", SHUFFLED))}


def in_sql(address: Callable[[pytest.FixtureRequest, Path], str]) -> Store:
    def put(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
        where = address(request, folder)
        dlbd.data.write_table(where, "same_weights", SHUFFLED, if_exists="replace")
        return {"what": where, "table": "same_weights"}

    return put


def on_server(name: str) -> Store:
    return in_sql(lambda request, folder: request.getfixturevalue(name).uri)


def in_mongodb(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    import pymongo
    from bson import Decimal128

    address = request.getfixturevalue("mongodb")
    with pymongo.MongoClient(address, serverSelectionTimeoutMS=3000) as client:
        collection = client.get_default_database()["same_weights"]
        collection.drop()
        collection.insert_many(
            {k: Decimal128(v) if isinstance(v, Decimal) else v for k, v in row.items() if v is not None}
            for row in SHUFFLED.to_pylist()
        )
    return {"what": address, "table": "same_weights", "columns": SCHEMA.names}


def in_spark(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    return {"what": request.getfixturevalue("spark").createDataFrame(SHUFFLED).repartition(8)}


def in_spark_connect(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    return {"what": request.getfixturevalue("spark_connect").createDataFrame(SHUFFLED).repartition(8)}


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
    "s3": in_bucket("s3"),
    "gcs": in_bucket("gcs"),
    "azure": in_bucket("azure"),
    "hdfs": in_hdfs,
    "sqlite": in_sql(lambda request, folder: f"sqlite:///{folder}/rows.db"),
    "duckdb": in_sql(lambda request, folder: f"duckdb:///{folder}/rows.duckdb"),
    "mariadb": on_server("mariadb"),
    "mysql": on_server("mysql"),
    "postgresql": on_server("postgresql"),
    "mongodb": in_mongodb,
    "spark": in_spark,
    "spark connect": in_spark_connect,
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


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.parametrize("store", STORES)
def test_the_same_weights(store: str, wanted: list[np.ndarray], request: pytest.FixtureRequest, tmp_path: Path):
    source = dlbd.data.open(**STORES[store](request, tmp_path), schema=SCHEMA, order_by=ORDER_BY)
    for found, weights in zip(trained(source), wanted, strict=True):
        np.testing.assert_array_equal(found, weights)


def test_other_rows_give_other_weights(wanted: list[np.ndarray]):
    changed = TABLE.to_pylist()
    changed[0]["age"] = 99
    assert not np.array_equal(trained(dlbd.data.open(pa.Table.from_pylist(changed, SCHEMA)))[0], wanted[0])
