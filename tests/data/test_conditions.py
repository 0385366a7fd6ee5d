"""Conditions on columns of every type: the rows are those of plain Python with SQL's three-valued logic."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dlbd
from dlbd.data import col
from dlbd.data.expressions import Column, Expression
from tests.data.three_valued import rows_that_meet

BERLIN = dt.timezone(dt.timedelta(hours=2))

NUMBERS: list[Any] = [
    *(0, 1, -1, 127, 128, -129, 255, 256, 65_504, 65_520, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64),
    *(-(2**63), -(2**63) - 1, 10**38, 10**400, -(10**400)),
    *(0.0, -0.0, 0.1, 0.5, -2.5, 1e300, 3.5e38, 5e-324, 1e-46, 2.0**63, 65_519.0, math.inf, -math.inf, math.nan),
    *map(Decimal, ("0.1", "0.10", "2.5", "1e40", "-1e-40", "NaN", "Infinity", "99999999999999999999.99")),
    *(np.float32(0.1), np.float16(0.1), np.uint64(2**64 - 1), np.int8(-1)),
]
DAYS = [dt.date.min, dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date.max]
MOMENTS: list[Any] = [
    *(dt.datetime.combine(day, dt.time()) for day in DAYS),
    *(dt.datetime(2024, 2, 29, 12, 0, 0, us) for us in (0, 1, 1_000, 999_999)),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    dt.datetime.max,
]
TIMES: list[Any] = [dt.time(), dt.time(12, 30), dt.time(12, 30, 0, 1), dt.time(12, 30, 0, 1_000), dt.time.max]
LENGTHS = [dt.timedelta(n) for n in (0, 1, -1)] + [dt.timedelta(0, 1, 1), dt.timedelta.min, dt.timedelta.max]
TEXTS = ["", " ", "A", "a", "a ", "aa", "b", "ß", "東", "🙂", "\uffff"]

moments = st.sampled_from(MOMENTS) | st.datetimes()
# by kind of column: what it may be compared with
VALUES: dict[str, Any] = {
    "number": st.sampled_from(NUMBERS) | st.integers(-300, 300) | st.floats() | st.decimals(allow_nan=False, places=3),
    "moment": moments | st.sampled_from(DAYS) | st.sampled_from([np.datetime64("2024-02-29T12"), pd.Timestamp(1)]),
    "instant": (moments.map(lambda m: m.replace(tzinfo=dt.UTC)) | st.just(dt.datetime(2024, 2, 29, 14, tzinfo=BERLIN))),
    "time": st.sampled_from(TIMES) | st.times(),
    "length": st.sampled_from(LENGTHS) | st.timedeltas(),
    "text": st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    "bytes": st.sampled_from([t.encode() for t in TEXTS] + [b"\0", b"\xff"]) | st.binary(max_size=3),
    "bool": st.booleans() | st.just(np.True_),
}


def integers(kind: pa.DataType) -> Any:
    signed = pa.types.is_signed_integer(kind)
    least, most = (
        (-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1) if signed else (0, 2**kind.bit_width - 1)
    )
    return st.integers(least, most) | st.sampled_from([least, least + 1, most - 1, most, 0, 1])


def decimals(kind: pa.DataType) -> Any:
    most = 10**kind.precision - 1
    steps = st.integers(-most, most) | st.sampled_from([-most, most, 0, 1, -1, 10])
    return steps.map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -kind.scale)))


def steps(kind: pa.DataType) -> Any:
    """Times by their number."""
    if pa.types.is_time(kind):
        second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        return st.integers(0, 86_400 * second - 1) | st.just(45_000 * second)
    if pa.types.is_date64(kind):
        return st.integers(-(10**6), 10**6).map(lambda day: day * 86_400_000)
    bits = 32 if pa.types.is_date32(kind) else 64
    noon = 19_782 if bits == 32 else {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit] * 1_709_208_000
    near = st.integers(-2, 2).map(lambda n: noon + n)
    return near | st.sampled_from([0, 1, -1, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1])


COLUMNS: dict[pa.DataType, tuple[str, Any]] = {
    **{pa.type_for_alias(f"{u}int{n}"): ("number", None) for u in ("", "u") for n in (8, 16, 32, 64)},
    pa.float16(): ("number", st.floats(width=16)),
    pa.float32(): ("number", st.floats(width=32)),
    pa.float64(): ("number", st.floats()),
    pa.decimal128(5, 2): ("number", None),
    pa.decimal128(38, 0): ("number", None),
    pa.decimal128(38, 37): ("number", None),
    pa.decimal256(76, 10): ("number", None),
    **{pa.timestamp(unit): ("moment", None) for unit in ("s", "ms", "us", "ns")},
    **{pa.timestamp(unit, "Europe/Berlin"): ("instant", None) for unit in ("s", "us", "ns")},
    pa.date32(): ("moment", None),
    pa.date64(): ("moment", None),
    pa.time32("s"): ("time", None),
    pa.time32("ms"): ("time", None),
    pa.time64("us"): ("time", None),
    pa.time64("ns"): ("time", None),
    **{pa.duration(unit): ("length", None) for unit in ("s", "ms", "us", "ns")},
    pa.string(): ("text", VALUES["text"]),
    pa.large_string(): ("text", VALUES["text"]),
    pa.binary(): ("bytes", VALUES["bytes"]),
    pa.binary(2): ("bytes", st.binary(min_size=2, max_size=2)),
    pa.bool_(): ("bool", st.booleans()),
    pa.dictionary(pa.int8(), pa.string()): ("text", VALUES["text"]),
    pa.dictionary(pa.int32(), pa.int64()): ("number", None),
}


def stored(kind: pa.DataType) -> Any:
    """What a column may hold."""
    own = COLUMNS.get(kind, ("", None))[1]
    if own is not None:
        return own
    if pa.types.is_dictionary(kind):
        return stored(kind.value_type)
    if pa.types.is_integer(kind):
        return integers(kind)
    return decimals(kind) if pa.types.is_decimal(kind) else steps(kind)


def comparisons(column: Column, values: Any) -> Any:
    operators = st.sampled_from(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"])
    return (
        st.tuples(operators, values).map(lambda pair: getattr(column, pair[0])(pair[1]))
        | st.lists(values | st.none(), max_size=4).map(column.isin)
        | st.just(column.is_null())
    )


def conditions(simple: Any) -> Any:
    return st.recursive(
        simple,
        lambda inner: (
            inner.map(lambda c: ~c)
            | st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1])
            | st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1])
        ),
        max_leaves=4,
    )


def array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_float16(kind):
        return pa.array([None if v is None else np.float16(v) for v in values], kind)
    return pa.array(values, kind)


@pytest.mark.parametrize("kind", COLUMNS, ids=str)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_rows_are_those_of_python(kind: pa.DataType, data: st.DataObject):
    values = array(data.draw(st.lists(st.none() | stored(kind), max_size=8)), kind)
    other = array(
        data.draw(st.lists(st.none() | st.integers(-2, 2), min_size=len(values), max_size=len(values))), pa.int8()
    )
    table = pa.table({"x": values, "other": other, "row": np.arange(len(values))})
    simple = comparisons(col("x"), VALUES[COLUMNS[kind][0]]) | comparisons(col("other"), st.integers(-2, 2))
    condition = data.draw(conditions(simple))
    source = dlbd.data.open(table).where(condition)
    assert source.select(["row"]).to_arrow()["row"].to_pylist() == rows_that_meet(condition, table)


def test_nanoseconds_count():
    table = {"t": pa.array([0, 1, 2, None], pa.timestamp("ns")), "d": pa.array([0, 1, 2, None], pa.duration("ns"))}
    source = dlbd.data.open(table)
    assert source.where(col("t") > pd.Timestamp(1)).count() == 1
    assert source.where(col("t") == pa.scalar(1, pa.timestamp("ns"))).count() == 1
    assert source.where(col("t") == np.datetime64(1, "ns")).count() == 1
    assert source.where(col("t") == np.datetime64(0, "us")).count() == 1
    assert source.where(col("d") >= np.timedelta64(1, "ns")).count() == 2
    assert source.where(col("d") == pd.Timedelta(2, "ns")).count() == 1
    assert source.where(col("t").isin(pa.array([1, None, 5], pa.timestamp("ns")))).count() == 1


def test_a_float_and_a_decimal_meet_as_they_are_written():
    prices = dlbd.data.open({"p": [Decimal("0.10"), Decimal("19.99")], "x": [0.1, 19.99]})
    for value in (0.1, Decimal("0.1")):
        for name in ("p", "x"):
            assert prices.where(col(name) == value).count() == 1
            assert prices.where(col(name) <= value).count() == 1
            assert prices.where(col(name) > value).count() == 1
    single = dlbd.data.open({"x": pa.array([0.1], pa.float32())})
    assert single.where(col("x") == 0.1).count() == 0
    assert single.where(col("x") > 0.1).count() == 1
    assert single.where(col("x") == np.float32(0.1)).count() == 1


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int64", "1", r"'x' is int64, and '1' \(str\) does not compare with it: numbers do"),
        ("int64", True, r"True \(bool\)"),
        ("int64", [1], r"\[1\] \(list\)"),
        ("int64", col("y"), r"\(Column\)"),
        ("int64", 1 + 0j, r"\(complex\)"),
        ("int64", dt.date(2024, 1, 1), r"\(date\)"),
        ("bool", 1, r"'x' is bool, and 1 \(int\) does not compare with it: True and False do"),
        ("string", 3, r"'x' is string, and 3 \(int\) does not compare with it: text does"),
        ("string", math.nan, r"nan \(float\)"),
        ("string", b"a", r"b'a' \(bytes\)"),
        ("string", "\ud800", "it is no Unicode"),
        ("binary", "a", r"'x' is binary, and 'a' \(str\) does not compare with it: bytes do"),
        (
            "date32",
            "2024-01-01",
            r"'x' is date32\[day\], and '2024-01-01' \(str\) .* a date or a datetime",
        ),
        ("date32", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "a date or a datetime without a zone"),
        ("timestamp[us]", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "a date or a datetime without a zone"),
        ("timestamp[us]", 3, r"3 \(int\)"),
        ("timestamp[us]", np.timedelta64(5, "s"), "a date or a datetime without a zone"),
        (pa.timestamp("us", "UTC"), dt.datetime(2024, 1, 1), "a datetime with a zone does"),
        (pa.timestamp("us", "UTC"), dt.date(2024, 1, 1), "a datetime with a zone does"),
        ("time64[us]", dt.time(tzinfo=dt.UTC), "a time without a zone does"),
        ("time64[us]", dt.timedelta(1), "a time without a zone does"),
        ("duration[us]", dt.time(), "a timedelta does"),
        ("duration[us]", np.timedelta64(1, "Y"), "a timedelta does"),
        (
            pa.list_(pa.int64()),
            [1],
            r"'x' is list<item: int64>, and \[1\] \(list\) does not .* nothing does",
        ),
        (pa.struct([("a", pa.int64())]), {"a": 1}, "nothing does"),
        (pa.map_(pa.string(), pa.int64()), 1, "nothing does"),
        (pa.month_day_nano_interval(), 1, "nothing does"),
        (pa.dictionary(pa.int8(), pa.string()), 1, "text does"),
        *[
            ("int64", null, r"NULL equals nothing; col\('x'\).is_null\(\)")
            for null in (None, pa.scalar(None, pa.int8()))
        ],
        *[("timestamp[us]", null, "NULL equals nothing") for null in (pd.NaT, np.datetime64("NaT"))],
    ],
    ids=str,
)
def test_what_does_not_compare_names_column_type_and_value(kind: Any, value: Any, said: str):
    schema = pa.schema([("x", pa.type_for_alias(kind) if isinstance(kind, str) else kind)])
    source = dlbd.data.open(schema.empty_table(), name="rows")
    with pytest.raises(ValueError, match=rf"rows: column .*{said}"):
        source.where(col("x") == value)
    if "NULL" not in said:
        with pytest.raises(ValueError, match=said):
            source.where(~(col("x").isin([value]) | col("x").is_null()))


def test_lists_and_structs_have_nulls():
    source = dlbd.data.open({"l": [[1], None], "s": [{"a": 1}, None], "d": pa.array(["a", None]).dictionary_encode()})
    for name in ("l", "s", "d"):
        assert source.where(col(name).is_null()).count() == 1
        assert source.where(~col(name).is_null()).count() == 1


def test_a_column_without_values_meets_nothing():
    source = dlbd.data.open({"n": pa.nulls(3)})
    for condition in (col("n") == 1, col("n") != "a", ~(col("n") < 3), col("n").isin([1])):
        assert source.where(condition).count() == 0
    assert source.where(col("n").is_null()).count() == 3


def test_a_text_is_no_list_of_values():
    with pytest.raises(TypeError, match="isin takes a list of values; received 'Bonn'"):
        col("city").isin("Bonn")


def test_types_that_are_declared_later_are_those_of_the_condition():
    source = dlbd.data.open({"i": [1, 2, 3]}).where(col("i") > 1.5)
    assert dlbd.data.open(source, schema={"i": "float32"}).to_arrow()["i"].to_pylist() == [2.0, 3.0]
    with pytest.raises(ValueError, match=r"column 'i' is string, and 1\.5"):
        dlbd.data.open(source, schema={"i": "string"})


@pytest.mark.parametrize("condition", [col("x") == 2**63, col("x").isin(np.array([2**63], np.uint64))])
def test_large_unsigned_numbers(condition: Expression):
    source = dlbd.data.open({"x": pa.array([1, 2**63, None], pa.uint64())})
    assert source.where(condition).to_arrow()["x"].to_pylist() == [2**63]
