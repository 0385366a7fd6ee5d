"""Records that a Python program makes, as a source."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col


def people(count: int = 3000) -> Iterator[dict[str, Any]]:
    for i in range(count):
        yield {"i": i, "age": None if i % 7 == 0 else i % 90, "address": {"city": f"city {i % 5}"}}


def test_a_function_is_called_at_each_reading():
    calls = []

    def records() -> Iterator[dict[str, Any]]:
        calls.append(1)
        return people()

    source = dlbd.data.open(records)
    assert source.ordered
    assert source.schema == pa.schema([("i", pa.int64()), ("age", pa.int64()), ("address.city", pa.string())])
    for _ in range(2):
        assert source.to_arrow()["i"].to_pylist() == list(range(3000))
    assert len(calls) == 3
    assert source.count() == 3000
    assert source.where(col("address.city") == "city 1").select(["i"]).head(2)["i"].to_pylist() == [1, 6]
    assert dlbd.data.open(records, order_by="age").head(1)["age"].to_pylist() == [None]


def test_an_iterable_is_read_anew_too():
    source = dlbd.data.open([{"x": 1}, {"x": None}, {}], schema={"x": "int8"})
    for _ in range(2):
        assert source.to_arrow().to_pydict() == {"x": [1, None, None]}


def test_an_iterator_is_read_once_and_looking_at_its_beginning_loses_nothing():
    source = dlbd.data.open(people(50_000), sample=10)
    assert source.head(3)["i"].to_pylist() == [0, 1, 2]
    assert source.head(16_384)["i"].to_pylist() == list(range(16_384))
    assert source.to_arrow()["i"].to_pylist() == list(range(50_000))
    with pytest.raises(ValueError, match="an iterator can be read once, and was"):
        source.head()


def test_of_large_records_fewer_are_kept():
    source = dlbd.data.open({"image": np.full(1 << 20, i, np.uint8)} for i in range(40))
    assert source.select(["image"]).head(20).num_rows == 20
    with pytest.raises(ValueError, match="can be read once"):
        source.head()


def test_features_learn_from_what_is_kept_of_an_iterator():
    def images() -> Iterator[dict[str, Any]]:
        for i in itertools.count():
            yield {"image": np.full(4096, i % 2, np.uint8), "label": i % 2}

    source = dlbd.data.open(images())
    model = dlbd.Sequential([dlbd.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(source, target="label", batch_size=4, steps_per_epoch=5, epochs=2, verbose=0)
    assert len(history.epoch) == 2


def test_an_endless_iterator():
    source = dlbd.data.open({"x": float(i), "label": i % 2} for i in itertools.count())
    batches = source.where(col("x") >= 5000).batches(32)
    assert next(batches)["x"].to_pylist() == list(range(5000, 5032))
    assert [next(batches).num_rows for _ in range(300)] == [32] * 300
    batches.close()


def test_a_function_of_an_endless_iterator_is_closed():
    ended = []

    def endless() -> Iterator[dict[str, int]]:
        try:
            for i in itertools.count():
                yield {"i": i}
        finally:
            ended.append(1)

    source = dlbd.data.open(endless)
    assert source.head(3)["i"].to_pylist() == [0, 1, 2]
    assert len(ended) == 2


def test_a_slow_stream_is_not_waited_for():
    def slow() -> Iterator[dict[str, int]]:
        for i in range(1000):
            time.sleep(0.03)
            yield {"i": i}

    source = dlbd.data.open(slow(), schema={"i": "int64"}, sample=0)
    start = time.monotonic()
    batches = source.batches(2)
    assert next(batches)["i"].to_pylist() == [0, 1]
    assert time.monotonic() - start < 1
    batches.close()


def test_large_records_come_in_small_batches():
    source = dlbd.data.open(({"image": np.zeros((1 << 20,), np.uint8), "i": i} for i in range(100)), sample=1)
    scan = source.reader.scan(["i"], None, (), 16384)
    assert max(batch.num_rows for batch in scan) <= 64  # as many as the first one has


def test_what_a_record_lacks_is_null_and_an_unknown_key_an_error():
    rows: list[dict[str, Any]] = [{"a": 1, "b": {"c": 2}}] * 5
    assert dlbd.data.open([*rows, {"b": {}}, {}]).to_arrow()["b.c"].to_pylist() == [2] * 5 + [None, None]
    for record, key in (({"z": 1}, "z"), ({"b": {"z": 1}}, "b.z"), ({7: 1}, "7")):
        with pytest.raises(SourceError, match=f"records of list: record 5 has the key '{key}', which no document"):
            dlbd.data.open([*rows, record], sample=5).to_arrow()
        chosen = dlbd.data.open([*rows, record], sample=5, columns=["b.c", "a"])  # all there are, by name
        assert chosen.to_arrow()["a"].to_pylist() == [1] * 5 + [None]
        assert dlbd.data.open([*rows, record], sample=5).select(["a"]).count() == 6
    assert dlbd.data.open([*rows, {"b": {"z": 1}}]).count() == 6
    lists = [{"l": [{"x": 1}]}, {"l": [{"x": 2}, {"y": 3}]}]
    with pytest.raises(SourceError, match=r"record 1 has the key 'l\.y'"):
        dlbd.data.open(lists, sample=1).to_arrow()
    assert dlbd.data.open([*rows, {"z": 1}], sample=0, schema={"a": "int8"}).count() == 6  # nothing else is wanted
    declared = dlbd.data.open([*rows, {"z": 1}], sample=5, schema={"z": "int8", "a": "float32"})
    assert declared.schema.field("a").type == pa.float32()
    assert declared.to_arrow()["z"].to_pylist() == [None] * 5 + [1]


def test_what_does_not_fit_names_the_record_and_the_field():
    def records() -> Iterator[dict[str, Any]]:
        for i in range(5000):
            yield {"i": i, "x": "much" if i == 4321 else 0.5}

    with pytest.raises(SourceError, match=r"records of .*records: record 4321: field 'x' holds 'much' \(str\)"):
        dlbd.data.open(records).to_arrow()
    read = dlbd.data.open(records, misfits="null", name="the stream").to_arrow()
    assert read["x"].null_count == 1
    with pytest.raises(SourceError, match=r"the stream: record 1 is \[1\] \(list\); a record is a dict"):
        dlbd.data.open([{"x": 1}, [1]], name="the stream")


def test_the_programs_own_error_comes_through():
    def records() -> Iterator[dict[str, int]]:
        yield from ({"i": i} for i in range(10))
        raise RuntimeError("the sensor is gone")

    with pytest.raises(RuntimeError, match="the sensor is gone"):
        dlbd.data.open(records, sample=3).to_arrow()


def test_no_records():
    with pytest.raises(SourceError, match="no record shows a column; declare them"):
        dlbd.data.open([])
    assert dlbd.data.open([], schema={"x": "int8"}).to_arrow().num_rows == 0


@pytest.mark.parametrize(
    ("what", "arguments", "said"),
    [
        (5, {}, "takes none of these: 5"),
        (people, {"tabel": "x"}, "takes no argument 'tabel'"),
        (people, {"table": "x"}, "records have no table; received 'x'"),
        (people, {"query": {}}, "records have no query"),
    ],
)
def test_wrong_arguments(what: Any, arguments: dict[str, Any], said: str):
    with pytest.raises(TypeError, match=said):
        dlbd.data.open(what, **arguments)


def test_a_sample_of_none_needs_a_schema():
    with pytest.raises(ValueError, match="sample is at least 1 where no schema is declared; received 0"):
        dlbd.data.open(people, sample=0)
    source = dlbd.data.open(people, sample=0, schema={"i": "int32", "age": "float32", "address.city": "string"})
    assert source.head(1).to_pylist() == [{"i": 0, "age": None, "address.city": "city 0"}]
