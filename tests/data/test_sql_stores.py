"""What holds for every kind of SQL: SQLite, DuckDB, MariaDB, MySQL, PostgreSQL."""

from __future__ import annotations

import datetime
import decimal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col, write_table
from tests.data import rows
from tests.servers.sql_client import execute, tables

NASTY_TABLE = "we\"ir`d'; DROP TABLE keep; -- %s :x"
NASTY_COLUMNS = ['a"b', "c`d", "e%f", "%(g)s", ":h", "i'j", "select", "ünï", "k.l", "m;n", "o\\p"]

ORDERED_TEXTS = ["", " ", "A", "B", "Z", "a", "a\tb", "a ", "ab", "b", "z", "ß", "ä", "Ω", "東", "🙂", None]

CONDITIONS = [
    col("age") > 30,
    ~(col("age") > 30),
    (col("age") >= 10) & (col("label") != 1),
    (col("age") < 0) | (col("score") <= 0.5),
    ~((col("age") < 0) | (col("score") <= 0.5)),
    col("city") == "Bonn",
    col("city") == "bonn",
    col("city") != "Bonn",
    col("comment") == "",
    col("comment") == "it's 100%",
    col("comment") == "back\\slash",
    col("comment") < "a",
    col("city").isin(["Bonn", "東京"]),
    ~col("city").isin(["Bonn", "東京"]),
    col("city").isin(["Bonn", None]),
    ~col("city").isin(["Bonn", None]),
    col("city").isin([]),
    ~col("city").is_null(),
    col("city").is_null() & (col("label") == 2),
    col("price") > decimal.Decimal("1234.56"),
    col("at") < datetime.datetime(2010, 1, 1),
    col("weight") > 0.25,
]


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.fixture
def stored(database: str) -> str:
    assert write_table(database, "samples", rows.TABLE) == rows.COUNT
    return database


def test_the_same_rows_bit_for_bit(stored: str):
    source = dlbd.data.open(stored, table="samples", schema=rows.SCHEMA, order_by=rows.ORDER_BY)
    assert source.schema == rows.SCHEMA
    assert source.to_arrow().equals(rows.TABLE)
    assert source.count() == rows.COUNT
    assert "p@ss" not in repr(source)
    assert not dlbd.data.open(stored, table="samples").ordered


def test_order_is_arrows(stored: str):
    source = dlbd.data.open(stored, table="samples", schema=rows.SCHEMA)
    for column in rows.SCHEMA.names:
        by = list(dict.fromkeys([column, "id"]))
        ordered = dlbd.data.open(source, order_by=by).to_arrow()
        assert ordered.equals(dlbd.data.open(rows.TABLE, order_by=by).to_arrow()), column


def test_text_is_ordered_by_its_bytes(database: str):
    table = pa.table({"text": list(reversed(ORDERED_TEXTS))})
    write_table(database, "texts", table)
    source = dlbd.data.open(database, table="texts", order_by="text")
    assert source.to_arrow()["text"].to_pylist() == [None, *ORDERED_TEXTS[:-1]]
    for text in ORDERED_TEXTS[:-1]:
        for condition in (col("text") == text, col("text") < text, ~(col("text") >= text)):
            assert source.reader.count(condition) == table.filter(condition.to_arrow()).num_rows, condition


def test_long_texts_and_bytes_are_ordered_to_their_ends(database: str):
    texts = ["x" * length + end for length in (2_000, 9_000) for end in "dacb" * 50]
    table = pa.table({"text": texts, "raw": [text.encode() for text in texts], "id": range(len(texts))})
    write_table(database, "long", table)
    for by in (["text", "id"], ["raw", "id"]):
        found = dlbd.data.open(database, table="long", order_by=by, columns=["id"]).to_arrow()
        assert found.equals(dlbd.data.open(table, order_by=by, columns=["id"]).to_arrow()), by


