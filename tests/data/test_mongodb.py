"""Collections of MongoDB: columns, types, conditions, order, and what goes wrong."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dlbd
from dlbd.data import SourceError, col
from dlbd.data.documents import Documents
from dlbd.data.sampling import sampled
from tests.data import rows
from tests.servers.mongodb import MongoDB
from tests.servers.process import free_port

bson = pytest.importorskip("bson")
pymongo = pytest.importorskip("pymongo")
mongodb_reader = pytest.importorskip("dlbd.data.mongodb")

Put = Callable[..., dict[str, Any]]


@pytest.fixture
def put(mongodb: str) -> Iterator[Put]:
    """Makes a collection of documents, and gives what dlbd.data.open needs for it."""
    with pymongo.MongoClient(mongodb, serverSelectionTimeoutMS=3000) as client:
        database = client.get_default_database()
        made = []

        def new(documents: list[Any], **arguments: Any) -> dict[str, Any]:
            name = f"test_{os.getpid()}_{time.monotonic_ns()}"
            made.append(name)
            database.create_collection(name)
            if documents:
                database[name].insert_many(documents)
            return {"what": mongodb, "table": name, **arguments}

        yield new
        for name in made:
            database.drop_collection(name)


def opened(put: Put, documents: list[Any], **arguments: Any) -> dlbd.data.Source:
    return dlbd.data.open(**put(documents, **arguments))


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a program in another language would store it: without NULLs."""
    return {k: bson.Decimal128(v) if isinstance(v, Decimal) else v for k, v in row.items() if v is not None}


def test_the_rows_of_every_store(put: Put):
    documents = [stored(row) for row in rows.TABLE.take(list(reversed(range(rows.COUNT)))).to_pylist()]
    source = opened(put, documents, schema=rows.SCHEMA, order_by=rows.ORDER_BY, columns=rows.SCHEMA.names)
    assert source.to_arrow().equals(rows.TABLE)
    assert source.count() == rows.COUNT


def test_types_and_nesting_are_sampled(put: Put):
    identity = bson.ObjectId()
    moment = dt.datetime(2024, 2, 29, 12, 0, 0, 123_000)
    first = {
        "_id": identity,
        "name": "Kim",
        "address": {"city": "Oslo", "geo": {"lat": 59.9}},
        "tags": ["a", "b"],
        "items": [{"sku": 1, "price": bson.Decimal128("1.25")}],
        "born": moment,
        "long": bson.Int64(2**60),
        "data": bson.Binary(b"\x00\x01", 0),
        "ok": True,
    }
    source = opened(put, [first, {"_id": bson.ObjectId(), "name": None, "address": {"city": None}, "late": 1.5}])
    assert source.schema == pa.schema(
        [
            ("_id", pa.string()),
            ("name", pa.string()),
            ("address.city", pa.string()),
            ("address.geo.lat", pa.float64()),
            ("tags", pa.list_(pa.string())),
            ("items", pa.list_(pa.struct([("sku", pa.int64()), ("price", pa.decimal128(38, 2))]))),
            ("born", pa.timestamp("ms")),
            ("long", pa.int64()),
            ("data", pa.binary()),
            ("ok", pa.bool_()),
            ("late", pa.float64()),
        ]
    )
    assert source.ordered
    one, two = source.to_arrow().to_pylist()
    assert one == {
        "_id": str(identity),
        "name": "Kim",
        "address.city": "Oslo",
        "address.geo.lat": 59.9,
        "tags": ["a", "b"],
        "items": [{"sku": 1, "price": Decimal("1.25")}],
        "born": moment,
        "long": 2**60,
        "data": b"\x00\x01",
        "ok": True,
        "late": None,
    }
    assert {name for name, value in two.items() if value is not None} == {"_id", "late"}
    assert source.select(["address.city", "_id"]).to_arrow().to_pylist()[0] == {
        "address.city": "Oslo",
        "_id": str(identity),
    }


def test_the_last_documents_are_looked_at_too(put: Put):
    documents = [{"_id": i, "old": i} for i in range(50)] + [{"_id": 50 + i, "new": "x"} for i in range(5)]
    source = opened(put, documents, sample=10)
    assert source.schema.names == ["_id", "old", "new"]
    assert source.to_arrow()["new"].null_count == 50
    assert opened(put, documents, sample=0, schema={"new": "string"}).schema.names == ["new"]


