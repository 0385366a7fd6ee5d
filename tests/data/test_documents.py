"""Documents become columns: nesting, types, what does not fit."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbd.data import SourceError
from dlbd.data.arrow import as_schema
from dlbd.data.documents import Documents
from dlbd.data.sampling import sampled

DECIMAL = pa.decimal128(6, 2)
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 250_000)


def schema_of(documents: list[Any], declared: Any = None) -> pa.Schema:
    return sampled(documents, as_schema(declared or {}))[0]


def columns(documents: list[Any], declared: Any = None, misfits: str = "error") -> dict[str, list[Any]]:
    schema = schema_of(documents, declared)
    return Documents("docs", schema, misfits).batch(documents, schema.names, lambda row: f"row {row}").to_pydict()


def column(values: list[Any], kind: Any, misfits: str = "error") -> list[Any]:
    return columns([{"v": v} for v in values], {"v": kind}, misfits)["v"]


def test_nested_documents_are_columns_with_dotted_names():
    documents = [
        {"name": "Kim", "address": {"city": "Oslo", "geo": {"lat": 59.9}}},
        {"address": {"geo": None}},
        {"name": "Lee", "address": None},
    ]
    assert columns(documents) == {
        "name": ["Kim", None, "Lee"],
        "address.city": ["Oslo", None, None],
        "address.geo.lat": [59.9, None, None],
    }


def test_a_key_with_a_dot_is_a_column_too():
    documents = [{"sepal.length": 5.1, "x": {"a.b": 1}}, {"sepal.length": None, "x": {"a": {"b": 2}}}]
    assert columns(documents) == {"sepal.length": [5.1, None], "x.a.b": [1, 2]}


def test_lists_and_documents_in_lists():
    documents = [
        {"tags": ["a", "b"], "items": [{"sku": 1, "price": 2}, {"sku": 2, "price": 0.5}]},
        {"tags": [], "items": []},
        {"tags": None},
        {"tags": ["c", None], "items": [None, {"sku": 3}]},
    ]
    schema = schema_of(documents)
    assert schema.field("tags").type == pa.list_(pa.string())
    assert schema.field("items").type == pa.list_(pa.struct([("sku", pa.int64()), ("price", pa.float64())]))
    read = columns(documents)
    assert read["tags"] == [["a", "b"], [], None, ["c", None]]
    assert read["items"][3] == [None, {"sku": 3, "price": None}]
    assert read["items"][0][0] == {"sku": 1, "price": 2.0}
    assert column([[1, 2], None, (3, 4)], pa.list_(pa.float32(), 2)) == [[1, 2], None, [3, 4]]
    assert column([{"a": 1, "b": 2}, None], pa.struct([("a", pa.int8())])) == [{"a": 1}, None]


def test_arrays_are_nested_lists():
    images = [{"image": np.arange(6, dtype=np.uint8).reshape(2, 3)}, {"image": np.zeros((0, 3), np.uint8)}]
    assert schema_of(images).field("image").type == pa.list_(pa.list_(pa.uint8()))
    assert columns(images)["image"] == [[[0, 1, 2], [3, 4, 5]], []]
    vectors = [np.array([1.5, np.nan]), None, np.array([], np.float32), np.array([2], ">i4"), [3, None]]
    for kind in (pa.float64(), pa.float32()):
        read = column(vectors, pa.list_(kind))
        assert str(read) == "[[1.5, nan], None, [], [2.0], [3.0, None]]"
    assert column([np.array(["a"]), np.array([7]), np.array(7)], pa.list_(pa.string()), "null") == [["a"], [None], None]
    assert column([np.array(7), np.array([7])], pa.int8(), "null") == [7, None]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, None], pa.bool_()),
        ([1, -(2**60)], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([np.float32(1.5), np.float32(2)], pa.float32()),
        ([np.uint8(1)], pa.uint8()),
        ([Decimal("1.25"), 3], pa.decimal128(38, 2)),
        ([Decimal("1.25"), 0.5], pa.float64()),
        (["a"], pa.string()),
        ([b"a"], pa.binary()),
        ([NOON], pa.timestamp("us")),
        ([NOON.replace(tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        ([np.datetime64("2024-01-01T00:00:00", "ns")], pa.timestamp("ns")),
        ([NOON.date()], pa.date32()),
        ([UUID(int=1)], pa.string()),
        ([None, None], pa.null()),
        ([object()], pa.null()),
        ([[]], pa.list_(pa.null())),
        ([{}], pa.struct([])),
        ([1, "a", "b"], pa.string()),  # the most frequent kind
        ([{"a": 1}, 2, 3], pa.int64()),
        ([[1], [2.5], ["a"]], pa.list_(pa.float64())),
    ],
)
def test_types_are_found(values: list[Any], kind: pa.DataType):
    assert schema_of([{"v": v} for v in values]).field("v").type == kind


def test_declared_types_come_before_found_ones():
    documents = [{"a": 1, "b": {"c": 1, "d": "x"}, "e": {"f": 1}}]
    declared = {"a": "float32", "b.c": "int8", "e": pa.struct([("f", pa.int8())]), "late.comer": "string"}
    assert schema_of(documents, declared) == pa.schema(
        [
            ("a", pa.float32()),
            ("b.c", pa.int8()),
            ("b.d", pa.string()),
            ("e", pa.struct([("f", pa.int8())])),
            ("late.comer", pa.string()),
        ]
    )
    assert columns(documents, declared)["late.comer"] == [None]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([3.0, Decimal("4"), np.int8(5), True], "int32", [3, 4, 5, None]),
        ([3.5, 2**31, float("nan"), float("inf"), Decimal("Infinity"), "3", Decimal("0.1")], "int32", [None] * 7),
        ([2**64 - 1, -1], "uint64", [2**64 - 1, None]),
        (
            [Decimal("0.1"), 2, np.float32(0.5), "1", True, Decimal("sNaN")],
            "float64",
            [0.1, 2.0, 0.5, None, None, None],
        ),
        ([2**53 + 1, 0.5], "float64", [None, 0.5]),
        (
            [Decimal("1.5"), 2, 1.5, Decimal("1.234"), Decimal("NaN")],
            pa.decimal128(6, 2),
            [Decimal("1.5"), 2, *[None] * 3],
        ),
        (["a", 1, b"a", "\ud800"], "string", ["a", None, None, None]),
        ([b"a", bytearray(b"b"), "c"], "binary", [b"a", b"b", None]),
        ([True, 1, np.False_], "bool", [True, None, False]),
        ([NOON, NOON.date(), "2024-02-29", 5], "timestamp[us]", [NOON, None, None, None]),
        ([NOON, NOON.replace(microsecond=1)], "timestamp[ms]", [NOON, None]),
        ([np.datetime64(NOON, "ns"), np.datetime64("NaT")], "timestamp[ms]", [NOON, None]),
        ([NOON.date(), dt.datetime(2024, 2, 29), NOON], "date32", [NOON.date(), NOON.date(), None]),
        ([[1, "a"], 5, None], pa.list_(pa.int8()), [[1, None], None, None]),
        ([[1, 2], [3]], pa.list_(pa.int8(), 2), [[1, 2], None]),
        ([{"a": 1}, {"a": "x"}, 5], pa.struct([("a", pa.int8())]), [{"a": 1}, {"a": None}, None]),
        (["a", 5], pa.dictionary(pa.int32(), pa.string()), ["a", None]),
        ([None, 1], pa.null(), [None, None]),
    ],
)
def test_what_fits_and_what_is_null_when_asked(values: list[Any], kind: Any, read: list[Any]):
    assert column(values, kind, misfits="null") == read
    for value, wanted in zip(values, read, strict=True):
        if wanted is not None:
            assert column([value], kind, misfits="null") == [wanted]
        elif value is not None and not isinstance(value, np.datetime64):  # whose NaT is NULL
            with pytest.raises(SourceError, match="row 0: field 'v' holds"):
                column([value], kind)


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([{"a": 1}] * 3 + [{"a": "x"}], "docs: row 3: field 'a' holds 'x' (str), and should be int64"),
        ([{"a": [1]}] * 3 + [{"a": [1, 2, "x"]}], "row 3: field 'a[2]' holds 'x'"),
        ([{"a": {"b": 1}}] * 3 + [{"a": {"b": "x"}}], "row 3: field 'a.b' holds 'x'"),
        (
            [{"a": {"b": {"c": 1}}}] * 3 + [{"a": {"b": 7}}],
            "row 3: field 'a.b' holds 7 (int), and should be a doc",
        ),
        ([{"a": [{"b": [1]}]}] * 3 + [{"a": [{}, {"b": [0, "x"]}]}], "row 3: field 'a[1].b[1]' holds 'x'"),
        ([{"a": None}, {"a": 1}, {"a": "y" * 500}, {"a": 1}], f"row 2: field 'a' holds '{'y' * 76}... (str)"),
    ],
)
def test_the_error_names_document_and_field(documents: list[Any], said: str):
    with pytest.raises(SourceError) as raised:
        columns(documents)
    assert said in str(raised.value)
    assert 'misfits="null"' in str(raised.value)
    columns(documents, misfits="null")


def test_misfits_is_one_of_two():
    with pytest.raises(ValueError, match='misfits is "error" or "null"'):
        Documents("docs", pa.schema([]), "ignore")


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.datetimes()
    | st.dates()
    | st.uuids()
)
_KEYS = st.text("ab.$", max_size=3)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_DOCUMENTS = st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(_DOCUMENTS, _DOCUMENTS)
def test_any_documents_give_a_table_or_an_error_that_says_where(first: list[Any], then: list[Any]):
    schema = schema_of(first)
    names = schema.names
    for documents in (first, then):
        misfits = "error"
        try:
            Documents("docs", schema, "error").batch(documents, names, lambda row: f"row {row}")
        except SourceError:
            misfits = "null"
        batch = Documents("docs", schema, misfits).batch(documents, names, lambda row: f"row {row}")
        batch.validate(full=True)
        assert batch.num_rows == len(documents) or not names
        assert batch.schema == schema
        for name in names:
            for document, value in zip(documents, batch.column(name).to_pylist(), strict=True):
                if value is not None and "." not in name and isinstance(value, (str, bytes, bool, dt.date)):
                    plain = document[name]
                    assert (str(plain) if isinstance(plain, UUID) else plain) == value