def test_conditions_mean_what_they_mean_in_arrow(stored: str):
    source = dlbd.data.open(stored, table="samples", schema=rows.SCHEMA, order_by="id")
    for condition in CONDITIONS:
        expected = rows.TABLE.filter(condition.to_arrow())
        assert source.where(condition).to_arrow().equals(expected), condition
        assert source.where(condition).count() == expected.num_rows, condition
        scan = source.reader.scan(rows.SCHEMA.names, condition, ["id"], 100)
        ids = {i for batch in scan for i in batch.column("id").to_pylist()}
        assert set(expected["id"].to_pylist()) <= ids, condition
        known = source.reader.count(condition)
        assert known is None or known == len(ids) == expected.num_rows, condition


def test_most_conditions_are_checked_by_the_store(stored: str):
    reader = dlbd.data.open(stored, table="samples").reader
    assert sum(reader.count(condition) is None for condition in CONDITIONS) <= 3


def test_names_are_names_whatever_they_say(database: str):
    write_table(database, "keep", pa.table({"x": [1]}))
    table = pa.table({name: [i, None, 100 - i] for i, name in enumerate(NASTY_COLUMNS)})
    write_table(database, NASTY_TABLE, table)
    source = dlbd.data.open(database, table=NASTY_TABLE, order_by=NASTY_COLUMNS)
    assert source.schema.names == NASTY_COLUMNS
    assert sorted(source.to_arrow().to_pylist(), key=str) == sorted(table.to_pylist(), key=str)
    for name in NASTY_COLUMNS:
        assert source.where(col(name) > 50).select([name]).to_arrow()[name].to_pylist() == [
            100 - NASTY_COLUMNS.index(name)
        ]
        assert source.where(col(name).is_null()).count() == 1
    with pytest.raises(ValueError, match="has no table"):
        dlbd.data.open(database, table="x; DROP TABLE keep; --")
    with pytest.raises(ValueError, match="has no column"):
        dlbd.data.open(database, table="keep", columns=["x, (SELECT 1)"])
    assert tables(database) == sorted(["keep", NASTY_TABLE])


def test_views(stored: str):
    execute(stored, "CREATE VIEW grown AS SELECT id, age, city FROM samples WHERE age >= 18")
    source = dlbd.data.open(stored, table="grown", schema={"id": "int64", "age": "int32"}, order_by="id")
    expected = rows.TABLE.filter((col("age") >= 18).to_arrow()).select(["id", "age", "city"])
    assert source.to_arrow().equals(expected)


def test_queries_with_parameters(stored: str):
    source = dlbd.data.open(
        stored,
        query="SELECT id, age, price, comment FROM samples -- 100% of :them\n"
        "WHERE city = :city AND comment <> ':no %s';",
        parameters={"city": "São Paulo"},
        schema={"age": "int32"},
        order_by="id",
    )
    city = rows.TABLE.filter((col("city") == "São Paulo").to_arrow() & ~col("comment").is_null().to_arrow())
    assert source.to_arrow().equals(city.select(["id", "age", "price", "comment"]))
    assert source.where(col("age") > 50).count() == city.filter((col("age") > 50).to_arrow()).num_rows
    none = {"city": "x'; DROP TABLE samples; --"}
    assert dlbd.data.open(stored, query="SELECT id FROM samples WHERE city = :city", parameters=none).count() == 0


def test_wrong_parameters(stored: str):
    query = "SELECT id FROM samples WHERE age > :age"
    with pytest.raises(ValueError, match="parameter :age"):
        dlbd.data.open(stored, query=query)
    with pytest.raises(ValueError, match="'year', and the query no :year"):
        dlbd.data.open(stored, query=query, parameters={"age": 3, "year": 1})
    with pytest.raises(TypeError, match="parameters is a dict"):
        dlbd.data.open(stored, query=query, parameters=[3])
    with pytest.raises(ValueError, match="pass table= or query="):
        dlbd.data.open(stored)
    with pytest.raises(ValueError, match="pass table= or query="):
        dlbd.data.open(stored, table="samples", query=query)
    with pytest.raises(TypeError, match="takes no argument 'colour'"):
        dlbd.data.open(stored, table="samples", colour=1)


