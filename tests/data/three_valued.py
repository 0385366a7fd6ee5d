"""What a condition says of a row, in plain Python: True, False, or None where a NULL decides, as SQL has it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from dlbd.data.expressions import Both, Comparison, Either, Expression, IsIn, IsNull, Not

_EPOCH = dt.datetime(1970, 1, 1)
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def meets(condition: Expression, row: Mapping[str, pa.Scalar]) -> bool | None:
    """The row's values by column."""
    match condition:
        case Both(left, right):
            both = {meets(left, row), meets(right, row)}
            return False if False in both else None if None in both else True
        case Either(left, right):
            either = {meets(left, row), meets(right, row)}
            return True if True in either else None if None in either else False
        case Not(of):
            inner = meets(of, row)
            return None if inner is None else not inner
        case IsNull(column):
            return not row[column].is_valid
        case IsIn(column, values):
            return _compared(row[column], "==", values)
        case Comparison(column, operator, value):
            return _compared(row[column], operator, (value,))
    raise AssertionError(condition)


def rows_that_meet(condition: Expression, table: pa.Table) -> list[int]:
    """Their numbers."""
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return [i for i in range(len(table)) if meets(condition, {name: c[i] for name, c in columns.items()})]


def _compared(stored: pa.Scalar, operator: str, values: tuple[Any, ...]) -> bool | None:
    if not stored.is_valid:
        return None
    if isinstance(stored, pa.DictionaryScalar):
        stored = stored.value
    return any(_holds(operator, *_alike(stored, value)) for value in values)


def _holds(operator: str, one: Any, other: Any) -> bool:
    nan = [isinstance(x, float | Decimal) and math.isnan(x) for x in (one, other)]
    if any(nan):
        return operator == "!="
    found = (one > other) - (one < other)
    return {
        "==": found == 0,
        "!=": found != 0,
        "<": found < 0,
        "<=": found <= 0,
        ">": found > 0,
        ">=": found >= 0,
    }[operator]


def _alike(stored: pa.Scalar, value: Any) -> tuple[Any, Any]:
    """Both as what Python compares exactly."""
    kind = stored.type
    value = value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
    if pa.types.is_decimal(kind) and isinstance(value, float):
        return stored.as_py(), Decimal(repr(value))
    if pa.types.is_floating(kind) and isinstance(value, Decimal):
        return Decimal(str(kind.to_pandas_dtype()(stored.as_py()))), value
    if pa.types.is_temporal(kind):
        unit = 86_400 * 10**9 if pa.types.is_date32(kind) else 10**6 if pa.types.is_date64(kind) else _UNITS[kind.unit]
        return stored.value * unit, _nanoseconds(value)
    if isinstance(value, str):
        return stored.as_py().encode(), value.encode()
    return stored.as_py(), value


def _nanoseconds(value: Any) -> int:
    if isinstance(value, pa.Scalar):
        return value.value * _UNITS[value.type.unit]
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[ns]").astype(np.int64))
    if isinstance(value, dt.time):
        value = dt.datetime.combine(_EPOCH, value)
    elif not isinstance(value, dt.datetime) and isinstance(value, dt.date):
        value = dt.datetime.combine(value, dt.time())
    if isinstance(value, dt.datetime):
        nanosecond = getattr(value, "nanosecond", 0)  # of pandas
        value = dt.datetime(*value.timetuple()[:6], value.microsecond, value.tzinfo)
        value -= _EPOCH if value.tzinfo is None else _EPOCH.replace(tzinfo=dt.UTC)
        return value // dt.timedelta(microseconds=1) * 1000 + nanosecond
    return value // dt.timedelta(microseconds=1) * 1000