def test_decimals_and_floats_as_declared(put: Put):
    documents = [{"_id": 1, "x": bson.Decimal128("0.1")}, {"_id": 2, "x": 3}]
    for kind, values in (
        (pa.decimal128(6, 3), [Decimal("0.100"), Decimal(3)]),
        (pa.float64(), [0.1, 3.0]),
    ):
        assert opened(put, documents, schema={"x": kind}).to_arrow()["x"].to_pylist() == values


def test_mixed_types_name_document_and_field(put: Put):
    identity = bson.ObjectId("65f1a0b2c3d4e5f601234567")
    documents = [{"a": {"b": [1]}}] * 3
    documents = [{"_id": i, **d} for i, d in enumerate(documents)] + [{"_id": identity, "a": {"b": [1, "two"]}}]
    with pytest.raises(SourceError) as raised:
        opened(put, documents, columns=["a.b"]).to_arrow()
    assert "document ObjectId('65f1a0b2c3d4e5f601234567'): field 'a.b[1]' holds 'two' (str)" in str(raised.value)
    read = opened(put, documents, columns=["a.b"], misfits="null").to_arrow()
    assert read["a.b"].to_pylist() == [[1], [1], [1], [1, None]]


def test_without_an_order_rows_come_by_their_id(put: Put):
    source = opened(put, [{"_id": (7 * i) % 100, "i": i} for i in range(100)])
    assert source.ordered
    assert source.select(["_id"]).to_arrow()["_id"].to_pylist() == list(range(100))
    mixed = opened(put, [{"_id": k, "v": 1} for k in ("b", 2, bson.ObjectId(), 1, "a")], columns=["v"])
    assert mixed.count() == len(mixed.to_arrow()) == 5  # ranges of _id would lose those of other types


def test_order_has_what_is_missing_first(put: Put):
    documents = [{"_id": 1, "x": 2.5}, {"_id": 2, "x": None}, {"_id": 3}, {"_id": 4, "x": -1}, {"_id": 5, "x": "s"}]
    source = opened(put, documents[:4], order_by=["x", "_id"])
    assert source.to_arrow()["_id"].to_pylist() == [2, 3, 4, 1]
    misfits = opened(put, documents, order_by=["x", "_id"], misfits="null")  # the server has texts behind numbers
    assert misfits.to_arrow()["_id"].to_pylist() == [2, 3, 5, 4, 1]


def test_filters_and_pipelines(put: Put):
    documents = [{"_id": i, "group": i % 3, "x": i / 2} for i in range(30)]
    source = opened(put, documents, query={"group": {"$ne": 2}, "x": {"$lt": 5}})
    assert source.count() == len(source.to_arrow()) == 7
    assert source.where(col("x") >= 4).to_arrow()["_id"].to_pylist() == [9]
    pipeline = [{"$match": {"group": {"$lt": 2}}}, {"$group": {"_id": "$group", "total": {"$sum": "$x"}}}]
    grouped = opened(put, documents, query=pipeline)
    assert not grouped.ordered
    assert grouped.count() == 2
    grouped = dlbd.data.open(grouped, order_by="_id")
    assert grouped.to_arrow().to_pylist() == [{"_id": 0, "total": 67.5}, {"_id": 1, "total": 72.5}]
    assert grouped.where(col("total") > 70).select(["_id"]).to_arrow()["_id"].to_pylist() == [1]


