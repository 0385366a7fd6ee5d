"""Data frames of Spark as sources, on a cluster of a master and two workers."""

from __future__ import annotations

import datetime
import decimal
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col
from tests.data import rows

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture
def frame(spark: Any) -> Any:
    """The rows that all kinds of store have, in eight partitions."""
    return spark.createDataFrame(rows.TABLE).repartition(8)


@pytest.fixture(autouse=True)
def nothing_left(spark: Any):
    """No job, no thread, no connection to the JVM outlives a test."""
    before = threading.active_count()
    yield
    tracker = spark.sparkContext.statusTracker()
    until = time.monotonic() + 10
    while (tracker.getActiveJobsIds() or threading.active_count() > before) and time.monotonic() < until:
        time.sleep(0.05)
    assert tracker.getActiveJobsIds() == []
    assert threading.active_count() <= before


def test_rows_are_those_of_every_store(frame: Any):
    source = dlbd.data.open(frame, schema=rows.SCHEMA, order_by=rows.ORDER_BY)
    assert source.to_arrow().equals(rows.TABLE)
    assert source.count() == rows.COUNT
    assert [b.num_rows for b in source.batches(300)] == [300, 300, 300, 100]
    assert repr(source).startswith("<Source Spark DataFrame (id: int64, age: int32, price: decimal128(10, 2)")
    assert source.select(["label", "city"]).to_arrow().equals(rows.TABLE.select(["label", "city"]))


def test_without_order_by_there_is_no_order(frame: Any):
    source = dlbd.data.open(frame, name="visits")
    assert not source.ordered
    assert source.schema.field("at").type == pa.timestamp("us", "UTC")
    assert sorted(source.select(["id"]).to_arrow()["id"].to_pylist()) == list(range(rows.COUNT))
    with pytest.raises(ValueError, match="visits has no order of rows"):
        source.split(train=0.5, test=0.5)
    train, test = source.split(train=0.8, test=0.2, by="id")
    assert train.count() + test.count() == rows.COUNT


def test_null_comes_first(frame: Any):
    for name in ("age", "weight", "city", "price", "at"):
        ordered = dlbd.data.open(frame, schema=rows.SCHEMA, order_by=[name, "id"]).select([name, "id"]).to_arrow()
        wanted = dlbd.data.open(rows.TABLE, order_by=[name, "id"]).select([name, "id"]).to_arrow()
        assert ordered.equals(wanted), name


CONDITIONS = [
    (col("age") > 30) & ~col("price").is_null(),
    ~(col("weight") > 0) | (col("score") >= 1e3),
    ~(col("score") > 1.5),
    col("city").isin(["東京", None]) & (col("id") != 3),
    ~col("city").isin(["Oslo", "Bonn"]),
    (col("price") <= decimal.Decimal("1.5")) | (col("comment") == 'says "hi"'),
    col("price") < 10.5,
    col("at") < datetime.datetime(2010, 1, 1),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=range(len(CONDITIONS)))
def test_conditions(frame: Any, condition: Any):
    wanted = dlbd.data.open(rows.TABLE).where(condition).to_arrow()
    source = dlbd.data.open(frame, schema=rows.SCHEMA, order_by="id").where(condition)
    assert source.to_arrow().equals(wanted)
    assert source.count() == wanted.num_rows


def test_spark_leaves_rows_and_columns_out(frame: Any):
    source = dlbd.data.open(frame)
    reader, condition = source.reader, (col("age") > 30) & (col("city") == "Oslo")
    both = condition & (col("age") > "thirty")  # what Spark might see otherwise is left to Arrow
    filtered = reader._columns.filtered(reader._frame, both)
    assert filtered.count() == source.where(condition).count() < rows.COUNT
    assert reader.count(col("age") > "thirty") is None
    batch = next(reader.scan(["city", "id"], None, (), 10))
    assert batch.schema.names == ["city", "id"]
    assert batch.num_rows == 10


def test_not_a_number_meets_conditions_as_in_arrow(spark: Any):
    table = pa.table({"i": [0, 1, 2, 3], "x": [1.0, float("nan"), None, -0.0]})
    source = dlbd.data.open(spark.createDataFrame(table), order_by="i")
    for condition in (col("x") > 0.5, ~(col("x") > 0.5), col("x") >= 1.0, ~(col("x") < 1.0), col("x") != 1.0):
        wanted = dlbd.data.open(table).where(condition).to_arrow()["i"].to_pylist()
        assert source.where(condition).to_arrow()["i"].to_pylist() == wanted, condition
        assert source.where(condition).count() == len(wanted)


