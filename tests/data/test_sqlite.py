"""What is particular to SQLite: loose types, locks, files that are none, Ctrl-C, speed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError
from tests.servers.sql_client import execute


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.db"


def test_types_are_those_that_are_declared(address: str):
    execute(
        address,
        "CREATE TABLE t (a INTEGER, b BIGINT, c VARCHAR(9), d TEXT, e BLOB, f REAL, g FLOAT, h DOUBLE PRECISION, "
        "i DECIMAL(7, 3), j NUMERIC, k BOOLEAN, l DATE, m DATETIME, n TIMESTAMP, o)",
        "INSERT INTO t VALUES (1, 2, 'c', 'd', x'00ff', 1.5, 2.5, 3.5, 4.125, 5, 1, '2020-01-31', "
        "'2020-01-31 12:30:00', '2020-01-31T12:30:00.25', 7)",
    )
    source = dlbd.data.open(address, table="t")
    types = "int64 int64 string string binary double double double decimal128(7, 3) double bool date32[day]"
    assert " ".join(str(t) for t in source.schema.types).startswith(types)
    assert source.schema.types[-3:] == [pa.timestamp("us"), pa.timestamp("us"), pa.int64()]
    row = source.to_arrow().to_pylist()[0]
    assert [str(v) for v in list(row.values())[:9]] == [
        "1",
        "2",
        "c",
        "d",
        r"b'\x00\xff'",
        "1.5",
        "2.5",
        "3.5",
        "4.125",
    ]
    times = ["2020-01-31", "2020-01-31 12:30:00", "2020-01-31 12:30:00.250000"]
    assert [str(v) for v in list(row.values())[9:]] == ["5.0", "True", *times, "7"]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INTEGER", "'many'"),
        ("INTEGER", "1.5"),
        ("REAL", "'nan'"),
        ("REAL", "x'31'"),
        ("TEXT", "x'31'"),
        ("BLOB", "'text'"),
        ("BOOLEAN", "2"),
        ("DATE", "'31.1.2020'"),
        ("DATE", "20200131"),
        ("TIMESTAMP", "'noon'"),
        ("DECIMAL(5, 2)", "1.005"),
        ("DECIMAL(5, 2)", "123456"),
        ("", "'text'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(address: str, declared: str, value: str):
    good = {"TEXT": "'a'", "BLOB": "x'61'", "DATE": "'2020-01-31'", "TIMESTAMP": "'2020-01-31'"}.get(declared, "1")
    values = ", ".join([f"({good}, 1)"] * 2000)
    execute(address, f"CREATE TABLE t (v {declared}, n INTEGER)", f"INSERT INTO t VALUES {values}",
            f"INSERT INTO t VALUES ({value}, 2)")  # fmt: skip
    source = dlbd.data.open(address, table="t")
    with pytest.raises(SourceError, match=r"test\.db, table t: column 'v' .*holds .* which is no") as caught:
        source.to_arrow()
    shown = {"'nan'": "'nan'", "x'31'": "b'1'"}.get(value, value)
    assert f"holds {shown} (" in str(caught.value)


def test_a_declared_schema_decides_what_sqlite_leaves_open(address: str):
    execute(
        address,
        "CREATE TABLE t (at TEXT, day TEXT, price TEXT, flag INTEGER, n)",
        "INSERT INTO t VALUES ('2020-01-02 03:04:05.678', '2020-01-02', '12.50', 1, 3)",
        "INSERT INTO t VALUES ('2020-01-02T03:04:05', '2019-01-02', '9', 0, 4), (NULL, NULL, NULL, NULL, NULL)",
    )
    types = {"at": "timestamp[us]", "day": "date32", "price": pa.decimal128(8, 2), "flag": "bool", "n": "int32"}
    source = dlbd.data.open(address, table="t", schema=types)
    assert source.schema.types == [pa.timestamp("us"), pa.date32(), pa.decimal128(8, 2), pa.bool_(), pa.int32()]
    for name in types:
        values = dlbd.data.open(source, order_by=name).to_arrow()[name].to_pylist()
        assert values[0] is None
        assert values[1:] == sorted(values[1:])


def test_seconds_since_1970_are_times_if_they_are_declared_so(address: str):
    execute(address, "CREATE TABLE t (at INTEGER)", "INSERT INTO t VALUES (1700000000), (0), (NULL)")
    source = dlbd.data.open(address, table="t", schema={"at": "timestamp[s]"}, order_by="at")
    assert [str(v) for v in source.to_arrow()["at"].to_pylist()] == [
        "None",
        "1970-01-01 00:00:00",
        "2023-11-14 22:13:20",
    ]


def test_mixed_types_in_a_query(address: str):
    execute(address, "CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 1), (2.5, 'x'), (NULL, NULL)")
    source = dlbd.data.open(address, query="SELECT a, a + 1 AS c FROM t")
    assert source.to_arrow().to_pydict() == {"a": [1.0, 2.5, None], "c": [2.0, 3.5, None]}
    with pytest.raises(SourceError, match="column 'b' is declared without a type and holds int, str values"):
        dlbd.data.open(address, table="t")


def test_numbers_with_and_without_null(address: str):
    """Across the edges of batches and from the quick path to the other."""
    execute(address, "CREATE TABLE t (i INTEGER, x REAL, y REAL, s TEXT)")
    rows = [(i, i / 7, None if i % 1000 == 999 else i / 3, f"text {i}" if i % 3 else None) for i in range(40_000)]
    rows[20_000] = (None, None, None, None)
    with sqlite3.connect(address.removeprefix("sqlite:///")) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    connection.close()
    source = dlbd.data.open(address, table="t")
    for columns in (["i", "x", "y", "s"], ["s", "i"], ["s"], ["x", "i"]):
        table = source.select(columns).to_arrow()
        indices = ["ixys".index(name) for name in columns]
        assert [tuple(row.values()) for row in table.to_pylist()] == [tuple(row[i] for i in indices) for row in rows]


def test_many_columns(address: str):
    names = [f"c{i}" for i in range(1500)]
    table = pa.table({name: pa.array([i * 1.5, None]) for i, name in enumerate(names)})
    dlbd.data.write_table(address, "wide", table)
    assert dlbd.data.open(address, table="wide").to_arrow().equals(table)


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(SourceError, match=r"absent\.db: there is no such file"):
        dlbd.data.open(f"sqlite:///{tmp_path}/absent.db", table="t")
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "text.db").write_text("a,b\n" * 1000)
    with pytest.raises(SourceError, match=r"text\.db, table t: file is not a database"):
        dlbd.data.open(f"sqlite:///{tmp_path}/text.db", table="t")
    for address in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://file.db"):
        with pytest.raises(ValueError, match="names a file"):
            dlbd.data.open(address, table="t")


def test_relative_addresses(address: str, monkeypatch: pytest.MonkeyPatch):
    execute(address, "CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)")
    monkeypatch.chdir(Path(address.removeprefix("sqlite:///")).parent)
    assert dlbd.data.open("sqlite:///test.db", table="t").count() == 1


def test_a_locked_database(address: str):
    execute(address, "CREATE TABLE t (x INTEGER)")
    writer = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceError, match="database is locked"):
        dlbd.data.open(address, table="t", connect_args={"timeout": 0.1})
    with pytest.raises(SourceError, match="database is locked"):
        dlbd.data.write_table(address, "u", pa.table({"x": [1]}), connect_args={"timeout": 0.1})
    writer.close()
    assert dlbd.data.open(address, table="t").count() == 0


def test_a_query_cannot_write(address: str):
    execute(address, "CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)")
    for query in ("DELETE FROM t", "SELECT 1; DROP TABLE t", "SELECT 1) ; DROP TABLE t; --"):
        with pytest.raises(ValueError, match="query"):
            dlbd.data.open(address, query=query)
    assert execute(address, "SELECT * FROM t") == [(1,)]


def test_no_file_is_left_of_one_that_could_not_be_written(tmp_path: Path):
    def batches():
        yield pa.record_batch({"x": [1]})
        raise KeyboardInterrupt

    for kind in ("sqlite", "duckdb"):
        with pytest.raises(KeyboardInterrupt):
            dlbd.data.write_table(f"{kind}:///{tmp_path}/new.db", "t", batches())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "count", "said"),
    # a row of 75 words fills a page of 512 bytes: SQLite needs more room than the temporary file
    [(1000, 1000, "come to a table by temporary files"), (75, 30, "test.db, table t: ")],
)
def test_a_full_disk(address: str, words: int, count: int, said: str):
    execute(address, "PRAGMA page_size = 512", "CREATE TABLE t (x TEXT)")

    size = os.path.getsize(address.removeprefix("sqlite:///"))
    code = f"""
        import resource, signal
        import pyarrow as pa, dlbd
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        batches = (pa.record_batch({{"x": ["text" * {words}] * 100}}) for _ in range({count}))
        try:
            dlbd.data.write_table({address!r}, "t", batches, if_exists="append")
        except dlbd.data.SourceError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert said in done.stdout, done.stderr
    assert execute(address, "SELECT COUNT(*) FROM t") == [(0,)]
    assert os.path.getsize(address.removeprefix("sqlite:///")) == size


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_ctrl_c_ends_a_read_at_once(tmp_path: Path, kind: str):
    address = f"{kind}:///{tmp_path}/test.db"
    execute(address, "CREATE TABLE t (x INTEGER)")
    execute(address, f"INSERT INTO t VALUES {', '.join(f'({i})' for i in range(3000))}")
    code = f"""
        import threading, dlbd
        query = "SELECT a.x FROM t a, t b, t c, t d WHERE (a.x * b.x + c.x * d.x) % 1000003 = 7"
        source = dlbd.data.open({address!r}, query=query)
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


@pytest.mark.timeout(200)
def test_memory_is_bounded(address: str):
    """A table of 200 MB, as it is and sorted."""
    columns = ", ".join(f"abs(random()) / 1e3 AS x{i}" for i in range(8))
    execute(
        address,
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = OFF",
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) "
        f"SELECT random() / 1e9 AS x, {columns}, hex(randomblob(24)) AS s FROM n",
    )
    assert os.path.getsize(address.removeprefix("sqlite:///")) > 190e6
    code = f"""
        import resource, pyarrow, dlbd
        source = dlbd.data.open({address!r}, table="t")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(batch.num_rows for batch in source.batches())
        rows += sum(batch.num_rows for batch in dlbd.data.open(source, columns=["s"], order_by="x").batches())
        print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=150)
    rows, kilobytes = done.stdout.split()
    assert int(rows) == 3_000_000
    assert int(kilobytes) < 60_000