@pytest.mark.parametrize("misfits", ["error", "null"])
def test_conditions_give_the_same_rows_as_without_the_server(put: Put, misfits: str):
    identity = bson.ObjectId("65f1a0b2c3d4e5f601234567")
    moment = dt.datetime(2024, 1, 1)
    documents: list[Any] = [
        {"_id": 0},
        {"_id": 1, "i": None, "x": None, "f": None, "s": None, "t": None, "d": None, "b": None, "n": None},
        {"_id": 2, "i": 3.0, "x": bson.Decimal128("0.1"), "f": 0.1, "s": identity, "t": moment, "n": {"v": 1}},
        {"_id": 3, "i": bson.Int64(3), "x": 0.1, "f": 16777217.0, "s": str(identity), "b": True, "n": {"v": None}},
        {"_id": 4, "i": 4, "x": 1, "f": -0.1, "s": "z", "t": moment + dt.timedelta(milliseconds=1), "b": False},
        {"_id": 5, "i": bson.Decimal128("5"), "x": float("nan"), "f": float("inf"), "d": bson.Decimal128("1.50")},
        {"_id": 6, "i": -(2**62), "x": float("-inf"), "f": 1e300, "s": "", "d": 2, "n": {"v": 2.5}},
    ]
    if misfits == "null":
        documents.append({"_id": 7, "i": "3", "x": "0.1", "f": True, "s": 3, "t": 0, "d": 1.5, "b": 1, "n": [{"v": 1}]})
    schema = {
        "i": "int64",
        "x": "float64",
        "f": "float32",
        "s": "string",
        "t": "timestamp[us]",
        "d": pa.decimal128(10, 2),
        "b": "bool",
        "n.v": "float64",
    }
    source = opened(put, documents, schema=schema, misfits=misfits)
    here = dlbd.data.open(source.to_arrow())
    values: dict[str, list[Any]] = {
        "i": [3, 4, -(2**62)],
        "x": [0.1, 1.0, 1, float("inf"), float("-inf"), float("nan")],
        "f": [0.1, 0.10000000149011612, 16777216.0, -0.1, 1e38],
        "s": [str(identity), "z", ""],
        "t": [moment, moment + dt.timedelta(microseconds=500), moment + dt.timedelta(milliseconds=1)],
        "d": [Decimal("1.50"), Decimal("1.51")],
        "b": [True, False],
        "n.v": [1.0, 2.5],
    }
    conditions = []
    for name, some in values.items():
        c = col(name)
        for v in some:
            conditions += [c == v, c != v, ~(c == v), c.isin([v]), ~c.isin([v])]
            if name != "b":
                conditions += [c < v, c <= v, c > v, c >= v, ~(c < v)]
        conditions += [
            c.is_null(),
            ~c.is_null(),
            c.isin(some),
            ~c.is_null() & (c == some[0]),
            c.is_null() | (c == some[0]),
        ]
    for condition in conditions:
        ids = source.where(condition).select(["_id"]).to_arrow()["_id"].to_pylist()
        assert ids == here.where(condition).to_arrow()["_id"].to_pylist(), condition


def test_the_server_leaves_rows_out(put: Put):
    source = opened(put, [{"_id": i, "x": i, "s": f"s{i}"} for i in range(100)])
    for condition, most in (
        (col("x") == 5, 1),
        ((col("x") > 5) & (col("x") != 7), 94),
        (col("s").isin(["s1", "s2"]) | (col("x") < 3), 5),
        (~col("x").is_null(), 100),
        (col("x") != 5, 100),
    ):
        scan = source.reader.scan(["_id", "x", "s"], condition, (), 1000)
        assert sum(batch.num_rows for batch in scan) <= most


def test_texts_are_compared_here_where_the_collection_has_a_collation(put: Put):
    source = opened(put, [{"_id": i, "s": s} for i, s in enumerate("bBaA")], order_by="s")
    source.reader._has_collation = True  # the server of the tests has none
    assert source.where(col("s") != "x").to_arrow()["s"].to_pylist() == ["A", "B", "a", "b"]
    assert source.where(col("s") == "a").to_arrow()["_id"].to_pylist() == [2]
    scan = source.reader.scan(["_id", "s"], col("s") == "a", (), 1000)
    assert sum(batch.num_rows for batch in scan) == 4


def test_keys_that_the_query_language_cannot_name(put: Put):
    documents = [{"_id": i, "a.b": i, "$price": i, "": i, "x": i} for i in range(3)]
    arguments = put([])
    with pymongo.MongoClient(arguments["what"]) as client:
        try:
            client.get_default_database()[arguments["table"]].insert_many(documents)
        except pymongo.errors.PyMongoError as error:
            pytest.skip(f"this server takes no such keys: {error}")
    source = dlbd.data.open(**arguments, order_by="a.b")
    assert source.schema.names == ["_id", "a.b", "$price", "", "x"]
    assert source.where((col("a.b") > 0) & (col("$price") < 2)).to_arrow().to_pylist() == [
        {"_id": 1, "a.b": 1, "$price": 1, "": 1, "x": 1}
    ]


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.datetimes()
    | st.builds(
        lambda digits, exponent: bson.Decimal128(Decimal(digits).scaleb(exponent)),
        st.integers(-99, 99),
        st.integers(-45, 45),
    )
    | st.sampled_from(
        [bson.ObjectId(), bson.Int64(5), bson.MinKey(), bson.Regex("a"), bson.Timestamp(1, 1), bson.Code("f")]
    )
)
_KEYS = st.text("ab.$", max_size=3)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_DOCUMENTS = st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(_DOCUMENTS, _DOCUMENTS)
def test_any_documents_give_a_table_or_an_error_that_says_where(first: list[Any], then: list[Any]):
    def stored_and_read(documents: list[Any]) -> list[Any]:
        return [bson.decode(bson.encode({"_id": i, **d}), mongodb_reader._BSON) for i, d in enumerate(documents)]

    schema, _ = sampled(stored_and_read(first), pa.schema([]), mongodb_reader._PLAIN, mongodb_reader._TYPES)
    for documents in (stored_and_read(first), stored_and_read(then)):
        for misfits in ("error", "null"):
            reader = Documents("docs", schema, misfits, mongodb_reader._PLAIN)
            with suppress(SourceError) if misfits == "error" else nullcontext():
                batch = reader.batch(documents, schema.names, partial(mongodb_reader._label, documents))
                batch.validate(full=True)
                assert batch.schema == schema
                assert batch.column("_id").to_pylist() == list(range(len(documents)))


