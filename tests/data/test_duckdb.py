"""What is particular to DuckDB: its own types, NaN, collations, files that are none."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col
from tests.servers.sql_client import execute


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path}/test.db"


def test_nan_and_infinities_are_ordered_and_compared_as_in_arrow(address: str):
    table = pa.table({"x": [1.0, math.nan, None, -math.inf, math.inf, -0.5]})
    dlbd.data.write_table(address, "t", table)
    source = dlbd.data.open(address, table="t", order_by="x")
    assert str(source.to_arrow()["x"].to_pylist()) == "[None, nan, -inf, -0.5, 1.0, inf]"
    for condition in (col("x") > 0.0, ~(col("x") > 0.0), col("x") >= 1.0, col("x") < 1.0, ~(col("x") <= 1.0)):
        assert source.reader.count(condition) == table.filter(condition.to_arrow()).num_rows, condition


def test_collations_do_not_change_order_or_conditions(address: str):
    execute(address, "CREATE TABLE t (s VARCHAR COLLATE NOCASE)", "INSERT INTO t VALUES ('b'), ('A'), ('a'), ('B')")
    source = dlbd.data.open(address, table="t", order_by="s")
    assert source.to_arrow()["s"].to_pylist() == ["A", "B", "a", "b"]
    assert source.where(col("s") == "a").count() == 1


def test_schemas(address: str):
    execute(address, "CREATE SCHEMA other", "CREATE TABLE other.t AS SELECT 1 AS x")
    assert dlbd.data.open(address, table="other.t").count() == 1
    with pytest.raises(ValueError, match=r"has no table 't'; it has \['other\.t'\]"):
        dlbd.data.open(address, table="t")


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(SourceError, match=r"absent\.db.*does not exist"):
        dlbd.data.open(f"duckdb:///{tmp_path}/absent.db", table="t")
    (tmp_path / "text.db").write_text("a,b\n" * 5000)
    with pytest.raises(SourceError, match="not a valid DuckDB database"):
        dlbd.data.open(f"duckdb:///{tmp_path}/text.db", table="t")


def test_a_query_cannot_write(address: str):
    execute(address, "CREATE TABLE t AS SELECT 1 AS x")
    for query in ("DELETE FROM t", "SELECT 1; DROP TABLE t", "SELECT 1) ; DROP TABLE t; --"):
        with pytest.raises((ValueError, SourceError)):
            dlbd.data.open(address, query=query)
    assert execute(address, "SELECT * FROM t") == [(1,)]


@pytest.mark.timeout(200)
def test_memory_is_bounded(address: str):
    """A table that is 240 MB in Arrow, as it is and sorted."""
    columns = ", ".join(f"random() AS x{i}" for i in range(8))
    execute(address, f"CREATE TABLE t AS SELECT random() AS x, {columns}, uuid()::varchar AS s FROM range(2000000)")
    code = f"""
        import resource, pyarrow, dlbd
        source = dlbd.data.open({address!r}, table="t", connect_args={{"memory_limit": "64MB"}})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(batch.num_rows for batch in source.batches())
        rows += sum(batch.num_rows for batch in dlbd.data.open(source, columns=["s"], order_by="x").batches())
        print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=150)
    rows, kilobytes = done.stdout.split()
    assert int(rows) == 4_000_000
    assert int(kilobytes) < 200_000
    assert os.listdir(os.path.dirname(address.removeprefix("duckdb:///"))) == ["test.db"]


def test_enumerations_and_identifiers_are_texts(tmp_path: Path):
    with duckdb.connect(tmp_path / "a.duckdb") as connection:
        connection.execute("CREATE TABLE t (kind ENUM('b', 'a', 'c'), id UUID)")
        ids = [f"{i}{'0' * 7}-0000-0000-0000-000000000000" for i in "91f"]
        connection.executemany("INSERT INTO t VALUES (?, ?)", [["a", ids[0]], ["b", ids[1]], [None, ids[2]]])
    address = f"duckdb:///{tmp_path}/a.duckdb"
    by_kind = dlbd.data.open(address, table="t", order_by="kind")
    assert by_kind.to_arrow()["kind"].to_pylist() == [None, "a", "b"]
    assert by_kind.where(col("kind") < "b").count() == 1
    by_id = dlbd.data.open(address, table="t", order_by="id")
    assert by_id.to_arrow()["id"].to_pylist() == sorted(ids)
    assert by_id.where(col("id") == ids[1]).count() == 1
