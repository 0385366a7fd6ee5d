"""Rows that stores compare and order by rules of their own, and conditions on them."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from dlbd.data import col
from dlbd.data.expressions import Expression

_NOON = dt.datetime(2024, 2, 29, 12)


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


# By column: its type, values, and others that it is compared with.
_COLUMNS: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "small": (pa.int8(), [-128, -1, 0, 1, 127], [1.5, 128, -129, Decimal("-0.5")]),
    "whole": (
        pa.int64(),
        [-(2**63), -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1],
        [2**63, 0.5, 2.0**53, -math.inf, math.nan, Decimal("1.0"), Decimal("1e30")],
    ),
    "natural": (pa.uint64(), [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1], [-1, 2**64, 1.5, 2.0**63]),
    "single": (
        pa.float32(),
        [-3.4028234663852886e38, -1.0, -0.0, 0.0, 1e-45, float(np.float32(0.1)), 1.0, 16_777_216.0],
        [0.1, 16_777_217, 1e39, Decimal("0.1"), math.nan, 5e-324],
    ),
    "double": (
        pa.float64(),
        [-1e300, -1.0, -0.0, 0.0, 5e-324, 0.1, 1.0, 2.0**53],
        [2**53 + 1, Decimal("0.1"), Decimal("0.10000000000000001"), math.nan, 10**400],
    ),
    "price": (
        pa.decimal128(15, 2),
        [Decimal(v) for v in ("-9999999999999.99", "-0.01", "0.00", "0.10", "19.99", "9999999999999.99")],
        [0.1, 19.99, 0.105, Decimal("0.005"), 10**30, math.inf, 20],
    ),
    "large": (
        pa.decimal128(38, 10),
        [Decimal(f"{v}e-10") for v in (-(10**38) + 1, -1, 0, 1, 10**37 + 1, 10**37 + 2, 10**38 - 1)],
        [0, 1e-10, 10**28, Decimal("1e-11")],
    ),
    "at": (
        pa.timestamp("us"),
        [dt.datetime(1969, 12, 31, 23, 59, 59, 999_000), *(_NOON.replace(microsecond=m) for m in (0, 1_000, 999_000))],
        [_NOON.date(), _NOON.replace(microsecond=500), np.datetime64("2024-02-29T12"), dt.datetime.max],
    ),
    "instant": (
        pa.timestamp("us", "UTC"),
        [_utc(dt.datetime(1971, 12, 31)), *(_utc(_NOON.replace(microsecond=m)) for m in (0, 1_000, 999_000))],
        [_NOON.replace(hour=14, tzinfo=dt.timezone(dt.timedelta(hours=2))), _utc(_NOON.replace(microsecond=1))],
    ),
    "day": (
        pa.date32(),
        [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)],
        [_NOON, dt.datetime(2024, 2, 29), dt.date.min],
    ),
    "text": (pa.string(), ["", " ", "A", "a", "a ", "ab", "b", "é", "東"], ["aa", "\0"]),
    "planes": (pa.string(), ["\uffff", "🙂"], ["\ufffe"]),
    "bytes": (pa.binary(), [b"", b"\0", b"a", b"a ", b"b", b"\xff", b"\xff\0"], [b"aa"]),
    "flag": (pa.bool_(), [False, True], []),
}
_OUT_OF_RANGE = {"single": [math.nan, -math.inf, math.inf], "double": [math.nan, -math.inf, math.inf]}

_OPERATORS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")


def table(names: Sequence[str], nan: bool) -> pa.Table:
    """Rows in a random order, numbered by ``id``, with each value of each column twice, and NULL.

    Args:
        names: of the columns beside ``id``.
        nan: whether NaN and infinities are among the floats.
    """
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {"id": pa.array(range(60), pa.int64())}
    for name in names:
        kind, values, _ = _COLUMNS[name]
        some = [None, *values, *(_OUT_OF_RANGE.get(name, []) if nan else [])]
        columns[name] = pa.array([some[i % len(some)] for i in rng.permutation(60)], kind)
    return pa.table(columns)


NAMES = list(_COLUMNS)


def conditions(names: Sequence[str]) -> Iterator[Expression]:
    """On each column by itself, and on several."""
    joined: list[list[Expression]] = []
    for name in names:
        _, values, others = _COLUMNS[name]
        column = col(name)
        simple = [getattr(column, o)(v) for v in (*values, *others) for o in _OPERATORS]
        simple += [column.isin(some) for some in ([], values[:2], values + others, [*others, None])]
        simple.append(column.is_null())
        yield from simple
        yield from (~condition for condition in simple)
        joined.append(simple)
    rng = np.random.default_rng(0)
    for one, other in itertools.pairwise(joined):
        for _ in range(8):
            a, b = one[rng.integers(len(one))], other[rng.integers(len(other))]
            yield from (a & b, a | b, ~(a | ~b), ~(a & b) | col("id").isin([3, 5]))