def test_what_does_not_exist(stored: str):
    with pytest.raises(ValueError, match=r"has no table 'sample'; it has \['samples'\]"):
        dlbd.data.open(stored, table="sample")
    with pytest.raises(ValueError, match="has no column 'size'"):
        dlbd.data.open(stored, table="samples", columns=["size"])
    with pytest.raises(ValueError, match=r"query: .*size"):
        dlbd.data.open(stored, query="SELECT size FROM samples")
    with pytest.raises(ValueError, match=r"query: .*syntax"):
        dlbd.data.open(stored, query="SELECT FROM WHERE")
    with pytest.raises(ValueError, match=r"query: .*nowhere"):
        dlbd.data.open(stored, query="SELECT * FROM nowhere")


@pytest.mark.parametrize(
    ("address", "library", "extra"),
    [
        ("duckdb:///x.db", "duckdb", "duckdb"),
        ("mysql://h/d", "sqlalchemy", "sql"),
        ("mysql://h/d", "pymysql", "sql"),
        ("postgresql://h/d", "psycopg", "sql"),
    ],
)
def test_a_missing_library_names_its_extra(address: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, library, None)
    for module in (extra, "connections"):
        monkeypatch.delitem(sys.modules, f"dlbd.data.{module}", raising=False)
    with pytest.raises(ImportError, match=rf"pip install 'dlbd\[{extra}\]'"):
        dlbd.data.open(address, table="t")


def test_empty_table(database: str):
    write_table(database, "samples", rows.SCHEMA.empty_table())
    source = dlbd.data.open(database, table="samples", schema=rows.SCHEMA, order_by="id")
    assert source.count() == 0
    assert source.to_arrow().equals(rows.SCHEMA.empty_table())


def test_iterators_closed_early_and_side_by_side(stored: str):
    source = dlbd.data.open(stored, table="samples", order_by="id")
    first, second = source.batches(10), source.batches(10)
    next(first), next(second)
    first.close()
    assert sum(batch.num_rows for batch in second) == rows.COUNT - 10
    assert source.head(3).num_rows == 3


def test_types_are_kept(database: str):
    moment = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
    table = pa.table(
        {
            "flag": pa.array([True, False, None]),
            "raw": pa.array([b"\x00\xff'", b"", None]),
            "day": pa.array([datetime.date(1999, 12, 31), datetime.date(2400, 1, 1), None]),
            "local": pa.array([moment, moment.replace(microsecond=0), None], pa.timestamp("us")),
            "small": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
            "large": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
            "real": pa.array([0.1, -1e-30, None], pa.float32()),
            "double": pa.array([0.1, -1.7976931348623157e308, None]),
            "amount": pa.array(
                [decimal.Decimal("-12345678901.23"), decimal.Decimal("0.10"), None], pa.decimal128(15, 2)
            ),
        }
    )
    write_table(database, "kinds", table)
    source = dlbd.data.open(database, table="kinds")
    if database.startswith("sqlite"):
        source = dlbd.data.open(source, schema={"small": "int32", "real": "float32"})
    assert source.schema == table.schema
    assert sorted(source.to_arrow().to_pylist(), key=str) == sorted(table.to_pylist(), key=str)


def test_times_with_a_zone_are_instants(database: str):
    noon = datetime.datetime(2024, 7, 1, 12, 0, 0, 250000, datetime.UTC)
    write_table(database, "times", pa.table({"at": pa.array([noon], pa.timestamp("us", "Europe/Oslo"))}))
    source = dlbd.data.open(database, table="times", schema={"at": pa.timestamp("us", "UTC")})
    assert source.to_arrow()["at"].to_pylist() == [noon]


