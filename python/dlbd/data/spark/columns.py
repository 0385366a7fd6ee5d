"""The columns of a data frame of Spark: what Arrow calls their types, and conditions on them."""

from __future__ import annotations

import datetime
import decimal
import operator
from collections.abc import Callable
from importlib import import_module
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.errors import missing
from dlbd.data.expressions import Both, Comparison, Expression, IsIn, IsNull, Joined, Not, conjuncts

try:
    from pyspark.sql import types
except ImportError as error:
    raise missing("spark", error) from error


class Columns:
    """A frame's columns by their places, as :func:`numbered` names them.

    Attributes:
        schema: their names and types, Arrow's.
    """

    def __init__(self, schema: types.StructType, name: str, connect: bool) -> None:
        twice = sorted({n for n in schema.names if schema.names.count(n) > 1})
        if twice:
            raise ValueError(f"{name} has several columns {twice[0]!r}: rename or drop those of one side of the join")
        self.schema: pa.Schema = pa.schema([(field.name, _arrow_type(field.name, field.dataType)) for field in schema])
        self._types = {field.name: field.dataType for field in schema}
        self._places = {one: i for i, one in enumerate(schema.names)}
        # the public module asks the environment which of the two it is
        self._functions = import_module("pyspark.sql.connect.functions" if connect else "pyspark.sql.functions")
        self._ml = "pyspark.ml.connect.functions" if connect else "pyspark.ml.functions"

    def __getitem__(self, name: str) -> Any:
        return self._functions.col(f"c{self._places[name]}")

    def readable(self, name: str) -> Any:
        """The column, as Arrow has a type for it."""
        if _is_vector(self._types[name]):
            return import_module(self._ml).vector_to_array(self[name])
        return self[name]

    def keys(self, name: str) -> list[Any]:
        """What puts rows in the order of a column: NULL, then NaN, which Spark has above all numbers."""
        found, kind, functions = self[name], self._types[name], self._functions
        if isinstance(kind, types.FloatType | types.DoubleType):
            return [found.isNotNull(), ~functions.isnan(found), found]
        return [(functions.collate(found, "UTF8_BINARY") if _is_collated(kind) else found).asc_nulls_first()]

    def filtered(self, frame: Any, where: Expression | None) -> Any:
        """The frame without rows that Spark can tell do not meet the condition."""
        for part in conjuncts(where):
            condition = self._condition(part)
            frame = frame if condition is None else frame.where(condition)
        return frame

    def filters_all(self, where: Expression | None) -> bool:
        """Whether :meth:`filtered` leaves only rows that meet the condition."""
        return all(self._condition(part) is not None for part in conjuncts(where))

    def _condition(self, where: Expression) -> Any:
        """The same for Spark, true for the same rows and unknown for the same; None if there is none."""
        match where:
            case Joined(left, right):
                one, other = self._condition(left), self._condition(right)
                if one is None or other is None:
                    return None
                return one & other if isinstance(where, Both) else one | other
            case Not(of):
                inner = self._condition(of)
                return None if inner is None else ~inner
            case IsNull(name):
                return self[name].isNull()
            case IsIn(name, values):
                literals = [self._literal(name, value) for value in values]
                known = bool(literals) and all(literal is not None for literal in literals)
                return self[name].isin(literals) if known else None
            case Comparison(name, operator, value):
                literal = self._literal(name, value)
                if literal is None:
                    return None
                compared = _OPERATORS[operator](self[name], literal)
                if operator in (">", ">=") and isinstance(self._types[name], types.FloatType | types.DoubleType):
                    return compared & ~self._functions.isnan(self[name])  # to Spark NaN is the largest number
                return compared
        return None

    def _literal(self, name: str, value: Any) -> Any:
        """A value that Spark compares with the column as Arrow does; None if it might not."""
        kind, lit = self._types[name], self._functions.lit
        if _is_collated(kind):
            return None
        if isinstance(value, datetime.datetime):
            named = _TIMESTAMPS.get(type(kind))
            aware = value.tzinfo is not None
            return lit(value.isoformat(" ")).cast(named) if named and aware == (named == "timestamp") else None
        fits = {
            bool: types.BooleanType,
            int: types.NumericType,
            float: types.FractionalType,
            decimal.Decimal: types.DecimalType,
            str: types.StringType,
            datetime.date: types.DateType,
        }.get(type(value))
        if fits is None or not isinstance(kind, fits) or value != value:
            return None
        # PySpark writes no year before 1000 as Spark reads it
        return lit(value.isoformat()).cast("date") if isinstance(value, datetime.date) else lit(value)


def numbered(frame: Any, count: int) -> Any:
    """The frame with the names c0, c1 and so on: PySpark parses names, and Spark may not tell "a" from "A"."""
    return frame.toDF(*(f"c{i}" for i in range(count)))


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_TIMESTAMPS: dict[type, str] = {types.TimestampNTZType: "timestamp_ntz", types.TimestampType: "timestamp"}


_ARROW: dict[type, pa.DataType] = {
    types.BooleanType: pa.bool_(),
    types.ByteType: pa.int8(),
    types.ShortType: pa.int16(),
    types.IntegerType: pa.int32(),
    types.LongType: pa.int64(),
    types.FloatType: pa.float32(),
    types.DoubleType: pa.float64(),
    types.StringType: pa.string(),
    types.CharType: pa.string(),
    types.VarcharType: pa.string(),
    types.BinaryType: pa.binary(),
    types.DateType: pa.date32(),
    types.TimestampType: pa.timestamp("us", "UTC"),
    types.TimestampNTZType: pa.timestamp("us"),
    types.DayTimeIntervalType: pa.duration("us"),
    types.NullType: pa.null(),
}


def _is_collated(kind: types.DataType) -> bool:
    """Whether texts compare by other rules than by their bytes."""
    return isinstance(kind, types.StringType) and getattr(kind, "collation", "UTF8_BINARY") != "UTF8_BINARY"


def _is_vector(kind: types.DataType) -> bool:
    """Whether a column holds vectors of pyspark.ml."""
    return isinstance(kind, types.UserDefinedType) and kind.simpleString() == "vector"


def _arrow_type(name: str, kind: types.DataType) -> pa.DataType:
    if type(kind) in _ARROW:
        return _ARROW[type(kind)]
    if _is_vector(kind):
        return pa.list_(pa.float64())
    match kind:
        case types.DecimalType():
            return pa.decimal128(kind.precision, kind.scale)
        case types.ArrayType():
            return pa.list_(_arrow_type(name, kind.elementType))
        case types.MapType():
            return pa.map_(_arrow_type(name, kind.keyType), _arrow_type(name, kind.valueType))
        case types.StructType():
            return pa.struct([(field.name, _arrow_type(name, field.dataType)) for field in kind])
    raise ValueError(f"column {name!r} is of Spark's type {kind.simpleString()}, which is not read: drop or cast it")
