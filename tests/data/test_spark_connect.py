"""Data frames of Spark Connect as sources, and models on them, with a real server."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.data import SourceError, col
from dlbd.data.inbox import Inbox
from tests.data import rows
from tests.data.test_spark import CONDITIONS, slow

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture
def frame(spark_connect: Any) -> Any:
    """The rows that all kinds of store have, in eight partitions."""
    return spark_connect.createDataFrame(rows.TABLE).repartition(8)


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    until = time.monotonic() + 10
    while time.monotonic() < until and any(t.name.startswith("dlbd") for t in threading.enumerate()):
        time.sleep(0.05)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("dlbd")]


@pytest.fixture(params=["direct", "unreachable", "encrypted"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How rows come here; the numbers of bytes that inboxes received."""
    if request.param == "unreachable":
        init = Inbox.__init__

        def elsewhere(self: Inbox, host: str, known_as: str | None = None) -> None:
            init(self, host, known_as)
            self.address = (host, 1)

        monkeypatch.setattr(Inbox, "__init__", elsewhere)
    elif request.param == "encrypted":
        monkeypatch.setattr("pyspark.sql.connect.client.DefaultChannelBuilder.secure", True)
        monkeypatch.setattr(
            "pyspark.sql.connect.client.DefaultChannelBuilder.toChannel",
            lambda self: self._insecure_channel(self.endpoint),
        )
    received: list[int] = []
    close = Inbox.close
    monkeypatch.setattr(Inbox, "close", lambda self: (received.append(self.received), close(self)))
    yield received
    assert (sum(received) > 0) == (request.param == "direct")


def test_rows_are_those_of_every_store(frame: Any, way: list[int]):
    source = dlbd.data.open(frame, schema=rows.SCHEMA, order_by=rows.ORDER_BY)
    assert source.to_arrow().equals(rows.TABLE)
    assert source.count() == rows.COUNT
    assert [b.num_rows for b in source.batches(300)] == [300, 300, 300, 100]
    assert repr(source).startswith("<Source Spark DataFrame (id: int64, age: int32, price: decimal128(10, 2)")


def test_large_rows_go_through_the_server_in_pieces(spark_connect: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dlbd.data.spark.connect.ConnectReader._listening", lambda self: None)
    wide = spark_connect.range(200).selectExpr("id", "repeat(string(id), 100000) as text")  # 60 MB
    found = [(batch.num_rows, batch["id"][0].as_py(), batch) for batch in dlbd.data.open(wide)._rows(["id", "text"])]
    assert sum(count for count, _, _ in found) == 200
    assert max(batch.nbytes for _, _, batch in found) < 20e6


@pytest.mark.parametrize("condition", CONDITIONS, ids=range(len(CONDITIONS)))
def test_conditions(frame: Any, condition: Any):
    wanted = dlbd.data.open(rows.TABLE).where(condition).to_arrow()
    source = dlbd.data.open(frame, schema=rows.SCHEMA, order_by="id").where(condition)
    assert source.to_arrow().equals(wanted)
    assert source.count() == wanted.num_rows


def test_names_and_vectors(spark_connect: Any):
    named = spark_connect.sql("select 1 as `dots.and ``ticks`, 2 as a, 3 as A")
    source = dlbd.data.open(named, order_by="A").where(col("dots.and `ticks") == 1)
    assert source.to_arrow().to_pylist() == [{"dots.and `ticks": 1, "a": 2, "A": 3}]
    assert source.count() == 1
    array = spark_connect.range(2).selectExpr("id", "array(double(id), 1.0D) as x")
    from pyspark.ml.connect.functions import array_to_vector

    vectors = array.select("id", array_to_vector(array["x"]).alias("v"))
    assert dlbd.data.open(vectors, order_by="id").to_arrow()["v"].to_pylist() == [[0.0, 1.0], [1.0, 1.0]]


def test_no_rows_and_empty_partitions(spark_connect: Any, frame: Any):
    nothing = dlbd.data.open(frame.where("id < 0"), order_by="id")
    assert nothing.count() == 0 == nothing.to_arrow().num_rows
    few = spark_connect.createDataFrame(pa.table({"i": [3, 1, 2]})).repartition(8)
    assert dlbd.data.open(few, order_by="i").to_arrow()["i"].to_pylist() == [1, 2, 3]


def test_errors_are_one_line(spark_connect: Any):
    def fails(batches: Any) -> Any:
        raise ValueError("this row\nis wrong")

    broken = spark_connect.range(10).mapInArrow(fails, "a int")
    divided = spark_connect.sql("select 1 / (id - 5) as a from range(10)")
    for made, what in [(broken, "ValueError: this row"), (divided, r"\[DIVIDE_BY_ZERO\]")]:
        with pytest.raises(SourceError, match=rf"^rows: .*{what}") as caught:
            dlbd.data.open(made, name="rows").to_arrow()
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=r"^rows: \[TABLE_OR_VIEW_NOT_FOUND\]"):
        dlbd.data.open(spark_connect.table("nowhere"), name="rows")
    with pytest.raises(ValueError, match="several columns 'a'"):
        dlbd.data.open(spark_connect.sql("select 1 as a, 2 as a"))
    with pytest.raises(TypeError, match=r"of Spark, data frames of pyspark.sql are read; received a .*GroupedData"):
        dlbd.data.open(spark_connect.range(3).groupBy("id"))


