"""How many batches there will be: said where it is known without a look at the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import dlbd
from dlbd import layers
from dlbd.data import DropDuplicates, Features, Number, Source, Target, Window, col

ROWS = 1000
TABLE = pa.table({"id": np.arange(ROWS), "x": np.arange(ROWS) * 1.0, "y": np.arange(ROWS) % 2})


def stored(folder: Path, kind: str) -> Source:
    """The table, as it lies somewhere."""
    if kind == "memory":
        return dlbd.data.open(TABLE)
    if kind == "records":
        return dlbd.data.open(TABLE.to_pylist())
    if kind == "parquet":
        for part in range(2):
            parquet.write_table(TABLE.slice(500 * part, 500), folder / f"{part}.parquet", row_group_size=100)
        return dlbd.data.open(folder)
    if kind == "arrow":
        with pa.ipc.new_file(folder / "t.arrow", TABLE.schema) as file:
            file.write_table(TABLE, max_chunksize=70)
        return dlbd.data.open(folder / "t.arrow")
    if kind == "arrow stream":
        with pa.ipc.new_stream(folder / "t.arrows", TABLE.schema) as stream:
            stream.write_table(TABLE)
        return dlbd.data.open(folder / "t.arrows")
    if kind == "csv":
        csv.write_csv(TABLE, folder / "t.csv")
        return dlbd.data.open(folder / "t.csv")
    address = f"{kind}:///{folder}/t.db"
    dlbd.data.write_table(address, "t", TABLE)
    return dlbd.data.open(address, table="t", order_by="id")


KNOWN = {
    "memory": True,
    "records": True,
    "parquet": True,
    "arrow": True,
    "arrow stream": False,
    "csv": False,
    "duckdb": True,
    "sqlite": False,
}


@pytest.mark.parametrize("kind", KNOWN)
def test_stores_that_know_how_many_rows_they_have_say_so(tmp_path: Path, kind: str):
    source = stored(tmp_path, kind)
    assert source.known_count() == (ROWS if KNOWN[kind] else None)
    assert source.count() == ROWS
    assert source.where(col("id") < 10).known_count() is None


def test_a_view_and_a_query_are_not_counted(tmp_path: Path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS x FROM range(10)")
        connection.execute("CREATE VIEW v AS SELECT * FROM t")
    for table, query in (("v", None), (None, "SELECT * FROM t")):
        source = dlbd.data.open(f"duckdb:///{tmp_path}/t.db", table=table, query=query)
        assert source.known_count() is None
        assert source.count() == 10


class Steps(dlbd.callbacks.Callback):
    """Notes what each call is told."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.noted.append(self.params["steps"])

    on_test_begin = on_predict_begin = on_train_begin


def model() -> dlbd.Sequential:
    made = dlbd.Sequential([layers.Dense(2, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy")
    return made


def test_batches_are_known_before_the_first_one(tmp_path: Path):
    source, steps, new = stored(tmp_path, "parquet"), Steps(), model()
    new.fit(source, target="y", callbacks=[steps], verbose=0)
    new.evaluate(source, batch_size=300, callbacks=[steps], verbose=0)
    new.predict(source, batch_size=100, callbacks=[steps])
    new.predict(source, batch_size=100, steps=3, callbacks=[steps])
    assert steps.noted == [32, 4, 10, 3]


def test_rows_that_features_have_learned_from_are_counted(tmp_path: Path):
    train, test = stored(tmp_path, "csv").split(train=0.8, test=0.2)
    steps, new = Steps(), model()
    new.fit(train, target="y", batch_size=10, callbacks=[steps], verbose=0)
    new.evaluate(test, callbacks=[steps], verbose=0)
    new.fit(train, batch_size=20, callbacks=[steps], verbose=0)
    assert steps.noted == [-(-train.count() // 10), None, -(-train.count() // 20)]


def test_samples_are_counted_not_rows():
    rows = dlbd.data.open({"x": [1.0, 1.0, 2.0, None], "y": [0, 0, 1, 1]})
    target = Target("y", kind="class")
    twice = Features([Number("x", missing="mean")], target, rows=[DropDuplicates()])
    dropped = Features([Number("x", missing="drop")], target)
    assert twice.samples(rows, True) is None
    assert dropped.samples(rows, False) is None
    assert twice.samples(rows, False) == 4  # predictions are made for all
    for features, count in ((twice, 3), (dropped, 3)):
        features.adapt(rows)
        assert features.samples(rows, True) == count == len(features.to_numpy(rows)[0])
    assert Features([Number("x", missing="mean")], target, window=Window(2)).samples(rows, True) is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("class_weight", {"yes": 2.0}, r"class_weight: 'yes' is no class of the target; these are \[0, 1\]"),
        ("shuffle_buffer", 10**13, r"shuffle_buffer=10000000000000 rows of \d+ bytes are more memory than there is"),
        ("memory_limit", "900TB", "memory_limit=900TB is more memory than there is"),
        ("memory_limit", 100, r"memory_limit=100 is too small: .*; \d+ is enough"),
    ],
)
def test_what_cannot_be_says_why(name: str, value: Any, says: str):
    with pytest.raises(ValueError, match=says):
        model().fit(dlbd.data.open(TABLE), target="y", verbose=0, **{name: value})