def test_no_rows_and_empty_partitions(spark: Any, frame: Any):
    nothing = dlbd.data.open(frame.where("id < 0"), order_by="id")
    assert nothing.count() == 0 == nothing.to_arrow().num_rows
    assert nothing.schema.names == rows.SCHEMA.names
    few = spark.createDataFrame(pa.table({"i": [3, 1, 2]})).repartition(8)
    assert dlbd.data.open(few, order_by="i").to_arrow()["i"].to_pylist() == [1, 2, 3]
    assert sorted(dlbd.data.open(few).to_arrow()["i"].to_pylist()) == [1, 2, 3]
    assert dlbd.data.open(spark.createDataFrame([], "i int, s string")).to_arrow().num_rows == 0


def test_types(spark: Any):
    from pyspark.ml.linalg import Vectors

    made = spark.sql(
        "select 1Y as a, 2S as b, true as c, x'00ff' as d, date'2020-02-29' as e, array(1.5f, null) as f,"
        " map('k', 1) as g, named_struct('x', 1, 'y', 'z') as h, timestamp'2020-01-01 12:00:00+01:00' as i,"
        " timestamp_ntz'2020-01-01 12:00:00.000001' as j, null as k, 1 as `dots.and ``ticks`, 2 as A,"
        " interval '1' day as l"
    )
    vectors = spark.createDataFrame([(Vectors.dense([1.0, 2.0]),), (Vectors.sparse(3, [1], [5.0]),)], ["v"])
    source = dlbd.data.open(made)
    values = {"a": 1, "b": 2, "c": True, "d": b"\0\xff", "e": datetime.date(2020, 2, 29), "f": [1.5, None]}
    values |= {"g": [("k", 1)], "h": {"x": 1, "y": "z"}, "i": datetime.datetime(2020, 1, 1, 11, tzinfo=datetime.UTC)}
    values |= {"j": datetime.datetime(2020, 1, 1, 12, 0, 0, 1), "k": None, "dots.and `ticks": 1}
    values |= {"A": 2, "l": datetime.timedelta(1)}
    assert source.to_arrow().to_pylist() == [values]
    assert source.schema.types[:3] == [pa.int8(), pa.int16(), pa.bool_()]
    assert dlbd.data.open(source, order_by="dots.and `ticks").where(col("dots.and `ticks") == 1).count() == 1
    assert dlbd.data.open(vectors).to_arrow()["v"].to_pylist() == [[1.0, 2.0], [0.0, 5.0, 0.0]]


def test_what_cannot_be_read_is_the_callers_mistake(spark: Any, frame: Any):
    with pytest.raises(ValueError, match=r"has no column 'wage'; it has \['id', 'age'"):
        dlbd.data.open(frame, columns=["wage"])
    with pytest.raises(ValueError, match="several columns 'age'"):
        dlbd.data.open(frame.join(frame.alias("other"), "label"))
    with pytest.raises(ValueError, match="column 'v' is of Spark's type variant"):
        dlbd.data.open(spark.sql("select parse_json('1') as v"))
    with pytest.raises(TypeError, match="a data frame of Spark takes no argument 'table'"):
        dlbd.data.open(frame, table="t")
    with pytest.raises(TypeError, match=r"data frames of pyspark.sql are read; received a pyspark.*RDD"):
        dlbd.data.open(frame.rdd)
    with pytest.raises(TypeError, match=r"received a pyspark.pandas.frame.DataFrame: pass its to_spark\(\)"):
        dlbd.data.open(type("DataFrame", (), {"__module__": "pyspark.pandas.frame"})())


def test_errors_are_one_line(spark: Any, tmp_path: Any):
    def fails(batches: Any) -> Any:
        raise ValueError("this row\nis wrong")

    broken = spark.range(10).mapInArrow(fails, "a int")
    divided = spark.sql("select 1 / (id - 5) as a from range(10)")
    spark.range(3).write.parquet(str(tmp_path / "gone"))
    gone = spark.read.parquet(str(tmp_path / "gone"))
    for file in (tmp_path / "gone").iterdir():
        file.unlink()
    for made, said in [(broken, "ValueError: this row"), (divided, r"\[DIVIDE_BY_ZERO\]"), (gone, "does not exist")]:
        with pytest.raises(SourceError, match=rf"^rows: .*{said}") as caught:
            dlbd.data.open(made, name="rows").to_arrow()
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None
    with pytest.raises(SourceError, match="is declared int32, and holds 4294967296"):
        dlbd.data.open(spark.sql("select 4294967296 as a"), schema={"a": "int32"}).to_arrow()


def test_a_session_that_was_stopped_is_an_error(spark: Any):
    source = dlbd.data.open(spark.range(3))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spark.sparkContext, "_jsc", None)
        for work in (source.to_arrow, source.count):
            with pytest.raises(SourceError, match="Spark DataFrame: its session was stopped"):
                work()
    assert source.count() == 3