def test_an_empty_collection(put: Put):
    assert opened(put, [], schema={"x": "int8"}).to_arrow().num_rows == 0
    assert opened(put, [], schema={"x": "int8"}, query=[{"$match": {"x": 1}}]).count() == 0
    with pytest.raises(SourceError, match="no document shows a column; declare them"):
        opened(put, [])


def test_what_does_not_exist(put: Put, mongodb: str):
    table = put([{"_id": 1, "x": 1}])["table"]
    with pytest.raises(ValueError, match=rf"there is no collection 'none'; the database has .*'{table}'"):
        dlbd.data.open(mongodb, table="none")
    with pytest.raises(ValueError, match=r"pass table=COLLECTION; the database has \["):
        dlbd.data.open(mongodb)
    with pytest.raises(ValueError, match=r"has no column 'y'; it has \['_id', 'x'\]"):
        dlbd.data.open(mongodb, table=table, columns=["y"])
    with pytest.raises(ValueError, match="the address ends in a database"):
        dlbd.data.open("mongodb://127.0.0.1", table="t")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"parameters": [1]}, "there are no parameters="),
        ({"query": "SELECT"}, "query is a filter of MongoDB"),
        ({"tabel": "x"}, "takes no argument 'tabel'; it takes client_options, misfits, sample"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], said: str):
    with pytest.raises(TypeError, match=said):
        dlbd.data.open("mongodb://127.0.0.1/db", table="t", **arguments)


def test_a_wrong_option_of_the_client():
    with pytest.raises(ValueError, match=r"^mongodb://127\.0\.0\.1/db\.t: .*tlss"):
        dlbd.data.open("mongodb://127.0.0.1/db", table="t", client_options={"tlss": True})


def test_a_wrong_query_is_the_servers_error(put: Put):
    with pytest.raises(SourceError, match=r"mongodb://.*\$nonsense"):
        opened(put, [{"_id": 1}], query=[{"$nonsense": 1}])


def test_a_wrong_port_is_an_error_at_once_and_tells_no_password():
    port, start = free_port(), time.monotonic()
    address = f"mongodb://kim:p%40ssword@127.0.0.1:{port}/shop?authSource=admin"
    with pytest.raises(SourceError, match="refused") as raised:
        dlbd.data.open(address, table="t", timeout=2)
    assert time.monotonic() - start < 5
    assert str(raised.value).startswith(f"mongodb://127.0.0.1:{port}/shop.t: ")
    for secret in ("p%40ssword", "p@ssword", "kim"):
        assert secret not in str(raised.value)
    assert raised.value.__suppress_context__
    for address in ("mongodb://kim:p@zz:word@127.0.0.1/shop", "mongodb://kim:p/zz?word@127.0.0.1/shop"):
        with pytest.raises(ValueError, match=r"^mongodb://127\.0\.0\.1/shop\.t: ") as wrong:
            dlbd.data.open(address, table="t")
        assert "zz" not in str(wrong.value)


def test_credentials_pass_through(put: Put):
    arguments = put([{"_id": 1}], timeout=2)
    credentials = {"username": "kim", "password": "s3cret", "authSource": "admin"}
    with pytest.raises(SourceError, match=r"(?i)auth|sasl") as raised:
        dlbd.data.open(**arguments, client_options=credentials)
    assert "s3cret" not in str(raised.value)


def test_a_wrong_password():
    given = os.environ.get("DLBD_TEST_MONGODB_URI")
    if not given or "@" not in given:
        pytest.skip("DLBD_TEST_MONGODB_URI names no server with passwords")
    parts = urlsplit(given)
    user, _, host = parts.netloc.rpartition("@")
    wrong = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:wr0ng@{host}"))
    with pytest.raises(SourceError, match=r"(?i)auth") as raised:
        dlbd.data.open(wrong, table="t")
    assert "wr0ng" not in str(raised.value)