def test_writing_where_a_table_is(stored: str):
    few = rows.TABLE.slice(0, 10)
    with pytest.raises(ValueError, match="has a table 'samples' already"):
        write_table(stored, "samples", few)
    assert write_table(stored, "samples", few, if_exists="append") == 10
    assert dlbd.data.open(stored, table="samples").count() == rows.COUNT + 10
    assert write_table(stored, "samples", few, if_exists="replace") == 10
    assert dlbd.data.open(stored, table="samples", schema=rows.SCHEMA, order_by="id").to_arrow().equals(few)
    with pytest.raises(ValueError, match="if_exists is one of"):
        write_table(stored, "samples", few, if_exists="maybe")
    with pytest.raises(ValueError, match=r"'x': list<.*> has no counterpart"):
        write_table(stored, "lists", pa.table({"x": [[1]]}))
    assert tables(stored) == ["samples"]


@pytest.mark.parametrize("if_exists", ["append", "replace", "error"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_of_a_table_that_was_not_written_whole(stored: str, if_exists: str, error: type[BaseException]):
    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.TABLE.to_batches(max_chunksize=100)[:5]
        raise error

    name = "others" if if_exists == "error" else "samples"
    with pytest.raises(error):
        write_table(stored, name, batches(), if_exists=if_exists)
    assert tables(stored) == ["samples"]
    assert dlbd.data.open(stored, table="samples").count() == rows.COUNT


def test_values_that_a_column_refuses(database: str):
    write_table(database, "numbers", pa.table({"x": [decimal.Decimal("1.50")]}))
    many = pa.table({"x": ["many"]})
    if database.startswith("sqlite"):  # which takes everything: reading it is the error
        write_table(database, "numbers", many, if_exists="append")
        with pytest.raises(SourceError, match=r"column 'x' is declared DECIMAL\(3, 2\) and holds 'many'"):
            dlbd.data.open(database, table="numbers").to_arrow()
        return
    with pytest.raises(SourceError, match="numbers"):
        write_table(database, "numbers", many, if_exists="append")
    assert dlbd.data.open(database, table="numbers").count() == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_table_is_written_to_the_database_that_it_is_read_from(tmp_path: Path, kind: str):
    address = f"{kind}:///{tmp_path}/a.db"
    rows = pa.table({"i": range(200_000), "text": ["x" * 20] * 200_000})  # more than SQLite keeps in memory
    dlbd.data.write_table(address, "t", rows)
    assert dlbd.data.write_table(address, "copy", dlbd.data.open(address, table="t")) == 200_000
    few = dlbd.data.open(address, table="t").where(dlbd.data.col("i") < 10)
    assert dlbd.data.write_table(address, "t", few, if_exists="replace") == 10
    assert dlbd.data.open(address, table="t").count() == 10
    with pytest.raises(ValueError, match="a table 't' already"):
        dlbd.data.write_table(address, "t", dlbd.data.open(address, table="copy"))


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_batches_are_written_by_the_names_of_their_columns(tmp_path: Path, kind: str):
    address = f"{kind}:///{tmp_path}/a.db"
    batches = [pa.record_batch({"a": [1], "b": [2]}), pa.record_batch({"b": [4], "a": [3]})]
    dlbd.data.write_table(address, "t", batches)
    assert dlbd.data.open(address, table="t").to_arrow().to_pydict() == {"a": [1, 3], "b": [2, 4]}
    with pytest.raises(ValueError, match=r"a batch has the columns \['c'\], and the first one \['a', 'b'\]"):
        dlbd.data.write_table(address, "u", [*batches, pa.record_batch({"c": [1]})])
    dlbd.data.write_table(address, "polars", pl.DataFrame({"text": ["x", None]}))
    assert dlbd.data.open(address, table="polars").to_arrow()["text"].to_pylist() == ["x", None]