@pytest.mark.large
def test_the_driver_holds_some_batches(spark: Any):
    """360 MB of random numbers, in 8 partitions."""
    values = [f"rand({i}) as x{i}" for i in range(8)]
    for count in (10_000, 5_000_000):  # a first time for what is loaded once
        source = dlbd.data.open(spark.range(0, count, 1, 8).selectExpr("id", *values))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = kilobytes("VmRSS")
        read = sum(batch.nbytes for batch in source.batches())
        taken = (kilobytes("VmHWM") - before) * 1024
    assert read == 5_000_000 * 9 * 8
    assert taken < 60e6


def kilobytes(what: str) -> int:
    return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def test_a_scan_left_early_ends_its_jobs(spark: Any, frame: Any):
    source = dlbd.data.open(frame)
    assert source.head(3).num_rows == 3
    batches = source.batches(10)
    next(batches)
    assert source.head(3).num_rows == 3  # its end is not that of the other
    assert sum(b.num_rows for b in batches) == rows.COUNT - 10


def slow(spark: Any, seconds: float, partitions: int = 8, first: float | None = None) -> Any:
    """A row of each partition, after some time; another one for the first."""

    def wait(batches: Any) -> Any:
        from pyspark import TaskContext

        of_first = TaskContext.get().partitionId() == 0 and first is not None
        time.sleep(first if of_first else seconds)
        yield from batches

    return spark.range(0, partitions, 1, partitions).mapInArrow(wait, "id long")


def test_work_is_no_silence(spark: Any):
    ordered = dlbd.data.open(slow(spark, 1), order_by="id", timeout=4)  # no row before all tasks have ended
    begin = time.monotonic()
    assert ordered.to_arrow()["id"].to_pylist() == list(range(8))
    assert time.monotonic() - begin > 4


def test_a_long_task_is_no_silence(spark: Any):
    source = dlbd.data.open(slow(spark, 9, 1), timeout=3)
    assert source.to_arrow()["id"].to_pylist() == [0]
    assert source.count() == 1


def test_ctrl_c(spark: Any):
    source = dlbd.data.open(slow(spark, 60))
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        source.to_arrow()
    assert time.monotonic() - begin < 10


@pytest.fixture
def cluster(spark: Any, spark_cluster: Any):
    """A cluster whose workers may be killed."""
    if spark_cluster is None:
        pytest.skip("the user's own server is not stopped")
    slow(spark, 0).count()  # executors are there
    yield spark_cluster
    spark_cluster.start_workers()


def test_one_worker_killed_changes_nothing(spark: Any, cluster: Any):
    batches = dlbd.data.open(slow(spark, 0.5), timeout=60)._rows(["id"])
    found = next(batches).column(0).to_pylist()
    cluster.workers[0].kill()
    assert sorted(found + [i for batch in batches for i in batch.column(0).to_pylist()]) == list(range(8))


def test_one_worker_frozen_changes_nothing(spark: Any, cluster: Any):
    batches = dlbd.data.open(slow(spark, 0.5), timeout=5)._rows(["id"])
    found = next(batches).column(0).to_pylist()
    cluster.workers[0].freeze()  # Spark takes it for lost after spark.network.timeout
    assert sorted(found + [i for batch in batches for i in batch.column(0).to_pylist()]) == list(range(8))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_all_workers_gone_is_an_error(spark: Any, cluster: Any, number: int):
    source = dlbd.data.open(slow(spark, 1, 32), timeout=5)
    batches = source._rows(["id"])
    next(batches)
    cluster.signal(number)
    for work in (lambda: list(batches), source.count):
        begin = time.monotonic()
        with pytest.raises(SourceError, match="nothing came for 5 seconds"):
            work()
        assert time.monotonic() - begin < 30


PROGRAM = """
import os, signal, subprocess, sys, threading, time
import dlbd
from tests.data.test_spark import slow
from tests.servers.spark import session
spark = session("local[2]")
batches = dlbd.data.open(slow(spark, 1, 32), timeout=4)._rows(["id"])
next(batches)
java = spark.sparkContext._gateway.proc.pid
os.kill(java, getattr(signal, sys.argv[1]))
begin = time.monotonic()
try:
    list(batches)
except dlbd.data.SourceError as error:
    print(time.monotonic() - begin, error, flush=True)
os.kill(java, signal.SIGKILL)
os._exit(0)
"""


@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"], ids=["killed", "frozen"])
def test_java_gone_is_an_error(number: str):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    command = [sys.executable, "-c", PROGRAM, number]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    seconds, said = result.stdout.split(" ", 1)
    assert said.startswith("Spark DataFrame: ")
    assert float(seconds) < 30
