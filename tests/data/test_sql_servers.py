"""What is particular to servers: their types, passwords, and what happens when they are wrong, dead or frozen."""

from __future__ import annotations

import _thread
import decimal
import math
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col, write_table
from tests.servers import sql
from tests.servers.process import free_port
from tests.servers.sql_client import connect, drop_tables, execute, tables

ROWS = 200_000


@pytest.fixture
def uri(sql_server: sql.SqlServer) -> Iterator[str]:
    yield sql_server.uri
    drop_tables(sql_server.uri)


def large(address: str) -> dlbd.data.Source:
    """A table that no socket's buffer holds."""
    batch = pa.record_batch({"n": range(ROWS // 10), "s": ["text " * 20] * (ROWS // 10)})
    write_table(address, "large", (batch for _ in range(10)))
    return dlbd.data.open(address, table="large", timeout=2)


def connections(server: sql.SqlServer) -> int:
    """How many the server counts, this one left out."""
    if server.name == "postgresql":
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    else:
        query = "SELECT count(*) FROM information_schema.processlist WHERE user = 'dlbd'"
    return int(execute(server.uri, query)[0][0]) - 1


def readers() -> list[str]:
    """The threads of dlbd.data."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dlbd.data")]


def none_left(server: sql.SqlServer) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not readers() and connections(server) == 0:
            return True
        time.sleep(0.05)
    return False


def test_a_server_that_freezes(sql_server: sql.SqlServer):
    if sql_server.process is None:
        sql_server = sql.start_own(sql_server.name)
    batches = large(sql_server.uri).batches(1000)
    next(batches)
    sql_server.process.freeze()
    try:
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"127\.0\.0\.1.*large: nothing came for 2 seconds"):
            list(batches)
        assert time.monotonic() - start < 8
        assert readers() == []
    finally:
        sql_server.process.thaw()
    assert none_left(sql_server)
    drop_tables(sql_server.uri)


def test_a_server_that_is_frozen_before(sql_server: sql.SqlServer):
    if sql_server.process is None:
        sql_server = sql.start_own(sql_server.name)
    sql_server.process.freeze()
    try:
        for seconds in (1, 3):  # a longer one does not end sooner
            start = time.monotonic()
            with pytest.raises(SourceError, match=r"127\.0\.0\.1"):
                dlbd.data.open(sql_server.uri, table="t", timeout=seconds)
            assert seconds * 0.9 < time.monotonic() - start < 2 * seconds + 1
            start = time.monotonic()
            with pytest.raises(SourceError, match=r"127\.0\.0\.1.*table t"):
                write_table(sql_server.uri, "t", pa.table({"x": [1]}), timeout=seconds)
            assert time.monotonic() - start < 2 * seconds + 1
    finally:
        sql_server.process.thaw()
    assert none_left(sql_server)


# A query that takes longer than the timeout


def sleeping(uri: str, seconds: float) -> str:
    """A query that takes so long, and not when it is opened."""
    write_table(uri, "t", pa.table({"x": [seconds]}), if_exists="replace")
    return f"SELECT {'pg_sleep(x)::text' if uri.startswith('postgres') else 'SLEEP(x)'} AS y FROM t"


def test_a_server_that_works_is_not_silent(uri: str):
    query = sleeping(uri, 3.0)
    assert dlbd.data.open(uri, query=query, timeout=1).to_arrow().num_rows == 1
    counted = dlbd.data.open(uri, query=f"SELECT y FROM ({query} LIMIT 10) AS q WHERE y IS NULL", timeout=1)
    assert counted.count() == 0


def test_a_server_that_freezes_while_it_works(sql_server: sql.SqlServer):
    if sql_server.process is None:
        sql_server = sql.start_own(sql_server.name)
    batches = dlbd.data.open(sql_server.uri, query=sleeping(sql_server.uri, 8.0), timeout=1).batches()
    freeze = threading.Timer(2.5, sql_server.process.freeze)
    freeze.start()
    try:
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"127\.0\.0\.1.*query: nothing came for 1 seconds"):
            next(batches)
        assert 2.5 < time.monotonic() - start < 8
    finally:
        freeze.join()
        sql_server.process.thaw()
    assert none_left(sql_server)
    drop_tables(sql_server.uri)


def test_postgresql_ends_a_query_that_nobody_waits_for(postgresql: sql.SqlServer):
    source = dlbd.data.open(postgresql.uri, query=sleeping(postgresql.uri, 60.0))
    threading.Timer(1, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        source.to_arrow()
    assert none_left(postgresql)
    drop_tables(postgresql.uri)


def test_a_table_that_is_locked_is_an_error_in_time(uri: str):
    write_table(uri, "t", pa.table({"x": [1]}))
    source = dlbd.data.open(uri, table="t", timeout=1)
    with closing(connect(uri)) as other, closing(other.cursor()) as cursor:
        cursor.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE" if uri.startswith("postgres") else "LOCK TABLES t WRITE")
        for read in (source.to_arrow, source.count, lambda: dlbd.data.open(uri, table="t", timeout=1)):
            start = time.monotonic()
            with pytest.raises(SourceError, match="table t: nothing came for 1 seconds"):
                read()
            assert time.monotonic() - start < 4
    assert source.count() == 1


def test_a_server_that_freezes_while_it_is_written_to(sql_server: sql.SqlServer):
    if sql_server.process is None:
        sql_server = sql.start_own(sql_server.name)
    process = sql_server.process

    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(100):
            if i == 3:
                time.sleep(2)  # who makes rows may take its time
                process.freeze()
            yield pa.record_batch({"s": ["text " * 200] * 1000})

    start = time.monotonic()
    try:
        with pytest.raises(SourceError, match=r"127\.0\.0\.1.*table t: nothing came for 1 seconds") as caught:
            write_table(sql_server.uri, "t", batches(), timeout=1)
        assert time.monotonic() - start < 20
        assert ("may be left" in str(caught.value)) == (sql_server.name != "postgresql")  # there is a frozen table
    finally:
        process.thaw()
    assert none_left(sql_server)
    assert "t" not in tables(sql_server.uri)
    assert write_table(sql_server.uri, "t", pa.table({"x": [1]})) == 1
    drop_tables(sql_server.uri)


@pytest.mark.parametrize("name", ["mariadb", "mysql", "postgresql"])
def test_a_server_that_is_killed(name: str):
    server = sql.start_own(name)
    try:
        batches = large(server.uri).batches(1000)
        next(batches)
        server.process.kill()
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"127\.0\.0\.1.*large"):
            list(batches)
        assert time.monotonic() - start < 5
        assert readers() == []
        with pytest.raises(SourceError, match=r"127\.0\.0\.1"):
            dlbd.data.open(server.uri, table="large")
        with pytest.raises(SourceError, match=r"127\.0\.0\.1"):
            write_table(server.uri, "t", pa.table({"x": [1]}))
    finally:
        server.stop()


def test_an_iterator_closed_early_leaves_no_connection(sql_server: sql.SqlServer, uri: str):
    source = large(uri)
    batches = source.batches(1000)
    next(batches)
    start = time.monotonic()
    batches.close()
    assert time.monotonic() - start < 1
    assert source.head(2).num_rows == 2
    assert none_left(sql_server)


@pytest.mark.timeout(120)
def test_ctrl_c_ends_a_read_at_once(uri: str):
    write_table(uri, "t", pa.table({"x": [8]}))  # the server sleeps on, and keeps the table
    sleep = "pg_sleep(x)::text" if uri.startswith("postgres") else "SLEEP(x)"
    code = f"""
        import threading, dlbd
        source = dlbd.data.open({uri!r}, query="SELECT {sleep} AS y FROM t", timeout=100)
        print("reading", flush=True)
        try:
            source.to_arrow()
        except KeyboardInterrupt:
            print("interrupted", threading.active_count())
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert process.communicate(timeout=60)[0] == "interrupted 1\n"
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("password", ["wr0ng-secret", "w@r:o/n%g"])
def test_a_wrong_password_is_not_shown(uri: str, password: str):
    url = urlsplit(uri)
    scheme, place = url.scheme, f"{url.hostname}:{url.port}{url.path}"
    ways = [
        ((f"{scheme}://dlbd:{quote(password, safe='')}@{place}",), {}),
        ((f"{scheme}://dlbd@{place}",), {"password": password}),
        ((f"{scheme}://{place}",), {"user": "dlbd", "password": password}),
        ((f"{scheme}://dlbd@{place}",), {"connect_args": {"password": password}}),
    ]
    for arguments, options in ways:
        with pytest.raises(SourceError, match=r"(?i)127\.0\.0\.1.*(denied|password)") as caught:
            dlbd.data.open(*arguments, table="t", **options)
        shown = "".join(traceback.format_exception(caught.value)) + str(caught.value) + repr(caught.value)
        error: BaseException | None = caught.value
        while error is not None:
            shown, error = shown + repr(error), error.__cause__
        assert password not in shown
        assert quote(password, safe="") not in shown
    with pytest.raises(SourceError) as caught:
        write_table(ways[0][0][0], "t", pa.table({"x": [1]}))
    assert password not in "".join(traceback.format_exception(caught.value))


def test_credentials_by_option(uri: str):
    url = urlsplit(uri)
    write_table(uri, "t", pa.table({"x": [1]}))
    place = f"{url.scheme}://{url.hostname}:{url.port}{url.path}"
    source = dlbd.data.open(place, table="t", user=sql.USER, password=sql.PASSWORD)
    assert source.count() == 1
    assert sql.PASSWORD not in f"{source!r} {source.name} {vars(source.reader)}"


def test_wrong_addresses(uri: str):
    url = urlsplit(uri)
    port = free_port()
    with pytest.raises(SourceError, match=rf"127\.0\.0\.1:{port}.*(refused|connect)"):
        dlbd.data.open(uri.replace(f":{url.port}/", f":{port}/"), table="t")
    with pytest.raises(SourceError, match=r"nowhere"):
        dlbd.data.open(uri.replace(url.path, "/nowhere"), table="t")
    for address in (
        f"{url.scheme}://dlbd:s3cret@host:port/x",
        f"{url.scheme}://dlbd:s3cret@host",
        f"{url.scheme}+x://h/d",
    ):
        with pytest.raises(ValueError, match="an address is") as caught:
            dlbd.data.open(address, table="t")
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_query_cannot_write(uri: str):
    write_table(uri, "t", pa.table({"x": [1]}))
    for query in ("DELETE FROM t", "SELECT 1; DROP TABLE t", "SELECT 1) AS y; DROP TABLE t; --"):
        with pytest.raises((ValueError, SourceError)):
            dlbd.data.open(uri, query=query)
    assert execute(uri, "SELECT * FROM t") == [(1,)]


@pytest.mark.timeout(200)
def test_memory_is_bounded(uri: str):
    """A table of 110 MB, with 1 KB a row."""
    batch = pa.record_batch({"n": range(1000), "x": [0.1] * 1000, "s": ["0123456789" * 100] * 1000})
    write_table(uri, "t", (batch for _ in range(110)))
    code = f"""
        import resource, pyarrow, dlbd
        source = dlbd.data.open({uri!r}, table="t")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(batch.num_rows for batch in source.batches(1000))
        print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=150)
    rows, kilobytes = done.stdout.split()
    assert int(rows) == 110_000
    assert int(kilobytes) < 90_000


# What each server has of its own


@pytest.fixture(params=["mariadb", "mysql"])
def mysql_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    uri = request.getfixturevalue(request.param).uri
    yield uri
    drop_tables(uri)


def test_types_of_mysql(mysql_uri: str):
    execute(
        mysql_uri,
        "CREATE TABLE t (a TINYINT(1), b TINYINT, c TINYINT UNSIGNED, d SMALLINT, e MEDIUMINT, f INT UNSIGNED, "
        "g BIGINT UNSIGNED, h FLOAT, i DOUBLE, j DECIMAL(38, 30), k DECIMAL(65, 2), l YEAR, m TIME(3), n BIT(1), "
        "o CHAR(5), p ENUM('x', 'y'), q VARBINARY(9), r TIMESTAMP NULL, s DATETIME(6), "
        "t VARCHAR(9) CHARACTER SET latin1, u JSON)",
        "INSERT INTO t VALUES (1, -128, 255, -32768, -8388608, 4294967295, 18446744073709551615, 0.1, 0.1, "
        "'12345678.123456789012345678901234567890', 7.25, 2024, '-01:00:00.5', b'1', 'ab', 'y', x'00ff', "
        "'2024-01-01 00:00:00', '2024-01-01 00:00:00.000001', 'é', '[1]')",
    )
    source = dlbd.data.open(mysql_uri, table="t")
    types = [str(t) for t in source.schema.types]
    assert types[:9] == ["bool", "int8", "uint8", "int16", "int32", "uint32", "uint64", "float", "double"]
    assert types[9:11] == ["decimal128(38, 30)", "decimal256(65, 2)"]
    assert types[11:16] == ["int16", "duration[us]", "bool", "string", "string"]
    assert types[16:] == ["binary", "timestamp[us, tz=UTC]", "timestamp[us]", "string", "string"]
    row = source.to_arrow().to_pylist()[0]
    assert row["h"] == pa.scalar(0.1, pa.float32()).as_py()
    assert row["g"] == 2**64 - 1
    assert row["j"] == decimal.Decimal("12345678.123456789012345678901234567890")
    assert (row["a"], row["n"], row["o"], row["p"], row["q"], row["t"], row["u"]) == (
        True, True, "ab", "y", b"\x00\xff", "é", "[1]")  # fmt: skip
    assert row["m"].total_seconds() == -3600.5
    assert row["s"].microsecond == 1


def test_a_small_number_that_is_no_boolean(mysql_uri: str):
    execute(mysql_uri, "CREATE TABLE t (a TINYINT(1))", "INSERT INTO t VALUES (1), (7), (NULL)")
    with pytest.raises(SourceError, match=r"column 'a' is declared TINYINT\(1\) and holds 7"):
        dlbd.data.open(mysql_uri, table="t").to_arrow()
    source = dlbd.data.open(mysql_uri, table="t", schema={"a": "int8"}, order_by="a")
    assert source.to_arrow()["a"].to_pylist() == [None, 1, 7]


def test_other_databases_of_mysql(mysql_uri: str):
    execute(mysql_uri, "CREATE DATABASE IF NOT EXISTS other", "CREATE TABLE other.things (x INT)")
    assert dlbd.data.open(mysql_uri, table="other.things").schema.names == ["x"]
    execute(mysql_uri, "DROP DATABASE other")


@pytest.fixture
def postgresql_uri(postgresql: sql.SqlServer) -> Iterator[str]:
    yield postgresql.uri
    drop_tables(postgresql.uri)


def test_types_of_postgresql(postgresql_uri: str):
    execute(
        postgresql_uri,
        "CREATE TABLE t (a BOOLEAN, b SMALLINT, c INTEGER, d BIGINT, e REAL, f DOUBLE PRECISION, g NUMERIC(20, 4), "
        "h NUMERIC, i DATE, j TIME, k TIMESTAMP, l TIMESTAMPTZ, m TEXT, n VARCHAR(9), o CHAR(5), p BYTEA, q UUID, "
        "r JSONB, s INTEGER[], t INTERVAL)",
        "INSERT INTO t VALUES (true, 1, 2, 3, 0.1, 0.1, 12.5, 0.125, '2024-01-31', '12:00:00.5', '2024-01-31 12:00', "
        "'2024-01-31 12:00+02', 'é', 'n', 'ab', '\\x00ff', '00000000-0000-0000-0000-000000000001', '{\"x\": 1}', "
        "'{1,2}', '1 day')",
    )
    source = dlbd.data.open(postgresql_uri, table="t")
    types = [str(t) for t in source.schema.types]
    assert types[:9] == [
        "bool",
        "int16",
        "int32",
        "int64",
        "float",
        "double",
        "decimal128(20, 4)",
        "double",
        "date32[day]",
    ]
    assert types[9:12] == ["time64[us]", "timestamp[us]", "timestamp[us, tz=UTC]"]
    assert types[12:] == ["string", "string", "string", "binary", "string", "string", "string", "string"]
    row = list(source.to_arrow().to_pylist()[0].values())
    assert row[4] == pa.scalar(0.1, pa.float32()).as_py()
    assert row[5:8] == [0.1, decimal.Decimal("12.5"), 0.125]
    assert row[11].hour == 10
    assert row[12:] == [
        "é",
        "n",
        "ab",
        b"\x00\xff",
        "00000000-0000-0000-0000-000000000001",
        '{"x": 1}',
        "{1,2}",
        "1 day",
    ]
    for name in source.schema.names:
        assert dlbd.data.open(source, order_by=name).head(1).num_rows == 1
    hinted = dlbd.data.open(postgresql_uri, table="t", schema={"h": pa.decimal128(9, 3)})
    assert hinted.to_arrow()["h"].to_pylist() == [decimal.Decimal("0.125")]


def test_nan_and_infinities_of_postgresql(postgresql_uri: str):
    table = pa.table({"x": [1.0, math.nan, None, -math.inf, math.inf, -0.5]})
    write_table(postgresql_uri, "t", table)
    source = dlbd.data.open(postgresql_uri, table="t", order_by="x")
    assert str(source.to_arrow()["x"].to_pylist()) == "[None, nan, -inf, -0.5, 1.0, inf]"
    for condition in (col("x") > 0.0, ~(col("x") > 0.0), col("x") >= 1.0, col("x") < 1.0, ~(col("x") <= 1.0)):
        assert source.reader.count(condition) == table.filter(condition.to_arrow()).num_rows, condition


def test_collations_of_postgresql(postgresql_uri: str):
    execute(
        postgresql_uri,
        'CREATE TABLE t (s TEXT COLLATE "en-x-icu")',
        "INSERT INTO t VALUES ('b'), ('A'), ('a'), ('B'), ('ä'), (NULL)",
    )
    source = dlbd.data.open(postgresql_uri, table="t", order_by="s")
    assert source.to_arrow()["s"].to_pylist() == [None, "A", "B", "a", "b", "ä"]
    assert source.reader.count(col("s") < "a") == 2


def test_schemas_of_postgresql(postgresql_uri: str):
    execute(postgresql_uri, "CREATE SCHEMA other", 'CREATE TABLE other."a.b" (x INT)')
    try:
        assert dlbd.data.open(postgresql_uri, table="other.a.b").schema.names == ["x"]
        with pytest.raises(ValueError, match=r"has no table 'a\.b'"):
            dlbd.data.open(postgresql_uri, table="a.b")
    finally:
        execute(postgresql_uri, "DROP SCHEMA other CASCADE")
    assert tables(postgresql_uri) == []