# Trouble in mid-stream

MANY = 3_000


@pytest.fixture
def fragile() -> Iterator[MongoDB]:
    """A server that a test may spoil."""
    server = MongoDB()
    with pymongo.MongoClient(server.uri) as client:
        client.shop.items.insert_many([{"_id": i, "text": "x" * 40} for i in range(MANY)])
    yield server
    server.stop()


@pytest.fixture
def stream(fragile: MongoDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iterator[pa.RecordBatch]]:
    """Batches of the server, of which the first came."""
    monkeypatch.setattr("dlbd.data.source.ROWS", 100)
    batches = dlbd.data.open(f"{fragile.uri}/shop", table="items", timeout=2).batches(100)
    next(batches)
    yield batches
    batches.close()
    until = time.monotonic() + 5
    while [t.name for t in threading.enumerate() if t.name.startswith(("pymongo", "dlbd.data"))]:
        assert time.monotonic() < until, threading.enumerate()
        time.sleep(0.05)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("trouble", ["kill", "freeze"])
def test_a_server_that_dies_or_freezes_in_mid_stream(fragile: MongoDB, stream: Iterator[pa.RecordBatch], trouble: str):
    getattr(fragile, trouble)()
    start = time.monotonic()
    with pytest.raises(SourceError, match=rf"^{fragile.uri}/shop\.items: "):
        for _ in stream:
            pass
    assert time.monotonic() - start < 8


@pytest.mark.timeout(60)
def test_a_reading_ends_early_beside_a_frozen_server(fragile: MongoDB, stream: Iterator[pa.RecordBatch]):
    fragile.freeze()
    start = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 1.5


@pytest.mark.timeout(60)
def test_a_reading_that_ends_early_closes_its_cursor(fragile: MongoDB, stream: Iterator[pa.RecordBatch]):
    start = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 0.4


# Work that takes longer than the timeout

# of the server of the tests: each document is compared with all
LONG = [
    {"$lookup": {"from": "items", "localField": "_id", "foreignField": "text", "as": "found"}},
    {"$project": {"found": 0}},
    {"$sort": {"text": 1, "_id": -1}},
]


@pytest.mark.timeout(120)
def test_a_server_that_works_is_not_silent(fragile: MongoDB):
    begin = time.monotonic()
    source = dlbd.data.open(f"{fragile.uri}/shop", table="items", query=LONG, timeout=1)
    assert time.monotonic() - begin > 1.5
    assert source.head(1)["_id"].to_pylist() == [MANY - 1]
    assert source.count() == MANY


@pytest.mark.timeout(60)
def test_a_server_that_freezes_while_it_works(fragile: MongoDB):
    schema = {"_id": "int64", "text": "string"}
    source = dlbd.data.open(f"{fragile.uri}/shop", table="items", query=LONG * 3, schema=schema, sample=0, timeout=1)
    freeze = threading.Timer(2, fragile.freeze)
    freeze.start()
    begin = time.monotonic()
    with pytest.raises(SourceError, match=rf"^{fragile.uri}/shop\.items: nothing came for 1 seconds"):
        source.head(1)
    assert 2 < time.monotonic() - begin < 10
    freeze.join()


def test_numbers_that_rounding_makes_equal_are_in_the_order_of_what_is_behind(put: Put):
    documents = [{"_id": i, "x": 0.1 + i * 1e-12, "row": -i} for i in range(5)]
    source = opened(put, documents, schema={"x": "float32"}, order_by=["x", "row"])
    assert source.to_arrow()["row"].to_pylist() == [-4, -3, -2, -1, 0]


def test_keys_that_were_not_looked_at(put: Put):
    documents = [{"_id": i, "x": i} for i in range(30)]
    documents[15] |= {"rare": 1}
    source = opened(put, documents, sample=10)
    with pytest.raises(SourceError, match=r"document 15 has the key 'rare', .* schema=\{'rare': .*columns="):
        source.to_arrow()
    assert source.select(["x"]).to_arrow().num_rows == 30
    assert opened(put, documents, sample=10, columns=["_id", "x"]).to_arrow().num_rows == 30
    assert opened(put, documents, sample=10, schema={"rare": "int8"}).to_arrow()["rare"].null_count == 29
    assert opened(put, documents, sample=0, schema={"x": "int8"}).to_arrow().column_names == ["x"]