def test_a_scan_left_early_ends_its_jobs(spark_connect: Any):
    batches = dlbd.data.open(slow(spark_connect, 60, 8, first=0))._rows(["id"])
    assert next(batches).num_rows == 1
    batches.close()
    begin = time.monotonic()
    assert slow(spark_connect, 0, 2).count() == 2  # there is room for it
    assert time.monotonic() - begin < 15


def test_a_long_task_is_no_silence(spark_connect: Any):
    source = dlbd.data.open(slow(spark_connect, 8, 1), timeout=3)
    assert source.to_arrow()["id"].to_pylist() == [0]
    assert source.count() == 1


def test_ctrl_c(spark_connect: Any):
    source = dlbd.data.open(slow(spark_connect, 60))
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        source.to_arrow()
    assert time.monotonic() - begin < 10


def test_a_frozen_and_a_killed_server_are_errors():
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    from pyspark.sql.connect.session import SparkSession

    from tests.servers.spark import ConnectServer

    server = ConnectServer()
    session = SparkSession(server.url)
    try:
        slow(session, 0, 2).count()  # Python is there
        source = dlbd.data.open(slow(session, 1, 16), timeout=6)
        for harm, what in [(server.process.freeze, "nothing came for 6 seconds"), (server.process.kill, "")]:
            batches = source._rows(["id"])
            next(batches)
            harm()
            begin = time.monotonic()
            with pytest.raises(SourceError, match=f"^Spark DataFrame: .*{what}"):
                list(batches)
            assert time.monotonic() - begin < 20
            server.process.thaw()
            time.sleep(8)  # what it did not hear to end
        begin = time.monotonic()
        for work in (source.count, lambda: dlbd.data.open(session.range(3))):
            with pytest.raises(SourceError, match=r"^Spark DataFrame: "):
                work()
        assert time.monotonic() - begin < 20
    finally:
        session.client.close()
        server.stop()


def test_a_session_that_was_stopped_is_an_error(spark_connect: Any):
    source = dlbd.data.open(spark_connect.range(3))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spark_connect.client, "_closed", True)
        for work in (source.to_arrow, source.count):
            with pytest.raises(SourceError, match=r"^Spark DataFrame: "):
                work()
    assert source.count() == 3


def test_models_predict_where_the_rows_are(spark_connect: Any):
    @dlbd.saving.register_keras_serializable("test_spark_connect")
    class Double(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2

    x = np.random.default_rng(0).standard_normal((1000, 4)).astype(np.float32)
    table = pa.table({"id": np.arange(1000), "all": pa.array(list(x))})
    given = spark_connect.createDataFrame(table).repartition(4)
    model = dlbd.Sequential([dlbd.Input((4,)), Double(), layers.Dense(3)])
    for _ in range(2):  # the same model again
        made = dlbd.spark.transform(given, model, columns="all")
        assert made.schema[:2] == given.schema
        found = dlbd.data.open(made, order_by="id").to_arrow()
        np.testing.assert_array_equal(found["prediction"].to_pylist(), model.predict(x))
    with pytest.raises(ValueError, match="no column 'none'"):
        dlbd.spark.transform(given, model, columns="none")


def test_a_model_larger_than_a_message(spark_connect: Any):
    model = dlbd.Sequential([dlbd.Input((1,)), layers.Dense(1_500_000), layers.Dense(20)])  # 126 MB
    made = dlbd.spark.transform(spark_connect.range(2).selectExpr("float(id) as x"), model, columns="x")
    assert len(made.first()["prediction"]) == 20