def test_a_table_whose_writer_was_killed_is_as_before(address: str, tmp_path: Path):
    dlbd.data.write_table(address, "t", pa.table({"x": range(1000)}))
    code = f"""
        import os, sqlite3
        connection = sqlite3.connect("{tmp_path}/test.db")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("UPDATE t SET x = -1")
        connection.execute("CREATE TABLE u AS SELECT a.x FROM t AS a, t AS b LIMIT 100000")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert (tmp_path / "test.db-journal").stat().st_size
    assert dlbd.data.open(address, table="t", order_by="x").to_arrow()["x"].to_pylist() == list(range(1000))


def test_what_sqlite_keeps_as_text_is_ordered_as_what_it_is(tmp_path: Path):
    file = str(tmp_path / "a.db")
    moments = ["2024-01-01", "2024-01-01T00:00", "2024-01-01 00:00:00.000", "2023-12-31 23:59:59.5", None]
    instants = [
        "2024-01-01T12:00+02:00",
        "2024-01-01T11:00Z",
        "2024-01-01T10:00:01+00:00",
        "2024-01-02T00:00+14:00",
        None,
    ]
    numbers = ["10000000000000000.2", "10000000000000000.1", "9", "-10", None]
    times = ["09:00", "10:00:00", "10:00", "08:59:59.5", None]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t (id INTEGER, m TIMESTAMP, i TEXT, n TEXT, d TEXT)")
        rows = list(zip(range(5), moments, instants, numbers, times, strict=True))
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    schema = {"i": pa.timestamp("us", "UTC"), "n": pa.decimal128(20, 1), "d": "time64[us]"}
    source = dlbd.data.open(f"sqlite:///{file}", table="t", schema=schema)
    for name, wanted in (
        ("m", [4, 3, 0, 1, 2]),
        ("i", [4, 0, 3, 2, 1]),
        ("n", [4, 3, 2, 1, 0]),
        ("d", [4, 3, 0, 1, 2]),
    ):
        found = dlbd.data.open(source, order_by=[name, "id"]).to_arrow()
        assert found["id"].to_pylist() == wanted, name
        assert found.equals(dlbd.data.open(source.to_arrow(), order_by=[name, "id"]).to_arrow())


def test_texts_of_a_file_in_utf_16_are_ordered_and_compared_by_utf_8(tmp_path: Path):
    file = str(tmp_path / "a.db")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        connection.execute("CREATE TABLE t (s TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("🙂",), ("\ufffd",), ("é",), ("z",), (None,)])
    source = dlbd.data.open(f"sqlite:///{file}", table="t", order_by="s")
    assert source.to_arrow()["s"].to_pylist() == [None, "z", "é", "\ufffd", "🙂"]
    assert source.where(dlbd.data.col("s") > "\ufffd").to_arrow()["s"].to_pylist() == ["🙂"]
