"""Conditions as filters of MongoDB."""

from __future__ import annotations

import math
from collections.abc import Container
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any

import numpy as np
from bson import Decimal128, ObjectId

from dlbd.data.arrow import pa
from dlbd.data.expressions import Both, Comparison, Either, Expression, IsIn, IsNull, Not

Filter = dict[str, Any]

_OPERATORS = {"==": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


def filter_of(where: Expression, schema: pa.Schema, columns: Container[str]) -> Filter | None:
    """A filter that each document meets whose row meets the condition; others may meet it too. None: all do.

    MongoDB compares what is stored, and values of one type only; a condition is about what became of that in Arrow.
    Where both could differ, the filter asks for less, or for nothing:

    - a float may have been rounded: the filter has the next ones as bounds;
    - a text may be an ObjectId: the filter has those too;
    - a time is stored in milliseconds: the filter's are rounded down, and its bounds included;
    - ``!=`` and the contrary of a comparison are not asked for, except that of ``is_null``.

    Args:
        where: the condition.
        schema: of the columns.
        columns: those that a filter can name, and whose values MongoDB compares as their type does.
    """
    match where:
        case Both(left, right):
            parts = [f for f in (filter_of(left, schema, columns), filter_of(right, schema, columns)) if f is not None]
            return {"$and": parts} if parts else None
        case Either(left, right):
            either = [filter_of(left, schema, columns), filter_of(right, schema, columns)]
            return None if None in either else {"$or": either}
        case Comparison(column, operator, value) if column in columns and operator != "!=":
            return _comparison(column, schema.field(column).type, operator, _plain(value))
        case IsIn(column, values) if column in columns:
            return _is_in(column, schema.field(column).type, [_plain(value) for value in values])
        case Not(IsNull(column)) if column in columns:
            return {column: {"$ne": None}}
        case _:
            return None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _comparison(column: str, kind: pa.DataType, operator: str, value: Any) -> Filter | None:
    if pa.types.is_floating(kind):
        return _near(column, kind, operator, value)
    if pa.types.is_boolean(kind) and operator != "==":
        return None
    stored = _stored(kind, value)
    if not stored:
        return None
    if operator == "==":
        return {column: {"$in": stored}}
    if pa.types.is_timestamp(kind):
        operator = operator[0] + "="
    compared = {column: {_OPERATORS[operator]: stored[0]}}
    return {"$or": [compared, {column: {"$type": "objectId"}}]} if isinstance(value, str) else compared


def _is_in(column: str, kind: pa.DataType, values: list[Any]) -> Filter | None:
    stored = [_stored(kind, value) for value in values]
    return {column: {"$in": [s for several in stored for s in several]}} if all(stored) else None


def _stored(kind: pa.DataType, value: Any) -> list[Any]:
    """The values of BSON that become this one; none where the types do not say so."""
    if isinstance(value, bool):
        return [value] if pa.types.is_boolean(kind) else []
    if isinstance(value, int):
        exact = pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        return [value] if exact and -(2**63) <= value < 2**63 else []
    if isinstance(value, Decimal) and pa.types.is_decimal(kind):
        try:
            return [Decimal128(value)] if value.is_finite() else []
        except DecimalException:  # more digits than it has
            return []
    if isinstance(value, str) and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return [value, ObjectId(value)] if ObjectId.is_valid(value) else [value] if _is_unicode(value) else []
    if isinstance(value, datetime) and pa.types.is_timestamp(kind):
        alike = (kind.tz is None) == (value.tzinfo is None)
        return [value.replace(microsecond=value.microsecond // 1000 * 1000)] if alike else []
    return []


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _near(column: str, kind: pa.DataType, operator: str, value: Any) -> Filter | None:
    """Bounds around what is stored, if rounding it to the type can give a number that meets the comparison."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if pa.types.is_float16(kind) or not number or not abs(value) <= float(np.finfo(np.float32).max):
        return None
    bounds = {}
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = kind.to_pandas_dtype()(value)
        if operator in ("<", "<=", "=="):
            bounds["$lt"] = float(np.nextafter(rounded, rounded.dtype.type(math.inf)))
        if operator in (">", ">=", "=="):
            bounds["$gt"] = float(np.nextafter(rounded, rounded.dtype.type(-math.inf)))
    return {column: bounds} if all(map(math.isfinite, bounds.values())) else None
